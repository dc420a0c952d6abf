"""The settings of a session, whatever the host database's defaults are.

On a direct connection it is set once, behind a pooler in each transaction.

A pooler in transaction mode (pgbouncer and its kin) lends another server session to each transaction, so what is SET
for a session is lost, or worse, left to others. There the settings are SET LOCAL, and statements are not prepared.
"""

from dataclasses import dataclass
from typing import Any, Literal

import psycopg
from pgvector.psycopg import register_vector
from psycopg import sql
from psycopg.rows import dict_row

Pooler = Literal["auto", "none", "transaction"]

# So the server, too, notices a client that the network has lost, and gives back what its transaction had locked.
_NOTICED = {
    "tcp_user_timeout": "5000",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}

# One round trip: who is at the other end, and where pgvector's types and operators live.
_FACTS = """
    SELECT pg_catalog.pg_backend_pid() AS pid, (
        SELECT pg_catalog.quote_ident(n.nspname) FROM pg_catalog.pg_extension AS e
        JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace WHERE e.extname = 'vector') AS vector_schema,
        EXISTS (SELECT FROM pg_catalog.pg_extension AS e WHERE e.extname = 'citus') AS coordinates
"""


def settings(*, statement_timeout_ms: int, ef_search: int) -> dict[str, str]:
    """Return the settings that the queries rely on, by name."""
    return {
        "statement_timeout": f"{statement_timeout_ms}ms",
        "idle_in_transaction_session_timeout": "60s",
        "jit": "off",  # compiling costs more than any of these queries takes
        "random_page_cost": "1.1",  # the indexes are meant to be in memory, or on a disk that seeks for free
        "hnsw.ef_search": str(ef_search),
        "hnsw.iterative_scan": "relaxed_order",
        "DateStyle": "ISO, YMD",  # psycopg reads no other
        "IntervalStyle": "postgres",
    }


@dataclass(frozen=True, slots=True)
class Session:
    """A session is what is known of a connection.

    Attributes:
        values: its settings.
        pooled: whether a pooler stands in between.
        coordinates: whether Citus is at the other end, which cannot plan some statements without their values.

    """

    values: dict[str, str]
    pooled: bool
    coordinates: bool = False

    def set(self, connection: psycopg.Connection[Any], *, local: bool) -> None:
        """Set them all in one round trip; `local`: until the end of the transaction."""
        call = sql.SQL("set_config({}, {}, {})")
        calls = [call.format(name, value, local) for name, value in self.values.items()]
        connection.execute(sql.SQL("SELECT {}").format(sql.SQL(", ").join(calls)), prepare=False)


def pooled(connection: psycopg.Connection[Any], pid: int, pooler: Pooler = "auto") -> bool:
    """Say whether a pooler stands between; `pid` is what the server says of its own process.

    A pooler tells its clients a key of its own for cancelling, not the server's: the process id in it is another.
    """
    return pooler == "transaction" or (pooler == "auto" and pid != connection.info.backend_pid)


def begin(connection: psycopg.Connection[Any], values: dict[str, str], pooler: Pooler) -> Session:
    """Set a new connection up, which is in autocommit: settings, and pgvector's types where it is installed."""
    connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(_FACTS).fetchone() or {}
    if row["vector_schema"] is not None:
        # Only that: the program's own statements name their schema, and no other object is found by accident.
        values = {**values, "search_path": row["vector_schema"]}
    session = Session(values, pooled(connection, row["pid"], pooler), row["coordinates"])
    if session.pooled:
        connection.prepare_threshold = None
        with connection.transaction():
            session.set(connection, local=True)
            _register(connection, row["vector_schema"])
    else:
        Session(values | _NOTICED, pooled=False).set(connection, local=False)
        _register(connection, row["vector_schema"])
    return session


def _register(connection: psycopg.Connection[Any], vector_schema: str | None) -> None:
    if vector_schema is not None:
        register_vector(connection)
