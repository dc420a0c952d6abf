"""Hearing of changes in the database: by LISTEN where a session can be kept, else by looking now and then."""

import logging
import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

from app.db.engine import Connection, Database
from app.domain.errors import ConfigurationError, LookalikeError

log = logging.getLogger(__name__)

TOKENS = "lookalike_tokens"
"""The channel on which is told that a token was changed or revoked."""
COLLECTIONS = "lookalike_collections"
"""The channel on which is told that a collection or an alias was changed or dropped."""
_JOBS = "lookalike_jobs"
_AGAIN_SECONDS = 1.0
_LISTEN_SECONDS = 1.0


class Bell:
    """Rings whenever a job is made or changes its state, and calls whoever wants to hear of other changes.

    It listens on a connection of its own, from `open` or the first `wait` on. Behind a pooler in transaction mode no
    session is kept to listen on: then it rings every `poll_seconds`, and else every `idle_seconds`, in case that
    something was missed.
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
        self._connection: Connection | None = None
        self._calls: dict[str, Callable[[], None]] = {_JOBS: self.ring}

    def calls(self, channel: str, call: Callable[[], None]) -> None:
        """Have a function called whenever something is told on a channel, and when that may have been missed.

        Say so before it listens.
        """
        self._calls[channel] = call

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

    def open(self) -> None:
        """Begin to listen, in the background."""
        with self._rung:
            if self._thread is None and not self._closed.is_set():
                self._thread = threading.Thread(target=self._run, name="job-bell", daemon=True)
                self._thread.start()

    def wait(self, since: int, seconds: float) -> None:
        """Wait until it has rung since it had rung so often, no longer than so many seconds."""
        self.open()
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
        if (connection := self._connection) is not None:
            with suppress(OSError, LookalikeError), socket.socket(fileno=os.dup(connection.fileno())) as listening:
                listening.shutdown(socket.SHUT_RDWR)  # so that nobody waits for what is told next
        if self._thread is not None:
            self._thread.join(timeout=2 * _LISTEN_SECONDS)

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                self._listen()
            except ConfigurationError as error:
                log.info("jobs are looked for every %g seconds: %s", self._poll_seconds, error)
                return
            except LookalikeError as error:
                log.debug("cannot listen for changes, trying again: %s", error)
            finally:
                self._listens, self._connection = False, None
            self._closed.wait(_AGAIN_SECONDS)

    def _listen(self) -> None:
        with self._db.session() as connection:
            for channel in self._calls:
                connection.execute(f"LISTEN {channel}".encode())
            self._listens, self._connection = True, connection
            for call in self._calls.values():
                call()  # for what changed before
            while not self._closed.is_set():
                told = connection.notifies(timeout=_LISTEN_SECONDS, stop_after=1)
                for channel in {one.channel for one in told}:
                    self._calls[channel]()
