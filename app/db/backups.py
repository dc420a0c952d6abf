"""What a database holds as of one moment, and which backups of it there are."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql

from app.db.engine import Connection, Database, Row, connect
from app.db.errors import translated
from app.db.evidence import Looks
from app.db.loader import query
from app.db.looks import looks_of, raw_cursor
from app.db.nearest import Nearest
from app.domain.backups import Backup, CollectionFacts, Facts, Neighbour, Sample
from app.domain.errors import InvalidRequest

SAMPLES = 100
"""Records of which the neighbours are written down."""
_NEIGHBOURS = 20
_FETCH = 2000


@contextmanager
def moment(url: str) -> Iterator[tuple[Connection, str]]:
    """Lend a connection in a transaction of one moment, and the snapshot by which others see the same.

    Raises:
        Unavailable: the database is away.

    """
    with translated(), connect(url) as connection:
        connection.execute("SET statement_timeout = 0")
        connection.commit()
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with connection.transaction():
            row = connection.execute(query("backups", "snapshot").render()).fetchone()
            yield connection, str((row or {})["snapshot"])


def refuse_distributed(connection: Connection) -> None:
    """Refuse to back up what a dump does not hold.

    Raises:
        InvalidRequest: records of a collection lie on the workers of Citus.

    """
    names = [row["name"] for row in connection.execute(query("backups", "distributed").render())]
    if names:
        raise InvalidRequest(
            f"records on the workers of Citus ({', '.join(names)}) are in no dump as of one moment: back up all nodes,"
            " as the vendor of the cluster does or by archiving their WAL with citus_create_restore_point, or take"
            " lookalike collection export of each collection"
        )


def versions(connection: Connection) -> dict[str, Any]:
    """Return the revision, the versions of PostgreSQL and pgvector, the roles and their members."""
    return dict(connection.execute(query("backups", "versions").render()).fetchone() or {})


def facts(connection: Connection, like: Facts | None = None) -> Facts:
    """Return what the database holds; the neighbours of the same records as in `like`, where that is given."""
    tables = [row["name"] for row in connection.execute(query("backups", "tables").render())]
    wanted = {one.name: [sample.id for sample in one.samples] for one in like.collections} if like else {}
    found = []
    left = SAMPLES
    for one in connection.execute(query("backups", "collections").render()).fetchall():
        values = {"collection_id": one["id"]}
        row = connection.execute(query("backups", "content").render(), values).fetchone() or {}
        ids = None if like is None else wanted.get(one["name"], [])
        samples = _samples(connection, one, ids, left)
        left -= len(samples)
        found.append(CollectionFacts(one["name"], one["model"], int(row["records"]), str(row["digest"]), samples))
    return Facts(found, {table: _count(connection, table) for table in tables})


def note(connection: Connection, backup: Backup, place: str) -> None:
    """Note a backup that was taken."""
    values = {
        "name": backup.name,
        "place": place,
        "begun_at": backup.begun_at,
        "bytes": backup.bytes,
        "records": backup.records,
    }
    connection.execute(query("backups", "note").render(), values)


def note_verified(connection: Connection, backup: Backup, place: str) -> None:
    """Note when a backup was last restored and compared, and what differed."""
    values = {
        "name": backup.name,
        "place": place,
        "verified_at": backup.verified_at,
        "differences": backup.differences,
    }
    connection.execute(query("backups", "note_verified").render(), values)


def latest(db: Database) -> datetime | None:
    """Return when the last backup was begun, wherever it lies; None where none was noted."""
    row = db.one(query("backups", "latest").render())
    return row["begun_at"] if row else None


def listed(db: Database, most: int) -> list[dict[str, Any]]:
    """Return the backups that were taken, the latest first, so many at most, wherever they lie."""
    return db.all(query("backups", "listed").render(), {"most": most})


def versions_of(db: Database) -> dict[str, Any]:
    """Return the revision, the versions of PostgreSQL and pgvector, the roles and their members."""
    return dict(db.one(query("backups", "versions").render()) or {})


def forget(connection: Connection, names: Sequence[str], place: str) -> None:
    """Forget backups that were deleted."""
    connection.execute(query("backups", "forget").render(), {"names": list(names), "place": place})


def _count(connection: Connection, table: str) -> int:
    text = sql.SQL("SELECT count(*) AS rows FROM {}").format(sql.Identifier("lookalike", table))
    return int((connection.execute(text).fetchone() or {})["rows"])


def _samples(connection: Connection, collection: Row, ids: list[str] | None, most: int) -> list[Sample]:
    number = most if ids is None else len(ids)
    if number == 0:
        return []
    with raw_cursor(connection) as cursor:
        values = {"collection_id": collection["id"], "ids": ids, "number": number}
        cursor.execute(query("backups", "samples").render(), values)
        asked = looks_of(cursor.fetchall(), collection["dimensions"])
    nearest = Nearest(asked, collection["distance_scale"], _NEIGHBOURS)
    for looks in _all(connection, collection):
        nearest.add(looks)
    return [
        Sample(record_id, [Neighbour(other, round(distance, 6)) for distance, other in found])
        for record_id, found in zip(asked.ids, nearest.found(), strict=True)
    ]


def _all(connection: Connection, collection: Row) -> Iterator[Looks]:
    with raw_cursor(connection, "vectors") as cursor:
        cursor.itersize = _FETCH
        cursor.execute(query("backups", "vectors").render(), {"collection_id": collection["id"]})
        while rows := cursor.fetchmany(_FETCH):
            yield looks_of(rows, collection["dimensions"])
