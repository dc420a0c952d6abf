"""How fast a folder is loaded, beside what decoding, the model and the database take alone."""

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median

import numpy as np

from app.db import loads
from app.db.records import NewRecord
from app.domain.collections import Collection
from app.domain.errors import InvalidRequest
from app.embedding.models import registry
from app.embedding.models.base import Embedder, Prepared
from app.embedding.pictures.images import decode, thumbnail
from app.services.loading import load
from app.services.pipeline import Item
from app.services.vectors import DECODE_PIXELS
from tests.bench.report import Table, Target
from tests.bench.setup import Setup, Stopwatch

_SAMPLE = 600  # pictures that a bare part is measured with
_BATCH = 8
_THUMBNAIL_BYTES = 4000
_SHARE = 0.85


@dataclass(frozen=True, slots=True)
class Parts:
    """What each part of a load does alone, in pictures a second."""

    decoding: float
    with_thumbnails: float
    model: float
    database: float


def measure(setup: Setup, collection: Collection) -> Table:
    """Load the photos into a collection that is empty, and once more; measure the parts before and after."""
    setup.tell("load: decoding, the model and the database alone")
    embedder = registry.load(collection.model, setup.context.models.options, setup.context.settings.model_threads)
    setup.context.models.get(collection.model)  # loading the model is not loading pictures
    before = measured_parts(setup, embedder)
    setup.tell(f"load: {len(setup.photos)} photos through the bulk load")
    watch = Stopwatch()
    processor = time.process_time()
    first = load(setup.context, collection, setup.photos)
    seconds = watch.seconds
    cores = (time.process_time() - processor) / seconds
    watch = Stopwatch()
    second = load(setup.context, collection, setup.photos)
    again = watch.seconds
    after = measured_parts(setup, embedder)
    parts = Parts(
        *(
            median([getattr(before, name), getattr(after, name)])
            for name in ("decoding", "with_thumbnails", "model", "database")
        )
    )
    rate = first.stored / seconds
    slower = min(parts.decoding, parts.model)
    return Table(
        "Load: pictures a second",
        ("what", "pictures/s", "load / this"),
        [
            _row("load, in process, one run", rate, rate),
            _row(f"bare decoding and resizing, {setup.decode_threads} threads", parts.decoding, rate),
            _row(f"the same with thumbnails, {setup.decode_threads} threads", parts.with_thumbnails, rate),
            _row(f"bare model, batches of {_BATCH}, {_threads(setup)}", parts.model, rate),
            _row("bare database: COPY of embeddings and thumbnails", parts.database, rate),
        ],
        [
            (
                f"{first.stored} photos stored and {len(first.failed)} refused in {seconds:.1f} s,"
                f" {cores:.1f} of {os.cpu_count()} cores used beside the database's."
            ),
            _bound(parts, setup, rate),
            f"The second run stored {second.stored} and found {second.present} in {again:.2f} s.",
            "The bare parts are measured before and after the load; their means stand here.",
        ],
        [
            Target(
                "load / slower of bare model and bare decoding",
                f"≥ {_SHARE}",
                f"{rate / slower:.2f}",
                rate >= _SHARE * slower,
            ),
            Target(
                "every photo loaded, nothing done again",
                f"{len(setup.photos)}, then 0",
                f"{first.stored}, then {second.stored}",
                first.stored + len(first.failed) == len(setup.photos) and not first.failed and not second.stored,
            ),
        ],
    )


def _row(name: str, rate: float, load_rate: float) -> tuple[str, ...]:
    return name, f"{rate:.0f}", f"{load_rate / rate:.2f}"


def _threads(setup: Setup) -> str:
    count = setup.context.settings.model_threads
    return f"{count} thread{'s' if count > 1 else ''}"


def _bound(parts: Parts, setup: Setup, rate: float) -> str:
    """Say what bounds the load: a part that is as slow as the load, or the cores that the parts share."""
    threads = setup.context.settings.model_threads
    cores = os.cpu_count() or 1
    decoding = setup.decode_threads / parts.with_thumbnails
    shared = cores / (decoding + threads / parts.model + 1 / parts.database)
    told = (
        f"A picture takes {1000 * setup.decode_threads / parts.decoding:.1f} ms of a core to decode and resize,"
        f" {1000 * (decoding - setup.decode_threads / parts.decoding):.1f} for its thumbnail,"
        f" {1000 * threads / parts.model:.1f} in the model and {1000 / parts.database:.1f} in the database:"
        f" {cores} cores can do {shared:.0f} a second."
    )
    named = {
        "decoding and thumbnails": parts.with_thumbnails,
        "the model": parts.model,
        "the database": parts.database,
        "the processor": shared,
    }
    slowest = min(named, key=lambda name: named[name])
    if rate < 0.75 * named[slowest]:
        return f"{told} The parts wait for each other, or the machine is busy with something else."
    return f"{told} Bound by {slowest}."


def measured_parts(setup: Setup, embedder: Embedder) -> Parts:
    """Measure what each part of a load does alone."""
    step = max(1, len(setup.photos) // _SAMPLE)
    sample = setup.photos[::step][:_SAMPLE]
    decoding, prepared = _decoding(setup, embedder, sample, with_thumbnails=False)
    with_thumbnails, _ = _decoding(setup, embedder, sample, with_thumbnails=True)
    return Parts(decoding, with_thumbnails, _model(embedder, prepared), _database(setup, embedder, sample))


def _decoding(
    setup: Setup, embedder: Embedder, items: Sequence[Item], *, with_thumbnails: bool
) -> tuple[float, list[Prepared]]:
    def work(item: Item) -> Prepared | None:
        try:
            picture = decode(item.read(), setup.limits, target=DECODE_PIXELS)
        except InvalidRequest:
            return None
        if with_thumbnails:
            thumbnail(picture)
        return embedder.prepare(picture)

    with ThreadPoolExecutor(setup.decode_threads) as pool:
        prepared: list[Prepared | None] = []
        seconds = _timed(lambda: prepared.extend(pool.map(work, items)))
    return len(items) / seconds, [one for one in prepared if one is not None]


def _model(embedder: Embedder, prepared: Sequence[Prepared]) -> float:
    whole = prepared[: len(prepared) // _BATCH * _BATCH] or prepared
    embedder.embed(whole[:_BATCH])
    return len(whole) / _timed(lambda: embedder.embed(whole))


def _database(setup: Setup, embedder: Embedder, items: Sequence[Item]) -> float:
    random = np.random.default_rng(1)
    vectors = random.standard_normal((len(items), embedder.facts.dimensions)).astype(np.float32)
    small = random.bytes(_THUMBNAIL_BYTES)
    rows = [NewRecord(item.id, "{}", vector, small) for item, vector in zip(items, vectors, strict=True)]
    with setup.collection("bench-copy") as collection:
        return len(rows) / _timed(lambda: loads.copy(setup.context.db, collection, rows))


def _timed(work: Callable[[], object]) -> float:
    watch = Stopwatch()
    work()
    return watch.seconds
