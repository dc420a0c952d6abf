"""The HNSW index's life: built, worn by deletions, built anew while searches go on."""

import json
import threading
from collections.abc import Callable, Iterator

import psycopg
import pytest

from app import create_context
from app.config import Settings
from app.db import collections, indexes, loads, locks, records, search_costs
from app.db.engine import Database
from app.db.records import NewRecord
from app.domain.collections import Collection, NewCollection
from app.domain.errors import InvalidRequest
from app.domain.records import Fields
from app.domain.windows import Window
from app.search.request import Query
from app.services import indexing, recalling
from app.services.context import Context
from tests.db.vectors import random_vectors
from tests.support.databases import Databases
from tests.support.searching import answered
from tests.support.waiting import build_ended, eventually

DIMENSIONS = 64


@pytest.fixture(scope="module")
def stock(databases: Databases, template: str) -> Iterator[str]:
    """The URL of a database with an indexed collection of 3,000 records, of which each test has a copy."""
    with databases.copy(template) as url:
        db = Database(url)
        db.open()
        own = collections.create(db, NewCollection("c", "photo", "m", "1", DIMENSIONS, 62.5))
        vectors = random_vectors(3000, DIMENSIONS)
        rows = [NewRecord(f"r{n}", json.dumps({"n": n}), vector) for n, vector in enumerate(vectors)]
        loads.copy(db, own, rows)
        assert indexes.build_hnsw(db, own, indexes.Resources(memory_mb=128, workers=1))
        db.close()
        yield url


@pytest.fixture
def database_url(databases: Databases, stock: str) -> Iterator[str]:
    with databases.copy(stock) as url:
        yield url


@pytest.fixture
def context(database_url: str, settings: Callable[..., Settings]) -> Iterator[Context]:
    made = create_context(settings(reindex_share=0.2, auth_cache_seconds=0), database_url)
    made.db.open()
    yield made
    made.db.close()


@pytest.fixture
def filled(context: Context) -> Collection:
    return collections.get(context.db, "c")


def counted(db: Database, collection: Collection, share: float) -> None:
    """Wait until the server's counters have what was deleted: they come a second late."""
    eventually(lambda: indexes.deleted_share(db, collection), lambda worn: worn >= share)


def oid(db: Database, collection: Collection) -> int:
    text = "SELECT pg_relation_filenode(to_regclass(%s)) AS node"
    row = db.read(lambda connection: connection.execute(text, (f"lookalike.records_{collection.id}_hnsw",)).fetchone())
    assert row is not None
    return int(row["node"])


def test_an_index_worn_by_deletions_is_built_anew(context: Context, filled: Collection) -> None:
    assert not indexing.rebuild_after_deletions(context, filled)
    records.delete(context.db, filled, [f"r{n}" for n in range(900)])
    counted(context.db, filled, 0.3)
    before = oid(context.db, filled)
    assert indexing.rebuild_after_deletions(context, filled)
    assert oid(context.db, filled) != before
    assert indexes.deleted_share(context.db, filled) < 0.05
    assert not indexing.rebuild_after_deletions(context, filled)
    nearest = answered(context.db, Query(filled, Window(100), Fields()), "r2000")
    assert (len(nearest.records), nearest.way) == (100, "index")


