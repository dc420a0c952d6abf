"""Indexes that would help are built by the server itself, one at a time and within a budget."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from app import create_context
from app.config import Settings
from app.db import collections, indexes, loads, partial, searchlog
from app.db.engine import Database
from app.db.records import NewRecord
from app.domain.collections import Collection, NewCollection
from app.domain.jobs import Job, State
from app.domain.records import Json
from app.domain.searches import Entry
from app.services import advising, selftuning
from app.services.context import Context
from app.services.jobs import asking
from app.services.jobs.working import Worker
from tests.db.vectors import random_vectors
from tests.support.databases import Databases
from tests.support.jobs import QUICK

DIMENSIONS = 16
ROWS = 5000
ALL = 2**30


@pytest.fixture(scope="module")
def stock(databases: Databases, template: str) -> Iterator[str]:
    """The URL of a database with an indexed collection whose searches ask for a kind, and for a range of `n`."""
    with databases.copy(template) as url:
        db = Database(url)
        db.open()
        own = collections.create(db, NewCollection("c", "photo", "m", "1", DIMENSIONS, 62.5))
        rows = [
            NewRecord(f"r{n}", json.dumps({"n": n, "kind": "boots" if n % 2 else "hats"}), vector)
            for n, vector in enumerate(random_vectors(ROWS, DIMENSIONS))
        ]
        loads.copy(db, own, rows)
        assert indexes.build_hnsw(db, own, indexes.Resources(memory_mb=128, workers=1))
        kind: Json = {"kind": "boots"}
        few: Json = {"n": {"$lt": 10}}
        notes = [
            Entry(datetime.now(UTC), 1, own.id, "m", None, filter_, 9, 9, 5.0, "exact") for filter_ in [kind, few] * 60
        ]
        searchlog.add(db, notes, 1000)
        db.close()
        yield url


@pytest.fixture
def context(databases: Databases, stock: str, settings: Callable[..., Settings]) -> Iterator[Context]:
    with databases.copy(stock) as url:
        made = create_context(settings(recall_seconds=0), url)
        made.db.open()
        yield made
        made.db.close()


def within(context: Context, budget: int) -> Context:
    return replace(context, settings=context.settings.model_copy(update={"advised_index_bytes": budget}))


def collection(context: Context) -> Collection:
    return collections.get(context.db, "c")


def work(context: Context, job: Job) -> None:
    worker = Worker(context, QUICK)
    held = worker.take(job.id)
    assert held is not None
    worker.do(held)
    assert asking.get(context, job.id).state is State.DONE


def test_what_helps_most_is_built_first_then_the_next_then_nothing(context: Context) -> None:
    advised = [(one.kind, one.field) for one in advising.advise(context, collection(context)).advice]
    assert sorted(advised) == [("field", "n"), ("values", "kind")]
    for kind, field in advised:
        (job,) = selftuning.tune(within(context, ALL))
        assert (job.parameters["field"], job.parameters["each_value"]) == (field, kind == "values")
        assert selftuning.tune(within(context, ALL)) == [], "one at a time"
        work(context, job)
    assert selftuning.tune(within(context, ALL)) == []
    found = collection(context)
    assert found.indexed_fields == {"n"}
    assert {one.condition for one in found.partial_indexes} == {
        partial.condition_of("kind", value) for value in ("boots", "hats")
    }
    assert indexes.attribute_bytes(context.db, found) > 0


def test_the_budget_is_that_of_all_indexes_of_attributes(context: Context) -> None:
    sizes = {one.field: one.bytes for one in advising.advise(context, collection(context)).advice}
    assert sizes["n"] < sizes["kind"]
    assert selftuning.tune(within(context, sizes["n"] - 1)) == []
    (job,) = selftuning.tune(within(context, sizes["n"]))
    assert job.parameters["field"] == "n"
    work(context, job)
    used = indexes.attribute_bytes(context.db, collection(context))
    assert selftuning.tune(within(context, used)) == []
    assert selftuning.tune(within(context, used + sizes["kind"] - 1)) == []
    assert len(selftuning.tune(within(context, used + sizes["kind"]))) == 1


def test_an_index_that_was_dropped_stays_dropped(context: Context) -> None:
    chosen = within(context, ALL)
    while made := selftuning.tune(chosen):
        work(context, made[0])
    found = collection(context)
    indexes.drop(context.db, indexes.btree_name(found.records_table, "n"))
    context.db.write(lambda one: one.execute("UPDATE lookalike.collections SET settings = settings - 'indexed_fields'"))
    assert [one.field for one in advising.advise(context, collection(context)).advice] == ["n"]
    assert selftuning.tune(chosen) == []


def test_a_few_searches_say_too_little(context: Context) -> None:
    context.db.write(lambda one: one.execute("DELETE FROM lookalike.search_log WHERE id % 2 = 0"))
    assert advising.advise(context, collection(context)).advice
    assert selftuning.tune(within(context, ALL)) == []


@pytest.mark.parametrize(("budget", "logged", "looks"), [(0, True, False), (1, False, False), (1, True, True)])
def test_a_server_looks_where_it_has_a_budget_and_a_log(
    context: Context, budget: int, *, logged: bool, looks: bool
) -> None:
    chosen = within(context, budget)
    chosen = replace(chosen, settings=chosen.settings.model_copy(update={"log_searches": logged}))
    selftuning.watch(chosen)
    threads = [one for one in threading.enumerate() if one.name == "self-tuning"]
    assert len(threads) == looks
    chosen.closed.set()
    for one in threads:
        one.join(10)
        assert not one.is_alive()
