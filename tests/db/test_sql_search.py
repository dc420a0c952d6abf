"""The functions and views that analysts call: the API's answers, the API's plans, complete under filters."""

import itertools
import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import psycopg
import pytest
from psycopg import errors

from app.db import collections, indexes, loads, pairs, records
from app.db.engine import Database
from app.db.listing import Listing
from app.db.records import NewRecord, halfvec_text
from app.db.resources import folder
from app.domain.collections import Collection, NewCollection, SearchCosts
from app.domain.errors import InvalidRequest
from app.domain.records import Fields, Found
from app.domain.windows import Window
from app.filters import compile_filter, parse_filter
from app.search import plpgsql
from app.search.request import Query
from app.search.variety import most_varied
from tests.db.vectors import random_vectors
from tests.support.searching import answered, exact, vector_of

ROWS = 24_000
DIMENSIONS = 64
Connection = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture(scope="module")
def shop(module_database_url: str) -> Iterator[tuple[Database, Collection]]:
    """24,000 records with an HNSW index; `side` orders them by a direction, so a filter may keep only what is far."""
    db = Database(module_database_url)
    db.open()
    vectors = random_vectors(ROWS, DIMENSIONS, seed=3)
    vectors[1:40:2] = vectors[0:40:2] + 0.001 * random_vectors(20, DIMENSIONS, seed=8)  # twenty near duplicates
    side = np.argsort(np.argsort(-(vectors @ random_vectors(1, DIMENSIONS, seed=4)[0]))) / ROWS
    own = collections.create(db, NewCollection("shop", "photo", "m", "1", DIMENSIONS, 62.5))
    rows = [
        NewRecord(f"r{n}", json.dumps({"n": n, "side": float(side[n]), "brand": f"b{n % 40}"}), vector)
        for n, vector in enumerate(vectors)
    ]
    loads.copy(db, own, rows)
    indexes.build_hnsw(db, own)
    plain = collections.create(db, NewCollection("plain", "photo", "m", "1", DIMENSIONS, 62.5))
    loads.copy(db, plain, rows[:2000])
    yield db, collections.get(db, "shop")
    db.close()


@pytest.fixture
def sql(shop: tuple[Database, Collection], module_database_url: str) -> Iterator[Connection]:
    """A connection as psql opens it: none of the server's settings."""
    with psycopg.connect(module_database_url, autocommit=True) as connection:
        yield connection


def rows(sql: Connection, statement: str, *values: object) -> list[tuple[Any, ...]]:
    return sql.execute(statement, values).fetchall()


def plan(sql: Connection, statement: str, *values: object) -> str:
    return "\n".join(str(row[0]) for row in sql.execute("EXPLAIN (COSTS OFF) " + statement, values))


def scans(sql: Connection, statement: str, *values: object) -> dict[str, int]:
    """How often the statement, functions that it calls included, scanned the table and its indexes."""
    count = (
        "SELECT relname, pg_stat_get_xact_numscans(oid) FROM pg_class WHERE oid = 'lookalike.records_1'::regclass"
        " OR oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = 'lookalike.records_1'::regclass)"
    )
    with sql.transaction():
        before = dict(rows(sql, count))
        rows(sql, statement, *values)
        after = dict(rows(sql, count))
    return {name.removeprefix("records_1_"): after[name] - before[name] for name in after if after[name] > before[name]}


def answers(found: list[Found]) -> list[tuple[str, float | None]]:
    return [(one.id, one.distance) for one in found]


def test_both_sides_search_by_the_same_figures(sql: Connection) -> None:
    """The functions are generated from the rule, and hold every name that the search inside the database asks for."""
    for name, text in plpgsql.render().items():
        assert (folder("sql") / "functions" / name).read_text() == text, "run `lookalike sql sync`"
    asked = (folder("sql") / "functions" / "405_nearest_records.sql").read_text()
    for function, known in (("search_figure", plpgsql.figures()), ("search_rungs", plpgsql.rungs())):
        assert set(re.findall(rf"{function}\('(\w+)'\)", asked)) == set(known)
        for name, value in known.items():
            assert rows(sql, f"SELECT lookalike.{function}(%s)", name) == [(value,)]


def test_usual_costs_are_the_same_on_both_sides(sql: Connection) -> None:
    for dimensions in (64, 256, 768):
        usual = SearchCosts.usual(dimensions)
        [found] = rows(sql, "SELECT * FROM lookalike.usual_search_costs(%s)", dimensions)
        assert found == pytest.approx((usual.match_us + usual.distance_us, usual.candidate_us))


