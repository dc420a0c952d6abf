"""The schema's life: migrations first, then every file of `sql/` whose text has changed."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, make_url
from sqlalchemy.engine import Engine
from sqlalchemy.pool import NullPool

from app.db.engine import check_versions, connect
from app.db.errors import translated
from app.db.models import SCHEMA, Base
from app.db.resources import folder

_FOLDERS = ("functions", "views")


@dataclass(frozen=True, slots=True)
class SqlFile:
    """One file of `sql/functions` or `sql/views`."""

    name: str
    text: str

    @property
    def digest(self) -> str:
        """SHA-256 of the text, in hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def sql_files() -> Iterator[SqlFile]:
    """Yield the files in the order in which they are applied: functions, then views, each by name."""
    for area in _FOLDERS:
        for path in sorted((folder("sql") / area).glob("*.sql")):
            yield SqlFile(f"{area}/{path.name}", path.read_text(encoding="utf-8"))


def _alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", str(folder("migrations")))
    config.set_main_option("path_separator", "os")
    return config


def engine(url: str) -> Engine:
    """Return a SQLAlchemy engine without a pool: migrations and administration are rare."""
    return create_engine(make_url(url).set(drivername="postgresql+psycopg"), poolclass=NullPool)


def upgrade(url: str, revision: str = "head") -> list[str]:
    """Bring the schema up to date; return the names of the files of `sql/` that were applied.

    Raises:
        ConfigurationError: the server or its pgvector is too old.
        Unavailable: the database is away, or a table stayed locked for too long.

    """
    with translated():
        with connect(url) as connection:
            check_versions(connection)
        config = _alembic()
        with engine(url).connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
        return apply_sql(url) if revision == "head" else []


def apply_sql(url: str) -> list[str]:
    """Apply the files of `sql/` whose text differs from what was applied last; return their names."""
    applied = []
    with translated(), connect(url) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(4207100513)")
        connection.execute("SET LOCAL lock_timeout = '5s'")
        rows = connection.execute("SELECT name, digest FROM lookalike.applied_sql").fetchall()
        known = {row["name"]: row["digest"] for row in rows}
        for file in sql_files():
            if known.get(file.name) != file.digest:
                connection.execute(file.text.encode())
                connection.execute(
                    "INSERT INTO lookalike.applied_sql (name, digest) VALUES (%s, %s)"
                    " ON CONFLICT (name) DO UPDATE SET digest = excluded.digest, applied_at = now()",
                    (file.name, file.digest),
                )
                applied.append(file.name)
    return applied


def head() -> str:
    """Return the newest revision that this program knows."""
    return str(ScriptDirectory.from_config(_alembic()).get_current_head())


def revisions() -> list[str]:
    """Return all revisions, oldest first."""
    return [script.revision for script in reversed(list(ScriptDirectory.from_config(_alembic()).walk_revisions()))]


def problems(url: str) -> list[str]:
    """Return what keeps this database from being served, a sentence each; an empty list where all is well.

    Raises:
        ConfigurationError: the server or its pgvector is too old.
        Unavailable: the database is away.

    """
    found = []
    with translated(), connect(url) as connection:
        check_versions(connection)
    with translated(), engine(url).connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table_schema": SCHEMA})
        current = context.get_current_revision()
        if current != head():
            return [
                f"the schema is at revision {current or 'none'}, this program needs {head()}: run lookalike db upgrade"
            ]
        found += [f"the database differs from the models: {difference}" for difference in _differences(connection)]
    with translated(), connect(url) as plain:
        rows = plain.execute("SELECT name, digest FROM lookalike.applied_sql").fetchall()
    known = {row["name"]: row["digest"] for row in rows}
    found += [
        f"sql/{file.name} is not the one that was applied: run lookalike sql apply"
        for file in sql_files()
        if known.get(file.name) != file.digest
    ]
    return found


def _differences(connection: Connection) -> list[object]:
    """Compare models and database, partitions left out: they are made by create_collection, not by a migration."""
    parents = {table.name for table in Base.metadata.tables.values()}

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


def is_current(connection: psycopg.Connection[dict[str, object]]) -> bool:
    """Say whether the schema is at this program's revision; false where there is none."""
    if connection.execute("SELECT to_regclass('lookalike.alembic_version') AS t").fetchone() == {"t": None}:
        return False
    row = connection.execute("SELECT version_num FROM lookalike.alembic_version").fetchone()
    return row is not None and row["version_num"] == head()
