"""Clients that ask as fast as they are answered, in a process of their own so that they share the GIL with nothing.

One process holds the clients of one kind, a thread each: those of the HTTP server, or those of the bare SQL. A round
opens fresh connections, asks some times unmeasured (connections, prepared statements and caches are warm then), and
measures from a common start until the time is up. Nothing is measured of a client that is not also counted.
"""

import contextlib
import multiprocessing
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Protocol

import numpy as np

from app.db.engine import Database

_WARM_UP = 12
_STRIDE = 97  # requests that lie between the first ones of two clients, so that they do not ask the same in step
_START_SECONDS = 60
_RECEIVE_BYTES = 1 << 18

Ask = Callable[[int], bool]


class Job(Protocol):
    """What the clients of one process do."""

    def shared(self) -> AbstractContextManager[object]:
        """Open what all clients of a round have in common."""
        ...

    def client(self, shared: object) -> AbstractContextManager[Ask]:
        """Open one client; it is called with the number of a request and says whether the answer was a good one."""
        ...


@dataclass(frozen=True, slots=True)
class HttpJob:
    """Requests over kept-alive connections to one host, ready as bytes; a good answer holds `expected`."""

    host: str
    port: int
    requests: tuple[bytes, ...]
    expected: bytes = b""

    def shared(self) -> AbstractContextManager[object]:
        """Open nothing: each client has a connection of its own."""
        return contextlib.nullcontext()

    @contextmanager
    def client(self, shared: object) -> Iterator[Ask]:
        """Open a connection."""
        del shared
        client = HttpClient(self)
        try:
            yield client.ask
        finally:
            client.close()


class HttpClient:
    """One kept-alive connection that reads of an answer only what tells it from the next one."""

    def __init__(self, job: HttpJob) -> None:
        self._job = job
        self._socket: socket.socket | None = None

    def ask(self, number: int) -> bool:
        """Send a request and read its answer; a broken connection is a bad answer and is opened anew."""
        requests = self._job.requests
        try:
            if self._socket is None:
                self._socket = socket.create_connection((self._job.host, self._job.port), timeout=60)
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.sendall(requests[number % len(requests)])
            head, body = _answer(self._socket)
        except (OSError, ValueError):
            self.close()
            return False
        if b"connection: close" in head:
            self.close()
        return head.startswith(b"http/1.1 200") and self._job.expected in body

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _answer(connection: socket.socket) -> tuple[bytes, bytes]:
    """Return the head, in lower case, and the body of the next answer.

    Raises:
        ValueError: the connection was closed in the middle, or the answer does not tell its length.

    """
    data = _more(connection)
    while (end := data.find(b"\r\n\r\n")) < 0:
        data += _more(connection)
    head = data[:end].lower()
    at = head.index(b"content-length:") + 15
    stop = head.find(b"\r\n", at)
    length = end + 4 + int(head[at : stop if stop >= 0 else None])
    while len(data) < length:
        data += _more(connection)
    return head, data[end + 4 :]


def _more(connection: socket.socket) -> bytes:
    data = connection.recv(_RECEIVE_BYTES)
    if not data:
        raise ValueError("the connection was closed in the middle of an answer")
    return data