@pytest.mark.parametrize("name", ["shop", "plain"])
@pytest.mark.parametrize("k", [0, 1, 30, 300, 1001])
def test_knn_answers_what_the_server_answers(
    shop: tuple[Database, Collection], sql: Connection, name: str, k: int
) -> None:
    db, _ = shop
    near = answered(db, Query(collections.get(db, name), Window(k), Fields()), "r7")
    found = rows(sql, "SELECT id, distance FROM lookalike.knn(%s, 'r7', %s)", name, k)
    assert found == answers(near.records)
    assert len(found) == k


@pytest.mark.parametrize("share", [0.0, 0.0005, 0.01, 0.3, 0.6, 0.95])
def test_a_filter_inside_keeps_the_answer_complete(
    shop: tuple[Database, Collection], sql: Connection, share: float
) -> None:
    """Also where only what lies far from the query matches: of a WHERE behind the function nothing would be left."""
    db, collection = shop
    filter_ = {"side": {"$gte": 1 - share}}
    target = Query(collection, Window(20), Fields(), compile_filter(parse_filter(filter_), table="r"))
    hits = wanted = 0
    for query in random_vectors(10, DIMENSIONS, seed=7):
        found = rows(
            sql, "SELECT id FROM lookalike.knn_vector('shop', %s, 20, %s)", halfvec_text(query), json.dumps(filter_)
        )
        true = exact(db, target, query)
        assert len(found) == len(true)
        hits += len({row[0] for row in found} & {one.id for one in true})
        wanted += len(true)
    assert hits >= 0.97 * wanted
    assert wanted == 10 * min(20, round(ROWS * share))


@pytest.mark.parametrize("at_least", [0.1, 0.3, 0.5])
def test_a_filter_that_runs_against_the_query_is_noticed(
    shop: tuple[Database, Collection], sql: Connection, at_least: float
) -> None:
    """Many match, none of them near: a walk that goes on until it has found k would find some of the far ones."""
    db, collection = shop
    query = random_vectors(1, DIMENSIONS, seed=4)[0]
    filter_ = {"side": {"$gte": at_least}}
    target = Query(collection, Window(20), Fields(), compile_filter(parse_filter(filter_), table="r"))
    found = rows(
        sql, "SELECT id FROM lookalike.knn_vector('shop', %s, 20, %s)", halfvec_text(query), json.dumps(filter_)
    )
    assert [row[0] for row in found] == [one.id for one in exact(db, target, query)]


def test_knn_walks_the_graph(sql: Connection) -> None:
    assert scans(sql, "SELECT * FROM lookalike.knn('shop', 'r7', 20)") == {"hnsw": 1, "pkey": 1}


@pytest.mark.parametrize("name", ["shop", "plain"])
@pytest.mark.parametrize("filter_", [None, {"n": {"$gte": 4_000}}, {"n": {"$lt": 900}}, {"brand": "b7"}])
def test_the_first_rows_are_the_same_for_any_k(sql: Connection, name: str, filter_: object) -> None:
    asked = None if filter_ is None else json.dumps(filter_)
    found = [rows(sql, "SELECT id FROM lookalike.knn(%s, 'r8', %s, %s)", name, k, asked) for k in (5, 40, 130, 900)]
    for shorter, longer in itertools.pairwise(found):
        assert longer[: len(shorter)] == shorter


def test_copies_hide_no_record(db: Database) -> None:
    """Fifty records have one picture: whichever is asked for, all of them come first, by their ids."""
    own = collections.create(db, NewCollection("copies", "photo", "m", "1", DIMENSIONS, 62.5))
    vectors = random_vectors(1500, DIMENSIONS, seed=5)
    vectors[::30] = vectors[0]
    loads.copy(db, own, [NewRecord(f"r{n}", json.dumps({"n": n}), vector) for n, vector in enumerate(vectors)])
    indexes.build_hnsw(db, own)
    copies = sorted(f"r{n}" for n in range(0, 1500, 30))
    with psycopg.connect(db.url, autocommit=True) as connection:
        for text in ("lookalike.knn('copies', 'r1470', 30)", "lookalike.knn_vector('copies', v, 30)"):
            statement = f"SELECT n.id FROM lookalike.vector_of('copies', 'r60') AS v, {text} AS n"
            assert [one for (one,) in rows(connection, statement)] == copies[:30]
        assert rows(connection, "SELECT id FROM lookalike.knn('copies', 'r7', 1)") == [("r7",)]


