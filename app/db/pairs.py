"""The vectors of a whole collection, and the pairs among them that lie within a radius."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.db.engine import Database
from app.db.listing import Listing
from app.db.loader import query
from app.domain.windows import Window
from app.search.sketches import COMPONENTS, Unit, sketched

_FETCH = 2000
BLOCK = 2048
"""Rows of a block: 2048 x 2048 similarities are 16 MB."""
# Pairs kept beyond those wanted before the farthest are dropped.
_SLACK = 200_000
# Largest error of a cosine distance of unit vectors in float32, with some room.
_ROUNDING = 1e-5
# Fewer rows are compared before sketches of them are made.
_SKETCHED = 4 * BLOCK

_Alike = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]
"""Pairs of rows of two blocks: their places within the one and the other, and their similarity, all of shape (m,)."""


@dataclass(frozen=True, slots=True)
class Vectors:
    """All matching records in the order of their ids: `matrix` is (n, dimensions) float16, as stored."""

    ids: list[str]
    matrix: NDArray[np.float16]


def read_vectors(db: Database, listing: Listing, at_most: int) -> Vectors | None:
    """Return the vectors of all matching records, as of one moment; None where there are more than `at_most`."""
    ids: list[str] = []
    parts = []
    for rows in _stream(db, listing):
        ids += [record_id for record_id, _ in rows]
        if len(ids) > at_most:
            return None
        parts.append(np.stack([vector for _, vector in rows]))
    dimensions = listing.collection.dimensions
    return Vectors(ids, np.concatenate(parts) if parts else np.empty((0, dimensions), np.float16))


def _stream(db: Database, listing: Listing) -> Iterator[list[tuple[str, NDArray[np.float16]]]]:
    text = listing.render(query("listing", "stream_vectors"))
    with db.snapshot() as connection, connection.cursor("vectors", binary=True) as cursor:
        cursor.itersize = _FETCH
        cursor.execute(text, listing.values())
        while rows := cursor.fetchmany(_FETCH):
            yield [(row["id"], row["embedding"].to_numpy()) for row in rows]


def stored_pairs(db: Database, listing: Listing, radius: float, window: Window) -> list[tuple[str, str, float]] | None:
    """Return a part of the stored pairs of matching records within a radius, nearest first; None where not all are."""
    text = listing.render(query("duplicates", "listed_pairs"))
    values = listing.values(
        generation=listing.collection.generation, radius=radius, wanted=window.k, passed=window.offset
    )
    rows = db.all(text, values)
    return [(row["one"], row["other"], row["distance"]) for row in rows if row["one"] is not None] if rows else None


def nearest_pairs(
    vectors: Vectors, scale: float, radius: float, wanted: int, progress: Callable[[int], None] = lambda _: None
) -> list[tuple[int, int, float]]:
    """Return the `wanted` nearest pairs within a radius, as places in `vectors` and a distance, nearest first.

    Every pair is compared, block by block: beside the vectors it takes the same memory whatever their number.
    The blocks find the pairs in float32; the distances of those found are computed anew in float64, so that they are 0
    for equal vectors and the radius divides exactly. Equal distances are ordered by the records' places. `progress` is
    called with the number of records done with.
    """
    kept = np.empty((0, 3), np.float64)
    total = len(vectors.ids)
    for row, found in near_blocks(unit_rows(vectors.matrix), total, scale, radius):
        kept = np.concatenate((kept, found))
        if len(kept) > wanted + _SLACK:
            kept = _best(kept, wanted)
        if row is not None:
            progress(min(BLOCK, total - row))
    best = _best(kept, wanted + _SLACK)
    best[:, 0] = exact(vectors.matrix, best[:, 1:].astype(np.int64), scale)
    best = _best(best[best[:, 0] <= radius], wanted)
    return [(int(one), int(other), float(value)) for value, one, other in best]


def near_blocks(
    unit: Unit, total: int, scale: float, radius: float, start: int = 0
) -> Iterator[tuple[int | None, NDArray[np.float64]]]:
    """Yield the pairs of rows that may lie within a radius, a block at a time, each pair once.

    Args:
        unit: gives rows.
        total: number of all rows.
        scale: what a cosine distance is multiplied with.
        radius: on that scale; pairs a rounding error beyond it are among those that are yielded.
        start: the pairs of earlier rows are left out.

    Yields:
        The first row of a block whose rows are done with then, else None, and (m, 3): distance in float32, row, row.

    """
    least = np.float32(1.0 - _rounded(scale, radius) / scale)
    compare = _Comparison(unit, total, least)
    for row in range(start, total, BLOCK):
        left = unit(slice(row, row + BLOCK))
        for column in range(row, total, BLOCK):
            one, other, similar = compare.block(left, row, column)
            if row == column:
                once = one < other  # each pair once, no record with itself
                one, other, similar = one[once], other[once], similar[once]
            found = np.column_stack((scale * (1.0 - similar), one + row, other + column)).astype(np.float64)
            yield row if column + BLOCK >= total else None, found


class _Comparison:
    """Finds the pairs of two blocks that are alike enough: where there are many rows, by their sketches first."""

    def __init__(self, unit: Unit, total: int, least: np.float32) -> None:
        self._unit = unit
        self._least = least
        size = min(BLOCK, total)
        # What is compared with a threshold in one buffer takes half the time of what makes distances of all first.
        self._similarities, self._masks = np.empty((size, size), np.float32), np.empty((size, size), np.bool_)
        self._sketches: NDArray[np.float32] | None = None
        if total > _SKETCHED and unit(slice(1)).shape[1] >= 2 * COMPONENTS:
            sketches = sketched(unit, total)
            if len(self._alike(sketches[:BLOCK], sketches[-BLOCK:])[0]) <= _few(BLOCK, BLOCK):
                self._sketches = sketches

    def block(self, left: NDArray[np.float32], row: int, column: int) -> _Alike:
        """Return the pairs of the block `left`, the rows from `row` on, and of that from `column` on."""
        if self._sketches is not None:
            sketches = self._sketches[column : column + BLOCK]
            one, other, _ = self._alike(self._sketches[row : row + BLOCK], sketches)
            if len(one) <= _few(len(left), len(sketches)):
                similar = np.einsum("ij,ij->i", left[one], self._unit(other + column))
                kept = similar >= self._least
                return one[kept], other[kept], similar[kept]
        return self._alike(left, self._unit(slice(column, column + BLOCK)))

    def _alike(self, left: NDArray[np.float32], right: NDArray[np.float32]) -> _Alike:
        similar = np.matmul(left, right.T, out=self._similarities[: len(left), : len(right)])
        near = np.greater_equal(similar, self._least, out=self._masks[: len(left), : len(right)])
        one, other = np.divmod(np.flatnonzero(near), len(right))
        return one, other, similar[one, other]


def _few(rows: int, others: int) -> float:
    """Return up to how many pairs of two blocks it takes less time to look at each than to compare all."""
    return rows * others / 500


def exact(matrix: NDArray[np.float16], pairs: NDArray[np.int64], scale: float) -> NDArray[np.float64]:
    """Return the distance of each pair of rows, float64 of shape (n,): exactly 0 where both vectors are equal."""
    return exact_between(matrix, matrix, pairs, scale)


def exact_between(
    matrix: NDArray[np.float16], others: NDArray[np.float16], pairs: NDArray[np.int64], scale: float
) -> NDArray[np.float64]:
    """Return the distance of each pair, a row of either, float64 of shape (n,): exactly 0 where both are equal."""
    distances = np.empty(len(pairs), np.float64)
    for start in range(0, len(pairs), _FETCH):
        places = pairs[start : start + _FETCH]
        one, other = matrix[places[:, 0]].astype(np.float64), others[places[:, 1]].astype(np.float64)
        lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
        cosine = np.einsum("ij,ij->i", one, other) / lengths
        apart = np.clip(scale * (1.0 - cosine), 0.0, 2 * scale)
        distances[start : start + _FETCH] = np.where((one == other).all(axis=1), 0.0, apart)
    return distances


class Crossing:
    """Finds the pairs of some rows with others that may lie within a radius; all are of unit length."""

    def __init__(self, rows: NDArray[np.float32], scale: float, radius: float) -> None:
        self._rows = rows
        self._least = np.float32(1.0 - _rounded(scale, radius) / scale)
        # As in `_Comparison`: memory that is taken anew for each comparison costs more than what is computed in it.
        self._similarities, self._masks = np.empty(0, np.float32), np.empty(0, np.bool_)

    def pairs(self, others: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return pairs of a row and another, (m, 2), a rounding error beyond the radius included."""
        shape, size = (len(self._rows), len(others)), len(self._rows) * len(others)
        if size > len(self._similarities):
            self._similarities, self._masks = np.empty(size, np.float32), np.empty(size, np.bool_)
        similar = np.matmul(self._rows, others.T, out=self._similarities[:size].reshape(shape))
        near = np.greater_equal(similar, self._least, out=self._masks[:size].reshape(shape))
        return np.column_stack(np.divmod(np.flatnonzero(near), max(1, len(others))))


def _rounded(scale: float, radius: float) -> float:
    return min(radius, 2 * scale) + scale * _ROUNDING  # no two directions are farther apart


def unit_rows(matrix: NDArray[np.float16]) -> Unit:
    """Return what gives some rows of vectors of any length but 0 as float32 of unit length."""

    def some(places: slice | NDArray[np.int64]) -> NDArray[np.float32]:
        rows = matrix[places].astype(np.float32)
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)

    return some


def _best(pairs: NDArray[np.float64], wanted: int) -> NDArray[np.float64]:
    order = np.lexsort((pairs[:, 2], pairs[:, 1], pairs[:, 0]))
    return pairs[order[:wanted]]
