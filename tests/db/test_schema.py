"""A fresh install equals an upgraded one, generated files are current, and `check` says what is wrong."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.script import ScriptDirectory
from click.testing import CliRunner

from app.cli import cli
from app.db import collections, loads, migrations, records, reembedding, schema, sqltree
from app.db.engine import Database
from app.db.loader import area
from app.db.resources import folder
from app.domain.collections import NewCollection
from app.domain.errors import ConfigurationError, InvalidRequest
from app.version import __version__
from tests.db.vectors import random_vectors
from tests.support.catalogue import catalogue

# Released migrations never change: a new one is written instead. The hash of each is frozen here when it is released.
FROZEN: dict[str, str] = {}


def new(name: str = "c", dimensions: int = 8) -> NewCollection:
    return NewCollection(name, "photo", "some-model", "1", dimensions, 62.5)


@pytest.mark.parametrize("start", schema.revisions())
def test_a_fresh_install_equals_an_upgraded_one(start: str, empty_database: str, database_url: str) -> None:
    schema.upgrade(empty_database, start)
    schema.upgrade(empty_database)
    for url in (empty_database, database_url):
        database = Database(url)
        database.open()
        collections.create(database, new())
        database.close()
    assert catalogue(empty_database) == catalogue(database_url)


def test_a_collection_of_an_earlier_version_is_brought_along(empty_database: str) -> None:
    schema.upgrade(empty_database, "0002")
    with psycopg.connect(empty_database) as connection:
        connection.execute(
            "INSERT INTO lookalike.collections (name, service, model, model_revision, dimensions, distance_scale)"
            " VALUES ('old', 'photo', 'some-model', '1', 8, 62.5)"
        )
        for kind in ("records", "thumbnails"):
            connection.execute(f"CREATE TABLE lookalike.{kind}_1 PARTITION OF lookalike.{kind} FOR VALUES IN (1)")
    schema.upgrade(empty_database)
    database = Database(empty_database)
    database.open()
    old = collections.get(database, "old")
    assert (old.generation, old.keep_images, old.product_field) == (1, False, None)
    row = records.NewRecord("a", "{}", random_vectors(1, 8)[0], None, b"picture", (0, 0, 1, 1))
    assert records.insert(database, old, [row]) == {"a"}
    assert records.original(database, old, "a") == b"picture"
    records.delete(database, old, ["a"])
    assert records.original(database, old, "a") is None
    assert [listed["original_bytes"] > 0 for listed in collections.list_all(database)] == [True]
    text = "SELECT reloptions FROM pg_class WHERE relname = 'records_1_attributes_idx'"
    assert database.read(lambda one: one.execute(text).fetchone()) == {"reloptions": ["gin_pending_list_limit=128"]}
    collections.drop(database, "old")
    database.close()
    with psycopg.connect(empty_database) as connection:
        left = connection.execute("SELECT relname FROM pg_class WHERE relname ~ '_1$' AND relkind = 'r'").fetchall()
    assert left == []


def test_a_change_of_the_model_under_way_is_brought_along(empty_database: str) -> None:
    schema.upgrade(empty_database, "0007")
    with psycopg.connect(empty_database) as connection:
        connection.execute(
            "INSERT INTO lookalike.collections (name, service, model, model_revision, dimensions, distance_scale)"
            " VALUES ('old', 'photo', 'some-model', '1', 8, 62.5)"
        )
        for kind in ("records", "thumbnails", "originals"):
            connection.execute(f"CREATE TABLE lookalike.{kind}_1 PARTITION OF lookalike.{kind} FOR VALUES IN (1)")
        connection.execute(
            "INSERT INTO lookalike.reembeddings"
            " (collection_id, model, model_revision, dimensions, distance_scale, generation)"
            " VALUES (1, 'other-model', '1', 16, 62.5, 2)"
        )
        connection.execute("CREATE TABLE lookalike.records_1_v2 (LIKE lookalike.records INCLUDING ALL)")
    schema.upgrade(empty_database)
    with psycopg.connect(empty_database) as connection:
        connection.execute(
            "INSERT INTO lookalike.records_1_v2 (collection_id, id, attributes, embedding, digest)"
            " VALUES (1, 'a', '{}', array_fill(1, ARRAY[16])::vector::halfvec, '\\x00')"
        )
        connection.execute(
            "ALTER TABLE lookalike.records DETACH PARTITION lookalike.records_1;"
            "ALTER TABLE lookalike.records ATTACH PARTITION lookalike.records_1_v2 FOR VALUES IN (1)"
        )


def test_the_view_of_a_collection_makes_room_for_a_new_table(empty_database: str) -> None:
    schema.upgrade(empty_database, "0009")
    with psycopg.connect(empty_database) as connection:
        connection.execute(
            "INSERT INTO lookalike.collections (name, service, model, model_revision, dimensions, distance_scale)"
            " VALUES ('aliases', 'photo', 'some-model', '1', 8, 62.5)"
        )
        for kind in ("records", "thumbnails", "originals"):
            connection.execute(f"CREATE TABLE lookalike.{kind}_1 PARTITION OF lookalike.{kind} FOR VALUES IN (1)")
        connection.execute("CREATE VIEW lookalike.aliases AS SELECT id FROM lookalike.records_1")
        connection.execute("COMMENT ON VIEW lookalike.aliases IS 'The records of collection 1, aliases.'")
        connection.execute("CREATE VIEW public.mine AS SELECT count(*) AS n FROM lookalike.aliases")
    schema.upgrade(empty_database)
    with psycopg.connect(empty_database) as connection:
        insert = "INSERT INTO lookalike.records_1 (collection_id, id, attributes, embedding) VALUES (1, %s, %s, %s)"
        for record_id, moment in (("a", "2020-01-01T00:00:00Z"), ("b", "2120-01-01T00:00:00Z")):
            connection.execute(insert, (record_id, f'{{"_expires_at": "{moment}"}}', "[1,0,0,0,0,0,0,0]"))
        assert connection.execute("SELECT id FROM lookalike.collection_1").fetchall() == [("b",)]
        assert connection.execute("SELECT n FROM public.mine").fetchall() == [(1,)]
        connection.execute("SELECT lookalike.set_alias('live', 'aliases')")
        assert connection.execute("SELECT name FROM lookalike.aliases").fetchall() == [("live",)]


@pytest.mark.parametrize("store", [records.insert, loads.copy])
def test_a_vector_of_another_dimension_is_refused(db: Database, store: Any) -> None:
    own = collections.create(db, new(dimensions=8))
    with pytest.raises(InvalidRequest, match="another dimension"):
        store(db, own, [records.NewRecord("a", "{}", random_vectors(1, 9)[0])])
    assert records.count(db, own) == 0


@pytest.mark.parametrize("generation", [1, 2, 17])
def test_program_and_database_agree_on_the_name_of_a_table(db: Database, generation: int) -> None:
    own = replace(collections.create(db, new()), generation=generation)
    with db.session() as connection:
        row = connection.execute("SELECT lookalike.records_table(%s, %s) AS name", (own.id, generation)).fetchone()
    assert row == {"name": own.records_table}


def test_upgrade_twice_changes_nothing(database_url: str) -> None:
    before = catalogue(database_url)
    assert schema.upgrade(database_url) == []
    assert schema.apply_sql(database_url) == []
    assert catalogue(database_url) == before


def test_models_and_database_agree(database_url: str) -> None:
    assert schema.problems(database_url) == []


def test_check_names_what_is_missing(empty_database: str, database_url: str) -> None:
    assert "lookalike db upgrade" in schema.problems(empty_database)[0]
    with psycopg.connect(empty_database) as connection:  # as docs/existing-database.md begins
        connection.execute("CREATE EXTENSION vector")
        connection.execute("CREATE SCHEMA lookalike")
    assert schema.problems(empty_database) == ["the schema lookalike is empty: run lookalike db upgrade"]
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE lookalike.applied_sql SET digest = 'x' WHERE name = 'functions/001_pick.sql'")
        connection.execute("ALTER TABLE lookalike.tokens ADD COLUMN extra text")
    found = schema.problems(database_url)
    assert any("001_pick.sql" in problem for problem in found)
    assert any("extra" in problem for problem in found)


@pytest.mark.parametrize(
    ("noted", "stays"),
    [("99.0", True), ("0.1.1.dev3", True), (__version__, False), ("0.0.9", False), (None, False)],
)
def test_an_older_program_does_not_put_its_functions_back(
    noted: str | None, stays: bool, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A program of another version changed two functions, at the same revision."""
    changed = ["functions/001_pick.sql", "functions/402_distance.sql"]
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "UPDATE lookalike.applied_sql SET digest = 'other', version = %s WHERE name = ANY (%s)", (noted, changed)
        )
        connection.execute("DELETE FROM lookalike.applied_sql WHERE name = 'functions/412_within.sql'")
        connection.execute("COMMENT ON FUNCTION lookalike.distance IS 'of another version'")
    for bring in (schema.ensure, schema.upgrade, schema.apply_sql):
        caplog.clear()
        applied = bring(database_url)
        if stays:
            assert applied == []
            assert [f"are those of Lookalike {noted}," in one.getMessage() for one in caplog.records] == [True]
        elif bring is schema.ensure:
            assert applied == [*changed, "functions/412_within.sql"]
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "SELECT obj_description(oid) = 'of another version' FROM pg_proc WHERE proname = 'distance'"
            " AND pronamespace = 'lookalike'::regnamespace"
        ).fetchone()
    assert row == (stays,)


