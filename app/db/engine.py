"""Connections: one pool a process, with the settings that every search relies on."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal, TypeVar

import psycopg
from cachetools import TTLCache
from psycopg import sql
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool, PoolTimeout

from app.db.bounded import Bounded, connect_seconds
from app.db.conninfo import CONNECT_SECONDS, readable
from app.db.errors import UNCONFIRMED, UNREACHABLE, ConnectionLost, translated
from app.db.loader import query
from app.db.session import Pooler, Session, begin
from app.db.session import settings as session_settings
from app.domain.collections import Collection
from app.domain.errors import ConfigurationError, Unavailable
from app.domain.recall import RECALL_TARGET
from app.metrics import Metrics
from app.search.plan import Expectation

log = logging.getLogger(__name__)

Connection = Bounded
T = TypeVar("T")
Row = dict[str, Any]
Values = Mapping[str, object]

_RETRY_SECONDS = 0.5
_LEAST_SECONDS = 0.05
# The server ends a statement that takes too long; where it does not, the client does so after this.
_GRACE_SECONDS = 5

THROUGH_A_POOLER = (
    "upgrades and index builds hold a lock for a session, which a pooler does not keep: "
    "set LOOKALIKE_ADMIN_DATABASE_URL to the PostgreSQL server itself, as the schema's owner"
)


class Database:
    """The server's connections.

    Reads run in autocommit, one statement each. After a restart of the database the first statement on a dead
    connection finds it; the pool is checked and the read is run once more, so that no reader sees an error. Writes are
    never run twice: their fate is unknown. Behind a pooler a read is a transaction: settings hold for no longer.

    Args:
        url: what the server reads and writes with.
        admin_url: the schema's owner, straight to the server, for index builds; without it, `url` is used for them.
        pooler: whether a pooler in transaction mode stands between; `auto` finds out.
        metrics: what is told of the time that statements take.

    """

    def __init__(
        self,
        url: str,
        *,
        admin_url: str | None = None,
        pooler: Pooler = "auto",
        connections: int = 8,
        timeout_seconds: float = 5.0,
        statement_timeout_ms: int = 30_000,
        ef_search: int = 100,
        recall_target: float = RECALL_TARGET,
        metrics: Metrics | None = None,
    ) -> None:
        self.url = url = readable(url)
        self.admin_url = readable(admin_url, "LOOKALIKE_ADMIN_DATABASE_URL") if admin_url else url
        self._pooler: Pooler = pooler
        self._settings = session_settings(statement_timeout_ms=statement_timeout_ms, ef_search=ef_search)
        self._behind_pooler: Session | None = None
        self._metrics = metrics or Metrics()
        self.ef_search = ef_search
        self.recall_target = recall_target
        self._timeout_seconds = timeout_seconds
        # Searches that compare every record of a large collection leave half of the connections to the others.
        self._expensive = threading.BoundedSemaphore(max(1, connections // 2))
        # Those that wait hold a thread each, so few may.
        self._expensive_waiting = threading.BoundedSemaphore(max(1, connections // 4))
        self.expectations: TTLCache[tuple[int, str, str], Expectation] = TTLCache(maxsize=4096, ttl=60)
        self.expectations_lock = threading.Lock()
        self._statement_seconds = statement_timeout_ms / 1000 + _GRACE_SECONDS
        self._connections = connections
        self._sessions: dict[int, Bounded] = {}  # by thread
        self._lent, self._emptied = 0, 0.0
        self._counting = threading.Lock()
        self._pool: ConnectionPool[Bounded] = ConnectionPool(
            url,
            connection_class=Bounded,
            kwargs={
                "autocommit": True,
                "row_factory": dict_row,
                "application_name": "lookalike",
                "connect_timeout": connect_seconds(timeout_seconds),
            },
            min_size=1,
            max_size=connections,
            timeout=timeout_seconds,
            max_waiting=0,
            # psycopg waits 1, 2, 4 seconds between its tries; a request that waits starts a new one as soon as the
            # last has given up.
            reconnect_timeout=_RETRY_SECONDS,
            reconnect_failed=self._try_again,
            configure=self._configure,
            open=False,
        )

    def open(self) -> None:
        """Start to connect, in the background; the first use waits for a connection."""
        self._pool.open(wait=False)

    def close(self) -> None:
        """Give all connections back."""
        self._pool.close()

    def read_replicas(self) -> None:
        """Read replicas from now on, where there are any: a server does, and neither a command nor a worker."""

    def _configure(self, connection: Bounded) -> None:
        connection.patience = self._timeout_seconds
        session = begin(connection, self._settings, self._pooler)
        connection.coordinates = session.coordinates
        connection.patience = self._statement_seconds
        self._behind_pooler = session if session.pooled else None

    def _try_again(self, pool: ConnectionPool[Bounded]) -> None:
        if pool.get_stats().get("requests_waiting"):
            pool.check()  # which makes an empty pool grow

    def read(
        self, work: Callable[[Connection], T], wait_seconds: float | None = None, *, generic: bool | None = None
    ) -> T:
        """Run one statement, or several that need no common snapshot.

        Args:
            work: what to run.
            wait_seconds: how long to wait for a connection, a second one after a lost one included; None: as set up.
            generic: whether statements are planned once, whatever their values, or for them; None: it does not matter.

        Raises:
            Unavailable: the database is away, or no connection came free in time.

        """
        deadline = time.monotonic() + (self._timeout_seconds if wait_seconds is None else wait_seconds)
        try:
            return self._run(work, deadline, generic=generic)
        except ConnectionLost:
            self._empty()
            return self._run(work, deadline, generic=generic)

    def one(self, text: str, values: Values | None = None, *, prepare: bool | None = None) -> Row | None:
        """Return the first row of a statement that only reads, or None; it is run as by `read`.

        Args:
            text: the statement, with `%(name)s` for each of the values.
            values: the values by name.
            prepare: whether the server keeps its plan; None: once it has come a few times.

        """
        return self.read(lambda lent: lent.execute(text, values, prepare=prepare).fetchone(), generic=prepare)

    def all(self, text: str, values: Values | None = None, *, prepare: bool | None = None) -> list[Row]:
        """Return all rows of a statement that only reads; the arguments are those of `one`."""
        return self.read(lambda lent: lent.execute(text, values, prepare=prepare).fetchall(), generic=prepare)

    def _run(self, work: Callable[[Connection], T], deadline: float, *, generic: bool | None) -> T:
        with translated(), self._connection(deadline) as connection:
            if self._behind_pooler is None:
                connection.plan(generic=generic)
                with self._metrics.timed("sql"):
                    return work(connection)
            with self._pooled_transaction(connection, self._behind_pooler, deadline), self._metrics.timed("sql"):
                return work(connection)

    @contextmanager
    def _connection(self, deadline: float) -> Iterator[Bounded]:
        """Lend a connection of the pool.

        Raises:
            Unavailable: the database is away, or all connections are in use until then.

        """
        try:
            connection = self._pool.getconn(max(_LEAST_SECONDS, deadline - time.monotonic()))
        except PoolTimeout as error:
            if self.busy():
                raise
            raise Unavailable(UNREACHABLE) from error
        connection.patience = self._statement_seconds
        with self._counting:
            self._lent += 1
        try:
            yield connection
        finally:
            with self._counting:
                self._lent -= 1
            self._pool.putconn(connection)

    def pool_figures(self) -> Mapping[str, int]:
        """Return what the pool counts, by psycopg's names."""
        return self._pool.get_stats()

    def version(self, collection_id: int) -> str | None:
        """Return what a read of a replica must have seen; None, as there is none."""
        del collection_id
        return None

    @property
    def pooled(self) -> bool:
        """Whether a pooler stands between, so that one connection leads to several sessions."""
        return self._behind_pooler is not None

    def busy(self) -> bool:
        """Say whether all connections are in use, which is why none can be had."""
        return self._lent >= self._connections

    @contextmanager
    def _pooled_transaction(self, connection: Bounded, session: Session, deadline: float) -> Iterator[None]:
        """Begin a transaction behind a pooler, which may have no server to lend until the deadline."""
        connection.patience = max(_LEAST_SECONDS, deadline - time.monotonic())
        with connection.transaction():
            session.set(connection, local=True)
            connection.patience = self._statement_seconds
            yield

    def _empty(self) -> None:
        """Part from all idle connections after one was lost, as the others are likely to be lost, too."""
        with self._counting:
            if time.monotonic() < self._emptied + _RETRY_SECONDS:
                return
            self._emptied = time.monotonic()
        log.warning("lost a connection to the database; making new ones")
        self._pool.drain()

    @contextmanager
    def expensive(self) -> Iterator[None]:
        """Wait for one of the places of expensive reads, half as many as connections; few may wait.

        Raises:
            Unavailable: none came free in time, or too many wait already.

        """
        if not self._expensive.acquire(blocking=False) and not self._wait_for_expensive():
            raise Unavailable(
                "too many searches compare every record of a large collection; try again in a moment",
                retry_after_seconds=2,
            )
        try:
            yield
        finally:
            self._expensive.release()

    def _wait_for_expensive(self) -> bool:
        if not self._expensive_waiting.acquire(blocking=False):
            return False
        try:
            return self._expensive.acquire(timeout=self._timeout_seconds)
        finally:
            self._expensive_waiting.release()

    def write(self, work: Callable[[Connection], T], *, aside: bool = False) -> T:
        """Run statements in one transaction; it is on disk when this returns.

        Args:
            work: what to run.
            aside: whether it writes nothing that a request may read: no read of a replica has to wait for it.

        Raises:
            Unavailable: the database is away; whether the work was done is then unknown to the caller.

        """
        deadline = time.monotonic() + self._timeout_seconds
        try:
            with translated(), self._connection(deadline) as connection, self._metrics.timed("write"):
                if self._behind_pooler is None:
                    connection.plan(generic=False)
                    with connection.transaction():
                        done = work(connection)
                        connection.warned = False
                else:
                    with self._pooled_transaction(connection, self._behind_pooler, deadline):
                        done = work(connection)
                        connection.warned = False
                unconfirmed = connection.warned  # by COMMIT, whose wait for a synchronous standby was cancelled
                if not aside:
                    self._committed(connection)
                if unconfirmed:
                    raise Unavailable(UNCONFIRMED)
                return done
        except ConnectionLost:
            self._empty()
            raise

    def _committed(self, connection: Connection) -> None:
        """Take note of a transaction that was just committed on a connection."""

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Lend a connection outside the pool, in a transaction of one moment, without a time limit: for streams."""
        with translated(), connect(self.url) as connection:
            connection.autocommit = True
            connection.patience = CONNECT_SECONDS
            session = begin(connection, self._unlimited(), self._pooler)
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            with connection.transaction():
                if session.pooled:
                    session.set(connection, local=True)
                connection.patience = None
                yield connection

    @contextmanager
    def session(self) -> Iterator[Connection]:
        """Lend a connection of the administration's, in autocommit and without a time limit: for index builds.

        Raises:
            ConfigurationError: a pooler stands between, which does not keep the lock of a session.

        """
        with translated(), connect(self.admin_url) as connection:
            connection.autocommit = True
            connection.patience = CONNECT_SECONDS
            if begin(connection, self._unlimited(), self._pooler).pooled:
                raise ConfigurationError(THROUGH_A_POOLER)
            connection.patience = None
            thread, outer = threading.get_ident(), self._sessions.get(threading.get_ident())
            self._sessions[thread] = connection
            try:
                yield connection
            finally:
                del self._sessions[thread]
                if outer is not None:  # a build keeps a session while it sets copies apart in another
                    self._sessions[thread] = outer

    def interrupt(self, thread: int) -> None:
        """Break off the statement that a thread runs on a connection of `session`; it is told `Unavailable`."""
        if (connection := self._sessions.get(thread)) is not None:
            with translated():
                connection.cancel_safe(timeout=CONNECT_SECONDS)

    def _unlimited(self) -> dict[str, str]:
        return {**self._settings, "statement_timeout": "0"}


def connect(url: str) -> Bounded:
    """Open one plain connection, whose statements may take their time.

    Raises:
        psycopg.OperationalError: as libpq says it.

    """
    made = Bounded.connect(
        readable(url), row_factory=dict_row, application_name="lookalike", connect_timeout=CONNECT_SECONDS
    )
    made.patience = None
    return made


def partition(kind: Literal["records", "thumbnails", "originals"], collection: Collection) -> str:
    """Return what stands in FROM for what a collection holds: the quoted name of its partition.

    Of records that may expire, those that have not: PostgreSQL takes that as a condition on the partition.
    """
    if kind == "records":
        table = table_of(collection)
        if not collection.expires:
            return table
        return f"({query('expiry', 'unexpired').render(records=table)})"
    return sql.Identifier("lookalike", f"{kind}_{collection.id}").as_string(None)


def table_of(collection: Collection) -> str:
    """Return the quoted name of the table of a collection's records, to write to; it has those that expired, too."""
    return sql.Identifier("lookalike", collection.records_table).as_string(None)


def unexpired(collection: Collection) -> str:
    """Return the condition that a row `r` of the table has not expired; what is written to is chosen by it."""
    return "(r.expires_at IS NULL OR r.expires_at > now())" if collection.expires else "TRUE"
