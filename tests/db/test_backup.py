"""A dump goes back whole or not at all, and into a database of another."""

import stat
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from app.cli import cli
from app.db import backup, collections, loads, schema
from app.db.engine import Database
from app.db.records import NewRecord
from app.domain.collections import NewCollection
from app.domain.errors import ConfigurationError, InvalidRequest
from tests.db.vectors import random_vectors

CONTENT = "SELECT id, attributes, embedding::text FROM lookalike.records ORDER BY id"


def filled(url: str, name: str = "c") -> None:
    db = Database(url)
    db.open()
    made = collections.create(db, NewCollection(name, "photo", "m", "1", 8, 62.5))
    loads.copy(db, made, [NewRecord(f"r{n}", f'{{"n": {n}}}', v) for n, v in enumerate(random_vectors(50, 8))])
    db.close()


def content(url: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(CONTENT).fetchall()


@pytest.fixture
def file(database_url: str, tmp_path: Path) -> Path:
    filled(database_url)
    backup.dump(database_url, tmp_path / "c.dump")
    return tmp_path / "c.dump"


def test_a_dump_goes_into_a_database_of_another(file: Path, database_url: str, empty_database: str) -> None:
    backup.restore(empty_database, file, replace=False)
    assert len(content(empty_database)) == 50
    assert content(empty_database) == content(database_url)
    assert schema.problems(empty_database) == []
    filled(empty_database, "another")  # sequences go on behind what was restored
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["c.dump"]


def test_what_is_there_is_replaced_only_where_that_is_said(file: Path, database_url: str) -> None:
    before = content(database_url)
    filled(database_url, "later")
    with pytest.raises(InvalidRequest, match="--replace drops them"):
        backup.restore(database_url, file, replace=False)
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE VIEW public.mine AS SELECT name FROM lookalike.collections")
    with pytest.raises(ConfigurationError, match=r"depend on the schema lookalike.*view public\.mine"):
        backup.restore(database_url, file, replace=True)
    assert len(content(database_url)) == 100
    with psycopg.connect(database_url) as connection:
        connection.execute("DROP VIEW public.mine")
    backup.restore(database_url, file, replace=True)
    assert content(database_url) == before


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.98])
def test_half_a_dump_changes_nothing(kept: float, file: Path, database_url: str) -> None:
    before = content(database_url)
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(ConfigurationError, match=r"pg_restore failed|is no dump|nothing was restored"):
        backup.restore(database_url, file, replace=True)
    assert content(database_url) == before


def test_a_dump_of_an_older_program_is_upgraded_and_one_of_a_newer_refused(
    database_url: str, empty_database: str, tmp_path: Path
) -> None:
    schema.upgrade(empty_database, schema.revisions()[-2])
    backup.dump(empty_database, tmp_path / "older")
    backup.restore(database_url, tmp_path / "older", replace=False)
    assert schema.problems(database_url) == []
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE lookalike.alembic_version SET version_num = 'newer'")
    backup.dump(database_url, tmp_path / "newer")
    with pytest.raises(ConfigurationError, match="upgrade the program first"):
        backup.restore(empty_database, tmp_path / "newer", replace=True)


def test_commands(file: Path, database_url: str) -> None:
    again = file.with_name("again.dump")
    run = CliRunner().invoke
    variables = {"DATABASE_URL": database_url}
    assert run(cli, ["db", "dump", str(again)], env=variables).exit_code == 0
    assert "is there already" in str(run(cli, ["db", "dump", str(again)], env=variables).exception)
    done = run(cli, ["db", "restore", str(again), "--replace"], env=variables)
    assert done.stdout == f"{again} is restored\n"
    assert len(content(database_url)) == 50
