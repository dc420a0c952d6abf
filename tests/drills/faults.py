"""The faults: each is made once, and says when it was over."""

import os
import resource
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import psutil
import psycopg

from tests.drills.scene import Scene

AWAY_SECONDS = 5.0
_REFUSED_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One time that something broke, by `time.monotonic`; `over`: when what was broken was there again."""

    began: float
    over: float


def _now(fault: Callable[[], object]) -> Fault:
    began = time.monotonic()
    fault()
    return Fault(began, time.monotonic())


def kill_worker(at: Scene) -> Fault:
    return _now(at.worker().kill)


def kill_server(at: Scene) -> Fault:
    """Kill the first process alone, as the kernel does that is out of memory; its worker sees that by itself."""
    assert at.server is not None
    began = time.monotonic()
    at.server.kill()
    at.server.wait()
    at.keep_server()
    return Fault(began, began)


def kill_postmaster(at: Scene) -> Fault:
    """Kill PostgreSQL's first process alone; the others end when they notice."""
    gone = at.postmaster()
    began = time.monotonic()
    gone.kill()
    psutil.wait_procs([gone], 60)
    return Fault(began, at.wait_database())


def kill_postgres(at: Scene) -> Fault:
    """Kill all of PostgreSQL at one moment, as a power cut does to one machine."""
    gone = at.postmaster()
    family = [gone, *gone.children(recursive=True)]
    began = time.monotonic()
    for one in family:
        one.kill()
    psutil.wait_procs(family, 60)
    return Fault(began, at.wait_database())


def kill_backend(at: Scene) -> Fault:
    """Kill one process that serves a connection; PostgreSQL then starts all of them anew."""
    with psycopg.connect(at.database.url) as connection:
        row = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'lookalike' AND pid <> pg_backend_pid() LIMIT 1"
        ).fetchone()
    assert row is not None
    began = time.monotonic()
    os.kill(row[0], signal.SIGKILL)
    psutil.wait_procs([psutil.Process(row[0])] if psutil.pid_exists(row[0]) else [], 60)
    return Fault(began, at.wait_database())


def restart(at: Scene) -> Fault:
    began = time.monotonic()
    at.database.stop()
    time.sleep(AWAY_SECONDS)
    at.database.start()
    return Fault(began, at.wait_database())


def fill_disk(at: Scene) -> Fault:
    """Fill the disk, what is freed meanwhile included, until five seconds after the first request that was refused."""
    filler, before = at.home / "filler", len(at.load.refused())
    began, refused = time.monotonic(), None
    with filler.open("wb", buffering=0) as file:
        while refused is None or time.monotonic() < refused + AWAY_SECONDS:
            try:
                file.write(b"\0" * 2**20)
            except OSError:
                time.sleep(0.05)
            if refused is None and (len(at.load.refused()) > before or time.monotonic() > began + _REFUSED_SECONDS):
                refused = time.monotonic()
    filler.unlink()
    return Fault(began, at.wait_database())


def reset(at: Scene) -> Fault:
    assert at.proxy is not None
    began = time.monotonic()
    at.proxy.reset()
    time.sleep(AWAY_SECONDS)
    at.proxy.restore()
    return Fault(began, time.monotonic())


def cut(at: Scene, *, forget: bool) -> Fault:
    assert at.proxy is not None
    began = time.monotonic()
    at.proxy.cut()
    time.sleep(AWAY_SECONDS)
    at.proxy.mend(forget=forget)
    return Fault(began, time.monotonic())


def stop_processes(at: Scene) -> Fault:
    """Stop every process of PostgreSQL for a while: connections stay, nothing answers, as with a disk that hangs."""
    first = at.postmaster()
    family = [first, *first.children(recursive=True)]
    began = time.monotonic()
    for one in family:
        one.suspend()
    time.sleep(AWAY_SECONDS)
    for one in family:
        one.resume()
    return Fault(began, time.monotonic())


def no_memory(at: Scene) -> Fault:
    """Let the worker have no more address space than it has: what it asks the system for is refused.

    What it has would do for small pictures; a large one is searched for meanwhile.
    """
    worker = at.worker()
    limit = worker.memory_info().vms
    before = resource.prlimit(worker.pid, resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    began = time.monotonic()
    while time.monotonic() < began + AWAY_SECONDS:
        at.load.search_for_a_large_picture()
    resource.prlimit(worker.pid, resource.RLIMIT_AS, before)
    return Fault(began, time.monotonic())


def slow_disk(at: Scene) -> Fault:
    """Let each flush to the disk take a fifth of a second longer, for a while."""
    assert at.machine is not None
    began = time.monotonic()
    at.machine.be(flush_ms=200)
    time.sleep(2 * AWAY_SECONDS)
    at.machine.be()
    return Fault(began, time.monotonic())


def jump(at: Scene, hours: float) -> Fault:
    """Set the clock of server and database; it stays so until the next jump."""
    assert at.machine is not None
    return _now(partial(at.machine.be, ahead_seconds=round(hours * 3600)))
