"""The rule of filtered searches."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from app.domain.collections import Collection, PartialIndex, SearchCosts
from app.domain.ranking import Aggregation
from app.domain.records import Fields
from app.domain.windows import Window
from app.filters import NO_FILTER, Where
from app.search.plan import Expectation, Walk, Way, begin, coarse, grown_effort, is_expensive, limits, part_of, planned
from app.search.request import Point, Query, Several, What, several


def collection(rows: int, costs: SearchCosts | None = None) -> Collection:
    """A collection of so many records; nothing else of it matters here."""
    return Collection(1, "c", "photo", "m", "1", 256, 62.5, None, True, True, frozenset(), False, None, 1, rows, costs)


@pytest.mark.parametrize("rows", [10_000, 60_000, 1_000_000, 100_000_000])
def test_bound_and_budget_balance(rows: int) -> None:
    """A walk in vain costs about what the search of the bound's matches costs, whatever the size of the collection."""
    costs = SearchCosts(0.3, 0.7, 6.0)
    found = limits(collection(rows, costs), 30, 150)
    assert 0.2 <= found.budget * 6.0 / found.bound <= 1.5
    assert found.budget * found.bound >= 2 * 30 * rows * 0.999
    assert Walk(30, found.budget, found.effort).visits >= 20 * found.budget


def test_the_bound_follows_the_measured_costs() -> None:
    cheap_index = limits(collection(60_000, SearchCosts(0.3, 0.7, 1.0)), 30, 150)
    dear_index = limits(collection(60_000, SearchCosts(0.3, 0.7, 30.0)), 30, 150)
    assert cheap_index.bound < limits(collection(60_000), 30, 150).bound < dear_index.bound
    assert cheap_index.budget > dear_index.budget


@pytest.mark.parametrize(
    ("matches", "reads_all", "way"),
    [
        (25_000, False, Way.INDEX),
        (50, False, Way.FEW),
        (3_000, False, Way.FEW),
        (3_000, True, Way.INDEX),
        (50, True, Way.FEW),
    ],
)
def test_where_to_begin(matches: int, reads_all: bool, way: Way) -> None:
    own = collection(50_000)
    first, found = begin(own, 20, limits(own, 20, 150), Expectation(matches, reads_all))
    assert first is way
    if first is Way.INDEX:
        assert found.budget >= 2 * 20 * 50_000 / matches


def test_bounds_are_coarse_and_never_less() -> None:
    """They stand in the text of statements, whose plans are kept: of any size there are few."""
    numbers = range(1, 200_000, 7)
    rounded = [coarse(number) for number in numbers]
    assert all(number <= above < 1.125 * number + 1 for number, above in zip(numbers, rounded, strict=True))
    assert len(set(rounded)) < 130
    assert [coarse(number) for number in (1, 15, 16, 17, 3001, 4096)] == [1, 15, 16, 18, 3072, 4096]


def test_the_few_may_be_twice_as_many_as_expected() -> None:
    """Where the exact answer is the cheap one, it is not given up short of the matches it was chosen for."""
    own = collection(60_000)
    usual = limits(own, 20, 150)
    expected = usual.bound + 500
    first, found = begin(own, 20, usual, Expectation(expected, reads_all=False))
    assert (first, found.bound) == (Way.FEW, coarse(2 * expected))
    assert begin(own, 20, usual, Expectation(100, reads_all=False))[1].bound == usual.bound


def test_a_partial_index_makes_a_walk_cheap() -> None:
    """10,000 matches among 500,000: compared, or found in an index that holds nothing else."""
    own = collection(500_000)
    part = PartialIndex("x", 10_000)
    expected = Expectation(10_000, reads_all=False)
    assert begin(own, 20, limits(own, 20, 150), expected)[0] is Way.FEW
    usual = limits(own, 20, 150, part)
    way, found = begin(own, 20, usual, expected, part)
    assert (way, found.budget) == (Way.INDEX, found.effort)
    assert found.effort == limits(own, 20, 150).effort
    few = Expectation(50, reads_all=False)
    assert begin(own, 20, usual, few, part)[0] is Way.FEW


