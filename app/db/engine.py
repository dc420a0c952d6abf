"""Connections: one pool a process, with the settings that every search relies on."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, TypeVar

import psycopg
from pgvector.psycopg import register_vector
from psycopg import sql
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool

from app.db.errors import translated
from app.domain.collections import Collection
from app.domain.errors import ConfigurationError, Unavailable

log = logging.getLogger(__name__)

Connection = psycopg.Connection[DictRow]
T = TypeVar("T")

POSTGRESQL_AT_LEAST = 16
PGVECTOR_AT_LEAST = (0, 8, 4)


class Database:
    """The server's connections.

    Reads run in autocommit, one statement each. A connection that died while it was idle (the database was
    restarted) is found by the first statement on it; the pool is then checked and a read is run once more, so that a
    restart costs no reader an error. Writes are never run twice: their fate is unknown.
    """

    def __init__(
        self,
        url: str,
        *,
        connections: int = 8,
        timeout_seconds: float = 5.0,
        statement_timeout_ms: int = 30_000,
        ef_search: int = 100,
    ) -> None:
        self.url = url
        self._settings = {
            "statement_timeout": f"{statement_timeout_ms}ms",
            "idle_in_transaction_session_timeout": "60s",
            "jit": "off",  # compiling costs more than any of these queries takes
            "random_page_cost": "1.1",  # the indexes are meant to be in memory, or on a disk that seeks for free
            "hnsw.ef_search": str(ef_search),
            "hnsw.iterative_scan": "relaxed_order",
        }
        self.ef_search = ef_search
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
        for name, value in self._settings.items():
            connection.execute("SELECT set_config(%s, %s, false)", (name, value))
        if connection.execute("SELECT to_regtype('halfvec') AS known").fetchone() != {"known": None}:
            register_vector(connection)

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
            return work(connection)

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run statements in one transaction; it is on disk when this returns.

        Raises:
            Unavailable: the database is away; whether the work was done is then unknown to the caller.

        """
        try:
            with translated(), self._pool.connection() as connection, connection.transaction():
                return work(connection)
        except Unavailable:
            self._pool.check()
            raise

    @contextmanager
    def session(self) -> Iterator[Connection]:
        """Lend a connection outside the pool, in autocommit: for index builds, loads, streams and the command line."""
        with translated(), connect(self.url) as connection:
            connection.autocommit = True
            for name, value in self._settings.items():
                if name != "statement_timeout":
                    connection.execute("SELECT set_config(%s, %s, false)", (name, value))
            register_vector(connection)
            yield connection


def connect(url: str) -> Connection:
    """Open one plain connection.

    Raises:
        psycopg.OperationalError: as libpq says it.

    """
    return psycopg.connect(url, row_factory=dict_row, application_name="lookalike", connect_timeout=10)


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
            "SELECT coalesce(installed_version, default_version) AS version, installed_version IS NOT NULL AS installed"
            " FROM pg_catalog.pg_available_extensions WHERE name = 'vector'"
        ).fetchone()
    wanted = ".".join(map(str, PGVECTOR_AT_LEAST))
    if row is None:
        raise ConfigurationError(f"the extension pgvector is not installed on this server; {wanted} or newer is needed")
    version = str(row["version"])
    if tuple(int(part) for part in version.split(".")[:3]) < PGVECTOR_AT_LEAST:
        advice = "run ALTER EXTENSION vector UPDATE" if row["installed"] else "install a newer one"
        raise ConfigurationError(f"pgvector {wanted} or newer is needed; this database has {version}: {advice}")
    return f"PostgreSQL {major}, pgvector {version}"


def partition(kind: Literal["records", "thumbnails", "originals"], collection: Collection) -> str:
    """Return the quoted name of a collection's partition."""
    name = collection.records_table if kind == "records" else f"{kind}_{collection.id}"
    return sql.Identifier("lookalike", name).as_string(None)
