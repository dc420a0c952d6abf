"""Records with `_expires_at`: neither found nor counted afterwards, by anybody, and deleted in the background."""

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner
from psycopg import errors

from app import create_app
from app.cli import cli
from app.db import collections as table
from app.db import expiry, indexes, reembedding
from app.db.engine import partition
from app.services import expiring, indexing
from app.services.context import Context
from tests.api.conftest import Api, picture
from tests.support.replacing import lines, own, stored
from tests.support.small_requests import SMALL
from tests.support.waiting import eventually

Json = dict[str, Any]
PAST, LATER = "2020-01-31T18:00:00+01:00", "2120-01-31T18:00:00Z"


def record(number: int, **more: object) -> Json:
    return {"_id": str(number), "_base64": picture(number), "n": number, "tags": ["red", f"t{number}"], **more}


@pytest.fixture
def half(api: Api) -> Api:
    """Four records that are there, one of them for a time, among four that have expired."""
    records = [record(n, **({"_expires_at": LATER} if n == 3 else {})) for n in range(4)]
    gone = [record(n, _base64=picture(n - 4), _expires_at=LATER) for n in range(4, 8)]
    api.post("insert", {"records": [*records, *gone]}, code=210)
    hold(api)
    patches = [{"_id": one["_id"], "_expires_at": PAST} for one in gone]
    assert len(api.post("update", {"records": patches}, code=205)["answer_records"]) == 4
    assert len(rows(api)) == 8
    return api


def hold(api: Api) -> None:
    """Have nothing deleted in the background."""
    eventually(lambda: api.context.expiries.begin(own(api).id, 0))


def rows(api: Api) -> dict[str, datetime | None]:
    """Return when each record of the table expires, those that have included."""
    with api.context.db.session() as connection:
        found = connection.execute(f"SELECT id, expires_at FROM lookalike.{own(api).records_table}".encode()).fetchall()
    return {row["id"]: row["expires_at"] for row in found}


def seen(api: Api, method: str, body: Json) -> Any:
    got = api.post(method, body)
    left_out = {"status", "statistics", "next", "previous"}
    answer = {key: value for key, value in got.items() if key not in left_out}
    for one in answer.get("answer_records", []):
        if isinstance(one, dict):
            one.pop("_expires_at", None)
    if method == "random" and body["count"] < 4:
        answer["answer_records"] = len({one["_id"] for one in answer["answer_records"]} - set("4567"))
    elif method == "random":
        answer["answer_records"].sort(key=lambda one: str(one["_id"]))
    return got["status"]["code"], answer


_WHOLE: list[tuple[str, Json]] = [
    *((method, body) for method, (body, _, _) in SMALL.items() if method not in {"insert", "upsert", "nearDupsInsert"}),
    ("random", {"count": 9}),
    ("find", {"filter": {"tags": "red"}, "limit": 20, "fields_to_return": ["*"], "count": True, "facets": ["tags"]}),
    ("find", {"filter": {"_id": {"$in": ["1", "6"]}}}),
    ("get", {"records": [{"_id": str(n)} for n in range(8)]}),
    ("allRecords", {"fields_to_return": ["n"]}),
    ("visualKNN", {"query_record": {"_base64": picture(2)}, "k": 20, "filter": {"n": {"$gte": 1}}}),
    ("visualKNN", {"query_record": {"_base64": picture(2)}, "k": 20, "exact": True}),
    ("visualKNN", {"query_record": {"_base64": picture(2)}, "k": 20, "product_field": "n"}),
    ("visualKNN", {"query_record": {"_id": "5"}}),
    ("visualKNN", {"query_record": {"_id": "1"}, "k": 20, "radius": 1000, "count": True, "facets": ["tags", "n"]}),
    ("visualKNN", {"query_record": {"_id": "1"}, "k": 20, "candidates": 3, "sort": [{"n": -1}], "count": True}),
    ("visualKNN", {"query_record": {"_id": "1"}, "k": 20, "radius": 1000, "group_by": "tags", "groups": True}),
    ("visualKNN", {"query_record": {"_id": "1"}, "k": 20, "diversity": 0.5}),
    ("visualKNNMulti", {"query_records": [{"_id": "1"}, {"_base64": picture(6)}], "k": 20, "aggregation": "min"}),
    ("visualRankRecords", {"query_record": {"_id": "1"}, "records": [{"_id": "5"}, {"_id": "2"}]}),
    ("nearDuplicates", {"query_record": {"_id": "1"}}),
    ("update", {"records": [{"_id": "5", "n": 1}]}),
    ("delete", {"records": [{"_id": "5"}, {"_id": "1"}]}),
    ("deleteByFilter", {"filter": {}}),
    ("nearDupsInsert", {"records": [{"_id": "9", "_base64": picture(30)}]}),
]


