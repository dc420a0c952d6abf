"""Commands that read make and upgrade nothing, and an old program leaves a newer schema alone, in a sentence."""

from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from app.cli import cli
from app.db import collections, loads, schema
from app.db.engine import Database
from app.db.errors import translated
from app.db.records import NewRecord
from app.domain.collections import NewCollection
from app.domain.errors import CollectionNotFound, ConfigurationError, Unavailable
from tests.db.vectors import random_vectors

READING = [
    ("collection", "list"),
    ("collection", "show", "c"),
    ("collection", "recall", "c"),
    ("token", "list"),
    ("export", "c"),
    ("duplicates", "c"),
]
WRITING = [("collection", "create", "c", "--service", "photo"), ("db", "upgrade"), ("db", "upgrade", "--sql")]


def said(url: str, *arguments: str) -> str:
    """Return the one sentence of a command that is refused."""
    done = CliRunner().invoke(cli, arguments, env={"DATABASE_URL": url})
    assert isinstance(done.exception, ConfigurationError), done.output
    sentence = str(done.exception)
    assert "\n" not in sentence
    assert done.stdout == ""
    return sentence


def relations(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT c.oid::regclass::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
            " WHERE n.nspname = 'lookalike' UNION ALL SELECT nspname FROM pg_namespace ORDER BY 1"
        ).fetchall()
    return [row[0] for row in rows if not row[0].startswith("pg_")]


@pytest.mark.parametrize("arguments", READING, ids=" ".join)
def test_a_command_that_reads_makes_no_schema(arguments: tuple[str, ...], empty_database: str) -> None:
    before = relations(empty_database)
    assert said(empty_database, *arguments) == "this database holds no schema lookalike: run lookalike db upgrade"
    assert relations(empty_database) == before


def test_a_command_that_reads_upgrades_no_schema(empty_database: str) -> None:
    schema.upgrade(empty_database, schema.revisions()[-2])
    before = relations(empty_database)
    for arguments in READING:
        assert said(empty_database, *arguments) == (
            f"the schema is at revision {schema.revisions()[-2]}, this program needs {schema.head()}:"
            " run lookalike db upgrade"
        )
    assert relations(empty_database) == before
    schema.upgrade(empty_database)
    assert CliRunner().invoke(cli, ["collection", "list"], env={"DATABASE_URL": empty_database}).exit_code == 0


def test_a_function_that_is_missing_is_told(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "DELETE FROM lookalike.applied_sql WHERE name = (SELECT min(name) FROM lookalike.applied_sql)"
        )
    assert said(database_url, "token", "list").startswith("the schema lacks functions that this program needs")


def test_an_older_program_leaves_a_newer_schema_alone(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE lookalike.alembic_version SET version_num = '9999'")
        connection.execute("UPDATE lookalike.schema_facts SET oldest_program = '99.0'")
    for arguments in READING + WRITING:
        sentence = said(database_url, *arguments)
        assert "the schema is at revision 9999, which this program" in sentence
        assert "upgrade the program (pip install --upgrade lookalike), not the schema" in sentence
    sentence = said(database_url, *READING[0])
    assert "takes programs from 99.0 on" in sentence
    assert schema.problems(database_url) == [sentence]
    db = Database(database_url)
    db.open()
    assert db.read(schema.unfit) == sentence
    db.close()
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT version_num FROM lookalike.alembic_version").fetchone() == ("9999",)


def test_no_embedded_database_is_made_to_read_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for arguments in [*READING, ("db", "check"), ("db", "uninstall", "--yes")]:
        done = CliRunner().invoke(cli, arguments, env={"DATABASE_URL": None, "LOOKALIKE_HOME": str(home)})
        assert str(done.exception).startswith(f"there is no database under {home} yet")
    assert not home.exists()


@pytest.mark.parametrize(
    ("missing", "kind"),
    [
        ("records_7", CollectionNotFound),
        ("thumbnails_7", CollectionNotFound),
        ("collections", Unavailable),
        ("tokens", Unavailable),
    ],
)
def test_a_schema_that_is_gone_is_no_dropped_collection(
    missing: str, kind: type[Exception], empty_database: str
) -> None:
    with pytest.raises(kind), translated(), psycopg.connect(empty_database) as connection:
        connection.execute(f"SELECT FROM lookalike.{missing}".encode())


def test_what_was_just_stored_is_counted(db: Database) -> None:
    """The planner knows of no record before the first ANALYZE, which may be a minute later."""
    own = collections.create(db, NewCollection("c", "photo", "m", "1", 8, 62.5))
    loads.copy(db, own, [NewRecord(f"r{n}", "{}", vector) for n, vector in enumerate(random_vectors(3, 8))])
    for command, told in ((("list",), " 3 records, "), (("show", "c"), "estimated_records    3\n")):
        done = CliRunner().invoke(cli, ["collection", *command], env={"DATABASE_URL": db.url})
        assert told in done.output
        assert "~" not in done.output
