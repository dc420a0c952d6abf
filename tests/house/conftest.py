"""A house: a database of an owner who is no superuser, beside tables of the house's own, and the two roles."""

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from app.db import roles, schema

_numbers = itertools.count()
_LOGINS = {"house_owner": None, "house_server": "lookalike_app", "house_analyst": "lookalike_reader"}
_OF_THE_HOUSE = """
    CREATE SCHEMA shop;
    CREATE TABLE shop.secrets (id integer PRIMARY KEY, word text);
    INSERT INTO shop.secrets VALUES (1, 'sesame');
    CREATE FUNCTION shop.double(integer) RETURNS integer LANGUAGE sql AS 'SELECT $1 * 2';
"""


@dataclass(frozen=True)
class House:
    """URLs of one database for those who use it."""

    administrator: str

    def of(self, role: str, password: str = "open") -> str:
        url = make_url(self.administrator).set(username=role, password=password)
        return url.render_as_string(hide_password=False)

    @property
    def owner(self) -> str:
        return self.of("house_owner")

    @property
    def server(self) -> str:
        return self.of("house_server")

    @property
    def analyst(self) -> str:
        return self.of("house_analyst")

    def run(self, *statements: str) -> None:
        """Run statements as the administrator, each in a transaction of its own."""
        with psycopg.connect(self.administrator, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())


def _drop_roles(server_url: str) -> None:
    with psycopg.connect(server_url, autocommit=True) as connection:
        for role in (*_LOGINS, "lookalike_app", "lookalike_reader"):
            connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(role)))


@pytest.fixture(scope="module")
def logins(server_url: str, template: str) -> Iterator[None]:
    """The house's people: an owner, a server, an analyst; `template` is made before there are roles to grant to."""
    _drop_roles(server_url)
    with psycopg.connect(server_url, autocommit=True) as connection:
        for role in _LOGINS:
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'open'").format(sql.Identifier(role)))
    yield
    _drop_roles(server_url)


def _make(server_url: str, owner: str, options: str = "") -> House:
    name = f"lookalike_house_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        text = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING 'UTF8' ")
        connection.execute(text.format(sql.Identifier(name), sql.Identifier(owner)) + sql.SQL(options))
    house = House(make_url(server_url).set(database=name).render_as_string(hide_password=False))
    house.run(*_OF_THE_HOUSE.split(";\n"))
    return house


def _remove(server_url: str, house: House) -> None:
    name = sql.Identifier(str(make_url(house.administrator).database))
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


@pytest.fixture
def house(server_url: str, logins: None) -> Iterator[House]:
    """A database that the house owns, without Lookalike."""
    made = _make(server_url, "house_owner")
    yield made
    _remove(server_url, made)


@pytest.fixture(scope="module")
def settled(server_url: str, logins: None) -> Iterator[House]:
    """A house with Lookalike, its roles and a collection, installed by an owner who is no superuser."""
    made = _make(server_url, "house_owner")
    made.run("CREATE EXTENSION vector")
    schema.upgrade(made.owner)
    roles.apply(made.administrator)
    with psycopg.connect(made.administrator, autocommit=True) as connection:
        for login, role in _LOGINS.items():
            if role is not None:
                connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(role), sql.Identifier(login)))
    with psycopg.connect(made.owner) as connection:
        connection.execute("SELECT lookalike.create_collection('first', 'photo', 'm', '1', 8, 62.5)")
    yield made
    _remove(server_url, made)
