"""Sketches of vectors leave no pair out, whatever the vectors look like."""

import numpy as np
import pytest
from numpy.typing import NDArray

from app.db import pairs
from app.search.sketches import COMPONENTS, sketched

_DIMENSIONS = 2 * COMPONENTS
_TOTAL = 4 * pairs.BLOCK + 100


def _photos(generator: np.random.Generator) -> NDArray[np.float32]:
    """Return rows that differ along some directions more than along others, with near copies at all places."""
    lengths = 1 / np.arange(1, _DIMENSIONS + 1)
    rows = generator.normal(size=(_TOTAL, _DIMENSIONS)) * lengths @ generator.normal(size=(_DIMENSIONS, _DIMENSIONS))
    chosen = generator.choice(_TOTAL, 600, replace=False)
    rows[chosen[300:]] = rows[chosen[:300]] + generator.normal(size=(300, _DIMENSIONS)) * 0.05
    return np.asarray(rows, np.float32)


def _alike(generator: np.random.Generator) -> NDArray[np.float32]:
    """Return a block in which all are near copies of one, so that sketches say nothing of its pairs."""
    rows = _photos(generator)
    rows[pairs.BLOCK : pairs.BLOCK + 500] = rows[0] + generator.normal(size=(500, _DIMENSIONS)) * 0.01
    return rows


def _noise(generator: np.random.Generator) -> NDArray[np.float32]:
    """Return rows that have no directions of their own: their sketches are of no use."""
    return np.asarray(generator.normal(size=(_TOTAL, _DIMENSIONS)), np.float32)


@pytest.mark.parametrize("made", [_photos, _alike, _noise])
def test_pairs_by_sketches_are_those_of_all_comparisons(made: object) -> None:
    assert callable(made)
    matrix = made(np.random.default_rng(4)).astype(np.float16)
    unit = pairs.unit_rows(matrix)
    rows = unit(slice(None))
    radius = 0.63 if made is _noise else 0.03
    one, other = np.nonzero(np.triu(rows @ rows.T >= 1 - radius, k=1))
    found = np.concatenate([part for _, part in pairs.near_blocks(unit, _TOTAL, 1.0, radius)])
    got = set(map(tuple, found[:, 1:].astype(int).tolist()))
    assert len(got) == len(found), "each pair once"
    edge = {(a, b) for a, b in got ^ set(zip(one.tolist(), other.tolist(), strict=True))}
    assert all(abs(float(rows[a] @ rows[b]) - (1 - radius)) < 1e-4 for a, b in edge)
    assert len(one) > 200
    for row in found[:: max(1, len(found) // 50)]:
        pair = row[1:].astype(int)
        assert row[0] == pytest.approx(1 - float(rows[pair[0]] @ rows[pair[1]]), abs=1e-5)


def test_a_product_of_sketches_is_no_less_than_that_of_the_rows() -> None:
    rows = _photos(np.random.default_rng(7))[:3000]
    rows[17] = 0
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    sketches = sketched(lambda places: unit[places], len(unit))
    assert sketches.shape == (3000, COMPONENTS + 1)
    assert sketches.dtype == np.float32
    more = sketches @ sketches.T - unit @ unit.T
    assert more.min() > -1e-5
    assert np.median(more) < 0.01, "sketches of photos are of use"
