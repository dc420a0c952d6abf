"""Servers of two releases share one schema: the older one serves on what the newer one made, and undoes none of it."""

from collections.abc import Callable
from typing import LiteralString

import psycopg
import pytest
from click.testing import CliRunner
from packaging.version import Version

from app import create_app
from app.cli import cli
from app.config import Settings
from app.db import migrations, schema
from app.domain.errors import ConfigurationError
from app.domain.tokens import Scope
from app.services import collections, tokens
from app.version import __version__
from tests.api.conftest import Api
from tests.support.catalogue import catalogue
from tests.support.contracting import contracted, used

_FIRST = "0021"
"""The revision from which on the schema says which programs may use it: the rule holds for those after it."""
# What a release may do to the schema while servers of the one before it serve, and what it may not.
_EXPANDING: tuple[LiteralString, ...] = (
    "ALTER TABLE lookalike.tokens ADD COLUMN added text",
    "ALTER TABLE lookalike.tokens ADD COLUMN added text NOT NULL DEFAULT ''",
    "ALTER TABLE lookalike.tokens ADD COLUMN added integer CHECK (added > 0)",
    "ALTER TABLE lookalike.tokens ALTER COLUMN label DROP NOT NULL",
    "CREATE TABLE lookalike.added (id integer PRIMARY KEY, name text NOT NULL UNIQUE CHECK (name <> ''))",
    "CREATE INDEX ON lookalike.tokens (label)",
    "CREATE FUNCTION lookalike.added() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "ALTER TABLE lookalike.collections DROP CONSTRAINT collections_dimensions_check",
)
_CONTRACTING: tuple[LiteralString, ...] = (
    "DROP TABLE lookalike.backups",
    "ALTER TABLE lookalike.backups RENAME TO copies",
    "ALTER TABLE lookalike.backups DROP COLUMN bytes",
    "ALTER TABLE lookalike.backups RENAME COLUMN bytes TO size",
    "ALTER TABLE lookalike.backups ALTER COLUMN bytes TYPE numeric",
    "ALTER TABLE lookalike.backups ALTER COLUMN verified_at SET NOT NULL",
    "ALTER TABLE lookalike.backups ALTER COLUMN differences DROP DEFAULT",
    "ALTER TABLE lookalike.backups ADD COLUMN added text NOT NULL",
    "ALTER TABLE lookalike.backups ADD CHECK (bytes > 0)",
    "ALTER TABLE lookalike.backups ADD UNIQUE (begun_at)",
    "CREATE UNIQUE INDEX ON lookalike.backups (begun_at)",
    "DROP FUNCTION lookalike.tell_change CASCADE",
    "DROP VIEW lookalike.search_recall",
)


def _newer(url: str, oldest: str, *changes: LiteralString) -> None:
    """Do what a newer program's upgrade does."""
    with psycopg.connect(url) as connection:
        for change in changes:
            connection.execute(change)
        connection.execute("UPDATE lookalike.alembic_version SET version_num = '9999'")
        connection.execute("UPDATE lookalike.schema_facts SET oldest_program = %s", (oldest,))
        connection.execute("UPDATE lookalike.applied_sql SET digest = 'another' WHERE name LIKE '%knn%'")


def test_a_server_goes_on_and_starts_on_the_schema_of_a_newer_program(
    database_url: str, settings: Callable[..., Settings]
) -> None:
    application = create_app(settings(), database_url)
    context = application.extensions["lookalike"]
    made = collections.create(context, "c", "photo")
    api = Api(application.test_client(), context, made.name, tokens.create(context, [Scope.ADMIN], None).token)
    context.models.get(made.model)
    _newer(database_url, __version__, _EXPANDING[0], _EXPANDING[3])
    before = catalogue(database_url)
    api.fill(3)
    assert api.post("visualKNN", {"query_record": {"_id": "1"}}, code=200)["answer_count"] == 3
    assert context.db.read(schema.unfit) is None
    assert schema.ensure(database_url) == schema.apply_sql(database_url) == schema.problems(database_url) == []
    schema.require(database_url)
    with pytest.raises(ConfigurationError, match=r"at revision 9999, which this program .* does not know"):
        schema.upgrade(database_url, force=True)
    done = CliRunner().invoke(cli, ["db", "check"], env={"DATABASE_URL": database_url})
    assert done.exit_code == 0, done.output
    assert f"at revision 9999 and takes programs from {__version__} on; this one is {__version__}" in done.output
    _newer(database_url, "99.0")
    assert api.client.get("/readyz").status_code == 503
    assert "takes programs from 99.0 on" in api.client.get("/readyz").get_json()["reason"]
    with pytest.raises(ConfigurationError, match=r"takes programs from 99\.0 on"):
        schema.ensure(database_url)
    assert catalogue(database_url) == before
    context.close()


def test_what_contracts_a_schema_is_recognised(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        before = used(connection)
        for changes, contracts in ((_EXPANDING, False), (_CONTRACTING, True)):
            for change in changes:
                with connection.transaction(force_rollback=True):
                    connection.execute(change)
                    assert bool(contracted(before, used(connection))) is contracts, change


def test_a_migration_that_contracts_says_which_program_can_do_without(empty_database: str) -> None:
    """It names a release before this one: that uses no longer what is taken away, and serves until it is replaced."""
    schema.upgrade(empty_database, _FIRST)
    for revision in schema.revisions():
        if revision <= _FIRST:
            continue
        with psycopg.connect(empty_database) as connection:
            before, oldest = used(connection), _oldest(connection)
        migrations.upgrade(empty_database, revision)
        with psycopg.connect(empty_database) as connection:
            taken, now = contracted(before, used(connection)), _oldest(connection)
        assert not taken or oldest < now < Version(__version__), (revision, taken)
        assert oldest <= now


def _oldest(connection: "psycopg.Connection[tuple[str]]") -> Version:
    row = connection.execute("SELECT oldest_program FROM lookalike.schema_facts").fetchone()
    assert row is not None
    return Version(row[0])
