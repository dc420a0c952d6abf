"""Nearest neighbours in SQL: plans, recall against exact, and completeness."""

import json
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from app.db import collections, indexes, loads, records
from app.db.engine import Database, partition
from app.db.listing import Listing, random
from app.db.loader import query as named
from app.db.records import NewRecord
from app.db.search import arranged, find, run
from app.db.search.statements import compare, few
from app.domain.collections import Collection, NewCollection
from app.domain.ranking import Aggregation, Nearest
from app.domain.records import Fields
from app.domain.refinement import SortKey
from app.domain.windows import Window
from app.filters import NO_FILTER, compile_filter, parse_filter
from app.search.plan import Expectation, Walk, planned
from app.search.request import Point, Query, Several, several
from tests.db.vectors import random_vectors
from tests.support.plans import generic_plan, nodes, plan
from tests.support.searching import answered, exact, vector_of, walk

Floats = NDArray[np.float32]
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


@pytest.mark.parametrize("by_id", [True, False])
def test_plan_uses_the_graph_and_touches_few_rows(filled: tuple[Database, Collection, Collection], by_id: bool) -> None:
    db, collection, _ = filled
    what = "r7" if by_id else random_vectors(1, DIMENSIONS, seed=9)[0]
    query = Query(collection, Window(30), Fields(everything=True), what=what)
    text, values = walk(query, Walk(30, 100, 100))
    found = list(nodes(plan(db, text, values)))
    assert f"records_{collection.id}_hnsw" in {node.get("Index Name") for node in found}
    assert not [node for node in found if node["Node Type"] == "Seq Scan"]
    assert sum(node["Actual Rows"] for node in found if node["Node Type"] == "Index Scan") <= 32


def test_plan_of_exact_never_uses_the_graph(filled: tuple[Database, Collection, Collection]) -> None:
    db, collection, _ = filled
    statement = compare(Query(collection, Window(30), Fields(), what=np.full(DIMENSIONS, 0.5, np.float32)))
    found = list(nodes(plan(db, statement.text, statement.values)))
    assert f"records_{collection.id}_hnsw" not in {node.get("Index Name") for node in found}


def test_plan_among_candidates_uses_the_primary_key(filled: tuple[Database, Collection, Collection]) -> None:
    db, collection, _ = filled
    query = Query(collection, Window(5), Fields(), what=np.full(DIMENSIONS, 0.5, np.float32))
    among = query.among([f"r{n}" for n in range(100)])
    dearest = arranged.Arrangement((SortKey(("price",), descending=True),))
    for statement in (compare(among), arranged.statement(among, dearest)):
        found = list(nodes(plan(db, statement.text, statement.values)))
        assert f"records_{collection.id}_pkey" in {node.get("Index Name") for node in found}
        assert not [node for node in found if node["Node Type"] == "Seq Scan"]


@pytest.mark.parametrize("query", ["get", "existing", "delete", "lock", "update"])
def test_plan_by_id_uses_the_primary_key(filled: tuple[Database, Collection, Collection], query: str) -> None:
    db, collection, _ = filled
    chosen = named("records", query)
    spans = {"records": partition("records", collection), "fields": "r.attributes", "live": "TRUE"}
    text = chosen.render(**spans)
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
        near = answered(db, Query(collection, Window(k), Fields()), query)
        true = exact(db, Query(collection, Window(k), Fields()), query)
        assert near.way == "index"
        assert len(near.records) == len(true) == k
        hits += len({found.id for found in near.records} & {found.id for found in true})
    assert hits / (k * len(queries)) >= 0.98


def test_exact_agrees_with_numpy(filled: tuple[Database, Collection, Collection]) -> None:
    db, _, collection = filled
    vectors = random_vectors(ROWS, DIMENSIONS).astype(np.float16).astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    query = random_vectors(1, DIMENSIONS, seed=8)[0]
    half = query.astype(np.float16).astype(np.float64)
    distances = 62.5 * (1 - vectors @ (half / np.linalg.norm(half)))
    near = answered(db, Query(collection, Window(50), Fields()), query)
    assert near.way == "exact"
    assert [found.distance for found in near.records] == pytest.approx(np.sort(distances)[:50], abs=1e-3)