def test_knn_with_few_matches_compares_them(sql: Connection) -> None:
    found = scans(sql, "SELECT * FROM lookalike.knn('shop', 'r7', 20, %s)", '{"brand": "b3"}')
    assert found == {"attributes_idx": 2, "pkey": 1}, "one for the count, one for the answer"


def test_knn_with_many_matches_walks_the_graph(sql: Connection) -> None:
    found = scans(sql, "SELECT * FROM lookalike.knn('shop', 'r7', 20, %s)", '{"side": {"$lt": 0.9}}')
    assert found == {"hnsw": 1, "pkey": 1}, "nothing is counted where the planner expects many"


def test_a_wrong_estimate_is_found_out_by_the_count(sql: Connection) -> None:
    """Without statistics 240 matches are expected, 1 in 100; there are 21,600."""
    statement = "SELECT * FROM lookalike.knn('shop', 'r7', 20, %s)"
    filter_ = '{"side": {"$lt": 0.9}}'
    true = rows(sql, statement, filter_)
    with sql.transaction(force_rollback=True):
        sql.execute("DELETE FROM pg_statistic WHERE starelid = 'lookalike.records_1'::regclass")
        found = scans(sql, statement, filter_)
        assert found["hnsw"] == 1
        assert sum(found.values()) == 3, "the record itself, the bounded count, the walk"
        assert rows(sql, statement, filter_) == true


def test_the_functions_go_by_the_measured_costs(sql: Connection) -> None:
    statement = "SELECT * FROM lookalike.knn('shop', 'r7', 20, %s)"
    filter_ = '{"side": {"$lt": 0.9}}'
    true = rows(sql, statement, filter_)
    with sql.transaction(force_rollback=True):
        sql.execute("INSERT INTO lookalike.search_costs VALUES (%s, 0.1, 0.1, 500)", (DIMENSIONS,))
        assert "hnsw" not in scans(sql, statement, filter_), "a walk is said to be dear"
        assert [row[0] for row in rows(sql, statement, filter_)] == [row[0] for row in true]


def test_a_view_is_served_by_the_graph(sql: Connection) -> None:
    statement = """
        SELECT v.id FROM lookalike.shop AS v
        ORDER BY v.embedding <=> (SELECT q.embedding FROM lookalike.shop AS q WHERE q.id = 'r7') LIMIT 20"""
    assert "Index Scan using records_1_hnsw" in plan(sql, statement)
    assert len(rows(sql, statement)) == 20


def test_a_view_joined_with_a_table_of_ones_own(sql: Connection) -> None:
    """The graph is walked until the join has let enough rows through: iterative_scan keeps the page full.

    An id is COLLATE "C": the other table's index serves the join only in its own collation.
    """
    sql.execute(
        "CREATE TABLE orders AS SELECT 'r' || n AS product, n % 7 AS quantity FROM generate_series(0, 23999, 3) AS n"
    )
    sql.execute("ALTER TABLE orders ADD PRIMARY KEY (product)")
    sql.execute("VACUUM ANALYZE orders")
    statement = """
        SELECT v.id, o.quantity FROM lookalike.shop AS v JOIN orders AS o ON o.product = v.id COLLATE "default"
        WHERE o.quantity > 2
        ORDER BY v.embedding <=> (SELECT lookalike.vector_of('shop', 'r7')) LIMIT 50"""
    sql.execute("SET hnsw.iterative_scan = relaxed_order")
    sql.execute("SET random_page_cost = 1.1")
    assert "Index Scan using records_1_hnsw" in plan(sql, statement)
    assert len(rows(sql, statement)) == 50


def test_lateral(sql: Connection) -> None:
    statement = """
        SELECT v.id, n.id, n.distance FROM lookalike.shop AS v
        CROSS JOIN LATERAL lookalike.knn('shop', v.id, 3) AS n
        WHERE v.id IN ('r1', 'r2', 'r3') ORDER BY v.id, n.distance"""
    found = rows(sql, statement)
    assert [row[0] for row in found] == ["r1"] * 3 + ["r2"] * 3 + ["r3"] * 3
    assert [row[2] for row in found[::3]] == [0.0] * 3
    assert scans(sql, statement)["hnsw"] == 3


