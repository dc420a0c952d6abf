"""Statements for collections in several tables answer on one table what the usual ones answer."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from numpy.typing import NDArray
from psycopg.conninfo import make_conninfo

from app.db import (
    cluster,
    collections,
    copying,
    duplicates,
    expiry,
    gauges,
    indexes,
    listing,
    loads,
    map_making,
    records,
    reembedding,
    replacing,
)
from app.db.engine import Database
from app.db.listing import Listing
from app.db.records import NewRecord
from app.db.search.reads import expectation, one_table
from app.domain.collections import Collection, Layout, NewCollection, SearchCosts
from app.domain.errors import ConfigurationError, InvalidRequest
from app.domain.ranking import Aggregation, Nearest
from app.domain.records import Fields
from app.domain.windows import Window
from app.filters import compile_filter, parse_filter
from app.search.plan import Walk, costs_of, grown_effort
from app.search.request import Query, several
from tests.db.vectors import random_vectors
from tests.support.databases import Databases
from tests.support.plans import nodes, plan
from tests.support.searching import answered, walk
from tests.support.waiting import eventually

ROWS, DIMENSIONS = 6000, 32
Both = tuple[Database, Collection, Collection]


@pytest.fixture(scope="module")
def prepared(databases: Databases, template: str) -> Iterator[str]:
    """A database with a filled, indexed collection; nobody is connected to it."""
    with databases.copy(template) as url:
        db = Database(url)
        db.open()
        own = collections.create(db, NewCollection("c", "photo", "m", "1", DIMENSIONS, 62.5, product_field="p"))
        rows = [
            NewRecord(f"r{n}", json.dumps({"n": n, "tenth": n % 10, "rare": n % 500, "p": n // 3}), vector)
            for n, vector in enumerate(random_vectors(ROWS, DIMENSIONS))
        ]
        loads.copy(db, own, rows)
        indexes.build_hnsw(db, own)
        db.close()
        yield url


@pytest.fixture
def both(databases: Databases, prepared: str) -> Iterator[Both]:
    """A database, its collection, and the same as if it were spread."""
    with databases.copy(prepared) as url:
        db = Database(url)
        db.open()
        one = collections.get(db, "c")
        yield db, one, replace(one, layout=Layout.HASH)
        db.close()


FILTERS = [None, {"tenth": 3}, {"rare": 7}, {"n": {"$lt": 3000}}, {"n": -1}]


@pytest.mark.parametrize("filter_", FILTERS)
@pytest.mark.parametrize("window", [Window(30), Window(20, 95), Window(2000)], ids=str)
def test_searches_find_the_same(both: Both, window: Window, filter_: dict[str, object] | None) -> None:
    db, one, spread = both
    layouts = (one, spread, replace(one, layout=Layout.WHOLE))
    vectors = random_vectors(5, DIMENSIONS, seed=4)
    whats: list[str | NDArray[np.float32] | object] = ["r7", "r4203", vectors[0]]
    whats += [several([*vectors[1:4]], how) for how in (Aggregation.MEAN, Aggregation.MIN)]
    for what in whats:
        for shape in ({}, {"product_field": "p"}, {"radius": 9.0}):
            found: list[Nearest] = []
            for own in layouts:
                where = {} if filter_ is None else {"where": compile_filter(parse_filter(filter_), table="r")}
                query = Query(own, window, Fields(everything=True), **where, **shape)  # type: ignore[arg-type]
                found.append(answered(db, query, what))  # type: ignore[arg-type]
            assert found[0].records == found[1].records == found[2].records


def test_an_unknown_record_is_not_found(both: Both) -> None:
    db, _, own = both
    with pytest.raises(AssertionError):
        answered(db, Query(own, Window(3), Fields()), "nobody")


def test_the_index_is_walked_with_the_effort_that_is_asked_for(both: Both) -> None:
    db, one, own = both
    for where in ({}, {"where": compile_filter(parse_filter({"tenth": 3}), table="r")}):
        seen = []
        for effort in (20, 400):
            query = Query(own, Window(10), Fields(), what=random_vectors(1, DIMENSIONS, seed=9)[0], **where)  # type: ignore[arg-type]
            text, values = walk(query, Walk(10, 10, effort))
            found = list(nodes(plan(db, text, values)))
            assert f"records_{own.id}_hnsw" in {node.get("Index Name") for node in found}
            seen.append(max(node["Shared Hit Blocks"] + node["Shared Read Blocks"] for node in found))
        assert seen[1] > 2 * seen[0]
    assert one.indexed


def test_records_are_locked_changed_and_deleted(both: Both) -> None:
    db, one, own = both
    ids = ["r3", "r1", "nobody", "r2"]
    with db.session() as connection, connection.transaction():
        assert records.lock(connection, own, ids) == records.lock(connection, one, ids)
        held = connection.execute("SELECT 1 FROM pg_locks WHERE locktype = 'transactionid' AND granted").fetchall()
        assert held
        assert list(replacing._lock(connection, own, ids)) == ["r1", "r2", "r3"]
    assert records.delete(db, own, ids) == {"r1", "r2", "r3"}
    where = compile_filter(parse_filter({"tenth": 4}), table="r")
    gone = listing.delete(db, Listing(own, Fields(names=("n",)), where))
    assert len(gone) == ROWS // 10
    assert records.count(db, own) == ROWS - 3 - ROWS // 10
    assert replacing.delete_older(db, own, ["r5", "r6"], datetime.now(UTC)) == ["r5", "r6"]


def test_what_has_expired_is_deleted(both: Both) -> None:
    db, one, own = both
    past = json.dumps({"_expires_at": "2020-01-01T00:00:00Z"})
    vectors = random_vectors(3, DIMENSIONS, seed=1)
    records.insert(db, one, [NewRecord(f"old{n}", past, vector) for n, vector in enumerate(vectors)])
    own = replace(collections.get(db, "c"), layout=Layout.HASH)
    assert own.expires
    assert records.insert(db, own, [NewRecord("old0", "{}", vectors[0])]) == {"old0"}, "its id is free"
    assert expiry.delete_some(db, own, 1) == 1
    assert expiry.delete_some(db, own, 10) == 1
    assert expiry.delete_some(db, own, 10) == 0


def test_a_random_sample_is_one_of_all_records(both: Both) -> None:
    db, _, own = both
    found = listing.random(db, Listing(own, Fields()), 400)
    assert len({one.id for one in found}) == 400
    assert {int(one.id[1:]) // 1000 for one in found} == set(range(6))


def _told(db: Database, one: Collection) -> dict[str, object]:
    """Return every figure of a collection, as a database with these settings tells it."""
    kept = [row["name"] for row in db.all("SELECT name FROM lookalike.shard_facts() WHERE missing = 0")]
    figures = {row.gauge: row.value for row in gauges.read(db, 200, 1000) if row.label in {"c", ""}}
    del figures["database_connections"]
    return {
        **figures,
        "kept": kept,
        "health": db.all("SELECT * FROM lookalike.index_health ORDER BY index_name"),
        "listed": collections.list_all(db),
        "deleted_share": indexes.deleted_share(db, one),
        "hnsw_bytes": indexes.hnsw_bytes(db, one),
        "attribute_bytes": indexes.attribute_bytes(db, one),
        "progress": indexes.progress(db, one),
    }


def test_figures_of_tables_that_workers_keep_are_those_of_a_table_here(both: Both) -> None:
    """The setting has this node asked for its tables as Citus' workers are asked for theirs."""
    db, one, _ = both
    indexes.declare_field(db, one, "rare")
    indexes.analyze(db, one)
    indexes.rebuild_hnsw(db, one)
    answered(db, Query(one, Window(30), Fields()), "r4203")
    records.delete(db, one, [f"r{n}" for n in range(600)])
    kept = {f"{kind}_{one.id}" for kind in ("records", "thumbnails", "originals")}
    forced = Database(make_conninfo(db.url, options="-c lookalike.layout=hash"))

    def both_told() -> tuple[dict[str, object], dict[str, object]]:
        plain, asked = _told(db, one), _told(forced, one)
        assert (plain.pop("kept"), set(asked.pop("kept"))) == ([], kept)  # type: ignore[call-overload]
        return plain, asked

    def same(told: tuple[dict[str, object], dict[str, object]]) -> bool:
        """Statistics come a little after what they count."""
        return told[0] == told[1] and bool(told[0]["deleted_share"]) and bool(told[0]["index_blocks_memory"])

    forced.open()
    try:
        told, _ = eventually(both_told, same)
    finally:
        forced.close()
    assert told["records"] == ROWS - 600
    assert told["deleted_share"] == pytest.approx(0.1)
    assert told["hnsw_bytes"] == told["index_bytes"]
    assert told["attribute_bytes"]


