"""Behind pgbouncer in transaction mode, settings hold, nothing is left on shared sessions, and no statement is lost."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from app.db import collections, indexes, listing, loads, records, schema
from app.db.conninfo import away, reach
from app.db.embedded import EmbeddedDatabase
from app.db.engine import Connection, Database
from app.domain.collections import Collection, NewCollection
from app.domain.errors import ConfigurationError, Unavailable
from app.domain.records import Fields
from app.domain.windows import Window
from app.search.request import Query
from tests.db.vectors import random_vectors
from tests.house import pgbouncer
from tests.support.searching import answered
from tests.support.waiting import eventually

pytestmark = pytest.mark.skipif(pgbouncer.program() is None, reason="pgbouncer is not installed")
SHOWN = ("hnsw.ef_search", "hnsw.iterative_scan", "statement_timeout", "jit", "search_path", "DateStyle")


@pytest.fixture
def pooled_url(database_url: str, tmp_path: Path) -> Iterator[str]:
    with pgbouncer.in_front_of(database_url, tmp_path) as url:
        yield url


@pytest.fixture
def pooled(pooled_url: str, database_url: str) -> Iterator[Database]:
    db = Database(pooled_url, admin_url=database_url, connections=8, ef_search=77)
    db.open()
    yield db
    db.close()


def shown(connection: Connection) -> dict[str, str]:
    text = "SELECT " + ", ".join(f"current_setting('{name}', true) AS \"{name}\"" for name in SHOWN)
    return dict(connection.execute(text).fetchone() or {})


def filled(db: Database, rows: int = 300) -> Collection:
    collection = collections.create(db, NewCollection("c", "photo", "m", "1", 8, 62.5))
    vectors = random_vectors(rows, 8)
    loads.copy(db, collection, [records.NewRecord(f"{n:04}", f'{{"n": {n}}}', v) for n, v in enumerate(vectors)])
    return collection


def test_settings_hold_in_reads_and_writes_and_are_left_to_nobody(pooled: Database, pooled_url: str) -> None:
    wanted = {
        "hnsw.ef_search": "77",
        "hnsw.iterative_scan": "relaxed_order",
        "statement_timeout": "30s",
        "jit": "off",
        "search_path": "public",
        "DateStyle": "ISO, YMD",
    }
    assert pooled.read(shown) == wanted
    assert pooled.write(shown) == wanted
    with pooled.snapshot() as connection:
        assert shown(connection) == {**wanted, "statement_timeout": "0"}
    with psycopg.connect(pooled_url, autocommit=True, prepare_threshold=None) as stranger:
        # The two server sessions that were used a moment ago, as somebody else finds them.
        for _ in range(4):
            row = stranger.execute("SELECT current_setting('hnsw.ef_search', true), current_setting('jit')").fetchone()
            assert row is not None
            assert row[0] in {None, "", "40"}
            row = stranger.execute(
                "SELECT current_setting('search_path'), current_setting('statement_timeout')"
            ).fetchone()
            assert row == ('"$user", public', "0")


def test_everything_a_server_does_is_done_by_many_at_once(pooled: Database) -> None:
    collection = filled(pooled)
    queries = random_vectors(8, 8, seed=5)
    target = Query(collection, Window(18), Fields(everything=True))

    def nearest(number: int) -> list[str]:
        # Up to eight records of the others are there for a moment, near or far.
        found = answered(pooled, target, queries[number % 8]).records
        return [one.id for one in found if not one.id.startswith("new")][:10]

    alone = [nearest(number) for number in range(8)]

    def one(number: int) -> bool:
        own = records.NewRecord(f"new{number}", "{}", queries[number % 8] * -1)
        same = nearest(number) == alone[number % 8]
        stored = records.insert(pooled, collection, [own]) == {own.id}
        return same and stored and records.delete(pooled, collection, [own.id]) == {own.id}

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(one, range(80)))
    stream = listing.stream(pooled, listing.Listing(collection, Fields(everything=True)))
    assert sum(len(rows) for rows in stream) == 300


def test_an_effort_of_its_own_ends_with_its_search(pooled: Database) -> None:
    collection = filled(pooled)
    target = Query(collection, Window(10), Fields(everything=True), effort=400)
    assert len(answered(pooled, target, random_vectors(1, 8)[0]).records) == 10
    assert pooled.read(shown)["hnsw.ef_search"] == "77"


def test_an_index_is_built_past_the_pooler(pooled: Database) -> None:
    collection = filled(pooled)
    assert indexes.build_hnsw(pooled, collection)
    assert collections.get(pooled, "c").indexed


def test_upgrades_and_builds_through_the_pooler_are_refused_in_words(pooled_url: str) -> None:
    with pytest.raises(ConfigurationError, match="LOOKALIKE_ADMIN_DATABASE_URL"):
        schema.upgrade(pooled_url)
    db = Database(pooled_url)
    with pytest.raises(ConfigurationError, match="LOOKALIKE_ADMIN_DATABASE_URL"), db.session():
        pass


def test_a_direct_connection_sets_its_session_once(db: Database) -> None:
    db.open()
    with db.session() as connection:
        before = shown(connection)
    assert before["hnsw.iterative_scan"] == "relaxed_order"
    assert db.read(lambda connection: connection.info.transaction_status) == psycopg.pq.TransactionStatus.IDLE


def test_a_database_that_is_down_behind_the_pooler_is_told_in_time(tmp_path: Path) -> None:
    database = EmbeddedDatabase(tmp_path / "home")
    migrated = database.start()
    schema.upgrade(migrated)
    # As long as it does not try again it refuses at once; by itself that is 15 seconds.
    with pgbouncer.in_front_of(migrated, tmp_path, more="server_login_retry = 1") as url:
        db = Database(url, connections=4, timeout_seconds=1)
        db.open()
        with ThreadPoolExecutor(4) as pool:
            assert set(pool.map(lambda _: db.read(schema.is_current), range(8))) == {True}
        database.stop()
        for _ in range(3):  # on connections that the pooler still keeps, then on new ones; alone it takes 120 seconds
            for work in (db.read, db.write):
                with pytest.raises(Unavailable, match="the database cannot be reached"):
                    work(schema.is_current)
        with pytest.raises(ConfigurationError, match=r"the pooler has no server|has been failing"):
            reach(url)
        assert "the database cannot be reached: " in str(away(url, 1))
        database.start()
        eventually(lambda: away(url, 1) is None)
        assert db.read(schema.is_current)
        db.close()
    database.stop()
