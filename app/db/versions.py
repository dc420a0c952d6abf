"""Which versions of PostgreSQL and pgvector there must be at least."""

from typing import Any

import psycopg
from psycopg.rows import dict_row

from app.domain.errors import ConfigurationError

POSTGRESQL_AT_LEAST = 16
# 0.7 brought halfvec, 0.8.0 iterative scans; until 0.8.4 a vacuum could damage or fail on an HNSW index, until 0.8.2 a
# parallel build could overrun its memory.
PGVECTOR_AT_LEAST = (0, 8, 4)


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
