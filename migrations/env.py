"""Alembic's entry: one connection, one advisory lock, timeouts, the schema `lookalike` only.

Offline (`lookalike db upgrade --sql`) the same statements are printed, without the lock.
"""

from alembic import context
from sqlalchemy import Connection, text

from app.db import locks
from app.db.models import SCHEMA, Base

# The house may have made the schema for us, and given no right to make others.
MAKE_SCHEMA = f"""
DO $$
BEGIN
    IF pg_catalog.to_regnamespace('{SCHEMA}') IS NULL THEN
        CREATE SCHEMA {SCHEMA};
    END IF;
END
$$
"""
# pgvector's types are found wherever the house keeps it.
FIND_VECTOR = """
SELECT pg_catalog.set_config('search_path', pg_catalog.quote_ident(n.nspname), false)
FROM pg_catalog.pg_extension AS e JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace
WHERE e.extname = 'vector'
"""


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        version_table_schema=SCHEMA,
        include_schemas=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def online(connection: Connection) -> None:
    connection.execute(text(f"SELECT pg_advisory_lock({locks.MIGRATIONS})"))
    try:
        connection.execute(text(MAKE_SCHEMA))
        connection.execute(text(FIND_VECTOR))
        connection.commit()
        run(connection)
    finally:
        connection.rollback()
        connection.execute(text(f"SELECT pg_advisory_unlock({locks.MIGRATIONS})"))
        connection.commit()


def offline() -> None:
    context.configure(
        dialect_name="postgresql",
        target_metadata=Base.metadata,
        version_table_schema=SCHEMA,
        transaction_per_migration=True,
    )
    context.execute(MAKE_SCHEMA.strip())
    context.execute(FIND_VECTOR.strip())
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    offline()
else:
    online(context.config.attributes["connection"])
