"""Fixtures of the tests that need a database and no application around it."""

import os
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests.db.filters_db import TABLE, Connection


@pytest.fixture(scope="session")
def filter_connection(server_url: str) -> Iterator[Connection]:
    """A connection to a database with nothing but a table of records; each test cleans up behind itself."""
    database = f"lookalike_filters_{os.getpid()}"
    name = sql.Identifier(database)
    with psycopg.connect(server_url, autocommit=True) as server:
        server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
        server.execute(sql.SQL("CREATE DATABASE {}").format(name))
        with psycopg.connect(make_conninfo(server_url, dbname=database), autocommit=True) as connection:
            connection.execute(TABLE)
            yield connection
        server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
