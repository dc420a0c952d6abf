"""A host database may lack what Lookalike needs: a sentence says what is missing, with the SQL that mends it."""

from typing import Any

import psycopg
from psycopg.rows import dict_row

from app.db.versions import check_versions
from app.domain.errors import ConfigurationError

_FACTS = """
    SELECT quote_ident(current_user) AS role, current_database() AS database,
        current_setting('server_encoding') AS encoding, pg_catalog.pg_is_in_recovery() AS standby,
        has_database_privilege(current_database(), 'CREATE') AS may_create,
        (SELECT r.rolsuper FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user) AS superuser,
        to_regnamespace('public') IS NOT NULL AS has_public,
        (SELECT pg_catalog.pg_has_role(n.nspowner, 'USAGE') FROM pg_catalog.pg_namespace AS n
         WHERE n.nspname = 'lookalike') AS owns_schema,
        EXISTS (SELECT FROM pg_catalog.pg_class AS c
                WHERE c.relnamespace = to_regnamespace('lookalike') AND c.relname = 'alembic_version') AS installed,
        EXISTS (SELECT FROM pg_catalog.pg_class AS c
                WHERE c.relnamespace = to_regnamespace('lookalike') AND c.relkind <> 'i') AS schema_in_use,
        v.name AS vector_schema, has_schema_privilege(v.oid, 'USAGE') AS vector_usable,
        (SELECT a.trusted FROM pg_catalog.pg_available_extension_versions AS a
         JOIN pg_catalog.pg_available_extensions AS e ON e.name = a.name AND e.default_version = a.version
         WHERE a.name = 'vector') AS vector_trusted
    FROM (SELECT) AS one
    LEFT JOIN (SELECT n.oid, quote_ident(n.nspname) AS name FROM pg_catalog.pg_extension AS e
               JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace WHERE e.extname = 'vector') AS v ON true
"""


def missing(connection: psycopg.Connection[Any], *, to_upgrade: bool, writes: bool = True) -> list[str]:
    """Return what is missing; empty where the schema can be used or, with `to_upgrade`, made and changed.

    A server that only reads (`writes` False) may be a standby.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        facts: dict[str, Any] = cursor.execute(_FACTS).fetchone() or {}
    found = []
    try:
        check_versions(connection)
    except ConfigurationError as error:
        found.append(str(error))
    else:
        found += _vector(facts)
    if facts["encoding"] != "UTF8":
        found.append(
            f"the database {facts['database']} is in {facts['encoding']}, records are in UTF-8; an encoding cannot be"
            " changed: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0;"
        )
    if facts["standby"] and writes:
        found.append(
            "this server is a standby, which takes no writes: let DATABASE_URL name the primary, or serve reads alone"
            " (LOOKALIKE_READ_ONLY)"
        )
    return found + (_schema(facts) if to_upgrade else [])


def _vector(facts: dict[str, Any]) -> list[str]:
    """Return what is wrong where pgvector in a fitting version is on the server's disk."""
    if facts["vector_schema"] is not None:
        if facts["vector_usable"]:
            return []
        schema = facts["vector_schema"]
        return [
            (
                f"pgvector lies in the schema {schema}, which {facts['role']} may not use; an administrator runs:"
                f" GRANT USAGE ON SCHEMA {schema} TO {facts['role']};"
            )
        ]
    if not facts["has_public"]:
        return [
            (
                "pgvector is not in this database, and there is no schema public to put it in; an administrator runs:"
                " CREATE EXTENSION vector SCHEMA …;"
            )
        ]
    if facts["superuser"] or (facts["vector_trusted"] and facts["may_create"]):
        return []
    return [
        (
            f"pgvector is not in this database, and the role {facts['role']} may not add it; an administrator runs:"
            " CREATE EXTENSION vector SCHEMA public;"
        )
    ]


def _schema(facts: dict[str, Any]) -> list[str]:
    if facts["owns_schema"] is None:
        if facts["may_create"]:
            return []
        return [
            (
                f"there is no schema lookalike, and the role {facts['role']} may not make it; an administrator runs:"
                f" CREATE SCHEMA lookalike AUTHORIZATION {facts['role']};"
            )
        ]
    if not facts["owns_schema"]:
        return [
            (
                f"the schema lookalike belongs to another role than {facts['role']}: upgrade as its owner"
                " (LOOKALIKE_ADMIN_DATABASE_URL); a server that runs as this role needs: GRANT lookalike_app TO "
                f"{facts['role']};"
            )
        ]
    if facts["schema_in_use"] and not facts["installed"]:
        return [
            (
                "there is a schema lookalike that is not this program's; its owner runs:"
                " ALTER SCHEMA lookalike RENAME TO …;"
            )
        ]
    return []


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