@pytest.mark.parametrize(("method", "body"), _WHOLE)
def test_every_method_answers_as_if_they_were_not_there(
    half: Api, new_collection: Callable[..., str], method: str, body: Json
) -> None:
    other = replace(half, collection=new_collection())
    other.post("insert", {"records": [record(n) for n in range(4)]}, code=210)
    assert seen(half, method, body) == seen(other, method, body)


def test_sql_and_exports_do_not_have_them_either(half: Api, tmp_path: Path) -> None:
    with psycopg.connect(half.context.db.url) as connection:

        def value(statement: str) -> Any:
            row = connection.execute(statement.format(name=half.collection).encode()).fetchone()
            assert row is not None
            return row[0]

        assert value("SELECT count(*) FROM lookalike.{name}") == 4
        assert value("SELECT count(*) FROM lookalike.knn('{name}', '1', 20)") == 4
        assert value("SELECT count(*) FROM lookalike.within('{name}', '1', 1000)") == 4
        assert value("SELECT count(*) FROM lookalike.near_duplicate_pairs('{name}', 1000)") == 6
        assert value("SELECT sum(records) FROM lookalike.facet('{name}', 'n')") == 4
        for statement in ("vector_of('{name}', '5')", "distance('{name}', '1', '5')"):
            with pytest.raises(errors.NoDataFound), connection.transaction():
                value(f"SELECT lookalike.{statement}")
    environment = {"DATABASE_URL": half.context.db.url, "LOOKALIKE_HOME": str(tmp_path)}
    done = CliRunner().invoke(cli, ["export", half.collection], env=environment)
    lines_ = [json.loads(line) for line in done.stdout.splitlines()]
    assert sorted(one["_id"] for one in lines_) == ["0", "1", "2", "3"]
    assert next(one for one in lines_ if one["_id"] == "3")["_expires_at"] == LATER
    shown = CliRunner().invoke(cli, ["collection", "show", half.collection, "--json"], env=environment)
    assert json.loads(shown.stdout)["records"] == 4


@pytest.mark.parametrize(("method", "more"), [("insert", {}), ("upsert", {}), ("nearDupsInsert", {"radius": 0})])
def test_the_id_of_an_expired_record_is_free(half: Api, method: str, more: Json) -> None:
    got = half.post(method, {"records": [record(5, _base64=picture(40))], **more}, code=210)
    assert got.get("statistics", {}).get("written", {"inserted": 1})["inserted"] == 1
    assert stored(half)["5"] == {"n": 5, "tags": ["red", "t5"]}
    half.post("insert", {"records": [record(6)], "mode": "update"}, code=404)


@pytest.mark.parametrize("more", [{"mode": "upsert"}, {"mode": "update"}, {"mode": "update", "radius": 0}])
def test_a_replacement_whose_moment_is_past_is_answered_and_gone(half: Api, more: Json) -> None:
    method = "nearDupsInsert" if "radius" in more else "insert"
    given = [record(1, _expires_at=PAST), record(2, n=9)]
    got = half.post(method, {"records": given, "fields_to_return": ["n", "_expires_at"], **more}, code=210)
    assert got["answer_records"] == [{"_id": "1", "n": 1, "_expires_at": PAST}, {"_id": "2", "n": 9}]
    assert got["statistics"]["written"] == {"inserted": 0, "replaced": 0, "updated": 2, "unchanged": 0}
    assert sorted(stored(half)) == ["0", "2", "3"]


