"""The layout: t-SNE in the plane, with repulsion by a convolution on a grid: a step is linear in the points.

Points that are neighbours attract each other, all points repel each other; `docs/adr/0023-maps.md` says why this
method, and tells its figures. Nothing is drawn by lot but a hair's breadth between points that would lie on each other.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Spectrum = NDArray[np.complexfloating[Any, Any]]

STEPS = 500
_EARLY = 150  # steps in which attraction is exaggerated, so that clusters find each other
_EXAGGERATION = 12.0
_LATE_EXAGGERATION = 1.5
_LEAST_RATE = 50.0
_FARTHEST = 5.0  # of one step
_START = 1e-2  # spread of the first components at the start
_HAIR = 1e-6
_STRETCH = 1.15  # from one extent of the grid to the next


@dataclass(frozen=True, slots=True)
class Edges:
    """Who is whose neighbour, both ways, ordered by the one.

    Attributes:
        begins: (n,) where the edges of each row begin.
        ones: (m,) the one row of each edge.
        others: (m,) the other row.
        weights: (m,) positive; all together 1.

    """

    begins: NDArray[np.int64]
    ones: NDArray[np.int32]
    others: NDArray[np.int32]
    weights: Floats


def edges(neighbours: NDArray[np.int32]) -> Edges:
    """Return the edges between rows and their neighbours, (n, k): one both ways weighs twice as much."""
    total, many = neighbours.shape
    one = np.repeat(np.arange(total, dtype=np.int64), many)
    other = neighbours.ravel().astype(np.int64)
    keys, counts = np.unique(np.concatenate((one * total + other, other * total + one)), return_counts=True)
    rows = keys // total
    weights = (counts / counts.sum()).astype(np.float32)
    begins = np.searchsorted(rows, np.arange(total))
    return Edges(begins, rows.astype(np.int32), (keys % total).astype(np.int32), weights)


def beginning(components: Floats, seed: int) -> Floats:
    """Return where a layout begins: the first two principal components, (n, 2), made small."""
    spread = float(components[:, 0].std()) or 1.0
    hair = np.random.default_rng(seed).normal(0, _HAIR, components.shape)
    return (components / spread * _START + hair).astype(np.float32)


@dataclass
class Layout:
    """A layout on its way, which can be kept as bytes and gone on with.

    Attributes:
        points: (n, 2) float32.
        moved: (n, 2), by how much in the last step.
        gains: (n, 2), how much faster than usual each coordinate moves.
        step: steps that were made.

    """

    points: Floats
    moved: Floats = field(default_factory=lambda: np.empty((0, 2), np.float32))
    gains: Floats = field(default_factory=lambda: np.empty((0, 2), np.float32))
    step: int = 0

    def __post_init__(self) -> None:
        """Begin at rest."""
        if not len(self.moved):
            self.moved, self.gains = np.zeros_like(self.points), np.ones_like(self.points)

    def kept(self) -> bytes:
        """Return all of it as bytes."""
        whole = np.stack((self.points, self.moved, self.gains)).astype("<f4")
        return self.step.to_bytes(4, "little") + whole.tobytes()

    @classmethod
    def of(cls, kept: bytes) -> "Layout":
        """Return what was kept."""
        whole = np.frombuffer(kept, "<f4", offset=4)
        points, moved, gains = whole.reshape(3, len(whole) // 6, 2).astype(np.float32)
        return cls(points, moved, gains, int.from_bytes(kept[:4], "little"))

    def steps(self, given: Edges) -> Iterator[int]:
        """Make the steps that are left, and yield the number of all after each."""
        grid = _Grid()
        # The same two threads, whatever the machine: attraction beside repulsion.
        with ThreadPoolExecutor(2, "layout") as pool:
            while self.step < STEPS:
                self._one(given, grid, pool)
                self.step += 1
                yield self.step

    def _one(self, given: Edges, grid: "_Grid", pool: ThreadPoolExecutor) -> None:
        early = self.step < _EARLY
        exaggeration = _EXAGGERATION if early else _LATE_EXAGGERATION
        attracted = pool.submit(_attraction, self.points, given)
        force = grid.repulsion(self.points, pool)
        force += np.float32(exaggeration) * attracted.result()
        faster = (force > 0) == (self.moved > 0)
        self.gains = np.maximum(np.where(faster, self.gains + np.float32(0.2), self.gains * np.float32(0.8)), 0.01)
        rate = max(_LEAST_RATE, 4 * len(self.points) / exaggeration)
        self.moved = np.float32(0.5 if early else 0.8) * self.moved + np.float32(rate) * self.gains * force
        length = np.hypot(self.moved[:, 0], self.moved[:, 1])
        self.moved *= np.minimum(1, _FARTHEST / np.maximum(length, 1e-9))[:, None].astype(np.float32)
        self.points = self.points + self.moved
        self.points -= self.points.mean(axis=0, dtype=np.float64).astype(np.float32)


def _attraction(points: Floats, given: Edges) -> Floats:
    """Return the sum of weight / (1 + distance^2) times the way to each neighbour, (n, 2)."""
    ways = [column[given.others] - column[given.ones] for column in (points[:, 0].copy(), points[:, 1].copy())]
    pull = ways[0] * ways[0]
    pull += ways[1] * ways[1]
    pull += 1
    np.divide(given.weights, pull, out=pull)
    return np.stack([np.add.reduceat(way * pull, given.begins) for way in ways], axis=1)


class _Grid:
    """Repulsion by a convolution: points are spread on the nodes of a grid, cubically, and read what it says there."""

    _FEWEST, _MOST = 32, 384
    _SPACING = 0.5  # of nodes, where there are not too many
    _AROUND = 4  # nodes a point is spread on, each way

    def __init__(self) -> None:
        """Know no kernel yet: it is made anew only where the extent of the points has grown or shrunk enough."""
        self._extent = 0.0
        self._kernels: tuple[Spectrum, Spectrum] | None = None

    def _fit(self, span: float) -> None:
        # By steps, so that it depends on nothing before: a layout that goes on goes on alike.
        extent = _STRETCH ** np.ceil(np.log(max(span, _HAIR)) / np.log(_STRETCH))
        if self._kernels is not None and extent == self._extent:
            return
        self._extent = float(extent)
        self._nodes = int(np.clip(np.ceil(self._extent / self._SPACING), self._FEWEST, self._MOST))
        self._size = _smooth(self._nodes + self._AROUND)
        self._step = np.float32(self._extent / self._nodes)
        double = 2 * self._size
        away = np.minimum(np.arange(double), double - np.arange(double)).astype(np.float32) * self._step
        near = 1 / (1 + away[:, None] ** 2 + away[None, :] ** 2)
        self._kernels = np.fft.rfft2(near), np.fft.rfft2(near * near)

    def repulsion(self, points: Floats, pool: ThreadPoolExecutor) -> Floats:
        """Return the sum of (way from each other point) / (1 + distance^2)^2, over the sum of 1 / (1 + distance^2)."""
        low = points.min(axis=0)
        self._fit(float((points.max(axis=0) - low).max()))
        assert self._kernels is not None  # noqa: S101  (made by _fit)
        first, second = self._kernels
        scaled = (points - low) / self._step
        cell = np.minimum(scaled.astype(np.int32), self._nodes - 1)
        across, down = (_cubic(scaled[:, n] - cell[:, n]) for n in (0, 1))
        places = [
            (cell[:, 0] + i) * self._size + cell[:, 1] + j for i in range(self._AROUND) for j in range(self._AROUND)
        ]
        parts = [across[i] * down[j] for i in range(self._AROUND) for j in range(self._AROUND)]
        at, shares = np.stack(places), np.stack(parts)
        ones = self._spread(at, shares, None)
        # The sum of all pairs, each both ways, and of each point with itself, which is taken away.
        pairs = float(_whole(np.abs(ones) ** 2 * first.real, 2 * self._size)) - len(points)

        def way(axis: int) -> Floats:
            return self._said(at, shares, self._spread(at, shares, points[:, axis]) * second)

        ways = [pool.submit(way, axis) for axis in (0, 1)]
        all_ = self._said(at, shares, ones * second)
        away = [points[:, n] * all_ - ways[n].result() for n in (0, 1)]
        return np.asarray(np.stack(away, axis=1) / np.float32(max(pairs, 1e-6)), np.float32)

    def _spread(self, at: NDArray[np.int32], shares: Floats, charges: Floats | None) -> Spectrum:
        weights = shares if charges is None else shares * charges
        on = np.bincount(at.ravel(), weights.ravel(), self._size * self._size).astype(np.float32)
        return np.fft.rfft2(on.reshape(self._size, self._size), (2 * self._size, 2 * self._size))

    def _said(self, at: NDArray[np.int32], shares: Floats, spectrum: Spectrum) -> Floats:
        double = 2 * self._size
        everywhere = np.fft.irfft2(spectrum, (double, double))[: self._size, : self._size].ravel()
        return np.asarray(np.einsum("ij,ij->j", everywhere[at], shares), np.float32)


def _whole(spectrum: Floats, double: int) -> float:
    """Return the value at 0 of what has this spectrum, which is that of real values: half of it is left out."""
    both = 2 * spectrum.sum(dtype=np.float64) - spectrum[:, 0].sum(dtype=np.float64)
    return float((both - spectrum[:, -1].sum(dtype=np.float64)) / double**2)


def _cubic(part: Floats) -> Floats:
    """Return the weights of four nodes for points between the second and the third, (4, n): Lagrange's polynomials."""
    t = part
    around = t * (t - 1)
    return np.stack(
        (-around * (t - 2) / 6, (t * t - 1) * (t - 2) / 2, -t * (t + 1) * (t - 2) / 2, around * (t + 1) / 6)
    )


def _smooth(size: int) -> int:
    """Return the least number from `size` on that has no prime factor above 5: transforms of such are fast."""
    while True:
        rest = size
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return size
        size += 1
