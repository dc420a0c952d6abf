"""Indexes of single values: built, searched through, kept up to date, and never trusted with what they do not hold."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from numpy.typing import NDArray

from app import create_context
from app.config import Settings
from app.db import collections, indexes, loads, locks, partial, records, searchlog
from app.db import reembedding as steps
from app.db.records import NewRecord, Patch
from app.domain.collections import Collection, NewCollection, SearchCosts
from app.domain.errors import InvalidRequest
from app.domain.records import Fields, Json
from app.domain.searches import Entry
from app.domain.windows import Window
from app.filters import compile_filter, parse_filter
from app.search.plan import Walk
from app.search.request import Query
from app.services import advising, indexing
from app.services.context import Context
from app.services.updating import update_from_lines
from tests.db.vectors import random_vectors
from tests.support.databases import Databases
from tests.support.plans import nodes
from tests.support.searching import answered, walk

Floats = NDArray[np.float32]
DIMENSIONS = 32
ROWS = 6000
LEAST = 300
ODD = 'quo"te %s \\ é 1'


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values of so few records get an index, and an exact search of them is dear."""
    monkeypatch.setattr(partial, "LEAST", LEAST)


@pytest.fixture(scope="module")
def stock(databases: Databases, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a database with the collection, of which tests have copies."""
    with databases.copy(template) as url:
        with opened(Settings(home=tmp_path_factory.mktemp("home")), url) as context:
            fill(context)
        yield url


@pytest.fixture(scope="module")
def classed(databases: Databases, stock: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The same with an index of each class."""
    with databases.copy(stock) as url, pytest.MonkeyPatch.context() as patch:
        patch.setattr(partial, "LEAST", LEAST)
        with opened(Settings(home=tmp_path_factory.mktemp("home")), url) as context:
            index(context, collections.get(context.db, "c"), "class")
        yield url


@pytest.fixture
def database_url(request: pytest.FixtureRequest, databases: Databases) -> Iterator[str]:
    """The URL of a database of the test's own: with indexes of classes where the test takes `found`."""
    with databases.copy(request.getfixturevalue("classed" if "found" in request.fixturenames else "stock")) as url:
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


def attributes(number: int, place: float) -> dict[str, Any]:
    """A class by likeness, so that records of one lie together, and values of other types."""
    return {
        "class": "near" if place < 0.45 else "middle" if place < 0.5 else "far",
        "size": number % 3,
        "ratio": (0.5, 1.0, 1e-7)[number % 3],
        "sale": number % 2 == 0,
        "tags": ["odd", ODD] if number % 4 == 0 else "odd",
        "rare": number,
        "price": number % 100,
        "note": None if number % 2 else {"size": 1},
    }


@pytest.fixture
def filled(context: Context) -> Collection:
    """The collection without indexes of values."""
    return collections.get(context.db, "c")


@pytest.fixture
def found(context: Context) -> Collection:
    """The collection with an index of each class."""
    return collections.get(context.db, "c")


@pytest.fixture(scope="module")
def indexed(
    databases: Databases, classed: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Context, Collection]]:
    """A collection whose values of five fields are indexed, for tests that only read."""
    home = tmp_path_factory.mktemp("home")
    with (
        databases.copy(classed) as url,
        opened(Settings(home=home), url) as context,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(partial, "LEAST", LEAST)
        made = collections.get(context.db, "c")
        for field in ("size", "ratio", "sale", "tags"):
            made = index(context, made, field)
        yield context, made


def fill(context: Context) -> None:
    own = collections.create(context.db, NewCollection("c", "photo", "m", "1", DIMENSIONS, 62.5))
    vectors = random_vectors(ROWS, DIMENSIONS)
    places = np.argsort(np.argsort(-vectors @ query())) / ROWS
    rows = [
        NewRecord(f"r{n}", json.dumps(attributes(n, float(place))), vector)
        for n, (vector, place) in enumerate(zip(vectors, places, strict=True))
    ]
    loads.copy(context.db, own, rows)
    assert indexes.build_hnsw(context.db, own)


def query() -> Floats:
    """The first of ten that are searched for; the class is by likeness to it."""
    found: Floats = random_vectors(10, DIMENSIONS, seed=9)[0]
    return found


def index(context: Context, collection: Collection, field: str) -> Collection:
    indexing.index_values(context, collection, field)
    return collections.get(context.db, collection.name)


def target(collection: Collection, filter_: Any, k: int = 20, *, exact: bool = False) -> Query:
    where = compile_filter(parse_filter(filter_), indexed_fields=collection.indexed_fields, table="r")
    return Query(collection, Window(k), Fields(everything=True), where, exact=exact)


def conditions(collection: Collection) -> set[str]:
    return {part.condition for part in collection.partial_indexes}


def recall(context: Context, collection: Collection, filter_: Any) -> tuple[str, float]:
    """Return the way of a search against the filter, and the share of the true answers that ten searches find."""
    hits = 0
    ways = []
    for vector in random_vectors(10, DIMENSIONS, seed=9):
        near = answered(context.db, target(collection, filter_), vector)
        true = answered(context.db, target(collection, filter_, exact=True), vector)
        assert len(near.records) == len(true.records) == 20
        hits += len({found.id for found in near.records} & {found.id for found in true.records})
        ways.append(near.way)
    return ways[0], hits / 200


def test_frequent_values_get_an_index(context: Context, filled: Collection) -> None:
    told: list[tuple[str, int, bool]] = []
    indexing.index_values(context, filled, "class", lambda *value: told.append(value))
    assert told == [('"far"', 3000, True), ('"near"', 2700, True), ('"middle"', 300, True)]
    found = collections.get(context.db, "c")
    assert {part.condition: part.rows for part in found.partial_indexes} == {
        '$ ? (@."class" == "far")': 3000,
        '$ ? (@."class" == "near")': 2700,
        '$ ? (@."class" == "middle")': 300,
    }
    told.clear()
    indexing.index_values(context, found, "class", lambda *value: told.append(value))
    assert [built for *_, built in told] == [False] * 3, "one that is ready is not built again"


def test_numbers_are_known_again_whatever_their_form(indexed: tuple[Context, Collection]) -> None:
    context, found = indexed
    told: list[bool] = []
    indexing.index_values(context, found, "ratio", lambda *value: told.append(value[2]))
    assert told == [False] * 3
    assert conditions(collections.get(context.db, "c")) == conditions(found)


def test_a_filter_against_the_query_is_answered_through_its_index(context: Context, filled: Collection) -> None:
    assert recall(context, filled, {"class": "far"})[0] != "index"
    found = index(context, filled, "class")
    way, share = recall(context, found, {"class": "far"})
    assert way == "index"
    assert share >= 0.95
    for filter_ in (
        {"class": "far", "price": {"$lt": 50}},
        {"$and": [{"price": {"$gte": 50}}, {"class": {"$eq": "far"}}]},
        {"class": {"$in": ["far"]}, "sale": True},
    ):
        assert recall(context, found, filter_)[1] >= 0.95


@pytest.mark.parametrize(
    ("field", "value", "number"),
    [
        ("size", 2, 2000),
        ("ratio", 0.5, 2000),
        ("ratio", 1.0, 2000),
        ("ratio", 1e-7, 2000),
        ("sale", True, 3000),
        ("tags", ODD, 1500),
        ("tags", "odd", 6000),
    ],
)
def test_values_of_every_type_and_in_arrays(
    indexed: tuple[Context, Collection], field: str, value: Any, number: int
) -> None:
    context, found = indexed
    where = target(found, {field: value}).where
    assert where.equalities <= conditions(found)
    assert [part.rows for part in found.partial_indexes if {part.condition} == where.equalities] == [number]
    assert recall(context, found, {field: value})[1] >= 0.95


@pytest.mark.parametrize(
    "filter_",
    [
        {"class": {"$ne": "far"}},
        {"class": {"$in": ["far", "near"]}},
        {"$or": [{"class": "far"}, {"price": 1}]},
        {"class": {"$not": {"$eq": "far"}}},
        {"class": "nowhere", "price": 1},
        {"class.name": "far"},
        {"size": True},
        {"class": None},
    ],
)
def test_filters_that_an_index_does_not_hold_pass_it_by(indexed: tuple[Context, Collection], filter_: Any) -> None:
    context, found = indexed
    assert not target(found, filter_).where.equalities & conditions(found)
    near = answered(context.db, target(found, filter_), query())
    true = answered(context.db, target(found, filter_, exact=True), query())
    assert len(near.records) == len(true.records)


def test_plan_of_a_walk_through_it(indexed: tuple[Context, Collection]) -> None:
    context, found = indexed
    wanted = target(found, {"class": "far", "price": {"$lt": 50}})
    part = next(part for part in found.partial_indexes if "far" in part.condition)
    text, values = walk(wanted.near(query()), Walk(40, 400, 150), part)
    text = "EXPLAIN (ANALYZE, FORMAT JSON) " + text
    row = context.db.read(lambda connection: connection.execute(text, values, prepare=False).fetchone())
    assert row is not None
    scans = [node for node in nodes(row["QUERY PLAN"][0]["Plan"]) if node.get("Index Name")]
    own = next(one.index_name for one in partial.listed(context.db, found) if one.value == "far")
    assert [node["Index Name"] for node in scans] == [own]
    assert scans[0]["Actual Rows"] < 200


def test_a_record_that_changes_its_value_changes_its_index(context: Context, found: Collection) -> None:
    nearest = answered(context.db, target(found, {"class": "near"}), query()).records[0]
    patch = {nearest.id: Patch(json.dumps({"class": "far"}), "[]")}
    context.db.write(lambda connection: records.update(connection, found, patch, Fields()))
    for value, there in (("near", False), ("far", True)):
        answer = answered(context.db, target(found, {"class": value}), query())
        assert answer.way == "index"
        assert (nearest.id in {one.id for one in answer.records}) is there
    records.delete(context.db, found, [nearest.id])
    answer = answered(context.db, target(found, {"class": "far"}), query())
    assert nearest.id not in {one.id for one in answer.records}
    assert len(answer.records) == 20


def test_what_is_left_of_a_value_is_answered_in_full(context: Context, found: Collection) -> None:
    """The planner still believes in 3,000 records: an index that comes back short is no answer."""
    with psycopg.connect(context.db.url) as connection:
        left = connection.execute(
            f'DELETE FROM lookalike.{found.records_table} WHERE attributes @> \'{{"class": "far"}}\''
            " AND id NOT IN ('r1', 'r2', 'r3', 'r4', 'r5') RETURNING id"
        ).rowcount
    near = answered(context.db, target(found, {"class": "far"}), query())
    assert len(near.records) == 3000 - left


def test_an_index_that_was_dropped_or_is_broken_is_not_used(context: Context, found: Collection) -> None:
    names = [one.index_name for one in partial.listed(context.db, found)]
    with psycopg.connect(context.db.url) as connection:
        connection.execute(f"DROP INDEX lookalike.{names[0]}")
        connection.execute(
            "UPDATE pg_catalog.pg_index SET indisvalid = false WHERE indexrelid = to_regclass(%s)",
            (f"lookalike.{names[1]}",),
        )
    # A server that has read the collection before knows nothing of it for a while: its answers stay complete.
    for filter_ in ({"class": "far"}, {"class": "near"}):
        assert recall(context, found, filter_)[1] >= 0.95
    now = collections.get(context.db, "c")
    assert len(now.partial_indexes) == 1
    assert [one.ready for one in partial.listed(context.db, now)].count(True) == 1
    assert len(index(context, now, "class").partial_indexes) == 3, "another run mends both"


def test_indexes_of_values_alone_are_no_index_of_the_collection(context: Context, found: Collection) -> None:
    with psycopg.connect(context.db.url) as connection:
        connection.execute(f"DROP INDEX lookalike.{found.records_table}_hnsw")
    now = collections.get(context.db, "c")
    assert len(now.partial_indexes) == 3
    ready = [row["hnsw_index_ready"] for row in collections.list_all(context.db) if row["name"] == "c"]
    assert (now.indexed, ready) == (False, [False])


def test_built_anew_with_the_index_of_all(context: Context, found: Collection) -> None:
    """New values get theirs and rare ones lose it, by the command as by the server after large deletions."""
    before = oids(context, found)
    with psycopg.connect(context.db.url) as connection:
        connection.execute(
            f'UPDATE lookalike.{found.records_table} SET attributes = attributes || \'{{"class": "new"}}\''
            ' WHERE attributes @> \'{"class": "near"}\''
        )
    assert indexing.rebuild(context, found)
    now = collections.get(context.db, "c")
    assert conditions(now) == {f'$ ? (@."class" == "{value}")' for value in ("far", "middle", "new")}
    assert not before & oids(context, now)
    assert recall(context, now, {"class": "new"})[1] >= 0.95


def oids(context: Context, collection: Collection) -> set[int]:
    text = "SELECT pg_relation_filenode(to_regclass('lookalike.' || %s)) AS node"
    names = [one.index_name for one in partial.listed(context.db, collection)]
    with context.db.session() as connection:
        return {row["node"] for name in names for row in connection.execute(text, (name,))}


def test_a_bulk_update_that_builds_the_index_anew_builds_them_too(
    context: Context, found: Collection, tmp_path: Path
) -> None:
    before = oids(context, found)
    lines = tmp_path / "sizes.jsonl"
    lines.write_text("".join(f'{{"_id": "r{n}", "size": "all"}}\n' for n in range(ROWS)))
    small = replace(context, settings=context.settings.model_copy(update={"index_rows": 1000}))
    assert update_from_lines(small, found, lines, rebuild=True).index_built
    now = collections.get(context.db, "c")
    assert now.indexed
    assert conditions(now) == conditions(found)
    assert not before & oids(context, now)


def test_dropped_again(context: Context, found: Collection) -> None:
    assert indexing.drop_values(context, found, "nothing") == 0
    assert indexing.drop_values(context, found, "class") == 3
    assert collections.get(context.db, "c").partial_indexes == ()
    text = "SELECT count(*) AS left FROM pg_indexes WHERE tablename = %s AND indexname LIKE %s"
    values = (found.records_table, "%\\_p\\_%")
    assert context.db.read(lambda one: one.execute(text, values).fetchone()) == {"left": 0}


def test_rare_values_and_what_is_no_scalar_get_none(context: Context, filled: Collection) -> None:
    assert index(context, filled, "rare").partial_indexes == ()
    assert index(context, filled, "note").partial_indexes == ()
    assert index(context, filled, "nothing").partial_indexes == ()


@pytest.mark.parametrize("field", ["", "_id", "$gt", "a.b", "a\x00b", "x" * 201])
def test_what_is_no_attribute_is_refused(context: Context, filled: Collection, field: str) -> None:
    with pytest.raises(InvalidRequest, match="top-level attribute"):
        indexing.index_values(context, filled, field)
    assert partial.listed(context.db, filled) == []


def test_of_two_processes_one_builds(context: Context, filled: Collection, database_url: str) -> None:
    with psycopg.connect(database_url) as other:
        other.execute("SELECT pg_advisory_lock(%s, %s)", (locks.INDEX_BUILD, filled.id))
        with pytest.raises(InvalidRequest, match="another process builds an index of c"):
            indexing.index_values(context, filled, "class")
    assert len(index(context, filled, "class").partial_indexes) == 3


def test_writers_and_searches_go_on_while_they_are_built(context: Context, filled: Collection) -> None:
    done = threading.Event()
    written = 0

    def build() -> None:
        try:
            indexing.index_values(context, filled, "class")
        finally:
            done.set()

    builder = threading.Thread(target=build)
    builder.start()
    vectors = random_vectors(400, DIMENSIONS, seed=3)
    while not done.is_set() and written < len(vectors):
        row = NewRecord(f"w{written}", json.dumps({"class": "far"}), vectors[written])
        assert records.insert(context.db, filled, [row]) == {f"w{written}"}
        written += 1
        own = answered(context.db, target(filled, {"class": "far"}, k=1), vectors[written - 1])
        assert [found.id for found in own.records] == [f"w{written - 1}"]
    builder.join()
    assert written > 0
    now = collections.get(context.db, "c")
    assert len(now.partial_indexes) == 3
    for number in range(written):
        own = answered(context.db, target(now, {"class": "far"}, k=1), vectors[number])
        assert [found.id for found in own.records] == [f"w{number}"]


def test_a_new_model_gets_them_too(context: Context, found: Collection) -> None:
    facts = {"model": "other", "model_revision": "2", "dimensions": DIMENSIONS, "distance_scale": 10.0}
    steps.begin(context.db, found, facts)
    job = steps.find(context.db, found)
    assert job is not None
    ids = [f"r{number}" for number in range(ROWS)]
    steps.store(context.db, job, dict(zip(ids, random_vectors(ROWS, DIMENSIONS, seed=4), strict=True)), {})
    indexes.build_gin(context.db, job.next)
    assert indexes.build_hnsw(context.db, job.next, unused=True)
    indexing.index_values(context, job.next, "class", unused=True)
    assert conditions(collections.get(context.db, "c")) == conditions(found)
    steps.switch(context.db, job, lambda: None, lambda _: None, drop_unreadable=False)
    now = collections.get(context.db, "c")
    assert now.generation == 2
    assert len(now.partial_indexes) == 3
    assert recall(context, now, {"class": "far"})[1] >= 0.95
    text = "SELECT DISTINCT records_table FROM lookalike.partial_indexes"
    assert context.db.read(lambda one: one.execute(text).fetchall()) == [{"records_table": now.records_table}]
    collections.drop(context.db, "c")
    assert context.db.read(lambda one: one.execute(text).fetchall()) == []


def log(context: Context, collection: Collection, filter_: Json, way: str, milliseconds: float, number: int) -> None:
    note = Entry(datetime.now(UTC), 1, collection.id, "visualKNN", None, filter_, 20, 20, milliseconds, way)
    searchlog.add(context.db, [note] * number, 1000)


def test_what_would_help_is_advised_and_built(context: Context, filled: Collection) -> None:
    """A class that is compared to the end, and a price that no index finds; what is walked well needs neither."""
    own = replace(filled, costs=SearchCosts(1.0, 50.0, 5.0))
    log(context, own, {"class": "far"}, "index, then exact", 200.0, 30)
    log(context, own, {"class": "{TAKE_FROM_QUERY}", "sale": True}, "exact", 100.0, 10)
    log(context, own, {"price": {"$lt": 2}, "rare": {"$ne": 5}}, "exact", 120.0, 20)
    log(context, own, {"sale": True}, "index", 2.0, 50)
    log(context, own, {"_identity": {"$lt": 2}, "note.size": 1}, "exact", 50.0, 5)
    log(context, own, {"$nonsense": 1}, "exact", 50.0, 5)
    advised = advising.advise(context, own)
    assert (advised.searches, advised.milliseconds) == (120, 10_000.0)
    told = [(one.kind, one.field, one.searches, one.command) for one in advised.advice]
    assert told == [
        ("values", "class", 40, "lookalike collection index c class --each-value"),
        ("field", "price", 20, "lookalike collection index c price"),
    ]
    for one in advised.advice:
        assert one.expected_ms < one.milliseconds / 2
        assert one.saved_ms == pytest.approx((one.milliseconds - one.expected_ms) * one.searches, rel=0.01)
    advising.apply(context, own, advised.advice)
    built = replace(collections.get(context.db, "c"), costs=own.costs)
    assert built.indexed_fields == {"price"}
    assert {one.value for one in partial.listed(context.db, built) if one.ready} == {"near", "middle", "far"}
    sizes = context.db.all(
        "SELECT sum(pg_relation_size(i.indexrelid))::bigint AS bytes FROM pg_index AS i"
        " WHERE i.indrelid = %(table)s::regclass AND i.indpred IS NOT NULL",
        {"table": f"lookalike.{built.records_table}"},
    )
    assert advised.advice[0].bytes == pytest.approx(sizes[0]["bytes"], rel=0.3)
    assert advising.advise(context, built).advice == []
    where = compile_filter(parse_filter({"class": "far"}), indexed_fields=built.indexed_fields, table="r")
    near = answered(context.db, Query(built, Window(20), Fields(), where), random_vectors(1, DIMENSIONS, seed=2)[0])
    assert near.way == "index", "its own index serves what was compared to the end"


def test_no_advice_without_a_log(context: Context, filled: Collection) -> None:
    assert advising.advise(context, filled) == advising.Advised(0, 0, [])
    log(context, filled, {}, "index", 1.0, 3)
    log(context, filled, {"class": "far"}, "index", 0.2, 3)
    assert advising.advise(context, filled).advice == []