@pytest.mark.parametrize("method", ["insert", "upsert", "update"])
def test_two_callers_that_bring_the_first_ones_do_not_wait_for_each_other_for_ever(api: Api, method: str) -> None:
    api.post("insert", {"records": [record(0), record(1)]}, code=210)
    table_ = f"lookalike.{own(api).records_table}"
    given = [{"_id": "0", "n": 7}, {"_id": "1", "_expires_at": LATER}]
    if method != "update":
        given = [record(2), record(3, _expires_at=LATER)]
    insert = f"INSERT INTO {table_} SELECT collection_id, %s, %s, embedding FROM {table_} WHERE id = '0'".encode()
    waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with psycopg.connect(api.context.db.url) as one, ThreadPoolExecutor() as pool:
        one.execute(insert, ("z", json.dumps({"_expires_at": LATER})))
        other = pool.submit(api.post, method, {"records": given})
        with psycopg.connect(api.context.db.url, autocommit=True) as watch:
            eventually(lambda: watch.execute(waiting).fetchall() != [])
        if method == "update":
            one.execute(f"SELECT FROM {table_} WHERE id = '0' FOR UPDATE NOWAIT".encode())
        else:
            one.execute(insert, ("2", "{}"))
        one.commit()
        assert other.result()["status"]["code"] == {"insert": 211, "upsert": 210, "update": 205}[method]
    assert "1" in stored(api)


@pytest.mark.parametrize("old", ["soon", PAST, 7, ["x"]])
def test_an_attribute_of_this_name_from_before_records_could_expire_stays_what_it_was(api: Api, old: object) -> None:
    api.post("insert", {"records": [record(1), record(2, _expires_at=LATER)]}, code=210)
    with psycopg.connect(api.context.db.url) as connection:
        connection.execute("SET LOCAL session_replication_role = replica")  # no triggers, as before
        connection.execute(
            f"UPDATE lookalike.{own(api).records_table} SET attributes = attributes || %s WHERE id = '1'".encode(),
            (json.dumps({"_expires_at": old}),),
        )
    api.post("update", {"records": [{"_id": "1", "n": 7}, {"_id": "2", "n": 7}]}, code=205)
    assert stored(api)["1"] == {"n": 7, "tags": ["red", "t1"], "_expires_at": old}
    assert rows(api) == {"1": None, "2": datetime.fromisoformat(LATER)}
    api.post("update", {"records": [{"_id": "1", "_expires_at": LATER}]}, code=205)
    assert rows(api)["1"] == datetime.fromisoformat(LATER)


def test_a_load_takes_the_place_of_expired_records(half: Api, tmp_path: Path) -> None:
    source = [record(n, _expires_at=None if n == 5 else LATER) for n in (1, 5, 6)]
    report = lines(half, tmp_path, source)
    assert (report.stored, report.updated, report.failed) == (2, 1, [])
    assert sorted(stored(half)) == ["0", "1", "2", "3", "5", "6"]
    assert [rows(half)[one] for one in "15"] == [datetime.fromisoformat(LATER), None]
    (tmp_path / "update.jsonl").write_text('{"_id": "1", "_expires_at": null}\n{"_id": "4", "n": 1}\n')
    environment = {"DATABASE_URL": half.context.db.url, "LOOKALIKE_HOME": str(tmp_path)}
    CliRunner().invoke(cli, ["update", half.collection, str(tmp_path / "update.jsonl")], env=environment)
    assert rows(half)["1"] is None


def test_null_takes_it_away_and_a_replacement_without_it_does_too(api: Api) -> None:
    api.post("insert", {"records": [record(n, _expires_at=LATER) for n in range(3)]}, code=210)
    got = api.post("update", {"records": [{"_id": "0", "_expires_at": None}, {"_id": "1", "n": 7}]}, code=205)
    assert got["answer_records"][0] == {"_id": "0", "n": 0, "tags": ["red", "t0"]}
    api.post("upsert", {"records": [record(2)]}, code=210)
    never = datetime.fromisoformat(LATER)
    assert rows(api) == {"0": None, "1": never, "2": None}
    api.post("insert", {"records": [record(5, _expires_at=None)]}, code=210)
    assert "_expires_at" not in stored(api)["5"]