def test_the_settings_of_a_session_are_as_before(sql: Connection) -> None:
    sql.execute("SET hnsw.ef_search = 55")
    for statement in (
        "SELECT * FROM lookalike.knn('shop', 'r7', 400)",
        "SELECT lookalike.near_duplicate_pairs('plain')",
    ):
        with sql.transaction():
            rows(sql, statement)
            assert rows(sql, "SELECT current_setting('hnsw.ef_search'), current_setting('hnsw.iterative_scan')") == [
                ("55", "off")
            ]
    with pytest.raises(errors.NoDataFound):
        rows(sql, "SELECT * FROM lookalike.knn('shop', 'nobody', 3)")
    assert rows(sql, "SHOW hnsw.ef_search") == [("55",)]


@pytest.mark.parametrize("name", ["shop", "plain"])
def test_examples_are_one_direction(shop: tuple[Database, Collection], sql: Connection, name: str) -> None:
    db, _ = shop
    own = collections.get(db, name)
    units = [np.asarray(vector_of(db, own, one).to_numpy(), np.float64) for one in ("r5", "r9", "r700")]
    units = [unit / np.linalg.norm(unit) for unit in units]
    direction = (units[0] + units[1]) / 2 - units[2] / 2
    wanted = rows(
        sql,
        "SELECT id, distance FROM lookalike.knn_vector(%s, %s::halfvec, 20)",
        name,
        halfvec_text((direction / np.linalg.norm(direction)).astype(np.float32)),
    )
    found = rows(sql, "SELECT id, distance FROM lookalike.knn_examples(%s, '{r5,r9}', '{r700}', 20)", name)
    assert [row[0] for row in found] == [row[0] for row in wanted]
    assert [row[1] for row in found] == pytest.approx([row[1] for row in wanted], abs=0.01)
    only = "SELECT id, distance FROM lookalike.knn_examples(%s, '{r7}', k => 5)"
    assert [row[0] for row in rows(sql, only, name)] == [
        row[0] for row in rows(sql, "SELECT id FROM lookalike.knn(%s, 'r7', 5)", name)
    ]


@pytest.mark.parametrize("diversity", [0.0, 0.35, 1.0])
def test_variety_is_that_of_the_api(shop: tuple[Database, Collection], sql: Connection, diversity: float) -> None:
    db, own = shop
    pool = rows(sql, "SELECT id, distance FROM lookalike.knn('shop', 'r7', 60)")
    vectors = np.stack([vector_of(db, own, one).to_numpy().astype(np.float32) for one, _ in pool])
    distances = np.array([far for _, far in pool]) / own.distance_scale
    order = most_varied(vectors, distances, diversity, 12)
    found = rows(sql, "SELECT id, distance, place FROM lookalike.knn_varied('shop', 'r7', 12, %s, 60)", diversity)
    assert found == [(*pool[place], number) for number, place in enumerate(order, 1)]


@pytest.mark.parametrize("name", ["shop", "plain"])
def test_within_is_complete(shop: tuple[Database, Collection], sql: Connection, name: str) -> None:
    db, _ = shop
    target = Query(collections.get(db, name), Window(None), Fields())
    stored = vector_of(db, target.collection, "r7")
    assert stored is not None
    true = exact(db, replace(target, radius=12.0), stored)
    assert len(true) > 3
    found = rows(sql, "SELECT id, distance FROM lookalike.within(%s, 'r7', 12.0)", name)
    assert found == answers(true)
    half = rows(sql, "SELECT id FROM lookalike.within(%s, 'r7', 12.0, %s)", name, '{"n": {"$mod": [2, 1]}}')
    assert [row[0] for row in half] == [id_ for id_, _ in found if int(id_[1:]) % 2]


def test_pairs_without_an_index_are_all_pairs(shop: tuple[Database, Collection], sql: Connection) -> None:
    db, _ = shop
    collection = collections.get(db, "plain")
    vectors = pairs.read_vectors(db, Listing(collection, Fields()), ROWS)
    assert vectors is not None
    true = pairs.nearest_pairs(vectors, collection.distance_scale, 1.0, 10_000)
    found = rows(sql, "SELECT id, other_id, distance FROM lookalike.near_duplicate_pairs('plain', 1.0)")
    assert {row[:2] for row in found} == {(vectors.ids[one], vectors.ids[other]) for one, other, _ in true}
    assert [row[2] for row in found] == sorted(row[2] for row in found)
    assert {("r0", "r1"), ("r38", "r39")} <= {row[:2] for row in found}
    few = rows(sql, "SELECT id, other_id FROM lookalike.near_duplicate_pairs('plain', 1.0, %s)", '{"n": {"$lt": 4}}')
    assert few == [pair[:2] for pair in found if int(pair[0][1:]) < 4 and int(pair[1][1:]) < 4]


