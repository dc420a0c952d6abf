"""Bulk writes: COPY into a temporary table, from there past taken ids into the partition."""

from collections.abc import Sequence

from psycopg import sql

from app.db.engine import Connection, Database
from app.db.records import NewRecord, check_capacity, halfvec_text, take_turns
from app.domain.collections import Collection


def copy(db: Database, collection: Collection, records: Sequence[NewRecord]) -> int:
    """Store records in one transaction, by COPY; return how many were stored. A taken id is passed over.

    Raises:
        CapacityExceeded: they would take the collection over its capacity; nothing is stored.

    """
    return db.write(lambda connection: _copy(connection, collection, records))


def _copy(connection: Connection, collection: Collection, records: Sequence[NewRecord]) -> int:
    take_turns(connection, collection)
    connection.execute(
        "CREATE TEMPORARY TABLE incoming (id text, attributes jsonb, embedding halfvec, webp bytea) ON COMMIT DROP"
    )
    with connection.cursor().copy("COPY incoming FROM STDIN") as stream:
        for record in records:
            stream.write_row((record.id, record.attributes, halfvec_text(record.embedding), record.thumbnail))
    stored = connection.execute(
        sql.SQL(
            "INSERT INTO lookalike.{} (collection_id, id, attributes, embedding)"
            " SELECT %s, id, attributes, embedding FROM incoming ORDER BY id ON CONFLICT DO NOTHING RETURNING id"
        ).format(sql.Identifier(f"records_{collection.id}")),
        (collection.id,),
    ).fetchall()
    ids = [row["id"] for row in stored]
    connection.execute(
        sql.SQL(
            "INSERT INTO lookalike.{} (collection_id, id, webp)"
            " SELECT %s, id, webp FROM incoming WHERE webp IS NOT NULL AND id = ANY (%s)"
            " ON CONFLICT DO NOTHING"
        ).format(sql.Identifier(f"thumbnails_{collection.id}")),
        (collection.id, ids),
    )
    check_capacity(connection, collection)
    return len(ids)
