"""Lookalike leaves: what it made in a database goes, and nothing else does."""

from psycopg import errors

from app.db.engine import Connection, connect
from app.db.errors import translated
from app.domain.errors import ConfigurationError

# What would go with the schema although it lies outside: views, functions and keys of the host database that use it.
_OUTSIDE = """
    SELECT format('%s %s', CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' ELSE 'relation' END,
                  c.oid::regclass) AS name
    FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname NOT IN ('lookalike', 'pg_toast') AND n.nspname NOT LIKE 'pg\\_temp\\_%'
    UNION ALL
    SELECT format('function %s', p.oid::regprocedure) FROM pg_catalog.pg_proc AS p
    JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace WHERE n.nspname <> 'lookalike'
    UNION ALL
    SELECT format('constraint %s of %s', c.conname, c.conrelid::regclass) FROM pg_catalog.pg_constraint AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.connamespace WHERE n.nspname <> 'lookalike'
    UNION ALL
    SELECT format('column %s of %s', a.attname, a.attrelid::regclass) FROM pg_catalog.pg_attribute AS a
    JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname NOT IN ('lookalike', 'pg_toast') AND n.nspname NOT LIKE 'pg\\_%' AND a.attnum > 0
      AND NOT a.attisdropped
"""


def uninstall(url: str) -> list[str]:
    """Drop the schema `lookalike` with everything in it, and the extension if it came with it; say what was done.

    Raises:
        ConfigurationError: there is no schema of ours, it is not the role's, or other objects depend on it;
            nothing is dropped then.
        Unavailable: a table stayed in use.

    """
    with translated(), connect(url) as connection:
        connection.execute("SET LOCAL lock_timeout = '5s'")
        row = connection.execute(
            "SELECT to_regclass('lookalike.alembic_version') IS NOT NULL AS ours,"
            " pg_catalog.obj_description(to_regnamespace('lookalike'), 'pg_namespace') AS comment"
        ).fetchone()
        if row is None or not row["ours"]:
            raise ConfigurationError("there is no schema lookalike of this program's in this database")
        drop_schema(connection)
        done = ["dropped the schema lookalike"]
        if str(row["comment"]).endswith("The extension vector came with it."):
            try:
                with connection.transaction():
                    connection.execute("DROP EXTENSION vector")
                done.append("dropped the extension vector, which came with it")
            except errors.DependentObjectsStillExist:
                done.append("kept the extension vector: others use it")
    return done


def drop_schema(connection: Connection) -> None:
    """Drop the schema in the transaction that runs.

    Raises:
        ConfigurationError: something else in the database depends on it; the transaction is to be rolled back.

    """
    connection.execute("SET LOCAL search_path = pg_catalog")  # so that every name is said with its schema
    before = {found["name"] for found in connection.execute(_OUTSIDE).fetchall()}
    connection.execute("SET LOCAL client_min_messages = warning")
    connection.execute("DROP SCHEMA lookalike CASCADE")
    after = {found["name"] for found in connection.execute(_OUTSIDE).fetchall()}
    if lost := sorted(before - after):
        raise ConfigurationError(
            "nothing was dropped: other objects of this database depend on the schema lookalike; drop or change them"
            f" first: {', '.join(lost)}"
        )
