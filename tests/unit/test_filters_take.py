"""`{TAKE_FROM_QUERY}`: what it becomes, in every place it may stand."""

from collections.abc import Mapping
from typing import Any

import pytest

from app.domain.errors import FilterError
from app.filters import compile_filter, fields_taken, parse_filter, take_from_query
from app.filters.operators import OPERATORS

T = "{TAKE_FROM_QUERY}"
QUERY: dict[str, Any] = {
    "_id": "q",
    "brand": "x",
    "price": 5,
    "flag": False,
    "nothing": None,
    "tags": ["red", "new"],
    "one": ["red"],
    "empty": [],
    "size": {"w": 1, "h": 2},
    "items": [{"k": 1}, {"k": 2}, {"n": 3}],
    "operator": {"$gt": 5},
    "marker": T,
    "nested": [[1, 2]],
}


def _same(filter_: object, plain: object, *sources: Mapping[str, Any]) -> None:
    """Assert that a filter means what a filter without the marker means."""
    taken = parse_filter(take_from_query(filter_, sources or (QUERY,)))
    assert compile_filter(taken) == compile_filter(parse_filter(plain))


PLACES = [
    ("the example of the API", {"brand": T}, {"brand": "x"}),
    ("a number", {"price": T}, {"price": 5}),
    ("false", {"flag": T}, {"flag": False}),
    ("null is a value", {"nothing": T}, {"nothing": None}),
    ("a list is compared whole", {"tags": T}, {"tags": ["red", "new"]}),
    ("an empty list, too", {"empty": T}, {"empty": []}),
    ("an object is compared whole", {"size": T}, {"size": {"w": 1, "h": 2}}),
    ("the id", {"_id": {"$ne": T}}, {"_id": {"$ne": "q"}}),
    ("beside other fields", {"brand": T, "price": 7}, {"brand": "x", "price": 7}),
    ("in $eq", {"brand": {"$eq": T}}, {"brand": "x"}),
    ("in $ne", {"brand": {"$ne": T}}, {"brand": {"$ne": "x"}}),
    ("in ranges", {"price": {"$gte": T, "$lt": 9}}, {"price": {"$gte": 5, "$lt": 9}}),
    ("under $not", {"price": {"$not": {"$gt": T}}}, {"price": {"$not": {"$gt": 5}}}),
    ("in $and, $or and $nor", {"$or": [{"brand": T}, {"$nor": [{"price": T}]}]},
     {"$or": [{"brand": "x"}, {"$nor": [{"price": 5}]}]}),
    ("operator first", {"$gte": {"price": T}}, {"price": {"$gte": 5}}),
    ("operator first, $not", {"$not": {"price": {"$gt": T}}}, {"price": {"$not": {"$gt": 5}}}),
    ("operator first, twice", {"$not": {"$gte": {"price": T}}}, {"price": {"$not": {"$gte": 5}}}),
    ("a choice", {"brand": {"$in": [T, "y"]}}, {"brand": {"$in": ["x", "y"]}}),
    ("all choices: a scalar", {"brand": {"$in": T}}, {"brand": {"$in": ["x"]}}),
    ("all choices: a list", {"tags": {"$in": T}}, {"tags": {"$in": ["red", "new"]}}),
    ("no choice: a list", {"tags": {"$nin": T}}, {"tags": {"$nin": ["red", "new"]}}),
    ("all of a list", {"tags": {"$all": T}}, {"tags": {"$all": ["red", "new"]}}),
    ("all of a scalar", {"brand": {"$all": T}}, {"brand": {"$all": ["x"]}}),
    ("all of an empty list", {"empty": {"$all": T}}, {"empty": {"$all": []}}),
    ("one item of $all", {"brand": {"$all": [T, "y"]}}, {"brand": {"$all": ["x", "y"]}}),
    ("a path into an object", {"size.w": T}, {"size.w": 1}),
    ("a path through documents: any", {"items.k": T}, {"$or": [{"items.k": 1}, {"items.k": 2}]}),
    ("a path to a position", {"tags.1": T}, {"tags.1": "new"}),
    ("a position, then a field", {"items.1.k": T}, {"items.1.k": 2}),
    ("inside $elemMatch", {"items": {"$elemMatch": {"k": T, "n": 3}}},
     {"items": {"$elemMatch": {"$or": [{"k": 1}, {"k": 2}], "n": 3}}}),
    ("an element of $elemMatch", {"one": {"$elemMatch": {"$eq": T}}}, {"one": {"$elemMatch": {"$eq": "red"}}}),
    ("choices in $elemMatch", {"tags": {"$elemMatch": {"$in": T}}}, {"tags": {"$elemMatch": {"$in": ["red", "new"]}}}),
    ("inside $all and $elemMatch", {"items": {"$all": [{"$elemMatch": {"n": T}}]}},
     {"items": {"$all": [{"$elemMatch": {"n": 3}}]}}),
    ("an object that looks like operators is data", {"operator": T}, {"operator": {"$eq": {"$gt": 5}}}),
    ("also as a choice", {"operator": {"$in": [T]}}, {"operator": {"$eq": {"$gt": 5}}}),
    ("also negated", {"operator": {"$ne": T}}, {"operator": {"$ne": {"$gt": 5}}}),
    ("a list of lists", {"nested": {"$in": T}}, {"nested": {"$in": [[1, 2]]}}),
]  # fmt: skip


