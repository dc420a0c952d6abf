"""Every case of the table through a real database: read row by row, stored and indexed, and as its complement."""

from collections.abc import Iterator

import pytest

from app.filters import Where
from tests.cases.filtercase import FilterCase
from tests.cases.filters import CASES
from tests.db.filters_db import Connection, insert, truths, where_of
from tests.db.filters_reference import matches

BY_ID = [pytest.param(case, id=case.id) for case in CASES]
INDEXED = ("a", "price")


def _expected(case: FilterCase) -> list[bool]:
    return [position in case.expected for position in range(len(case.documents))]


@pytest.mark.parametrize("case", BY_ID)
def test_a_case_matches_what_it_says(filter_connection: Connection, case: FilterCase) -> None:
    assert truths(filter_connection, where_of(case.filter), case.documents) == _expected(case), case.msg


@pytest.mark.parametrize("case", BY_ID)
def test_its_complement_matches_all_else(filter_connection: Connection, case: FilterCase) -> None:
    """Once as the language says it, once as SQL: no condition is ever null."""
    complement = [not matched for matched in _expected(case)]
    where = where_of(case.filter, INDEXED)
    negated = Where(f"NOT {where.sql}", where.params)
    assert truths(filter_connection, where_of({"$nor": [case.filter]}, INDEXED), case.documents) == complement, case.msg
    assert truths(filter_connection, negated, case.documents) == complement, case.msg


@pytest.fixture(scope="module")
def indexed_connection(filter_connection: Connection) -> Iterator[Connection]:
    """The connection, with B-trees on two attributes, and with sequential scans as the last resort."""
    for field in INDEXED:
        filter_connection.execute(f"CREATE INDEX records_{field} ON lookalike.records ((attributes->'{field}'))")
    filter_connection.execute("SET enable_seqscan = off")
    yield filter_connection
    filter_connection.execute("RESET enable_seqscan")
    for field in INDEXED:
        filter_connection.execute(f"DROP INDEX lookalike.records_{field}")


@pytest.mark.parametrize("case", BY_ID)
def test_stored_and_found_by_the_indexes(indexed_connection: Connection, case: FilterCase) -> None:
    ids = [str(document.get("_id", f"r{position}")) for position, document in enumerate(case.documents)]
    where = where_of(case.filter, INDEXED)
    with indexed_connection.transaction(force_rollback=True):
        insert(indexed_connection, zip(ids, case.documents, strict=True))
        rows = indexed_connection.execute(f"SELECT id FROM lookalike.records WHERE {where.sql}", where.params)
        found = {row[0] for row in rows}
        each = " UNION ALL ".join(
            f"SELECT id FROM lookalike.records WHERE {one}" for one in where.cases or (where.sql,)
        )
        by_cases = sorted(row[0] for row in indexed_connection.execute(each, where.params))
    assert found == {id_ for id_, matched in zip(ids, _expected(case), strict=True) if matched}, case.msg
    assert by_cases == sorted(found), "each match satisfies one of the cases"


# It reads the field-first form only, has no `_id` and no strings that cannot be stored, and knows Python's patterns.
COMPARABLE = [
    pytest.param(case, id=case.id)
    for case in CASES
    if case.shape not in ("operator first", "_id", "unicode")
    and case.operator not in ("$regex", "$options")
    and case.id != "elem-operator-first"
]


@pytest.mark.parametrize("case", COMPARABLE)
def test_the_reference_agrees_with_the_cases(case: FilterCase) -> None:
    """What the differential test compares with means the same by a filter."""
    assert [matches(dict(document), dict(case.filter)) for document in case.documents] == _expected(case), case.msg
