"""The threads that serve requests: so many run, and those that wait for downloads or jobs do so beside them."""

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from typing import Any

from app.domain.errors import Unavailable
from app.domain.waiting import Awaited, let_wait

log = logging.getLogger(__name__)

_RETRY_SECONDS = 5


class RequestThreads:
    """A pool of `running` threads, in which `waiting` more may wait for downloads, and `watching` more for jobs.

    The standard library's pool cannot lend a place to another thread for a while, which is all that is added here.
    """

    def __init__(self, running: int, waiting: int, watching: int = 0) -> None:
        self._tasks: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._places = {Awaited.DOWNLOADS: waiting, Awaited.JOBS: watching}
        self._surplus = 0
        self._numbers = iter(range(10**9))
        self._running = running
        self._most_waiting = waiting + watching
        for _ in range(running):
            self._start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Let a thread call a function, in the order of the calls of this method."""
        future: Future[Any] = Future()

        def task() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except Exception as error:
                future.set_exception(error)  # first: who waits must hear of it, even where nothing can be logged
                log.exception("a request failed outside the application", exc_info=error)
            else:
                future.set_result(result)

        self._tasks.put(task)
        return future

    def shutdown(self, **_wait: bool) -> None:
        """Let the threads end once they have done what is submitted; nobody waits for them, an exit neither."""
        for _ in range(self._running + self._most_waiting):
            self._tasks.put(None)

    def _start(self) -> None:
        threading.Thread(target=self._work, name=f"request-{next(self._numbers)}", daemon=True).start()

    def _work(self) -> None:
        let_wait(self._aside)
        while True:
            # Not even a log may have had memory for it. Who waits was told, and no other thread would take the place.
            with suppress(MemoryError):
                if (task := self._tasks.get()) is None:
                    return
                task()
            with self._lock:
                if self._surplus:
                    self._surplus -= 1
                    return

    @contextmanager
    def _aside(self, awaited: Awaited) -> Iterator[None]:
        """Let another thread run while the calling one waits; once it is back, the next that is done ends."""
        with self._lock:
            if not self._places[awaited]:
                raise Unavailable(f"too many requests wait for {awaited}; try again in a moment", _RETRY_SECONDS)
            self._places[awaited] -= 1
        try:
            self._start()
        except (RuntimeError, MemoryError) as error:  # the system gives no more threads
            with self._lock:
                self._places[awaited] += 1
            raise Unavailable("the system has no thread left to wait with; try again", _RETRY_SECONDS) from error
        try:
            yield
        finally:
            with self._lock:
                self._places[awaited] += 1
                self._surplus += 1
