"""Workers: they take jobs, do them, and say meanwhile that they live.

A job that loses the database waits until it is back and goes on from its checkpoint; so does one that is told that
something is too busy, a few times. What else goes wrong fails the job and nothing beside it.
"""

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from app.config import Settings
from app.db import jobs as job_table
from app.db.jobs import Held
from app.domain.errors import LookalikeError, Unavailable
from app.domain.jobs import Cancelled, HandedBack, Job, Lost, Paused, State, Stopped
from app.domain.records import Json
from app.services.context import Context
from app.services.jobs.kind import Kind
from app.services.jobs.kinds import KINDS
from app.services.jobs.running import Running

log = logging.getLogger(__name__)

T = TypeVar("T")

# A run that is told again and again that something is too busy, and gets nowhere, is given up after so many tries.
_TRIES = 8
_LONGEST_PAUSE_SECONDS = 30.0
# A worker that is to stop, and whose job does not come to a safe point, gives the job back after this.
STOP_SECONDS = 20.0
UNEXPECTED = "an error that nobody expected; the log of the worker {worker} has the details"


@dataclass(frozen=True, slots=True)
class Pace:
    """How often workers look and say that they live, in seconds.

    Attributes:
        look: between two looks at what became of a job that runs, and how far it is.
        beat: after which a worker without a job says that it is there.
        lease: after which a job whose worker was not heard of is taken over.
        keep_days: days after which a job that has ended is forgotten.

    """

    look: float = 1.0
    beat: float = 10.0
    lease: float = 60.0
    keep_days: int = 30


USUAL = Pace()


def pace_of(settings: Settings) -> Pace:
    """Return the usual pace, with what is kept as the settings say."""
    return Pace(keep_days=settings.job_days)


def new_name() -> str:
    """Return a name for a worker of this process, which no other has: host, process, a few random digits."""
    return f"{host()}/{os.getpid()}/{secrets.token_hex(3)}"


def host() -> str:
    """Return the name of this machine, as the names of its workers begin."""
    return socket.gethostname()