def test_pairs_through_the_graph(shop: tuple[Database, Collection], sql: Connection) -> None:
    filter_ = '{"n": {"$lt": 60}}'
    exact = rows(sql, "SELECT id, other_id FROM lookalike.near_duplicate_pairs('plain', 1.0, %s)", filter_)
    found = rows(sql, "SELECT id, other_id FROM lookalike.near_duplicate_pairs('shop', 1.0, %s)", filter_)
    assert found == exact
    assert len(found) >= 20
    everything = rows(sql, "SELECT count(*) FROM lookalike.near_duplicate_pairs('shop', 200, %s)", '{"n": {"$lt": 4}}')
    assert everything == [(6,)], "a radius that holds the whole collection"


@pytest.mark.parametrize(
    "call",
    ["knn('shop', 'r7', 3)", "knn_vector('shop', array_fill(1, ARRAY[64])::halfvec, 3)", "within('shop', 'r7', 5)",
     "near_duplicate_pairs('shop', 1, '{\"n\": {\"$lt\": 4}}')"],
)  # fmt: skip
def test_the_first_call_of_a_connection(shop: tuple[Database, Collection], module_database_url: str, call: str) -> None:
    """Before the extension is loaded, PostgreSQL does not know its settings."""
    with psycopg.connect(module_database_url) as connection:
        assert connection.execute(f"SELECT * FROM lookalike.{call}".encode()).fetchall()


