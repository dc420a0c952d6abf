"""Hostile keys and values in a real database: stored, found exactly, and nothing else happens."""

from typing import Any

import pytest

from tests.cases.filters_hostile import HOSTILE
from tests.db.filters_db import Connection, truths, where_of

KEYS = ["k" + hostile.replace(".", "_") for hostile in HOSTILE]


@pytest.mark.parametrize("key", KEYS, ids=range(len(KEYS)))
def test_a_hostile_key_and_value_are_data(filter_connection: Connection, key: str) -> None:
    value = key[1:]
    documents: list[dict[str, Any]] = [
        {"_id": value, key: value},
        {key: [1, value]},
        {"a": {key: value}},
        {"a": [[{key: value}]], key: [{key: value}]},
        {key: value + " "},
        {"k": value, "a": 1},
        {},
    ]
    expected: list[tuple[dict[str, Any], set[int]]] = [
        ({key: value}, {0, 1}),
        ({key: {"$in": [value, *(f"{value}{i}" for i in range(20))]}}, {0, 1}),
        ({key: {"$ne": value}}, {2, 3, 4, 5, 6}),
        ({key: {"$gte": value}}, {0, 1, 4}),
        ({f"a.{key}": value}, {2}),
        ({f"a.0.0.{key}": value}, {3}),
        ({key: {key: value}}, {3}),
        ({key: [1, value]}, {1}),
        ({key: {"$elemMatch": {key: value}}}, {3}),
        ({key: {"$exists": True}}, {0, 1, 3, 4}),
        ({"k": value}, {5}),
        ({"_id": value}, {0}),
        ({"_id": {"$in": [value]}}, {0}),
    ]
    for filter_, matched in expected:
        found = truths(filter_connection, where_of(filter_, [key]), documents)
        assert {position for position, match in enumerate(found) if match} == matched, filter_


def test_the_table_is_still_there_and_empty(filter_connection: Connection) -> None:
    assert filter_connection.execute("SELECT count(*) FROM lookalike.records").fetchone() == (0,)
