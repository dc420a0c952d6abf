"""Pairs of records by two kinds of evidence: the model's vectors, and perceptual hashes where both pictures have one.

Both distances read 5.0 at the radius of near duplicates. A pair lies within a radius where either does; that of the
vectors is stored of every pair, since it can always be computed.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.db.pairs import Crossing, exact, exact_between, near_blocks, unit_rows
from app.search.sketches import Unit

HASH_BYTES = 32
_BITS = 8 * HASH_BYTES
HASH_RADIUS = 46
"""Bits that differ at the distance 5.0."""
# Rows that are compared by hash together: with 2,000 others they take a megabyte, which a processor keeps at hand.
_STRIP = 64
_SCALE = 5.0 * _BITS / 2 / HASH_RADIUS  # of a cosine distance, with bits of +1 and -1

Hasher = Callable[[bytes], bytes | None]
"""Makes the hash of a thumbnail (WebP), 32 bytes; None where it has none that tells it from others."""


@dataclass(frozen=True, slots=True)
class Looks:
    """What records look like, in the order of their ids.

    Attributes:
        ids: the records.
        matrix: (n, dimensions) float16 vectors, as stored.
        hashes: (n, 32) uint8; zeros where there is none.
        hashed: (n,), which have a hash.

    """

    ids: list[str]
    matrix: NDArray[np.float16]
    hashes: NDArray[np.uint8]
    hashed: NDArray[np.bool_]

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self.ids)

    def take(self, places: Sequence[int] | NDArray[np.int64]) -> "Looks":
        """Return some of the records."""
        ids = [self.ids[int(place)] for place in places]
        chosen = np.asarray(places, np.int64)
        return Looks(ids, self.matrix[chosen], self.hashes[chosen], self.hashed[chosen])


@dataclass(frozen=True, slots=True)
class Near:
    """Pairs within a radius.

    Attributes:
        places: (m, 2), rows of the one and of the other.
        distances: (m,), by the vectors; any, where the hashes are within the radius.
        by_hash: (m,), by the hashes; NaN where one of the two has none.

    """

    places: NDArray[np.int64]
    distances: NDArray[np.float64]
    by_hash: NDArray[np.float64]


def within(
    looks: Looks, scale: float, radius: float, *, hashes: bool, start: int = 0
) -> Iterator[tuple[int | None, Near]]:
    """Yield the pairs of records, as `near_blocks` does; `hashes`: whether those by hash are looked for."""
    by_model = near_blocks(unit_rows(looks.matrix), len(looks), scale, radius, start)
    if not hashes or not looks.hashed.any():
        for row, found in by_model:
            yield row, _near(looks, looks, found[:, 1:].astype(np.int64), scale, radius)
        return
    by_hash = near_blocks(unit_hashes(looks), len(looks), _SCALE, radius, start)
    for (row, found), (_, alike) in zip(by_model, by_hash, strict=True):
        places = np.unique(np.concatenate((found[:, 1:], alike[:, 1:])).astype(np.int64), axis=0)
        yield row, _near(looks, looks, places, scale, radius)


class Between:
    """Finds the pairs of some records with others, of which some thousands come at a time."""

    def __init__(self, looks: Looks, scale: float, radius: float, *, hashes: bool) -> None:
        """Take the records that all others are compared with.

        Args:
            looks: the records.
            scale: what a cosine distance is multiplied with.
            radius: on that scale.
            hashes: whether pairs by hash are looked for, too.

        """
        self._looks, self._scale, self._radius = looks, scale, radius
        self._crossing = Crossing(unit_rows(looks.matrix)(slice(len(looks))), scale, radius)
        self._bits = int(min(_BITS, radius * HASH_RADIUS / 5.0 + 1e-6))
        self._hashed = np.flatnonzero(looks.hashed) if hashes else np.empty(0, np.int64)
        self._words = _words(looks.hashes[self._hashed])

    def near(self, others: Looks) -> Near:
        """Return the pairs of a record of each."""
        places = self._crossing.pairs(unit_rows(others.matrix)(slice(len(others))))
        if len(self._hashed) and others.hashed.any():
            places = np.unique(np.concatenate((places, self._by_hash(others))), axis=0)
        return _near(self._looks, others, places, self._scale, self._radius)

    def _by_hash(self, others: Looks) -> NDArray[np.int64]:
        """Return the pairs by hash: a comparison of bits takes a third of the time of one of vectors of +1 and -1.

        Half of the bits tells most pairs that are not alike; what it leaves is compared by all.
        """
        columns = np.flatnonzero(others.hashed)
        words = _words(others.hashes[columns])
        found = []
        for start in range(0, len(self._hashed), _STRIP):
            strip = self._words[start : start + _STRIP]
            differ = np.bitwise_count(strip[:, None, 0] ^ words[None, :, 0])
            differ += np.bitwise_count(strip[:, None, 1] ^ words[None, :, 1])
            one, other = np.divmod(np.flatnonzero(differ <= self._bits), len(words))
            rest = np.bitwise_count(strip[one, 2:] ^ words[other, 2:]).sum(axis=1, dtype=np.int64)
            kept = differ[one, other] + rest <= self._bits
            found.append(np.column_stack((self._hashed[one[kept] + start], columns[other[kept]])))
        return np.concatenate(found)


def _words(hashes: NDArray[np.uint8]) -> NDArray[np.uint64]:
    return np.ascontiguousarray(hashes).view(np.uint64)


def unit_hashes(looks: Looks) -> Unit:
    """Return what gives hashes as rows of unit length, +1/16 and -1/16; zeros where there is none."""

    def some(places: slice | NDArray[np.int64]) -> NDArray[np.float32]:
        bits = np.unpackbits(looks.hashes[places], axis=1).astype(np.float32)
        bits = (2 * bits - 1) / np.float32(np.sqrt(_BITS))
        bits[~looks.hashed[places]] = 0
        return bits

    return some


def _near(looks: Looks, others: Looks, places: NDArray[np.int64], scale: float, radius: float) -> Near:
    if looks is others:
        distances = exact(looks.matrix, places, scale)
    else:
        distances = exact_between(looks.matrix, others.matrix, places, scale)
    one, other = places[:, 0], places[:, 1]
    differ = np.bitwise_count(looks.hashes[one] ^ others.hashes[other]).sum(axis=1, dtype=np.int64)
    by_hash = np.where(looks.hashed[one] & others.hashed[other], 5.0 * differ / HASH_RADIUS, np.nan)
    kept = (distances <= radius) | (by_hash <= radius)
    return Near(places[kept], distances[kept], by_hash[kept])