@pytest.mark.parametrize(
    "given",
    [
        "2100-01-31T18:00:00Z", "2100-01-31t18:00:00z", "2100-01-31T18:00:00.123456789+05:45", "2099-12-31T23:59:60Z",
        "2099-12-31T23:59:60.75Z", f"2100-01-31T18:00:00.{'7' * 300}Z",
        "9999-12-31T23:59:59+15:59", "0001-01-01T00:00:00+15:59", "2096-02-29T00:00:00-00:00",
    ],
)  # fmt: skip
def test_a_moment_of_rfc_3339_is_taken(api: Api, given: str) -> None:
    api.post("insert", {"records": [record(1, _expires_at=given)]}, code=210)
    name = own(api).records_table
    with psycopg.connect(api.context.db.url) as connection:
        found = connection.execute(
            f"SELECT abs(extract(epoch FROM expires_at - %s::timestamptz)) < 1 FROM lookalike.{name}".encode(),
            (re.sub(r"\.\d+", "", given),),
        ).fetchall()
    assert found in ([(True,)], [])  # what has expired may be deleted already
    assert [one.get("_expires_at") for one in stored(api).values()] == ([] if given.startswith("0001") else [given])


_BAD: list[object] = [
    "", "tomorrow", "2100-01-31", "2100-01-31T18:00:00", "2100-01-31 18:00:00Z", "2100-02-30T00:00:00Z",
    "2100-13-01T00:00:00Z", "2100-01-31T24:00:00Z", "2100-01-31T18:60:00Z", "2100-01-31T18:00:61Z",
    "2100-01-31T18:00Z", "2100-01-31T18:00:00+1:00", "2100-01-31T18:00:00+16:00", "2100-01-31T18:00:00+01",
    "0000-01-01T00:00:00Z", "20100-01-31T18:00:00Z", " 2100-01-31T18:00:00Z", "2100-01-31T18:00:00Z\n", "infinity",
    "٢100-01-31T18:00:00Z", 4102444800, 1.5, True, [], {}, ["2100-01-31T18:00:00Z"],
]  # fmt: skip


@pytest.mark.parametrize("bad", _BAD)
def test_anything_else_is_refused_and_changes_nothing(api: Api, tmp_path: Path, bad: object) -> None:
    api.post("insert", {"records": [record(1)]}, code=210)
    for method, given in (
        ("insert", record(2, _expires_at=bad)),
        ("upsert", record(1, _expires_at=bad)),
        ("nearDupsInsert", record(3, _expires_at=bad)),
        ("update", {"_id": "1", "_expires_at": bad}),
    ):
        got = api.post(method, {"records": [given]}, code=402)
        (skipped,) = got["skipped_records"]
        assert "_expires_at must be a date and time with an offset" in skipped["_reason"]["status"]["error_description"]
    report = lines(api, tmp_path, [record(1, _expires_at=bad)])
    assert "_expires_at must be a date" in report.failed[0].reason
    assert rows(api) == {"1": None}


@pytest.mark.parametrize("bad", ['"tomorrow"', '"2100-02-30T00:00:00Z"', "7", "[]"])
def test_sql_refuses_the_same(api: Api, bad: str) -> None:
    api.post("insert", {"records": [record(1)]}, code=210)
    name = own(api).records_table
    with psycopg.connect(api.context.db.url) as connection:
        written = f'{{"_expires_at": {bad}}}'
        for statement in (
            f"UPDATE lookalike.{name} SET attributes = attributes || '{written}'",
            f"INSERT INTO lookalike.{name} SELECT collection_id, 'x', '{written}', embedding FROM lookalike.{name}",
        ):
            with pytest.raises((errors.CheckViolation, errors.DatetimeFieldOverflow)), connection.transaction():
                connection.execute(statement.encode())
        connection.execute(
            f'UPDATE lookalike.{name} SET attributes = attributes || \'{{"_expires_at": "{PAST}"}}\''.encode()
        )
    api.context.lookup.forget(api.collection)
    assert api.post("getRecordCount")["answer_count"] == 0


