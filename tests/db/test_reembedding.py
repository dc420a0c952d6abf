"""The steps of a change of a collection's model: what is noted, what is followed, and the switch."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import psycopg
import pytest
from numpy.typing import NDArray

from app.db import collections, indexes, loads, records
from app.db import reembedding as steps
from app.db.engine import Database
from app.db.records import NewRecord
from app.db.reembedding import ModelChange, NotYet
from app.domain.collections import Collection, NewCollection
from app.domain.errors import CollectionNotFound, InvalidRequest, Unavailable
from app.domain.records import Fields
from app.domain.windows import Window
from app.search.request import Query
from tests.db.vectors import random_vectors
from tests.support.plans import nodes, plan
from tests.support.searching import answered, exact, vector_of

OLD, NEW = 8, 16
FACTS: dict[str, object] = {"model": "other", "model_revision": "2", "dimensions": NEW, "distance_scale": 10.0}


def old_vector(seed: int) -> NDArray[np.float32]:
    return np.asarray(random_vectors(1, OLD, seed)[0], np.float32)


def new_vector(seed: int) -> NDArray[np.float32]:
    return np.asarray(random_vectors(1, NEW, seed)[0], np.float32)


def row(number: int) -> NewRecord:
    return NewRecord(f"r{number}", f'{{"n": {number}}}', old_vector(number), b"webp", b"png")


@pytest.fixture
def job(db: Database) -> ModelChange:
    """Ten records, and a change of their model that has just begun."""
    own = collections.create(db, NewCollection("c", "photo", "some-model", "1", OLD, 62.5, keep_images=True))
    records.insert(db, own, [row(number) for number in range(10)])
    steps.begin(db, own, FACTS)
    found = steps.find(db, own)
    assert found is not None
    return found


def make(db: Database, job: ModelChange, ids: list[str] | None = None) -> None:
    """Give records new vectors, all that are missing unless named."""
    named = ids if ids is not None else [source.id for source in steps.missing(db, job, "", 1000)]
    steps.store(db, job, {own: new_vector(int(own[1:])) for own in named}, {})


def follow(db: Database, job: ModelChange) -> None:
    while noted := steps.changes(db, job, 3):
        fresh = [source.id for source in steps.sources(db, job, [note.id for note in noted if note.new_picture])]
        steps.apply(db, job, noted, {own: new_vector(int(own[1:])) for own in fresh}, {})


def switch(db: Database, job: ModelChange, **given: Any) -> Collection:
    steps.switch(db, job, lambda: follow(db, job), lambda _: follow(db, job), **{"drop_unreadable": False, **given})
    return collections.get(db, job.collection.name)


def execute(db: Database, text: str) -> None:
    with psycopg.connect(db.url) as connection:
        connection.execute(text)


def rows(db: Database, text: str) -> list[Any]:
    with psycopg.connect(db.url) as connection:
        return connection.execute(text).fetchall()


def test_the_change_begins_beside_what_is_in_use(db: Database, job: ModelChange) -> None:
    assert (job.next.generation, job.next.dimensions, job.next.model) == (2, NEW, "other")
    assert (job.collection.records_table, job.next.records_table) == ("records_1", "records_1_v2")
    assert [source.id for source in steps.missing(db, job, "r7", 10)] == ["r8", "r9"]
    make(db, job, ["r8"])
    assert [source.id for source in steps.missing(db, job, "r7", 10)] == ["r9"]
    assert records.count(db, job.collection) == 10
    assert collections.get(db, "c").model == "some-model"
    assert [name for name, _ in collections.models(db)] == ["other", "some-model"]
    # What is in use is searched, inserted into, and shown through the parent, and nothing of the new is.
    assert rows(db, "SELECT count(*) FROM lookalike.records") == [(10,)]


@pytest.mark.parametrize("through", ["records", "records_1"])
def test_every_write_is_followed(db: Database, job: ModelChange, through: str) -> None:
    make(db, job)
    with psycopg.connect(db.url) as connection:
        connection.execute(f"DELETE FROM lookalike.{through} WHERE id = 'r1'")
        connection.execute(f"""UPDATE lookalike.{through} SET attributes = '{{"n": 22}}' WHERE id = 'r2'""")
        connection.execute("DELETE FROM lookalike.thumbnails WHERE id = 'r4'")
        connection.execute("DELETE FROM lookalike.originals WHERE id = 'r4'")
        connection.execute(f"UPDATE lookalike.{through} SET id = 'r33' WHERE id = 'r4'")
    records.delete(db, job.collection, ["r3"])
    records.insert(db, job.collection, [row(3), row(11)])
    loads.copy(db, job.collection, [row(12)])
    follow(db, job)
    got = rows(db, "SELECT id, attributes -> 'n', vector_dims(embedding) FROM lookalike.records_1_v2")
    assert {own: n for own, n, _ in got} == {
        **{f"r{n}": n for n in (0, 3, 5, 6, 7, 8, 9, 11, 12)},
        "r2": 22,
        "r33": 4,
    }
    assert {dimensions for _, _, dimensions in got} == {NEW}
    assert steps.changes(db, job, 10) == []
    with psycopg.connect(db.url) as connection:
        connection.execute("TRUNCATE lookalike.records_1 CASCADE")
    follow(db, job)
    assert records.count(db, job.next) == 0


def test_a_change_that_is_not_committed_yet_is_not_lost(db: Database, job: ModelChange) -> None:
    make(db, job)
    with psycopg.connect(db.url) as late:
        late.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        late.execute("""UPDATE lookalike.records SET attributes = '{"n": 50}' WHERE id = 'r5'""")
        steps.store(db, job, {"r5": new_vector(5)}, {})
        follow(db, job)
    follow(db, job)
    assert rows(db, "SELECT attributes -> 'n' FROM lookalike.records_1_v2 WHERE id = 'r5'") == [(50,)]


def test_the_switch_changes_everything_at_once(db: Database, job: ModelChange) -> None:
    with psycopg.connect(db.url) as connection:
        connection.execute("CREATE ROLE reader_of_one")
        connection.execute("GRANT SELECT ON lookalike.records_1 TO reader_of_one WITH GRANT OPTION")
    make(db, job)
    indexes.declare_field(db, job.collection, "n")
    indexes.build_gin(db, job.next)
    indexes.declare_field(db, job.next, "n")
    assert indexes.build_hnsw(db, job.next, unused=True)
    now = switch(db, job)
    assert (now.model, now.model_revision, now.dimensions, now.distance_scale) == ("other", "2", NEW, 10.0)
    assert (now.generation, now.indexed, now.indexed_fields) == (2, True, frozenset({"n"}))
    assert steps.find(db, now) is None
    assert rows(db, "SELECT count(*), min(vector_dims(embedding)) FROM lookalike.records") == [(10, NEW)]
    assert rows(db, "SELECT to_regclass('lookalike.records_1')") == [(None,)]
    may = "SELECT has_table_privilege('reader_of_one', 'lookalike.records_1_v2', 'SELECT WITH GRANT OPTION')"
    assert rows(db, may) == [(True,)]
    steps.tidy(db, now)
    assert rows(db, "SELECT conname FROM pg_constraint WHERE NOT convalidated") == []
    # What belongs to a record still goes with it, and still needs one.
    records.delete(db, now, ["r1"])
    assert rows(db, "SELECT count(*) FROM lookalike.thumbnails") == [(9,)]
    assert rows(db, "SELECT count(*) FROM lookalike.originals") == [(9,)]
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        rows(db, "INSERT INTO lookalike.originals VALUES (1, 'nobody', 'x') RETURNING id")
    # The indexes of the parent hold those of the new table: a copy made now is the same.
    assert rows(
        db, "SELECT count(*) FROM pg_inherits WHERE inhrelid = 'lookalike.records_1_v2_attributes_idx'::regclass"
    ) == [(1,)]
    options = "SELECT reloptions FROM pg_class WHERE relname = 'records_1_v2_attributes_idx'"
    assert rows(db, options) == [(["gin_pending_list_limit=128"],)]
    with psycopg.connect(db.url) as connection:
        connection.execute("DROP OWNED BY reader_of_one")
        connection.execute("DROP ROLE reader_of_one")


def test_a_second_change_after_the_first(db: Database, job: ModelChange) -> None:
    make(db, job)
    indexes.build_gin(db, job.next)
    now = switch(db, job)
    steps.begin(db, now, {**FACTS, "dimensions": OLD})
    again = steps.find(db, now)
    assert again is not None
    assert again.next.records_table == "records_1_v3"
    assert steps.abandon(db, now)
    assert not steps.abandon(db, now)
    assert collections.get(db, "c") == now
    records.insert(db, now, [replace(row(20), embedding=new_vector(20))])
    assert rows(db, "SELECT count(*) FROM lookalike.reembedding_changes") == [(0,)]
    assert rows(db, "SELECT to_regclass('lookalike.records_1_v3')") == [(None,)]
    assert rows(db, "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'log%'") == [(0,)]


STALE: list[Callable[[Database, Collection], object]] = [
    lambda db, own: records.insert(db, own, [row(30)]),
    lambda db, own: loads.copy(db, own, [row(30)]),
    lambda db, own: records.delete(db, own, ["r1"]),
    lambda db, own: answered(db, Query(own, Window(3), Fields()), "r1"),
    lambda db, own: answered(db, Query(own, Window(3), Fields()), old_vector(1)),
    lambda db, own: vector_of(db, own, "r1"),
]


@pytest.mark.parametrize("use", STALE, ids=["insert", "copy", "delete", "by id", "by vector", "vector"])
@pytest.mark.parametrize("dimensions", [OLD, NEW])
def test_whoever_has_the_earlier_facts_is_refused(
    db: Database, dimensions: int, use: Callable[[Database, Collection], object]
) -> None:
    """Also where the new vectors have the dimension of the old ones, and nothing but the name could tell."""
    own = collections.create(db, NewCollection("c", "photo", "some-model", "1", OLD, 62.5))
    records.insert(db, own, [row(number) for number in range(10)])
    use(db, own)  # it works before, and its statements are prepared
    before = records.count(db, own)
    steps.begin(db, own, {**FACTS, "dimensions": dimensions})
    job = steps.find(db, own)
    assert job is not None
    ids = [source.id for source in steps.missing(db, job, "", 100)]
    steps.store(db, job, {id_: random_vectors(1, dimensions, 5)[0] for id_ in ids}, {})
    now = collections.get(db, "c")
    steps.switch(db, job, lambda: None, lambda _: None, drop_unreadable=False)
    with pytest.raises(CollectionNotFound):
        use(db, now)
    assert records.count(db, collections.get(db, "c")) == before


def test_a_writer_that_waits_for_the_switch_is_refused_and_nothing_is_lost(db: Database, job: ModelChange) -> None:
    make(db, job)
    told: list[BaseException | set[str]] = []

    def write() -> None:
        try:
            told.append(records.insert(db, job.collection, [row(40)]))
        except CollectionNotFound as error:
            told.append(error)

    writer = threading.Thread(target=write)

    def settle(_: int) -> None:
        writer.start()
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'INSERT%'"
        while rows(db, waiting) != [(1,)]:
            pass
        assert len(exact(db, Query(job.collection, Window(3), Fields()), old_vector(1))) == 3
        follow(db, job)

    steps.switch(db, job, lambda: None, settle, drop_unreadable=False)
    writer.join()
    assert isinstance(told[0], CollectionNotFound)
    assert rows(db, "SELECT count(*) FROM lookalike.records") == [(10,)]


def test_a_long_query_is_waited_for_and_holds_nobody_up(db: Database, job: ModelChange) -> None:
    make(db, job)
    rounds = []
    with db.session() as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM lookalike.records")

        def release(round_: int) -> None:
            rounds.append(round_)
            if round_ == 1:
                reader.execute("ROLLBACK")
            follow(db, job)

        steps.switch(db, job, lambda: None, release, drop_unreadable=False)
    assert rounds == [0, 1]
    assert collections.get(db, "c").generation == 2


def test_inserts_into_a_collection_with_a_capacity_are_not_deadlocked(db: Database) -> None:
    own = collections.create(db, NewCollection("c", "photo", "some-model", "1", OLD, 62.5, capacity=100_000))
    records.insert(db, own, [row(number) for number in range(10)])
    steps.begin(db, own, {**FACTS, "dimensions": OLD})
    job = steps.find(db, own)
    assert job is not None
    stop, stored = threading.Event(), set[str]()

    def write(first: int) -> None:
        number, facts = first, own
        while not stop.is_set():
            try:
                stored.update(records.insert(db, facts, [row(number)]))
                number += 1
            except CollectionNotFound:
                facts = collections.get(db, "c")

    def catch_up() -> None:
        while noted := steps.changes(db, job, 50):
            fresh = [source.id for source in steps.sources(db, job, [note.id for note in noted])]
            steps.apply(db, job, noted, {own_: old_vector(1) for own_ in fresh}, {})
            if len(noted) < 20:
                return

    steps.store(db, job, {source.id: old_vector(2) for source in steps.missing(db, job, "", 100)}, {})
    with ThreadPoolExecutor(2) as pool:
        writers = [pool.submit(write, first) for first in (1000, 100_000)]
        try:
            steps.switch(db, job, catch_up, lambda _: catch_up(), drop_unreadable=False)
            at_switch = len(stored)
            while len(stored) < at_switch + 5 and not any(writer.done() for writer in writers):
                pass
        finally:
            stop.set()
        assert [writer.result() for writer in writers] == [None, None]
    got = {own_ for (own_,) in rows(db, "SELECT id FROM lookalike.records")}
    assert got == stored | {f"r{number}" for number in range(10)}


def test_too_many_last_changes_are_seen_to_without_keeping_writers_out(db: Database, job: ModelChange) -> None:
    make(db, job)
    seen = []

    def settle(round_: int) -> None:
        seen.append(round_)
        if round_ < 3:
            raise NotYet

    steps.switch(db, job, lambda: seen.append(-1), settle, drop_unreadable=False)
    assert seen == [-1, 0, -1, 1, -1, 2, -1, 3]


def test_what_depends_on_the_old_table_is_named(db: Database, job: ModelChange) -> None:
    make(db, job)
    execute(db, "CREATE VIEW public.mine AS SELECT id FROM lookalike.records_1")
    with pytest.raises(InvalidRequest, match="a view or a key, is built on it"):
        switch(db, job)
    assert collections.get(db, "c").generation == 1
    execute(db, "DROP VIEW public.mine")
    assert switch(db, job).generation == 2


def test_unreadable_records_are_deleted_in_the_switch_alone(db: Database, job: ModelChange) -> None:
    make(db, job, [f"r{number}" for number in range(8)])
    steps.store(db, job, {}, {"r8": "gone", "r9": "gone too", "nobody": "never was"})
    assert steps.missing(db, job, "", 10) == []
    assert steps.failures(db, job) == [("r8", "gone"), ("r9", "gone too")]
    assert steps.count_failures(db, job) == 2
    # Deleted, or inserted anew with a picture that can be read: no longer a failure.
    records.delete(db, job.collection, ["r8"])
    follow(db, job)
    assert steps.failures(db, job) == [("r9", "gone too")]
    now = switch(db, job, drop_unreadable=True)
    assert records.count(db, now) == 8
    assert rows(db, "SELECT count(*) FROM lookalike.originals") == [(8,)]


def test_plan_of_a_page_of_missing_records_begins_where_the_last_one_ended(db: Database) -> None:
    own = collections.create(db, NewCollection("c", "photo", "some-model", "1", OLD, 62.5))
    vectors = random_vectors(6000, OLD)
    loads.copy(db, own, [NewRecord(f"r{n:04d}", "{}", vector) for n, vector in enumerate(vectors)])
    steps.begin(db, own, FACTS)
    job = steps.find(db, own)
    assert job is not None
    fresh = random_vectors(5000, NEW)
    steps.store(db, job, {f"r{n:04d}": vector for n, vector in enumerate(fresh)}, {})
    indexes.analyze(db, own)
    indexes.analyze(db, job.next)
    text = job.render("missing", limit="100")
    found = list(nodes(plan(db, text, {"collection_id": own.id, "after": "r5499"})))
    read = {node["Index Name"]: node["Actual Rows"] for node in found if "Index Name" in node}
    assert 100 <= read["records_1_pkey"] <= 101
    assert read["records_1_v2_pkey"] == 0
    assert not [node for node in found if node["Node Type"] == "Seq Scan" and node["Actual Rows"] > 0]


def test_one_process_at_a_time(db: Database, job: ModelChange) -> None:
    with (
        steps.alone(db, job.collection),
        pytest.raises(InvalidRequest, match="another process"),
        steps.alone(db, job.collection),
    ):
        pass
    with steps.alone(db, job.collection):
        pass


def test_dropping_the_collection_leaves_nothing_of_the_change(db: Database, job: ModelChange) -> None:
    make(db, job, ["r1"])
    collections.drop(db, "c")
    assert rows(db, "SELECT relname FROM pg_class WHERE relname LIKE 'records\\_1%'") == []
    for table in ("reembeddings", "reembedding_changes", "reembedding_failures"):
        assert rows(db, f"SELECT count(*) FROM lookalike.{table}") == [(0,)]
    with pytest.raises((CollectionNotFound, Unavailable)):
        make(db, job, ["r2"])
