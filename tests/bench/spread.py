"""What a search and an insert cost on a cluster of Citus: `python -m tests.bench.spread URL [ROWS]`.

The same vectors lie in three collections: on the coordinator, whole on a worker, and spread over the workers, all
of them on this machine. The processor time is that of all their processes, from /proc, so other work changes it little.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import click
import numpy as np
import psycopg
from numpy.typing import NDArray

from app.db import cluster, collections, indexes, loads, records, schema
from app.db.engine import Database
from app.db.records import NewRecord
from app.db.search import compared
from app.domain.collections import Collection, NewCollection
from app.domain.records import Fields
from app.domain.windows import Window
from app.filters import NO_FILTER, compile_filter, parse_filter
from app.search.request import Query
from tests.db.vectors import random_vectors
from tests.support import citus
from tests.support.searching import answered

DIMENSIONS = 256
_TURNS = 3
_TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure, and print one line a figure."""
    url, rows = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 20_000
    vectors = random_vectors(rows + 3000, DIMENSIONS, clusters=600)
    with citus.made(url) as own:
        schema.upgrade(own)
        db = Database(own)
        db.open()
        cluster.set_settings(db)
        made = {}
        for name in ("local", "whole", "hash"):
            one = collections.create(db, NewCollection(name, "photo", "m", "1", DIMENSIONS, 62.5))
            if name != "local":
                cluster.distribute(db, one, None if name == "whole" else citus.SHARDS)
                one = collections.get(db, name)
            for start in range(0, rows, 5000):
                loads.copy(db, one, [record(n, vectors[n]) for n in range(start, min(rows, start + 5000))])
            _timed(own, f"{name}: build", 1, partial(_build, db, one))
            indexes.analyze(db, one)
            made[name] = collections.get(db, name)
        searches(own, db, made, vectors)
        for name, one in made.items():
            new = iter(range(rows, rows + 3000))
            for batch, times in ((500, 3), (10, 20), (1, 50)):
                batches = [[record(n, vectors[n]) for n in (next(new) for _ in range(batch))] for _ in range(times)]
                _, took = _timed(own, f"{name}: insert {batch}", times, partial(_insert, db, one, batches))
                click.echo(f"{name}: {batch / took:.0f} records a second in batches of {batch}")
        db.close()


def _build(db: Database, collection: Collection, _: int) -> None:
    indexes.build_hnsw(db, collection)


def _insert(db: Database, collection: Collection, batches: Sequence[Sequence[NewRecord]], number: int) -> None:
    records.insert(db, collection, batches[number])


def record(number: int, vector: NDArray[np.float32]) -> NewRecord:
    """Return a record of the bench: its number, a tenth and one of 500 to filter by."""
    return NewRecord(f"r{number}", json.dumps({"n": number, "tenth": number % 10, "rare": number % 500}), vector)


def searches(url: str, db: Database, made: dict[str, Collection], vectors: NDArray[np.float32]) -> None:
    """Measure searches, in turns, so that all collections have the same minutes."""
    queries = random_vectors(100, DIMENSIONS, seed=5, clusters=600)
    kinds = {"k 10": (10, None), "k 100": (100, None), "a tenth": (30, {"tenth": 3}), "1 of 500": (30, {"rare": 7})}
    for kind, (k, filter_) in kinds.items():
        where = NO_FILTER if filter_ is None else compile_filter(parse_filter(filter_), table="r")
        hits = dict.fromkeys(made, 0)
        for one in made.values():
            for n in range(20):  # plans and connections
                answered(db, Query(one, Window(k), Fields(), where), queries[n])
        spent = dict.fromkeys(made, 0.0)
        found: dict[str, list[set[str]]] = {name: [] for name in made}
        for turn in range(_TURNS):
            for name, one in made.items():
                ask = partial(_ask, db, Query(one, Window(k), Fields(), where), queries, found[name])
                spent[name] += _timed(url, f"{name}: {kind}, turn {turn + 1}", len(queries), ask)[0]
        for name in made:
            click.echo(f"{name}: {kind}: {spent[name] / spent['local']:.2f} x the processor time of local")
            for n in range(0, 100, 4):
                local = Query(made["local"], Window(k), Fields(), where)
                true = {hit.id for hit in compared(db, local.near(queries[n]))}
                hits[name] += len(true & found[name][n])
        click.echo(f"recall, {kind}: { ({name: round(one / (k * 25), 4) for name, one in hits.items()}) }")


def _ask(db: Database, asked: Query, queries: NDArray[np.float32], found: list[set[str]], n: int) -> None:
    found.append({hit.id for hit in answered(db, asked, queries[n]).records})


def _timed(url: str, what: str, times: int, work: Callable[[int], object]) -> tuple[float, float]:
    """Do something several times; print processor time and the median; return processor time and seconds, a time."""
    before, seconds = _cpu(url), []
    for number in range(times):
        started = time.perf_counter()
        work(number)
        seconds.append(time.perf_counter() - started)
    spent = (_cpu(url) - before) / times * 1000
    click.echo(f"{what}: {spent:.2f} ms of processor, median {np.median(seconds) * 1000:.2f} ms")
    return spent, sum(seconds) / times


def _cpu(url: str) -> float:
    """Return the seconds that all PostgreSQL servers of one user, and their ended processes, have taken."""
    with psycopg.connect(url) as connection:
        owner = Path(f"/proc/{connection.info.backend_pid}").stat().st_uid
        return sum(_ticks(one) for one in _servers(owner)) / _TICKS


def _servers(owner: int) -> Sequence[Path]:
    return [one for one in Path("/proc").iterdir() if one.name.isdigit() and _is_server(one, owner)]


def _is_server(process: Path, owner: int) -> bool:
    try:
        return (process / "comm").read_text().strip() == "postgres" and process.stat().st_uid == owner
    except OSError:
        return False


def _ticks(process: Path) -> int:
    try:
        parts = (process / "stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0
    return sum(int(part) for part in parts[11:15])  # its own, and that of its ended children


if __name__ == "__main__":
    main()
