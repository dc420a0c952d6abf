"""A calibration finds the distance that means "the same picture" to a model: photos are compared with edited copies.

For each edit the collection is the n photos and their n edited selves. A pair is *true* if it is a photo and its own
edited self (there are n), *false* if its two members come of different photos (there are 2n(n - 1), so that two photos
that look alike count up to four times: either may be the edited one). Within a radius,

    recall    = true pairs within it / n
    precision = true pairs within it / all pairs within it.

Vectors are rounded to float16, as they are stored.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from app.domain.errors import ImageError, InvalidRequest
from app.domain.options import ImageLimits
from app.embedding.models.base import Embedder, Prepared
from app.embedding.pictures.edits import EDITS, Row
from app.embedding.pictures.images import decode
from app.services.pipeline import Item
from app.services.search import NEAR_DUPLICATE_RADIUS
from app.services.vectors import DECODE_PIXELS

LEAST_PHOTOS = 20
_BATCH = 8
_AHEAD = 16
_BLOCK = 1024
# Pairs are counted by their cosine distance, in bins of about this width, up to a right angle.
_WIDTH = 0.0005
_WIDEST = 1.0
# Distances of a hash are a few numbers: one that lies on the radius is within it.
_EDGE = 1e-6
_LOOK_ALIKE_SHARES = (0.001, 0.01, 0.05, 0.5)


@dataclass(slots=True)
class Embedded:
    """Unit vectors of what could be read: `originals` is (n, d) float32, `edited` one such array an edit."""

    originals: NDArray[np.float32]
    edited: dict[str, NDArray[np.float32]]
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    same_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Score:
    """Precision and recall, 0 to 1; precision is 1 where nothing lies within the radius."""

    precision: float
    recall: float


@dataclass(frozen=True, slots=True)
class EditScore:
    """One edit: its scores at 5.0 with either scale, and the cosine distance of a photo to its edited self."""

    name: str
    light: bool
    current: Score
    proposed: Score
    median: float
    p95: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """Findings of a calibration. `look_alikes`: cosine distance to the nearest other photo, by share of the photos."""

    photos: int
    current_scale: float
    proposed_scale: float
    edits: list[EditScore]
    look_alikes: dict[float, float]


def embed(
    embedder: Embedder,
    items: Sequence[Item],
    limits: ImageLimits,
    *,
    threads: int = 2,
    progress: Callable[[int], None] = lambda _: None,
) -> Embedded:
    """Embed every photo and each of its edits; files of the same bytes count once.

    Raises:
        InvalidRequest: fewer than 20 different photos can be read.

    """
    found = Embedded(np.empty((0, 0), np.float32), {})
    rows: list[NDArray[np.float16]] = []
    pending: list[Prepared] = []

    def flush() -> None:
        rows.extend(embedder.embed(pending).astype(np.float16))
        pending.clear()

    with ThreadPoolExecutor(threads, thread_name_prefix="edit") as pool:
        for made in _ahead(pool, lambda item: _prepared(embedder, item, limits), _different(items, found)):
            progress(1)
            if isinstance(made, tuple):
                found.unreadable.append(made)
                continue
            for one in made:
                pending.append(one)
                if len(pending) == _BATCH:
                    flush()
    if pending:
        flush()
    each = len(EDITS) + 1
    if len(rows) < LEAST_PHOTOS * each:
        raise InvalidRequest(
            f"only {len(rows) // each} different photos can be read; a calibration needs {LEAST_PHOTOS} at least"
        )
    table = np.stack(rows).reshape(-1, each, len(rows[0]))
    found.originals = _unit(table[:, 0])
    found.edited = {row.name: _unit(table[:, place]) for place, row in enumerate(EDITS, 1)}
    return found


def calibrate(embedded: Embedded, scale: float) -> Calibration:
    """Propose a scale, and score every edit with it and with the given one.

    The proposed radius is the least at which F1 (the harmonic mean of precision and recall), averaged over the light
    edits, is within .001 of its greatest; the proposed scale makes it read 5.0. False pairs grow with the square of
    the number of photos, so it belongs to a collection of about this size.
    """
    originals = embedded.originals
    bins = _Bins.of(NEAR_DUPLICATE_RADIUS / scale)
    nearest = np.full(len(originals), np.inf)
    among = _histogram(bins, originals, originals, nearest)  # every pair twice, as (i, j) and (j, i)
    true: dict[str, NDArray[np.float64]] = {}
    false: dict[str, NDArray[np.int64]] = {}
    for name, edited in embedded.edited.items():
        true[name] = _clipped(1.0 - np.einsum("nd,nd->n", originals, edited, dtype=np.float64))
        false[name] = among // 2 + _histogram(bins, edited, edited) // 2 + _histogram(bins, originals, edited)
    light = [row.name for row in EDITS if row.light]
    proposed = NEAR_DUPLICATE_RADIUS / _best(bins, [true[name] for name in light], [false[name] for name in light])

    def scored(row: Row) -> EditScore:
        distances = true[row.name]
        return EditScore(
            row.name,
            row.light,
            _score(bins, distances, false[row.name], NEAR_DUPLICATE_RADIUS / scale),
            _score(bins, distances, false[row.name], NEAR_DUPLICATE_RADIUS / proposed),
            float(np.quantile(distances.tolist(), 0.5)),
            float(np.quantile(distances.tolist(), 0.95)),
        )

    look_alikes = {share: float(np.quantile(nearest.tolist(), share)) for share in _LOOK_ALIKE_SHARES}
    return Calibration(len(originals), scale, proposed, [scored(row) for row in EDITS], look_alikes)


def _different(items: Iterable[Item], found: Embedded) -> Iterator[tuple[Item, bytes]]:
    """Yield the items with their bytes, each bytes once."""
    seen: set[bytes] = set()
    for item in items:
        try:
            data = item.read()
        except OSError as error:
            found.unreadable.append((item.id, f"the file cannot be read: {error.strerror}"))
            continue
        digest = hashlib.sha256(data).digest()
        if digest in seen:
            found.same_bytes += 1
            continue
        seen.add(digest)
        yield item, data


_Made = list[Prepared] | tuple[str, str]


def _prepared(embedder: Embedder, given: tuple[Item, bytes], limits: ImageLimits) -> _Made:
    """Return what the model takes of a photo and of each edit; or the id and the reason."""
    item, data = given
    try:
        picture = decode(data, limits, target=DECODE_PIXELS)
    except ImageError as error:
        return item.id, str(error)
    return [embedder.prepare(picture), *(embedder.prepare(row.edit(picture)) for row in EDITS)]


def _ahead(
    pool: ThreadPoolExecutor, work: Callable[[tuple[Item, bytes]], _Made], source: Iterator[tuple[Item, bytes]]
) -> Iterator[_Made]:
    """Yield what `work` makes, in order, made in threads a bounded way ahead."""
    running: deque[Future[_Made]] = deque(pool.submit(work, one) for one in islice(source, _AHEAD))
    while running:
        done = running.popleft().result()
        running.extend(pool.submit(work, one) for one in islice(source, 1))
        yield done


def _unit(rows: NDArray[np.float16]) -> NDArray[np.float32]:
    wide = rows.astype(np.float32)
    return np.asarray(wide / np.linalg.norm(wide, axis=1, keepdims=True), np.float32)


def _clipped(distances: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.asarray(np.maximum(distances, 0.0), np.float64)


@dataclass(frozen=True, slots=True)
class _Bins:
    """Bins of cosine distance; bin i holds what lies within the radius i * width, and not within the one before."""

    width: float
    last: int

    @classmethod
    def of(cls, radius: float) -> "_Bins":
        """Return bins of which one ends at this radius, so that pairs within it are counted exactly."""
        width = radius / max(1, round(radius / _WIDTH))
        return cls(width, max(round(_WIDEST / width), round(radius / width)))

    def count(self, distances: NDArray[np.floating]) -> NDArray[np.int64]:
        """Return how many distances are in each bin; those beyond the last are left out."""
        near = _clipped(distances[distances <= self.width * self.last])
        return np.bincount(
            np.ceil((near - _EDGE) / self.width).clip(0, self.last).astype(np.int64), minlength=self.last + 1
        )

    def within(self, counts: NDArray[np.int64], radius: float) -> int:
        """Return how many of what was counted lie within a radius that is a multiple of the width."""
        return int(counts[: round(radius / self.width) + 1].sum())


def _histogram(
    bins: _Bins, one: NDArray[np.float32], other: NDArray[np.float32], nearest: NDArray[np.float64] | None = None
) -> NDArray[np.int64]:
    """Return how many (i, j), i != j, are in each bin; `nearest` gets each row's least distance."""
    counts = np.zeros(bins.last + 1, np.int64)
    for start in range(0, len(one), _BLOCK):
        distance = 1.0 - one[start : start + _BLOCK] @ other.T
        places = np.arange(len(distance))
        distance[places, places + start] = np.inf
        if nearest is not None:
            nearest[start : start + len(distance)] = _clipped(distance.min(axis=1))
        counts += bins.count(distance)
    return counts


def _best(bins: _Bins, true: Sequence[NDArray[np.float64]], false: Sequence[NDArray[np.int64]]) -> float:
    """Return the least cosine radius at which F1, averaged over edits, is nearly as good as anywhere."""
    curves = []
    for distances, others in zip(true, false, strict=True):
        inside = bins.count(distances).cumsum()
        # F1 = 2PR / (P + R) = 2 true / (all within + n)
        curves.append(2 * inside / (inside + others.cumsum() + len(distances)))
    mean = np.mean(curves, axis=0)[1:]
    return float((np.flatnonzero(mean >= mean.max() - 0.001)[0] + 1) * bins.width)


def _score(bins: _Bins, true: NDArray[np.float64], false: NDArray[np.int64], radius: float) -> Score:
    inside = int((true <= radius + _EDGE).sum())
    others = bins.within(false, radius)
    return Score(inside / (inside + others) if inside + others else 1.0, inside / len(true))