class Worker:
    """Does jobs one after the other, on the thread that calls `work` or `do`."""

    def __init__(
        self, context: Context, pace: Pace = USUAL, kinds: Sequence[Kind] = tuple(KINDS.values()), name: str = ""
    ) -> None:
        self.name = name or new_name()
        self._context = context
        self._pace = pace
        self._kinds = {kind.name: kind for kind in kinds}
        self._stopping = threading.Event()
        self._running: Running | None = None
        self.failure: LookalikeError | None = None
        """Why its last job failed, where that was told by an error of ours."""

    def work(self) -> None:
        """Take jobs and do them, until `stop`."""
        seen = tidied = -self._pace.lease
        while not self._stopping.is_set():
            rings = self._context.bell.rings
            try:
                if time.monotonic() >= seen + self._pace.beat:
                    job_table.seen(self._context.db, self.name)
                    seen = time.monotonic()
                if time.monotonic() >= tidied + self._pace.lease / 4:
                    job_table.tidy(self._context.db, self._pace.lease, self._pace.keep_days)
                    tidied = time.monotonic()
                held = job_table.claim(self._context.db, self.name, list(self._kinds), self._pace.lease)
            except Unavailable as error:
                log.debug("no job can be taken now: %s", error)
                self._stopping.wait(self._pace.look)
                continue
            if held is None:
                self._context.bell.wait(rings, self._pace.beat)
            else:
                self.do(held)
        self._left()

    def take(self, job_id: int) -> Held | None:
        """Take one job, if it can be had now; None where another of its kind is at work on its collection."""
        held = job_table.claim(self._context.db, self.name, list(self._kinds), self._pace.lease, job_id)
        if held is None:
            job_table.still_waits(self._context.db, job_id, self.name)
        return held

    def do(self, held: Held, watch: Callable[[Running], None] = lambda _: None) -> None:
        """Do a job that this worker holds, as far as it gets; `watch` is called every second or so beside it."""
        stop = threading.Event()
        keeper = threading.Thread(target=self._keep, args=(stop, watch), name=f"job-{held.id}-keeper", daemon=True)
        self.failure = None
        try:
            job = self._persist(lambda: job_table.find(self._context.db, job_id=held.id)[0])
            self._running = Running(self._context, held, job)
            keeper.start()
            self._do(self._kinds[job.kind], held, job)
        except (Unavailable, Stopped):
            log.warning("job %d: this worker stops while the database is away; another one goes on", held.id)
        finally:
            stop.set()
            if keeper.is_alive():
                keeper.join()
            self._running = None
            self._context.bell.ring()

    def pause(self, job_id: int) -> None:
        """Pause a job that this worker has left in the middle, or waits for."""
        job_table.pause(self._context.db, job_id)
        job = job_table.find(self._context.db, job_id=job_id)[0]
        if job.worker == self.name:
            job_table.release(self._context.db, Held(job.id, job.attempt))

    def stop(self) -> None:
        """Take no more jobs, and give the one back that runs, at its next safe point."""
        self._stopping.set()
        running = self._running
        if running is not None:
            running.stop(HandedBack)  # and the keeper breaks its statement off
        self._context.bell.ring()

    def give_back(self) -> None:
        """Let another worker go on with the job that runs, which does not come to a safe point: it writes no more."""
        running = self._running
        if running is not None:
            running.stop(Lost)
            job_table.release(self._context.db, running.held)

    def wait(self, seconds: float) -> None:
        """Wait before another try, unless this worker is to stop."""
        self._stopping.wait(seconds)

    def _do(self, kind: Kind, held: Held, job: Job) -> None:
        tries, covered = 0, job.checkpoint
        while True:
            running = self._running
            assert running is not None  # noqa: S101  (it was set by `do`)
            try:
                running.safe_point()
                outcome = kind.run(self._context, running)
                running.flush()
                self._finish(running, State.DONE, outcome.result)
            except (Paused, HandedBack, Cancelled, Lost):
                self._persist(lambda: job_table.release(self._context.db, held))
            except Unavailable as error:
                if running.stopping:  # its statement was broken off, so that it stops
                    self._begin_anew(held)
                    continue
                if self._reachable():
                    tries += 1
                if tries > _TRIES:
                    self._finish(running, State.FAILED, error=str(error))
                    return
                log.info("job %d (%s) waits: %s", held.id, kind.name, error)
                self.wait(min(_LONGEST_PAUSE_SECONDS, 2.0**tries / 2))
                now = self._begin_anew(held)
                if now.checkpoint != covered:
                    tries, covered = 0, now.checkpoint
                continue
            except LookalikeError as error:
                self.failure = error
                self._finish(running, State.FAILED, error=str(error))
            except Exception:
                log.exception("job %d (%s) failed", held.id, kind.name)
                self._finish(running, State.FAILED, error=UNEXPECTED.format(worker=self.name))
            return

    def _begin_anew(self, held: Held) -> Job:
        """Have the job run from its last checkpoint once more; what it is to stop for stays."""
        job = self._persist(lambda: job_table.find(self._context.db, job_id=held.id)[0])
        before, self._running = self._running, Running(self._context, held, job)
        if before is not None and before.stop_reason is not None:
            self._running.stop(before.stop_reason)
        elif job.attempt != held.attempt or job.worker is None:
            self._running.stop(Lost)
        return job

    def _finish(self, running: Running, state: State, result: Json = None, error: str | None = None) -> None:
        progress = running.progress
        if not self._persist(lambda: job_table.finish(self._context.db, running.held, state, progress, result, error)):
            self._persist(lambda: job_table.release(self._context.db, running.held))

    def _persist(self, work: Callable[[], T]) -> T:
        """Do what must not be left undone, as soon as the database is there.

        Raises:
            Unavailable: it is away, and this worker is to stop.

        """
        while True:
            try:
                return work()
            except Unavailable:
                if self._stopping.wait(self._pace.look):
                    raise

    def _reachable(self) -> bool:
        try:
            self._context.db.one("SELECT 1")
        except Unavailable:
            return False
        return True

    def _keep(self, stop: threading.Event, watch: Callable[[Running], None]) -> None:
        """Look every second, until the run has ended, what became of the job that runs."""
        seen = time.monotonic()
        while not stop.wait(self._pace.look):
            running = self._running
            if running is None:
                continue
            try:
                running.keep()
                if time.monotonic() >= seen + self._pace.beat:
                    job_table.seen(self._context.db, self.name)
                    seen = time.monotonic()
                watch(running)
            except LookalikeError as error:
                log.debug("job %d: nothing can be said of it now: %s", running.job.id, error)
            if running.stopping:
                self._interrupt(running)

    def _interrupt(self, running: Running) -> None:
        if self._kinds[running.job.kind].interruptible:
            try:
                self._context.db.interrupt(running.thread)
            except LookalikeError as error:
                log.debug("job %d: its statement goes on for now: %s", running.job.id, error)

    def _left(self) -> None:
        try:
            job_table.left(self._context.db, self.name)
        except Unavailable as error:
            log.debug("%s", error)  # it is not counted for long


class Workers:
    """So many workers on threads of this process."""

    def __init__(
        self, context: Context, number: int, pace: Pace = USUAL, kinds: Sequence[Kind] = tuple(KINDS.values())
    ) -> None:
        self._context = context
        self._workers = [Worker(context, pace, kinds) for _ in range(number)]
        self._threads = [
            threading.Thread(target=worker.work, name=f"job-worker-{number}", daemon=True)
            for number, worker in enumerate(self._workers)
        ]

    def start(self) -> None:
        """Begin to take jobs."""
        for thread in self._threads:
            thread.start()

    def begin_to_stop(self) -> None:
        """Take no more jobs, and have what runs given back. Waits for nothing: a signal's handler may call it."""
        for worker in self._workers:
            worker.stop()

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Give back what runs, and wait for that, so many seconds at most."""
        until = time.monotonic() + seconds
        self.begin_to_stop()
        for thread, worker in zip(self._threads, self._workers, strict=True):
            if thread.is_alive():
                thread.join(max(0.1, until - time.monotonic()))
            if thread.is_alive():
                try:
                    worker.give_back()
                except Unavailable as error:
                    log.warning("a job could not be given back, so it goes on in a minute: %s", error)

    def join(self) -> None:
        """Wait until all have stopped."""
        for thread in self._threads:
            thread.join()
