"""Scans and decisions about duplicates over `kill -9`: a scan goes on, and no acknowledged decision is lost."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psycopg
import pytest

from app import create_context
from app.config import Settings
from app.db import collections, loads, records
from app.db.duplicates import state
from app.domain.collections import Collection, NewCollection
from app.domain.jobs import State
from app.services import duplicates
from app.services.context import Context
from app.services.duplicates import Asked
from app.services.jobs import asking
from app.services.jobs.duplicate_jobs import DUPLICATE_SCAN
from app.services.jobs.working import Worker
from tests.db.vectors import random_vectors
from tests.support.jobs import QUICK

RECORDS, DIMENSIONS, RADIUS = 800, 8, 3.0
OPENED = """
import sys
from pathlib import Path
from app import create_context
from app.config import Settings
context = create_context(Settings(home=Path(sys.argv[1])), sys.argv[2])
context.open()
"""
SCANS = """
import app.db.duplicates, app.db.pairs
from app.services.jobs.duplicate_jobs import DUPLICATE_SCAN
from app.services.jobs.working import Pace, Worker
app.db.duplicates.BLOCK = app.db.pairs.BLOCK = 16
Worker(context, Pace(look=0.02, beat=0.1, lease=0.5), [DUPLICATE_SCAN]).work()
"""
DECIDES = """
from app.db import collections
from app.services import duplicates
from app.services.duplicates import Asked, Resolution
collection = collections.get(context.db, "killed")
for group in duplicates.groups(context, collection, Asked(limit=1000)).groups:
    keep, *remove = group.members
    given = Resolution([keep], remove, {"_merged_ids": True})
    print(duplicates.resolve(context, collection, given, "killed"), flush=True)
"""


@pytest.fixture
def context(database_url: str, tmp_path: Path) -> Iterator[Context]:
    made = create_context(Settings(home=tmp_path), database_url)
    made.open()
    yield made
    made.close()


@pytest.fixture
def collection(context: Context) -> Collection:
    made = collections.create(context.db, NewCollection("killed", "photo", "m", "1", DIMENSIONS, 62.5))
    vectors = random_vectors(RECORDS, DIMENSIONS, clusters=RECORDS // 4)
    loads.copy(context.db, made, [records.NewRecord(f"r{n:04}", "{}", one) for n, one in enumerate(vectors)])
    return made


def started(context: Context, script: str) -> "subprocess.Popen[str]":
    given = [str(context.settings.home), context.db.url]
    return subprocess.Popen([sys.executable, "-c", OPENED + script, *given], stdout=subprocess.PIPE, text=True)


def stored_pairs(context: Context, collection: Collection) -> dict[tuple[str, str], float]:
    with psycopg.connect(context.db.url) as connection:
        rows = connection.execute(
            "SELECT id, other_id, distance FROM lookalike.duplicates WHERE collection = %s", (collection.name,)
        )
        return {(one, other): distance for one, other, distance in rows}


def expected(context: Context, collection: Collection) -> set[tuple[str, str]]:
    """All pairs, as NumPy compares what is stored."""
    with psycopg.connect(context.db.url) as connection:
        rows = connection.execute(
            "SELECT id, embedding::text FROM lookalike.records WHERE collection_id = %s ORDER BY id", (collection.id,)
        ).fetchall()
    unit = np.array([np.fromstring(vector[1:-1], sep=",") for _, vector in rows])
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    ones, others = np.nonzero(np.triu(62.5 * (1 - unit @ unit.T) <= RADIUS, k=1))
    return {(rows[one][0], rows[other][0]) for one, other in zip(ones, others, strict=True)}


def test_a_scan_whose_worker_is_killed_goes_on_and_loses_no_pair(context: Context, collection: Collection) -> None:
    job, _ = asking.start(context, DUPLICATE_SCAN, collection, {"radius": RADIUS})
    compared: list[str] = [""]
    for _ in range(2):
        with started(context, SCANS) as worker:
            goal = compared[-1]
            while compared[-1] <= goal and worker.poll() is None:
                begun = state(context.db, collection)
                compared.append(begun.compared_to or "" if begun is not None else "")
            worker.kill()
    begun = state(context.db, collection)
    assert begun is not None
    assert begun.completed_at is None, "it was killed before its end"
    assert compared == sorted(compared)
    # What is written between two runs counts, too.
    records.delete(context.db, collection, ["r0000", f"r{RECORDS - 1}"])
    own = Worker(context, QUICK)
    while (held := own.take(job.id)) is None:  # until the killed worker is taken for dead
        context.bell.wait(context.bell.rings, 0.1)
    own.do(held)
    assert asking.get(context, job.id).state == State.DONE
    found, wanted = stored_pairs(context, collection), expected(context, collection)
    assert len(wanted) > 200
    assert found.keys() == wanted


def test_no_decision_that_was_acknowledged_is_lost_and_none_is_half_done(
    context: Context, collection: Collection
) -> None:
    duplicates.scan(context, collection, RADIUS)
    before = records.existing(context.db, collection, names())
    acknowledged: list[int] = []
    for _ in range(2):
        with started(context, DECIDES) as curator:
            assert curator.stdout is not None
            for line in curator.stdout:
                acknowledged.append(int(line))
                if len(acknowledged) % 20 == 0:
                    break
            curator.kill()
            acknowledged += [int(line) for line in curator.stdout]
    made = {one.decision: one for one in duplicates.history(context, collection, 10_000)}
    assert len(acknowledged) >= 40
    assert set(acknowledged) <= made.keys()
    there = records.existing(context.db, collection, names())
    trashed = {one.id: one.decision for one in duplicates.trashed(context, collection, 10_000)[0]}
    removed = {record_id: one.decision for one in made.values() for record_id in one.removed}
    assert trashed == removed
    assert there | trashed.keys() == before
    assert not there & trashed.keys()
    for one in made.values():
        assert one.merged is not None
        assert one.merged["after"] == {"_merged_ids": one.removed}
    # The groups are those of what is left, and all of it comes back.
    left = {tuple(group.members) for group in duplicates.groups(context, collection, Asked(limit=10_000)).groups}
    assert not {record_id for members in left for record_id in members} & removed.keys()
    for decision in acknowledged:
        assert set(duplicates.undo(context, collection, decision, "me").values()) == {"restored"}
    undone = {record_id for one in acknowledged for record_id in made[one].removed}
    assert records.existing(context.db, collection, names()) == there | undone


def names() -> list[str]:
    return [f"r{n:04}" for n in range(RECORDS)]