def test_costs_and_efforts_go_by_what_each_table_holds() -> None:
    facts = ("c", "photo", "m", "1", 256, 62.5, None, True, True, frozenset[str](), False, None, 1)
    one = Collection(1, *facts, rows=240_000, costs=SearchCosts(1.0, 2.0, 3.0))
    spread = replace(one, layout=Layout.HASH, shards=4)
    assert costs_of(spread) == SearchCosts(1.0, 2.0, 12.0)
    assert costs_of(replace(one, layout=Layout.WHOLE)) == costs_of(one)
    assert (grown_effort(one, 100), grown_effort(spread, 100)) == (200, 100)


def test_what_the_planner_of_citus_says_is_that_of_its_workers(both: Both) -> None:
    """The plan is one that Citus 15 made; it expects 100,000 rows of everything."""
    own = {
        "Node Type": "Bitmap Heap Scan",
        "Plan Rows": 40,
        "Plans": [{"Index Name": "records_3_attributes_idx_102011"}],
    }
    task = {"Node": "host=127.0.0.1 port=5701 dbname=shop", "Remote Plan": [[{"Plan": own}]]}
    job = {"Task Count": 2, "Tasks Shown": "One of 2", "Tasks": [task]}
    made = {"Node Type": "Custom Scan", "Plan Rows": 100_000, "Distributed Query": {"Job": job}}
    assert one_table(made) == (own, 2)
    assert one_table(own) == (own, None)
    db, one, _ = both
    query = Query(one, Window(3), Fields(), compile_filter(parse_filter({"rare": 7}), table="r"))
    assert 4 <= expectation(db, query).matches <= 40


