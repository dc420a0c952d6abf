"""The estimate of precision and recall from a stratified sample of judgements."""

import numpy as np
import pytest

from app.domain.tuning import Stratum, allocated, candidates, count_of, suggested, width_of

SHARES = (1.0, 0.98, 0.9, 0.5, 0.1)
PAIRS = (50, 200, 400, 900, 2000)


def strata(judged: tuple[int, ...], same: tuple[int, ...]) -> list[Stratum]:
    return [
        Stratum(place / 2, (place + 1) / 2, pairs, n, y)
        for place, (pairs, n, y) in enumerate(zip(PAIRS, judged, same, strict=True))
    ]


def test_with_every_pair_judged_nothing_is_uncertain() -> None:
    same = (50, 196, 360, 450, 200)
    found = candidates(strata(PAIRS, same))
    within, total = np.cumsum(PAIRS), np.cumsum(same)
    for place, one in enumerate(found):
        assert one.recall is not None
        assert one.radius == (place + 1) / 2
        assert one.pairs == within[place]
        for estimate, wanted in ((one.precision, total[place] / within[place]), (one.recall, total[place] / total[-1])):
            assert (estimate.value, estimate.low, estimate.high) == pytest.approx((wanted, wanted, wanted))
    best = suggested(found, 0.9)
    assert best is not None
    assert best.radius == 1.5
    assert suggested(found, 1.0) is not None
    assert suggested(found[1:], 1.0) is None


def test_the_intervals_hold_the_truth_as_often_as_they_say() -> None:
    random = np.random.default_rng(3)
    hits = tried = 0
    for _ in range(120):
        true = [random.binomial(pairs, share) for pairs, share in zip(PAIRS, SHARES, strict=True)]
        same = tuple(int(random.hypergeometric(y, n - y, 20)) for y, n in zip(true, PAIRS, strict=True))
        found = candidates(strata((20,) * 5, same))
        precision, recall = np.cumsum(true) / np.cumsum(PAIRS), np.cumsum(true) / sum(true)
        for place, one in enumerate(found):
            assert one.recall is not None
            hits += one.precision.low <= precision[place] <= one.precision.high
            hits += one.recall.low <= recall[place] <= one.recall.high
            tried += 2
    assert 0.93 <= hits / tried <= 1.0


def test_what_nobody_judged_is_unknown() -> None:
    found = candidates(strata((0,) * 5, (0,) * 5))
    assert all(one.precision.low < 0.2 and one.precision.high > 0.8 for one in found[:1])
    assert suggested(found, 0.9) is None
    assert candidates([Stratum(0, 0.5, 0, 0, 0)]) == []
    none_true = candidates([Stratum(0, 0.5, 10, 10, 0)])
    assert none_true[0].recall is None
    assert none_true[0].precision.high == 0


def test_pairs_are_drawn_where_least_are_judged() -> None:
    given = strata((10, 0, 5, 0, 0), (10, 0, 5, 0, 0))
    assert allocated(given, 0) == [0] * 5
    assert allocated(given, 9) == [0, 3, 0, 3, 3]
    assert sum(allocated(given, 30)) == 30
    few = [Stratum(0, 1, 3, 1, 1), Stratum(1, 2, 0, 0, 0), Stratum(2, 3, 100, 0, 0)]
    assert allocated(few, 10) == [2, 0, 8]
    assert allocated(few[:2], 10) == [2, 0]


@pytest.mark.parametrize(
    ("radius", "count"), [(0.0, 1), (0.2, 1), (0.5, 1), (5.0, 10), (5.2, 11), (10.0, 20), (200.0, 20)]
)
def test_strata_end_with_the_radius(radius: float, count: int) -> None:
    assert count_of(radius) == count
    assert (count - 1) * width_of(radius) < radius or count == 1
