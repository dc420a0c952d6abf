"""The nearest records of some, found by comparing all while they are read once."""

import numpy as np
from numpy.typing import NDArray

from app.db.evidence import Looks

# OpenBLAS leaves a product of at most 2**18 multiplications to the calling thread. Of a larger one its other threads do
# a part, and then spin until the next one comes, on a core that somebody else needs.
_PRODUCT = 2**18
_ASKED = 20


class Nearest:
    """The nearest of each of some records by cosine distance, among those that are added; itself is not among them.

    Args:
        asked: the records.
        scale: what a distance is multiplied by.
        number: how many are kept of each.

    """

    def __init__(self, asked: Looks, scale: float, number: int) -> None:
        self._asked, self._scale, self._number = asked, scale, number
        self._unit = _unit(asked)
        shape = (len(asked.ids), number + 1)  # itself is one of them
        self._distances = np.full(shape, np.inf, np.float32)
        self._places = np.full(shape, -1, np.int64)
        self._ids: dict[int, str] = {}
        self._read = 0

    def add(self, looks: Looks) -> None:
        """Compare records that were not added before."""
        distances = self._scale * (1.0 - _products(self._unit, _unit(looks)))
        nearer = np.flatnonzero((distances < self._distances.max(axis=1, keepdims=True)).any(axis=1))
        kept = self._distances.shape[1]
        those = np.concatenate([self._distances[nearer], distances[nearer]], axis=1)
        first = np.argpartition(those, kept - 1, axis=1)[:, :kept]
        self._distances[nearer] = np.take_along_axis(those, first, axis=1)
        earlier = np.take_along_axis(self._places[nearer], np.minimum(first, kept - 1), axis=1)
        self._places[nearer] = np.where(first < kept, earlier, self._read + first - kept)
        for place in np.unique(first[first >= kept]) - kept:
            self._ids[self._read + int(place)] = looks.ids[place]
        self._read += len(looks.ids)

    def found(self) -> list[list[tuple[float, str]]]:
        """Return the distance and id of each one's nearest, the nearest first."""
        return [self._of(number, own) for number, own in enumerate(self._asked.ids)]

    def _of(self, number: int, own: str) -> list[tuple[float, str]]:
        pairs = zip(self._distances[number].tolist(), self._places[number].tolist(), strict=True)
        named = [(distance, self._ids[place]) for distance, place in pairs if place >= 0]
        return sorted(pair for pair in named if pair[1] != own)[: self._number]


def _products(asked: NDArray[np.float32], all_of_them: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the products of each with each, (asked, all), computed on the calling thread."""
    number, dimensions = all_of_them.shape
    rows = max(2, _PRODUCT // (_ASKED * dimensions))
    whole = number // rows * rows
    pieces = all_of_them[:whole].reshape(-1, rows, dimensions)
    made = np.empty((number, len(asked)), np.float32)
    for start in range(0, len(asked), _ASKED):
        some = asked[start : start + _ASKED]
        made[:whole, start : start + _ASKED] = (pieces @ some.T).reshape(whole, len(some))
        made[whole:, start : start + _ASKED] = all_of_them[whole:] @ some.T
    found: NDArray[np.float32] = made.T
    return found


def _unit(looks: Looks) -> NDArray[np.float32]:
    """Return the vectors at unit length, (n, dimensions) float32."""
    wide = looks.matrix.astype(np.float32)
    found: NDArray[np.float32] = wide / np.linalg.norm(wide, axis=1, keepdims=True)
    return found