@pytest.mark.parametrize("layout", [Layout.WHOLE, Layout.HASH])
def test_what_works_by_triggers_is_refused_where_records_lie_on_workers(both: Both, layout: Layout) -> None:
    db, one, _ = both
    own = replace(one, layout=layout)
    facts = {"model": "m", "model_revision": "1", "dimensions": 8, "distance_scale": 1.0}
    for begin in (
        lambda: reembedding.begin(db, own, facts),
        lambda: duplicates.begin(db, own, 5.0, hashes=False),
        lambda: map_making.begin(db, own, 1),
        lambda: copying.begun(db, own, "other", 1).__enter__(),
    ):
        with pytest.raises(InvalidRequest, match="the records of c lie on the workers of Citus"):
            begin()


def test_without_citus_nothing_is_distributed(both: Both) -> None:
    db, one, _ = both
    with pytest.raises(ConfigurationError, match="Citus is not in this database"):
        cluster.check(db)
    with db.session() as connection:
        assert cluster.problems(connection) == cluster.standing(connection) == []
    cluster.check_collection(db, one)
    with pytest.raises(InvalidRequest, match="lie on the workers already: hash"):
        cluster.check_collection(db, replace(one, layout=Layout.HASH))
    duplicates.begin(db, one, 5.0, hashes=False)
    with pytest.raises(InvalidRequest, match="stored pairs of duplicates: lookalike duplicates forget"):
        cluster.check_collection(db, one)
