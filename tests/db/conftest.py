"""Fixtures of the tests that need a database and no application around it."""

import os
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from app import create_app
from app.config import Settings
from app.domain.tokens import Scope
from app.services import collections, tokens
from tests.api.conftest import Api
from tests.db.filters_db import TABLE, Connection
from tests.support.clusters import Pair, pair
from tests.support.waiting import eventually


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


@pytest.fixture(scope="module")
def servers(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    made = pair(module_database_url, tmp_path_factory.mktemp("pair"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def filled(servers: Pair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server at the primary, and a collection of five records that the standby has, too."""
    home = tmp_path_factory.mktemp("primary-home")
    application = create_app(Settings(home=home, recall_seconds=0, job_workers=0), servers.url(servers.primary))
    context = application.extensions["lookalike"]
    collections.create(context, "five", "photo", "phash")
    api = Api(application.test_client(), context, "five", tokens.create(context, [Scope.ADMIN], None).token)
    api.fill(5)
    text = "SELECT count(*) FROM lookalike.records AS r JOIN lookalike.collections AS c ON c.id = r.collection_id"
    eventually(lambda: servers.run(servers.standby, f"{text} WHERE c.name = 'five'"), lambda found: found == 5)
    yield api
    context.close()
