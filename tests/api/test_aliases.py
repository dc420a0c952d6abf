"""Aliases: names that lead to collections, for callers, in SQL and on the command line, and their switch under load."""

import itertools
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner
from psycopg import errors

from app import create_app
from app.cli import cli
from app.db import collections as table
from app.domain.errors import CollectionNotFound, InvalidRequest
from app.domain.tokens import Scope
from app.services import aliases, collections, overview, tokens
from app.services.context import Context
from tests.api.conftest import Api, picture

Json = dict[str, Any]
_numbers = itertools.count()


@pytest.fixture
def alias() -> str:
    return f"live-{next(_numbers)}"


def filled(api: Api, name: str, mark: str, count: int = 3) -> str:
    """Fill a collection with records whose ids begin with a mark."""
    records = [{"_id": f"{mark}{n}", "_base64": picture(n)} for n in range(count)]
    api.post("insert", {"records": records}, code=210, collection_id=name)
    return name


@pytest.fixture
def two(api: Api, new_collection: Callable[..., str], alias: str) -> tuple[str, str]:
    """Two collections of the marks a and b; the alias leads to the first."""
    both = filled(api, api.collection, "a"), filled(api, new_collection(), "b")
    aliases.set_all(api.context, {alias: both[0]})
    return both


def found(api: Api, name: str) -> set[str]:
    """Return the marks of what a search finds."""
    got = api.post("visualKNN", {"query_record": {"_base64": picture(1)}}, code=200, collection_id=name)
    return {one["_id"][0] for one in got["answer_records"]}


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def test_a_caller_may_use_an_alias_in_place_of_the_collection(api: Api, two: tuple[str, str], alias: str) -> None:
    api.collection = alias
    assert found(api, alias) == {"a"}
    api.post("insert", {"records": [{"_id": "a9", "_base64": picture(9)}]}, code=210)
    api.post("update", {"records": [{"_id": "a9", "n": 1}]}, code=205)
    assert api.post("getRecordCount", collection_id=two[0])["answer_count"] == 4
    assert api.post("allRecords?size=2", {})["answer_count"] == 4
    api.post("delete", {"records": [{"_id": "a9"}]}, code=220)
    assert (
        api.client.get(
            "/v2/getRecordCount", headers={"Authorization": f"Token {api.token}", "collection-id": f" {alias} "}
        ).get_json()["answer_count"]
        == 3
    )


def test_sql_takes_an_alias_wherever_it_takes_a_collection(api: Api, two: tuple[str, str], alias: str) -> None:
    aliases.set_all(api.context, {alias: two[1]})
    with psycopg.connect(api.context.db.url) as connection:
        for statement in (
            "SELECT count(*) FROM lookalike.knn(%s, 'b1', 5)",
            "SELECT count(*) FROM lookalike.within(%s, 'b1', 1000)",
            "SELECT count(*) FROM lookalike.near_duplicate_pairs(%s, 1000)",
        ):
            assert connection.execute(statement.encode(), (alias,)).fetchone() == (3,)
        connection.execute("SELECT lookalike.set_alias(%s, %s)", (alias, two[0]))
        with pytest.raises(errors.NoDataFound):
            connection.execute("SELECT * FROM lookalike.knn(%s, 'b1', 5)", (alias,))


def test_a_switch_reaches_every_server(api: Api, two: tuple[str, str], alias: str) -> None:
    second = create_app(api.context.settings, api.context.db.url)
    context: Context = second.extensions["lookalike"]
    other = replace(api, client=second.test_client(), context=context)
    assert (found(api, alias), found(other, alias)) == ({"a"}, {"a"})
    done = aliases.set_all(api.context, {alias: two[1]})
    assert [(one.name, one.collection, one.before) for one in done] == [(alias, two[1], two[0])]
    assert found(api, alias) == {"b"}, "the server that does it, at once"
    assert eventually(lambda: found(other, alias) == {"b"})
    aliases.drop(api.context, alias)
    assert eventually(lambda: other.call("getRecordCount", {}, collection_id=alias).status_code == 404)
    context.close()


