"""Alembic's entry: one connection, one advisory lock, timeouts, the schema `lookalike` only."""

from alembic import context
from sqlalchemy import Connection, text

from app.db.models import SCHEMA, Base

# Any fixed number; two upgrades at once would otherwise run the same migration twice.
ADVISORY_LOCK = 4_207_100_512


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


connection: Connection = context.config.attributes["connection"]
connection.execute(text(f"SELECT pg_advisory_lock({ADVISORY_LOCK})"))
connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
connection.commit()
try:
    run(connection)
finally:
    connection.rollback()
    connection.execute(text(f"SELECT pg_advisory_unlock({ADVISORY_LOCK})"))
    connection.commit()
