"""The ladder of a search: where it ends."""

import pytest

from app.domain.records import Found
from app.search.ladder import ALIKE, Ladder


def offered(*distances: float) -> list[Found]:
    return [Found(f"r{number:03}", None, distance) for number, distance in enumerate(distances)]


@pytest.mark.parametrize(("radius", "complete"), [(0.5, True), (9.9, True), (10.0, False), (50.0, False)])
def test_it_ends_at_the_first_distance_beyond_the_radius(radius: float, complete: bool) -> None:
    ladder = Ladder(500, radius)
    ladder.climb(offered(*range(25)), 10)
    assert (ladder.edge, len(ladder.records), ladder.complete) == (10, 10, complete)


@pytest.mark.parametrize(
    ("alike", "full_place", "copies"), [(9, False, False), (10, True, False), (20, True, False), (21, True, True)]
)
def test_it_tells_that_there_may_be_more_copies_than_it_was_offered(alike: int, full_place: bool, copies: bool) -> None:
    ladder = Ladder(20)
    ladder.climb(offered(*[0.5] * alike, *range(1, 41 - alike)), keep=30)
    assert (ladder.full_place, ladder.copies, ladder.trusted) == (full_place, copies, not copies)


def test_without_a_radius_it_ends_at_its_rank() -> None:
    ladder = Ladder(12)
    ladder.climb(offered(*range(25)), 10)
    assert not ladder.complete
    ladder.climb(offered(*range(40)), 20)
    assert (ladder.complete, len(ladder.records)) == (True, 20)


def test_what_is_not_trusted_is_not_complete_for_a_radius() -> None:
    """Copies at one distance fill the graph: what is nearer may be missing, so the radius proves nothing."""
    ladder = Ladder(500, 3.0)
    ladder.climb(offered(*[7.0] * (ALIKE + 5)), ALIKE)
    assert (ladder.trusted, ladder.complete) == (False, False)
    short = Ladder(500, 3.0)
    short.climb(offered(5.0, 6.0), 10)
    assert (short.trusted, short.complete) == (False, False)
