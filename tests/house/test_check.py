"""Every situation that a house may be in, made on a real server: `check` names it, and the SQL it names mends it."""

import os
import re

import psycopg
import pytest
from sqlalchemy import make_url

from app.db import collections, loads, records, schema
from app.db.engine import Database
from app.domain.collections import NewCollection
from app.domain.errors import ConfigurationError
from app.domain.records import Fields
from app.domain.windows import Window
from app.search.request import Query
from tests.db.vectors import random_vectors
from tests.house.conftest import House
from tests.support.searching import answered


def works(house: House, url: str) -> None:
    """A collection is made, filled, searched through its index's schema, and dropped."""
    from app.db import indexes

    db = Database(url, admin_url=house.owner)
    db.open()
    try:
        owner = Database(house.owner)
        owner.open()
        made = collections.create(owner, NewCollection("tried", "photo", "m", "1", 8, 62.5))
        vectors = random_vectors(50, 8)
        loads.copy(db, made, [records.NewRecord(str(n), '{"n": "é"}', v) for n, v in enumerate(vectors)])
        assert indexes.build_hnsw(owner, made)
        found = answered(db, Query(collections.get(db, "tried"), Window(5), Fields(everything=True)), vectors[7])
        assert found.records[0].id == "7"
        assert collections.list_all(db)[0]["created_at"].tzinfo is not None
        collections.drop(owner, "tried")
        owner.close()
    finally:
        db.close()


def test_an_administrators_two_statements_are_enough(house: House) -> None:
    found = schema.problems(house.owner)
    assert [re.sub(".*runs: ", "", problem) for problem in found] == ["CREATE EXTENSION vector SCHEMA public;"]
    with pytest.raises(ConfigurationError, match="CREATE EXTENSION vector SCHEMA public;"):
        schema.upgrade(house.owner)
    house.run("CREATE EXTENSION vector SCHEMA public")
    assert "run lookalike db upgrade" in schema.problems(house.owner)[0]
    schema.upgrade(house.owner)
    assert schema.problems(house.owner) == []
    works(house, house.owner)


def test_a_role_that_may_make_no_schema_is_given_one(house: House) -> None:
    house.run(
        "CREATE EXTENSION vector",
        'ALTER DATABASE "' + str(make_url(house.administrator).database) + '" OWNER TO CURRENT_USER',
    )
    (problem,) = schema.problems(house.owner)
    assert problem.endswith("CREATE SCHEMA lookalike AUTHORIZATION house_owner;")
    house.run("CREATE SCHEMA lookalike AUTHORIZATION house_owner")
    schema.upgrade(house.owner)
    assert schema.problems(house.owner) == []
    works(house, house.owner)


@pytest.mark.parametrize("where", ["extensions", 'Odd "Name'])
def test_pgvector_in_another_schema(house: House, where: str) -> None:
    quoted = '"' + where.replace('"', '""') + '"'
    house.run(f"CREATE SCHEMA {quoted}", f"CREATE EXTENSION vector SCHEMA {quoted}")
    (problem,) = schema.problems(house.owner)
    statement = problem.split("runs: ")[1]
    assert statement.startswith("GRANT USAGE ON SCHEMA")
    house.run(statement)
    schema.upgrade(house.owner)
    assert schema.problems(house.owner) == []
    works(house, house.owner)
    # Moved later: the functions follow at the next `sql apply`.
    house.run("ALTER EXTENSION vector SET SCHEMA public")
    assert schema.apply_sql(house.owner) == []
    works(house, house.owner)


def test_an_old_pgvector(house: House) -> None:
    # What the catalogue of such a database says; the files on the server's disk are the new ones.
    house.run("CREATE EXTENSION vector", "UPDATE pg_extension SET extversion = '0.7.4' WHERE extname = 'vector'")
    (problem,) = schema.problems(house.owner)
    assert problem == (
        "pgvector 0.8.4 or newer is needed; this database has 0.7.4:"
        " an administrator runs: ALTER EXTENSION vector UPDATE;"
    )
    with pytest.raises(ConfigurationError, match="ALTER EXTENSION vector UPDATE"):
        schema.ensure(house.owner)


def test_a_schema_of_this_name_that_is_another_programs(house: House) -> None:
    house.run(
        "CREATE EXTENSION vector", "CREATE SCHEMA lookalike AUTHORIZATION house_owner", "CREATE TABLE lookalike.x ()"
    )
    (problem,) = schema.problems(house.owner)
    assert "ALTER SCHEMA lookalike RENAME TO" in problem
    with pytest.raises(ConfigurationError, match="not this program's"):
        schema.upgrade(house.owner)


def test_an_older_schema_is_upgraded_by_its_owner_only(house: House) -> None:
    house.run("CREATE EXTENSION vector")
    schema.upgrade(house.owner, "0001")
    for ask in (schema.ensure, schema.upgrade):
        with pytest.raises(ConfigurationError, match="belongs to another role than house_server"):
            ask(house.server)
    assert "0001" in schema.problems(house.owner)[0]
    schema.ensure(house.owner)
    assert schema.problems(house.owner) == []


def test_an_encoding_that_cannot_hold_every_text(server_url: str, logins: None) -> None:
    name = f"lookalike_latin1_{os.getpid()}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name}")
        connection.execute(
            f"CREATE DATABASE {name} OWNER house_owner TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'"
        )
        try:
            house = House(make_url(server_url).set(database=name).render_as_string(hide_password=False))
            house.run("CREATE EXTENSION vector")
            (problem,) = schema.problems(house.owner)
            assert "is in LATIN1" in problem
            assert "ENCODING 'UTF8'" in problem
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_a_house_with_habits_of_its_own(house: House) -> None:
    """Another search_path, time zone, date style, isolation and time limits; tables of the same names as ours."""
    name = str(make_url(house.administrator).database)
    house.run(
        "CREATE EXTENSION vector",
        "CREATE TABLE public.incoming (id text)",
        "CREATE TABLE shop.records (id text)",
        "GRANT USAGE ON SCHEMA shop TO PUBLIC",
        f'ALTER DATABASE "{name}" SET search_path = shop',
        f"ALTER DATABASE \"{name}\" SET timezone = 'Asia/Kathmandu'",
        f"ALTER DATABASE \"{name}\" SET datestyle = 'German, DMY'",
        f"ALTER DATABASE \"{name}\" SET intervalstyle = 'sql_standard'",
        f"ALTER DATABASE \"{name}\" SET default_transaction_isolation = 'serializable'",
        f"ALTER DATABASE \"{name}\" SET statement_timeout = '10min'",
        f"ALTER DATABASE \"{name}\" SET bytea_output = 'escape'",
        f'ALTER DATABASE "{name}" SET extra_float_digits = -5',
        f'ALTER DATABASE "{name}" SET plan_cache_mode = force_generic_plan',
    )
    schema.upgrade(house.owner)
    assert schema.problems(house.owner) == []
    works(house, house.owner)
    with psycopg.connect(house.administrator) as connection:
        assert connection.execute("SELECT count(*) FROM public.incoming").fetchone() == (0,)
