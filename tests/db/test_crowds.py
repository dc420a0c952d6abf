"""Copies of one vector stand beside the HNSW index: a search answers what comparing all of them does."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import psycopg
import pytest
from numpy.typing import NDArray

from app import create_context
from app.config import Settings
from app.db import collections, crowds, indexes, loads, records
from app.db.records import NewRecord
from app.domain.collections import Collection, NewCollection
from app.domain.errors import Unavailable
from app.domain.ranking import Aggregation
from app.domain.records import Fields
from app.domain.windows import Window
from app.filters import NO_FILTER, Where, compile_filter, parse_filter
from app.search.plan import Walk
from app.search.request import Query, What, several
from app.services import indexing, measuring, qualified
from app.services.context import Context
from app.services.loading import LoadReport, _Chunk, _Load
from tests.db.vectors import random_vectors
from tests.support.databases import Databases
from tests.support.plans import generic_plan, nodes
from tests.support.searching import answered, exact, vector_of, walk
from tests.support.waiting import build_ended, eventually

DIMENSIONS, PLAIN, COPIES = 32, 1200, 400
VECTORS = random_vectors(PLAIN + 3, DIMENSIONS, seed=4)
BLANK, GREY = VECTORS[PLAIN], VECTORS[PLAIN + 1]
BRAND = {"brand": "b"}
FIRST_WALK = Walk(25, 25, 150)


def rows() -> list[NewRecord]:
    """Ordinary records, among them 400 with one picture and 60 with another; the copies of neither are few."""
    vectors = [*VECTORS[:PLAIN], *[BLANK] * COPIES, *[GREY] * 60]
    order = np.random.default_rng(2).permutation(len(vectors))
    return [
        NewRecord(f"r{n}", json.dumps({"brand": "ab"[n % 2], "product": f"p{n // 3}", "tags": ["t"]}), vectors[n])
        for n in order
    ]


@pytest.fixture(scope="module")
def stock(databases: Databases, template: str) -> Iterator[tuple[str, str]]:
    """The URLs of databases with the collection: with an index of all records, and with crowds."""
    with databases.copy(template) as full, pytest.MonkeyPatch.context() as patch:
        with opened(Settings(), full) as context:
            own = collections.create(context.db, NewCollection("c", "photo", "m", "1", DIMENSIONS, 62.5))
            loads.copy(context.db, own, rows())
            patch.setattr(crowds, "_MOST", 10**9)
            for _ in range(20):
                assert indexes.build_hnsw(context.db, own)
                if meets_copies(context):
                    break
                indexes.drop_hnsw(context.db, own)
            assert meets_copies(context)
            patch.undo()
        with databases.copy(full) as crowded:
            with opened(Settings(), crowded) as context:
                assert indexing.keep_copies_apart(context, collections.get(context.db, "c"))
            yield full, crowded


def meets_copies(context: Context) -> bool:
    """Say whether walks that come among copies meet enough of them, as they do in most graphs, but not in all.

    Where one meets 20 or fewer, nothing tells it that there are more (docs/adr/0021-copies-beside-the-graph.md): such a
    graph is built anew.
    """
    plain = Query(collections.get(context.db, "c"), Window(30, 5), Fields())
    return all(answered(context.db, plain, what).copies for what in (BLANK, GREY))


@pytest.fixture
def database_url(request: pytest.FixtureRequest, databases: Databases, stock: tuple[str, str]) -> Iterator[str]:
    """The URL of a database of the test's own: with crowds where the test takes `own`."""
    with databases.copy(stock["own" in request.fixturenames]) as url:
        yield url


@pytest.fixture
def context(database_url: str, settings: Callable[..., Settings]) -> Iterator[Context]:
    with opened(settings(), database_url) as made:
        yield made


@contextmanager
def opened(settings: Settings, url: str) -> Iterator[Context]:
    made = create_context(settings.model_copy(update={"auth_cache_seconds": 0}), url)
    made.db.open()
    yield made
    made.db.close()


@pytest.fixture
def own(context: Context) -> Collection:
    """The collection with crowds."""
    found = collections.get(context.db, "c")
    assert found.crowded
    return found


@pytest.fixture
def full(context: Context) -> Collection:
    """The collection with an index of all records."""
    found = collections.get(context.db, "c")
    assert found.indexed
    assert not found.crowded
    return found


