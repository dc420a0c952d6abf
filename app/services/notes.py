"""Taking notes without slowing what is noted: a bounded queue in memory, written in batches by a thread of its own."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from app.domain.errors import LookalikeError

log = logging.getLogger(__name__)

_EVERY_SECONDS = 1.0
# What may wait for a database that is away; of more, the oldest are forgotten.
_WAITING = 10_000
_BATCH = 1_000

T = TypeVar("T")


class Notes(Generic[T]):
    """Takes notes and writes them every second; `add` only appends to a queue and never waits.

    Args:
        what: what is noted, in the plural, for the log.
        write: writes a batch, at most 1,000; an error of ours that it raises has the batch tried again.

    """

    def __init__(self, what: str, write: Callable[[Sequence[T]], None]) -> None:
        self._what = what
        self._write = write
        self._waiting: deque[T] = deque(maxlen=_WAITING)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._one_at_a_time = threading.Lock()
        self.lost = 0
        """How many were forgotten because too many waited, or refused by the database."""

    def open(self) -> None:
        """Begin to write."""
        self._thread = threading.Thread(target=self._run, name=f"notes-{self._what}", daemon=True)
        self._thread.start()

    def add(self, note: T) -> None:
        """Note something."""
        self.lost += len(self._waiting) == _WAITING
        self._waiting.append(note)

    @property
    def waiting(self) -> list[T]:
        """Return what is noted and not yet written, oldest first."""
        return list(self._waiting)

    def close(self) -> None:
        """Write what is waiting, and stop."""
        self._stop.set()
        if self._thread is not None and self._thread.is_alive():
            self._thread.join(timeout=10)
        elif self._waiting:
            self.flush()

    def flush(self) -> None:
        """Write what is waiting; what the database is not there to take waits on."""
        with self._one_at_a_time:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
                if not self._written(batch):
                    return

    def _run(self) -> None:
        while not self._stop.wait(_EVERY_SECONDS):
            self.flush()
        self.flush()

    def _written(self, batch: Sequence[T]) -> bool:
        try:
            self._write(batch)
        except LookalikeError as error:
            log.warning("%s could not be noted, trying again: %s", self._what, error)
            room = _WAITING - len(self._waiting)
            self.lost += max(0, len(batch) - room)
            if room:
                self._waiting.extendleft(reversed(batch[-room:]))
            return False
        except Exception:
            # A batch that the database refuses would be refused again: it is dropped, and the log says why.
            self.lost += len(batch)
            log.exception("%d %s could not be noted", len(batch), self._what)
        return True
