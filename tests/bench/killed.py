"""An import while its worker, a server and PostgreSQL itself are killed by turns: what is lost, twice, or told wrongly.

Run by itself: `python -m tests.bench.killed [RECORDS] [ROUNDS]`. A database of its own is made, and deleted at the end.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil

from app import create_context
from app.config import Settings
from app.db import schema
from app.db.embedded import EmbeddedDatabase
from app.domain.errors import LookalikeError, Unavailable
from app.domain.jobs import Job, State
from app.services import collections
from app.services.context import Context
from app.services.importing.job import IMPORT
from app.services.jobs import asking
from tests.server.conftest import free_port

VICTIMS = ("worker", "server", "postmaster")
# A worker that is killed is taken for dead after three seconds, not a minute.
_PROGRAM = """
import app.cli.serve
import app.services.jobs.working as working
quick = lambda _: working.Pace(look=0.2, beat=1.0, lease=3.0)
working.pace_of = app.cli.serve.pace_of = quick
import app.cli.job
app.cli.job.pace_of = quick
from app.cli import main
main()
"""
_REJECT_EVERY = 5000
_LOOK_SECONDS = 0.02
_LONGEST_SECONDS = 600.0


class _Watched:
    """A job, looked at again and again; it remembers whether what is shown ever fell."""

    def __init__(self, context: Context, job: Job) -> None:
        self._context = context
        self._id = job.id
        self.job = job
        self.fell = 0
        self.looks = 0

    def look(self) -> Job:
        """Look once, if the database is there."""
        try:
            now = asking.get(self._context, self._id)
        except Unavailable:
            return self.job
        before, after = self.job.progress, now.progress
        self.fell += after.done < before.done or after.rejected < before.rejected or after.bytes < before.bytes
        self.looks += 1
        self.job = now
        return now

    def wait(self, seconds: float, *, until_running: bool = False) -> None:
        """Look until the job has ended, it runs or is further than now, or the time is over."""
        end, done, attempt = time.monotonic() + seconds, self.look().progress.done, self.job.attempt
        while time.monotonic() < end and not self.job.ended:
            time.sleep(_LOOK_SECONDS)
            now = self.look()
            if (now.attempt > attempt and now.worker) if until_running else now.progress.done > done:
                return


@contextmanager
def _file(records: int) -> Iterator[tuple[Path, int]]:
    """Give a file of ready embeddings with a bad line now and then, and the number of these."""
    generator = np.random.default_rng(0)
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "records.jsonl"
        with path.open("w") as file:
            for number in range(records):
                vector = generator.normal(size=256).astype(np.float32)
                vector /= np.linalg.norm(vector)
                fields = {"_id": f"r{number}", "n": number, "_embedding": list(map(float, vector))}
                file.write(f"{json.dumps(fields)}\n")
                if not number % _REJECT_EVERY:
                    file.write("{\n")
                    bad += 1
        yield path, bad


def _started(what: str, environment: dict[str, str], log: Path) -> "subprocess.Popen[bytes]":
    arguments = {"worker": ["worker", "--jobs", "1"], "server": ["serve", "--port", str(free_port())]}[what]
    with log.open("ab") as stream:
        return subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, *arguments], env=os.environ | environment, stdout=stream, stderr=stream
        )


def _kill(process: psutil.Process) -> None:
    """Kill a process with all that it started, at one moment."""
    family = [process, *process.children(recursive=True)]
    for one in family:
        one.send_signal(signal.SIGKILL)
    psutil.wait_procs(family, timeout=60)


def _rounds(watched: _Watched, rounds: int, home: Path, environment: dict[str, str]) -> Sequence[str]:
    """Kill by turns; return who was killed while the job was at work."""
    killed = []
    chance = random.Random(1)
    holder: subprocess.Popen[bytes] | None = None
    for number in range(rounds):
        victim = VICTIMS[number % len(VICTIMS)]
        if holder is None or holder.poll() is not None:
            holder = _started("server" if victim == "server" else "worker", environment, home / "log")
            watched.wait(_LONGEST_SECONDS, until_running=True)
        if watched.job.ended:
            break
        watched.wait(chance.uniform(0, 3))
        phase, done = watched.job.progress.phase, watched.job.progress.done
        if victim == "postmaster":
            noted = (home / "postgres" / "postmaster.pid").read_text().partition("\n")[0]
            _kill(psutil.Process(int(noted)))
        else:
            _kill(psutil.Process(holder.pid))
            holder.wait()
            holder = None
        killed.append(victim)
        print(f"round {number + 1}: {victim} killed while {phase}, {done} done", flush=True)  # noqa: T201
    if holder is None or holder.poll() is not None:
        holder = _started("worker", environment, home / "log")
    while not watched.look().ended:
        time.sleep(_LOOK_SECONDS)
    holder.terminate()
    holder.wait()
    return killed


def main(records: int, rounds: int) -> None:
    """Print who was killed, and what is lost, twice or fell."""
    with tempfile.TemporaryDirectory() as folder, _file(records) as (path, bad):
        home = Path(folder)
        home.chmod(0o755)
        database = EmbeddedDatabase(home)
        url = database.start()
        database.watch()
        try:
            schema.upgrade(url)
            environment = {
                "DATABASE_URL": url,
                "LOOKALIKE_HOME": str(home / "own"),
                "LOOKALIKE_FILES_ROOT": str(path.parent),
            }
            context = create_context(Settings(home=home / "own"), url)
            context.open()
            collection = collections.create(context, "killed", "photo")
            job, _ = asking.start(context, IMPORT, collection, {"source": {"path": path.name}})
            watched = _Watched(context, job)
            began = time.monotonic()
            killed = _rounds(watched, rounds, home, environment)
            _tell(context, collection.id, watched, records, bad, killed, time.monotonic() - began)
            context.close()
        finally:
            database.stop()


def _tell(
    context: Context, number: int, watched: _Watched, records: int, bad: int, killed: Sequence[str], seconds: float
) -> None:
    job = watched.job
    rows = context.db.all(f"SELECT id, (attributes->>'n')::int AS n FROM lookalike.records_{number}")
    ids = Counter(str(row["id"]) for row in rows)
    wrong = sum(row["id"] != f"r{row['n']}" for row in rows)
    lost = sum(f"r{place}" not in ids for place in range(records))
    outcome = job.outcome if isinstance(job.outcome, dict) else {}
    rejects = [one.line for one in asking.rejects(context, job.id)]
    told = Counter(killed)
    kills = ", ".join(f"{told[name]} {name}" for name in VICTIMS)
    print(  # noqa: T201
        f"{records} records, {len(killed)} kills ({kills}) in {seconds:.0f} s: {job.state} at attempt {job.attempt};"
        f" {lost} lost, {len(rows) - len(ids)} twice, {wrong} wrong; told: {outcome.get('stored')} stored,"
        f" {outcome.get('present')} met again, {len(rejects)} of {bad} rejects, done {job.progress.done} of"
        f" {job.progress.total}; progress fell {watched.fell} times in {watched.looks} looks"
    )
    right = (
        job.state == State.DONE_WITH_REJECTS
        and (lost, len(rows), wrong, watched.fell) == (0, records, 0, 0)
        and (outcome.get("stored"), outcome.get("present"), len(rejects)) == (records, 0, bad)
        and job.progress.done == job.progress.total == records + bad
    )
    if not right:
        raise LookalikeError(f"something is lost, twice or told wrongly: {job.error or ''}")


if __name__ == "__main__":
    main(*(int(value) for value in (*sys.argv[1:], *("50000", "20")[len(sys.argv) - 1 :])))
