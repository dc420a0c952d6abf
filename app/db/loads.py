"""Bulk writes: COPY into a temporary table, and from there, past ids that are taken, into the partition."""

from collections.abc import Sequence
from functools import partial
from typing import Literal, NamedTuple

from psycopg import sql

from app.db.engine import Connection, Database, partition
from app.db.loader import query
from app.db.records import NewRecord, check_capacity, halfvec_text, take_turns
from app.db.refusals import write_each
from app.domain.collections import Collection
from app.domain.errors import InvalidRequest

INCOMING = "incoming"
"""The temporary table that `copy_in` fills."""

Outcome = Literal["stored", "replaced", "updated", "present"]
"""What became of a record: it is new; it has another picture now; other attributes alone; it was so already."""


class Written(NamedTuple):
    """What became of records, by id, and why the database refused others. An id in neither was taken already."""

    outcomes: dict[str, Outcome]
    refused: dict[str, str]


def copy(db: Database, collection: Collection, records: Sequence[NewRecord]) -> int:
    """Do what `store` does; return how many records were stored.

    Raises:
        InvalidRequest: the database refused one; the others are stored.

    """
    written = store(db, collection, records)
    for own, reason in written.refused.items():
        raise InvalidRequest(f"{own}: {reason}")
    return len(written.outcomes)


def store(db: Database, collection: Collection, records: Sequence[NewRecord]) -> Written:
    """Store new records in one transaction, by COPY. A taken id is passed over, a refused record is left out.

    Raises:
        CapacityExceeded: they would take the collection over its capacity; nothing is stored.

    """

    def work(connection: Connection) -> Written:
        take_turns(connection, collection)
        copy_in(connection, records)
        ids = sorted(record.id for record in records)
        stored, refused = write_each(connection, ids, partial(insert, connection, collection), str)
        check_capacity(connection, collection)
        return Written(dict.fromkeys(stored, "stored"), refused)

    return db.write(work)


def copy_in(connection: Connection, records: Sequence[NewRecord]) -> None:
    """Fill a temporary table, which is gone at the end of the transaction."""
    connection.execute(
        "CREATE TEMPORARY TABLE incoming (id text, attributes jsonb, embedding halfvec, webp bytea,"
        " original bytea STORAGE EXTERNAL, box integer[], digest bytea) ON COMMIT DROP"
    )
    with connection.cursor().copy("COPY incoming FROM STDIN") as stream:
        for record in records:
            box = None if record.box is None else list(record.box)
            vector = halfvec_text(record.embedding)
            stream.write_row(
                (record.id, record.attributes, vector, record.thumbnail, record.original, box, record.digest)
            )


def insert(connection: Connection, collection: Collection, ids: Sequence[str]) -> list[str]:
    """Store some of the records that were copied; return the ids that were not taken."""
    text = query("loads", "insert").render(records=partition("records", collection), incoming=INCOMING)
    rows = connection.execute(text, {"collection_id": collection.id, "ids": list(ids)}).fetchall()
    stored = [str(row["id"]) for row in rows]
    store_pictures(connection, collection, stored)
    return stored


def store_pictures(connection: Connection, collection: Collection, ids: Sequence[str]) -> None:
    """Store the thumbnails, kept pictures and boxes of some of the records that were copied."""
    values = {"collection_id": collection.id, "ids": list(ids)}
    connection.execute(
        sql.SQL(
            "INSERT INTO lookalike.{} (collection_id, id, webp)"
            " SELECT %(collection_id)s, id, webp FROM incoming WHERE webp IS NOT NULL AND id = ANY (%(ids)s)"
            " ON CONFLICT (collection_id, id) DO UPDATE SET webp = excluded.webp"
        ).format(sql.Identifier(f"thumbnails_{collection.id}")),
        values,
    )
    connection.execute(
        sql.SQL(
            "INSERT INTO lookalike.{} (collection_id, id, picture, box)"
            " SELECT %(collection_id)s, id, original, box FROM incoming"
            " WHERE (original IS NOT NULL OR box IS NOT NULL) AND id = ANY (%(ids)s)"
            " ON CONFLICT (collection_id, id) DO UPDATE SET picture = excluded.picture, box = excluded.box"
        ).format(sql.Identifier(f"originals_{collection.id}")),
        values,
    )
