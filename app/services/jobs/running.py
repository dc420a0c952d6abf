"""A job while a worker is at it: what the function of its kind is given."""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace

from app.db import jobs as job_table
from app.db.engine import Connection
from app.db.jobs import Held
from app.domain.collections import Collection
from app.domain.errors import CollectionNotFound, InvalidRequest, LookalikeError, Unauthorized
from app.domain.jobs import Cancelled, Checkpoint, HandedBack, Job, Lost, Paused, Progress, Reject, State, Stopped
from app.domain.records import Json
from app.services import collections
from app.services.context import Context

# Rejects that are held in memory until they are written: their number, and the bytes of their sources.
_REJECTS = 200
_REJECTS_BYTES = 4 * 2**20
# The longest source that is kept of a reject, in characters.
_LONGEST_SOURCE = 2**20
# What the rate is measured over, in seconds.
_RATE_SECONDS = 30.0


class Running:
    """A run of a job. Its methods may be called from any thread; `safe_point` from those that can end the run."""

    def __init__(self, context: Context, held: Held, job: Job) -> None:
        self._context = context
        self.held = held
        self.job = job
        self.thread = threading.get_ident()
        """The thread that does it."""
        start = job.checkpoint or Checkpoint(None)
        self.position: Json = start.position
        """That of the last checkpoint; None at the start."""
        self._covered = start
        self._lock = threading.Lock()
        self._progress = replace(job.progress, done=start.done, bytes=start.bytes, indexed=start.indexed, rate=None)
        self._rejects: list[Reject] = []
        self._rejects_bytes = 0
        self._samples: deque[tuple[float, int]] = deque([(time.monotonic(), start.done)])
        self._stop: type[Stopped] | LookalikeError | None = None
        self._follow: Callable[[], None] | None = None

    @property
    def parameters(self) -> Mapping[str, Json]:
        """What was asked for, as the kind's `check` returned it."""
        return self.job.parameters

    @property
    def progress(self) -> Progress:
        """How far it is."""
        return self._progress

    def collection(self) -> Collection:
        """Return its collection as it is now.

        Raises:
            CollectionNotFound: it was dropped.

        """
        if self.job.collection_id is None:
            raise InvalidRequest("this job has no collection")
        name = job_table.name_of(self._context.db, self.job.collection_id)
        if name is None:
            raise CollectionNotFound(f"the collection {self.job.collection!r} was dropped")
        return collections.get(self._context, name)

    def phase(self, name: str, total: int | None = None) -> None:
        """Say what it does now, and, if `total` is given, how many records there are in all."""
        with self._lock:
            wanted = self._progress.total if total is None else total
            self._progress = replace(self._progress, phase=name, total=wanted)

    def advance(self, done: int = 0, *, bytes: int = 0, indexed: int | None = None) -> None:  # noqa: A002
        """Show that so many more records are done with, where no checkpoint says so; `indexed` is a number in all."""
        with self._lock:
            self._add(done, bytes, indexed)

    def show(self, done: int, total: int | None = None, *, indexed: int | None = None) -> None:
        """Show that so many records in all are done with."""
        with self._lock:
            self._add(max(0, done - self._progress.done), 0, indexed)
            if total is not None:
                self._progress = replace(self._progress, total=total)

    def reject(self, line: int, record_id: str | None, code: int, reason: str, source: str | None = None) -> None:
        """Note a record that cannot be taken.

        It is counted once, however often it is met again after an interruption.

        Args:
            line: where it stands, counted from 1; one reject a line.
            record_id: its `_id`, None where it has none that can be told.
            code: the API's code of the reason, as 402.
            reason: a sentence.
            source: the record as it came, to be mended and sent again; left out if longer than a million characters.

        """
        kept = None if source is None or len(source) > _LONGEST_SOURCE else _storable(source)
        own = None if record_id is None else _storable(record_id)
        with self._lock:
            self._rejects.append(Reject(line, own, code, _storable(reason), kept))
            self._rejects_bytes += len(kept or "")
            full = len(self._rejects) >= _REJECTS or self._rejects_bytes >= _REJECTS_BYTES
        if full:
            self.flush()

    def flush(self) -> None:
        """Write the rejects that are held."""
        if self._rejects:
            self._context.db.write(self._write_rejects)

    def checkpoint(
        self,
        connection: Connection,
        position: Json,
        *,
        done: int = 0,
        bytes: int = 0,  # noqa: A002
        indexed: int | None = None,
    ) -> None:
        """Note where to go on, inside the transaction of the rows up to there, as its last statement.

        Args:
            connection: that of the transaction.
            position: any JSON; the run finds it again as `position`.
            done: how many more records it covers than the checkpoint before.
            bytes: likewise, of the source.
            indexed: how many of all of them an index holds, where that is told.

        Raises:
            Stopped: the job was cancelled, or is another worker's; nothing of the transaction may stay.

        """
        self._write_rejects(connection)
        with self._lock:
            before = self._covered
            many = before.indexed if indexed is None else indexed
            covered = Checkpoint(position, before.done + done, before.bytes + bytes, many)
            shown = self._progress
            self._progress = replace(
                shown,
                done=max(shown.done, covered.done),
                bytes=max(shown.bytes, covered.bytes),
                indexed=covered.indexed if covered.indexed is not None else shown.indexed,
            )
            self._sample()
            progress = replace(self._progress, done=covered.done, bytes=covered.bytes, indexed=covered.indexed)
            self._covered = covered
        job_table.checkpoint(connection, self.held, position, progress)
        self.position = position

    def save(self, position: Json, *, done: int = 0, bytes: int = 0, indexed: int | None = None) -> None:  # noqa: A002
        """Note where to go on, in a transaction of its own: `checkpoint` says the rest."""
        self._context.db.write(lambda one: self.checkpoint(one, position, done=done, bytes=bytes, indexed=indexed))

    def safe_point(self) -> None:
        """End the run here if the job is to stop; costs nothing, so that it is called often.

        Raises:
            Stopped: it pauses, was cancelled, goes on elsewhere, or is another worker's already.
            Unauthorized: the token that asked for it was revoked.

        """
        if self._stop is not None:
            raise self._stop

    def sleep(self, seconds: float) -> None:
        """Wait, and end the run as `safe_point` does where the job is to stop meanwhile."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.safe_point()
            time.sleep(min(left, 0.1))

    @property
    def stop_reason(self) -> type[Stopped] | LookalikeError | None:
        """What the next safe point raises; None where the run goes on."""
        return self._stop

    @property
    def stopping(self) -> bool:
        """Whether the next safe point ends the run."""
        return self._stop is not None

    def follow(self, look: Callable[[], None] | None) -> None:
        """Have a function called every second that looks how far a long statement is, and calls `show`."""
        self._follow = look

    def keep(self) -> None:
        """See what became of the job, and say how far it is; called every second beside the run."""
        seen = job_table.look(self._context.db, self.held)
        if seen.lost:
            self.stop(Lost)
        elif seen.state == State.CANCELLED:
            self.stop(Cancelled)
        elif seen.revoked:
            self.stop(Unauthorized("the token that asked for this job was revoked"))
        elif seen.state == State.PAUSING:
            self.stop(Paused)
        elif self._stop is Paused:
            self._stop = None  # it was resumed before it paused
        if self._follow is not None:
            self._follow()
        with self._lock:
            self._sample()
            progress = self._progress
        if not seen.lost:
            job_table.beat(self._context.db, self.held, progress)

    def stop(self, reason: type[Stopped] | LookalikeError) -> None:
        """Have the next safe point end the run; one that may not write any more is never told to do less."""
        if self._stop not in (Lost, Cancelled) and not (reason is HandedBack and self._stop is not None):
            self._stop = reason

    def _add(self, done: int, more_bytes: int, indexed: int | None) -> None:
        now = self._progress
        self._progress = replace(
            now,
            done=now.done + done,
            bytes=now.bytes + more_bytes,
            indexed=now.indexed if indexed is None else indexed,
        )

    def _sample(self) -> None:
        """Measure the rate over the last half minute."""
        now, done = time.monotonic(), self._progress.done
        while len(self._samples) > 1 and self._samples[0][0] < now - _RATE_SECONDS:
            self._samples.popleft()
        began, before = self._samples[0]
        if now - began >= 1:
            self._progress = replace(self._progress, rate=(done - before) / (now - began))
        if now - self._samples[-1][0] >= 1:
            self._samples.append((now, done))

    def _write_rejects(self, connection: Connection) -> None:
        with self._lock:
            rejects, self._rejects, self._rejects_bytes = self._rejects, [], 0
        if not rejects:
            return
        try:
            job_table.reject(connection, self.held, rejects)
        except BaseException:
            with self._lock:  # the run that is begun anew meets them again; one that goes on has them still
                self._rejects = [*rejects, *self._rejects]
            raise


def _storable(text: str) -> str:
    """Return a text with what PostgreSQL cannot store in it replaced: U+0000, and half of a surrogate pair."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
