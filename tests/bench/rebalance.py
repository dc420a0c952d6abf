"""What fails while Citus moves tables to a new worker: `python -m tests.bench.rebalance URL HOST PORT`.

URL names a coordinator with workers; HOST and PORT a server with Citus and pgvector that is none of them yet: it gets a
database for this, which joins the others. One caller searches and one inserts all the time, in turns in a
collection in four tables and in one that is whole.
"""

import sys
import threading
import time
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import click
import numpy as np
import psycopg

from app.db import cluster, collections, indexes, loads, records, schema
from app.db.engine import Database
from app.db.search import compared
from app.domain.collections import Collection, NewCollection
from app.domain.errors import LookalikeError
from app.domain.records import Fields
from app.domain.windows import Window
from app.search.request import Query
from tests.bench.spread import DIMENSIONS, record
from tests.db.vectors import random_vectors
from tests.support import citus
from tests.support.searching import answered

ROWS, BATCH, QUIET_SECONDS, PAUSE_SECONDS = 20_000, 10, 20, 0.05
QUERIES = random_vectors(200, DIMENSIONS, seed=5, clusters=600)
_PLACES = """
    SELECT p.nodeport AS port, count(*) AS tables
    FROM pg_dist_shard_placement AS p JOIN pg_dist_shard AS s USING (shardid)
    WHERE s.logicalrelid::text LIKE '%records%' GROUP BY p.nodeport ORDER BY p.nodeport
"""


class Caller:
    """Does the same thing again and again, and notes how long each time took and what failed."""

    def __init__(self, name: str, work: Callable[[int], None]) -> None:
        self.name, self._work = name, work
        self.took: list[float] = []
        self.failed: list[str] = []
        self._stopped = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def stop(self) -> None:
        """Let it end what it does."""
        self._stopped.set()
        self.thread.join()

    def told(self) -> str:
        """Return what it did since it was asked last."""
        took, self.took = self.took, []
        worst = f", median {np.median(took) * 1000:.0f} ms, slowest {max(took) * 1000:.0f} ms" if took else ""
        return f"{len(took)} {self.name}{worst}, {len(self.failed)} failed so far"

    def _run(self) -> None:
        for number in count():
            if self._stopped.is_set():
                return
            started = time.perf_counter()
            try:
                self._work(number)
            except LookalikeError as error:
                self.failed.append(str(error))
            self.took.append(time.perf_counter() - started)


def main() -> None:
    """Add the worker, move tables to it, and print one line a step."""
    url, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with citus.made(url) as own, citus.joined(own, host, port):
        schema.upgrade(own)
        db = Database(own)
        db.open()
        cluster.set_settings(db)
        _measure(db, [_filled(db, "whole", None), _filled(db, "four", 4)], host, port)
        db.close()


def _filled(db: Database, name: str, tables: int | None) -> Collection:
    one = collections.create(db, NewCollection(name, "photo", "m", "1", DIMENSIONS, 62.5))
    cluster.distribute(db, one, tables)
    one = collections.get(db, name)
    vectors = random_vectors(ROWS, DIMENSIONS, clusters=600)
    for start in range(0, ROWS, 5000):
        loads.copy(db, one, [record(n, vectors[n]) for n in range(start, start + 5000)])
    indexes.build_hnsw(db, one)
    return collections.get(db, name)


def _measure(db: Database, made: Sequence[Collection], host: str, port: int) -> None:
    stored: dict[int, set[str]] = {one.id: set() for one in made}
    new = random_vectors(ROWS, DIMENSIONS, seed=77, clusters=600)

    def search(number: int) -> None:
        own = made[number % len(made)]
        assert len(answered(db, Query(own, Window(10), Fields()), QUERIES[number % len(QUERIES)]).records) == 10

    def insert(number: int) -> None:
        own, numbers = made[number % len(made)], range(number * BATCH, (number + 1) * BATCH)
        stored[own.id] |= records.insert(db, own, [record(ROWS + n, new[n % ROWS]) for n in numbers])
        time.sleep(PAUSE_SECONDS)

    callers = Caller("searches", search), Caller("inserts of 10", insert)
    for one in callers:
        one.thread.start()
    with psycopg.connect(db.url, autocommit=True) as connection:

        def step(what: str, work: Callable[[], object]) -> None:
            for one in callers:
                one.told()
            started = time.perf_counter()
            work()
            seconds = time.perf_counter() - started
            click.echo(f"{what}: {seconds:.1f} s; {'; '.join(one.told() for one in callers)}")
            click.echo(f"  tables of records by port: {connection.execute(_PLACES).fetchall()}")

        step("before", lambda: time.sleep(QUIET_SECONDS))
        step("citus_add_node", lambda: connection.execute("SELECT citus_add_node(%s, %s)", (host, port)))
        step("citus_rebalance_start", lambda: _rebalance(connection))
        step("after", lambda: time.sleep(QUIET_SECONDS))
    for one in callers:
        one.stop()
    for own in made:
        there = set(records.get(db, own, sorted(stored[own.id]), Fields()))
        hits = 0
        for query in QUERIES[:40]:
            near = Query(own, Window(10), Fields()).near(query)
            true = {hit.id for hit in compared(db, near)}
            hits += len(true & {hit.id for hit in answered(db, Query(own, Window(10), Fields()), query).records})
        lost = len(stored[own.id] - there)
        click.echo(f"{own.name}: {len(stored[own.id])} inserted, {lost} lost; recall at 10 {hits / 400:.4f}")


def _rebalance(connection: psycopg.Connection[Any]) -> None:
    connection.execute("SELECT citus_rebalance_start(rebalance_strategy => 'by_shard_count')")
    connection.execute("SELECT citus_rebalance_wait()")


if __name__ == "__main__":
    main()
