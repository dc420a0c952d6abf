"""Backups: of one moment while others write, verified by restoring them, put back, and never half of one."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result

from app import create_context
from app.cli import cli
from app.config import Settings
from app.db import collections, loads, records
from app.db.engine import Database
from app.db.records import NewRecord
from app.domain.backups import Backup, Neighbour, differences
from app.domain.collections import NewCollection
from app.domain.errors import ConfigurationError, Forbidden, InvalidRequest
from app.domain.jobs import State
from app.domain.tokens import Principal, Scope
from app.services import backing_up
from app.services.backups import Backups
from app.services.context import Context
from app.services.jobs import asking
from app.services.jobs.backup_job import BACKUP
from app.services.jobs.working import Worker, pace_of
from tests.db.vectors import random_vectors
from tests.support.databases import Databases

CONTENT = "SELECT id, attributes, embedding::text FROM lookalike.records ORDER BY id"
NEVER = "19990101T000000Z"


@pytest.fixture(scope="module")
def stock(databases: Databases, template: str) -> Iterator[str]:
    """The URL of a database with a collection that has an index, one without, and an empty one."""
    with databases.copy(template) as url:
        db = Database(url)
        db.open()
        for name, number in (("large", 300), ("small", 7), ("empty", 0)):
            made = collections.create(db, NewCollection(name, "photo", "m", "1", 16, 62.5))
            vectors = random_vectors(max(number, 1), 16)[:number]
            loads.copy(
                db, made, [NewRecord(f"r{n}", json.dumps({"n": n, "é": ["x"]}), v) for n, v in enumerate(vectors)]
            )
        with db.session() as connection:
            connection.execute(
                "CREATE INDEX ON lookalike.records_1 USING hnsw ((embedding::halfvec(16)) halfvec_cosine_ops)"
            )
        db.close()
        yield url


@pytest.fixture
def database_url(databases: Databases, stock: str) -> Iterator[str]:
    with databases.copy(stock) as url:
        yield url


@pytest.fixture
def backups(tmp_path: Path) -> Backups:
    return Backups(tmp_path / "backups")


@pytest.fixture
def taken(backups: Backups, database_url: str) -> Backup:
    return backups.create(database_url, keep=0)


def content(url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(CONTENT).fetchall()


def rows(url: str, text: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(text.encode())
        return cursor.fetchall() if cursor.description else []


def test_it_says_what_it_holds(backups: Backups, taken: Backup, database_url: str) -> None:
    told = {one.name: (one.records, len(one.samples)) for one in taken.facts.collections}
    assert told == {"large": (300, 100), "small": (7, 0), "empty": (0, 0)}
    assert all(len(sample.neighbours) == 20 for sample in taken.facts.collections[0].samples)
    assert (taken.records, taken.facts.rows["records_1"], taken.facts.rows["collections"]) == (307, 300, 3)
    assert backups.get(taken.name) == backups.get("latest") == taken
    assert [path.stat().st_mode & 0o777 for path in sorted(backups.folder.iterdir())] == [0o600, 0o600]
    assert rows(database_url, "SELECT name, place, bytes, records, verified_at FROM lookalike.backups") == [
        (taken.name, backups.place, taken.bytes, 307, None)
    ]


def test_neighbours_are_those_of_comparing_all_in_sql(taken: Backup, database_url: str) -> None:
    sample = taken.facts.collections[0].samples[17]
    true = rows(
        database_url,
        "SELECT o.id, 62.5 * (o.embedding <=> r.embedding) FROM lookalike.large AS r, lookalike.large AS o"
        f" WHERE r.id = '{sample.id}' AND o.id <> r.id ORDER BY 2, 1 LIMIT 20",
    )
    assert [one.id for one in sample.neighbours] == [row[0] for row in true]
    assert [one.distance for one in sample.neighbours] == pytest.approx([row[1] for row in true], abs=1e-3)


def test_it_is_of_one_moment_while_others_write(backups: Backups, database_url: str, empty_database: str) -> None:
    """What it says that it holds is what it holds, although records come and go while it is taken."""
    over = threading.Event()

    def write() -> None:
        with psycopg.connect(database_url, autocommit=True) as connection:
            number = 0
            while not over.is_set():
                number += 1
                connection.execute(
                    "INSERT INTO lookalike.records (collection_id, id, attributes, embedding)"
                    " SELECT c.id, 'new' || %s, '{}', r.embedding FROM lookalike.large AS r, lookalike.collections AS c"
                    " WHERE r.id = 'r3' AND c.name = 'large'",
                    (number,),
                )
                connection.execute("DELETE FROM lookalike.records WHERE id = %s", (f"new{number - 5}",))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        made = backups.create(database_url, keep=0)
    finally:
        over.set()
        writer.join()
    assert backups.verify(made, empty_database).differences == []


def test_it_goes_back_whole_into_another_database(
    backups: Backups, taken: Backup, database_url: str, empty_database: str
) -> None:
    assert [one for one in backups.restore(taken, empty_database, replace_all=False) if "members" not in one] == []
    assert content(empty_database) == content(database_url)
    graphs = "SELECT count(*) FROM pg_indexes WHERE schemaname = 'lookalike' AND indexdef LIKE '%USING hnsw%'"
    assert rows(empty_database, graphs) == rows(database_url, graphs) == [(1,)]


def test_what_is_there_is_replaced_only_where_that_is_said(backups: Backups, taken: Backup, database_url: str) -> None:
    rows(database_url, "DELETE FROM lookalike.records WHERE id = 'r5'")
    before = content(database_url)
    with pytest.raises(InvalidRequest, match="--replace drops them"):
        backups.restore(taken, database_url, replace_all=False)
    assert content(database_url) == before
    backups.restore(taken, database_url, replace_all=True)
    assert len(content(database_url)) == len(before) + 2


@pytest.mark.parametrize("damage", ["short", "flipped", "missing"])
def test_a_damaged_one_is_refused_before_anything_changes(
    damage: str, backups: Backups, taken: Backup, database_url: str, empty_database: str
) -> None:
    file = backups.dump_of(taken)
    whole = file.read_bytes()
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(whole[:-1] if damage == "short" else whole[:500] + bytes([whole[500] ^ 1]) + whole[501:])
    before = content(database_url)
    for act in (
        lambda: backups.verify(taken, empty_database),
        lambda: backups.restore(taken, database_url, replace_all=True),
    ):
        with pytest.raises(InvalidRequest, match=r"is missing|is not what was written"):
            act()
    assert content(database_url) == before


def test_what_differs_once_restored_is_said(backups: Backups, taken: Backup, empty_database: str) -> None:
    large, small, empty = (
        next(one for one in taken.facts.collections if one.name == name) for name in ("large", "small", "empty")
    )
    sample = large.samples[0]
    moved = replace(sample, neighbours=[Neighbour("r0", 1.0), *sample.neighbours[1:]])
    wrong = replace(
        taken.facts,
        collections=[replace(large, samples=[moved]), replace(small, records=8), replace(empty, name="gone")],
        rows={**taken.facts.rows, "tokens": 5},
    )
    found = backups.verify(replace(taken, facts=wrong), empty_database)
    assert [sentence.split(" has ")[0] for sentence in found.differences] == [
        f"the neighbours of {sample.id!r} in the collection 'large' are others",
        "the collection 'small'",
        "the collection 'gone' is missing",
        "the table tokens",
    ]
    assert backups.get(taken.name).differences == found.differences
    assert differences(taken.facts, taken.facts) == []


def test_verifying_builds_no_graph(backups: Backups, taken: Backup, empty_database: str) -> None:
    assert backups.verify(taken, empty_database).differences == []
    text = (
        "SELECT count(*) FILTER (WHERE indexdef LIKE '%USING hnsw%'), count(*) > 20 FROM pg_indexes"
        " WHERE schemaname = 'lookalike'"
    )
    assert rows(empty_database, text) == [(0, True)]
    with pytest.raises(InvalidRequest, match="collections or tokens"):
        backups.verify(taken, empty_database)


def test_the_oldest_go_but_never_the_last_verified_one(
    backups: Backups, taken: Backup, database_url: str, empty_database: str
) -> None:
    backups.verify(taken, empty_database)
    second = backups.create(database_url, keep=2)
    third = backups.create(database_url, keep=2)
    assert [one.name for one in backups.listed()] == [third.name, second.name, taken.name]
    fourth = backups.create(database_url, keep=2)
    names = [fourth.name, third.name, taken.name]
    assert [one.name for one in backups.listed()] == names
    assert sorted(path.name for path in backups.folder.iterdir()) == sorted(
        f"{name}.{end}" for name in names for end in ("dump", "json")
    )
    assert rows(database_url, "SELECT name FROM lookalike.backups ORDER BY 1 DESC") == [(name,) for name in names]


def test_what_fails_leaves_nothing(backups: Backups, database_url: str) -> None:
    if not rows(database_url, "SELECT FROM pg_roles WHERE rolname = 'reads_little'"):
        rows(database_url, "CREATE ROLE reads_little LOGIN")
    with pytest.raises(ConfigurationError, match="may not do this"):
        backups.create(database_url.replace("postgres:@", "reads_little:@"), keep=0)
    assert list(backups.folder.iterdir()) == []
    assert backups.listed() == []


def test_one_that_is_interrupted_leaves_no_dump(backups: Backups, database_url: str) -> None:
    def step(name: str) -> None:
        if name == "checking":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backups.create(database_url, keep=0, step=step)
    assert list(backups.folder.iterdir()) == []


def test_what_was_killed_goes_once_it_is_old(backups: Backups, taken: Backup, database_url: str) -> None:
    """Dumps without a description, and scratch databases, go with the next backup; nothing else does."""
    left = ["19990101T000000Z.dump", "19990101T000001Z.dump.part", ".19990101T000002Z.json.abcd_1.partial"]
    others = ["notes.dump", "19990101T000003Z.txt", "19990101T000004Z.json.partial", "verify"]
    fresh = "19990101T000005Z.dump"
    for name in (*left, *others, fresh):
        (backups.folder / name).write_text("x")
    (backups.folder / "verify-begun").mkdir()
    (backups.folder / "19990101T000006Z.dump").symlink_to(backups.folder / "notes.dump")
    for path in backups.folder.iterdir():
        if path.name != fresh:
            os.utime(path, (0, 0), follow_symlinks=False)
    made = backups.create(database_url, keep=0)
    assert {path.name for path in backups.folder.iterdir()} == {
        *others,
        fresh,
        "19990101T000006Z.dump",
        *(f"{one.name}.{end}" for one in (taken, made) for end in ("dump", "json")),
    }


@pytest.mark.parametrize("name", ["../x", NEVER, "", "latest"])
def test_a_name_of_none_is_refused(name: str, backups: Backups) -> None:
    with pytest.raises(InvalidRequest, match="there is no backup"):
        backups.get(name)


def test_what_describes_no_backup_is_refused(backups: Backups, taken: Backup) -> None:
    (backups.folder / f"{taken.name}.json").write_text("{}")
    with pytest.raises(InvalidRequest, match="describes no backup"):
        backups.get(taken.name)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path, database_url: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="LOOKALIKE_BACKUP_FOLDER"):
        Backups(tmp_path / "file" / "backups").create(database_url, keep=0)


def run(url: str, folder: Path, *arguments: str) -> Result:
    environment = {"DATABASE_URL": url, "LOOKALIKE_BACKUP_FOLDER": str(folder)}
    return CliRunner().invoke(cli, ["backup", *arguments], env=environment)


def test_the_commands(database_url: str, empty_database: str, tmp_path: Path) -> None:
    done = run(database_url, tmp_path, "create", "--json")
    assert done.exit_code == 0, done.output
    made = json.loads(done.stdout)
    assert (made["records"], made["collections"], made["verified_at"]) == (
        307,
        {"large": 300, "small": 7, "empty": 0},
        None,
    )
    assert "307 records in 3 collections" in run(database_url, tmp_path, "list").stdout
    verified = run(database_url, tmp_path, "verify", "--into", empty_database)
    assert (verified.exit_code, "verified, 20" in verified.stdout) == (0, True)
    assert rows(database_url, "SELECT verified_at IS NOT NULL, differences FROM lookalike.backups") == [(True, [])]
    back = run(database_url, tmp_path, "restore", "latest", "--replace")
    assert (back.exit_code, f"{made['name']} is restored: 307 records" in back.stdout) == (0, True)


@pytest.fixture
def context(database_url: str, settings: Callable[..., Settings], tmp_path: Path) -> Iterator[Context]:
    made = create_context(
        settings(backup_folder=tmp_path / "backups", backup_hours=24, auth_cache_seconds=0), database_url
    )
    made.db.open()
    yield made
    made.db.close()


def test_a_server_has_one_taken_when_it_is_due(context: Context, backups: Backups) -> None:
    """Once among several servers, not again until the next one is due; verified in a server of its own."""
    now = datetime.now(UTC)
    job = backing_up.ask(context, now)
    assert job is not None
    assert backing_up.ask(context, now) is None
    worker = Worker(context, pace_of(context.settings), [BACKUP])
    held = worker.take(job.id)
    assert held is not None
    worker.do(held)
    done = asking.get(context, job.id)
    assert (done.state, done.outcome) == (State.DONE, {
        "backup": backups.get("latest").name, "place": backups.place, "bytes": backups.get("latest").bytes,
        "records": 307, "verified": True,
    })  # fmt: skip
    assert backing_up.ask(context, now + timedelta(hours=23)) is None
    assert backing_up.ask(context, now + timedelta(hours=25)) is not None


def test_only_an_administrator_asks_for_one(context: Context) -> None:
    writer = Principal(1, frozenset({Scope.WRITE}), None)
    of_one = Principal(1, frozenset({Scope.ADMIN}), frozenset({1}))
    for principal in (writer, of_one):
        with pytest.raises(Forbidden):
            asking.start(context, BACKUP, None, {}, principal=principal)
    assert records.count(context.db, collections.get(context.db, "small")) == 7