def post(path: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """Return a POST request as bytes."""
    given = {"Host": "localhost", "Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items()), "", ""]
    return "\r\n".join(lines).encode() + body


@dataclass(frozen=True, slots=True)
class SqlJob:
    """One prepared statement with different values, results in binary; a good answer has `rows` rows.

    `pooled`: all clients go through a pool of one connection; else each has a connection of its own. The connections'
    settings are those of the server's.
    """

    url: str
    text: str
    values: tuple[Mapping[str, object], ...]
    rows: int
    ef_search: int
    pooled: bool

    @contextmanager
    def shared(self) -> Iterator[Database]:
        """Open the pool; nothing is connected before it is used."""
        database = Database(self.url, connections=1, timeout_seconds=60, ef_search=self.ef_search)
        if self.pooled:
            database.open()
        try:
            yield database
        finally:
            if self.pooled:
                database.close()

    @contextmanager
    def client(self, shared: object) -> Iterator[Ask]:
        """Open a client of the pool, or a connection."""
        if not isinstance(shared, Database):
            raise TypeError("a client is opened with what `shared` gave")
        if self.pooled:
            yield self._through(shared)
        else:
            with shared.session() as connection:
                yield (
                    lambda number: (
                        len(
                            connection.execute(
                                self.text, self.values[number % len(self.values)], binary=True, prepare=True
                            ).fetchall()
                        )
                        == self.rows
                    )
                )

    def _through(self, database: Database) -> Ask:
        def ask(number: int) -> bool:
            values = self.values[number % len(self.values)]
            found = database.read(
                lambda connection: connection.execute(self.text, values, binary=True, prepare=True).fetchall()
            )
            return len(found) == self.rows

        return ask


@dataclass(frozen=True, slots=True)
class Round:
    """What some clients got in one round: a time for each good answer, in milliseconds, and the others by number."""

    milliseconds: list[float]
    errors: int
    seconds: float

    @property
    def p50(self) -> float:
        """Median time of an answer, in milliseconds."""
        return float(np.quantile(self.milliseconds, 0.5))

    @property
    def p99(self) -> float:
        """Time that 99 of 100 answers take at most, in milliseconds."""
        return float(np.quantile(self.milliseconds, 0.99))

    @property
    def rate(self) -> float:
        """Good answers a second, of all clients together."""
        return len(self.milliseconds) / self.seconds


@dataclass(slots=True)
class _Gathered:
    lock: threading.Lock = field(default_factory=threading.Lock)
    milliseconds: list[float] = field(default_factory=list)
    errors: int = 0
    ended: float = 0.0

    def add(self, milliseconds: list[float], errors: int) -> None:
        with self.lock:
            self.milliseconds += milliseconds
            self.errors += errors
            self.ended = max(self.ended, time.perf_counter())


def run_round(job: Job, clients: int, seconds: float) -> Round:
    """Let so many clients ask for so long, in this process."""
    gathered = _Gathered()
    started: list[float] = []
    barrier = threading.Barrier(clients, action=lambda: started.append(time.perf_counter()))
    with job.shared() as shared, ThreadPoolExecutor(clients) as pool:
        running = [
            pool.submit(_ask, job, shared, number * _STRIDE, barrier, seconds, gathered) for number in range(clients)
        ]
        errors = [error for one in running if (error := one.exception()) is not None]
    # A client that fails breaks the barrier for the others; what it failed of is what is told.
    for error in sorted(errors, key=lambda error: isinstance(error, threading.BrokenBarrierError)):
        raise error
    return Round(gathered.milliseconds, gathered.errors, gathered.ended - started[0])


def _ask(job: Job, shared: object, number: int, barrier: threading.Barrier, seconds: float, all_: _Gathered) -> None:
    milliseconds: list[float] = []
    try:
        with job.client(shared) as ask:
            errors = sum(not ask(number + early) for early in range(_WARM_UP))
            barrier.wait(_START_SECONDS)
            now = time.perf_counter()
            end = now + seconds
            while now < end:
                good = ask(number)
                then = time.perf_counter()
                if good:
                    milliseconds.append((then - now) * 1000)
                else:
                    errors += 1
                now = then
                number += 1
            all_.add(milliseconds, errors)
    except BaseException:
        barrier.abort()  # keeps no other client waiting for this one
        raise


class Clients:
    """A process of clients. Use it as a context: it ends with it."""

    def __init__(self, job: Job) -> None:
        self._pipe, theirs = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("spawn").Process(target=_serve, args=(job, theirs), daemon=True)

    def __enter__(self) -> "Clients":
        """Start the process."""
        self._process.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process."""
        with contextlib.suppress(OSError):
            self._pipe.send(None)
        self._process.join(10)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._pipe.close()

    def round(self, clients: int, seconds: float) -> Round:
        """Let so many clients ask for so long and return what they got.

        Raises:
            RuntimeError: they could not ask at all; the message says why.

        """
        self._pipe.send((clients, seconds))
        found = self._pipe.recv()
        if not isinstance(found, Round):
            raise RuntimeError(str(found))
        return found


def _serve(job: Job, pipe: Connection) -> None:
    with ThreadPoolExecutor(1) as pool:
        while (asked := pipe.recv()) is not None:
            done = pool.submit(run_round, job, *asked)
            error = done.exception()
            pipe.send(done.result() if error is None else f"{type(error).__name__}: {error}")
