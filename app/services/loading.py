"""Bulk loading of a folder of pictures, or of JSON lines: resumable, a bad picture never stops it.

Decoding runs in threads ahead of the model, the model ahead of the database, each a bounded step, so memory is flat
whatever the size of the folder. Rows are written by COPY into a temporary table and from there, past ids that are
taken, into the partition: one transaction a chunk. Run again, it asks which ids are stored and does only the rest.
"""

import os
import sys
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.db import indexes, loads
from app.db import records as table
from app.domain.collections import Collection
from app.domain.errors import ImageError, InvalidRequest
from app.domain.jsontext import dumps
from app.domain.jsontext import loads as parse_json
from app.domain.records import Json
from app.embedding.batching import BatchedEmbedder
from app.embedding.images import ImageLimits, decode, thumbnail
from app.services.context import Context
from app.services.incoming import Incoming, attributes_of, record_id
from app.services.indexing import build_if_outgrown
from app.services.vectors import DECODE_PIXELS

T = TypeVar("T")

PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".jpe", ".tif", ".tiff", ".webp", ".gif", ".bmp"})
_CHUNK = 500
_BATCH = 16  # two micro-batches of the model, so that it has the next one at hand
_AHEAD = 64
_DECODING_NICENESS = 5
# A load of this share of a collection or more is faster with the index dropped and built anew (performance: 8 x a row).
_REBUILD_SHARE = 0.15


@dataclass(frozen=True, slots=True)
class Item:
    """One record to load: its `_id`, its attributes, and how to read its picture's bytes."""

    id: str
    attributes: dict[str, Json]
    read: Callable[[], bytes]


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
    with lines.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            try:
                record = parse_json(line)
                if not isinstance(record, dict):
                    raise InvalidRequest("a record must be a JSON object")
                own = record_id(record.get("_id"))
                attributes = attributes_of(record, context.settings.max_attributes_bytes)
            except InvalidRequest as error:
                raise InvalidRequest(f"line {number} of {lines.name}: {error}") from None
            incoming = Incoming(own, record, "")
            yield Item(own, attributes, lambda incoming=incoming: _line_bytes(context, lines.parent, incoming))  # type: ignore[misc]


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
    keep_index: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> Report:
    """Load items that are not stored yet; `progress` is called with the number of items that are done with.

    Raises:
        Unavailable: the database is away; what was reported as stored is on disk, and another run goes on from there.

    """
    report = Report()
    embedder = context.models.get(collection.model)
    # A load that finds most of its items stored leaves the index alone.
    rebuild = collection.indexed and not keep_index and isinstance(items, list)
    if rebuild and _missing(context, collection, items) > _REBUILD_SHARE * table.count(context.db, collection):
        indexes.drop_hnsw(context.db, collection)
    workers = max(2, context.settings.model_threads)
    with (
        ThreadPoolExecutor(workers, thread_name_prefix="decode", initializer=_step_back) as pool,
        ThreadPoolExecutor(1, thread_name_prefix="write") as writer,
    ):
        writing: Future[int] | None = None
        rows: list[table.NewRecord] = []
        fresh = _fresh(context, collection, items, report, progress)
        prepared = _prepared(context, collection, embedder, pool, fresh, report, progress)
        for batch, embeddings in _embedded(embedder, _chunks(prepared, _BATCH)):
            rows += [
                table.NewRecord(item.id, dumps(item.attributes), embedding, small)
                for (item, _, small), embedding in zip(batch, embeddings, strict=True)
            ]
            progress(len(batch))
            if len(rows) >= _CHUNK:
                # One chunk is written while the next is made; never more, so that memory stays flat.
                report.stored += writing.result() if writing else 0
                writing, rows = writer.submit(loads.copy, context.db, collection, rows), []
        report.stored += writing.result() if writing else 0
        report.stored += loads.copy(context.db, collection, rows) if rows else 0
    context.lookup.forget(collection.name)
    report.index_built = build_if_outgrown(context, context.lookup.collection(collection.name))
    return report


def _step_back() -> None:
    """Let the model's thread go first on a busy processor: it is what a load waits for, and decoding runs ahead of it.

    Linux gives each thread a niceness of its own; elsewhere nothing is changed.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _DECODING_NICENESS)


def _missing(context: Context, collection: Collection, items: Iterable[Item]) -> int:
    chunks = ([item.id for item in chunk] for chunk in _chunks(items, _CHUNK))
    return sum(len(ids) - len(table.existing(context.db, collection, ids)) for ids in chunks)


def _fresh(
    context: Context, collection: Collection, items: Iterable[Item], report: Report, progress: Callable[[int], None]
) -> Iterator[Item]:
    """Yield the items that are not stored yet, asked for a chunk at a time."""
    for chunk in _chunks(items, _CHUNK):
        known = table.existing(context.db, collection, [item.id for item in chunk])
        fresh = list({item.id: item for item in chunk if item.id not in known}.values())
        report.present += len(chunk) - len(fresh)
        progress(len(chunk) - len(fresh))
        yield from fresh


Prepared = tuple[Item, NDArray[Any], bytes | None]


def _embedded(
    embedder: BatchedEmbedder, batches: Iterable[list[Prepared]]
) -> Iterator[tuple[list[Prepared], NDArray[np.float32]]]:
    """Yield batches with their embeddings, in order; the next batch waits at the model while one is computed."""
    with ThreadPoolExecutor(2, thread_name_prefix="embed") as pool:
        running: deque[tuple[list[Prepared], Future[NDArray[np.float32]]]] = deque()
        for batch in batches:
            running.append((batch, pool.submit(embedder.embed, [prepared for _, prepared, _ in batch])))
            if len(running) == 2:
                first, embeddings = running.popleft()
                yield first, embeddings.result()
        for batch, future in running:
            yield batch, future.result()


def _prepared(
    context: Context,
    collection: Collection,
    embedder: BatchedEmbedder,
    pool: ThreadPoolExecutor,
    items: Iterable[Item],
    report: Report,
    progress: Callable[[int], None],
) -> Iterator[Prepared]:
    """Yield items with their prepared pictures, in order, decoded in threads a bounded way ahead."""
    limits = ImageLimits(max_bytes=context.settings.max_image_bytes, max_pixels=context.settings.max_image_pixels)

    def work(item: Item) -> Prepared | tuple[Item, InvalidRequest]:
        try:
            picture = decode(item.read(), limits, target=DECODE_PIXELS)
            return item, embedder.prepare(picture), thumbnail(picture) if collection.thumbnails else None
        except InvalidRequest as error:
            return item, error
        except OSError as error:
            return item, InvalidRequest(f"the file cannot be read: {error.strerror}")

    running: deque[Future[Prepared | tuple[Item, InvalidRequest]]] = deque()
    source = iter(items)
    running.extend(pool.submit(work, item) for item in islice(source, _AHEAD))
    while running:
        done = running.popleft().result()
        running.extend(pool.submit(work, item) for item in islice(source, 1))
        if len(done) == 2:
            report.failed.append((done[0].id, str(done[1])))
            progress(1)
        else:
            yield done


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    source = iter(items)
    while chunk := list(islice(source, size)):
        yield chunk
