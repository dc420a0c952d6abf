"""Bulk writes: COPY into a temporary table, and from there, past ids that are taken, into the partition."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, NamedTuple

import numpy as np

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


# What stands in a binary COPY of `incoming`: numbers in network order.
_COLUMNS = struct.pack(">h", 7)
_NULL = struct.pack(">i", -1)
_LENGTH = struct.Struct(">i")
_VECTOR = struct.Struct(">hh")
_BOX = struct.Struct(">iiiii8i")  # dimensions, no nulls, type of elements, their number, first subscript; four elements
_INTEGER = 23

# Records that are handed to the connection at once.
_AT_ONCE = 50

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
    return db.write(lambda connection: store_with(connection, collection, records))


def store_with(connection: Connection, collection: Collection, records: Sequence[NewRecord]) -> Written:
    """Do what `store` does, inside a transaction of the caller's."""
    take_turns(connection, collection, records)
    copy_in(connection, records)
    ids = sorted(record.id for record in records)
    stored, refused = write_each(connection, ids, partial(insert, connection, collection), str)
    check_capacity(connection, collection)
    return Written(dict.fromkeys(stored, "stored"), refused)


def copy_in(connection: Connection, records: Sequence[NewRecord]) -> None:
    """Fill a temporary table, which is gone at the end of the transaction."""
    connection.execute(
        "CREATE TEMPORARY TABLE incoming (id text, attributes jsonb, embedding halfvec, webp bytea,"
        " original bytea STORAGE EXTERNAL, box integer[], digest bytea) ON COMMIT DROP"
    )
    with connection.cursor().copy("COPY incoming FROM STDIN (FORMAT BINARY)") as stream:
        stream.write(b"PGCOPY\n\xff\r\n\0" + bytes(8))
        for start in range(0, len(records), _AT_ONCE):
            stream.write(b"".join(map(_binary, records[start : start + _AT_ONCE])))
        stream.write(b"\xff\xff")


def _binary(record: NewRecord) -> bytes:
    """Return a row of a binary COPY: the number of its columns, then the length of each before its bytes."""
    numbers = np.asarray(record.embedding, np.float32).astype(">f2")
    return b"".join(
        (
            _COLUMNS,
            *_sized(record.id.encode()),
            *_sized(b"\1" + record.attributes.encode()),  # the version of jsonb's binary form
            *_sized(_VECTOR.pack(numbers.size, 0) + numbers.tobytes()),
            *_sized(record.thumbnail),
            *_sized(record.original),
            *_sized(
                None
                if record.box is None
                else _BOX.pack(1, 0, _INTEGER, 4, 1, *(n for x in record.box for n in (4, x)))
            ),
            *_sized(record.digest),
        )
    )


def _sized(value: bytes | None) -> tuple[bytes, bytes]:
    return (_NULL, b"") if value is None else (_LENGTH.pack(len(value)), value)


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
