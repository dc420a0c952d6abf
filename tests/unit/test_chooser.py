"""The rule of filtered searches."""

import pytest

from app.db.chooser import Expectation, begin, heavy, limits
from app.domain.collections import Collection, SearchCosts


def collection(rows: int, costs: SearchCosts | None = None) -> Collection:
    """A collection of so many records; nothing else of it matters here."""
    return Collection(1, "c", "photo", "m", "1", 256, 62.5, None, True, True, frozenset(), False, None, 1, rows, costs)


@pytest.mark.parametrize("rows", [10_000, 60_000, 1_000_000, 100_000_000])
def test_bound_and_budget_balance(rows: int) -> None:
    """A walk in vain costs about what the search of the bound's matches costs, whatever the size of the collection."""
    costs = SearchCosts(0.3, 0.7, 6.0)
    found = limits(collection(rows, costs), 30, 100)
    assert 0.2 <= found.budget * 6.0 / found.bound <= 1.5
    assert found.budget * found.bound >= 2 * 30 * rows * 0.999
    assert found.visits >= 20 * found.budget


def test_the_bound_follows_the_measured_costs() -> None:
    cheap_index = limits(collection(60_000, SearchCosts(0.3, 0.7, 1.0)), 30, 100)
    dear_index = limits(collection(60_000, SearchCosts(0.3, 0.7, 30.0)), 30, 100)
    assert cheap_index.bound < limits(collection(60_000), 30, 100).bound < dear_index.bound
    assert cheap_index.budget > dear_index.budget


@pytest.mark.parametrize(
    ("matches", "reads_all", "walks"),
    [(25_000, False, True), (50, False, False), (3_000, False, False), (3_000, True, True), (50, True, False)],
)
def test_where_to_begin(matches: int, reads_all: bool, walks: bool) -> None:
    own = collection(50_000)
    first = begin(own, 20, limits(own, 20, 100), Expectation(matches, reads_all))
    assert (first is not None) == walks
    if first is not None:
        assert first.budget >= 2 * 20 * 50_000 / matches


def test_an_effort_that_is_asked_for_is_kept_within_its_range() -> None:
    assert limits(collection(50_000), 20, 100, effort=40).effort == 40
    assert limits(collection(50_000), 1000, 900).effort == 1000


def test_heavy_is_what_takes_long() -> None:
    assert not heavy(collection(10_000))
    assert heavy(collection(1_000_000))
