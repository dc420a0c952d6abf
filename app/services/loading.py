"""Bulk loading of a folder of pictures, or of JSON lines: resumable, a bad picture or line never stops it.

A load stores what is not stored yet. One that replaces brings stored records up to date, too: a picture is told by the
SHA-256 of its bytes, so that only those that changed are embedded; where that is not known (of records that SQL or an
earlier version inserted), the vector is made anew and compared.

Decoding runs in threads ahead of the model, the model ahead of the database, each a step that is bounded in records and
in bytes, so memory is flat whatever the size of the folder or of a line. Rows are written by COPY into a temporary
table and from there, past ids that are taken, into the partition: one transaction a chunk. Run again, it asks which ids
are stored and does only the rest.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from app.db import loads, replacing
from app.db import records as record_table
from app.db.loads import Outcome, Written
from app.domain.collections import Collection
from app.domain.errors import InvalidRequest
from app.domain.jsontext import dumps
from app.domain.records import Attributes, Json
from app.embedding.models.batching import BatchedEmbedder
from app.services.chunking import chunks, write_behind
from app.services.context import Context
from app.services.extraction import made_fields, tags_are_made, with_tags
from app.services.folders import picture_of, scan
from app.services.indexing import build_if_needed, maintain, notice_copies
from app.services.jsonlines import LineFile, longest_line
from app.services.pipeline import Item, Pipeline, PreparedItem, Unusable
from app.services.record_input import attributes_of, check_size, checked_id, fit_to_insert
from app.services.vectors import embedder_of

_CHUNK = 500
_CHUNK_BYTES = 32 * 2**20  # of kept originals
# What is made of pictures is written after so many seconds at the latest, so that an interruption costs little.
_SECONDS = 2.0
# What a picture takes that is kept and of which only the URL is known yet.
_FETCHED_BYTES = 2**20
# Ids that a report names of those that were stored, replaced, updated and deleted.
_EXAMPLES = 10


@dataclass(slots=True)
class LoadReport:
    """A load reports what became of everything that was met: each is counted once.

    `stored` are new records, `present` those that were there already, `replaced` those that have another picture now,
    `updated` those that have other attributes alone; `failed` could not be stored, `passed_over` are files that are no
    pictures: each with its place and the reason. Of what was not met, `deleted` records are gone; `kept_because` says
    why none was deleted although that was asked for. `examples` are the first ids of each count but `present`. Of a dry
    run it is what would become of everything.
    """

    stored: int = 0
    present: int = 0
    replaced: int = 0
    updated: int = 0
    deleted: int = 0
    kept_because: str | None = None
    failed: list[Unusable] = field(default_factory=list)
    passed_over: list[Unusable] = field(default_factory=list)
    examples: dict[str, list[str]] = field(default_factory=dict)
    index_built: bool = False

    @property
    def seen(self) -> int:
        """Return the number of files or lines that were met: the sum of all."""
        done = self.stored + self.present + self.replaced + self.updated
        return done + len(self.failed) + len(self.passed_over)

    def count(self, outcome: Outcome | Literal["deleted"], ids: Iterable[str]) -> None:
        """Count records that something became of."""
        counted = list(ids)
        setattr(self, outcome, getattr(self, outcome) + len(counted))
        if outcome != "present" and counted:
            named = self.examples.setdefault(outcome, [])
            named += counted[: _EXAMPLES - len(named)]


def line_items(context: Context, lines: Path | LineFile) -> Iterator[Item | Unusable]:
    """Yield an item for each line of a file or pipe of JSON records, as `allRecords` and `export` write them.

    Pictures are read as on insert, from `_base64`, `_url` or `_file`; a relative `_file` is looked for beside the
    file of lines first: on the command line, the person who types the path may read what lies there. An `_embedding`
    of the collection's model is taken as it is, without a picture. A line that is no record comes as unusable, with its
    number.

    Raises:
        InvalidRequest: it is not a file of lines.

    """
    source = lines if isinstance(lines, LineFile) else LineFile(lines)

    def item(record: dict[str, Json]) -> Item:
        record = fit_to_insert(record)
        record_id = checked_id(record.get("_id"))
        attributes = attributes_of(record, context.settings.max_attributes_bytes)
        read = partial(picture_of, context, record, source.beside)
        inline = bool(record.get("_base64"))
        size = 0 if inline else _FETCHED_BYTES
        given = record.get("_embedding")
        return Item(record_id, attributes, read, record.get("_box"), size=size, embedding=given, inline=inline)

    for line in source.read(item, longest_line(context.settings)):
        if isinstance(line.made, Item):
            yield replace(line.made, place=line.place, size=line.made.size + line.size)
        else:
            yield Unusable(line.place, str(line.made), line.id)


def source_items(context: Context, source: Path) -> tuple[Iterable[Item | Unusable], int | None]:
    """Return what a folder of pictures or a file of lines holds, and how many of them there are; None for a pipe.

    Raises:
        InvalidRequest: there is no picture in the folder.

    """
    if str(source) != "-" and source.is_dir():
        scanned = scan(source, context.settings.max_image_bytes)
        return scanned, len(scanned)
    lines = LineFile(source)
    return line_items(context, lines), lines.count()


def load(
    context: Context,
    collection: Collection,
    items: Iterable[Item | Unusable],
    *,
    replace_stored: bool = False,
    delete_missing: bool = False,
    dry_run: bool = False,
    progress: Callable[[int], None] = lambda _: None,
    failed: Callable[[Unusable], None] = lambda _: None,
    began: datetime | None = None,
) -> LoadReport:
    """Load items that are not stored yet; `progress` is called with the number of items that are done with.

    `failed` is called with each that could not be used. `began` is when the load began, where that was not just now.

    With `replace_stored`, items take the place of the stored records of their ids where their picture or their
    attributes are others. With `delete_missing`, records that were there when the load began and that no item names are
    deleted at the end; none is where an item could not be used, or where there was none: the source may not be whole.
    With `dry_run`, of a load that replaces, nothing is written: the report says what would become of everything, but
    for what the database itself would refuse, a capacity included. The model runs only where vectors are compared.

    Tags are made as an insert makes them. An index that is there stays: entering a row into it costs little beside
    making its vector, so that to drop and rebuild it is no faster, and searches would be exact meanwhile.

    Raises:
        Unavailable: the database is away; what was reported as stored is on disk, and another run goes on from there.

    """
    rules = replacing.Rules(made_fields(context, collection), context.settings.max_attributes_bytes, dry_run)
    run = _Load(context, collection, LoadReport(), progress, failed, rules if replace_stored else None, dry_run)
    began = began or replacing.moment(context.db)
    run.all(items)
    if delete_missing:
        run.delete_missing(began)
    if dry_run:
        return run.report
    if delete_missing:
        maintain(context, collection)
    context.lookup.forget(collection.name)
    run.report.index_built = build_if_needed(context, context.lookup.collection(collection.name))
    return run.report


@dataclass(slots=True)
class _Chunk:
    """Rows to be written in one transaction, each of another id, the places that they come from, and their bytes."""

    rows: list[record_table.NewRecord] = field(default_factory=list)
    places: dict[str, str] = field(default_factory=dict)
    size: int = 0
    began: float = field(default_factory=time.monotonic)

    def add(self, one: PreparedItem, embedding: NDArray[np.float32], made: Attributes, max_bytes: int) -> None:
        if one.item.id in self.places:
            raise InvalidRequest(f"the _id stands in {self.places[one.item.id]} already")
        if made:
            check_size(one.item.attributes | made, max_bytes)
        attributes = dumps(one.item.attributes | made)
        row = record_table.NewRecord(
            one.item.id, attributes, embedding, one.thumbnail, one.original, one.box, one.digest
        )
        self.rows.append(row)
        self.places[row.id] = one.item.place
        self.size += len(one.original or b"") + len(attributes)


@dataclass(slots=True)
class _Load:
    """One run: what is met goes into the report."""

    context: Context
    collection: Collection
    report: LoadReport
    progress: Callable[[int], None]
    failed: Callable[[Unusable], None]
    rules: replacing.Rules | None
    dry_run: bool
    # Items whose pictures are the stored ones, until their attributes are compared.
    same: list[Item] = field(default_factory=list)
    # Every _id that was met, where records are replaced.
    met: set[str] = field(default_factory=set)

    def all(self, items: Iterable[Item | Unusable]) -> None:
        with closing(self._pipeline(embedder_of(self.context, self.collection))) as pipeline:
            for written, places in write_behind(self._chunks(pipeline, items), self._store):
                self._count(written, places)
                self.progress(len(places))
            self._refresh()

    def _chunks(self, pipeline: Pipeline, items: Iterable[Item | Unusable]) -> Iterator[_Chunk]:
        """Yield rows to be written, a bounded number of bytes at a time."""
        tagged = tags_are_made(self.context, self.collection)
        chunk = _Chunk()
        for batch, embeddings in pipeline.embedded(self._fresh(items)):
            made: list[Attributes] = [{} for _ in batch]
            if tagged:
                fields = [one.item.attributes for one in batch]
                made = with_tags(self.context, self.collection, fields, embeddings)
            for one, vector, more in zip(batch, embeddings, made, strict=True):
                try:
                    chunk.add(one, vector, more, self.context.settings.max_attributes_bytes)
                except InvalidRequest as error:
                    self._failed(one.item, str(error))
            late = chunk.rows and time.monotonic() > chunk.began + _SECONDS
            if len(chunk.rows) >= _CHUNK or chunk.size >= _CHUNK_BYTES or late:
                yield chunk
                chunk = _Chunk()
        if chunk.rows:
            yield chunk

    def _pipeline(self, embedder: BatchedEmbedder) -> Pipeline:
        return Pipeline(
            self.context,
            self.collection,
            embedder,
            self._failed,
            same=self._same_picture,
            settled=self._settled if self.dry_run else lambda _: False,
        )

    def _store(self, chunk: _Chunk) -> tuple[Written, Mapping[str, str]]:
        if self.rules is None:
            written = loads.store(self.context.db, self.collection, chunk.rows)
        else:
            written = replacing.store(self.context.db, self.collection, chunk.rows, self.rules)
        notice_copies(
            self.context, self.collection, [row.embedding for row in chunk.rows if row.id in written.outcomes]
        )
        return written, chunk.places

    def _settled(self, one: PreparedItem) -> bool:
        """Count an item of a dry run whose outcome needs no vector."""
        stored = one.item.stored
        if stored is None:
            self.report.count("stored", [one.item.id])
        elif None not in (stored.digest, one.digest) and stored != (one.digest, one.box):
            self.report.count("replaced", [one.item.id])
        else:
            return False
        self.progress(1)
        return True

    def _fresh(self, items: Iterable[Item | Unusable]) -> Iterator[Item]:
        """Yield the items to be looked at, asked for a chunk at a time; the first where an id comes twice.

        Those are the ones that are not stored yet or, where records are replaced, all, with what is stored of them.
        """
        for chunk in chunks(self._usable(items), _CHUNK, lambda item: item.size):
            first: dict[str, Item] = {}
            for item in chunk:
                if first.setdefault(item.id, item) is not item:
                    self._failed(item, f"the _id stands in {first[item.id].place} already")
            if self.rules is not None:
                yield from self._to_compare(first.values())
                continue
            known = self._stored(first.values())
            self.report.count("present", known)
            self.progress(len(known))
            yield from (item for item in first.values() if item.id not in known)

    def _stored(self, items: Iterable[Item]) -> set[str]:
        """Return the ids of the items that are stored, be it under the id that their file was given once."""
        found = {item.id: item for item in items}
        known = record_table.existing(self.context.db, self.collection, list(found))
        return known | self._under_former_ids([item for record_id, item in found.items() if record_id not in known])

    def _under_former_ids(self, items: Sequence[Item]) -> set[str]:
        """Return the ids of the items that are stored under the id that their file was given once."""
        former = [item.former for item in items if item.former]
        files = record_table.files(self.context.db, self.collection, former) if former else {}
        return {item.id for item in items if item.former and files.get(item.former) == item.id}

    def _to_compare(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yield items with what the pictures of the stored records of their ids are known by."""
        fresh = []
        for item in items:
            if item.id in self.met:
                self._failed(item, "a record of this _id stands further above")
            else:
                self.met.add(item.id)
                fresh.append(item)
        stored = replacing.contents(self.context.db, self.collection, [item.id for item in fresh])
        former = self._under_former_ids([item for item in fresh if item.id not in stored])
        renamed = [replace(item, id=str(item.former)) if item.id in former else item for item in fresh]
        if former:
            self.met.update(item.id for item in renamed)
            stored |= replacing.contents(self.context.db, self.collection, [item.id for item in renamed])
        yield from (replace(item, stored=stored.get(item.id)) for item in renamed)

    def _same_picture(self, item: Item) -> None:
        self.same.append(item)
        if len(self.same) >= _CHUNK:
            self._refresh()

    def _refresh(self) -> None:
        """Give the records whose pictures are the stored ones the attributes of their items."""
        items = list(self.same)
        self.same.clear()
        if not items or self.rules is None:
            return
        coming = {item.id: (dumps(item.attributes), item.stored) for item in items if item.stored is not None}
        written = replacing.refresh(self.context.db, self.collection, coming, self.rules)
        self._count(written, {item.id: item.place for item in items})
        self.progress(len(items))

    def delete_missing(self, before: datetime) -> None:
        """Delete the records that were stored before a moment and that no item named; say why where none is."""
        if self.report.failed:
            self.report.kept_because = f"{len(self.report.failed)} of the source could not be used, so it is not whole"
        elif hiding := [one for one in self.report.passed_over if one.hides]:
            more = f" ({len(hiding) - 1} more such links)" if len(hiding) > 1 else ""
            self.report.kept_because = f"{hiding[0].place} is {hiding[0].reason}: records may lie behind it{more}"
        elif not self.met:
            self.report.kept_because = "the source has no record"
        else:
            for ids in replacing.older(self.context.db, self.collection, before):
                gone = [record_id for record_id in ids if record_id not in self.met]
                if gone and not self.dry_run:
                    gone = replacing.delete_older(self.context.db, self.collection, gone, before)
                self.report.count("deleted", gone)

    def _usable(self, items: Iterable[Item | Unusable]) -> Iterator[Item]:
        for one in items:
            if isinstance(one, Item):
                yield one
            else:
                if one.passed_over:
                    self.report.passed_over.append(one)
                else:
                    self._not_taken(one)
                self.progress(1)

    def _failed(self, item: Item, reason: str) -> None:
        self._not_taken(Unusable(item.place, reason, item.id))
        self.progress(1)

    def _not_taken(self, one: Unusable) -> None:
        self.report.failed.append(one)
        self.failed(one)

    def _count(self, written: Written, places: Mapping[str, str]) -> None:
        """Report what became of a chunk's rows."""
        taken = "a record of this _id was stored just before: it stands further above, or came from elsewhere"
        for record_id, place in places.items():
            if record_id in written.outcomes:
                self.report.count(written.outcomes[record_id], [record_id])
            else:
                self._not_taken(Unusable(place, written.refused.get(record_id, taken), record_id))
