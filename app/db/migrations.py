"""The migrations, by Alembic, and what the database is compared with: imported only where there is something to do."""

import io
from functools import partial

import psycopg
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, text
from sqlalchemy.engine import Engine
from sqlalchemy.pool import NullPool

from app.db.conninfo import readable
from app.db.models import SCHEMA, Base
from app.db.resources import folder


def config() -> Config:
    """Return the place of the migrations, for Alembic."""
    made = Config()
    made.set_main_option("script_location", str(folder("migrations")))
    made.set_main_option("path_separator", "os")
    return made


def engine(url: str) -> Engine:
    """Return a SQLAlchemy engine without a pool: migrations and administration are rare.

    libpq reads the URL, as SQLAlchemy knows no list of hosts and no `host=… dbname=…`.
    """
    return create_engine("postgresql+psycopg://", creator=partial(psycopg.connect, readable(url)), poolclass=NullPool)


def upgrade(url: str, revision: str) -> None:
    """Run the migrations up to a revision."""
    with engine(url).connect() as connection:
        given = config()
        given.attributes["connection"] = connection
        command.upgrade(given, revision)


def script(since: str | None) -> str:
    """Return the migrations since a revision as SQL; all of them for None."""
    given = config()
    given.output_buffer = written = io.StringIO()
    command.upgrade(given, f"{since}:head" if since else "head", sql=True)
    return written.getvalue().strip()


def differences(url: str, prepare: str) -> list[object]:
    """Compare models and database, partitions left out: they are made by create_collection, not by a migration.

    Args:
        url: the database.
        prepare: a statement to run first, which puts pgvector's types on the search path.

    """
    parents = {table.name for table in Base.metadata.tables.values()}
    with engine(url).connect() as connection:
        connection.execute(text(prepare))
        context = MigrationContext.configure(
            connection,
            opts={
                "version_table_schema": SCHEMA,
                "include_schemas": True,
                "include_name": lambda name, kind, _: name == SCHEMA if kind == "schema" else True,
                "include_object": lambda _object, name, kind, *_: kind != "table" or name in parents,
                "compare_type": True,
                "compare_server_default": False,
            },
        )
        return list(compare_metadata(context, Base.metadata))
