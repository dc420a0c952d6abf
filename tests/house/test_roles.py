"""What the two roles may do, and what they must not: tried, not read."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import errors

from app.db import roles, schema
from app.db.embedded import bundled_program
from app.db.resources import folder
from app.domain.errors import ConfigurationError
from tests.house.conftest import House

CREATE = "SELECT lookalike.create_collection('x', 'photo', 'm', '1', 8, 62.5)"
OF_NOBODY = (
    "CREATE TABLE lookalike.x (id integer)",
    "CREATE FUNCTION lookalike.x() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "CREATE OR REPLACE VIEW lookalike.collection_stats AS SELECT 1 AS id",
    "DROP TABLE lookalike.records_1 CASCADE",
    "ALTER TABLE lookalike.records_1 ADD COLUMN x integer",
    "CREATE INDEX ON lookalike.records_1 (id)",
    "TRUNCATE lookalike.records_1 CASCADE",
    "LOCK TABLE lookalike.tokens",
    "INSERT INTO lookalike.tokens (digest, scopes, all_collections) VALUES (sha256('x'), '{admin}', true)",
    "UPDATE lookalike.tokens SET revoked_at = NULL",
    "DELETE FROM lookalike.tokens",
    "INSERT INTO lookalike.token_collections VALUES (1, 1)",
    "UPDATE lookalike.collections SET capacity = 1",
    "UPDATE lookalike.collections SET distance_scale = 1",
    "DELETE FROM lookalike.collections",
    (
        "INSERT INTO lookalike.collections (name, service, model, model_revision, dimensions, distance_scale)"
        " VALUES ('x', 'photo', 'm', '1', 8, 1)"
    ),
    "UPDATE lookalike.alembic_version SET version_num = '0000'",
    "DELETE FROM lookalike.applied_sql",
    CREATE,
    "SELECT lookalike.drop_collection(1)",
    "SELECT lookalike.grant_rights()",
    "SELECT lookalike.set_search_paths()",
    "DROP SCHEMA lookalike CASCADE",
    "CREATE SCHEMA x",
    "CREATE TABLE public.x (id integer)",
    "SELECT * FROM shop.secrets",
    "CREATE ROLE x",
    "SET ROLE house_owner",
    "DROP EXTENSION vector CASCADE",
)
TABLES = (
    "collections",
    "aliases",
    "records",
    "records_1",
    "thumbnails",
    "thumbnails_1",
    "tokens",
    "token_collections",
    "applied_sql",
    "alembic_version",
)


@pytest.mark.parametrize("statement", OF_NOBODY)
@pytest.mark.parametrize("role", ["house_server", "house_analyst"])
def test_neither_role_may(settled: House, role: str, statement: str) -> None:
    with psycopg.connect(settled.of(role)) as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute(statement.encode())


@pytest.mark.parametrize("table", TABLES)
def test_the_reader_may_not_read_tables(settled: House, table: str) -> None:
    for statement in (f"SELECT FROM lookalike.{table}", f"DELETE FROM lookalike.{table}"):
        with psycopg.connect(settled.analyst) as connection, pytest.raises(errors.InsufficientPrivilege):
            connection.execute(statement.encode())


def test_the_reader_reads_every_view_and_runs_what_changes_nothing(settled: House) -> None:
    with psycopg.connect(settled.server) as connection:
        connection.execute("SELECT lookalike.insert_record('first', 'one', '{}', '[1,0,0,0,0,0,0,0]')")
    with psycopg.connect(settled.analyst) as connection:
        views = connection.execute(
            "SELECT oid::regclass::text FROM pg_class"
            " WHERE relnamespace = 'lookalike'::regnamespace AND relkind IN ('v', 'm')"
        ).fetchall()
        assert views
        for (view,) in views:
            connection.execute(f"SELECT * FROM {view}".encode())
        row = connection.execute("SELECT name FROM lookalike.collection_stats").fetchone()
        assert row == ("first",)
        row = connection.execute("SELECT lookalike.tags_distance('{a,b}', '{b,c}')").fetchone()
        assert row is not None
        assert row[0] == pytest.approx(2 / 3)
        for statement in ("knn('first', %(id)s, 5)", "within('first', %(id)s, 5)", "near_duplicate_pairs('first', 5)"):
            connection.execute(f"SELECT * FROM lookalike.{statement}".encode(), {"id": "one"})
        refused = connection.execute(
            "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'lookalike'::regnamespace"
            " AND (provolatile <> 'v') IS DISTINCT FROM has_function_privilege(oid, 'EXECUTE')"
        ).fetchall()
        assert refused == []


@pytest.mark.parametrize("call", ["knn('none', '1', 5)", "within('none', '1', 5)", "near_duplicate_pairs('none', 5)"])
def test_the_reader_may_do_what_the_hint_of_an_unknown_collection_says(settled: House, call: str) -> None:
    with psycopg.connect(settled.analyst, autocommit=True) as connection:
        with pytest.raises(errors.NoDataFound, match="there is no collection 'none'") as refused:
            connection.execute(f"SELECT * FROM lookalike.{call}".encode())
        hint = refused.value.diag.message_hint
        assert hint is not None
        statement, sentence = hint.split(" lists them")
        assert sentence == "."
        assert connection.execute(statement.encode()).fetchall() == [("first",)]


def test_everybody_else_may_do_nothing(settled: House) -> None:
    settled.run("CREATE ROLE house_stranger LOGIN PASSWORD 'open'")
    try:
        for statement in ("SELECT lookalike.tags_distance('{a}', '{b}')", "SELECT FROM lookalike.collection_stats"):
            with psycopg.connect(settled.of("house_stranger")) as one, pytest.raises(errors.InsufficientPrivilege):
                one.execute(statement.encode())
        assert "may not use the schema lookalike" in roles.problems(settled.of("house_stranger"))[0]
    finally:
        settled.run("DROP ROLE house_stranger")


def test_rights_are_given_once_and_again_where_they_were_lost(settled: House) -> None:
    with psycopg.connect(settled.owner, autocommit=True) as connection:
        assert connection.execute("SELECT lookalike.grant_rights()").fetchone() == (0,)
        connection.execute("REVOKE INSERT ON lookalike.records_1 FROM lookalike_app")
        found = roles.problems(settled.server)
        assert "INSERT on lookalike.records_1" in found[0]
        assert "GRANT lookalike_app TO house_server" in found[0]
        schema.apply_sql(settled.owner)
        assert roles.problems(settled.server) == []


def test_roles_are_made_by_those_who_may(settled: House, house: House) -> None:
    house.run("CREATE EXTENSION vector")
    schema.upgrade(house.owner)
    house.run("ALTER ROLE lookalike_app RENAME TO kept_app")
    try:
        with pytest.raises(ConfigurationError, match="an administrator runs, in this database, what `lookalike db"):
            roles.apply(house.owner)
    finally:
        house.run("ALTER ROLE kept_app RENAME TO lookalike_app")
    roles.apply(house.administrator)
    roles.apply(house.administrator)
    assert roles.existing(house.owner) == ["lookalike_app", "lookalike_reader"]


def test_every_function_says_with_whose_rights_it_runs_and_fixes_its_names(settled: House) -> None:
    """A search_path of its own, or a body whose names were resolved when it was made."""
    with psycopg.connect(settled.owner) as connection:
        rows = connection.execute(
            "SELECT oid::regprocedure::text, obj_description(oid, 'pg_proc'), prosecdef, prosqlbody IS NOT NULL,"
            " proconfig FROM pg_proc WHERE pronamespace = 'lookalike'::regnamespace"
        ).fetchall()
    assert len(rows) >= 7
    for name, comment, definer, resolved, config in rows:
        assert comment, name
        assert comment.endswith("Owner's rights." if definer else "Caller's rights."), name
        assert resolved or "search_path=pg_catalog, public, pg_temp" in (config or []), name


@pytest.mark.parametrize("path", sorted((folder("sql") / "functions").glob("*.sql")), ids=lambda path: path.name)
def test_every_file_says_with_whose_rights_it_runs(path: Path) -> None:
    assert re.search(r"^-- Rights: the (caller|owner)'s", path.read_text(), re.MULTILINE)


@pytest.fixture
def composed(house: House) -> Iterator[House]:
    """The database as the image of docker-compose makes it: by the superuser, with two logins and nothing else."""
    passwords = {"OWNER_PASSWORD": "0a", "SERVER_PASSWORD": "1b"}
    for name in ("roles.sql", "logins.sql"):
        command = [bundled_program("psql") or "psql", "--no-psqlrc", "--set=ON_ERROR_STOP=1"]
        command += ["--dbname", house.administrator, "--file", str(folder("sql") / name)]
        done = subprocess.run(command, env=os.environ | passwords, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    yield house
    house.run("REASSIGN OWNED BY lookalike_owner TO CURRENT_USER", "DROP OWNED BY lookalike_owner CASCADE")
    house.run("DROP ROLE lookalike_owner", "DROP ROLE lookalike_server")


def test_the_logins_of_docker_compose_upgrade_and_serve(composed: House) -> None:
    owner, server = composed.of("lookalike_owner", "0a"), composed.of("lookalike_server", "1b")
    schema.upgrade(owner)
    assert roles.problems(server) == []
    with psycopg.connect(owner) as connection:
        connection.execute("SELECT lookalike.create_collection('first', 'photo', 'm', '1', 8, 62.5)")
    with psycopg.connect(server) as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute("DELETE FROM lookalike.tokens")
