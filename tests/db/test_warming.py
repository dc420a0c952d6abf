"""Collections are read into memory: every page of table and indexes, once at a time, at a server's start too."""

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app import create_context
from app.config import Settings
from app.db import collections, indexes, loads, locks, records, warming
from app.db.engine import Database, table_of
from app.db.loader import query
from app.domain.collections import Collection, NewCollection
from app.services import warming as service
from tests.db.vectors import random_vectors
from tests.support.commands import run
from tests.support.waiting import eventually


@pytest.fixture
def collection(db: Database) -> Collection:
    """300 records, the index of their vectors, and one of half of them."""
    made = collections.create(db, NewCollection("shop", "photo", "m", "1", 16, 62.5))
    vectors = random_vectors(300, 16)
    loads.copy(db, made, [records.NewRecord(f"r{n}", json.dumps({"n": n % 2}), v) for n, v in enumerate(vectors)])
    indexes.build_hnsw(db, made)
    indexes.build_partial(db, made, f"{made.records_table}_half", "$.n ? (@ == 1)")
    return collections.get(db, "shop")


def sizes(db: Database, *names: str) -> int:
    row = db.one("SELECT sum(pg_relation_size(('lookalike.' || n)::regclass)) AS n FROM unnest(%(names)s::text[]) AS n",
                 {"names": list(names)})  # fmt: skip
    return int((row or {})["n"])


def test_table_and_graphs_are_read_to_the_last_page(db: Database, collection: Collection) -> None:
    table = collection.records_table
    graphs = (f"{table}_hnsw", f"{table}_half")
    assert warming.warm(db, collection) == warming.Warmed("reading", sizes(db, table, *graphs))
    with db.session() as connection, connection.transaction():
        for setting, value in warming._ALL_OF_GRAPH.items():
            connection.execute("SELECT set_config(%s, %s, true)", (setting, value))
        for graph, part, number in zip(graphs, ("TRUE", "attributes @? '$.n ? (@ == 1)'"), (300, 150), strict=True):
            text = query("warming", "walk").render(records=table_of(collection), vector="halfvec(16)", part=part)
            row = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {text}").fetchone()
            assert row is not None
            plan = row["QUERY PLAN"][0]["Plan"]
            [scan] = [node for node in nodes(plan) if node.get("Index Name") == graph]
            assert scan["Actual Rows"] == number
            assert scan["Shared Hit Blocks"] + scan["Shared Read Blocks"] >= sizes(db, graph, table) // 8192


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for below in plan.get("Plans", []) for node in nodes(below))]


def test_pg_prewarm_reads_the_table_and_every_index(db: Database, database_url: str, collection: Collection) -> None:
    with db.session() as connection:
        there = connection.execute("SELECT FROM pg_available_extensions WHERE name = 'pg_prewarm'").fetchone()
        if there is None:
            pytest.skip("this PostgreSQL has no pg_prewarm: it comes with the contrib modules of a server of yours")
        connection.execute('CREATE SCHEMA "Any place"')
        connection.execute('CREATE EXTENSION pg_prewarm SCHEMA "Any place"')
    relations = (
        "SELECT c.oid, pg_relation_size(c.oid) / 8192 AS pages, pg_stat_get_blocks_fetched(c.oid) AS fetched"
        " FROM pg_class AS c LEFT JOIN pg_index AS i ON i.indexrelid = c.oid"
        " WHERE %(table)s::regclass IN (c.oid, i.indrelid)"
    )
    table = {"table": f"lookalike.{collection.records_table}"}
    before = {one["oid"]: one for one in db.all(relations, table)}
    assert len(before) >= 5, "the table, its key, its attributes' index and both graphs"
    assert warming.warm(db, collection) == warming.Warmed(
        "pg_prewarm", 8192 * sum(one["pages"] for one in before.values())
    )
    # What a session has counted is told at its end, which comes when it is over here.
    eventually(
        lambda: [one["fetched"] - before[one["oid"]]["fetched"] >= one["pages"] for one in db.all(relations, table)],
        all,
    )
    environment = {"DATABASE_URL": database_url}
    [told] = json.loads(run(["collection", "warm", "shop", "--json"], environment).stdout)
    assert told["way"] == "pg_prewarm"


def test_one_process_at_a_time_reads_a_collection(db: Database, collection: Collection) -> None:
    with db.session() as connection:
        assert locks.taken(connection, locks.WARMING, collection)
        assert warming.warm(db, collection) is None
    assert warming.warm(db, collection) is not None


def test_a_server_reads_what_the_setting_names_and_says_what_it_could_not(
    database_url: str, collection: Collection, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "app.services.warming")
    context = create_context(Settings(home=tmp_path), database_url)
    context.open()
    assert service.at_start(context) is None
    for names, said in (
        (("all",), ["collection shop: "]),
        (
            ("nobody", "shop"),
            ["collection nobody was not read into memory: there is no collection", "collection shop: "],
        ),
    ):
        caplog.clear()
        settings = context.settings.model_copy(update={"warm": names})
        thread = service.at_start(replace(context, settings=settings))
        assert thread is not None
        thread.join(60)
        assert [message[: len(begin)] for message, begin in zip(caplog.messages, said, strict=True)] == said
    context.close()


def test_the_command_names_bytes_seconds_and_way(database_url: str, collection: Collection, tmp_path: Path) -> None:
    environment = {"DATABASE_URL": database_url, "LOOKALIKE_HOME": str(tmp_path)}
    done = run(["collection", "warm", "--all", "--json"], environment)
    [told] = json.loads(done.stdout)
    assert (told["name"], told["way"]) == ("shop", "reading")
    assert told["bytes"] > 8192
    assert told["seconds"] > 0
    assert "MiB read in" in run(["collection", "warm", "shop"], environment).stdout
    for arguments in ([], ["shop", "--all"]):
        refused = run(["collection", "warm", *arguments], environment)
        assert (refused.returncode, "name collections, or give --all" in refused.stderr) == (2, True)
    assert "there is no collection 'nobody'" in run(["collection", "warm", "nobody"], environment).stderr
