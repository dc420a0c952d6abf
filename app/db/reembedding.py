"""A collection's vectors are made anew beside those in use: one function for each step (`sql/queries/reembedding.sql`).

All state is in the database: the next table, the records whose pictures could not be read, and notes of what was
written to the table in use meanwhile. So a run that was killed is gone on with by the next.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg import sql

from app.db import locks
from app.db.engine import Connection, Database, partition, table_of
from app.db.loader import query
from app.domain.collections import Collection
from app.domain.errors import InTheWay, InvalidRequest, Unavailable
from app.search.request import half

_ATTEMPTS = 3  # with writers kept out
_ROUNDS = 120  # with everyone let through in between
_PAUSE_SECONDS = 1.0
# Writers may hold their locks for as long as a statement; an autovacuum gives way after PostgreSQL's deadlock_timeout.
_WRITER_WAIT = "5s"


@dataclass(frozen=True, slots=True)
class ModelChange:
    """A change that is under way: the collection as it is used, and as it will be."""

    collection: Collection
    next: Collection

    def render(self, name: str, **given: str) -> str:
        """Return the text of one of the named queries."""
        chosen = query("reembedding", name)
        spans = {
            "records": table_of(self.collection),
            "originals": partition("originals", self.collection),
            "next": table_of(self.next),
            **given,
        }
        return chosen.render(**spans)


@dataclass(frozen=True, slots=True)
class PictureOrigin:
    """A record's picture was kept, or comes from a `_url` or `_file`; `box` is the part of it that is the record's."""

    id: str
    kept: bool
    url: object
    file: object
    box: list[int] | None


@dataclass(frozen=True, slots=True)
class Change:
    """A note that a record was written; `new_picture` is false where only its attributes changed."""

    id: str
    sequence: int
    new_picture: bool


def find(db: Database, collection: Collection) -> ModelChange | None:
    """Return the change that is under way in a collection; None where there is none."""
    text = query("reembedding", "find").render()
    row = db.one(text, {"id": collection.id})
    return None if row is None else ModelChange(collection, replace(collection, **row, indexed=False, crowded=False))


def begin(db: Database, collection: Collection, facts: Mapping[str, object]) -> None:
    """Begin a change; `facts` are the model, its revision, dimensions and distance scale."""
    collection.refuse_distributed("another model")
    _patiently(db, query("reembedding", "begin").render(), {**facts, "id": collection.id})


def abandon(db: Database, collection: Collection) -> bool:
    """Give up the new vectors; return whether there were any."""
    row = _patiently(db, query("reembedding", "abandon").render(), {"id": collection.id})
    return bool(row and row["abandoned"])


def _patiently(db: Database, text: str, values: Mapping[str, object]) -> Mapping[str, Any] | None:
    """Run a statement that needs a table to itself, without holding up those that come after it for long."""

    def work(connection: Connection) -> Mapping[str, Any] | None:
        connection.execute("SELECT set_config('lock_timeout', %s, true)", (locks.SHORT_WAIT,))
        return connection.execute(text, values).fetchone()

    for attempt in range(_ROUNDS):
        try:
            return db.write(work)
        except InTheWay:
            if attempt == _ROUNDS - 1:
                raise
            time.sleep(_PAUSE_SECONDS)
    raise AssertionError("unreachable")


@contextmanager
def alone(db: Database, collection: Collection) -> Iterator[None]:
    """Keep other processes from changing the same collection's model until the block ends, or this process does.

    Raises:
        InvalidRequest: another process is at it.

    """
    with db.session() as connection:
        if not locks.taken(connection, locks.REEMBEDDING, collection):
            raise InvalidRequest(f"another process is re-embedding the collection {collection.name!r}")
        yield


def missing(db: Database, job: ModelChange, after: str, limit: int) -> list[PictureOrigin]:
    """Return records that have no new vector yet, in the order of their ids, after an id."""
    text = job.render("missing", limit=f"{limit:d}")
    return _sources(db, text, {"collection_id": job.collection.id, "after": after})


def sources(db: Database, job: ModelChange, ids: Sequence[str]) -> list[PictureOrigin]:
    """Return where the pictures of those of these records are that are stored."""
    return _sources(db, job.render("sources"), {"collection_id": job.collection.id, "ids": list(ids)})


def _sources(db: Database, text: str, values: Mapping[str, object]) -> list[PictureOrigin]:
    return [PictureOrigin(**row) for row in db.all(text, values)]


NewVectors = Mapping[str, NDArray[np.float32]]


def store(db: Database, job: ModelChange, vectors: NewVectors, failed: Mapping[str, str]) -> None:
    """Store new vectors, and of other records why they have none, in one transaction."""
    db.write(lambda connection: _store(connection, job, vectors, failed))


def apply(
    db: Database, job: ModelChange, changes: Sequence[Change], vectors: NewVectors, failed: Mapping[str, str]
) -> None:
    """Make the new table follow noted changes; `vectors` and `failed` are of those that have a new picture."""
    of_collection: dict[str, object] = {"collection_id": job.collection.id}
    fresh = {"ids": [change.id for change in changes if change.new_picture], **of_collection}
    others = {"ids": [change.id for change in changes if not change.new_picture], **of_collection}
    seen = {
        "ids": [change.id for change in changes],
        "sequences": [change.sequence for change in changes],
        **of_collection,
    }

    def work(connection: Connection) -> None:
        connection.execute(job.render("remove"), fresh)
        connection.execute(job.render("forget_failures"), fresh)
        _store(connection, job, vectors, failed)
        connection.execute(job.render("take_over"), others)
        connection.execute(job.render("done"), seen)

    db.write(work)


def _store(connection: Connection, job: ModelChange, vectors: NewVectors, failed: Mapping[str, str]) -> None:
    of_collection: dict[str, object] = {"collection_id": job.collection.id}
    if vectors:
        embeddings = [half(vector) for vector in vectors.values()]
        connection.execute(job.render("store"), {"ids": list(vectors), "embeddings": embeddings, **of_collection})
    if failed:
        reasons = {"ids": list(failed), "reasons": list(failed.values())}
        connection.execute(job.render("store_failures"), {**reasons, **of_collection})


def changes(db: Database, job: ModelChange, limit: int) -> list[Change]:
    """Return noted changes that are to be done yet."""
    text, values = job.render("changes", limit=f"{limit:d}"), {"collection_id": job.collection.id}
    return [Change(**row) for row in db.all(text, values)]


def failures(db: Database, job: ModelChange, limit: int | None = None) -> list[tuple[str, str]]:
    """Return the ids of records whose pictures could not be read, and why, in the order of the ids."""
    text = job.render("failures", limit="ALL" if limit is None else f"{limit:d}")
    values = {"collection_id": job.collection.id}
    rows = db.all(text, values)
    return [(row["id"], row["reason"]) for row in rows]


def count_failures(db: Database, job: ModelChange) -> int:
    """Return the number of records whose pictures could not be read."""
    text, values = job.render("count_failures"), {"collection_id": job.collection.id}
    row = db.one(text, values)
    return 0 if row is None else int(row["failures"])


def forget_failures(db: Database, job: ModelChange) -> None:
    """Have every record whose picture could not be read tried once more."""
    values = {"collection_id": job.collection.id}
    db.write(lambda connection: connection.execute(job.render("forget_all_failures"), values))


@dataclass(frozen=True, slots=True)
class Switched:
    """A switch deleted so many records, and held the tables for so many seconds."""

    dropped: int
    seconds: float


class NotYet(Exception):
    """Something is left to be done before the switch."""


def switch(
    db: Database, job: ModelChange, follow: Callable[[], None], settle: Callable[[int], None], *, drop_unreadable: bool
) -> Switched:
    """Put the new vectors in the place of the old ones, in one transaction.

    `follow` copies what was written meanwhile and blocks nobody. Then writers are blocked, searches are not, and
    `settle`, given the number of the round, copies the last changes, or raises NotYet where they are too many: then it
    all begins again. Only at the end are searches blocked as well, for the milliseconds of a change in the
    catalogue; where a long query is in the way they are let through again, so that none waits for longer than
    `locks.SHORT_WAIT` and the change itself.

    Raises:
        Unavailable: the tables stayed in use for minutes; nothing was changed.
        InvalidRequest: something that is not the program's own depends on the old table.

    """
    for round_ in range(_ROUNDS):
        follow()
        try:
            with db.session() as connection, connection.transaction():
                _keep_writers_out(connection, job)
                settle(round_)
                dropped = _drop_unreadable(connection, job) if drop_unreadable else 0
                started = _finish(connection, job)
            return Switched(dropped, time.perf_counter() - started)
        except NotYet:
            continue
        except InTheWay:
            time.sleep(_PAUSE_SECONDS)
    raise Unavailable(
        "the tables of the collection stayed in use, by a long query, an export or an index build; nothing was changed,"
        " and another run goes on from here"
    )


def _keep_writers_out(connection: Connection, job: ModelChange) -> None:
    connection.execute("SELECT set_config('lock_timeout', %s, true)", (_WRITER_WAIT,))
    current, next_ = job.collection, job.next
    tables = [current.records_table, next_.records_table, f"thumbnails_{current.id}", f"originals_{current.id}"]
    # Holds up neither searches nor writers, but an autovacuum: one that runs gives way, none begins.
    connection.execute(
        sql.SQL("LOCK TABLE {} IN SHARE UPDATE EXCLUSIVE MODE").format(
            sql.SQL(", ").join(sql.Identifier("lookalike", table) for table in tables)
        )
    )
    # In the order of inserts into a collection with a capacity, which would be deadlocked otherwise.
    connection.execute(query("collections", "lock").render(), {"id": current.id})
    connection.execute(
        sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(sql.Identifier("lookalike", current.records_table))
    )


def _drop_unreadable(connection: Connection, job: ModelChange) -> int:
    row = connection.execute(job.render("drop_unreadable"), {"collection_id": job.collection.id}).fetchone()
    return int((row or {})["dropped"])


def _finish(connection: Connection, job: ModelChange) -> float:
    """Change the catalogue; return when the lock that did it was asked for, by `time.perf_counter`."""

    def finish() -> float:
        started = time.perf_counter()
        connection.execute(query("reembedding", "finish").render(), {"id": job.collection.id})
        return started

    return locks.insist(connection, finish, _ATTEMPTS, _PAUSE_SECONDS / 5)


def tidy(db: Database, collection: Collection) -> None:
    """Check the foreign keys that a switch left unchecked; holds up neither searches nor writers."""
    with db.session() as connection:
        rows = connection.execute(
            "SELECT k.conrelid::regclass::text AS held_by, k.conname FROM pg_catalog.pg_constraint AS k"
            " WHERE k.contype = 'f' AND NOT k.convalidated AND k.confrelid = %s::regclass",
            (f"lookalike.{collection.records_table}",),
        ).fetchall()
        for row in rows:
            table = sql.SQL(row["held_by"])
            key = sql.Identifier(row["conname"])
            connection.execute(sql.SQL("ALTER TABLE {} VALIDATE CONSTRAINT {}").format(table, key))
