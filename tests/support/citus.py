"""A database on every node of a cluster of Citus, and collections that lie on its workers from the start."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from app.db import cluster
from app.db import collections as collection_table
from app.db.engine import Database
from app.domain.collections import Collection, NewCollection

SHARDS = 2


@contextmanager
def made(coordinator: str) -> Iterator[str]:
    """Create a database on the coordinator and the workers that `coordinator` knows; drop it at the end."""
    name = f"lookalike_citus_{os.getpid()}_{secrets.token_hex(3)}"
    with psycopg.connect(coordinator) as connection:
        nodes = connection.execute(
            "SELECT nodename, nodeport, groupid FROM pg_dist_node WHERE noderole = 'primary' ORDER BY groupid"
        ).fetchall()
    workers = [(host, port) for host, port, group in nodes if group]
    urls = [coordinator, *(make_conninfo(coordinator, host=host, port=port) for host, port in workers)]
    try:
        for url in urls:
            _run(url, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            _run(make_conninfo(url, dbname=name), sql.SQL("CREATE EXTENSION citus"))
            _run(make_conninfo(url, dbname=name), sql.SQL("CREATE EXTENSION vector"))
        own = make_conninfo(coordinator, dbname=name)
        if (me := next(((host, port) for host, port, group in nodes if not group), None)) is not None:
            _run(own, sql.SQL("SELECT citus_set_coordinator_host({}, {})").format(*me))
        for worker in workers:
            _run(own, sql.SQL("SELECT citus_add_node({}, {})").format(*worker))
        yield own
    finally:
        for url in urls:
            _run(url, sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def joined(url: str, host: str, port: int) -> Iterator[None]:
    """Create the database of a cluster on another server, which may be added to it; drop it at the end."""
    there = make_conninfo(url, host=host, port=port, dbname="postgres")
    name = sql.Identifier(str(conninfo_to_dict(url)["dbname"]))
    _run(there, sql.SQL("CREATE DATABASE {}").format(name))
    try:
        for extension in ("citus", "vector"):
            own = make_conninfo(url, host=host, port=port)
            _run(own, sql.SQL("CREATE EXTENSION {}").format(sql.Identifier(extension)))
        yield
    finally:
        _run(there, sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))


def _run(url: str, statement: sql.SQL | sql.Composed) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET citus.enable_create_database_propagation = off")
        connection.execute(statement)


@contextmanager
def distributed_from_the_start(layout: str) -> Iterator[None]:
    """Have every collection that is created lie on the workers, `whole` or by `hash`."""
    before = collection_table.create

    def create(db: Database, new: NewCollection) -> Collection:
        collection = before(db, new)
        with db.session() as connection:
            if cluster.look(connection).version is None:
                return collection  # a database of the test's own
        cluster.distribute(db, collection, None if layout == "whole" else SHARDS)
        return collection_table.get(db, collection.name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(collection_table, "create", create)
        yield
