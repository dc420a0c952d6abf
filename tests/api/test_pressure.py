"""Too much at once: refused in time and in words, the fast not held up by the slow, and all well afterwards."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from app import create_app
from app.config import Settings
from app.db import schema
from app.db.engine import Database
from app.db.prerequisites import connections_short
from app.domain.errors import Unavailable
from app.domain.records import Fields
from app.domain.tokens import Scope
from app.domain.windows import Window
from app.search.request import Query
from app.services import collections, tokens
from app.services.context import Context
from tests.api.conftest import Api
from tests.support.searching import exact, vector_of
from tests.support.waiting import eventually

_WAIT = 0.5


@pytest.fixture
def narrow(database_url: str, settings: Callable[..., Settings]) -> Iterator[Api]:
    """The application with four connections, and a wait of half a second for one."""
    application = create_app(settings(pool_connections=4, pool_timeout_seconds=_WAIT), database_url)
    context: Context = application.extensions["lookalike"]
    eventually(context.db._pool.get_stats, lambda now: now.get("pool_available"))  # a busy machine connects more slowly
    made = collections.create(context, "c", "photo")
    api = Api(application.test_client(), context, made.name, tokens.create(context, [Scope.ADMIN], None).token)
    api.fill(10)
    yield api
    context.close()


def sleep(db: Database, until: threading.Event) -> None:
    """Hold a connection until told otherwise."""
    db.read(lambda connection: [connection.execute("SELECT 1"), until.wait(30)])


def held(db: Database, number: int, until: threading.Event, pool: ThreadPoolExecutor) -> None:
    for _ in range(number):
        pool.submit(sleep, db, until)
    eventually(db._pool.get_stats, lambda now: not now.get("pool_available") and now.get("pool_size", 0) >= number)


def test_no_connection_is_a_503_in_time_and_fifty_of_them_do_not_pile_up(narrow: Api) -> None:
    body = {"query_record": {"_id": "1"}, "k": 3}
    narrow.post("visualKNN", body, code=200)
    until = threading.Event()
    with ThreadPoolExecutor(4) as holders, ThreadPoolExecutor(50) as callers:
        held(narrow.context.db, 4, until, holders)
        started = time.monotonic()

        def ask(_: int) -> tuple[int, str | None, str]:
            client = narrow.client.application.test_client()
            headers = {"Authorization": f"Token {narrow.token}", "collection-id": "c"}
            answer = client.post("/v2/visualKNN", json=body, headers=headers)
            return answer.status_code, answer.headers.get("Retry-After"), answer.get_json()["status"]["text"]

        answers = list(callers.map(ask, range(50)))
        took = time.monotonic() - started
        until.set()
    assert answers == [(503, "1", "service unavailable")] * 50
    assert took < 20 * _WAIT
    narrow.post("visualKNN", body, code=200)


def test_expensive_searches_leave_connections_to_fast_ones(narrow: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of four connections are theirs; a third expensive search waits for its place, fast ones do not."""
    db = narrow.context.db
    collection = narrow.context.lookup.collection("c")
    monkeypatch.setattr("app.db.search.send.is_expensive", lambda _: True)
    target = Query(collection, Window(3), Fields(), exact=True)
    until = threading.Event()

    def hold() -> None:
        with db.expensive():
            sleep(db, until)

    with ThreadPoolExecutor(2) as holders:
        for _ in range(2):
            holders.submit(hold)
        eventually(lambda: db._expensive._value == 0)
        vector = vector_of(db, collection, "1")
        with pytest.raises(Unavailable, match="compare every record") as refused:
            exact(db, target, vector)
        assert refused.value.retry_after_seconds == 2
        with ThreadPoolExecutor(20) as callers:  # one may wait, the others are told at once
            started = time.monotonic()
            asked = [callers.submit(exact, db, target, vector) for _ in range(20)]
            assert all(isinstance(one.exception(), Unavailable) for one in asked)
            assert time.monotonic() - started < 4 * _WAIT
        for number in range(10):
            narrow.post("get", {"records": [{"_id": str(number)}]}, code=205)
        until.set()
    assert len(exact(db, target, vector)) == 3


def test_a_pool_that_the_database_cannot_serve_is_said(database_url: str) -> None:
    assert schema.connections_short(database_url, 1) is None
    with psycopg.connect(database_url, autocommit=True) as connection:
        said = connections_short(connection, 100_000)
        assert said is not None
        assert "LOOKALIKE_POOL_CONNECTIONS" in said
        row = connection.execute("SELECT current_setting('max_connections')::integer").fetchone()
        assert row is not None
        most = row[0]
        reserved = connection.execute("SELECT current_setting('superuser_reserved_connections')::integer").fetchone()
        assert reserved is not None
        with psycopg.connect(database_url):
            said = connections_short(connection, most - reserved[0])
        assert said is not None
        assert "left" in said
