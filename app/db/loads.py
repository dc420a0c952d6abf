"""Bulk writes: COPY into a temporary table, from there past taken ids into the partition."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from psycopg import sql

from app.db.engine import Connection, Database
from app.db.records import NewRecord, check_capacity, halfvec_text, take_turns
from app.db.refusals import write_each
from app.domain.collections import Collection
from app.domain.errors import InvalidRequest


class Written(NamedTuple):
    """The ids that were stored, and why the database refused others, by id. An id in neither was taken already."""

    stored: set[str]
    refused: dict[str, str]


def copy(db: Database, collection: Collection, records: Sequence[NewRecord]) -> int:
    """Do what `store` does; return how many records were stored.

    Raises:
        InvalidRequest: the database refused one; the others are stored.

    """
    written = store(db, collection, records)
    for own, reason in written.refused.items():
        raise InvalidRequest(f"{own}: {reason}")
    return len(written.stored)


def store(db: Database, collection: Collection, records: Sequence[NewRecord]) -> Written:
    """Store records in one transaction, by COPY. A taken id is passed over, a refused record left out.

    Raises:
        CapacityExceeded: they would take the collection over its capacity; nothing is stored.

    """
    return db.write(lambda connection: _copy(connection, collection, records))


def _copy(connection: Connection, collection: Collection, records: Sequence[NewRecord]) -> Written:
    take_turns(connection, collection)
    connection.execute(
        "CREATE TEMPORARY TABLE incoming"
        " (id text, attributes jsonb, embedding halfvec, webp bytea, original bytea STORAGE EXTERNAL, box integer[])"
        " ON COMMIT DROP"
    )
    with connection.cursor().copy("COPY incoming FROM STDIN") as stream:
        for record in records:
            box = None if record.box is None else list(record.box)
            vector = halfvec_text(record.embedding)
            stream.write_row((record.id, record.attributes, vector, record.thumbnail, record.original, box))
    ids = sorted(record.id for record in records)
    written = Written(*write_each(connection, ids, partial(_insert, connection, collection), str))
    check_capacity(connection, collection)
    return written


def _insert(connection: Connection, collection: Collection, ids: Sequence[str]) -> list[str]:
    """Store some of the records that were copied; return the ids that were not taken."""
    stored = connection.execute(
        sql.SQL(
            "INSERT INTO lookalike.{} (collection_id, id, attributes, embedding)"
            ' SELECT %s, id, attributes, embedding FROM incoming WHERE id = ANY (%s) ORDER BY id COLLATE "C"'
            " ON CONFLICT DO NOTHING RETURNING id"
        ).format(sql.Identifier(collection.records_table)),
        (collection.id, list(ids)),
    ).fetchall()
    taken = [str(row["id"]) for row in stored]
    values = {"collection_id": collection.id, "ids": taken}
    connection.execute(
        sql.SQL(
            "INSERT INTO lookalike.{} (collection_id, id, webp)"
            " SELECT %(collection_id)s, id, webp FROM incoming WHERE webp IS NOT NULL AND id = ANY (%(ids)s)"
            " ON CONFLICT DO NOTHING"
        ).format(sql.Identifier(f"thumbnails_{collection.id}")),
        values,
    )
    connection.execute(
        sql.SQL(
            "INSERT INTO lookalike.{} (collection_id, id, picture, box)"
            " SELECT %(collection_id)s, id, original, box FROM incoming"
            " WHERE (original IS NOT NULL OR box IS NOT NULL) AND id = ANY (%(ids)s)"
            " ON CONFLICT DO NOTHING"
        ).format(sql.Identifier(f"originals_{collection.id}")),
        values,
    )
    return taken
