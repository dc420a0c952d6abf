"""Collections on the workers of a cluster of Citus: `pytest --citus=URL`; skipped without."""

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from app.db import cluster, collections, indexes, loads, records, schema
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
from tests.db.vectors import random_vectors
from tests.support import citus
from tests.support.commands import run
from tests.support.searching import answered, walk

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


def test_a_collection_is_distributed_once(filled: Filled) -> None:
    db, made = filled
    with pytest.raises(InvalidRequest, match="lie on the workers already: hash"):
        cluster.check_collection(db, made["hash"])
    with pytest.raises(InvalidRequest, match="another model is not possible"):
        made["whole"].refuse_distributed("another model")


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
        finally:
            connection.execute("SELECT citus_update_node(%s, %s, %s)", row)
    assert answered(db, query, vector).records == before
