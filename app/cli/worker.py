"""gunicorn's worker with threads, and a queue in front of them that has an end.

gunicorn's own accepts every request and lets it wait for a thread, however many wait and however long. Here so many may
wait for so long; the others are told at once, on threads of their own, and the health checks never wait.
"""

import errno
import select
import selectors
import socket
import struct
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

from app.api.health import PATHS
from app.api.refusal import refuse_on_this_thread, refusing

# They only refuse and answer health checks, of which one may wait for a database connection.
_REFUSING_THREADS = 4
# A client that asks one thing after another sends the next within this; then no other thread needs to be woken for it,
# and a search by `_id` is answered in 1.45 ms instead of 1.70.
_LINGER_MS = 2
_HEALTH = tuple(f"{verb} {path}".encode() for verb in ("GET", "HEAD") for path in PATHS)
_LONGEST = max(map(len, _HEALTH))


class BoundedWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """A thread pool whose queue is bounded by the settings `queue_requests` and `queue_seconds`.

    All but `handle`, which changes nothing here, runs on the worker's main thread, so nothing is locked.
    """

    def init_process(self) -> None:
        """Make the threads and run until the end."""
        settings = self.app.settings
        self._most: int = settings.queue_requests
        self._seconds: float = settings.queue_seconds
        self._patience: float = settings.client_seconds
        self._in_flight = 0
        self._waiting: deque[tuple[float, TConn, Future[Any]]] = deque()
        self._refusing = ThreadPoolExecutor(_REFUSING_THREADS, "refusing", refuse_on_this_thread)
        super().init_process()

    def load_wsgi(self) -> None:
        """Make the application, and let it refuse on the threads that are for that."""
        super().load_wsgi()
        self.application = self.app.wsgi()
        self.wsgi = refusing(self.application)

    def run(self) -> None:
        """Serve until told to stop."""
        try:
            super().run()
        finally:
            self._refusing.shutdown(wait=False)

    def enqueue_req(self, conn: TConn) -> None:
        """Hand a connection to a thread that serves, or, if too many wait already, to one that refuses."""
        if self._in_flight < self.cfg.threads:
            self._serve(conn)
            return
        begins = _begins(conn)
        if begins is None and not conn.initialized:
            self._wait_for_data(conn)  # a new connection waits for its request without taking a place
        elif len(self._waiting) >= self._most or (begins or b"").startswith(_HEALTH):
            self._refuse(conn)
        else:
            self._waiting.append((time.monotonic(), conn, self._serve(conn)))

    def handle(self, conn: TConn) -> Any:
        """Answer the requests on a connection, as long as the next one comes at once and nobody waits for a thread."""
        if not conn.initialized:
            conn.sock = _ClientSocket(conn.sock, self._patience)
        result = super().handle(conn)
        while result is True and self._asks_again(conn):
            result = super().handle(conn)
        return result

    def _asks_again(self, conn: TConn) -> bool:
        # What was read ahead of a request is the main thread's affair, which looks for it.
        if not self.alive or self._waiting or conn.parser.unreader.buf.getvalue():
            return False
        poller = select.poll()
        poller.register(conn.sock, select.POLLIN)
        return bool(poller.poll(_LINGER_MS))

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Do what came up, and refuse those that have waited too long; called every second at least."""
        super().wait_for_and_dispatch_events(timeout)
        oldest = time.monotonic() - self._seconds
        while self._waiting:
            since, conn, future = self._waiting[0]
            begun = future.running() or future.done()
            if not begun and since > oldest:
                break
            self._waiting.popleft()
            if not begun and future.cancel():
                self._in_flight -= 1
                self._refuse(conn)

    def _serve(self, conn: TConn) -> Future[Any]:
        self._in_flight += 1
        future: Future[Any] = self.tpool.submit(self.handle, conn)
        future.add_done_callback(partial(self._served, conn))
        return future

    def _served(self, conn: TConn, future: Future[Any]) -> None:
        if not future.cancelled():
            self.method_queue.defer(self._finish, conn, future)

    def _finish(self, conn: TConn, future: Future[Any]) -> None:
        self._in_flight -= 1
        self.finish_request(conn, future)

    def _refuse(self, conn: TConn) -> None:
        future = self._refusing.submit(self.handle, conn)
        future.add_done_callback(lambda done: self.method_queue.defer(self.finish_request, conn, done))

    def _wait_for_data(self, conn: TConn) -> None:
        conn.timeout = time.monotonic() + self.cfg.keepalive
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn))


class _ClientSocket(socket.socket):
    """A client's connection: lost, as if the client had closed it, once nothing has come or gone for so many seconds.

    Else a client that vanished in the middle of its request, or of its answer, would hold a thread for ever.
    """

    def __init__(self, accepted: socket.socket, seconds: float) -> None:
        super().__init__(fileno=accepted.detach())
        # The system's own limits: Python's would cost a poll before each call, and gunicorn takes them off again.
        limit = struct.pack("@ll", int(seconds), int(seconds % 1 * 1_000_000))
        self.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        self.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        try:
            return super().recv(size, flags)
        except BlockingIOError as error:
            if flags & socket.MSG_DONTWAIT:
                raise
            raise _lost() from error

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        try:
            super().sendall(data, flags)
        except BlockingIOError as error:
            raise _lost() from error


def _lost() -> ConnectionResetError:
    return ConnectionResetError(errno.ECONNRESET, "the client has neither sent nor taken anything for too long")


def _begins(conn: TConn) -> bytes | None:
    """Return how the request on a connection begins, without taking it; None where nothing has come yet."""
    try:
        begins: bytes = conn.sock.recv(_LONGEST, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return None
    except OSError:
        return b""  # the thread that reads it meets the error, and closes the connection
    return begins
