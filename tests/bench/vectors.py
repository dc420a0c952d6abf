"""Many real vectors of few photos: random crops of each, through the model; kept between runs."""

import hashlib
import itertools
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.embedding.models import registry
from app.embedding.models.base import Embedder, Prepared
from app.embedding.pictures.images import decode
from app.services.pipeline import Item
from tests.bench.setup import Setup, Stopwatch, held_out

QUERIES = 500
_BATCH = 8
_SEED = 11
_LEAST, _MOST = 0.4, 1.0  # side of a crop, in parts of the photo's short side
_CACHE_VERSION = 1


@dataclass(frozen=True, slots=True)
class Crops:
    """Vectors of crops: `stored` of most photos, `queries` of photos of which no crop is stored; float16 rows."""

    stored: NDArray[np.float16]
    sources: list[Item]
    queries: NDArray[np.float16]


def crops(setup: Setup, model: str) -> Crops:
    """Return vectors of crops; they are computed at the first call for a model, a number and these photos."""
    kept, others = held_out(setup.photos)
    shares = _shares(setup.vectors, len(kept))
    sources = [item for item, share in zip(kept, shares, strict=True) for _ in range(share)]
    facts = registry.describe(model, setup.context.models.options)
    told = "\n".join(f"{item.id} {len(item.read())}" for item in setup.photos)
    digest = hashlib.sha256(f"{_CACHE_VERSION} {_SEED}\n{told}".encode()).hexdigest()[:12]
    name = f"{facts.name}-{facts.revision}-{digest}.npy"
    stored = _cached(setup, setup.home / f"crops-{setup.vectors}-{name}", model, kept, shares)
    queries = _cached(setup, setup.home / f"queries-{QUERIES}-{name}", model, others, _shares(QUERIES, len(others)))
    return Crops(stored, sources, queries)


def _shares(total: int, parts: int) -> list[int]:
    """Return how many of `total` each part gets: as evenly as whole numbers allow."""
    return [total // parts + (position < total % parts) for position in range(parts)]


def _cached(setup: Setup, path: Path, model: str, items: Sequence[Item], shares: Sequence[int]) -> NDArray[np.float16]:
    if path.is_file():
        return np.asarray(np.load(path), np.float16)
    unfinished = path.with_suffix(".part.npy")
    dimensions = registry.describe(model, setup.context.models.options).dimensions
    if unfinished.is_file():
        rows = np.lib.format.open_memmap(unfinished, "r+")
    else:
        rows = np.lib.format.open_memmap(unfinished, "w+", np.float16, (sum(shares), dimensions))
    _embed(setup, model, items, shares, rows)
    rows.flush()
    unfinished.replace(path)
    return np.asarray(rows, np.float16)


def _embed(setup: Setup, model: str, items: Sequence[Item], shares: Sequence[int], rows: NDArray[np.float16]) -> None:
    """Embed crops on all cores: each thread with a model of its own, each photo decoded once.

    Photos whose rows are there, none of them zero, are left as they are: a run that was interrupted goes on.
    """
    starts = [0, *itertools.accumulate(shares)]
    left = [at for at in range(len(items)) if not rows[starts[at] : starts[at + 1], 0].all()]
    progress = _Progress(sum(shares[at] for at in left), setup.tell)
    embedders = [registry.load(model, setup.context.models.options) for _ in range(os.cpu_count() or 1)]

    def work(worker: int) -> None:
        embedder = embedders[worker]
        pending: list[tuple[int, Prepared]] = []

        def flush() -> None:
            vectors = embedder.embed([prepared for _, prepared in pending])
            for (row, _), vector in zip(pending, vectors, strict=True):
                rows[row] = vector
            progress.add(len(pending))
            pending.clear()

        for position in left[worker :: len(embedders)]:
            crops_of = _crops(setup, embedder, items[position], position, shares[position])
            for row, prepared in enumerate(crops_of, starts[position]):
                pending.append((row, prepared))
                if len(pending) == _BATCH:
                    flush()
        flush()

    with ThreadPoolExecutor(len(embedders)) as pool:
        list(pool.map(work, range(len(embedders))))


def _crops(setup: Setup, embedder: Embedder, item: Item, position: int, count: int) -> Iterator[Prepared]:
    """Yield square crops of a photo at random places and of random sizes, the same ones in every run."""
    random = np.random.default_rng((_SEED, position))
    picture = decode(item.read(), setup.limits)
    for _ in range(count):
        side = max(1, round(min(picture.size) * random.uniform(_LEAST, _MOST)))
        left = int(random.integers(0, picture.width - side + 1))
        top = int(random.integers(0, picture.height - side + 1))
        yield embedder.prepare(picture.crop((left, top, left + side, top + side)))


class _Progress:
    """Tells how far the work is, at every tenth."""

    def __init__(self, total: int, tell: Callable[[str], None]) -> None:
        self._total = total
        self._tell = tell
        self._done = 0
        self._watch = Stopwatch()
        self._lock = threading.Lock()

    def add(self, number: int) -> None:
        """Count what was done."""
        with self._lock:
            before = self._done * 10 // self._total
            self._done += number
            if self._done * 10 // self._total > before:
                rate = self._done / self._watch.seconds
                left = (self._total - self._done) / rate
                self._tell(f"crops: {self._done} of {self._total} embedded, {rate:.0f}/s, {left:.0f} s left")
