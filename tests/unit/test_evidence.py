"""Pairs by two kinds of evidence, against brute force: blocks, records without a hash, radii beyond any distance."""

import numpy as np
import pytest
from numpy.typing import NDArray

from app.db import pairs
from app.db.evidence import HASH_BYTES, HASH_RADIUS, Between, Looks, Near, within
from app.db.pairs import exact
from app.embedding.models import phash

SCALE = 62.5


def looks(count: int, seed: int) -> Looks:
    random = np.random.default_rng(seed)
    centres = random.normal(size=(12, 16))
    matrix = (centres[random.integers(0, 12, count)] + 0.25 * random.normal(size=(count, 16))).astype(np.float16)
    hashes = random.integers(0, 256, (9, HASH_BYTES), dtype=np.uint8)[random.integers(0, 9, count)]
    flips = np.packbits(random.random((count, 8 * HASH_BYTES)) < 0.09, axis=1)
    hashed = random.random(count) < 0.8
    return Looks([f"r{n:03}" for n in range(count)], matrix, np.where(hashed[:, None], hashes ^ flips, 0), hashed)


def wanted(one: Looks, other: Looks, radius: float, *, hashes: bool, same: bool) -> dict[tuple[int, int], float]:
    """Every pair within the radius with its lesser distance, each compared by itself."""
    found = {}
    for row in range(len(one)):
        for column in range(row + 1 if same else 0, len(other)):
            place = np.array([[0, 1]])
            both = np.stack((one.matrix[row], other.matrix[column]))
            apart = float(exact(both, place, SCALE)[0])
            if hashes and one.hashed[row] and other.hashed[column]:
                bits = int(np.unpackbits(one.hashes[row] ^ other.hashes[column]).sum())
                apart = min(apart, 5.0 * bits / HASH_RADIUS)
            if apart <= radius:
                found[row, column] = apart
    return found


def told(near: list[Near], *, hashes: bool) -> dict[tuple[int, int], float]:
    found: dict[tuple[int, int], float] = {}
    for part in near:
        by_hash: NDArray[np.float64] = np.where(np.isnan(part.by_hash), np.inf, part.by_hash)
        least = np.minimum(part.distances, by_hash) if hashes else part.distances
        for (row, column), apart in zip(part.places, least, strict=True):
            assert (int(row), int(column)) not in found
            found[int(row), int(column)] = float(apart)
    return found


@pytest.mark.parametrize("hashes", [True, False])
@pytest.mark.parametrize("radius", [0.0, 5.0, 20.0, 1e6])
def test_pairs_are_those_of_brute_force(monkeypatch: pytest.MonkeyPatch, radius: float, hashes: bool) -> None:
    monkeypatch.setattr(pairs, "BLOCK", 32)
    one, other = looks(75, 1), looks(40, 2)
    blocks = list(within(one, SCALE, radius, hashes=hashes))
    assert [row for row, _ in blocks if row is not None] == [0, 32, 64]
    expected = wanted(one, one, radius, hashes=hashes, same=True)
    assert told([near for _, near in blocks], hashes=hashes) == pytest.approx(expected)
    assert radius == 0 or len(expected) > 20
    assert radius < 1e6 or len(expected) == 75 * 74 // 2
    later = told([near for _, near in within(one, SCALE, radius, hashes=hashes, start=32)], hashes=hashes)
    assert later == pytest.approx({pair: apart for pair, apart in expected.items() if pair[0] >= 32})
    between = Between(one, SCALE, radius, hashes=hashes)
    for others in (other, other.take([3]), other.take(np.flatnonzero(~other.hashed)), looks(70, 3)):
        found = told([between.near(others)], hashes=hashes)
        assert found == pytest.approx(wanted(one, others, radius, hashes=hashes, same=False))


def test_a_distance_of_5_is_that_of_the_model_phash() -> None:
    assert HASH_RADIUS == phash.RADIUS
    assert phash.FACTS.dimensions == HASH_BYTES * 8


def test_no_records_have_no_pairs() -> None:
    none = looks(0, 1)
    assert list(within(none, SCALE, 5.0, hashes=True)) == []
