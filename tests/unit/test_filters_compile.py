"""How filters become SQL: what is put together, what stands alone, and what is constant."""

import pytest

from app.filters import compile_filter, equality, parse_filter
from app.filters.nodes import And, Const, Equals, Not, Or, conj, disj, negate


def _where(filter_: object, indexed_fields: frozenset[str] = frozenset()) -> tuple[str, list[object]]:
    where = compile_filter(parse_filter(filter_), indexed_fields=indexed_fields)
    return where.sql, list(where.params.values())


def test_conditions_that_can_are_one_jsonpath() -> None:
    sql, params = _where({"a": 1, "b": {"$gt": 2, "$lt": 3}, "$or": [{"c": 4}, {"d": {"$exists": True}}]})
    assert sql == "attributes @? %(f0)s::jsonpath"
    assert params == ['$ ? (@."a" == 1 && @."b" > 2 && @."b" < 3 && (@."c" == 4 || exists(@."d")))']


def test_negations_are_sql() -> None:
    assert (
        _where({"a": {"$ne": 1}, "b": 2})[0]
        == "(attributes @? %(f0)s::jsonpath AND NOT (attributes @? %(f1)s::jsonpath))"
    )
    assert _where({"$or": [{"a": {"$ne": 1}}, {"b": 2}, {"c": 3}]}) == (
        "(attributes @? %(f0)s::jsonpath OR NOT (attributes @? %(f1)s::jsonpath))",
        ['$ ? ((@."b" == 2 || @."c" == 3))', '$ ? (@."a" == 1)'],
    )


def test_columns_can_be_qualified_and_parameters_named() -> None:
    where = compile_filter(parse_filter({"a": 1, "_id": "x"}), prefix="g", table="r")
    assert where.sql == "(r.attributes @? %(g0)s::jsonpath AND (r.id = %(g1)s::text))"
    assert where.params == {"g0": '$ ? (@."a" == 1)', "g1": "x"}


@pytest.mark.parametrize(
    ("filter_", "sql"),
    [
        ({}, "TRUE"),
        ({"$nor": [{}]}, "FALSE"),
        ({"$and": [{}, {}]}, "TRUE"),
        ({"a": {"$in": []}}, "FALSE"),
        ({"a": {"$nin": []}}, "TRUE"),
        ({"a": {"$all": []}}, "FALSE"),
        ({"a": "\0"}, "FALSE"),
        ({"a": {"$ne": ["\ud800"]}}, "TRUE"),
        ({"a": {"$gt": None}}, "FALSE"),
        ({"a": {"$type": "date"}}, "FALSE"),
        ({"a": {"$elemMatch": {"$in": []}}}, "FALSE"),
        ({"_id": 5}, "FALSE"),
        ({"_id": {"$ne": None}}, "NOT (FALSE)"),
    ],
)
def test_constants_need_no_parameters(filter_: object, sql: str) -> None:
    assert _where(filter_) == (sql, [])


def test_ranges_on_an_indexed_field_are_a_range_of_its_b_tree() -> None:
    indexed = frozenset({"price"})
    sql, params = _where({"price": {"$gte": 20, "$lt": 30}}, indexed_fields=indexed)
    assert "(attributes->%(f0)s::text) >= %(f1)s::jsonb AND (attributes->%(f0)s::text) < %(f2)s::jsonb" in sql
    assert params == ["price", "20", "30", '$ ? (@."price" >= 20 && @."price" < 30)']
    assert "->" in _where({"$or": [{"price": {"$gt": 5}}, {"a": 1}]}, indexed_fields=indexed)[0]


@pytest.mark.parametrize(
    "filter_",
    [
        {"price": {"$not": {"$gt": 5}}},
        {"price": {"$gt": "a"}},
        {"price": {"$gte": True}},
        {"price": 5},
        {"price.x": {"$gt": 5}},
        {"other": {"$gt": 5}},
        {"items": {"$elemMatch": {"price": {"$gt": 5}}}},
    ],
)
def test_elsewhere_a_b_tree_would_not_help(filter_: object) -> None:
    assert "->" not in _where(filter_, indexed_fields=frozenset({"price"}))[0]


def test_nodes_are_simplified_as_they_are_built() -> None:
    a, b, c = (Equals((name,), 1) for name in "abc")
    true, false = Const(value=True), Const(value=False)
    assert conj([]) == true
    assert disj([]) == false
    assert conj([a, true, And((b, c))]) == And((a, b, c))
    assert disj([a, false, Or((b, c))]) == Or((a, b, c))
    assert conj([a, false]) == false
    assert disj([a, true]) == true
    assert conj([true, a]) == a
    assert negate(negate(a)) == a
    assert negate(a) == Not(a)
    assert negate(true) == false


@pytest.mark.parametrize(
    ("filter_", "held"),
    [
        ({"a": 1}, [("a", 1)]),
        ({"a": "x", "b": {"$gt": 2}, "c": {"$eq": True}}, [("a", "x"), ("c", True)]),
        ({"$and": [{"a": 1}, {"$and": [{"b": {"$in": ["y"]}}]}]}, [("a", 1), ("b", "y")]),
        ({"a": {"$in": [1, 2]}}, []),
        ({"a": {"$ne": 1}}, []),
        ({"$or": [{"a": 1}, {"b": 2}]}, []),
        ({"a.b": 1, "a": None, "c": [1], "d": {"e": 1}, "_id": "x"}, []),
        ({"a": {"$elemMatch": {"$eq": 1}}}, []),
    ],
)
def test_what_every_match_equals_is_told(filter_: object, held: list[tuple[str, int | str | bool]]) -> None:
    """A partial index is searched through where its condition is among these."""
    assert compile_filter(parse_filter(filter_)).equalities == {equality(*one) for one in held}
