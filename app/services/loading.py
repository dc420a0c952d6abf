"""Bulk loading of a folder of pictures, or of JSON lines: resumable, a bad picture never stops it.

Decoding runs in threads ahead of the model, the model ahead of the database, each a bounded step, so memory is flat
whatever the size of the folder. Rows are written by COPY into a temporary table and from there, past ids that are
taken, into the partition: one transaction a chunk. Run again, it asks which ids are stored and does only the rest.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.db import loads
from app.db import records as table
from app.domain.collections import Collection
from app.domain.errors import ImageError, InvalidRequest
from app.domain.jsontext import dumps
from app.domain.records import Attributes, Json
from app.services.context import Context
from app.services.extraction import tags_are_made, with_tags
from app.services.incoming import Incoming, attributes_of, record_id
from app.services.indexing import build_if_outgrown
from app.services.jsonlines import read_lines
from app.services.pipeline import Item, Pipeline, Prepared, chunks
from app.services.vectors import embedder_of

PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".jpe", ".tif", ".tiff", ".webp", ".gif", ".bmp"})
_CHUNK = 500
_CHUNK_BYTES = 32 * 2**20  # of kept originals


@dataclass(slots=True)
class Report:
    """What a load did: records stored, records that were there already, and the ones that could not be read."""

    stored: int = 0
    present: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    index_built: bool = False


def folder_items(folder: Path) -> list[Item]:
    """Return an item for each picture below a folder: the file name is the `_id`, the sub-folder the `category`.

    A file name that stands in several sub-folders is told apart by its path (`shoes/1.jpg`).

    Raises:
        InvalidRequest: there is no such folder, or no picture in it.

    """
    if not folder.is_dir():
        raise InvalidRequest(f"{folder} is not a folder")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURE_SUFFIXES and path.is_file())
    if not paths:
        raise InvalidRequest(f"there is no picture in {folder} (looked for {', '.join(sorted(PICTURE_SUFFIXES))})")
    times = Counter(path.name for path in paths)
    return [_folder_item(folder, path, times[path.name] == 1) for path in paths]


def _folder_item(folder: Path, path: Path, unique: bool) -> Item:
    relative = path.relative_to(folder)
    attributes: dict[str, Json] = {"_file": relative.as_posix()}
    if len(relative.parts) > 1:
        attributes["category"] = relative.parts[-2]
    return Item(path.name if unique else relative.as_posix(), attributes, path.read_bytes)


def line_items(context: Context, lines: Path) -> Iterator[Item]:
    """Yield an item for each line of a file of JSON records, as `allRecords` and `export` write them.

    Pictures are read as on insert, from `_base64`, `_url` or `_file`; a relative `_file` is looked for beside the
    file of lines first: on the command line, the person who types the path may read what lies there.

    Raises:
        InvalidRequest: a line is not a JSON record; the message names its number.

    """

    def item(record: dict[str, Json]) -> Item:
        own = record_id(record.get("_id"))
        attributes = attributes_of(record, context.settings.max_attributes_bytes)
        read = partial(_line_bytes, context, lines.parent, Incoming(own, record, ""))
        return Item(own, attributes, read, record.get("_box"))

    return read_lines(lines, item)


def _line_bytes(context: Context, beside: Path, record: Incoming) -> bytes:
    name = record.fields.get("_file")
    if isinstance(name, str) and not record.fields.get("_base64"):
        path = (beside / name).resolve()
        if path.is_relative_to(beside.resolve()) and path.is_file():
            return path.read_bytes()
    source = context.pictures.read_many([record.fields])[0]
    if isinstance(source, ImageError):
        raise source
    return source


def load(
    context: Context,
    collection: Collection,
    items: Iterable[Item],
    *,
    progress: Callable[[int], None] = lambda _: None,
) -> Report:
    """Load items that are not stored yet; `progress` is called with the number of items that are done with.

    Tags are made as an insert makes them. An index that is there stays: entering a row into it costs a tenth of making
    its vector, so that to drop and rebuild it was no faster, and searches would be exact meanwhile (3,068 photos into
    20,000 records, twice: 16.7 and 18.3 s with it, 17.5 and 18.7 s rebuilt).

    Raises:
        Unavailable: the database is away; what was reported as stored is on disk, and another run goes on from there.

    """
    report = Report()
    embedder = embedder_of(context, collection)
    tagged = tags_are_made(context, collection)

    def failed(item: Item, reason: str) -> None:
        report.failed.append((item.id, reason))
        progress(1)

    with (
        closing(Pipeline(context, collection, embedder, failed)) as pipeline,
        ThreadPoolExecutor(1, thread_name_prefix="write") as writer,
    ):
        writing: Future[int] | None = None
        rows: list[table.NewRecord] = []
        size = 0
        fresh = _fresh(context, collection, items, report, progress)
        for batch, embeddings in pipeline.embedded(fresh):
            made: list[Attributes] = [{} for _ in batch]
            if tagged:
                made = with_tags(context, collection, [one.item.attributes for one in batch], embeddings)
            rows += [_row(*parts) for parts in zip(batch, embeddings, made, strict=True)]
            size += sum(len(one.original or b"") for one in batch)
            progress(len(batch))
            if len(rows) >= _CHUNK or size >= _CHUNK_BYTES:
                # One chunk is written while the next is made; never more, so that memory stays flat.
                report.stored += writing.result() if writing else 0
                writing, rows, size = writer.submit(loads.copy, context.db, collection, rows), [], 0
        report.stored += writing.result() if writing else 0
        report.stored += loads.copy(context.db, collection, rows) if rows else 0
    context.lookup.forget(collection.name)
    report.index_built = build_if_outgrown(context, context.lookup.collection(collection.name))
    return report


def _row(one: Prepared, embedding: NDArray[np.float32], made: Attributes) -> table.NewRecord:
    attributes = dumps(one.item.attributes | made)
    return table.NewRecord(one.item.id, attributes, embedding, one.thumbnail, one.original, one.box)


def _fresh(
    context: Context, collection: Collection, items: Iterable[Item], report: Report, progress: Callable[[int], None]
) -> Iterator[Item]:
    """Yield the items that are not stored yet, asked for a chunk at a time."""
    for chunk in chunks(items, _CHUNK):
        known = table.existing(context.db, collection, [item.id for item in chunk])
        fresh = list({item.id: item for item in chunk if item.id not in known}.values())
        report.present += len(chunk) - len(fresh)
        progress(len(chunk) - len(fresh))
        yield from fresh
