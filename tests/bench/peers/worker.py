"""The process of one engine: `python -m tests.bench.peers.worker JOB OUTCOME`, both files of JSON."""

import importlib
import sys
from pathlib import Path
from statistics import median
from typing import cast

import numpy as np
import psutil

from tests.bench.peers.base import Engine, Place, Refining, Stock, Vector
from tests.bench.peers.job import Answers, Job, Outcome, Round, Updates, read_job
from tests.bench.setup import Stopwatch
from tests.bench.shop import Condition

_WARM_UP = 5
UPDATED_PRICE = -1.0


def main(job_file: str, outcome_file: str) -> None:
    """Do what the job says and write what came of it."""
    job = read_job(Path(job_file).read_bytes())
    before = resident()
    made: Engine = importlib.import_module(f"tests.bench.peers.{job.module}").Engine(
        Place(Path(job.folder), job.url, job.collection)
    )
    watch = Stopwatch()
    rounds: dict[str, Answers] = {}
    updates = None
    if job.phase == "build":
        made.build(Stock(Path(job.stock)))
    else:
        made.open()
    seconds = watch.seconds
    if job.phase == "search":
        queries = np.load(Path(job.stock) / "queries.npy")
        rounds = {one.name: answer(made, queries, one, job.k) for one in job.rounds}
    memory = resident() - before
    footprint = made.footprint()
    if job.bulk:
        updates = _update(made, Stock(Path(job.stock)).shape[0], job)
    outcome = Outcome(
        made.version(),
        made.filters,
        made.durable,
        seconds,
        memory,
        highest() - before,
        footprint.disk,
        footprint.memory_elsewhere,
        rounds,
        updates,
    )
    made.close()
    Path(outcome_file).write_bytes(outcome.json())


def answer(engine: Engine, queries: Vector, one: Round, k: int) -> Answers:
    """Search for one query after the other; a few searches before, which are not counted, warm up."""
    conditions = one.asked(len(queries))

    def ask(query: Vector, condition: Condition | None) -> list[int]:
        if one.way:
            return cast("Refining", engine).refined(one.way, query, k, condition)
        return engine.search(query, k, one.effort, condition)

    for query, condition in zip(queries[:_WARM_UP], conditions, strict=False):
        ask(query, condition)
    found: list[list[int]] = []
    times: list[float] = []
    spent = Stopwatch()
    for query, condition in zip(queries[: one.queries], conditions, strict=False):
        watch = Stopwatch()
        found.append(ask(query, condition))
        times.append(watch.seconds * 1000)
        if spent.seconds > one.seconds and len(found) * 10 >= one.queries:
            break
    return Answers(found, times)


def _update(engine: Engine, records: int, job: Job) -> Updates:
    """Change prices of records spread over all, one a call, then others in one call; then look for the new price."""
    order = np.random.default_rng(0).permutation(records).tolist()
    times = []
    for number in order[: job.single]:
        watch = Stopwatch()
        engine.update([number], UPDATED_PRICE)
        times.append(watch.seconds * 1000)
    bulk = order[job.single : job.single + job.bulk]
    watch = Stopwatch()
    engine.update(bulk, UPDATED_PRICE)
    bulk_ms = watch.seconds * 1000 / len(bulk)
    query = np.load(Path(job.stock) / "queries.npy")[0]
    return Updates(median(times), bulk_ms, len(bulk), engine.search(query, job.k, None, Condition(below=0.0)))


def updated(records: int, job: Job) -> list[int]:
    """Return the numbers of the records that `job` updates."""
    return [int(one) for one in np.random.default_rng(0).permutation(records)[: job.single + job.bulk]]


def resident() -> int:
    """Return the resident bytes of this process and those it started."""
    own = psutil.Process()
    return sum(int(one.memory_info().rss) for one in (own, *own.children(recursive=True)))


def highest() -> int:
    """Return the most resident bytes that this process had; what Linux tells, elsewhere those it has."""
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return resident()


if __name__ == "__main__":
    main(*sys.argv[1:])
