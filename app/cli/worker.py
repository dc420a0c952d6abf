"""gunicorn's worker with threads, and a queue in front of them that has an end.

gunicorn's own accepts every request and lets it wait for a thread, however many wait and however long. Here a limited
number waits for a limited time; the others are refused at once, on threads of their own, and health checks never wait.
"""

import logging
import select
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

from gunicorn.http.errors import InvalidResponseHeader, InvalidResponseHeaderName, ParseException
from gunicorn.workers.gthread import TConn, ThreadWorker

from app.api.health import PATHS
from app.api.refusal import refusal_of_no_http, refuse_on_this_thread, refusing
from app.api.watched import count_refusal
from app.cli.connection import ClientSocket, whole_requests
from app.cli.threads import RequestThreads
from app.metrics import Reading, families

log = logging.getLogger(__name__)

# They only refuse and answer health checks, of which one may wait for a database connection.
_REFUSING_THREADS = 4
# A client that asks one thing after another sends the next within this; then no other thread needs to be woken for it.
_LINGER_MS = 2
# A client that is still sending when its connection is to be closed would lose the answer: it is read for at
# most this long, and at most this many times the largest body.
_LINGER_SECONDS = 2.0
_LINGER_BODIES = 4
_PIECE = 2**16
_AGAIN_SECONDS = 0.1
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
        self._ends_at: float | None = None
        self._waiting: deque[tuple[float, TConn, Future[Any]]] = deque()
        self._closing: deque[TConn] = deque()
        self._most_unread: int = _LINGER_BODIES * settings.max_body_bytes
        self._refusing = ThreadPoolExecutor(_REFUSING_THREADS, "refusing", refuse_on_this_thread)
        super().init_process()

    def get_thread_pool(self) -> RequestThreads:
        """Return the threads that serve; those that wait for downloads or jobs are beside them."""
        settings = self.app.settings
        return RequestThreads(self.cfg.threads, settings.fetch_requests, settings.job_watchers)

    def load_wsgi(self) -> None:
        """Make the application, and let it refuse on the threads that are for that."""
        super().load_wsgi()
        self.application = self.app.wsgi()
        metrics = self.application.extensions["lookalike"].metrics
        self._metrics = metrics
        metrics.source(self._figures, of_process=True)
        self._stopping = self.application.extensions["lookalike"].stopping
        refused = partial(count_refusal, metrics)
        self.wsgi = whole_requests(refusing(self.application, refused), self._stopping.is_set)

    def _figures(self) -> Iterator[Reading]:
        """Yield how busy the threads are; called by the thread that answers a scrape, which only looks."""
        yield Reading(families.THREADS, self.cfg.threads)
        yield Reading(families.THREADS_BUSY, min(self._in_flight, self.cfg.threads))
        yield Reading(families.REQUESTS_WAITING, max(0, self._in_flight - self.cfg.threads))

    def run(self) -> None:
        """Serve until told to stop."""
        try:
            super().run()
        finally:
            self._refusing.shutdown(wait=False)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Begin to stop: jobs are given back, and `/readyz` says no; requests are served on for `drain_seconds`.

        So that proxies send no more of them before connections are refused. A second signal ends that.
        """
        if (jobs := getattr(self, "jobs", None)) is not None:  # the server had begun
            jobs.begin_to_stop()
            drains = self.app.settings.drain_seconds if not self._stopping.is_set() else 0.0
            self._stopping.set()
            self._ends_at = time.monotonic() + drains
            if drains:
                return
        self._end(sig, frame)

    def _end(self, sig: int = 0, frame: Any = None) -> None:
        """Take no more connections, and answer what has come; requests that wait for a job are answered."""
        if hasattr(self, "jobs"):
            self.application.extensions["lookalike"].bell.silence()
        super().handle_exit(sig, frame)

    def set_accept_enabled(self, enabled: bool) -> None:
        """Take new connections or not; at the end those that wait are taken, and further ones refused at once.

        gunicorn leaves them waiting for as long as others are served, and then resets them.
        """
        super().set_accept_enabled(enabled)
        if enabled or self.alive:
            return
        for listener in self.sockets:
            waits = select.poll()
            waits.register(listener, select.POLLIN)
            while waits.poll(0):
                self.accept(listener)
            listener.close()

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
        if (queued := vars(conn).pop("queued", None)) is not None:
            self._metrics.observe(families.STAGE_SECONDS, time.monotonic() - queued, "queue")
        if not conn.initialized:
            conn.sock = ClientSocket(conn.sock, self._patience)
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
        if self._ends_at is not None and self.alive:
            timeout = max(0.0, min(timeout, self._ends_at - time.monotonic()))
        super().wait_for_and_dispatch_events(timeout)
        if self._ends_at is not None and self.alive and time.monotonic() >= self._ends_at:
            self._end()
        while self._closing and (self._closing[0].timeout < time.monotonic()):
            self._close(self._closing[0])
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

    def finish_request(self, conn: TConn, future: Future[Any]) -> None:
        """Keep the connection for the client's next request, or close it."""
        done = not future.cancelled() and future.exception() is None
        if done and future.result():
            super().finish_request(conn, future)
        else:
            self._begin_to_close(conn)

    def handle_error(self, _request: Any, client: socket.socket, _address: Any, exc: BaseException) -> None:
        """Answer what is no HTTP with an envelope as well; what else went wrong is for the log."""
        broken = isinstance(exc, ParseException) and not isinstance(
            exc, InvalidResponseHeader | InvalidResponseHeaderName
        )
        if not broken:
            log.error("a request failed outside the application", exc_info=exc)
        try:
            client.sendall(refusal_of_no_http(broken=broken))
        except OSError:
            log.debug("the client of a broken request has gone")

    def _begin_to_close(self, conn: TConn) -> None:
        """Say that nothing more comes, and take what the client still sends, without waiting for it here."""
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:  # the client was quicker
            self._close(conn)
            return
        conn.timeout = time.monotonic() + _LINGER_SECONDS
        conn.unread = self._most_unread
        self._closing.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._take_the_rest, conn))
        self._take_the_rest(conn, conn.sock)

    def _take_the_rest(self, conn: TConn, client: socket.socket) -> None:
        try:
            taken = len(socket.socket.recv(client, _PIECE))
        except BlockingIOError:
            return
        except OSError:
            taken = 0
        conn.unread -= taken
        if not taken or conn.unread < 0:
            self._close(conn)

    def _close(self, conn: TConn) -> None:
        if conn in self._closing:
            self._closing.remove(conn)
            self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        conn.close()

    def _serve(self, conn: TConn) -> Future[Any]:
        self._in_flight += 1
        conn.queued = time.monotonic()
        future: Future[Any] = self.tpool.submit(self.handle, conn)
        future.add_done_callback(partial(self._served, conn))
        return future

    def _served(self, conn: TConn, future: Future[Any]) -> None:
        if not future.cancelled():
            self._have_done(self._finish, conn, future)

    def _have_done(self, finish: Callable[[TConn, Future[Any]], None], conn: TConn, future: Future[Any]) -> None:
        """Have the main thread finish a request; without memory for that the connection would be left hanging."""
        while True:
            try:
                self.method_queue.defer(finish, conn, future)
            except MemoryError:
                time.sleep(_AGAIN_SECONDS)
            else:
                return

    def _finish(self, conn: TConn, future: Future[Any]) -> None:
        self._in_flight -= 1
        self.finish_request(conn, future)

    def _refuse(self, conn: TConn) -> None:
        future = self._refusing.submit(self.handle, conn)
        future.add_done_callback(partial(self._have_done, self.finish_request, conn))

    def _wait_for_data(self, conn: TConn) -> None:
        conn.timeout = time.monotonic() + self.cfg.keepalive
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn))


def _begins(conn: TConn) -> bytes | None:
    """Return how the request on a connection begins, without taking it; None where nothing has come yet."""
    try:
        begins: bytes = conn.sock.recv(_LONGEST, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return None
    except OSError:
        return b""  # the thread that reads it meets the error, and closes the connection
    return begins