@pytest.mark.parametrize(("filter_", "plain"), [pytest.param(f, p, id=name) for name, f, p in PLACES])
def test_it_stands_for_the_value(filter_: object, plain: object) -> None:
    _same(filter_, plain)


ABSENT = [
    ("alone", {"gone": T}, {}),
    ("beside others", {"gone": T, "brand": "y"}, {"brand": "y"}),
    ("one of the operators", {"price": {"$gte": 3, "$lt": 9}, "gone": {"$gte": T}}, {"price": {"$gte": 3, "$lt": 9}}),
    ("one operator of a field", {"gone": {"$gte": T, "$lt": 9}}, {"gone": {"$lt": 9}}),
    ("$ne", {"gone": {"$ne": T}}, {}),
    ("under $not", {"gone": {"$not": {"$gt": T}}}, {}),
    ("beside another under $not", {"gone": {"$not": {"$gt": T, "$lt": 9}}}, {"gone": {"$not": {"$lt": 9}}}),
    ("a branch of $or", {"$or": [{"gone": T}, {"brand": "y"}]}, {"brand": "y"}),
    ("a part of a branch of $or", {"$or": [{"gone": T, "price": 5}, {"brand": "y"}]},
     {"$or": [{"price": 5}, {"brand": "y"}]}),
    ("all branches of $or", {"$or": [{"gone": T}, {"away": T}], "brand": "y"}, {"brand": "y"}),
    ("a branch of $and", {"$and": [{"gone": T}, {"brand": "y"}]}, {"brand": "y"}),
    ("a branch of $nor", {"$nor": [{"gone": T}, {"brand": "y"}]}, {"$nor": [{"brand": "y"}]}),
    ("all of $nor", {"$nor": [{"gone": T}]}, {}),
    ("an empty filter stays one", {"$or": [{"gone": T}, {}]}, {}),
    ("a choice", {"gone": {"$in": [T, "y"]}}, {"gone": "y"}),
    ("all choices", {"gone": {"$in": [T]}}, {}),
    ("instead of choices", {"gone": {"$nin": T}}, {}),
    ("an empty list stays one", {"gone": {"$in": []}}, {"gone": {"$in": []}}),
    ("operator first", {"$gte": {"gone": T}}, {}),
    ("operator first, one of two", {"$gte": {"gone": T, "price": 5}}, {"price": {"$gte": 5}}),
    ("in $elemMatch", {"items": {"$elemMatch": {"gone": T, "k": 1}}}, {"items": {"$elemMatch": {"k": 1}}}),
    ("all of $elemMatch", {"items": {"$elemMatch": {"gone": T}}}, {}),
    ("an element of no list", {"brand": {"$elemMatch": {"$eq": T}}}, {}),
    ("a path that ends early", {"brand.x": T}, {}),
    ("a position that is not there", {"tags.7": T}, {}),
]  # fmt: skip