def test_plan_of_the_few_is_made_once_and_finds_them_by_their_index(
    filled: tuple[Database, Collection, Collection],
) -> None:
    """Planned without the values: a range of a declared field's index, whose records are not looked at again."""
    db, collection, _ = filled
    name = indexes.declare_field(db, collection, "n")
    own = replace(collection, indexed_fields=frozenset({"n"}))
    where = compile_filter(parse_filter({"n": {"$lt": 40}}), indexed_fields=own.indexed_fields, table="r")
    for fields, heap in ((Fields(), set()), (Fields(everything=True), {"Tid Scan"})):
        target = Query(own, Window(20), fields, where, what=np.full(DIMENSIONS, 0.5, np.float32))
        statement = few(target, 100, frozenset({name}))
        assert statement.generic
        found = list(nodes(generic_plan(db, statement.text, statement.values)))
        assert name in {node.get("Index Name") for node in found}
        assert [node["Actual Rows"] for node in found if node.get("Alias") == "r" and "Filter" not in node] == [40]
        assert {node["Node Type"] for node in found if "Scan" in node["Node Type"]} - heap <= {
            "Bitmap Heap Scan", "Bitmap Index Scan", "Index Scan", "CTE Scan", "Subquery Scan",
        }  # fmt: skip
        assert not heap or heap <= {node["Node Type"] for node in found}


def test_only_the_indexes_that_are_worth_it_serve_a_statement(filled: tuple[Database, Collection, Collection]) -> None:
    db, collection, _ = filled
    name = indexes.declare_field(db, collection, "n")
    both = {name, f"{collection.records_table}_attributes_idx"}
    own = replace(collection, indexed_fields=frozenset({"n"}))
    where = compile_filter(parse_filter({"n": {"$lt": 40}, "m": 5}), indexed_fields=own.indexed_fields, table="r")
    target = Query(own, Window(20), Fields(), where, what="r7")
    for chosen in ({name}, both - {name}, both):
        statement = few(target, 100, frozenset(chosen))
        found = {node.get("Index Name") for node in nodes(generic_plan(db, statement.text, statement.values))}
        assert found & both <= chosen
        assert found & both


def test_only_plain_names_of_declared_fields_stand_in_a_statement(
    filled: tuple[Database, Collection, Collection],
) -> None:
    _, collection, _ = filled
    for name in ("price", "it's", "a%(s)s", "back\\slash", "größe"):
        for declared in (frozenset({name}), frozenset({"other"})):
            where = compile_filter(parse_filter({name: {"$lt": 5}}), indexed_fields=frozenset({name}), table="r")
            own = replace(collection, indexed_fields=declared)
            served = frozenset({indexes.btree_name(own.records_table, name)})
            statement = few(Query(own, Window(20), Fields(), where, what="r1"), 100, served)
            assert (f"'{name}'" in statement.text) == (name == "price" and name in declared)
            assert name not in statement.text or name == "price"
            assert name in statement.values.values()


def test_plans_for_all_values_and_for_each_take_turns(filled: tuple[Database, Collection, Collection]) -> None:
    db, collection, _ = filled
    indexes.declare_field(db, collection, "n")
    own = replace(collection, indexed_fields=frozenset({"n"}))
    for low in range(0, 8000, 1000):
        where = compile_filter(
            parse_filter({"n": {"$gte": low, "$lt": low + 30}}), indexed_fields=own.indexed_fields, table="r"
        )
        target = Query(own, Window(20), Fields(), where)
        near = answered(db, target, "r7")
        assert (near.way, near.matches) == ("exact", 30)
        assert near.records == exact(db, target, vector_of(db, own, "r7"))
        assert find(db, target.near("nobody")) is None, "it is not stored"
        beyond = find(db, replace(target, window=Window(20, 500)).near("nobody"))
        assert beyond is None
    mode = db.one("SHOW plan_cache_mode", prepare=False)
    assert mode == {"plan_cache_mode": "auto"}


