"""From measured recall to the least effort."""

import pytest

from app.domain.recall import Curve, Depth, Efforts, Point, Recall
from app.search.effort import curve, efforts, efforts_for, least_effort, point, recall_at


def line(*points: tuple[int, float]) -> Curve:
    return tuple(Point(effort, recall, recall) for effort, recall in points)


def test_the_lower_end_holds_the_mean_and_narrows_with_queries() -> None:
    few, many = point(40, [(9, 10), (10, 10)] * 20), point(40, [(9, 10), (10, 10)] * 200)
    assert few.recall == many.recall == pytest.approx(0.95)
    assert few.low < many.low < many.recall
    assert many.low > 0.94


def test_where_nothing_was_missed_the_lower_end_is_below_one() -> None:
    found = point(40, [(30, 30)] * 100)
    assert found.recall == 1.0
    assert 0.999 < found.low < 1.0


def test_neighbours_of_one_query_are_missed_together() -> None:
    """A query that misses all of ten is one observation, not ten."""
    scattered = point(40, [(9, 10)] * 10 + [(10, 10)] * 90)
    together = point(40, [(0, 10)] + [(10, 10)] * 99)
    assert scattered.recall == together.recall == pytest.approx(0.99)
    assert together.low < scattered.low


def test_what_falls_is_pooled() -> None:
    found = curve([Point(40, 0.9, 0.9), Point(56, 0.98, 0.97), Point(80, 0.96, 0.95), Point(112, 0.99, 0.99)])
    assert [one.recall for one in found] == pytest.approx([0.9, 0.97, 0.97, 0.99])
    assert [one.low for one in found] == pytest.approx([0.9, 0.96, 0.96, 0.99])


def test_between_points_the_logarithm_of_what_is_missed_is_linear() -> None:
    found = line((50, 0.9), (200, 0.999))
    assert least_effort(found, 0.99) == 100
    assert recall_at(found, 100) == pytest.approx(0.99)
    assert [least_effort(found, target) for target in (0.5, 0.9, 0.999, 0.9999)] == [50, 50, 200, 200]
    assert (recall_at(found, 49), recall_at(found, 900)) == (None, 0.999)
    assert recall_at((), 100) is None


def test_the_effort_grows_with_the_target() -> None:
    found = line((40, 0.95), (80, 0.985), (160, 0.996), (320, 1.0))
    targets = [0.9, 0.96, 0.98, 0.99, 0.995, 0.999, 1.0]
    chosen = [least_effort(found, target) for target in targets]
    assert chosen == sorted(chosen)
    assert chosen[0] == 40
    assert chosen[-1] == 320


CURVES = {
    Depth.TEN: line((40, 0.99), (160, 0.999)),
    Depth.TWENTY: line((40, 0.98), (160, 0.995)),
    Depth.HUNDRED: line((40, 0.9), (160, 0.98)),
    Depth.HALF: line((40, 0.97), (160, 0.99)),
    Depth.TENTH: line((40, 0.99), (160, 0.999)),
}


def test_each_kind_of_search_has_an_effort() -> None:
    found = efforts(CURVES, 0.99)
    assert 40 < found.nearest < 160
    assert (found.deep, found.matches) == (160, 160)
    assert efforts({}, 0.99) == Efforts(40, 40, 40)


def test_a_measurement_that_finds_nearly_the_same_does_not_move_the_effort() -> None:
    found = efforts(CURVES, 0.99)
    near = Efforts(found.nearest + 5, found.deep, found.matches + 10)
    assert efforts(CURVES, 0.99, near) == near
    far = Efforts(found.nearest * 2, found.deep * 2, found.matches * 2)
    assert efforts(CURVES, 0.99, far) == found
    assert efforts(CURVES, 0.99, Efforts(40, 40, 40)) == found


def test_the_stored_efforts_are_those_of_their_target_alone() -> None:
    stored = Recall(CURVES, 0.99, Efforts(77, 177, 178), 100, 1000, 1.0)
    assert efforts_for(stored, 0.99) == Efforts(77, 177, 178)
    assert efforts_for(stored, 0.98) == efforts(CURVES, 0.98)
