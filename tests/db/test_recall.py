"""Recall is measured, stored with the index, and searches take the least effort that reaches the target."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import psycopg
import pytest

from app import create_context
from app.config import Settings
from app.db import collections, indexes, loads, partial, records
from app.db import recall as recall_table
from app.db.engine import Database
from app.db.records import NewRecord
from app.domain.collections import Collection, NewCollection
from app.domain.errors import InvalidRequest
from app.domain.ranking import Nearest
from app.domain.recall import Depth
from app.domain.records import Fields
from app.domain.windows import Window
from app.filters import compile_filter, parse_filter
from app.search.plan import grown_effort
from app.search.request import Query
from app.services import indexing, measuring
from app.services.context import Context
from tests.db.vectors import random_vectors
from tests.support.databases import Databases
from tests.support.searching import answered, exact
from tests.support.waiting import eventually

DIMENSIONS = 64
ROWS = 3000


@pytest.fixture(scope="module")
def stock(databases: Databases, template: str) -> Iterator[str]:
    """The URL of a database with an indexed collection, of which each test has a copy."""
    with databases.copy(template) as url:
        db = Database(url)
        db.open()
        own = collections.create(db, NewCollection("c", "photo", "m", "1", DIMENSIONS, 62.5))
        vectors = random_vectors(ROWS, DIMENSIONS)
        rows = [
            NewRecord(f"r{n}", json.dumps({"n": n, "kind": "even" if n % 2 == 0 else "odd"}), vector)
            for n, vector in enumerate(vectors)
        ]
        loads.copy(db, own, rows)
        assert indexes.build_hnsw(db, own, indexes.Resources(memory_mb=128, workers=1))
        db.close()
        yield url


@pytest.fixture
def database_url(databases: Databases, stock: str) -> Iterator[str]:
    with databases.copy(stock) as url:
        yield url


@pytest.fixture
def context(database_url: str, settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> Iterator[Context]:
    monkeypatch.setattr(measuring, "QUERIES", 12)
    monkeypatch.setattr(measuring, "LEAST_QUERIES", 12)
    monkeypatch.setattr(measuring, "EFFORTS", (40, 80, 200))
    made = create_context(settings(auth_cache_seconds=0, recall_seconds=60), database_url)
    made.db.open()
    yield made
    made.db.close()


@pytest.fixture
def measured(context: Context) -> Collection:
    found = measuring.measure_now(context, collections.get(context.db, "c"))
    assert found is not None
    return collections.get(context.db, "c")


def asked(context: Context, collection: Collection, target: float | None = None, **filter_: object) -> Nearest:
    where = compile_filter(parse_filter(filter_), indexed_fields=frozenset(), table="r")
    query = Query(collection, Window(20), Fields(), where, recall_target=target)
    return answered(context.db, query, "r7")


def test_a_measured_collection_reaches_its_target_with_less_effort(context: Context, measured: Collection) -> None:
    assert measured.recall is not None
    assert set(measured.recall.curves) == set(Depth)
    assert (measured.recall.queries, measured.recall.target) == (12, 0.99)
    # What 12 searches prove of .99 is a matter of luck, of .9 it is not.
    collections.change(context.db, "c", {"recall_target": 0.9})
    measuring.retarget(context, collections.get(context.db, "c"))
    measured = collections.get(context.db, "c")
    assert measured.recall is not None
    assert measured.recall.efforts.nearest < grown_effort(measured, context.db.ef_search)
    found = asked(context, measured)
    assert found.reached is not None
    assert (found.reached.target, found.reached.effort) == (0.9, measured.recall.efforts.nearest)
    hits = 0
    for query in random_vectors(40, DIMENSIONS, seed=5):
        target = Query(measured, Window(20), Fields())
        near, true = answered(context.db, target, query), exact(context.db, target, query)
        hits += len({one.id for one in near.records} & {one.id for one in true})
    assert hits / 800 >= 0.9


def test_a_target_of_a_request_changes_the_effort(context: Context, measured: Collection) -> None:
    assert measured.recall is not None
    low, usual, high = (asked(context, measured, target).reached for target in (0.5, None, 0.9999))
    assert low is not None
    assert usual is not None
    assert high is not None
    assert (low.target, low.effort) == (0.5, 40)
    assert low.effort <= usual.effort <= high.effort
    assert low.effort < high.effort
    assert asked(context, measured, 1.0).way == "exact"
    own = replace(Query(measured, Window(20), Fields()), effort=333, recall_target=0.5)
    assert answered(context.db, own, "r7").reached is not None
    assert answered(context.db, own, "r7").reached == replace(low, effort=333, recall=1.0)


def test_a_target_of_a_collection_is_kept_and_used(context: Context, measured: Collection) -> None:
    collections.change(context.db, "c", {"recall_target": 0.5})
    measuring.retarget(context, collections.get(context.db, "c"))
    found = collections.get(context.db, "c")
    assert found.recall is not None
    assert (found.recall_target, found.recall.target, found.recall.efforts.nearest) == (0.5, 0.5, 40)
    collections.change(context.db, "c", {"recall_target": 1.0})
    assert asked(context, collections.get(context.db, "c")).way == "exact"
    for wrong in (0.0, 1.5, float("nan"), -1.0):
        with pytest.raises(InvalidRequest, match="above 0 and at most 1"):
            collections.change(context.db, "c", {"recall_target": wrong})


def test_it_survives_a_restart_and_another_server_sees_it(
    measured: Collection, database_url: str, settings: Callable[..., Settings]
) -> None:
    other = create_context(settings(), database_url)
    other.db.open()
    assert other.lookup.collection("c").recall == measured.recall
    other.db.close()


def test_growth_by_a_tenth_has_it_measured_again(context: Context, measured: Collection) -> None:
    name = indexes.hnsw_name(measured)

    def due() -> bool:
        found = recall_table.due(context.db, measured, name)
        return found is not None and found.due

    assert not due()
    measuring.keep(context, measured)
    assert collections.get(context.db, "c").recall == measured.recall
    vectors = random_vectors(ROWS // 10 + 1, DIMENSIONS, seed=3)
    loads.copy(context.db, measured, [NewRecord(f"w{n}", "{}", vector) for n, vector in enumerate(vectors)])
    eventually(due)
    indexing.maintain(context, measured)
    again = eventually(
        lambda: collections.get(context.db, "c").recall,
        lambda now: now is not None and measured.recall is not None and now.measured_at != measured.recall.measured_at,
    )
    assert again is not None
    assert not due()


def test_what_was_measured_of_another_build_is_not_used(context: Context, measured: Collection) -> None:
    assert indexes.rebuild_hnsw(context.db, measured)
    found = collections.get(context.db, "c")
    assert found.recall is None
    reached = asked(context, found).reached
    assert reached is not None
    assert (reached.effort, reached.recall) == (100, None)
    measuring.keep(context, found)
    assert collections.get(context.db, "c").recall is not None


def test_searches_are_answered_while_it_is_measured(context: Context) -> None:
    own = collections.get(context.db, "c")
    worker = threading.Thread(target=measuring.keep, args=(context, own))
    worker.start()
    answers = 0
    while worker.is_alive():
        assert len(asked(context, own).records) == 20
        answers += 1
    worker.join()
    assert answers
    assert collections.get(context.db, "c").recall is not None


def test_of_two_servers_one_measures(context: Context, measured: Collection) -> None:
    name = indexes.hnsw_name(measured)
    assert recall_table.claim(context.db, measured, name, 60)
    assert not recall_table.claim(context.db, measured, name, 60)
    assert measuring.measure_now(context, measured) is None
    recall_table.release(context.db, name)
    assert measuring.measure_now(context, measured) is not None


def test_a_claim_lasts_as_long_as_the_measurement_may(context: Context, measured: Collection) -> None:
    """With as much rest as work, and no less than ten minutes; then whoever had it is gone."""
    name = indexes.hnsw_name(measured)
    assert recall_table.claim(context.db, measured, name, 480)
    later = "UPDATE lookalike.index_recall SET claimed_at = claimed_at - make_interval(mins => 11)"
    context.db.write(lambda connection: connection.execute(later))
    assert not recall_table.claim(context.db, measured, name, 480), "eight minutes of work and of rest"
    assert recall_table.claim(context.db, measured, name, 60)


def test_more_records_are_given_more_time() -> None:
    assert [measuring.allowed(60, rows) for rows in (0, 10_001, 250_000, 1_000_000)] == [60, 60, 60, 240]


def test_too_short_a_time_measures_nothing(context: Context, settings: Callable[..., Settings]) -> None:
    short = replace(context, settings=settings(auth_cache_seconds=0, recall_seconds=0.001))
    own = collections.get(context.db, "c")
    measuring.keep(short, own)
    assert collections.get(context.db, "c").recall is None
    assert recall_table.claim(context.db, own, indexes.hnsw_name(own), 60), "the next try is free"


def test_an_index_of_a_value_is_measured_too(context: Context) -> None:
    # Whatever is measured, a walk costs less than comparing then.
    collections.change(context.db, "c", {"recall_target": 0.5})
    own = collections.get(context.db, "c")
    partial.build(context.db, own, "kind", "odd", indexes.Resources())
    indexes.analyze(context.db, own)
    measuring.keep(context, collections.get(context.db, "c"))
    [part] = collections.get(context.db, "c").partial_indexes
    assert part.recall is not None
    found = asked(context, collections.get(context.db, "c"), kind="odd")
    assert found.way == "index"
    assert found.reached is not None
    assert found.reached.effort == part.recall.efforts.matches


def test_sql_says_it_and_searches_by_it(context: Context, measured: Collection, database_url: str) -> None:
    assert measured.recall is not None
    with psycopg.connect(database_url, autocommit=True) as connection:
        row = connection.execute(
            "SELECT collection, recall_target, effort, effort_matches, recall_10, current FROM lookalike.search_recall"
        ).fetchone()
        assert row is not None
        chosen = measured.recall.efforts
        assert row[:4] == ("c", 0.99, chosen.nearest, chosen.matches)
        assert 0.97 < row[4] <= 1
        assert row[5]
        few = [one[0] for one in connection.execute("SELECT id FROM lookalike.knn('c', 'r7', 20)")]
        assert few == [one.id for one in asked(context, measured).records]


def test_it_goes_with_the_collection(context: Context, measured: Collection) -> None:
    records.delete(context.db, measured, ["r1"])
    collections.drop(context.db, "c")
    assert context.db.one("SELECT count(*) AS number FROM lookalike.index_recall") == {"number": 0}
