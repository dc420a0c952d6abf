"""`lookalike.matches`: filters inside SQL mean what they mean to the API; their jsonpath is the very same text."""

import json
import os
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import errors

from app.db.resources import folder
from app.domain.errors import FilterError
from app.filters import OPERATORS, parse_filter, plpgsql
from app.filters.jsonpath import path_of
from app.filters.nodes import TRUE
from app.filters.regex import RegexRefused, translate
from tests.cases import filters_refused as refused
from tests.cases.filtercase import FilterCase, RefusedCase
from tests.cases.filters import CASES
from tests.db.filters_db import Connection, to_json
from tests.support.strategies import FILTERS, PATTERNS

LONG = os.environ.get("LOOKALIKE_LONG_TESTS") == "1"
# jsonb holds no U+0000 and no half of a surrogate pair: PostgreSQL refuses such a filter before any function sees it.
NOT_JSONB = (errors.UntranslatableCharacter, errors.InvalidTextRepresentation, errors.NumericValueOutOfRange)
# jsonb does not keep the order of keys, by which the API tells data from operators here: SQL refuses the mixture.
ORDER_MATTERS = frozenset({"eq-plain-key-first"})
BY_ID = [pytest.param(case, id=case.id) for case in CASES]
REFUSED = (*refused.SHAPE, *refused.LOGIC, *refused.OPERANDS, *refused.PATTERNS, *refused.LIMITS)
# Limits that protect the server from its callers, and bind nobody in SQL.
SERVER_LIMITS = ("conditions-", "values")


@pytest.fixture(scope="module")
def sql(module_database_url: str) -> Iterator[Connection]:
    with psycopg.connect(module_database_url, autocommit=True) as connection:
        yield connection


def value(sql: Connection, statement: str, *values: object) -> Any:
    row = sql.execute(statement, values).fetchone()
    assert row is not None
    return row[0]


def stored(sql: Connection, filter_: object) -> str:
    """The filter as jsonb holds it: keys in jsonb's order, so that both translators read the same."""
    return str(value(sql, "SELECT %s::jsonb::text", to_json(filter_)))


def expected_path(sql: Connection, text: str) -> str | None:
    node = parse_filter(json.loads(text, parse_float=Decimal))
    return None if node == TRUE else str(value(sql, "SELECT %s::jsonpath::text", path_of(node)))


def found_path(sql: Connection, text: str) -> str | None:
    found = value(sql, "SELECT (lookalike.filter_compiled(%s)).path::text", text)
    return None if found is None else str(found)


def test_the_tables_are_generated_from_the_translator() -> None:
    for name, text in plpgsql.render().items():
        assert (folder("sql") / "functions" / name).read_text() == text, "run `lookalike sql sync`"


@pytest.mark.parametrize("case", BY_ID)
def test_a_case_becomes_the_same_jsonpath(sql: Connection, case: FilterCase) -> None:
    try:
        text = stored(sql, case.filter)
    except NOT_JSONB:
        assert "\\u" in to_json(case.filter)
        return
    if case.id in ORDER_MATTERS:
        with pytest.raises(errors.InvalidParameterValue, match="cannot stand beside operators"):
            found_path(sql, text)
    else:
        assert found_path(sql, text) == expected_path(sql, text)


@pytest.mark.parametrize("case", [case for case in BY_ID if case.id not in ORDER_MATTERS])
def test_a_case_matches_what_it_says(sql: Connection, case: FilterCase) -> None:
    try:
        text = stored(sql, case.filter)
    except NOT_JSONB:
        return
    ids = [str(document.get("_id", position)) for position, document in enumerate(case.documents)]
    attributes = [to_json({key: own for key, own in document.items() if key != "_id"}) for document in case.documents]
    asks_id = value(sql, "SELECT (lookalike.filter_compiled(%s)).asks_id", text)
    call = "d.attributes, %s, d.id" if asks_id else "d.attributes, %s"
    rows = sql.execute(
        f"SELECT lookalike.matches({call}) FROM unnest(%s::text[], %s::jsonb[]) WITH ORDINALITY"
        " AS d (id, attributes, position) ORDER BY position",
        (text, ids, attributes),
    ).fetchall()
    assert {position for position, row in enumerate(rows) if row[0]} == case.expected, case.msg
    assert None not in {row[0] for row in rows}


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in REFUSED])
def test_what_the_api_refuses_is_refused(sql: Connection, case: RefusedCase) -> None:
    if case.id.startswith(SERVER_LIMITS):
        pytest.skip("a limit of the server's, not of the language")
    try:
        text = stored(sql, case.filter)
    except (*NOT_JSONB, TypeError, ValueError, RecursionError):
        return  # no JSON, or none that PostgreSQL takes
    if text == "null":
        return  # to SQL, no filter
    with pytest.raises(errors.InvalidParameterValue, match=r"^filter, at \$"):
        found_path(sql, text)