def sql(context: Context, text: str, *values: object) -> list[tuple[object, ...]]:
    with context.db.session() as connection:
        cursor = connection.execute(text, values)
        return [tuple(row.values()) for row in cursor] if cursor.description else []


def become(context: Context, record_id: str, vector: NDArray[np.float32]) -> None:
    """Give a record another vector."""
    sql(context, "UPDATE lookalike.records SET embedding = %s::halfvec WHERE id = %s", str(vector.tolist()), record_id)


def state(context: Context) -> dict[str, int]:
    """Return how many records stand in the graph and beside it; the rule that finds all of them holds."""
    broken = """
        SELECT count(*) FROM lookalike.records AS r LEFT JOIN lookalike.crowds AS c
            ON c.digest = r.crowd AND c.records_table = r.tableoid::regclass::text
        WHERE r.crowd IS NOT NULL AND c.embedding::real[] IS DISTINCT FROM r.embedding::real[]"""
    with context.db.session() as connection:
        connection.execute("SET search_path = lookalike, public")
        row = connection.execute(broken).fetchone()
    assert row == {"count": 0}
    counted = sql(context, "SELECT count(*) - count(crowd), count(crowd) FROM lookalike.records")[0]
    return {"in": int(str(counted[0])), "beside": int(str(counted[1]))}


def condition(given: dict[str, str] | None) -> Where:
    return NO_FILTER if given is None else compile_filter(parse_filter(given), table="r")


def same(context: Context, collection: Collection, *, way: str | None = None) -> None:
    """Whatever is looked for, however, the index's answer is that of comparing all records."""
    looked: list[What] = [BLANK, GREY, BLANK + 0.05 * VECTORS[7], VECTORS[3], several([BLANK, GREY], Aggregation.MEAN)]
    copies = sql(context, "SELECT id FROM lookalike.records WHERE crowd IS NOT NULL ORDER BY id DESC LIMIT 1")
    looked += [str(row[0]) for row in copies]
    for what in looked:
        for given in (None, BRAND):
            for product in (None, "product"):
                target = Query(collection, Window(30, 5), Fields(), condition(given), product_field=product)
                found = answered(context.db, target, what)
                true = vector_of(context.db, collection, what) if isinstance(what, str) else what
                assert found.records == exact(context.db, target, true), (what, given, product)
                if way is not None:
                    assert found.way in {way, "exact"}
    near = Query(collection, Window(500), Fields(), radius=0.5)
    assert answered(context.db, near, BLANK).records == exact(context.db, near, BLANK)
    same_in_sql(context)


def same_in_sql(context: Context) -> None:
    for vector in (BLANK, GREY, VECTORS[3]):
        for given in (None, json.dumps(BRAND)):
            found, true = (
                sql(
                    context,
                    "SELECT n.id, n.distance FROM lookalike.knn_vector('c', %s::vector, 40, %s::jsonb) AS n",
                    str(vector.tolist()), given,
                ),
                sql(
                    context,
                    "SELECT v.id, 62.5 * (v.embedding <=> %s::halfvec) AS distance FROM lookalike.c AS v"
                    " WHERE %s::jsonb IS NULL OR v.attributes @> %s::jsonb ORDER BY distance, v.id LIMIT 40",
                    str(vector.tolist()), given, given,
                ),
            )  # fmt: skip
            assert found == true