def test_a_record_to_itself_is_exactly_zero(filled: tuple[Database, Collection, Collection]) -> None:
    db, indexed, plain = filled
    for collection in (indexed, plain):
        for n in range(0, ROWS, 1000):
            nearest = answered(db, Query(collection, Window(1), Fields()), f"r{n}")
            assert (nearest.records[0].id, nearest.records[0].distance) == (f"r{n}", 0.0)


@pytest.mark.parametrize("k", [1, 100, 1000, 1001, 5000, ROWS, ROWS + 5])
def test_no_page_is_short_while_records_are_left(filled: tuple[Database, Collection, Collection], k: int) -> None:
    db, collection, _ = filled
    nearest = answered(db, Query(collection, Window(k), Fields()), "r3")
    assert len(nearest.records) == min(k, ROWS)
    assert len({found.id for found in nearest.records}) == min(k, ROWS)
    distances = [found.distance for found in nearest.records]
    assert distances == sorted(distances, key=lambda distance: distance or 0.0)


@pytest.mark.parametrize("by_id", [True, False])
def test_the_effort_of_one_search_is_in_force_and_gone_with_it(
    filled: tuple[Database, Collection, Collection], by_id: bool
) -> None:
    db, collection, _ = filled
    what = "r7" if by_id else random_vectors(1, DIMENSIONS, seed=9)[0]
    blocks = []
    for effort in (20, 400):
        text, values = walk(Query(collection, Window(20), Fields(), what=what), Walk(20, 100, effort))
        with db.session() as connection:
            row = connection.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + text, values).fetchone()
            assert connection.execute("SHOW hnsw.ef_search").fetchone() == {"hnsw.ef_search": "100"}
        assert row is not None
        blocks.append(row["QUERY PLAN"][0]["Plan"]["Shared Hit Blocks"])
    assert blocks[1] > 3 * blocks[0]


def test_the_effort_is_what_is_asked_for_or_grows(filled: tuple[Database, Collection, Collection]) -> None:
    _, collection, _ = filled
    many = replace(collection, rows=240_000)
    asked = [
        Query(collection, Window(30), Fields()),
        Query(collection, Window(20, 500), Fields()),
        Query(many, Window(30), Fields()),
        Query(many, Window(30), Fields(), effort=40),
    ]
    plans = [planned(target.near("r7"), 100, lambda: Expectation(1, reads_all=False)) for target in asked]
    assert [one.first_walk(30).effort for one in plans] == [100, 100, 200, 40]


def test_half_of_the_records_deleted_and_still_complete(db: Database) -> None:
    collection = collections.create(db, NewCollection("c", "photo", "m", "1", DIMENSIONS, 62.5))
    vectors = random_vectors(2000, DIMENSIONS)
    loads.copy(db, collection, [NewRecord(f"r{n}", "{}", vector) for n, vector in enumerate(vectors)])
    indexes.build_hnsw(db, collection)
    collection = collections.get(db, "c")
    assert collection.indexed
    records.delete(db, collection, [f"r{n}" for n in range(0, 2000, 2)])
    nearest = answered(db, Query(collection, Window(1000), Fields()), "r1")
    assert len(nearest.records) == 1000


@pytest.fixture(scope="module")
def skewed(module_database_url: str) -> Iterator[tuple[Database, Collection]]:
    """24,000 records with an index: `share` matches by chance, `side` is correlated with the vector."""
    db = Database(module_database_url)
    db.open()
    vectors = random_vectors(24_000, DIMENSIONS, seed=3)
    side = vectors @ random_vectors(1, DIMENSIONS, seed=4)[0]
    order = np.argsort(np.argsort(-side)) / len(side)
    generator = np.random.default_rng(6)
    chance = generator.random(len(vectors))
    own = collections.create(db, NewCollection("skewed", "photo", "m", "1", DIMENSIONS, 62.5))
    rows = [
        NewRecord(f"r{n}", json.dumps({"chance": float(chance[n]), "side": float(order[n])}), vectors[n])
        for n in range(len(vectors))
    ]
    loads.copy(db, own, rows)
    indexes.build_hnsw(db, own)
    yield db, collections.get(db, "skewed")
    db.close()


