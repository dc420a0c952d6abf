"""Kinds of jobs for tests: work that counts to a number, stores what it counted, and can be told to go wrong."""

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app import create_context
from app.config import Settings
from app.db.engine import Connection
from app.domain.errors import InvalidRequest, Unavailable
from app.domain.jobs import Job, Outcome
from app.services.context import Context
from app.services.jobs import asking
from app.services.jobs.kind import Kind
from app.services.jobs.running import Running
from app.services.jobs.working import Pace, Worker

QUICK = Pace(look=0.02, beat=0.1, lease=1.0)
"""Seconds become hundredths."""


@dataclass
class Counting:
    """Counts from the position to `to`, each number a row of `public.counted` in the transaction of its checkpoint."""

    at: dict[int, Callable[[Running], None]] = field(default_factory=dict)
    """What happens once, before a number is counted."""
    name: str = "count"
    gate: threading.Event | None = None
    """Where it waits before each number, if there is one."""

    @property
    def kind(self) -> Kind:
        return Kind(self.name, "Counts.", self.run)

    def run(self, context: Context, job: Running) -> Outcome:
        number = job.position if isinstance(job.position, int) else 0
        to = job.parameters["to"]
        assert isinstance(to, int)
        job.phase("counting", to)
        while number < to:
            job.safe_point()
            number += 1
            while self.gate is not None and not self.gate.wait(0.01):
                job.safe_point()
            if (happens := self.at.pop(number, None)) is not None:
                happens(job)
            if number % 10 == 0:
                job.reject(number, str(number), 402, "a ten", f'{{"n": {number}}}')

            def write(connection: Connection, number: int = number) -> None:
                connection.execute("INSERT INTO public.counted VALUES (%s, %s)", (job.job.id, number))
                job.checkpoint(connection, number, done=1, bytes=10)

            context.db.write(write)
        return Outcome({"counted": number})


def fail(_: Running) -> None:
    raise InvalidRequest("the number cannot be counted")


def busy(_: Running) -> None:
    raise Unavailable("too busy")


def stumble(_: Running) -> None:
    raise ZeroDivisionError


def until(context: Context, job_id: int, wanted: Callable[[Job], bool], seconds: float = 60.0) -> Job:
    """Return a job as soon as it is as wanted."""
    end = time.monotonic() + seconds
    while not wanted(job := asking.get(context, job_id)):
        assert time.monotonic() < end, job
        time.sleep(0.01)
    return job


def main(url: str) -> None:
    """Do jobs of the kind `count` in a process of its own, slowly, until it is killed."""
    context = create_context(Settings(home=Path(url.rpartition("/")[2])), url)
    context.open()
    counting = Counting(at=Slowly())
    Worker(context, QUICK, [counting.kind]).work()


class Slowly(dict[int, Callable[[Running], None]]):
    """Takes a moment for each number."""

    def pop(self, _number: int, *_: Any) -> Any:
        return lambda job: job.sleep(0.005)


if __name__ == "__main__":
    main(sys.argv[1])
