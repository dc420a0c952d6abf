"""Databases on the tests' server: created, copied from another one, and dropped."""

import itertools
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import LiteralString

import psycopg
from psycopg import sql
from sqlalchemy import make_url

_NONE = sql.SQL("")


class Databases:
    """Databases on one server, under names that no other process takes.

    What many tests begin with (the schema, a filled collection, an index) is made once, in a database that each of them
    gets a copy of: a copy takes a twentieth of a second.

    Args:
        server: a connection to the server, in autocommit; it is kept, since a new one costs as much as half a copy.
        url: where databases are reached; the name of the database is replaced.

    """

    def __init__(self, server: "psycopg.Connection[tuple[object, ...]]", url: str) -> None:
        self._server = server
        self._url = url
        self._prefix = f"lookalike_{os.getpid()}_{secrets.token_hex(4)}"
        self._numbers = itertools.count()

    @contextmanager
    def new(self) -> Iterator[str]:
        """Create a database with nothing in it, give its URL, and drop it at the end."""
        with self._made(_NONE) as url:
            yield url

    @contextmanager
    def copy(self, url: str) -> Iterator[str]:
        """Copy the database that `url` leads to, to which nobody may be connected; give the copy's URL."""
        name = sql.Identifier(str(make_url(url).database))
        with self._made(sql.SQL(" TEMPLATE {} STRATEGY FILE_COPY").format(name)) as made:
            yield made

    @contextmanager
    def _made(self, options: sql.Composable) -> Iterator[str]:
        name = f"{self._prefix}_{next(self._numbers)}"
        self._run("CREATE DATABASE {}", name, options)
        try:
            # In the form that SQLAlchemy, too, reads.
            yield make_url(self._url).set(database=name).render_as_string(hide_password=False)
        finally:
            self._run("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def _run(self, text: LiteralString, name: str, options: sql.Composable = _NONE) -> None:
        self._server.execute(sql.SQL(text).format(sql.Identifier(name)) + options)
