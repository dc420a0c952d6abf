"""An import at work: entries of a source become rows, in order, and each batch is written with its position.

Records with embeddings go straight to the database, those with pictures through the pipeline that `load` uses. Both
come out in the order of the source, so that the position after the last record of a batch is that of all before it.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from functools import partial
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from app.db import records as record_table
from app.db import replacing
from app.db.near_duplicate_insert import NearDuplicateCheck
from app.db.records import NewRecord
from app.domain import statuses
from app.domain.collections import Collection
from app.domain.errors import InvalidRequest
from app.domain.fetching import Validators
from app.domain.jsontext import dumps, is_integer, loads
from app.domain.records import Fields, Json
from app.services.chunking import chunks, write_behind
from app.services.context import Context
from app.services.extraction import made_fields, tags_are_made, with_tags
from app.services.folders import picture_beside, picture_of
from app.services.importing.entries import Entry, Record
from app.services.importing.fetching import FetchedPictures
from app.services.importing.numbers import embedding_of
from app.services.importing.plan import Plan
from app.services.importing.seen import SeenIds
from app.services.importing.sources import Origin
from app.services.importing.writing import NOT_STORED, Bare, Chunk, Incoming, Writer
from app.services.inserting import without_near_duplicates
from app.services.jobs.running import Running
from app.services.pipeline import Item, Pipeline, PreparedItem
from app.services.record_input import attributes_of, check_size, checked_id, fit_to_insert
from app.services.vectors import embedder_of

# Records of one transaction at most: of embeddings, where no index takes each of them, and of others. More would hardly
# be faster, and Python's collector, which stops the searches of a server meanwhile, looks at all that wait.
_ROWS = 1000
_ROWS_INDEXED = 500
_CHUNK_BYTES = 8 * 2**20
_ROWS_CHECKED = 100
# Pictures take long; what is made of them is written after so many seconds at the latest.
_SECONDS = 2.0
_LOOK_UP = 500
_FETCHED_BYTES = 2**20


class Import:
    """One run of an import.

    Args:
        context: the services.
        job: the run; its position is that of the source, with what became of the records up to there.
        collection: where the records are stored.
        plan: what is asked for.
        source: what is imported.

    """

    def __init__(self, context: Context, job: Running, collection: Collection, plan: Plan, source: Origin) -> None:
        self._context = context
        self._job = job
        self._collection = collection
        self._plan = plan
        self._beside = source.beside
        self._seen = SeenIds()
        self._lines: dict[str, Incoming] = {}
        self._same: list[Incoming] = []
        self._embedder = embedder_of(context, collection)
        self._max_attributes = context.settings.max_attributes_bytes
        made = made_fields(context, collection)
        only = plan.mode == "update_only"
        self._rules = None if plan.mode == "insert" else replacing.Rules(made, self._max_attributes, only_stored=only)
        self._check = self._near_check()
        self._urls = FetchedPictures(context, job)
        self.writer = Writer(context, job, collection, plan, self._rules, self._check, source.facts())

    def _near_check(self) -> NearDuplicateCheck | None:
        if self._plan.near_duplicates == "keep":
            return None
        check = without_near_duplicates(self._collection, self._plan.radius, Fields())
        return replace(check, report=self._plan.near_duplicates == "report")

    def all(self, entries: Iterable[Entry]) -> None:
        """Import entries, from the position on.

        Raises:
            InvalidRequest: too many of them were rejected, or the source cannot be read any further.

        """
        fetchers = self._context.settings.fetch_workers
        pipeline = Pipeline(
            self._context, self._collection, self._embedder, self._failed, same=self._same_picture, fetchers=fetchers
        )
        # What waits for hosts ends before the pipeline, which waits for it.
        with closing(pipeline), closing(self._urls):
            for _ in write_behind(self._chunks(pipeline, entries), self._write):
                self.writer.check_rejects()
        self._write_same()
        self.writer.save()
        self.writer.check_rejects(at_end=True)

    def _write(self, chunk: Chunk) -> None:
        self._urls.note()
        self.writer.write(chunk)

    def _chunks(self, pipeline: Pipeline, entries: Iterable[Entry]) -> Iterator[Chunk]:
        most = _ROWS_CHECKED if self._check else _ROWS_INDEXED if self._collection.indexed else _ROWS
        chunk = Chunk()
        for one, row in self._rows(pipeline, entries):
            chunk.add(one, row)
            late = one.vector is None and time.monotonic() > chunk.began + _SECONDS
            if len(chunk.rows) >= most or chunk.size >= _CHUNK_BYTES or late:
                yield chunk
                chunk = Chunk()
        if chunk.rows:
            yield chunk

    def _rows(self, pipeline: Pipeline, entries: Iterable[Entry]) -> Iterator[tuple[Incoming, NewRecord]]:
        for ready, some in groupby(self._incoming(entries), lambda one: one.vector is not None and not one.has_picture):
            rows = self._ready if ready else partial(self._pictured, pipeline)
            yield from rows(some)

    def _incoming(self, entries: Iterable[Entry]) -> Iterator[Incoming]:
        """Yield the records of entries; what is none is rejected, or passed over."""
        for entry in entries:
            self._job.safe_point()
            number = self.writer.tally.meet(entry)
            if entry.passed_over:
                self.writer.tally.settle(number, "passed_over")
                continue
            try:
                yield self._read(entry, number)
            except InvalidRequest as error:
                self.writer.reject(Bare(entry, number), statuses.SKIPPED_ERROR.code, str(error), self._id_of(entry))
            if time.monotonic() > self.writer.saved + _SECONDS:
                self.writer.check_rejects()
                self.writer.save()

    def _read(self, entry: Entry, number: int) -> Incoming:
        if isinstance(entry.record, InvalidRequest):
            raise entry.record
        record = self._plan.fields.of(entry.record)
        vector = embedding_of(record.pop("_embedding", None), entry.vector, self._collection)
        record = fit_to_insert(record)
        record_id = checked_id(record.get("_id"))
        attributes = attributes_of(record, self._max_attributes)
        named = entry.picture is not None or any(record.get(name) for name in ("_base64", "_url", "_file"))
        inline = entry.picture is not None or bool(record.get("_base64"))
        if vector is None and not named and self._rules is None:
            raise InvalidRequest("the record has no picture and no embedding of the collection's model")
        if self._seen.add(record_id):
            raise InvalidRequest("a record of this _id stands further above")
        read = entry.picture or partial(picture_of, self._context, record, self._beside)
        url = record.get("_url")
        url = url if not inline and isinstance(url, str) and url else None
        if url is not None:
            read = partial(self._fetched, record, url, None)
        size = entry.size if inline else entry.size + _FETCHED_BYTES
        given: Json = None
        if vector is not None and inline:
            facts = self._collection
            given = {"model": facts.model, "revision": facts.model_revision, "vector": vector.tolist()}
        item = Item(
            record_id, attributes, read, record.get("_box"), str(number), size, embedding=given, inline=inline, url=url
        )
        return Incoming(entry, number, item, vector, inline or (named and vector is None))

    def _fetched(self, record: Record, url: str, known: Validators | None) -> bytes:
        data = picture_beside(self._context, record, self._beside)
        return self._urls.read(url, known) if data is None else data

    def _ready(self, some: Iterable[Incoming]) -> Iterator[tuple[Incoming, NewRecord]]:
        """Yield rows of records whose embeddings came along."""
        tagged = tags_are_made(self._context, self._collection)
        for group in chunks(some, _LOOK_UP, lambda one: one.entry.size):
            wanted = self._unknown(group) if self._check is not None and self._rules is None else group
            made: Sequence[Mapping[str, Json]] = [{} for _ in wanted]
            if tagged:
                fields = [one.item.attributes for one in wanted]
                made = with_tags(
                    self._context, self._collection, fields, [one.vector for one in wanted if one.vector is not None]
                )
            for one, more in zip(wanted, made, strict=True):
                assert one.vector is not None  # noqa: S101  (`_rows` tells them apart)
                row = self._row(one, more, one.vector)
                if row is not None:
                    yield one, row

    def _pictured(self, pipeline: Pipeline, some: Iterable[Incoming]) -> Iterator[tuple[Incoming, NewRecord]]:
        """Yield rows of records whose pictures are read and embedded."""
        tagged = tags_are_made(self._context, self._collection)
        for batch, embeddings in pipeline.embedded(self._fresh(some)):
            made: Sequence[Mapping[str, Json]] = [{} for _ in batch]
            if tagged:
                made = with_tags(self._context, self._collection, [one.item.attributes for one in batch], embeddings)
            for done, vector, more in zip(batch, embeddings, made, strict=True):
                one = self._lines.pop(done.item.place)
                row = self._row(one, more, vector, done)
                if row is not None:
                    yield one, row

    def _row(
        self,
        one: Incoming,
        made: Mapping[str, Json],
        vector: NDArray[np.float32],
        done: PreparedItem | None = None,
    ) -> NewRecord | None:
        attributes = one.item.attributes
        if made:
            attributes = attributes | dict(made)
            try:
                check_size(attributes, self._max_attributes)
            except InvalidRequest as error:
                self.writer.reject(one, statuses.SKIPPED_ERROR.code, str(error), one.item.id)
                return None
        if done is None:
            return NewRecord(one.item.id, dumps(attributes), vector)
        return NewRecord(one.item.id, dumps(attributes), vector, done.thumbnail, done.original, done.box, done.digest)

    def _fresh(self, some: Iterable[Incoming]) -> Iterator[Item]:
        """Yield the items whose pictures are to be looked at."""
        for group in chunks(some, _LOOK_UP, lambda one: one.item.size):
            for one, item in self._to_look_at(group):
                self._lines[item.place] = one
                yield item

    def _to_look_at(self, group: Sequence[Incoming]) -> Iterator[tuple[Incoming, Item]]:
        if self._rules is None:
            yield from ((one, one.item) for one in self._unknown(group))
            return
        stored = replacing.contents(self._context.db, self._collection, [one.item.id for one in group])
        validators = self._urls.known(
            (one.item.url, stored[one.item.id]) for one in group if one.item.url is not None and one.item.id in stored
        )
        for one in group:
            known = stored.get(one.item.id)
            item = replace(one.item, stored=known)
            asked = validators.get(item.url or "")
            if asked is not None and known is not None and item.box == (known.box and list(known.box)):
                item = replace(item, read=partial(self._fetched, item.attributes, item.url or "", asked))
            if known is None and self._rules.only_stored:
                self.writer.reject(one, statuses.SKIPPED_NOT_FOUND.code, NOT_STORED, item.id)
            elif one.has_picture:
                yield one, item
            elif known is not None:
                self._stays(replace(one, item=item))
            else:
                reason = "the record has no picture and no embedding of the collection's model"
                self.writer.reject(one, statuses.SKIPPED_ERROR.code, reason, item.id)

    def _unknown(self, group: Sequence[Incoming]) -> list[Incoming]:
        """Return the records that are not stored; count the others."""
        known = record_table.existing(self._context.db, self._collection, [one.item.id for one in group])
        for one in group:
            if one.item.id in known:
                self.writer.tally.settle(one.number, "present")
        return [one for one in group if one.item.id not in known]

    def _same_picture(self, item: Item) -> None:
        self._stays(replace(self._lines.pop(item.place), item=item))

    def _stays(self, one: Incoming) -> None:
        """Take a record whose picture is the stored one, or that has none and is stored."""
        self._same.append(one)
        if len(self._same) >= _LOOK_UP:
            self._write_same()

    def _write_same(self) -> None:
        some, self._same = self._same, []
        self.writer.write_same(some)

    def _failed(self, item: Item, reason: str) -> None:
        one = self._lines.pop(item.place)
        self.writer.reject(one, statuses.SKIPPED_ERROR.code, reason, item.id)

    def _id_of(self, entry: Entry) -> str | None:
        """Return the `_id` that a record which cannot be taken names, where it can be told."""
        record: Json = None if isinstance(entry.record, InvalidRequest) else entry.record
        if record is None and (text := entry.source()) is not None:
            with suppress(InvalidRequest):
                record = loads(text, "the record")
        value = record.get(self._plan.fields.id_field) if isinstance(record, dict) else None
        if is_integer(value):
            value = str(value)
        return value[:100] if isinstance(value, str) and value and "\0" not in value else None
