"""The table of drills, and what is made of one."""

import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial

from tests.drills import faults
from tests.drills.faults import Fault
from tests.drills.ledger import Verdict
from tests.drills.scene import Scene, scene, small_disk

_WAIT_SECONDS = 900.0
_WANTED_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Drill:
    """A kind of fault.

    Attributes:
        what: what is done, in words.
        scene: where it happens.
        strikes: what is done, one after another, between equal parts of the load.
        server_stays: whether the server is not touched, so that it must answer everything, by 200 or 503.
        lacks: says why it cannot be made on this machine; None where it can.

    """

    what: str
    scene: Callable[[], AbstractContextManager[Scene]]
    strikes: Sequence[Callable[[Scene], Fault]]
    server_stays: bool = True
    lacks: Callable[[], str | None] = lambda: None


@dataclass(frozen=True, slots=True)
class Result:
    """What was seen: times in seconds from a fault's end to the first good answer, the longest of them."""

    verdict: Verdict
    wrong: Sequence[str]
    answer_seconds: float
    write_seconds: float
    errors: Counter[str]
    good: int
    seconds: float
    fails: Sequence[str]


def _no_root() -> str | None:
    return None if os.geteuid() == 0 else "only root can mount a small file system"


def _no_compiler() -> str | None:
    return None if shutil.which("cc") else "there is no C compiler to make the preloaded library"


def _not_linux() -> str | None:
    return None if sys.platform == "linux" else "the kernel's socket filters are Linux's"


_OUTSIDE = partial(scene, own_database=False)
_BEHIND_PROXY = partial(scene, own_database=False, proxied=True)
_ODD = partial(scene, odd=True)
_NO_CACHE = partial(scene, LOOKALIKE_VECTOR_CACHE_BYTES="0")
DRILLS: dict[str, Drill] = {
    "worker": Drill("kill -9 of gunicorn's worker", scene, [faults.kill_worker] * 3, server_stays=False),
    "server": Drill("kill -9 of the server's first process", scene, [faults.kill_server] * 3, server_stays=False),
    "postmaster": Drill("kill -9 of PostgreSQL's first process", scene, [faults.kill_postmaster] * 3),
    "postgres": Drill("kill -9 of all of PostgreSQL at once", scene, [faults.kill_postgres] * 3),
    "backend": Drill("kill -9 of a process that serves a connection", scene, [faults.kill_backend] * 3),
    "restart": Drill("the database is stopped, and started 5 s later", _OUTSIDE, [faults.restart] * 3),
    "hang": Drill("every process of PostgreSQL stands still for 5 s", _OUTSIDE, [faults.stop_processes] * 3),
    "disk": Drill("the disk is full for 5 s", small_disk, [faults.fill_disk] * 3, lacks=_no_root),
    "slow-disk": Drill("each flush takes 200 ms longer, for 10 s", _ODD, [faults.slow_disk] * 2, lacks=_no_compiler),
    "clock": Drill(
        "the clock jumps an hour ahead, two back, and back to now",
        _ODD,
        [partial(faults.jump, hours=hours) for hours in (1, -1, 0)],
        lacks=_no_compiler,
    ),
    "reset": Drill("connections are reset and refused for 5 s", _BEHIND_PROXY, [faults.reset] * 3),
    "cut": Drill(
        "the network loses everything for 5 s", _BEHIND_PROXY, [partial(faults.cut, forget=False)] * 3, lacks=_not_linux
    ),
    "forgotten": Drill(
        "the same, and connections from before stay dead",
        _BEHIND_PROXY,
        [partial(faults.cut, forget=True)] * 3,
        lacks=_not_linux,
    ),
    "memory": Drill("the worker gets no more memory for 5 s", _NO_CACHE, [faults.no_memory] * 3, lacks=_not_linux),
}


def run(drill: Drill, changes: int, tell: Callable[[str], None]) -> Result:
    """Run a drill until so many changes are acknowledged, and compare."""
    with drill.scene() as at:
        started = time.monotonic()
        at.load.start()
        seen = []
        parts = len(drill.strikes) + 1
        for number, strike in enumerate(drill.strikes, 1):
            at.load.wait(changes * number // parts, _WAIT_SECONDS)
            fault = strike(at)
            seen.append(fault)
            tell(f"  {number}: {fault.over - fault.began:.1f} s, {at.load.ledger.acknowledged} acknowledged by then")
        at.load.wait(changes, _WAIT_SECONDS)
        at.load.stop()
        seconds = time.monotonic() - started
        at.wait_database()
        return _judged(drill, at, seen, seconds)


def _judged(drill: Drill, at: Scene, seen: Sequence[Fault], seconds: float) -> Result:
    load, verdict = at.load, at.verdict()
    first = [load.first_good("search", one.over) for one in seen]
    first_write = [load.first_good("write", one.over) for one in seen]
    errors = Counter(one.status for one in load.refused())
    longest, longest_write = (max(one if one is not None else seconds for one in some) for some in (first, first_write))
    fails = [
        *(f"lost or twice: {example}" for example in verdict.examples),
        *(f"wrong: {example}" for example in load.wrong[:5]),
        *(f"{status}: {number} times" for status, number in errors.items() if not _fair(drill, status)),
    ]
    if drill.server_stays and max(longest, longest_write) > _WANTED_SECONDS:
        fails.append(f"{max(longest, longest_write):.1f} s to the first good answer; {_WANTED_SECONDS:g} are wanted")
    good = sum(one.good for one in load.answers)
    return Result(verdict, load.wrong, longest, longest_write, errors, good, seconds, fails)


def _fair(drill: Drill, status: str) -> bool:
    return status == "503/503" or (not drill.server_stays and status in {"refused", "broken off"})


def errors_in_words(result: Result) -> str:
    """Return the errors by status, in words."""
    return ", ".join(f"{number} of {status}" for status, number in sorted(result.errors.items())) or "none"