def test_a_collection_without_copies_has_nothing_of_it(context: Context, settings: Callable[..., Settings]) -> None:
    own = collections.create(context.db, NewCollection("tens", "photo", "m", "1", DIMENSIONS, 62.5))
    some = [NewRecord(f"t{n}", "{}", VECTORS[n // 10]) for n in range(600)]
    loads.copy(context.db, own, some)
    assert indexes.build_hnsw(context.db, own)
    made = collections.get(context.db, "tens")
    assert (made.indexed, made.crowded) == (True, False)
    name = indexes.hnsw_name(made)
    ((index,),) = sql(context, "SELECT pg_get_indexdef(%s::regclass)", f"lookalike.{name}")
    assert "WHERE" not in str(index)
    ours = "SELECT count(*) FROM pg_trigger WHERE tgrelid = %s::regclass AND tgname = 'keep_copies_apart'"
    assert sql(context, ours, f"lookalike.{made.records_table}") == [(0,)]
    assert "crowd" not in walk(Query(made, Window(20), Fields()).near(BLANK), FIRST_WALK)[0]


def test_copies_are_set_apart_when_an_index_is_built(context: Context, own: Collection) -> None:
    assert state(context) == {"in": PLAIN + 20, "beside": COPIES + 60 - 20}
    ((index,),) = sql(context, "SELECT pg_get_indexdef(%s::regclass)", f"lookalike.{indexes.hnsw_name(own)}")
    assert str(index).endswith("WHERE (crowd IS NULL)")
    text, values = walk(Query(own, Window(20), Fields()).near(vector_of(context.db, own, "r1")), FIRST_WALK)
    used = {one.get("Index Name") for one in nodes(generic_plan(context.db, text, values))}
    assert indexes.hnsw_name(own) in used
    same(context, own, way="index")
    assert not indexing.keep_copies_apart(context, own)
    assert not crowds.due(context.db, own)


def test_they_stay_apart_whatever_is_written(context: Context, own: Collection) -> None:
    before = state(context)
    more = [NewRecord(f"m{n}", json.dumps(BRAND), BLANK) for n in range(30)]
    assert records.insert(context.db, own, more[:10]) is not None
    loads.copy(context.db, own, more[10:20])
    loads.store(context.db, own, more[15:])
    assert state(context) == {"in": before["in"], "beside": before["beside"] + 30}
    same(context, own, way="index")
    # Another picture of a copy, and a copy's picture of another record.
    become(context, "m3", VECTORS[3])
    become(context, "r3", BLANK)
    sql(context, "UPDATE lookalike.records SET attributes = '{\"brand\": \"b\"}' WHERE id = 'm4'")
    become(context, "m5", GREY)
    assert state(context) == {"in": before["in"], "beside": before["beside"] + 30}
    same(context, own, way="index")
    # The trash, and back.
    sql(context, "SELECT lookalike.remove_to_trash('c', ARRAY['m6', 'r4'], 1.0, 'me')")
    assert state(context)["beside"] == before["beside"] + 29
    sql(context, "SELECT lookalike.restore_from_trash('c', ARRAY['m6', 'r4'])")
    assert state(context) == {"in": before["in"], "beside": before["beside"] + 30}
    # Nobody may say otherwise.
    sql(context, "UPDATE lookalike.records SET crowd = NULL WHERE id = 'm6'")
    sql(context, "UPDATE lookalike.records SET crowd = 5 WHERE id = 'r5'")
    assert state(context) == {"in": before["in"], "beside": before["beside"] + 30}
    # Those that are left in the graph go, then the rest, then they come again.
    in_graph = "SELECT id FROM lookalike.records WHERE crowd IS NULL AND embedding = %s::halfvec"
    records.delete(context.db, own, [str(one[0]) for one in sql(context, in_graph, str(BLANK.tolist()))])
    same(context, own, way="index")
    sql(context, "DELETE FROM lookalike.records WHERE crowd IS NOT NULL")
    assert state(context)["beside"] == 0
    same(context, own, way="index")
    assert records.insert(context.db, own, more) is not None
    assert state(context)["beside"] == 29  # m3 is there, and none of them
    same(context, own, way="index")


def test_those_that_have_expired_are_not_answered(context: Context, own: Collection) -> None:
    gone = [NewRecord(f"a{n}", '{"_expires_at": "2020-01-01T00:00:00Z"}', BLANK) for n in range(20)]
    records.insert(context.db, own, gone)
    own = collections.get(context.db, "c")
    assert own.expires
    found = answered(context.db, Query(own, Window(30), Fields()), BLANK)
    assert not {one.id for one in found.records} & {one.id for one in gone}
    same(context, own, way="index")


def test_pairs_are_those_of_all_records(context: Context, own: Collection) -> None:
    """By the function in SQL: each copy with each, and with what lies near."""
    near = BLANK + 0.02 * VECTORS[1]
    records.insert(context.db, own, [NewRecord("near", json.dumps(BRAND), near / np.linalg.norm(near))])
    sql(context, "DELETE FROM lookalike.records WHERE embedding = %s::halfvec AND id > 'r13'", str(BLANK.tolist()))
    found = "SELECT n.id AS one, n.other_id FROM lookalike.near_duplicate_pairs('c', 0.2, %s) AS n ORDER BY 1, 2"
    true = """
        SELECT a.id AS one, b.id AS other FROM lookalike.c AS a JOIN lookalike.c AS b ON a.id COLLATE "C" < b.id
        WHERE 62.5 * (a.embedding <=> b.embedding) <= 0.2
            AND (%s::jsonb IS NULL OR a.attributes @> %s AND b.attributes @> %s)
        ORDER BY 1, 2"""
    for given in (None, json.dumps(BRAND)):
        assert sql(context, found, given) == sql(context, true, given, given, given) != []


def test_a_search_that_meets_copies_in_the_graph_compares_all(context: Context, full: Collection) -> None:
    found = answered(context.db, Query(full, Window(10), Fields()), BLANK + 0.05 * VECTORS[7])
    assert (found.copies, "exact" in found.way) == (True, True)
    same(context, full)


def test_copies_of_few_products_are_counted_as_records(context: Context, full: Collection) -> None:
    """60 copies of 20 products are 20 products at one distance: no more than may stand in the graph, as products."""
    query = Query(full, Window(30, 5), Fields(), product_field="product")
    found = answered(context.db, query, GREY)
    assert (found.copies, found.records) == (True, exact(context.db, query, GREY))


def test_a_full_place_is_looked_at_where_enough_was_written(context: Context, full: Collection) -> None:
    """A search that meets ten copies cannot say that there are no more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crowds, "_MOST", 10**9)
        crowds.set_apart(context.db, full)
    indexing.mend(context, full, sure=False)
    eventually(lambda: full.id not in context.crowds._running)
    assert not collections.get(context.db, "c").crowded
    for n in range(10):
        become(context, f"r{n}", VECTORS[n])
    sql(context, "SELECT pg_stat_force_next_flush()")
    context.crowds.end(full.id, 1e-9)
    indexing.mend(context, full, sure=False)
    eventually(lambda: full.id not in context.crowds._running)
    assert collections.get(context.db, "c").crowded


@pytest.mark.parametrize("copies", [20, 21])
def test_copies_that_are_written_together_are_set_apart_at_once(
    context: Context, full: Collection, copies: int
) -> None:
    """Before any search meets them, as one that meets only a few would not tell."""
    indexing.notice_copies(context, full, [*VECTORS[:50], *[GREY + 1e-8] * copies])
    eventually(lambda: full.id not in context.crowds._running)
    assert collections.get(context.db, "c").crowded == (copies == 21)


def test_a_load_of_copies_is_noticed(context: Context) -> None:
    made = collections.create(context.db, NewCollection("loaded", "photo", "m", "1", DIMENSIONS, 62.5))
    assert indexes.build_hnsw(context.db, made)
    made = collections.get(context.db, "loaded")
    chunk = _Chunk([NewRecord(f"n{n}", "{}", one) for n, one in enumerate([*VECTORS[:40], *[BLANK] * 21])])
    _Load(context, made, LoadReport(), lambda _: None, lambda _: None, None, dry_run=False)._store(chunk)
    eventually(lambda: made.id not in context.crowds._running)
    assert collections.get(context.db, "loaded").crowded


@pytest.mark.parametrize("told", ["by a search", "by a change"])
def test_and_they_are_set_apart(context: Context, full: Collection, told: str) -> None:
    """In the background, while searches go on through the index of all of them."""
    if told == "by a search":
        qualified.nearest_to(context, Query(full, Window(10), Fields()).near(BLANK))
        eventually(lambda: full.id not in context.crowds._running)
    else:
        sql(context, "UPDATE lookalike.collections SET settings = settings - 'looked_for_copies'")
        indexing.maintain(context, full)
        build_ended(context, full)
    made = collections.get(context.db, "c")
    assert made.crowded
    same(context, made, way="index")
    same(context, full)  # whoever still has the facts of before


def test_an_index_is_built_anew_without_them(
    context: Context, full: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of single values, too."""
    monkeypatch.setattr("app.db.partial.LEAST", 300)
    indexing.index_values(context, full, "brand")
    assert indexing.rebuild(context, collections.get(context.db, "c"))
    made = collections.get(context.db, "c")
    assert (made.crowded, len(made.partial_indexes)) == (True, 2)
    ours = "SELECT indexdef FROM pg_indexes WHERE indexname LIKE 'records_1_%%' AND indexdef LIKE '%%hnsw%%'"
    found = [str(one[0]) for one in sql(context, ours)]
    assert len(found) == 3
    assert all("crowd IS NULL" in one for one in found)
    same(context, made)
    assert indexing.rebuild(context, made)
    same(context, collections.get(context.db, "c"))


def test_what_was_interrupted_is_gone_on_with(
    context: Context, full: Collection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is stopped between two batches, by the end of its connection."""
    monkeypatch.setattr(crowds, "_AT_ONCE", 100)
    with context.db.session() as connection:
        crowds._prepare(connection, full, unused=False)
    with psycopg.connect(database_url) as other:
        last = "SELECT max(id) FROM lookalike.records WHERE embedding = %s::halfvec"
        other.execute(f"SELECT FROM lookalike.records WHERE id = ({last}) FOR UPDATE", (str(BLANK.tolist()),))
        raised: list[Exception] = []
        builder = threading.Thread(target=lambda: raised.extend(_raised(context, full)))
        builder.start()
        waiting = (
            "SELECT pid FROM pg_stat_activity WHERE %s = ANY (pg_blocking_pids(pid)) AND query LIKE '%%SET crowd%%'"
        )
        ((pid,),) = eventually(lambda: sql(context, waiting, other.info.backend_pid))
        sql(context, "SELECT pg_terminate_backend(%s)", pid)
        builder.join()
    assert [type(one) for one in raised] != []
    assert 0 < state(context)["beside"] < COPIES + 60 - 20
    half = collections.get(context.db, "c")
    assert not half.crowded
    same(context, half)
    records.insert(context.db, half, [NewRecord("new", json.dumps(BRAND), BLANK)])
    same(context, half)
    assert indexing.keep_copies_apart(context, half)
    made = collections.get(context.db, "c")
    assert made.crowded
    assert state(context)["beside"] == COPIES + 60 - 20 + 1
    same(context, made, way="index")


def _raised(context: Context, collection: Collection) -> list[Exception]:
    try:
        indexing.keep_copies_apart(context, collection)
    except Unavailable as error:
        return [error]
    return []


def test_while_others_write(context: Context, full: Collection) -> None:
    """Records become copies and cease to be ones, while copies are set apart."""
    stopped, writers = threading.Event(), []

    def write(seed: int) -> None:
        generator = np.random.default_rng(seed)
        while not stopped.is_set():
            number = int(generator.integers(PLAIN - 50, PLAIN + 100))
            vector: NDArray[np.float32] = (BLANK, GREY, VECTORS[number % 40])[int(generator.integers(3))]
            become(context, f"r{number}", vector)

    for seed in range(3):
        writers.append(threading.Thread(target=write, args=(seed,)))
        writers[-1].start()
    try:
        indexing.keep_copies_apart(context, full)
    finally:
        stopped.set()
        for one in writers:
            one.join()
    made = collections.get(context.db, "c")
    assert made.crowded
    state(context)
    same(context, made)


def test_a_table_that_is_gone_leaves_no_crowds(context: Context, own: Collection) -> None:
    begin = "SELECT lookalike.begin_reembedding(%s, 'other', '1', 8, 62.5)"
    assert sql(context, begin, own.id) == [(2,)]
    enter = "INSERT INTO lookalike.crowds VALUES ('records_1_v2', 5, 1, '[1,0,0,0,0,0,0,0]')"
    sql(context, enter)
    sql(context, "SELECT lookalike.abandon_reembedding(%s)", own.id)
    tables = "SELECT DISTINCT records_table FROM lookalike.crowds"
    assert sql(context, tables) == [("records_1",)]
    sql(context, begin, own.id)
    sql(context, enter)
    sql(context, "SELECT lookalike.finish_reembedding(%s)", own.id)
    assert sql(context, tables) == [("records_1_v2",)]
    sql(context, "SELECT lookalike.drop_collection(%s)", own.id)
    assert sql(context, tables) == []


def test_recall_is_that_of_the_graph(context: Context, own: Collection) -> None:
    """What stands beside it is found whatever the effort: it is not missed where a walk leaves it out."""
    measured = measuring.measured(context.db, measuring._of_all(own), 0.99, 60, queries=40, rest=False)
    assert measured is not None
    assert measuring.recalls(measured)[0] > 0.9


def test_pages_are_cut_from_one_list(context: Context, own: Collection) -> None:
    target = Query(own, Window(300), Fields())
    long = answered(context.db, target, GREY).records
    found = []
    for offset in range(0, 300, 30):
        found += answered(context.db, replace(target, window=Window(30, offset)), GREY).records
    assert found == long == exact(context.db, target, GREY)