@pytest.mark.parametrize("share", [0.0005, 0.01, 0.05, 0.3, 0.6, 0.95])
@pytest.mark.parametrize("field", ["chance", "side"])
def test_filtered_recall_at_every_selectivity(skewed: tuple[Database, Collection], field: str, share: float) -> None:
    """Also for filters that keep only what lies far from the query: `side` orders the records by a direction."""
    db, collection = skewed
    where = compile_filter(parse_filter({field: {"$gte": 1 - share}}), table="r")
    target = Query(collection, Window(20), Fields(), where)
    hits = wanted = 0
    for query in random_vectors(15, DIMENSIONS, seed=7):
        near = answered(db, target, query)
        true = exact(db, target, query)
        assert len(near.records) == len(true)
        if field == "chance" and share != 0.05:  # where the two ways cost the same
            assert near.way == ("exact" if share < 0.05 else "index")
        assert near.matches is None or near.matches == round(24_000 * share) or field == "chance"
        hits += len({found.id for found in near.records} & {found.id for found in true})
        wanted += len(true)
    assert hits / wanted >= 0.98
    assert wanted == 15 * min(20, round(24_000 * share)) or share < 0.01


@pytest.fixture(scope="module")
def away() -> Floats:
    """A query that lies at the other end of the order `side` than the records with a high one."""
    return np.asarray(random_vectors(1, DIMENSIONS, seed=4)[0], np.float32)


def pages(db: Database, target: Query, query: Floats) -> tuple[Nearest, list[str]]:
    """Return what a search finds, and the ids that it should find."""
    return answered(db, target, query), [found.id for found in exact(db, target, query)]


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6, 0.9])
def test_a_filter_against_the_query_is_noticed(skewed: tuple[Database, Collection], away: Floats, share: float) -> None:
    """Thousands match, and all lie far from the query: the index fills the page with wrong records if it is let."""
    db, collection = skewed
    where = compile_filter(parse_filter({"side": {"$gte": 1 - share}}), table="r")
    target = Query(collection, Window(20), Fields(), where)
    near, true = pages(db, target, away)
    assert near.way == "index, then exact"
    assert [found.id for found in near.records] == true
    for found in (
        answered(db, replace(target, product_field="none"), away),
        answered(db, target, several([away], Aggregation.MEAN)),
        answered(db, target, Several([Point(away)], tags_field="tags")),
    ):
        assert len({one.id for one in found.records} & set(true)) >= 19


