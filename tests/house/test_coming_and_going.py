"""Install, upgrade and uninstall leave the rest of the house as it was; the printed script does the same."""

import subprocess
from pathlib import Path

import psycopg
import pytest

from app.db import collections, loads, records, roles, schema, uninstall
from app.db.embedded import bundled_program
from app.db.engine import Database
from app.domain.collections import NewCollection
from app.domain.errors import ConfigurationError
from tests.db.vectors import random_vectors
from tests.house.conftest import House
from tests.server.conftest import Server, clean_environment
from tests.support.catalogue import catalogue

# Everything that lies outside the schema, and what the cluster has: names, owners, rights, definitions, settings.
OUTSIDE = """
    SELECT 'relation ' || c.oid::regclass || ' ' || c.relkind::text || ' ' || c.relowner::regrole || ' '
        || coalesce(c.relacl::text, '') || ' ' || coalesce(c.reloptions::text, '')
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname NOT IN ('lookalike', 'pg_toast')
    UNION ALL
    SELECT 'routine ' || p.oid::regprocedure || ' ' || p.proowner::regrole || ' ' || coalesce(p.proacl::text, '')
        || ' ' || coalesce(p.proconfig::text, '') || md5(p.prosrc)
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname <> 'lookalike'
    UNION ALL
    SELECT 'type ' || t.oid::regtype FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
    WHERE n.nspname NOT IN ('lookalike', 'pg_toast')
    UNION ALL SELECT 'extension ' || extname || extversion || extnamespace::regnamespace FROM pg_extension
    UNION ALL SELECT 'schema ' || nspname || coalesce(nspacl::text, '') FROM pg_namespace
    WHERE nspname !~ '^pg_(toast_)?temp'
    UNION ALL SELECT 'role ' || to_jsonb(r)::text FROM pg_roles r
    UNION ALL SELECT 'setting ' || setdatabase || ' ' || setrole || ' ' || setconfig::text FROM pg_db_role_setting
    UNION ALL SELECT 'server ' || name || '=' || coalesce(setting, '') FROM pg_settings
    WHERE context <> 'internal' AND name NOT IN ('application_name', 'transaction_deferrable', 'transaction_isolation')
    UNION ALL SELECT 'default ' || defaclrole::regrole || defaclobjtype::text || defaclacl::text FROM pg_default_acl
    UNION ALL SELECT 'trigger ' || evtname FROM pg_event_trigger
    UNION ALL SELECT 'cast ' || castsource::regtype || casttarget::regtype FROM pg_cast
    UNION ALL SELECT 'operator ' || oid::regoperator FROM pg_operator
    UNION ALL SELECT 'access ' || amname FROM pg_am
    UNION ALL SELECT 'comment ' || classoid::regclass || ' ' || description FROM pg_shdescription
    UNION ALL SELECT 'lock ' || objid FROM pg_locks WHERE locktype = 'advisory'
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    UNION ALL SELECT 'row ' || s::text FROM shop.secrets s
    ORDER BY 1
"""
OURS = "schema lookalike"


def outside(house: House) -> list[str]:
    with psycopg.connect(house.administrator) as connection:
        lines = [row[0] for row in connection.execute(OUTSIDE.encode()).fetchall()]
    return [line for line in lines if not line.startswith(OURS)]


def live(url: str) -> None:
    """Make, fill and drop collections; leave one."""
    db = Database(url)
    db.open()
    for name in ("kept", "gone"):
        made = collections.create(db, NewCollection(name, "photo", "m", "1", 8, 62.5))
        loads.copy(db, made, [records.NewRecord(str(n), "{}", v, b"x") for n, v in enumerate(random_vectors(20, 8))])
    collections.drop(db, "gone")
    db.close()


@pytest.mark.parametrize("with_roles", [False, True], ids=["alone", "with roles"])
def test_nothing_of_the_house_is_touched_from_install_to_uninstall(house: House, *, with_roles: bool) -> None:
    house.run("CREATE EXTENSION vector")
    if with_roles:
        roles.apply(house.administrator)
    before = outside(house)
    for revision in schema.revisions():
        schema.upgrade(house.owner, revision)
        assert outside(house) == before
    schema.upgrade(house.owner)
    live(house.owner)
    assert outside(house) == before
    assert uninstall.uninstall(house.owner) == ["dropped the schema lookalike"]
    assert outside(house) == before
    with psycopg.connect(house.administrator) as connection:
        assert connection.execute("SELECT to_regnamespace('lookalike')").fetchone() == (None,)
    schema.upgrade(house.owner)
    assert schema.problems(house.owner) == []


def test_an_extension_that_came_with_it_goes_with_it(house: House) -> None:
    before = outside(house)
    schema.upgrade(house.administrator)
    assert any(line.startswith("extension vector") for line in outside(house))
    live(house.administrator)
    assert uninstall.uninstall(house.administrator)[1] == "dropped the extension vector, which came with it"
    assert outside(house) == before