def test_an_older_program_puts_its_functions_back_by_force(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "UPDATE lookalike.applied_sql SET digest = 'other', version = '99.0' WHERE name LIKE '%402_distance.sql'"
        )
        connection.execute("COMMENT ON FUNCTION lookalike.distance IS 'of another version'")
    done = CliRunner().invoke(cli, ["db", "upgrade", "--force"], env={"DATABASE_URL": database_url})
    assert done.exit_code == 0, done.output
    assert "1 files of sql/ applied" in done.output
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT obj_description('lookalike.distance'::regproc) = 'of another version'")
        assert row.fetchone() == (False,)
    assert schema.ensure(database_url) == schema.problems(database_url) == []


def test_the_files_names_tell_the_revisions() -> None:
    scripts = list(ScriptDirectory.from_config(migrations.config()).walk_revisions())
    assert schema.revisions() == tuple(script.revision for script in reversed(scripts))


def test_released_migrations_are_frozen() -> None:
    for path in (folder("migrations") / "versions").glob("*.py"):
        if path.name in FROZEN:
            assert hashlib.sha256(path.read_bytes()).hexdigest() == FROZEN[path.name], f"{path.name} was changed"


def test_generated_files_are_current(empty_database: str) -> None:
    schema.upgrade(empty_database)
    root = folder("sql")
    assert (root / "schema.sql").read_text() == sqltree.schema(empty_database), "run `lookalike sql sync`"
    for name in sqltree.AREAS:
        assert (root / "snapshots" / f"{name}.sql").read_text() == sqltree.snapshot(name), "run `lookalike sql sync`"


