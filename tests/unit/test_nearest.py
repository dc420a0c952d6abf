"""The nearest records of some are those of a plain comparison, however the others are read."""

import numpy as np
import pytest
from numpy.typing import NDArray

from app.db.evidence import HASH_BYTES, Looks
from app.db.nearest import Nearest

SCALE = 62.5


def looks(matrix: NDArray[np.float16], first: int = 0) -> Looks:
    number = len(matrix)
    ids = [f"r{first + n}" for n in range(number)]
    return Looks(ids, matrix, np.zeros((number, HASH_BYTES), np.uint8), np.zeros(number, np.bool_))


def random(number: int, dimensions: int) -> NDArray[np.float16]:
    return np.random.default_rng(number).standard_normal((number, dimensions)).astype(np.float16)


@pytest.mark.parametrize("dimensions", [8, 256, 4000])
@pytest.mark.parametrize("piece", [1, 50, 777, 1000])
@pytest.mark.parametrize("number", [3, 1000])
def test_they_are_those_of_a_plain_comparison(number: int, piece: int, dimensions: int) -> None:
    matrix = random(number, dimensions)
    asked = min(number, 30)
    nearest = Nearest(looks(matrix[:asked]), SCALE, 20)
    for start in range(0, number, piece):
        nearest.add(looks(matrix[start : start + piece], start))
    unit = matrix.astype(np.float64) / np.linalg.norm(matrix.astype(np.float64), axis=1, keepdims=True)
    distances = SCALE * (1.0 - unit[:asked] @ unit.T)
    for one, found in enumerate(nearest.found()):
        order = [n for n in np.argsort(distances[one]) if n != one][:20]
        assert [name for _, name in found] == [f"r{n}" for n in order]
        assert [distance for distance, _ in found] == pytest.approx(distances[one][order], abs=1e-3)


def test_of_equals_as_many_as_are_wanted_are_found() -> None:
    same = np.ones((500, 16), np.float16)
    nearest = Nearest(looks(same[:2]), SCALE, 20)
    for start in range(0, 500, 100):
        nearest.add(looks(same[start : start + 100], start))
    for own, found in zip(("r0", "r1"), nearest.found(), strict=True):
        ids = [name for _, name in found]
        assert (len(ids), len(set(ids)), own in ids) == (20, 20, False)


def test_of_one_record_nothing_is_found() -> None:
    nearest = Nearest(looks(random(1, 16)), SCALE, 20)
    nearest.add(looks(random(1, 16)))
    assert nearest.found() == [[]]