def test_distance_is_that_of_the_answers(sql: Connection) -> None:
    for id_, distance in rows(sql, "SELECT id, distance FROM lookalike.knn('shop', 'r7', 5)"):
        assert rows(sql, "SELECT lookalike.distance('shop', 'r7', %s)", id_) == [(distance,)]
    assert rows(sql, "SELECT lookalike.distance('shop', 'r7', 'r7')") == [(0.0,)]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        ("knn('nowhere', 'r1', 3)", errors.NoDataFound, "there is no collection 'nowhere'"),
        ("knn('shop', 'nobody', 3)", errors.NoDataFound, "there is no record 'nobody' in the collection 'shop'"),
        ("knn('shop', 'r1', -1)", errors.InvalidParameterValue, "k is 0 to 100,000, not -1"),
        ("knn('shop', 'r1', 100001)", errors.InvalidParameterValue, "k is 0 to 100,000"),
        ("knn('shop', 'r1', 3, '[]')", errors.InvalidParameterValue, r"filter, at \$: a filter is an object"),
        ("knn('shop', 'r1', 3, '{\"a\": {\"$foo\": 1}}')", errors.InvalidParameterValue, "unknown operator"),
        ("knn_vector('shop', '[1,2]', 3)", errors.InvalidParameterValue, "2 dimensions, those of this .* have 64"),
        ("knn_vector('shop', array_fill(0, ARRAY[64])::halfvec, 3)", errors.InvalidParameterValue, "no direction"),
        ("within('shop', 'nobody', 3)", errors.NoDataFound, "no record"),
        ("knn_examples('shop', '{r1,nobody}')", errors.NoDataFound, "no record"),
        ("knn_examples('shop', '{r1}', '{r1,r1}', -1)", errors.InvalidParameterValue, "k is 0 to"),
        ("knn_varied('shop', 'r1', 5, 1.5)", errors.InvalidParameterValue, "diversity is 0 to 1"),
        ("knn_varied('shop', 'r1', 5, 'NaN')", errors.InvalidParameterValue, "diversity is 0 to 1"),
        ("knn_varied('shop', 'r1', 5, 0.5, 4)", errors.InvalidParameterValue, "candidates are k or more"),
        ("knn_varied('shop', 'nobody', 5, 0.5)", errors.NoDataFound, "no record"),
        ("distance('shop', 'r1', 'nobody')", errors.NoDataFound, "no record"),
        ("near_duplicate_pairs('nowhere')", errors.NoDataFound, "no collection"),
        ("knn('shop''; DROP TABLE lookalike.records; --', 'r1', 3)", errors.NoDataFound, "no collection"),
    ],
)  # fmt: skip
def test_a_wrong_question_is_told_what_is_wrong(
    sql: Connection, call: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        rows(sql, f"SELECT * FROM lookalike.{call}")
    assert rows(sql, "SELECT count(*) FROM lookalike.shop") == [(ROWS,)]


@pytest.mark.parametrize("call", ["knn(NULL, 'r1', 3)", "knn('shop', NULL, 3)", "knn('shop', 'r1', NULL)",
                                  "within('shop', 'r1', NULL)", "near_duplicate_pairs(NULL)",
                                  "knn_examples('shop', NULL)", "knn_examples('shop', '{}')",
                                  "knn_varied('shop', 'r1', 3, NULL)", "knn_varied('shop', 'r1', 0, 0.5)"])  # fmt: skip
def test_null_asks_for_nothing(sql: Connection, call: str) -> None:
    assert rows(sql, f"SELECT * FROM lookalike.{call}") == []


def test_another_search_path_changes_nothing(sql: Connection) -> None:
    ask, filter_ = "SELECT id FROM lookalike.knn('shop', 'r7', 5, %s)", '{"brand": {"$regex": "^b[12]$"}}'
    expected = rows(sql, ask, filter_)
    sql.execute("CREATE SCHEMA hostile")
    sql.execute("CREATE FUNCTION hostile.format(text, VARIADIC text[]) RETURNS text LANGUAGE sql RETURN 'SELECT 1/0'")
    sql.execute("SET search_path = hostile, pg_catalog")
    try:
        assert (
            rows(sql, "SELECT id FROM lookalike.knn('shop', 'r7', 5, %s)", '{"brand": {"$regex": "^b[12]$"}}')
            == expected
        )
        found = rows(
            sql, "SELECT count(*) FROM lookalike.shop AS s WHERE lookalike.matches(s.attributes, %s)", '{"n": 5}'
        )
        assert found == [(1,)]
    finally:
        sql.execute("RESET search_path")
        sql.execute("DROP SCHEMA hostile CASCADE")


@pytest.fixture
def analyst(sql: Connection, module_database_url: str) -> Iterator[Connection]:
    """A connection of a role that may read the view `shop`, and nothing else."""
    role = f"analyst_{os.getpid()}"
    sql.execute(f"CREATE ROLE {role}")
    sql.execute(f"GRANT USAGE ON SCHEMA lookalike TO {role}")
    sql.execute(f"GRANT SELECT ON lookalike.shop TO {role}")
    with psycopg.connect(module_database_url, autocommit=True) as connection:
        connection.execute(f"SET ROLE {role}")
        yield connection
        connection.execute("RESET ROLE")
    sql.execute(f"DROP OWNED BY {role}")
    sql.execute(f"DROP ROLE {role}")


def test_the_right_to_a_view_is_enough_for_the_view(sql: Connection, analyst: Connection) -> None:
    statement = """
        SELECT count(*) FROM (
            SELECT v.id FROM lookalike.shop AS v WHERE lookalike.matches(v.attributes, '{"n": {"$lt": 5}}')
            ORDER BY v.embedding <=> (SELECT q.embedding FROM lookalike.shop AS q WHERE q.id = 'r7') LIMIT 20) AS n"""
    assert rows(analyst, statement) == [(5,)]
    for refused in ("SELECT * FROM lookalike.plain", "SELECT * FROM lookalike.knn('shop', 'r7', 3)",
                    "UPDATE lookalike.shop SET attributes = '{}'", "SELECT * FROM lookalike.tokens"):  # fmt: skip
        with pytest.raises(errors.InsufficientPrivilege):
            analyst.execute(refused.encode())
    role = rows(analyst, "SELECT current_user")[0][0]
    sql.execute(f"GRANT EXECUTE ON FUNCTION lookalike.knn TO {role}")
    assert len(rows(analyst, "SELECT * FROM lookalike.knn('shop', 'r7', 3, '{\"brand\": \"b3\"}')")) == 3
    with pytest.raises(errors.InsufficientPrivilege):
        rows(analyst, "SELECT * FROM lookalike.records_1")


def test_a_declared_field_serves_a_range_on_the_view(shop: tuple[Database, Collection], sql: Connection) -> None:
    db, collection = shop
    name = indexes.declare_field(db, collection, "n")
    statement = "SELECT id FROM lookalike.shop WHERE attributes -> 'n' >= '0' AND attributes -> 'n' < '5'"
    assert name in plan(sql, statement)
    assert len(rows(sql, statement)) == 5
    sql.execute(f"DROP INDEX lookalike.{name}")


def test_index_health(sql: Connection) -> None:
    sql.execute("ANALYZE lookalike.records_1")
    ask = "SELECT index_name, kind, valid, advice FROM lookalike.index_health WHERE collection = 'shop'"
    found = {row[0]: row for row in rows(sql, ask)}
    assert found["records_1_hnsw"] == ("records_1_hnsw", "hnsw", True, "healthy")
    assert {row[1] for row in found.values()} == {"btree", "gin", "hnsw"}
    with sql.transaction(force_rollback=True):
        sql.execute("DROP INDEX lookalike.records_1_hnsw")
        missing = rows(
            sql, "SELECT kind, valid, advice FROM lookalike.index_health WHERE index_name = 'records_1_hnsw'"
        )
        assert missing[0][:2] == ("hnsw", None)
        assert missing[0][2].startswith("missing: every search compares all records")


LONG_NAME = "l" + "o" * 126 + "g"
NAMES = [
    ("shoes", "shoes"), ("Shoes-2.1", "Shoes-2.1"), ("select", "select"), ("1st", "1st"), ("n" * 63, "n" * 63),
    ("n" * 64, None), (LONG_NAME, None), (LONG_NAME[:-1], None), ("records", None), ("collections", None),
    ("tokens", None), ("index_health", None), ("tokens_pkey", None), ("records_99", None), ("records_99_hnsw", None),
    ("collection_7", None), ("records_of_mine", "records_of_mine"),
]  # fmt: skip


def test_every_name_gets_a_view(db: Database) -> None:
    made = {name: collections.create(db, NewCollection(name, "photo", "m", "1", 4, 62.5)) for name, _ in NAMES}
    for name, expected in NAMES:
        own = made[name]
        records.insert(db, own, [NewRecord("a", json.dumps({"of": name}), random_vectors(1, 4)[0])])
        row = db.read(lambda c, n=own.id: c.execute("SELECT lookalike.collection_view(%s) AS v", (n,)).fetchone())  # type: ignore[misc]
        assert row is not None
        assert row["v"] == (expected or f"collection_{own.id}")
        with db.session() as connection:
            view = psycopg.sql.Identifier("lookalike", row["v"])
            found = connection.execute(psycopg.sql.SQL("SELECT id, attributes FROM {}").format(view)).fetchall()
        assert [(one["id"], one["attributes"]) for one in found] == [("a", {"of": name})]
    for name, _ in NAMES:
        collections.drop(db, name)
    left = db.read(
        lambda c: c.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'lookalike'::regnamespace"
            " AND (relkind = 'v' OR relname ~ '^records_[0-9]')"
        ).fetchall()
    )
    assert {row["relname"] for row in left} == {
        "audit",
        "collection_stats",
        "decisions",
        "duplicate_states",
        "duplicates",
        "index_health",
        "map_records",
        "map_states",
        "recent_searches",
        "search_recall",
        "trashed_records",
    }


