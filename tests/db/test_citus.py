"""Collections on the workers of a cluster of Citus: `pytest --citus=URL`; skipped without."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from app.db import cluster, collections, duplicates, gauges, indexes, loads, maps, records, schema
from app.db.engine import Database
from app.db.records import NewRecord
from app.db.search import compared
from app.domain.collections import Collection, Layout, NewCollection
from app.domain.errors import InvalidRequest, Unavailable
from app.domain.records import Fields
from app.domain.windows import Window
from app.filters import compile_filter, parse_filter
from app.search.plan import Walk
from app.search.request import Query
from app.services.backups import Backups
from tests.db.vectors import random_vectors
from tests.support import citus
from tests.support.commands import run
from tests.support.searching import answered, walk
from tests.support.waiting import eventually

ROWS, DIMENSIONS = 12_000, 64
Filled = tuple[Database, dict[str, Collection]]


@pytest.fixture(scope="module")
def filled(citus_url: str) -> Iterator[Filled]:
    """The same vectors in three collections: on the coordinator, whole on a worker, and spread."""
    with citus.made(citus_url) as url:
        schema.upgrade(url)
        db = Database(url)
        db.open()
        made = {}
        vectors = random_vectors(ROWS, DIMENSIONS)
        for name in ("local", "whole", "hash"):
            own = collections.create(db, NewCollection(name, "photo", "m", "1", DIMENSIONS, 62.5))
            rows = [
                NewRecord(f"r{n}", json.dumps({"n": n, "tenth": n % 10}), one, thumbnail=b"w" if n < 3 else None)
                for n, one in enumerate(vectors)
            ]
            loads.copy(db, own, rows)
            if name == "local":
                indexes.build_hnsw(db, own)
            else:
                environment = {"DATABASE_URL": url, "LOOKALIKE_INDEX_ROWS": "1000"}
                how = ["--whole"] if name == "whole" else []
                done = run(["db", "distribute", "--collection", name, *how], environment)
                assert done.returncode == 0, done.stderr
                assert f"built the index of {name}" in done.stdout
            made[name] = collections.get(db, name)
        yield db, made
        db.close()


def test_where_records_lie_is_told_with_their_numbers(filled: Filled) -> None:
    db, made = filled
    assert {name: (one.layout, one.shards) for name, one in made.items()} == {
        "local": (Layout.LOCAL, 1),
        "whole": (Layout.WHOLE, 1),
        "hash": (Layout.HASH, 2),
    }
    for one in made.values():
        assert one.indexed
        assert one.rows == ROWS
    listed = {row["name"]: row for row in collections.list_all(db)}
    for row in listed.values():
        assert row["estimated_records"] == ROWS
        assert row["table_bytes"] == pytest.approx(listed["local"]["table_bytes"], rel=0.2)
        assert row["index_bytes"] > 1_000_000
    assert records.thumbnail(db, made["hash"], "r1") == b"w"
    assert schema.problems(db.url) == []


def test_figures_are_those_of_the_shards(filled: Filled) -> None:
    db, made = filled
    figures = {(row.gauge, row.label): row.value for row in gauges.read(db, 200, 1000)}
    for name in made:
        assert figures["records", name] == figures["index_rows", name] == ROWS
        for gauge in ("bytes", "index_bytes"):
            assert figures[gauge, name] == pytest.approx(figures[gauge, "local"], rel=0.2)
        assert figures["index_missing", name] == 0
        assert figures["index_blocks_memory", name] > 100
    assert figures["database_bytes", ""] > sum(figures["bytes", name] for name in made)
    health = db.all("SELECT * FROM lookalike.index_health WHERE kind = 'hnsw'")
    assert {row["collection"] for row in health} == set(made)
    for row in health:
        assert row["estimated_records"] == ROWS
        assert row["bytes"] == figures["index_bytes", row["collection"]]
        assert row["last_analyze"] is not None
        assert (row["valid"], row["advice"]) == (True, "healthy")


def test_a_build_on_the_workers_is_followed(filled: Filled) -> None:
    db, made = filled
    own = made["hash"]
    with psycopg.connect(_worker(db)) as reading:
        reading.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        reading.execute("SELECT 1 AS one")  # a build waits for the end of what sees the table without the index
        with ThreadPoolExecutor(1) as pool:
            done = pool.submit(indexes.declare_field, db, own, "tenth")
            try:
                eventually(lambda: ((indexes.progress(db, own) or {}).get("phase") or "").startswith("waiting for old"))
                found = indexes.progress(db, own) or {}
                figures = {(row.gauge, row.label): row.value for row in gauges.read(db, 200, 1000)}
            finally:
                reading.rollback()
            done.result()
    assert found["command"] == "CREATE INDEX CONCURRENTLY"
    assert 0 <= figures["build_share", "hash"] <= 1
    assert ("build_share", "whole") not in figures
    assert indexes.progress(db, own) is None
    assert indexes.attribute_bytes(db, own) > 0


def _worker(db: Database) -> str:
    """Return the URL of a worker's database."""
    row = db.one("SELECT nodename, nodeport FROM pg_dist_node WHERE groupid > 0 ORDER BY groupid LIMIT 1")
    assert row is not None
    return make_conninfo(db.url, host=row["nodename"], port=row["nodeport"])