def test_a_refusal_names_the_place(sql: Connection) -> None:
    with pytest.raises(errors.InvalidParameterValue, match=r"filter, at \$\.\$or\[1\]\.b\.\$foo: unknown operator"):
        found_path(sql, '{"$or": [{"a": 1}, {"b": {"$foo": 1}}]}')


def _ordered(filter_: object) -> bool:
    """Tell whether no object of a filter has operators beside other keys, whose order jsonb would lose."""
    if isinstance(filter_, list):
        return all(_ordered(item) for item in filter_)
    if not isinstance(filter_, dict):
        return True
    levels = {key in OPERATORS and OPERATORS[key].level == "field" for key in filter_}
    return len(levels) <= 1 and all(_ordered(item) for item in filter_.values())


@pytest.mark.timeout(600)
@settings(
    max_examples=5000 if LONG else 300,
    deadline=None,
    derandomize=not LONG,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(filter_=FILTERS)
def test_random_filters_become_the_same_jsonpath(sql: Connection, filter_: dict[str, Any]) -> None:
    text = stored(sql, filter_)
    if not _ordered(filter_):
        return
    try:
        expected = expected_path(sql, text)
    except FilterError:
        with pytest.raises(errors.InvalidParameterValue):
            found_path(sql, text)
    else:
        assert found_path(sql, text) == expected


_PIECES = st.sampled_from(
    [*"ab1_-^$.|()[]{}*+?,:=!<>' #\n\\é🎈", "\\b", "\\B", "\\Q", "\\E", "\\x{e9}", "\\x4", "\\x41", "\\z", "(?:", "(?=",
     "(?<!", "(?P<n>", "(?i)", "(?-i)", "(?#c)", "[:alpha:]", "[:^digit:]", "[^", "{2}", "{1,}", "{0,3}", "[a-c]"]
)  # fmt: skip
_SCRAPS = st.lists(_PIECES, max_size=8).map("".join)


@pytest.mark.timeout(600)
@settings(
    max_examples=20_000 if LONG else 600,
    deadline=None,
    derandomize=not LONG,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(pattern=st.one_of(PATTERNS, _SCRAPS), options=st.sampled_from(["", "i", "m", "s", "x", "imsx"]))
def test_random_patterns_become_the_same_expression(sql: Connection, pattern: str, options: str) -> None:
    ask = "SELECT r.pattern, r.ignore_case FROM lookalike.regex_translated(%s, %s, '$') AS r"
    try:
        expected = translate(pattern, options)
    except RegexRefused:
        with pytest.raises(errors.InvalidParameterValue):
            sql.execute(ask, (pattern, options)).fetchone()
    else:
        assert sql.execute(ask, (pattern, options)).fetchone() == expected


def test_a_constant_filter_is_served_by_the_index(sql: Connection) -> None:
    """Inlined and folded: the planner sees the path, as it does in the API's own queries."""
    sql.execute(
        "CREATE TABLE shop AS SELECT n AS id, jsonb_build_object('brand', 'b' || n % 500, 'price', n) AS attributes"
        " FROM generate_series(1, 20000) AS n"
    )
    sql.execute("CREATE INDEX ON shop USING gin (attributes jsonb_path_ops)")
    sql.execute("VACUUM ANALYZE shop")
    plan = "\n".join(
        row[0]
        for row in sql.execute(
            "EXPLAIN (COSTS OFF) SELECT * FROM shop WHERE lookalike.matches(attributes, %s)", ('{"brand": "b7"}',)
        )
    )
    assert "Bitmap Index Scan on shop_attributes_idx" in plan
    assert '$?(@."brand" == "b7")' in plan
    assert "matches" not in plan
    assert value(sql, "SELECT count(*) FROM shop WHERE lookalike.matches(attributes, %s)", '{"brand": "b7"}') == 40


def test_null_and_id(sql: Connection) -> None:
    assert value(sql, "SELECT lookalike.matches(NULL, '{}')") is None
    assert value(sql, "SELECT lookalike.matches('{}', NULL)") is None
    assert value(sql, "SELECT lookalike.matches('{}', '{}')") is True
    assert value(sql, 'SELECT lookalike.matches(\'{"a": 1}\', \'{"_id": "x", "a": 1}\', \'x\')') is True
    with pytest.raises(errors.InvalidParameterValue, match="_id is no attribute"):
        value(sql, "SELECT lookalike.matches('{}', '{\"_id\": \"x\"}')")
    # An _id inside a document of an array is that document's own.
    call = "SELECT lookalike.matches(%s, %s)"
    assert value(sql, call, '{"a": [{"_id": 1}]}', '{"a": {"$elemMatch": {"_id": 1}}}') is True