@pytest.mark.parametrize(("filter_", "plain"), [pytest.param(f, p, id=name) for name, f, p in ABSENT])
def test_an_absent_value_drops_the_condition(filter_: object, plain: object) -> None:
    _same(filter_, plain)


def test_several_query_records_mean_any_of_their_values() -> None:
    records: tuple[dict[str, Any], ...] = (
        {"brand": "x", "price": 5, "tags": ["a"]},
        {"brand": "y", "tags": ["b"]},
        {"brand": {"$gt": 1}},
    )
    either = {"$or": [{"brand": "x"}, {"brand": "y"}, {"brand": {"$eq": {"$gt": 1}}}]}
    _same({"brand": T}, either, *records)
    _same({"brand": {"$ne": T}}, {"$nor": [either]}, *records)
    _same({"price": {"$gte": T}}, {"price": {"$gte": 5}}, *records)
    _same({"tags": {"$in": T}}, {"tags": {"$in": ["a", "b"]}}, *records)
    _same({"tags": {"$nin": T}}, {"tags": {"$nin": ["a", "b"]}}, *records)
    _same({"tags": {"$all": T}}, {"$or": [{"tags": {"$all": ["a"]}}, {"tags": {"$all": ["b"]}}]}, *records)
    records = ({"price": 5}, {"price": 7})
    _same({"price": {"$gt": T}}, {"$or": [{"price": {"$gt": 5}}, {"price": {"$gt": 7}}]}, *records)
    _same({"price": {"$not": {"$gt": T}}}, {"$nor": [{"price": {"$gt": 5}}, {"price": {"$gt": 7}}]}, *records)


def test_without_query_records_all_of_it_is_dropped() -> None:
    assert take_from_query({"brand": T, "price": 5}, []) == {"price": 5}
    assert take_from_query({"brand": T}, []) == {}


def test_what_it_stands_for_is_not_looked_at_again() -> None:
    taken = parse_filter(take_from_query({"marker": T}, [QUERY]))
    assert list(compile_filter(taken).params.values()) == [f'$ ? (@."marker" == "{T}")']


@pytest.mark.parametrize("name", [row.name for row in OPERATORS.values() if row.level == "field"])
def test_each_operator_takes_it_or_refuses_it(name: str) -> None:
    filter_ = {"brand": {name: T}}
    if OPERATORS[name].takes_from_query:
        assert parse_filter(take_from_query(filter_, [QUERY]))
    else:
        with pytest.raises(FilterError) as caught:
            take_from_query(filter_, [QUERY])
        assert caught.value.path == f"$.brand.{name}"


def test_a_value_that_cannot_be_a_bound_is_refused() -> None:
    with pytest.raises(FilterError, match="bound of a range"):
        parse_filter(take_from_query({"tags": {"$gt": T}}, [QUERY]))


def test_a_filter_without_it_is_returned_as_it_is() -> None:
    plain: list[object] = [{"a": {"$gt": 5}, "$or": [{"b": [T, 1]}]}, {}, [], "x", None, {"$foo": T}, {"$gt": 5}]
    for filter_ in plain:
        assert take_from_query(filter_, [QUERY]) == filter_
        assert not fields_taken(filter_)


def test_the_fields_it_takes() -> None:
    filter_ = {"brand": T, "$or": [{"size.w": {"$gt": T}}, {"items": {"$elemMatch": {"k": T}}}], "$in": {"tags": [T]}}
    assert fields_taken(filter_) == {"brand", "size.w", "items.k", "tags"}
    assert fields_taken({"brand": "x"}) == frozenset()


def test_too_deep_a_filter_is_refused_before_it_is_walked() -> None:
    filter_: dict[str, Any] = {"a": T}
    for _ in range(5000):
        filter_ = {"$and": [filter_]}
    with pytest.raises(FilterError, match="levels deep"):
        take_from_query(filter_, [QUERY])