def test_no_request_fails_while_an_alias_is_switched_and_what_it_led_to_is_dropped(
    api: Api, two: tuple[str, str], alias: str, new_collection: Callable[..., str]
) -> None:
    second = create_app(api.context.settings, api.context.db.url)
    context: Context = second.extensions["lookalike"]
    servers = [api, replace(api, client=second.test_client(), context=context)]
    stop = threading.Event()
    wrong: list[object] = []
    answered = itertools.count()

    def search(number: int) -> None:
        server = servers[number % 2]
        bodies: list[tuple[str, Json]] = [
            ("visualKNN", {"query_record": {"_base64": picture(1)}}),
            ("find", {"filter": {}}),
            ("allRecords", {}),
            ("insert", {"records": [{"_id": f"w{number}", "_base64": picture(2)}], "mode": "upsert"}),
        ]
        for method, body in itertools.cycle(bodies):
            if stop.is_set():
                return
            answer = server.client.post(
                f"/photo/search/v2/{method}",
                json=body,
                headers={"Authorization": f"Token {api.token}", "collection-id": alias},
            )
            got = answer.get_json()
            marks = {one["_id"][0] for one in got.get("answer_records", [])} - {"w"}
            if answer.status_code != 200 or (method != "insert" and len(marks) != 1):
                wrong.append((method, answer.status_code, got))
            next(answered)

    threads = [threading.Thread(target=search, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    now = two[0]
    for mark in "cdefghij":
        after = filled(api, new_collection(), mark)
        aliases.set_all(api.context, {alias: after})
        collections.drop(api.context, now)
        now = after
    stop.set()
    for thread in threads:
        thread.join()
    context.close()
    assert wrong == []
    assert next(answered) > 20
    assert found(api, alias) - {"w"} == {"j"}


def test_several_are_switched_at_once_or_not_at_all(api: Api, two: tuple[str, str], alias: str) -> None:
    other = f"{alias}-next"
    aliases.set_all(api.context, {other: two[1]})
    with pytest.raises(CollectionNotFound, match="there is no collection 'nothing'"):
        aliases.set_all(api.context, {alias: two[1], other: "nothing"})
    assert (found(api, alias), found(api, other)) == ({"a"}, {"b"})
    done = aliases.set_all(api.context, {alias: two[1], other: two[0]})
    assert {(one.name, one.before) for one in done} == {(alias, two[0]), (other, two[1])}
    assert (found(api, alias), found(api, other)) == ({"b"}, {"a"})


def test_callers_that_switch_the_same_aliases_wait_for_nobody_for_ever(api: Api, two: tuple[str, str]) -> None:
    names = [f"many-{next(_numbers)}" for _ in range(4)]

    def switch(turn: int) -> list[str]:
        given = names if turn % 2 else names[::-1]
        return [one.collection for one in aliases.set_all(api.context, dict.fromkeys(given, two[turn % 2]))]

    with ThreadPoolExecutor(4) as pool:
        assert all(len(set(done)) == 1 for done in pool.map(switch, range(20)))
    rows = [row["collection"] for row in aliases.listed(api.context) if row["name"] in names]
    assert len(rows) == 4
    assert len(set(rows)) == 1, "all of one caller"


@pytest.mark.parametrize("bad", ["", " ", "-a", "a b", "a/b", "ä", "a" * 129, "a'; DROP TABLE x; --", "a\n"])
def test_a_name_that_no_collection_could_have_is_refused(api: Api, bad: str) -> None:
    with pytest.raises(InvalidRequest, match="an alias has 1 to 128 letters, digits"):
        aliases.set_all(api.context, {bad: api.collection})
    assert bad not in [row["name"] for row in aliases.listed(api.context)]


def test_an_alias_and_a_collection_never_have_one_name(api: Api, two: tuple[str, str], alias: str) -> None:
    with pytest.raises(InvalidRequest, match="cannot have one name"):
        aliases.set_all(api.context, {two[1]: two[0]})
    with pytest.raises(InvalidRequest, match="cannot have one name"):
        collections.create(api.context, alias, "photo")
    with pytest.raises(CollectionNotFound):
        aliases.set_all(api.context, {f"{alias}-2": alias})
    with api.context.db.session() as connection, pytest.raises(errors.UniqueViolation):
        connection.execute("UPDATE lookalike.collections SET name = %s WHERE name = %s", (alias, two[1]))
    assert found(api, alias) == {"a"}


def test_of_two_that_take_one_name_at_once_the_second_is_refused(api: Api, alias: str) -> None:
    with psycopg.connect(api.context.db.url) as first:
        first.execute("SELECT lookalike.set_alias(%s, %s)", (alias, api.collection))
        with ThreadPoolExecutor(1) as pool:
            second = pool.submit(collections.create, api.context, alias, "photo")
            with psycopg.connect(api.context.db.url, autocommit=True) as watching:
                while not watching.execute("SELECT FROM pg_locks WHERE NOT granted").fetchall():
                    assert not second.done()
            first.commit()
            with pytest.raises(InvalidRequest, match="cannot have one name"):
                second.result()


def test_an_alias_stays_with_one_service(
    api: Api, two: tuple[str, str], alias: str, new_collection: Callable[..., str]
) -> None:
    other = new_collection(service="fashion")
    with pytest.raises(InvalidRequest, match=f"another service than that of '{other}'"):
        aliases.set_all(api.context, {alias: other})
    assert found(api, alias) == {"a"}
    aliases.drop(api.context, alias)
    aliases.set_all(api.context, {alias: other})
    got = api.post("getRecordCount", collection_id=alias)
    assert "belongs to the service 'fashion'" in got["status"]["error_description"]


def test_a_collection_that_an_alias_leads_to_is_not_dropped(api: Api, two: tuple[str, str], alias: str) -> None:
    with pytest.raises(InvalidRequest, match=f"aliases lead to the collection '{two[0]}': {alias}"):
        collections.drop(api.context, two[0])
    with pytest.raises(InvalidRequest, match=f"is an alias of the collection '{two[0]}'"):
        collections.drop(api.context, alias)
    with pytest.raises(InvalidRequest, match="an alias leads to this collection"):
        table.drop(api.context.db, two[0])  # as where it was set just then
    assert found(api, alias) == {"a"}
    assert overview.of(api.context, alias)["aliases"] == [alias]
    aliases.drop(api.context, alias)
    collections.drop(api.context, two[0])
    assert api.call("getRecordCount", {}, collection_id=two[0]).status_code == 404


def test_a_token_works_through_an_alias_where_it_may_use_the_collection(
    api: Api, two: tuple[str, str], alias: str
) -> None:
    made = tokens.create(api.context, [Scope.READ], [two[0]])
    headers = {"Authorization": f"Token {made.token}", "collection_id": alias}
    assert api.call("getRecordCount", {}, **headers).status_code == 200
    (done,) = aliases.set_all(api.context, {alias: two[1]})
    assert made.id in done.locked_out
    assert api.call("getRecordCount", {}, **headers).status_code == 403
    assert aliases.set_all(api.context, {alias: two[1]})[0].locked_out == ()
    with pytest.raises(InvalidRequest, match=f"'{alias}' is an alias, and tokens are given collections: '{two[1]}'"):
        tokens.create(api.context, [Scope.READ], [alias])


def test_a_setting_is_changed_through_an_alias(api: Api, two: tuple[str, str], alias: str) -> None:
    collections.change(api.context, alias, {"product_field": "sku"})
    assert collections.get(api.context, two[0]).product_field == "sku"


@pytest.fixture
def run(api: Api, tmp_path: Path) -> Callable[..., Any]:
    environment = {"DATABASE_URL": api.context.db.url, "LOOKALIKE_HOME": str(tmp_path)}
    return lambda *words: CliRunner().invoke(cli, ["alias", *words], env=environment)


def test_the_command_sets_lists_and_deletes(
    api: Api, two: tuple[str, str], alias: str, run: Callable[..., Any]
) -> None:
    token = tokens.create(api.context, [Scope.READ], [two[0]])
    done = run("set", alias, two[1], f"{alias}-2", two[0])
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [f"{alias} leads to {two[1]} (before: {two[0]})", f"{alias}-2 leads to {two[0]}"]
    assert f"tokens that may use {two[0]} and not {two[1]}: " in done.stderr
    assert str(token.id) in done.stderr
    as_json = json.loads(run("set", alias, two[1], "--json").stdout)
    assert as_json == [{"name": alias, "collection": two[1], "before": two[1], "locked_out": []}]
    rows = {row["name"]: row["collection"] for row in json.loads(run("list", "--json").stdout)}
    assert (rows[alias], rows[f"{alias}-2"]) == (two[1], two[0])
    assert f"{alias} " in run("list").stdout
    assert run("delete", alias).stdout == f"deleted the alias {alias}\n"
    again = run("delete", alias)
    assert (again.exit_code, str(again.exception)) == (1, f"there is no alias '{alias}'")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["a"], "give each name its collection: a has none"),
        (["a", "b", "c"], "give each name its collection: c has none"),
        (["a", "b", "a", "c"], "give each name once"),
        ([], "Missing argument"),
    ],
)
def test_the_command_refuses_half_a_pair(run: Callable[..., Any], words: list[str], sentence: str) -> None:
    refused = run("set", *words)
    assert (refused.exit_code, sentence in refused.stderr) == (2, True)


def test_the_command_names_a_collection_that_there_is_not(run: Callable[..., Any]) -> None:
    refused = run("set", "a", "nothing")
    assert (refused.exit_code, str(refused.exception)) == (1, "there is no collection 'nothing'")
