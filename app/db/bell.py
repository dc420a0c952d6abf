"""Waking up when a job changes: by LISTEN where a session can be kept, else by looking now and then."""

import logging
import threading

from app.db.engine import Database
from app.domain.errors import ConfigurationError, LookalikeError

log = logging.getLogger(__name__)

_AGAIN_SECONDS = 1.0
_LISTEN_SECONDS = 1.0


class Bell:
    """Rings whenever a job is made or changes its state.

    It listens on a connection of its own, from the first `wait` on. Behind a pooler in transaction mode no session is
    kept to listen on: then it rings every `poll_seconds`, and else every `idle_seconds`, in case that something was
    missed.
    """

    def __init__(self, db: Database, *, poll_seconds: float = 1.0, idle_seconds: float = 5.0) -> None:
        self._db = db
        self._poll_seconds = poll_seconds
        self._idle_seconds = idle_seconds
        self._rung = threading.Condition()
        self._rings = 0
        self._listens = False
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def rings(self) -> int:
        """How often it rang: remember it before you look at something, and give it to `wait`."""
        return self._rings

    @property
    def listens(self) -> bool:
        """Whether it hears at once what changes."""
        return self._listens

    def ring(self) -> None:
        """Wake whoever waits in this process."""
        with self._rung:
            self._rings += 1
            self._rung.notify_all()

    def wait(self, since: int, seconds: float) -> None:
        """Wait until it has rung since it had rung so often, no longer than so many seconds."""
        self._begin()
        with self._rung:
            # Whether it listens may change meanwhile: each wait is short where it does not yet.
            longest = self._idle_seconds if self._listens else self._poll_seconds
            self._rung.wait_for(lambda: self._rings != since or self._closed.is_set(), min(seconds, longest))

    @property
    def silent(self) -> bool:
        """Whether it rings no more: whoever waits for it is to end."""
        return self._closed.is_set()

    def silence(self) -> None:
        """Ring for the last time."""
        self._closed.set()
        self.ring()

    def close(self) -> None:
        """Ring for the last time, and listen no more."""
        self.silence()
        if self._thread is not None:
            self._thread.join(timeout=2 * _LISTEN_SECONDS)

    def _begin(self) -> None:
        with self._rung:
            if self._thread is None and not self._closed.is_set():
                self._thread = threading.Thread(target=self._run, name="job-bell", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                self._listen()
            except ConfigurationError as error:
                log.info("jobs are looked for every %g seconds: %s", self._poll_seconds, error)
                return
            except LookalikeError as error:
                log.debug("cannot listen for jobs, trying again: %s", error)
            finally:
                self._listens = False
            self._closed.wait(_AGAIN_SECONDS)

    def _listen(self) -> None:
        with self._db.session() as connection:
            connection.execute("LISTEN lookalike_jobs")
            self._listens = True
            self.ring()  # for what changed before
            while not self._closed.is_set():
                for _ in connection.notifies(timeout=_LISTEN_SECONDS, stop_after=1):
                    self.ring()
