"""The nearest neighbours of every row: candidates by blocks in few dimensions, then the best of them exactly."""

import numpy as np
from numpy.typing import NDArray

from app.mapping.principal import Principal, Rows

Floats = NDArray[np.float32]
Places = NDArray[np.int32]

NEIGHBOURS = 15
BLOCK = 1024
"""Rows whose neighbours are found at a time: what that takes of memory does not grow with their number."""
_COLUMNS = 8192
# 30 candidates in 128 components have 99.9 % of the 15 nearest: docs/adr/0023-maps.md.
_COMPONENTS = 128
_CANDIDATES = 2
# Below every similarity, and finite, since it is multiplied.
_NEVER = np.float32(-1e9)


class Comparison:
    """All rows in few components, which blocks are compared in."""

    def __init__(self, rows: Rows, total: int, axes: Principal) -> None:
        """Read all rows once: (total, components) float32 is kept in memory."""
        self._rows = rows
        self._total = total
        components = min(_COMPONENTS, axes.axes.shape[1])
        self._exact = components == axes.axes.shape[1]
        self._left = np.ones((total, components + 1), np.float32)
        self._right = np.empty((total, components + 1), np.float32)
        for start in range(0, total, BLOCK):
            part = rows(start, BLOCK)
            small = axes.project(part, components)
            self._left[start : start + BLOCK, :-1] = self._right[start : start + BLOCK, :-1] = small
            # |a - b|^2 / -2 is a.b - |b|^2 / 2, but for what all candidates of a have in common.
            lengths = np.where(part.any(axis=1), -np.einsum("ij,ij->i", small, small) / 2, _NEVER)
            self._right[start : start + BLOCK, -1] = lengths

    def nearest(self, start: int, size: int, wanted: int = NEIGHBOURS) -> tuple[Places, Floats]:
        """Return the neighbours of a block of rows, the nearest first.

        Args:
            start: the first row of the block.
            size: rows of it at most.
            wanted: neighbours of each; there are as many other rows.

        Returns:
            Their rows, (rows, wanted) int32, and their similarities, the cosine of the angle, float32.

        """
        many = wanted if self._exact else min(_CANDIDATES * wanted, self._total - 1)
        left = self._left[start : start + size]
        best = np.full((len(left), many), -np.inf, np.float32)
        places = np.zeros((len(left), many), np.int32)
        for column in range(0, self._total, _COLUMNS):
            similar = left @ self._right[column : column + _COLUMNS].T
            own = np.arange(len(left)) + start - column
            inside = (own >= 0) & (own < similar.shape[1])
            similar[inside, own[inside]] = -np.inf
            best, places = _better(similar, column, best, places)
        return _ordered(self._rows, start, places, wanted)


def _better(similar: Floats, column: int, best: Floats, places: Places) -> tuple[Floats, Places]:
    """Return the best of what was found before and of some more columns."""
    many = best.shape[1]
    if column == 0 and similar.shape[1] > many:  # before there is a least, what is greater is all
        chosen = np.argpartition(-similar, many - 1, axis=1)[:, :many]
        return np.take_along_axis(similar, chosen, 1), chosen.astype(np.int32)
    row, other = np.divmod(np.flatnonzero(similar > best.min(axis=1)[:, None]), similar.shape[1])
    if not len(row):
        return best, places
    counts = np.bincount(row, minlength=len(best))
    at = many + np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    values = np.full((len(best), many + int(counts.max())), -np.inf, np.float32)
    rows = np.zeros(values.shape, np.int32)
    values[:, :many], rows[:, :many] = best, places
    values[row, at], rows[row, at] = similar[row, other], other + column
    chosen = np.argpartition(-values, many - 1, axis=1)[:, :many]
    return np.take_along_axis(values, chosen, 1), np.take_along_axis(rows, chosen, 1)


def _ordered(rows: Rows, start: int, places: Places, wanted: int) -> tuple[Places, Floats]:
    """Return the best candidates by their exact similarities, equal ones by their rows."""
    left = rows(start, len(places))
    similar = np.empty(places.shape, np.float32)
    for rank in range(places.shape[1]):
        others = rows.at(places[:, rank])
        similar[:, rank] = np.where(others.any(axis=1), np.einsum("ij,ij->i", left, others), -1)
    order = np.lexsort((places, -similar), axis=1)[:, :wanted]
    return np.take_along_axis(places, order, 1), np.take_along_axis(similar, order, 1)