def test_an_index_is_built_anew_after_deletions(filled: Filled) -> None:
    db, _ = filled
    own = collections.create(db, NewCollection("shrinking", "photo", "m", "1", DIMENSIONS, 62.5))
    cluster.distribute(db, own, 2)
    own = collections.get(db, "shrinking")
    loads.copy(db, own, [NewRecord(f"r{n}", "{}", one) for n, one in enumerate(random_vectors(2000, DIMENSIONS))])
    indexes.build_hnsw(db, own)
    assert indexes.deleted_share(db, own) == 0
    records.delete(db, own, [f"r{n}" for n in range(600)])
    eventually(lambda: indexes.deleted_share(db, own) == pytest.approx(0.3))
    assert indexes.rebuild_hnsw(db, own)
    assert indexes.deleted_share(db, own) == 0
    collections.drop(db, "shrinking")


def test_a_collection_is_distributed_once(filled: Filled) -> None:
    db, made = filled
    with pytest.raises(InvalidRequest, match="lie on the workers already: hash"):
        cluster.check_collection(db, made["hash"])
    with pytest.raises(InvalidRequest, match="another model is not possible"):
        made["whole"].refuse_distributed("another model")
    for own in made.values():
        assert not duplicates.forget(db, own), "nothing is stored, and nothing fails"
        assert not maps.forget(db, own)


@pytest.mark.parametrize("k", [10, 30, 100])
def test_recall_is_that_of_one_node_or_better(filled: Filled, k: int) -> None:
    db, made = filled
    queries = random_vectors(40, DIMENSIONS, seed=5)
    hits = dict.fromkeys(made, 0)
    for query in queries:
        true = {one.id for one in compared(db, Query(made["local"], Window(k), Fields()).near(query))}
        for name, own in made.items():
            near = answered(db, Query(own, Window(k), Fields()), query)
            assert near.way == "index"
            hits[name] += len({one.id for one in near.records} & true)
    assert hits["hash"] >= hits["local"]
    assert hits["whole"] >= 0.99 * hits["local"], "another graph of the same parameters"
    assert hits["local"] > 0.98 * k * len(queries)


def test_each_worker_walks_its_graph_with_the_effort_that_is_asked_for(filled: Filled) -> None:
    db, made = filled
    for name, where in (
        ("whole", {}),
        ("hash", {}),
        ("hash", {"where": compile_filter(parse_filter({"tenth": 3}), table="r")}),
    ):
        read = []
        for effort in (20, 400):
            query = Query(made[name], Window(10), Fields(), what=random_vectors(1, DIMENSIONS, seed=9)[0], **where)  # type: ignore[arg-type]
            text, values = walk(query, Walk(10, 20, effort))
            with db.session() as connection:
                connection.execute("SET citus.explain_all_tasks = on")
                row = connection.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + text, values).fetchone()
            said = json.dumps((row or {})["QUERY PLAN"])
            scans = [one for one in _tasks((row or {})["QUERY PLAN"]) if "_hnsw" in one.get("Index Name", "")]
            assert len(scans) == made[name].shards, said
            read.append(sum(one["Shared Hit Blocks"] + one["Shared Read Blocks"] for one in scans))
        assert read[1] > 2 * read[0]


def _tasks(found: Any) -> Iterator[dict[str, Any]]:
    """Yield every node of every plan, also those of tasks and of plans below."""
    if isinstance(found, dict):
        if "Node Type" in found:
            yield found
        for one in found.values():
            yield from _tasks(one)
    elif isinstance(found, list):
        for one in found:
            yield from _tasks(one)


def test_a_worker_that_is_away_is_said_and_comes_back(filled: Filled) -> None:
    db, made = filled
    query = Query(made["hash"], Window(3), Fields())
    vector = random_vectors(1, DIMENSIONS, seed=3)[0]
    before = answered(db, query, vector).records
    with psycopg.connect(db.url, autocommit=True) as connection:
        row = connection.execute(
            "SELECT nodeid, nodename, nodeport FROM pg_dist_node WHERE groupid > 0 LIMIT 1"
        ).fetchone()
        assert row is not None
        connection.execute("SELECT citus_update_node(%s, %s, 1)", row[:2])
        try:
            db._empty()
            with pytest.raises(Unavailable):
                answered(db, query, vector)
            assert any("is away" in problem for problem in schema.problems(db.url))
            figures = {(row.gauge, row.label) for row in gauges.read(db, 200, 1000)}
            assert ("records", "local") in figures
            assert not figures & {(gauge, "hash") for gauge in ("records", "bytes", "index_bytes", "index_rows")}
        finally:
            connection.execute("SELECT citus_update_node(%s, %s, %s)", row)
    assert answered(db, query, vector).records == before


def test_a_backup_is_refused_and_one_from_before_goes_back(citus_url: str, tmp_path: Path) -> None:
    with citus.made(citus_url) as url:
        schema.upgrade(url)
        db = Database(url)
        db.open()
        own = collections.create(db, NewCollection("photos", "photo", "m", "1", DIMENSIONS, 62.5))
        vectors = random_vectors(50, DIMENSIONS)
        loads.copy(db, own, [NewRecord(f"r{n}", "{}", one) for n, one in enumerate(vectors)])
        backups = Backups(tmp_path)
        made = backups.create(url, 0)
        assert made.records == 50
        cluster.distribute(db, own, 2)
        with pytest.raises(InvalidRequest, match=r"records on the workers of Citus \(photos\).*collection export"):
            backups.create(url, 0)
        assert [one.name for one in backups.listed()] == [made.name]
        db.close()
        backups.restore(made, url, replace_all=True)
        db = Database(url)
        db.open()
        own = collections.get(db, "photos")
        assert own.layout is Layout.LOCAL
        assert records.count(db, own) == 50
        cluster.distribute(db, own, 2)
        assert answered(db, Query(collections.get(db, "photos"), Window(1), Fields()), vectors[7]).records[0].id == "r7"
        db.close()