def test_the_smallest_partial_index_is_taken() -> None:
    parts = (PartialIndex("a", 900), PartialIndex("b", 300), PartialIndex("c", 100))
    own = replace(collection(50_000), partial_indexes=parts)
    assert part_of(own, frozenset({"a", "b"})) == parts[1]
    assert part_of(own, frozenset({"d"})) is None
    assert own == collection(50_000), "what is remembered by a collection holds with them and without"


def walked(rows: int, default_effort: int, effort: int | None = None) -> int:
    """The effort of a filtered search that begins with a walk."""
    query = Query(collection(rows), Window(20), Fields(), FILTER, "r1", effort)
    return planned(query, default_effort, lambda: Expectation(max(1, rows), reads_all=True)).effort


def test_an_effort_that_is_asked_for_is_taken() -> None:
    assert walked(50_000, 100, effort=40) == 40
    assert walked(50_000, 900) == 1000


def test_the_effort_grows_with_the_collection() -> None:
    assert [walked(rows, 100) for rows in (0, 60_000, 240_000, 500_000, 100_000_000)] == [150, 150, 300, 434, 1000]
    assert walked(500_000, 100, effort=40) == 40


def test_expensive_is_what_takes_long() -> None:
    assert not is_expensive(collection(10_000))
    assert is_expensive(collection(1_000_000))


def test_the_effort_without_a_filter_grows_too() -> None:
    efforts = [grown_effort(collection(rows), 100) for rows in (0, 60_000, 240_000, 500_000, 10**9)]
    assert efforts == [100, 100, 200, 289, 1000]


VECTOR = np.asarray([1.0, 0.0], np.float32)
FILTER = Where("r.id <> 'x'", {})
TAGGED = Several([Point(VECTOR, ["sale"], 0.5)], tags_field="tags")
ASKED: dict[str, What] = {
    "stored": "r1",
    "vector": VECTOR,
    "mean": several([VECTOR, VECTOR], Aggregation.MEAN),
    "tags": TAGGED,
}


def ways(query: Query, matches: int = 50, *, reads_all: bool = False) -> str:
    return ", ".join(planned(query, 100, lambda: Expectation(matches, reads_all)).ways)


@pytest.mark.parametrize("what", ASKED.values(), ids=ASKED)
@pytest.mark.parametrize("product_field", [None, "product"])
def test_all_searches_go_by_one_rule(what: What, product_field: str | None) -> None:
    query = Query(collection(50_000), Window(20), Fields(), what=what, product_field=product_field)
    if product_field and what is TAGGED:
        assert ways(query) == "exact"
        return
    assert ways(query) == "index, exact"
    assert ways(replace(query, exact=True)) == "exact"
    assert ways(replace(query, where=FILTER)) == "few, index, exact"
    assert ways(replace(query, where=FILTER), 25_000) == "index, exact"
    assert ways(replace(query, where=FILTER), 5_000, reads_all=True) == "index, exact"
    without = replace(query, collection=replace(collection(50_000), indexed=False))
    assert ways(without) == ("index, exact" if what is TAGGED else "exact")


def test_what_no_single_vector_stands_for_is_compared() -> None:
    for what in (several([VECTOR, VECTOR], Aggregation.MIN), several([VECTOR, -VECTOR], Aggregation.MEAN)):
        assert ways(Query(collection(50_000), Window(20), Fields(), what=what)) == "exact"


def test_the_plan_of_a_page_is_that_of_every_page() -> None:
    """Nothing of it depends on `k` and `from`: pages are cuts of one list."""
    for where in (NO_FILTER, FILTER):
        plans = {
            planned(Query(collection(50_000), window, Fields(), where, "r1"), 100, lambda: Expectation(9_000, True))
            for window in (Window(1), Window(30), Window(10, 900), Window(1000))
        }
        assert len(plans) == 1


def test_walks_grow_with_their_rungs() -> None:
    for where in (NO_FILTER, FILTER):
        query = Query(collection(50_000), Window(20), Fields(), where, "r1")
        plan = planned(query, 100, lambda: Expectation(25_000, reads_all=False))
        walks = [plan.first_walk(plan.first[-1].candidates), *map(plan.walk, plan.deeper)]
        for before, after in pairwise(walks):
            assert before.budget < after.budget
            assert before.effort <= after.effort <= 1000
            assert after.candidates <= after.budget