def test_insert_record_takes_the_place_of_an_expired_one(half: Api) -> None:
    with psycopg.connect(half.context.db.url) as connection:
        vector = connection.execute("SELECT lookalike.vector_of(%s, '1')", (half.collection,)).fetchone()
        assert vector is not None
        insert = "SELECT lookalike.insert_record(%s, '5', %s, %s::halfvec::vector)"
        connection.execute(insert, (half.collection, json.dumps({"_expires_at": LATER}), vector[0]))
        with pytest.raises(errors.UniqueViolation), connection.transaction():
            connection.execute(insert, (half.collection, "{}", vector[0]))
    assert stored(half)["5"] == {"_expires_at": LATER}


def test_expired_records_take_no_room(api: Api, new_collection: Callable[..., str]) -> None:
    api.collection = new_collection(capacity=2)
    api.post("insert", {"records": [record(n, _expires_at=PAST) for n in range(2)]}, code=210)
    api.post("insert", {"records": [record(n) for n in range(3, 5)]}, code=210)
    api.post("insert", {"records": [record(9)]}, code=412)
    assert sorted(stored(api)) == ["3", "4"]


def test_what_expired_is_deleted_in_the_background(half: Api) -> None:
    half.context.expiries.end(own(half).id)
    half.post("getRecordCount")
    eventually(lambda: len(rows(half)) == 4)
    assert sorted(rows(half)) == ["0", "1", "2", "3"]
    with half.context.db.session() as connection:
        kept = connection.execute(f"SELECT count(*) AS n FROM lookalike.thumbnails_{own(half).id}".encode()).fetchone()
    assert kept is not None
    assert kept["n"] == 4


def test_batches_are_bounded_and_pass_over_what_others_hold(half: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiring, "_BATCH", 1)
    held = f"SELECT FROM lookalike.{own(half).records_table} WHERE id = '5' FOR UPDATE"
    collection = own(half)
    with psycopg.connect(half.context.db.url) as connection:
        connection.execute(held.encode())
        assert expiring.delete_expired(half.context, collection) <= 3
        assert "5" in rows(half)
    expiring.delete_expired(half.context, collection)
    assert expiring.delete_expired(half.context, collection) == 0
    assert "5" not in rows(half)


def test_what_expired_in_a_collection_that_nobody_uses_is_deleted(half: Api) -> None:
    half.context.expiries.end(own(half).id)
    half.context.expiries._next.clear()
    context = replace(half.context, closed=Event())
    expiring.watch(context, every_seconds=0.01)
    try:
        eventually(lambda: len(rows(half)) == 4)
    finally:
        context.closed.set()
    assert sorted(rows(half)) == ["0", "1", "2", "3"]