def test_every_query_can_be_prepared(db: Database) -> None:
    """What the snapshots show is what the database takes: each query is planned with NULL for every parameter."""
    created = collections.create(db, new(dimensions=256))
    assert created.id == 1
    assert collections.create(db, new("next", dimensions=256)).id == 2, "the examples copy from one to the other"
    reembedding.begin(db, created, {"model": "m", "model_revision": "1", "dimensions": 8, "distance_scale": 1.0})
    with db.session() as connection:
        for name in sqltree.AREAS:
            for query in area(name):
                text = sqltree.example(name, query)
                with connection.transaction(force_rollback=True):
                    connection.execute("EXPLAIN " + text, _Nulls())


class _Nulls(dict[str, object]):
    """Parameters that are all NULL; a limit needs a number."""

    def __missing__(self, key: str) -> object:
        return 1 if key == "rows" else None

    def __contains__(self, key: object) -> bool:
        return True


@pytest.mark.parametrize("path", sorted((folder("sql") / "functions").glob("*.sql")), ids=lambda path: path.name)
def test_every_function_has_a_header_and_a_comment(path: Path) -> None:
    text = path.read_text()
    assert text.startswith("-- ")
    assert "COMMENT ON FUNCTION lookalike." in text
    assert "CREATE OR REPLACE FUNCTION lookalike." in text
    assert len(text.splitlines()) <= 150


def test_an_old_server_is_refused_in_words() -> None:
    from app.db import versions

    class Info:
        server_version = 150004

    class Old:
        info = Info()

    with pytest.raises(ConfigurationError, match="PostgreSQL 16 or newer"):
        versions.check_versions(Old())  # type: ignore[arg-type]


def test_dropping_and_creating_while_others_are_served(db: Database) -> None:
    """A reader in the middle of a search of one collection holds up neither the making nor the dropping of others."""
    served = collections.create(db, new("served"))
    records.insert(db, served, [records.NewRecord("a", "{}", random_vectors(1, 8)[0])])
    with db.session() as reader, reader.transaction():
        reader.execute(f"SELECT * FROM lookalike.records_{served.id}").fetchall()
        made = collections.create(db, new("other"))
        records.insert(db, made, [records.NewRecord("b", "{}", random_vectors(1, 8)[0])])
        collections.drop(db, "other")
    assert [row["name"] for row in collections.list_all(db)] == ["served"]
    assert records.count(db, served) == 1


def test_creating_is_all_or_nothing(db: Database, database_url: str) -> None:
    before = catalogue(database_url)
    with db.session() as connection, connection.transaction(force_rollback=True):
        connection.execute("SELECT lookalike.create_collection('half', 'photo', 'm', '1', 8, 62.5)")
        assert connection.execute("SELECT to_regclass('lookalike.records_1') AS t").fetchone() != {"t": None}
    assert catalogue(database_url) == before