@pytest.mark.parametrize("share", [0.0005, 0.001, 0.05, 0.5, 1.0])
def test_a_wrong_estimate_costs_no_record(
    skewed: tuple[Database, Collection],
    away: Floats,
    share: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever the planner says: always k records where k match, the exact ones where it says exact."""
    db, collection = skewed
    where = compile_filter(parse_filter({"side": {"$gte": 1 - share}}), table="r")
    target = Query(collection, Window(20), Fields(), where)
    for matches in (1, 500, 6_000, 24_000):
        for reads_all in (False, True):
            expected = Expectation(matches, reads_all)
            monkeypatch.setattr(run, "expectation", lambda *_, expected=expected: expected)
            for query in (away, -away):
                near, true = pages(db, target, query)
                found = [one.id for one in near.records]
                assert len(found) == len(true) == min(20, round(24_000 * share))
                if "exact" in near.way:
                    assert found == true
                assert len(set(found) & set(true)) >= 0.9 * len(true)
                assert near.matches in (None, round(24_000 * share))


def test_exact_is_exact_whatever_the_filter(skewed: tuple[Database, Collection], away: Floats) -> None:
    db, collection = skewed
    for where in (NO_FILTER, compile_filter(parse_filter({"side": {"$gte": 0.1}}), table="r")):
        near, true = pages(db, Query(collection, Window(20), Fields(), where, exact=True), away)
        assert (near.way, [found.id for found in near.records]) == ("exact", true)


def test_the_few_are_counted_also_beyond_the_last_page(skewed: tuple[Database, Collection], away: Floats) -> None:
    db, collection = skewed
    where = compile_filter(parse_filter({"side": {"$lt": 0.001}}), table="r")
    near = answered(db, Query(collection, Window(20, 500), Fields(), where), away)
    assert (near.records, near.matches, near.way) == ([], 24, "exact")


def test_plan_of_a_walk_is_the_graph_and_stops_early(skewed: tuple[Database, Collection], away: Floats) -> None:
    db, collection = skewed
    where = compile_filter(parse_filter({"chance": {"$lt": 0.5}}), table="r")
    target = Query(collection, Window(20), Fields(), where)
    text, values = walk(target.near(away), Walk(30, 2000, 150))
    found = list(nodes(plan(db, text, values)))
    walked = [node for node in found if node.get("Index Name") == f"records_{collection.id}_hnsw"]
    assert len(walked) == 1
    assert walked[0]["Actual Rows"] < 300
    assert not [node for node in found if node["Node Type"] == "Seq Scan"]


def test_plan_of_a_walk_does_not_try_the_filter_on_samples(skewed: tuple[Database, Collection], away: Floats) -> None:
    """Its plan is the same whatever matches, so the planner need not estimate: that took .3 ms of 2."""
    db, collection = skewed
    estimates = set()
    for share in (0.01, 0.9):
        where = compile_filter(parse_filter({"chance": {"$lt": share}}), table="r")
        target = Query(collection, Window(20), Fields(), where)
        text, values = walk(target.near(away), Walk(2000, 2000, 150))
        estimates |= {node["Plan Rows"] for node in nodes(plan(db, text, values)) if "Filter" in node}
    assert len(estimates) == 1


def test_plan_of_an_exact_search_computes_each_distance_once(skewed: tuple[Database, Collection], away: Floats) -> None:
    db, collection = skewed
    where = compile_filter(parse_filter({"chance": {"$lt": 0.5}}), table="r")
    target = Query(collection, Window(20), Fields(), where)
    statement = compare(target.near(away))
    text = "EXPLAIN (VERBOSE, FORMAT JSON) " + statement.text
    row = db.read(lambda connection: connection.execute(text, statement.values).fetchone())
    assert row is not None
    found = list(nodes(row["QUERY PLAN"][0]["Plan"]))
    scans = [node for node in found if node["Node Type"] == "Seq Scan"]
    assert len(scans) == 1
    assert sum("<=>" in column for column in scans[0]["Output"]) == 1
    assert not [node for node in found if node.get("Index Name") == f"records_{collection.id}_hnsw"]


def test_the_effort_of_a_walk_is_in_force_and_ends_with_it(skewed: tuple[Database, Collection], away: Floats) -> None:
    db, collection = skewed
    where = compile_filter(parse_filter({"chance": {"$gte": 0}}), table="r")
    target = Query(collection, Window(20), Fields(), where)
    blocks = []
    for effort in (30, 900):
        text, values = walk(target.near(away), Walk(30, 1000, effort))
        with db.session() as connection:
            row = connection.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + text, values).fetchone()
            assert connection.execute("SHOW hnsw.ef_search").fetchone() == {"hnsw.ef_search": "100"}
        assert row is not None
        blocks.append(row["QUERY PLAN"][0]["Plan"]["Shared Hit Blocks"])
    assert blocks[1] > 3 * blocks[0]


def test_random_is_uniform_on_a_large_table(skewed: tuple[Database, Collection]) -> None:
    db, collection = skewed
    where = compile_filter(parse_filter({"side": {"$lt": 0.5}}), table="r")
    listing = Listing(collection, Fields(names=("side",)), where)
    values = [json.loads(found.attributes or "{}")["side"] for _ in range(60) for found in random(db, listing, 50)]
    assert len(values) == 3000
    # Ten equal parts of the matches: 300 each, five standard deviations of a binomial are 82.
    counts = np.histogram(values, bins=10, range=(0, 0.5))[0]
    assert counts.min() > 218
    assert counts.max() < 382


def test_random_probes_are_a_scan_by_place(skewed: tuple[Database, Collection]) -> None:
    db, collection = skewed
    listing = Listing(collection, Fields())
    text = listing.render(named("listing", "random_probe"))
    found = list(nodes(plan(db, text, listing.values(pages=1000, lines=291, probes=2000))))
    assert "Tid Scan" in {node["Node Type"] for node in found}
    assert not [node for node in found if node["Node Type"] == "Seq Scan"]


def test_plan_of_a_page_is_the_primary_key(skewed: tuple[Database, Collection]) -> None:
    db, collection = skewed
    listing = Listing(collection, Fields())
    for name, key in (("page_after", "after"), ("page_before", "before")):
        chosen = named("listing", name)
        spans = {span: "100" if span == "limit" else "0" for span in chosen.spans & {"limit", "offset"}}
        text = listing.render(chosen, **spans)
        found = list(nodes(plan(db, text, listing.values(**{key: "r5"}))))
        assert f"records_{collection.id}_pkey" in {node.get("Index Name") for node in found}
        assert max(node["Actual Rows"] for node in found) <= 100


def test_five_thousand_records_of_one_product_in_front(db: Database) -> None:
    own = collections.create(db, NewCollection("c", "photo", "m", "1", DIMENSIONS, 62.5))
    front = random_vectors(1, DIMENSIONS, seed=20)[0]
    generator = np.random.default_rng(21)
    close = front + 0.01 * generator.normal(size=(5000, DIMENSIONS))
    far = random_vectors(2000, DIMENSIONS, seed=22)
    vectors = np.concatenate([close, far]).astype(np.float32)
    rows = [
        NewRecord(f"r{n}", json.dumps({"product": "one" if n < 5000 else f"p{n}"}), vector)
        for n, vector in enumerate(vectors)
    ]
    loads.copy(db, own, rows)
    indexes.build_hnsw(db, own)
    own = collections.get(db, "c")
    nearest = answered(db, Query(own, Window(20), Fields(names=("product",)), product_field="product"), front)
    products = [json.loads(found.attributes or "{}")["product"] for found in nearest.records]
    assert len(products) == len(set(products)) == 20
    assert products[0] == "one"
    assert nearest.way == "index, then exact"


def test_range_is_complete_also_when_it_is_half_of_the_collection(skewed: tuple[Database, Collection]) -> None:
    db, collection = skewed
    query = random_vectors(1, DIMENSIONS, seed=30)[0]
    target = Query(collection, Window(None), Fields())
    everything = exact(db, Query(collection, Window(24_000), Fields()), query)
    for share in (0.001, 0.5, 1.0):
        edge = everything[int(share * 24_000) - 1].distance
        assert edge is not None
        found = exact(db, replace(target, radius=edge), query)
        assert len(found) >= share * 24_000
        assert {one.id for one in found} == {one.id for one in everything if (one.distance or 0.0) <= edge}


def test_range_by_product_is_complete_also_beyond_any_number_of_candidates(skewed: tuple[Database, Collection]) -> None:
    db, collection = skewed
    query = random_vectors(1, DIMENSIONS, seed=30)[0]
    target = Query(collection, Window(None), Fields())
    everything = exact(db, Query(collection, Window(24_000), Fields()), query)
    edge = everything[11_999].distance
    assert edge is not None
    # No record has the field, so each is a product of its own.
    found = exact(db, replace(target, radius=edge, product_field="nothing"), query)
    assert {one.id for one in found} == {one.id for one in everything if (one.distance or 0.0) <= edge}
    assert len(found) >= 12_000


def test_multi_through_the_index_recalls_the_exact_order(skewed: tuple[Database, Collection]) -> None:
    db, collection = skewed
    hits = 0
    for seed in range(40, 55):
        queries = list(random_vectors(3, DIMENSIONS, seed=seed))
        target = Query(collection, Window(20), Fields())
        near = answered(db, target, several(queries, Aggregation.MEAN))
        plain = replace(target, collection=replace(collection, indexed=False))
        true = answered(db, plain, several(queries, Aggregation.MEAN))
        assert (near.way, true.way) == ("index", "exact")
        hits += len({found.id for found in near.records} & {found.id for found in true.records})
    assert hits / 300 >= 0.95