def test_a_graph_of_many_records_is_built_with_more_care(
    context: Context, filled: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that was small when it was built, as soon as it is built anew."""
    text = "SELECT reloptions FROM pg_class WHERE oid = to_regclass(%s)"

    def options() -> list[str]:
        name = (f"lookalike.records_{filled.id}_hnsw",)
        row = context.db.read(lambda connection: connection.execute(text, name).fetchone())
        return sorted((row or {})["reloptions"])

    assert options() == ["ef_construction=64", "m=16"]
    monkeypatch.setattr(indexes, "LARGE", 2999)
    assert indexes.rebuild_hnsw(context.db, filled)
    assert options() == ["ef_construction=200", "m=16"]
    indexes.drop_hnsw(context.db, filled)
    assert indexes.build_hnsw(context.db, filled)
    assert options() == ["ef_construction=200", "m=16"]


def test_a_delete_starts_it_in_the_background(context: Context, filled: Collection) -> None:
    before = oid(context.db, filled)
    records.delete(context.db, filled, [f"r{n}" for n in range(900)])
    counted(context.db, filled, 0.3)
    indexing.maintain(context, filled)
    eventually(lambda: oid(context.db, filled), lambda now: now != before)
    build_ended(context, filled)


def test_searches_are_complete_while_it_is_built_anew(context: Context, filled: Collection) -> None:
    target = Query(filled, Window(50), Fields())
    done: list[bool] = []
    builder = threading.Thread(target=lambda: done.append(indexing.rebuild(context, filled)))
    builder.start()
    asked = 0
    while builder.is_alive() or not asked:
        nearest = answered(context.db, target, f"r{asked % 3000}")
        assert len(nearest.records) == 50
        assert nearest.records[0].distance == 0.0
        asked += 1
    builder.join()
    assert done == [True]


def test_of_two_servers_one_builds(context: Context, filled: Collection, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s, %s)", (locks.INDEX_BUILD, filled.id))
        assert not indexing.rebuild(context, filled)
    assert indexing.rebuild(context, filled)


def test_progress_of_a_build_is_told(context: Context, filled: Collection, database_url: str) -> None:
    """A build that has to wait for an old transaction stands in the view until that ends."""
    assert indexes.progress(context.db, filled) is None
    with psycopg.connect(database_url) as other:
        other.execute("DELETE FROM lookalike.records WHERE id = 'r1'")
        builder = threading.Thread(target=indexing.rebuild, args=(context, filled))
        builder.start()
        seen = eventually(lambda: indexes.progress(context.db, filled))
        other.rollback()
    builder.join()
    assert seen is not None
    assert seen["command"] == "REINDEX CONCURRENTLY"


def test_a_partition_knows_when_to_be_vacuumed(context: Context, filled: Collection) -> None:
    text = "SELECT reloptions FROM pg_class WHERE oid = to_regclass(%s)"
    row = context.db.read(lambda connection: connection.execute(text, (f"lookalike.records_{filled.id}",)).fetchone())
    assert row is not None
    assert "autovacuum_vacuum_scale_factor=0.3" in row["reloptions"]


def test_what_waits_for_the_index_of_attributes_is_little(context: Context, filled: Collection) -> None:
    """Every filtered search reads it: 30,000 entries that were just written would be 80 pages at PostgreSQL's usual."""
    attributes = [json.dumps({f"field {place}": n * place for place in range(10)}) for n in range(3000)]
    vectors = random_vectors(3000, DIMENSIONS)
    rows = [NewRecord(f"w{n}", text, vector) for n, (text, vector) in enumerate(zip(attributes, vectors, strict=True))]
    assert loads.copy(context.db, filled, rows) == 3000
    text = "SELECT gin_clean_pending_list(to_regclass(%s)) AS pages"
    name = f"lookalike.records_{filled.id}_attributes_idx"
    row = context.db.read(lambda connection: connection.execute(text, (name,)).fetchone())
    assert row is not None
    assert row["pages"] <= 20


def test_recall_is_measured(context: Context, filled: Collection) -> None:
    found = recalling.measure(context, filled, sample=30, k=10)
    assert found.queries == 30
    assert 0.95 <= found.low <= found.recall <= found.high <= 1.0
    assert found.ways == {"index": 30}
    few = recalling.measure(context, filled, sample=5, k=10, filter_={"n": {"$lt": 50}})
    assert (few.recall, few.ways) == (1.0, {"exact": 5})
    with pytest.raises(InvalidRequest, match="nothing to measure"):
        recalling.measure(context, filled, sample=5, k=10, filter_={"n": {"$lt": 0}})


@pytest.mark.parametrize(("hits", "trials"), [(0, 10), (10, 10), (985, 1000)])
def test_the_interval_holds_the_share(hits: int, trials: int) -> None:
    low, high = recalling.interval(hits, trials)
    assert 0 <= low <= hits / trials <= high <= 1
    assert high - low < 4 / trials**0.5


def test_calibration_is_stored_and_used(context: Context, filled: Collection) -> None:
    assert filled.costs is None
    assert search_costs.dimensions_in_use(context.db) == [DIMENSIONS]
    measured = search_costs.measure(context.db, DIMENSIONS)
    assert collections.get(context.db, "c").costs == measured.costs
    assert min(measured.costs.distance_us, measured.costs.match_us, measured.costs.candidate_us) > 0
    again = search_costs.measure(context.db, DIMENSIONS)
    assert collections.get(context.db, "c").costs == again.costs
