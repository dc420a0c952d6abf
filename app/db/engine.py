"""Connections: one pool a process, with the settings that every search relies on."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, TypeVar

import psycopg
from psycopg import sql
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool

from app.db.conninfo import CONNECT_SECONDS, readable
from app.db.errors import translated
from app.db.session import Pooler, Session, begin
from app.db.session import settings as session_settings
from app.domain.collections import Collection
from app.domain.errors import ConfigurationError, Unavailable

log = logging.getLogger(__name__)

Connection = psycopg.Connection[DictRow]
T = TypeVar("T")

POSTGRESQL_AT_LEAST = 16
# 0.7 brought halfvec, 0.8.0 iterative scans; until 0.8.4 a vacuum could damage or fail on an HNSW index, until 0.8.2 a
# parallel build could overrun its memory.
PGVECTOR_AT_LEAST = (0, 8, 4)
THROUGH_A_POOLER = (
    "upgrades and index builds hold a lock for a session, which a pooler does not keep: "
    "set LOOKALIKE_ADMIN_DATABASE_URL to the PostgreSQL server itself, as the schema's owner"
)


class Database:
    """The server's connections.

    Reads run in autocommit, one statement each. A connection that died while it was idle (the database was
    restarted) is found by the first statement on it; the pool is then checked and a read is run once more, so that a
    restart costs no reader an error. Writes are never run twice: their fate is unknown. Behind a pooler a read is a
    transaction, as the settings hold for no longer there.

    Args:
        url: what the server reads and writes with.
        admin_url: the schema's owner, straight to the server, for index builds; without it, `url` is used for them.
        pooler: whether a pooler in transaction mode stands between; `auto` finds out.

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
    ) -> None:
        self.url = url = readable(url)
        self._admin_url = readable(admin_url, "LOOKALIKE_ADMIN_DATABASE_URL") if admin_url else url
        self._pooler: Pooler = pooler
        self._settings = session_settings(statement_timeout_ms=statement_timeout_ms, ef_search=ef_search)
        self._behind_pooler: Session | None = None
        self.ef_search = ef_search
        self._timeout_seconds = timeout_seconds
        # Searches that compare every record of a large collection leave half of the connections to the others.
        self._heavy = threading.BoundedSemaphore(max(1, connections // 2))
        # Those that wait hold a thread each, so few may.
        self._heavy_waiting = threading.BoundedSemaphore(max(1, connections // 4))
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            url,
            connection_class=psycopg.Connection[DictRow],
            kwargs={"autocommit": True, "row_factory": dict_row, "application_name": "lookalike"},
            min_size=1,
            max_size=connections,
            timeout=timeout_seconds,
            max_waiting=0,
            reconnect_timeout=10,
            configure=self._configure,
            open=False,
        )

    def open(self) -> None:
        """Start to connect, in the background; the first use waits for a connection."""
        self._pool.open(wait=False)

    def close(self) -> None:
        """Give all connections back."""
        self._pool.close()

    def _configure(self, connection: Connection) -> None:
        session = begin(connection, self._settings, self._pooler)
        self._behind_pooler = session if session.pooled else None

    def read(self, work: Callable[[Connection], T]) -> T:
        """Run one statement, or several that need no common snapshot.

        Raises:
            Unavailable: the database is away, or no connection came free in time.

        """
        try:
            return self._run(work)
        except Unavailable as error:
            if not isinstance(error.__cause__, psycopg.OperationalError) or error.__cause__.sqlstate == "57014":
                raise
            log.warning("lost a connection to the database; checking the others")
            self._pool.check()
            return self._run(work)

    def _run(self, work: Callable[[Connection], T]) -> T:
        with translated(), self._pool.connection() as connection:
            if self._behind_pooler is None:
                return work(connection)
            with connection.transaction():
                self._behind_pooler.set(connection, local=True)
                return work(connection)

    @contextmanager
    def heavy(self) -> Iterator[None]:
        """Wait for one of the places of heavy reads, half as many as connections; few may wait.

        Raises:
            Unavailable: none came free in time, or too many wait already.

        """
        if not self._heavy.acquire(blocking=False) and not self._wait_for_heavy():
            raise Unavailable(
                "too many searches compare every record of a large collection; try again in a moment",
                retry_after_seconds=2,
            )
        try:
            yield
        finally:
            self._heavy.release()

    def _wait_for_heavy(self) -> bool:
        if not self._heavy_waiting.acquire(blocking=False):
            return False
        try:
            return self._heavy.acquire(timeout=self._timeout_seconds)
        finally:
            self._heavy_waiting.release()

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run statements in one transaction; it is on disk when this returns.

        Raises:
            Unavailable: the database is away; whether the work was done is then unknown to the caller.

        """
        try:
            with translated(), self._pool.connection() as connection, connection.transaction():
                if self._behind_pooler is not None:
                    self._behind_pooler.set(connection, local=True)
                return work(connection)
        except Unavailable:
            self._pool.check()
            raise

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Lend a connection outside the pool, in one transaction and without a time limit: for streams."""
        with translated(), connect(self.url) as connection:
            connection.autocommit = True
            session = begin(connection, self._unlimited(), self._pooler)
            with connection.transaction():
                if session.pooled:
                    session.set(connection, local=True)
                yield connection

    @contextmanager
    def session(self) -> Iterator[Connection]:
        """Lend a connection of the administration's, in autocommit and without a time limit: for index builds.

        Raises:
            ConfigurationError: a pooler stands between, which does not keep the lock of a session.

        """
        with translated(), connect(self._admin_url) as connection:
            connection.autocommit = True
            if begin(connection, self._unlimited(), self._pooler).pooled:
                raise ConfigurationError(THROUGH_A_POOLER)
            yield connection

    def _unlimited(self) -> dict[str, str]:
        return {**self._settings, "statement_timeout": "0"}


def connect(url: str) -> Connection:
    """Open one plain connection.

    Raises:
        psycopg.OperationalError: as libpq says it.

    """
    return psycopg.connect(
        readable(url), row_factory=dict_row, application_name="lookalike", connect_timeout=CONNECT_SECONDS
    )


def check_versions(connection: psycopg.Connection[Any]) -> str:
    """Check that the server can do what is asked of it; return its versions in words.

    Raises:
        ConfigurationError: PostgreSQL or pgvector is too old, or pgvector is not there.

    """
    major = connection.info.server_version // 10_000
    if major < POSTGRESQL_AT_LEAST:
        raise ConfigurationError(f"PostgreSQL {POSTGRESQL_AT_LEAST} or newer is needed; this server is {major}")
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(
            "SELECT coalesce(installed_version, default_version) AS version, default_version AS available,"
            " installed_version IS NOT NULL AS installed"
            " FROM pg_catalog.pg_available_extensions WHERE name = 'vector'"
        ).fetchone()
    wanted = ".".join(map(str, PGVECTOR_AT_LEAST))
    if row is None:
        raise ConfigurationError(
            f"the extension pgvector is not installed on this server; {wanted} or newer is needed: an administrator"
            f" installs it on the server's machine (Debian's package is postgresql-{major}-pgvector)"
        )
    version, available = str(row["version"]), str(row["available"])
    if _numbers(version) < PGVECTOR_AT_LEAST:
        steps = [] if _numbers(available) >= PGVECTOR_AT_LEAST else ["installs it on the server's machine"]
        steps += ["runs: ALTER EXTENSION vector UPDATE;"] if row["installed"] else []
        advice = f"an administrator {', then '.join(steps)}"
        raise ConfigurationError(f"pgvector {wanted} or newer is needed; this database has {version}: {advice}")
    return f"PostgreSQL {major}, pgvector {version}"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:3])


def partition(kind: Literal["records", "thumbnails", "originals"], collection: Collection) -> str:
    """Return the quoted name of a collection's partition."""
    name = collection.records_table if kind == "records" else f"{kind}_{collection.id}"
    return sql.Identifier("lookalike", name).as_string(None)


def connections_short(connection: psycopg.Connection[Any], wanted: int) -> str | None:
    """Return, in a sentence, why the server may not take so many connections; None where it does."""
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(
            "SELECT current_setting('max_connections')::integer"
            " - current_setting('superuser_reserved_connections')::integer AS taken_at_most,"
            " (SELECT count(*) FROM pg_catalog.pg_stat_activity AS a"
            "  WHERE a.backend_type = 'client backend' AND a.pid <> pg_backend_pid()) AS used"
        ).fetchone()
    most, used = (int(row["taken_at_most"]), int(row["used"])) if row else (0, 0)
    advice = "lower LOOKALIKE_POOL_CONNECTIONS, or raise max_connections"
    if wanted > most:
        return f"this server may open {wanted} connections and the database takes {most} in all: {advice}"
    if wanted > most - used:
        return f"this server may open {wanted} connections and the database has {most - used} of {most} left: {advice}"
    return None
