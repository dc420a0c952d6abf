"""nearDupsInsert: a record is stored only if nothing within a radius of it is."""

from collections.abc import Sequence

from app.db.engine import Connection, Database
from app.db.records import NewRecord, insert_with
from app.db.search import Target, half, statement
from app.domain.collections import Collection
from app.domain.records import Fields, Found
from app.domain.windows import Window

# The advisory lock of such inserts is (this number, id of the collection): they take turns, so that two at once cannot
# both miss the other's twin. Searches and plain inserts do not wait for it.
_LOCK_SPACE = 42_072
# Near duplicates that are named as the reason of a skipped record.
_NAMED = 10


def insert(
    db: Database,
    collection: Collection,
    records: Sequence[NewRecord],
    radius: float,
    fields: Fields,
    refused: dict[str, str] | None = None,
) -> tuple[set[str], dict[str, list[Found]]]:
    """Store the records that have no near duplicate, one after the other, in one transaction.

    Returns the ids that were stored and, for each record that was not because of its looks, the near duplicates.
    A record that the database refuses is left out, and `refused` says why, by id; without it, that is an error.

    Raises:
        CapacityExceeded: they would take the collection over its capacity; nothing is stored.

    """
    target = Target(collection, Window(_NAMED), fields)
    text = statement(target, "within", limit=f"{_NAMED:d}", offset="0")

    def work(connection: Connection) -> tuple[set[str], dict[str, list[Found]]]:
        connection.execute("SELECT pg_advisory_xact_lock(%s, %s)", (_LOCK_SPACE, collection.id))
        stored: set[str] = set()
        twins: dict[str, list[Found]] = {}
        for record in records:
            values = {
                "scale": collection.distance_scale,
                "query": half(record.embedding),
                "radius": radius,
                "fields": list(fields.names),
            }
            rows = connection.execute(text, values).fetchall()
            if rows:
                twins[record.id] = [Found(row["id"], row["attributes"], row["distance"]) for row in rows]
            else:
                stored |= insert_with(connection, collection, [record], refused)
        return stored, twins

    return db.write(work)
