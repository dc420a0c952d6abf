"""The log of searches: off unless asked for, written beside the searches, bounded."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.api import errors
from app.api.blueprint import blueprint
from app.config import Settings
from app.db.engine import Database
from app.domain.searches import Entry
from app.domain.tokens import Scope
from app.services import collections, tokens
from app.services.context import Context
from app.services.searchlog import SearchLog
from app.services.searchmetrics import SearchMetrics
from tests.api.conftest import Api, picture
from tests.support.waiting import eventually

KEEP = 20


@pytest.fixture(scope="module")
def logging_app(
    module_database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[FlaskClient, Context]]:
    settings = Settings(
        home=tmp_path_factory.mktemp("home"), log_searches=True, search_log_rows=KEEP, slow_search_seconds=0
    )
    application = create_app(settings, module_database_url)
    context: Context = application.extensions["lookalike"]
    yield application.test_client(), context
    assert [type(one) for one in context.observers] == [SearchMetrics, SearchLog]
    context.close()


@pytest.fixture
def logged(logging_app: tuple[FlaskClient, Context], request: pytest.FixtureRequest) -> Api:
    client, context = logging_app
    made = collections.create(context, request.node.name.replace("[", "-").strip("]")[:60], "photo")
    return Api(client, context, made.name, tokens.create(context, [Scope.ADMIN], None, "Ann").token)


def recent(api: Api) -> list[dict[str, Any]]:
    text = "SELECT * FROM lookalike.recent_searches WHERE collection = %s"
    return api.context.db.read(lambda connection: connection.execute(text, (api.collection,)).fetchall())


def test_a_search_is_noted(logged: Api) -> None:
    logged.fill(5)
    logged.post("visualKNN", {"query_record": {"_id": "2"}, "k": 3, "filter": {"price": {"$gte": 10}}}, code=200)
    logged.post("visualKNNMulti", {"query_records": [{"_id": "1"}, {"_id": "2"}], "k": 4}, code=200)
    logged.post("range", {"query_record": {"_base64": picture(1)}, "radius": 500}, code=200)
    logged.post("get", {"records": [{"_id": "1"}]})
    logged.post("visualKNN", {"query_record": {"_id": "nobody"}}, code=403)
    found = eventually(lambda: recent(logged), lambda rows: len(rows) >= 3)
    assert [row["method"] for row in found] == ["range", "visualKNNMulti", "visualKNN"], (
        "newest first; answered ones only"
    )
    assert [row["query_id"] for row in found] == [None, "1", "2"]
    assert [row["results"] for row in found] == [5, 4, 3]
    assert [row["k"] for row in found] == [None, 4, 3]
    assert [row["way"] for row in found] == ["exact"] * 3
    assert found[2]["filter"] == {"price": {"$gte": 10}}
    assert {row["token"] for row in found} == {"Ann"}
    assert all(0 < row["milliseconds"] < 60_000 for row in found)


def test_the_log_is_bounded(logged: Api) -> None:
    logged.fill(1)
    for k in range(1, 3 * KEEP + 1):
        logged.post("visualKNN", {"query_record": {"_id": "0"}, "k": k}, code=200)
    found = eventually(lambda: recent(logged), lambda rows: bool(rows) and rows[0]["k"] == 3 * KEEP)
    assert len(found) == KEEP
    assert [row["k"] for row in found] == list(range(3 * KEEP, 2 * KEEP, -1))


@pytest.mark.parametrize("filter_", [{"a": "\x00"}, {"a": "'); DROP TABLE lookalike.search_log; --"}, {"a": 10**300}])
def test_any_filter_that_is_answered_can_be_noted(logged: Api, filter_: dict[str, Any]) -> None:
    logged.fill(1)
    logged.post("visualKNN", {"query_record": {"_id": "0"}, "filter": filter_}, code=200)
    found = eventually(lambda: recent(logged), bool)
    assert found[0]["filter"] in (filter_, None)


def test_a_log_that_cannot_be_written_now_keeps_no_search_waiting(logged: Api) -> None:
    """Searches are answered while somebody holds the table; they are noted once it is free."""
    logged.fill(1)
    with logged.context.db.session() as other, other.transaction():
        other.execute("LOCK TABLE lookalike.search_log")
        for _ in range(5):
            logged.post("visualKNN", {"query_record": {"_id": "0"}}, code=200)
    assert len(eventually(lambda: recent(logged), lambda rows: len(rows) >= 5)) == 5


def test_what_waits_for_a_database_that_is_away_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    db = Database("postgresql://nobody@127.0.0.1:1/nowhere", timeout_seconds=0.2)
    db.open()
    notes = SearchLog(db, KEEP)
    notes.open()
    for n in range(12_000):
        notes.searched(Entry(datetime.now(UTC), 1, 1, "visualKNN", str(n), None, 1, 1, 1.0, None))
    notes.close()
    assert [entry.query_id for entry in notes.waiting] == [str(n) for n in range(2_000, 12_000)]
    assert "trying again" in caplog.text
    db.close()


def test_it_is_off_by_default(api: Api) -> None:
    api.fill(1)
    api.post("visualKNN", {"query_record": {"_id": "0"}}, code=200)
    assert SearchLog not in map(type, api.context.observers)
    assert recent(api) == []


class Listener:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Entry] = []

    def open(self) -> None:
        self.told.clear()

    def searched(self, entry: Entry) -> None:
        self.told.append(entry)

    def close(self) -> None:
        self.told.clear()


def test_every_observer_is_told_of_every_search_and_of_nothing_else(api: Api) -> None:
    api.fill(4)
    one, other = Listener(), Listener()
    flask = Flask("observed")
    errors.register(flask)
    flask.register_blueprint(blueprint(replace(api.context, observers=(one, other)), "photo/search", "photo"))
    observed = replace(api, client=flask.test_client())
    query = {"_id": "2", "tags": ["a"]}
    asked: dict[str, dict[str, Any]] = {
        "visualKNN": {"query_record": query, "k": 3, "filter": {"price": {"$gte": 0}}},
        "visualKNNMulti": {"query_records": [query, {"_id": "1"}], "k": 2},
        "visualTagsKNN": {"query_record": query, "k": 1},
        "visualTagsKNNMulti": {"query_records": [query], "k": 1},
        "range": {"query_record": {"_base64": picture(1)}, "radius": 1000},
        "nearDuplicates": {"query_record": query, "radius": 1000},
        "visualRankRecords": {"query_record": query, "records": [{"_id": "0"}, {"_id": "1"}], "k": 1},
        "visualTagsRankRecords": {"query_record": query, "records": [{"_id": "0"}]},
    }
    for method, body in asked.items():
        answer = observed.post(method, body, code=200)
        entry = one.told[-1]
        assert (entry.method, entry.results, entry.k) == (method, answer["answer_count"], body.get("k"))
        assert entry.way == answer["statistics"]["search"]
        assert entry.filter == body.get("filter")
        assert entry.query_id == (None if method == "range" else "2")
    for method, body in (("get", {"records": [{"_id": "1"}]}), ("find", {"filter": {}}), ("getRecordCount", {})):
        observed.post(method, body)
    observed.post("visualKNN", {"query_record": {"_id": "nobody"}}, code=403)
    assert [entry.method for entry in one.told] == list(asked)
    assert other.told == one.told
