"""Clusters of a map: the basins of its density, each around a summit."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST = 40
_CELLS = 192
_LEAST_SHARE = 0.004  # of all points; smaller basins are none


@dataclass(frozen=True, slots=True)
class Clusters:
    """Clusters by number, the largest first.

    Attributes:
        of: (n,) int16, the cluster of each point; -1 where it is in none.
        summits: (clusters, 2) float32, where each is densest.

    """

    of: NDArray[np.int16]
    summits: NDArray[np.float32]


def clusters(points: NDArray[np.float32], most: int = MOST) -> Clusters:
    """Return the clusters of points in the plane, (n, 2).

    The points are counted in cells, the counts made smooth, and each cell leads to the densest one around it until none
    is denser. The smoothing is the least one that leaves no more than `most` basins of a size.
    """
    if not len(points):
        return Clusters(np.empty(0, np.int16), np.empty((0, 2), np.float32))
    low = points.min(axis=0)
    side = float((points.max(axis=0) - low).max()) / _CELLS * 1.001 or 1.0
    cell = np.minimum(((points - low) / side).astype(np.int64), _CELLS - 1)
    at = cell[:, 0] * _CELLS + cell[:, 1]
    counts = np.bincount(at, minlength=_CELLS * _CELLS).reshape(_CELLS, _CELLS).astype(np.float64)
    least = max(2, int(_LEAST_SHARE * len(points)))
    for width in (2.0, 3.0, 4.5, 6.5, 9.0, 13.0, 19.0, 28.0):
        summit = _summits(_smoothed(counts, width))[at]
        found, sizes = np.unique(summit, return_counts=True)
        large = sizes >= least
        if large.sum() <= most:
            break
    order = np.lexsort((found[large], -sizes[large]))[:most]
    chosen = found[large][order]
    number = np.full(_CELLS * _CELLS, -1, np.int16)
    number[chosen] = np.arange(len(chosen), dtype=np.int16)
    centres = np.column_stack(np.divmod(chosen, _CELLS)) + 0.5
    return Clusters(number[summit], (centres * side + low).astype(np.float32))


def _smoothed(counts: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """Return counts made smooth by a Gaussian of so many cells."""
    reach = int(3 * width)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    for axis in (0, 1):
        counts = np.apply_along_axis(lambda line: np.convolve(line, kernel)[reach:-reach], axis, counts)
    return counts


def _summits(density: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return, for each cell, the one that it leads to when it is gone uphill."""
    size = len(density)
    # No two cells are equally dense then, so that a plateau leads somewhere.
    ranked = np.empty(density.size, np.int64)
    ranked[np.argsort(density.ravel(), kind="stable")] = np.arange(density.size)
    padded = np.full((size + 2, size + 2), -1, np.int64)
    padded[1:-1, 1:-1] = ranked.reshape(size, size)
    around = np.stack([padded[i : i + size, j : j + size] for i in range(3) for j in range(3)])
    best = around.argmax(axis=0)
    rows, columns = np.indices((size, size))
    leads: NDArray[np.int64] = ((rows + best // 3 - 1) * size + columns + best % 3 - 1).ravel()
    while not np.array_equal(further := leads[leads], leads):
        leads = further
    return np.asarray(leads, np.int64)
