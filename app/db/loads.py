"""Bulk writes: COPY into a temporary table, and from there, past ids that are taken, into the partition."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, NamedTuple

from app.db.engine import Connection, Database, partition, table_of
from app.db.loader import query
from app.db.records import NewRecord, check_capacity, halfvec_text, take_turns
from app.db.refusals import write_each
from app.domain.collections import Collection
from app.domain.errors import InvalidRequest
from app.domain.jsontext import dumps

Outcome = Literal["stored", "replaced", "updated", "present"]
"""A record is new; it has another picture now; other attributes alone; or it was so already."""


@dataclass(frozen=True, slots=True)
class IncomingRows:
    """SQL finds incoming records in a source: the text of the span `incoming`, and the values that it takes."""

    text: str
    values: Mapping[str, object] = field(default_factory=dict)


COPIED = IncomingRows("incoming")
"""The temporary table that `copy_in` fills."""


class Written(NamedTuple):
    """Outcomes of records by id, and reasons why the database refused others.

    An id in neither was passed over: it is taken, or where only stored records are replaced, it is not stored.
    """

    outcomes: dict[str, Outcome]
    refused: dict[str, str]


def copy(db: Database, collection: Collection, records: Sequence[NewRecord]) -> int:
    """Do what `store` does; return how many records were stored.

    Raises:
        InvalidRequest: the database refused one; the others are stored.

    """
    written = store(db, collection, records)
    for record_id, reason in written.refused.items():
        raise InvalidRequest(f"{record_id}: {reason}")
    return len(written.outcomes)


def store(db: Database, collection: Collection, records: Sequence[NewRecord]) -> Written:
    """Store new records in one transaction, by COPY. A taken id is passed over, a refused record is left out.

    Raises:
        CapacityExceeded: they would take the collection over its capacity; nothing is stored.

    """

    def work(connection: Connection) -> Written:
        take_turns(connection, collection, records)
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


def given(records: Sequence[NewRecord]) -> IncomingRows:
    """Return a source of a few records that are sent along with each statement: no table is made for them."""
    values = {
        "new_ids": [record.id for record in records],
        "new_attributes": [record.attributes for record in records],
        "embeddings": [halfvec_text(record.embedding) for record in records],
        "webps": [record.thumbnail for record in records],
        "pictures": [record.original for record in records],
        "boxes": [None if record.box is None else dumps(record.box) for record in records],
        "new_digests": [record.digest for record in records],
    }
    return IncomingRows(f"({query('loads', 'given').render()})", values)


def insert(
    connection: Connection, collection: Collection, ids: Sequence[str], source: IncomingRows = COPIED
) -> list[str]:
    """Store some of the incoming records; return the ids that were not taken."""
    text = query("loads", "insert").render(records=table_of(collection), incoming=source.text)
    values = {**source.values, "collection_id": collection.id, "ids": list(ids)}
    stored = [str(row["id"]) for row in connection.execute(text, values).fetchall()]
    store_pictures(connection, collection, stored, source)
    return stored


def store_pictures(
    connection: Connection, collection: Collection, ids: Sequence[str], source: IncomingRows = COPIED
) -> None:
    """Store the thumbnails, kept pictures and boxes of some of the incoming records."""
    if not ids:
        return
    values = {**source.values, "collection_id": collection.id, "ids": list(ids)}
    for name in ("thumbnails", "originals"):
        text = query("loads", name).render(**{name: partition(name, collection)}, incoming=source.text)
        connection.execute(text, values)


def forget_pictures(connection: Connection, collection: Collection, ids: Sequence[str]) -> None:
    """Delete the thumbnails, kept pictures and boxes of records."""
    for name in ("thumbnails", "originals"):
        text = query("loads", f"delete_{name}").render(**{name: partition(name, collection)})
        connection.execute(text, {"collection_id": collection.id, "ids": list(ids)})