def test_a_collection_that_somebody_built_on_is_not_dropped(db: Database) -> None:
    own = collections.create(db, NewCollection("c", "photo", "m", "1", 4, 62.5))
    records.insert(db, own, [NewRecord("a", "{}", random_vectors(1, 4)[0])])
    with db.session() as connection:
        connection.execute("CREATE VIEW public.mine AS SELECT id FROM lookalike.c")
        with pytest.raises(InvalidRequest, match="something of your own in the database"):
            collections.drop(db, "c")
        assert records.count(db, own) == 1
        connection.execute("DROP VIEW public.mine")
    collections.drop(db, "c")


def test_a_view_is_made_anew_with_another_dimension(db: Database) -> None:
    own = collections.create(db, NewCollection("c", "photo", "m", "1", 4, 62.5))
    with db.session() as connection:
        connection.execute("UPDATE lookalike.collections SET dimensions = 8")
        assert connection.execute("SELECT lookalike.create_collection_view(%s) AS v", (own.id,)).fetchone() == {
            "v": "c"
        }
        row = connection.execute(
            "SELECT format_type(atttypid, atttypmod) AS type FROM pg_attribute"
            " WHERE attrelid = 'lookalike.c'::regclass AND attname = 'embedding'"
        ).fetchone()
    assert row == {"type": "halfvec(8)"}