def test_an_extension_that_others_use_by_now_stays(house: House) -> None:
    schema.upgrade(house.administrator)
    house.run("CREATE TABLE shop.pictures (id integer, looks public.vector(3))")
    assert uninstall.uninstall(house.administrator)[1] == "kept the extension vector: others use it"
    house.run("INSERT INTO shop.pictures VALUES (1, '[1,2,3]')")


def test_what_the_house_built_on_it_is_named_and_nothing_is_dropped(house: House) -> None:
    schema.upgrade(house.administrator)
    live(house.administrator)
    house.run(
        "CREATE VIEW shop.sizes AS SELECT name, table_bytes FROM lookalike.collection_stats",
        "CREATE TABLE shop.chosen (collection_id integer REFERENCES lookalike.collections (id))",
        "CREATE FUNCTION shop.stats(lookalike.collection_stats) RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    )
    before = outside(house)
    with pytest.raises(ConfigurationError) as refused:
        uninstall.uninstall(house.administrator)
    for name in ("view shop.sizes", "of shop.chosen", "function shop.stats(lookalike.collection_stats)"):
        assert name in str(refused.value)
    assert outside(house) == before
    assert schema.problems(house.administrator) == []


def test_there_is_nothing_to_uninstall(house: House) -> None:
    with pytest.raises(ConfigurationError, match="there is no schema lookalike"):
        uninstall.uninstall(house.owner)
    house.run("CREATE EXTENSION vector")
    schema.upgrade(house.owner)
    with pytest.raises(ConfigurationError, match="schema's owner"):
        uninstall.uninstall(house.server)
    assert schema.problems(house.owner) == []


def test_the_commands_ask_and_tell(house: House, tmp_path: Path) -> None:
    house.run("CREATE EXTENSION vector")
    shell = Server(clean_environment(LOOKALIKE_HOME=str(tmp_path / "home"), DATABASE_URL=house.owner), tmp_path / "log")
    assert "CREATE ROLE lookalike_app NOLOGIN" in shell.command("db", "roles").stdout
    printed = shell.command("db", "upgrade", "--sql").stdout
    assert "CREATE TABLE lookalike.collections" in printed
    assert "run lookalike db upgrade" in shell.command("db", "check", check=False).stderr
    shell.command("db", "upgrade")
    assert "CREATE TABLE lookalike.collections" not in shell.command("db", "upgrade", "--sql").stdout
    refused = shell.command("db", "roles", "--apply", check=False)
    assert "may not create roles" in refused.stderr or refused.returncode == 0
    assert shell.command("db", "uninstall", check=False).returncode == 1
    assert schema.problems(house.owner) == []
    assert "dropped the schema lookalike" in shell.command("db", "uninstall", "--yes").stdout


@pytest.mark.parametrize("start", [None, *schema.revisions()[:-1]])
def test_the_printed_script_makes_the_same_schema(
    start: str | None, empty_database: str, database_url: str, tmp_path: Path
) -> None:
    program = bundled_program("psql")
    if program is None:
        pytest.skip("the embedded package, which brings psql, is not installed")
    if start is not None:
        schema.upgrade(empty_database, start)
    assert schema.current_revision(empty_database) == start
    written = tmp_path / "upgrade.sql"
    written.write_text(schema.script(start))
    for _ in range(2 if start is None else 1):
        done = subprocess.run(
            [program, "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--file={written}", empty_database],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        written.write_text(schema.script(schema.head()))  # run again, there is nothing but what may be run again
    assert catalogue(empty_database) == catalogue(database_url)
    assert schema.problems(empty_database) == []


def test_a_dump_of_the_schema_is_restored(house: House, empty_database: str, tmp_path: Path) -> None:
    dump, restore = bundled_program("pg_dump"), bundled_program("pg_restore")
    if dump is None or restore is None:
        pytest.skip("the embedded package, which brings pg_dump, is not installed")
    house.run("CREATE EXTENSION vector")
    schema.upgrade(house.owner)
    roles.apply(house.administrator)
    live(house.owner)
    written = tmp_path / "lookalike.dump"
    with psycopg.connect(empty_database, autocommit=True) as connection:
        if connection.info.server_version < 170_000:
            pytest.skip("the embedded package's pg_restore sets what a server before 17 does not know")
        connection.execute("CREATE EXTENSION vector")
    for command in (
        [dump, "-Fc", "--schema=lookalike", f"--file={written}", house.owner],
        [restore, "--exit-on-error", f"--dbname={empty_database}", str(written)],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert schema.problems(empty_database) == []
    assert catalogue(empty_database) == catalogue(house.administrator)
    db = Database(empty_database)
    db.open()
    assert records.count(db, collections.get(db, "kept")) == 20
    db.close()
    assert schema.upgrade(empty_database) == []
