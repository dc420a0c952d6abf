"""Nearest neighbours in SQL: plans, recall against exact, and completeness."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from app.db import collections, indexes, loads, records, search
from app.db.engine import Database
from app.db.records import NewRecord
from app.domain.collections import Collection, NewCollection
from app.domain.records import Fields
from app.domain.windows import Window
from tests.db.vectors import random_vectors

ROWS = 12_000
DIMENSIONS = 64


@pytest.fixture(scope="module")
def filled(module_database_url: str) -> Iterator[tuple[Database, Collection, Collection]]:
    """The same vectors in two collections: one with an HNSW index, one without."""
    db = Database(module_database_url)
    db.open()
    vectors = random_vectors(ROWS, DIMENSIONS)
    made = []
    for name in ("indexed", "plain"):
        own = collections.create(db, NewCollection(name, "photo", "m", "1", DIMENSIONS, 62.5))
        rows = [NewRecord(f"r{n}", json.dumps({"n": n}), vector) for n, vector in enumerate(vectors)]
        assert loads.copy(db, own, rows) == ROWS
        made.append(own)
    assert indexes.build_hnsw(db, made[0])
    assert not indexes.build_hnsw(db, made[0]), "a valid index is not built again"
    yield db, collections.get(db, "indexed"), collections.get(db, "plain")
    db.close()


def plan(db: Database, text: str, values: dict[str, object]) -> dict[str, Any]:
    with db.session() as connection:
        row = connection.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + text, values).fetchone()
    assert row is not None
    return dict(row["QUERY PLAN"][0]["Plan"])


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", []):
        yield from nodes(child)


@pytest.mark.parametrize("name", ["knn_by_id", "knn_by_vector"])
def test_plan_uses_the_graph_and_touches_few_rows(filled: tuple[Database, Collection, Collection], name: str) -> None:
    db, collection, _ = filled
    text = search.knn_statement(collection, name, Window(30), Fields(everything=True))
    query = "[" + ",".join(map(str, random_vectors(1, DIMENSIONS, seed=9)[0])) + "]"
    values = {"collection_id": collection.id, "id": "r7", "scale": 62.5, "query": query}
    found = list(nodes(plan(db, text, values)))
    assert f"records_{collection.id}_hnsw" in {node.get("Index Name") for node in found}
    assert not [node for node in found if node["Node Type"] == "Seq Scan"]
    assert sum(node["Actual Rows"] for node in found if node["Node Type"] == "Index Scan") <= 32


def test_plan_of_exact_never_uses_the_graph(filled: tuple[Database, Collection, Collection]) -> None:
    db, collection, _ = filled
    text = search.knn_statement(collection, "exact_by_vector", Window(30), Fields())
    query = "[" + ",".join(["0.5"] * DIMENSIONS) + "]"
    found = list(nodes(plan(db, text, {"scale": 62.5, "query": query})))
    assert f"records_{collection.id}_hnsw" not in {node.get("Index Name") for node in found}


@pytest.mark.parametrize("query", ["get", "existing", "delete", "lock", "update"])
def test_plan_by_id_uses_the_primary_key(filled: tuple[Database, Collection, Collection], query: str) -> None:
    from app.db.engine import partition
    from app.db.loader import query as named

    db, collection, _ = filled
    chosen = named("records", query)
    spans = {"records": partition("records", collection.id), "fields": "r.attributes"}
    text = chosen.render(**{span: spans[span] for span in chosen.spans})
    values = {
        "collection_id": collection.id,
        "ids": ["r1", "r2"],
        "values": ["{}", "{}"],
        "removed": ["[]", "[]"],
    }
    with db.session() as connection, connection.transaction(force_rollback=True):
        row = connection.execute("EXPLAIN (FORMAT JSON) " + text, values).fetchone()
    assert row is not None
    found = list(nodes(row["QUERY PLAN"][0]["Plan"]))
    assert f"records_{collection.id}_pkey" in {node.get("Index Name") for node in found}
    assert not [node for node in found if node["Node Type"] == "Seq Scan"]


@pytest.mark.parametrize("k", [10, 30, 300])
def test_recall_against_exact(filled: tuple[Database, Collection, Collection], k: int) -> None:
    db, collection, _ = filled
    hits = 0
    queries = random_vectors(40, DIMENSIONS, seed=5)
    for query in queries:
        near = search.knn_by_vector(db, collection, query, Window(k), Fields())
        true = search.exact(db, collection, query, Window(k), Fields())
        assert near.way == "index"
        assert true.way == "exact"
        assert len(near.records) == len(true.records) == k
        hits += len({found.id for found in near.records} & {found.id for found in true.records})
    assert hits / (k * len(queries)) >= 0.98


def test_exact_agrees_with_numpy(filled: tuple[Database, Collection, Collection]) -> None:
    db, _, collection = filled
    vectors = random_vectors(ROWS, DIMENSIONS).astype(np.float16).astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    query = random_vectors(1, DIMENSIONS, seed=8)[0]
    half = query.astype(np.float16).astype(np.float64)
    distances = 62.5 * (1 - vectors @ (half / np.linalg.norm(half)))
    near = search.knn_by_vector(db, collection, query, Window(50), Fields())
    assert near.way == "exact"
    assert [found.distance for found in near.records] == pytest.approx(np.sort(distances)[:50], abs=1e-3)


def test_a_record_to_itself_is_exactly_zero(filled: tuple[Database, Collection, Collection]) -> None:
    db, indexed, plain = filled
    for collection in (indexed, plain):
        for n in range(0, ROWS, 1000):
            nearest = search.knn_by_id(db, collection, f"r{n}", Window(1), Fields())
            assert nearest is not None
            assert (nearest.records[0].id, nearest.records[0].distance) == (f"r{n}", 0.0)


@pytest.mark.parametrize("k", [1, 100, 1000, 1001, 5000, ROWS, ROWS + 5])
def test_no_page_is_short_while_records_are_left(filled: tuple[Database, Collection, Collection], k: int) -> None:
    db, collection, _ = filled
    nearest = search.knn_by_id(db, collection, "r3", Window(k), Fields())
    assert nearest is not None
    assert len(nearest.records) == min(k, ROWS)
    assert len({found.id for found in nearest.records}) == min(k, ROWS)
    distances = [found.distance for found in nearest.records]
    assert distances == sorted(distances, key=lambda distance: distance or 0.0)


def test_the_effort_of_one_search_is_gone_with_it(filled: tuple[Database, Collection, Collection]) -> None:
    db, collection, _ = filled
    search.knn_by_id(db, collection, "r3", Window(900), Fields())
    row = db.read(lambda connection: connection.execute("SHOW hnsw.ef_search").fetchone())
    assert row == {"hnsw.ef_search": "100"}


def test_half_of_the_records_deleted_and_still_complete(db: Database) -> None:
    collection = collections.create(db, NewCollection("c", "photo", "m", "1", DIMENSIONS, 62.5))
    vectors = random_vectors(2000, DIMENSIONS)
    loads.copy(db, collection, [NewRecord(f"r{n}", "{}", vector) for n, vector in enumerate(vectors)])
    indexes.build_hnsw(db, collection)
    collection = collections.get(db, "c")
    assert collection.indexed
    records.delete(db, collection, [f"r{n}" for n in range(0, 2000, 2)])
    nearest = search.knn_by_id(db, collection, "r1", Window(1000), Fields())
    assert nearest is not None
    assert len(nearest.records) == 1000
