"""Whose turn it is to be downloaded: so many at a time, and fewer of one host."""

import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")

_DEFAULT_PORTS = {"http": 80, "https": 443}


class HostTurns:
    """Runs functions in threads, those of one host in the order of their calls.

    Args:
        workers: functions that run at the same time.
        per_host: those of one host among them; where it is not below `workers`, one thread is left for other hosts,
            unless there is only one.

    """

    def __init__(self, workers: int, per_host: int) -> None:
        self._pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="fetch")
        self._per_host = min(per_host, max(1, workers - 1))
        self._lock = threading.Lock()
        self._waiting: defaultdict[str, deque[tuple[Future[Any], Callable[[], Any]]]] = defaultdict(deque)
        self._running: Counter[str] = Counter()
        self._closed = False

    def submit(self, host: str, download: Callable[[], T]) -> Future[T]:
        """Let a thread call a function once it is the host's turn."""
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                future.cancel()
                return future
            self._waiting[host].append((future, download))
            self._begin(host)
        return future

    def close(self) -> None:
        """Begin nothing more, and cancel what waits."""
        with self._lock:
            self._closed = True
            for queue in self._waiting.values():
                for future, _ in queue:
                    future.cancel()
            self._waiting.clear()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _begin(self, host: str) -> None:
        """Give a thread to a host that may have one more and has something to do; the lock is held."""
        # As many as are running have taken theirs, or are about to: those that wait beyond them need a thread.
        if self._waiting[host] and self._running[host] < self._per_host:
            self._pool.submit(self._run, host)
            self._running[host] += 1
        elif not self._running[host]:
            del self._running[host], self._waiting[host]

    def _run(self, host: str) -> None:
        """Do what waits first, and let other hosts go before the next."""
        with self._lock:
            waiting = self._waiting.get(host)
            future, download = waiting.popleft() if waiting else (None, None)
        try:
            if future is not None and download is not None and future.set_running_or_notify_cancel():
                try:
                    future.set_result(download())
                except Exception as error:  # noqa: BLE001  (whoever waits for the future gets it)
                    future.set_exception(error)
        finally:
            with self._lock:
                self._running[host] -= 1
                if not self._closed:
                    self._begin(host)


def host_of(url: str) -> str:
    """Return the host and port of a URL, in one spelling; empty where it has none."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return ""
    return f"{(parts.hostname or '').rstrip('.')}:{port}" if parts.hostname else ""
