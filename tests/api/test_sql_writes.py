"""Rows written by SQL: served by the API at once, refused where it could not serve them, deleted without a trace."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import errors

from app.db import indexes
from tests.api.conftest import Api, picture

Connection = psycopg.Connection[tuple[Any, ...]]
DIMENSIONS = 256


@pytest.fixture
def sql(api: Api) -> Iterator[Connection]:
    with psycopg.connect(api.context.db.url, autocommit=True) as connection:
        yield connection


def vector(first: float = 1.0, rest: float = 0.5, dimensions: int = DIMENSIONS) -> str:
    return json.dumps([first] + [rest] * (dimensions - 1))


def row(sql: Connection, statement: str, *values: object) -> Any:
    found = sql.execute(statement, values).fetchone()
    assert found is not None
    return found[0]


def number(api: Api) -> int:
    return api.context.lookup.collection(api.collection).id


def got(api: Api, *ids: str) -> list[dict[str, Any]]:
    body = {"records": [{"_id": id_} for id_ in ids], "fields_to_return": ["*"]}
    return list(api.post("get", body)["answer_records"])


def test_an_update_is_served_at_once(api: Api, sql: Connection) -> None:
    api.fill(5)
    search = {"query_record": {"_id": "2"}, "k": 5, "filter": {"colour": "red"}, "fields_to_return": ["*"]}
    assert api.post("visualKNN", search)["answer_records"] == []
    red = 'SET attributes = attributes || \'{"colour": "red"}\''
    for statement in (
        f"UPDATE lookalike.records_{number(api)} {red} WHERE id = '3'",
        f"UPDATE lookalike.{api.collection} {red} WHERE id = '4'",
    ):
        sql.execute(statement)
    assert {record["_id"] for record in api.post("visualKNN", search)["answer_records"]} == {"3", "4"}
    assert got(api, "4")[0]["colour"] == "red"


def test_an_inserted_record_is_found(api: Api, sql: Connection) -> None:
    api.fill(3)
    assert (
        row(sql, "SELECT lookalike.insert_record(%s, 'own', %s, %s)", api.collection, '{"n": 9}', vector(2.0, 1.0))
        == "own"
    )
    assert got(api, "own") == [{"_id": "own", "n": 9}]
    nearest = api.post("visualKNN", {"query_record": {"_id": "own"}, "k": 1})
    assert nearest["answer_records"] == [{"_id": "own"}]
    assert nearest["answer_distances"] == [0.0]
    length = row(sql, f"SELECT l2_norm(embedding) FROM lookalike.records_{number(api)} WHERE id = 'own'")
    assert length == pytest.approx(1.0, abs=1e-3), "a vector of any length is brought to length 1"


def test_many_from_a_table_of_ones_own(api: Api, sql: Connection) -> None:
    with sql.transaction(force_rollback=True):
        sql.execute("CREATE TEMPORARY TABLE mine (sku text, price numeric, v real[])")
        sql.execute(
            "INSERT INTO mine SELECT 's' || n, n, (SELECT array_agg(sin(n * i)) FROM generate_series(1, 256) AS i)"
            " FROM generate_series(1, 50) AS n"
        )
        stored = "SELECT lookalike.insert_record(%s, sku, jsonb_build_object('price', price), v::vector) FROM mine"
        assert len(sql.execute(stored, (api.collection,)).fetchall()) == 50
        assert row(sql, f"SELECT count(*) FROM lookalike.{api.collection}") == 50


@pytest.mark.parametrize(
    ("id_", "attributes", "given", "error", "message"),
    [
        ("a", "{}", vector(dimensions=8), errors.InvalidParameterValue, "8 dimensions, those of this .* have 256"),
        ("a", "{}", vector(0, 0), errors.InvalidParameterValue, "no direction"),
        ("a", "{}", None, errors.NullValueNotAllowed, "none is NULL"),
        (None, "{}", vector(), errors.NullValueNotAllowed, "none is NULL"),
        ("a", None, vector(), errors.NullValueNotAllowed, "none is NULL"),
        ("a", "[]", vector(), errors.CheckViolation, "the attributes are an object"),
        ("a", '"x"', vector(), errors.CheckViolation, "the attributes are an object"),
        ("a", '{"_id": "b"}', vector(), errors.CheckViolation, "'_id' is kept for the API"),
        ("a", '{"_base64": "b"}', vector(), errors.CheckViolation, "'_base64' is kept"),
        ("a", '{"$gt": 1}', vector(), errors.CheckViolation, r"'\$gt' is kept"),
        ("", "{}", vector(), errors.CheckViolation, "records_id_check"),
        ("x" * 1025, "{}", vector(), errors.CheckViolation, "records_id_check"),
        ("taken", "{}", vector(), errors.UniqueViolation, "there is a record 'taken' in the collection"),
        ("a", "{}", "[NaN" + ",1" * 255 + "]", errors.DataException, "NaN not allowed"),
        ("a", "{}", "[1e30" + ",1" * 255 + "]", None, ""),
    ],
)  # fmt: skip
def test_what_insert_record_refuses(
    api: Api, sql: Connection, id_: str, attributes: str, given: str, error: type[Exception] | None, message: str
) -> None:
    sql.execute("SELECT lookalike.insert_record(%s, 'taken', '{}', %s)", (api.collection, vector()))
    call = "SELECT lookalike.insert_record(%s, %s, %s, %s)"
    if error is None:  # far beyond what half a float holds, but a direction
        assert row(sql, call, api.collection, id_, attributes, given) == id_
    else:
        with pytest.raises(error, match=message):
            sql.execute(call, (api.collection, id_, attributes, given))
        assert row(sql, f"SELECT count(*) FROM lookalike.{api.collection}") == 1
    assert api.post("visualKNN", {"query_record": {"_id": "taken"}, "k": 5})["answer_distances"][0] == 0.0


def test_insert_record_into_nothing(sql: Connection) -> None:
    with pytest.raises(errors.NoDataFound, match="there is no collection 'nowhere'"):
        sql.execute("SELECT lookalike.insert_record('nowhere', 'a', '{}', %s)", (vector(),))


@pytest.mark.parametrize(
    ("column", "value", "error", "constraint"),
    [
        ("embedding", "NULL", errors.NotNullViolation, None),
        ("embedding", f"'{vector(dimensions=8)}'", errors.CheckViolation, "check"),
        ("embedding", f"'{vector(0, 0)}'", errors.CheckViolation, "records_embedding_check"),
        ("attributes", "NULL", errors.NotNullViolation, None),
        ("attributes", "'[]'", errors.CheckViolation, "records_attributes_check"),
        ("attributes", "'null'", errors.CheckViolation, "records_attributes_check"),
        ("attributes", "'{\"_id\": 1}'", errors.CheckViolation, "records_keys_check"),
        ("attributes", "'{\"_base64\": 1}'", errors.CheckViolation, "records_keys_check"),
        ("attributes", "'{\"_reason\": 1}'", errors.CheckViolation, "records_keys_check"),
        ("attributes", "'{\"_box\": 1}'", errors.CheckViolation, "records_keys_check"),
        ("attributes", "'{\"$set\": 1}'", errors.CheckViolation, "records_keys_check"),
        ("id", "NULL", errors.NotNullViolation, None),
        ("id", "''", errors.CheckViolation, "records_id_check"),
        ("id", "'2'", errors.UniqueViolation, "pkey"),
        ("collection_id", "0", errors.CheckViolation, None),
    ],
)
def test_constraints_hold_for_plain_sql(
    api: Api, sql: Connection, column: str, value: str, error: type[psycopg.Error], constraint: str | None
) -> None:
    """By an update, and by an insert through the parent: what the API relies on cannot be broken from beside it."""
    api.fill(3)
    values = {"collection_id": str(number(api)), "id": "'new'", "attributes": "'{}'", "embedding": f"'{vector()}'"}
    values[column] = value
    for statement in (
        f"UPDATE lookalike.records SET {column} = {value} WHERE collection_id = {number(api)} AND id = '1'",
        f"INSERT INTO lookalike.records ({', '.join(values)}) VALUES ({', '.join(values.values())})",
    ):
        with pytest.raises(error) as caught:
            sql.execute(statement)
        assert constraint is None or constraint in str(caught.value.diag.constraint_name)
    assert [record["n"] for record in got(api, "0", "1", "2")] == [0, 1, 2]


def test_attributes_with_an_underscore_that_are_no_fields_of_the_api_are_taken(api: Api, sql: Connection) -> None:
    own = '{"_url": "http://x/y.jpg", "_tags": ["a"], "_mine": 1}'
    sql.execute("SELECT lookalike.insert_record(%s, 'a', %s, %s)", (api.collection, own, vector()))
    assert got(api, "a") == [{"_id": "a", **json.loads(own)}]


def test_a_deletion_leaves_nothing_behind(api: Api, sql: Connection) -> None:
    api.fill(4)
    own = number(api)
    assert row(sql, f"SELECT count(*) FROM lookalike.thumbnails_{own}") == 4
    sql.execute(f"DELETE FROM lookalike.{api.collection} WHERE attributes @> '{{\"n\": 1}}'")
    sql.execute(f"DELETE FROM lookalike.records WHERE collection_id = {own} AND id = '2'")
    assert row(sql, f"SELECT array_agg(id ORDER BY id) FROM lookalike.thumbnails_{own}") == ["0", "3"]
    assert {record["_id"] for record in api.post("visualKNN", {"query_record": {"_id": "0"}})["answer_records"]} == {
        "0",
        "3",
    }
    api.post("insert", {"records": [{"_id": "2", "_base64": picture(2)}]}, code=210)


def test_capacity_holds_for_both_ways_in(api: Api, sql: Connection, new_collection: Any) -> None:
    """Twenty at once, by SQL and by the API, into a collection of five: five are in, whoever they are."""
    name = new_collection(capacity=5)
    failures: list[str] = []

    def insert(position: int) -> None:
        with psycopg.connect(api.context.db.url, autocommit=True) as own:
            try:
                own.execute(
                    "SELECT lookalike.insert_record(%s, %s, '{}', %s)", (name, f"s{position}", vector(position))
                )
            except errors.ProgramLimitExceeded as error:
                failures.append(str(error))

    threads = [threading.Thread(target=insert, args=(position,)) for position in range(12)]
    for thread in threads:
        thread.start()
    for position in range(8):
        api.post("insert", {"records": [{"_id": f"a{position}", "_base64": picture(position)}]}, collection_id=name)
    for thread in threads:
        thread.join()
    assert row(sql, f"SELECT count(*) FROM lookalike.{name}") == 5
    assert all("holds at most 5 records" in failure for failure in failures)
    assert len(failures) >= 7


def test_rows_written_by_sql_are_in_the_graph(api: Api, sql: Connection) -> None:
    api.fill(30)  # of fewer records than the index is asked for, all are compared
    collection = api.context.lookup.collection(api.collection)
    assert indexes.build_hnsw(api.context.db, collection)
    api.context.lookup.forget(api.collection)
    sql.execute("SELECT lookalike.insert_record(%s, 'late', '{}', %s)", (api.collection, vector(3)))
    nearest = api.post("visualKNN", {"query_record": {"_id": "late"}, "k": 2})
    assert nearest["answer_records"][0] == {"_id": "late"}
    assert nearest["statistics"]["search"] == "index"
