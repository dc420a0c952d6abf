"""Records that have expired: deleted some at a time, so that nobody waits for it."""

from psycopg import sql

from app.db import indexes, locks
from app.db.engine import Database, table_of
from app.db.loader import query
from app.db.spread import chosen
from app.domain.collections import Collection


def delete_some(db: Database, collection: Collection, limit: int) -> int:
    """Delete up to `limit` records that have expired, in one transaction; return their number.

    What somebody else is writing or deleting is passed over.
    """
    records, values = table_of(collection), {"collection_id": collection.id}
    if collection.spread:
        found = db.all(query("spread", "expired").render(records=records, limit=f"{limit:d}"))
        text = chosen(collection, "expiry", "make_room").render(records=records)
        given = {**values, "ids": [row["id"] for row in found]}
        return db.write(lambda connection: connection.execute(text, given).rowcount)
    text = query("expiry", "delete").render(records=records, limit=f"{limit:d}")
    row = db.write(lambda connection: connection.execute(text, values).fetchone())
    return int((row or {})["deleted"])


def is_indexed(db: Database, collection: Collection) -> bool:
    """Say whether an index finds the records that have expired."""
    row = db.one(query("expiry", "indexed").render(), {"index": f"lookalike.{_index(collection)}"})
    return bool(row and row["indexed"])


def build_index(db: Database, collection: Collection) -> None:
    """Make the index that finds the records that have expired, while others write: a collection of an earlier version.

    One that an interrupted build left is made anew. Where another process builds an index of the collection, nothing
    happens: it may be this one.

    Raises:
        MissingRights: the role does not own the table.

    """
    name = _index(collection)
    with db.session() as connection:
        if not locks.taken(connection, locks.INDEX_BUILD, collection) or indexes.is_valid(connection, name):
            return
        indexes.drop_found(connection, name)
        connection.execute(
            sql.SQL("CREATE INDEX CONCURRENTLY {} ON lookalike.{} (expires_at) WHERE expires_at IS NOT NULL").format(
                sql.Identifier(name), sql.Identifier(collection.records_table)
            )
        )


def _index(collection: Collection) -> str:
    return f"{collection.records_table}_expires_at_idx"