def test_a_server_watches_what_expires(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    watched: list[Context] = []
    monkeypatch.setattr(expiring, "watch", watched.append)
    app = create_app(api.context.settings, api.context.db.url)
    context = app.extensions["lookalike"]
    context.close()
    assert watched == [context]


def test_an_index_that_an_interrupted_build_left_is_made_anew(half: Api) -> None:
    collection = own(half)
    name = f"{collection.records_table}_expires_at_idx"
    with half.context.db.session() as connection:
        connection.execute(f"DROP INDEX lookalike.{name}".encode())
        # Values that are not unique end the build, and leave what it had.
        create = f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON lookalike.{collection.records_table} (collection_id)"
        with pytest.raises(errors.UniqueViolation):
            connection.execute(create.encode())
        assert not indexes.is_valid(connection, name)
    assert not expiry.is_indexed(half.context.db, collection)
    assert expiring.delete_expired(half.context, collection) == 4
    assert expiry.is_indexed(half.context.db, collection)
    with half.context.db.session() as connection:
        made = connection.execute("SELECT pg_get_indexdef(%s::regclass) AS text", (f"lookalike.{name}",)).fetchone()
    assert made is not None
    assert "(expires_at)" in made["text"]


def test_the_index_of_a_collection_of_an_earlier_version_is_made(half: Api) -> None:
    collection = own(half)
    with half.context.db.session() as connection:
        connection.execute(f"DROP INDEX lookalike.{collection.records_table}_expires_at_idx".encode())
    expiring.delete_expired(half.context, collection)
    with half.context.db.session() as connection:
        found = connection.execute(
            "SELECT FROM pg_indexes WHERE indexname = %s", (f"{collection.records_table}_expires_at_idx",)
        ).fetchall()
    assert len(found) == 1


def test_nothing_is_looked_for_where_no_record_ever_expires(api: Api) -> None:
    api.post("insert", {"records": [record(1)]}, code=210)
    assert not own(api).expires
    assert "expires_at" not in partition("records", own(api))
    api.post("insert", {"records": [record(2, _expires_at=LATER)]}, code=210)
    assert own(api).expires
    assert api.context.lookup.collection(api.collection).expires, "at once"


def test_another_server_follows(api: Api) -> None:
    second = create_app(api.context.settings, api.context.db.url)
    context: Context = second.extensions["lookalike"]
    other = replace(api, client=second.test_client(), context=context)
    api.post("insert", {"records": [record(1), record(2)]}, code=210)
    assert other.post("getRecordCount")["answer_count"] == 2
    api.post("update", {"records": [{"_id": "1", "_expires_at": PAST}]}, code=205)
    assert api.post("getRecordCount")["answer_count"] == 1
    eventually(lambda: other.post("getRecordCount")["answer_count"] == 1)
    context.close()


def test_a_record_expires_when_its_moment_comes(api: Api) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
    api.post("insert", {"records": [record(1, _expires_at=soon), record(2)]}, code=210)
    eventually(lambda: api.post("getRecordCount")["answer_count"] == 1)
    assert datetime.now(UTC) > datetime.fromisoformat(soon)


def test_a_search_through_the_index_is_complete_where_most_have_expired(api: Api) -> None:
    hold(api)
    with api.context.db.session() as connection:
        dimensions = own(api).dimensions
        connection.execute(
            f"INSERT INTO lookalike.{own(api).records_table} (collection_id, id, attributes, embedding)"
            " SELECT %s, n::text, CASE WHEN n %% 40 = 0 THEN '{}' ELSE jsonb_build_object('_expires_at', %s::text) END,"
            f" l2_normalize((SELECT array_agg(sin(n * g)) FROM generate_series(1, {dimensions}) AS g)::halfvec)"
            " FROM generate_series(1, 2000) AS n".encode(),
            (own(api).id, PAST),
        )
    assert indexes.build_hnsw(api.context.db, own(api), indexing.resources(api.context.settings))
    api.context.lookup.forget(api.collection)
    wanted = {str(n) for n in range(40, 2001, 40)}
    assert api.context.lookup.collection(api.collection).indexed
    exists: Json = {"k": 50, "filter": {"x": {"$exists": False}}}
    for body in ({"k": 50}, {"k": 20}, {"k": 30, "from": 10}, exists):
        got = api.post("visualKNN", {"query_record": {"_base64": picture(1)}, **body}, code=200)
        found = {one["_id"] for one in got["answer_records"]}
        assert len(found) == body["k"]
        assert found <= wanted
    with psycopg.connect(api.context.db.url) as connection:
        found_ = connection.execute(
            "SELECT count(*) FROM lookalike.knn(%s, '40', 50) AS n", (api.collection,)
        ).fetchone()
    assert found_ == (50,)


def test_a_change_of_the_model_keeps_when_records_expire(half: Api) -> None:
    db, collection = half.context.db, own(half)
    facts = {"model": "other", "model_revision": "2", "dimensions": 8, "distance_scale": 10.0}
    reembedding.begin(db, collection, facts)
    job = reembedding.find(db, collection)
    assert job is not None
    with db.session() as connection:
        connection.execute(
            job.render("store").encode(),
            {
                "collection_id": collection.id,
                "ids": [str(n) for n in range(8)],
                "embeddings": ["[1,0,0,0,0,0,0,0]"] * 8,
            },
        )
        both = []
        for name in (collection.records_table, job.next.records_table):
            found = connection.execute(f"SELECT id, expires_at FROM lookalike.{name}".encode()).fetchall()
            both.append({row["id"]: row["expires_at"] for row in found})
    assert both[0] == both[1]
    assert table.get(db, half.collection).expires
