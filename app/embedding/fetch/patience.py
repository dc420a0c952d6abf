"""Many downloads of few hosts: each host is asked no faster than it bears, and again where it was busy."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from app.domain.errors import ImageError
from app.domain.options import Patience
from app.embedding.fetch.answers import Transient
from app.embedding.fetch.turns import host_of

T = TypeVar("T")

# Of a host that gave nothing in spite of all tries so often in a row, each further record is tried once.
_GIVEN_UP = 5
_LOOK_SECONDS = 0.1


@dataclass(slots=True)
class _Host:
    """A host: how many may ask it at the same time, when the next may, and how often it gave nothing of late."""

    places: threading.Semaphore
    next: float = 0.0
    silent_until: float = 0.0
    failed: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class PatientHosts:
    """Calls functions that fetch from hosts, from any thread, which waits meanwhile.

    Args:
        patience: how often a host is asked again, and how fast.
        per_host: threads that ask one host at the same time at most.
        sleep: waits so many seconds; what it raises ends the call.

    """

    def __init__(self, patience: Patience, per_host: int, sleep: Callable[[float], None]) -> None:
        self._patience = patience
        self._per_host = per_host
        self._sleep = sleep
        self._lock = threading.Lock()
        self._hosts: dict[str, _Host] = {}

    def call(self, url: str, fetch: Callable[[], T]) -> T:
        """Return what a function returns once it is the turn of the URL's host; call it again where that may help.

        Raises:
            ImageError: that of the last try.

        """
        host = self._host(host_of(url))
        while not host.places.acquire(blocking=False):
            self._sleep(_LOOK_SECONDS)
        try:
            return self._tried(host, fetch)
        finally:
            host.places.release()

    def _tried(self, host: _Host, fetch: Callable[[], T]) -> T:
        tries = 0
        while True:
            self._take_turn(host)
            tries += 1
            try:
                found = fetch()
            except Transient as error:
                pause = self._pause(host, error, tries)
                if tries > (0 if host.failed >= _GIVEN_UP else self._patience.retries):
                    host.failed += 1
                    raise _after(error, tries) from None
                self._sleep(pause)
            except ImageError:
                host.failed = 0
                raise
            else:
                host.failed = 0
                return found

    def _take_turn(self, host: _Host) -> None:
        """Wait until the host may be asked once more."""
        with host.lock:
            begin = max(time.monotonic(), host.next)
            if self._patience.per_second:
                host.next = begin + 1 / self._patience.per_second
        while (left := max(begin, host.silent_until) - time.monotonic()) > 0:
            self._sleep(left)

    def _pause(self, host: _Host, error: Transient, tries: int) -> float:
        """Return how long to wait before the next try; nobody else asks a host that wants to be left alone."""
        longest = self._patience.longest_seconds
        pause = min(longest, self._patience.backoff_seconds * 2.0 ** min(tries - 1, 60))
        # Those that were refused at one moment do not come back at one.
        pause *= random.uniform(0.5, 1)  # noqa: S311  (no secret)
        if error.retry_after is None:
            return pause
        wanted = min(longest, error.retry_after)
        with host.lock:
            host.silent_until = max(host.silent_until, time.monotonic() + wanted)
        return wanted + min(pause, longest - wanted)

    def _host(self, name: str) -> _Host:
        with self._lock:
            if name not in self._hosts:
                self._hosts[name] = _Host(threading.Semaphore(self._per_host))
            return self._hosts[name]


def _after(error: Transient, tries: int) -> Transient:
    return error if tries == 1 else Transient(f"{error}, {tries} times", error.retry_after)
