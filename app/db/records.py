"""Records of one collection: one function for each named query of `sql/queries/records.sql`."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from app.db.engine import Connection, Database, partition, table_of, unexpired
from app.db.loader import query
from app.db.refusals import write_each
from app.db.spread import chosen, lock_in_turn
from app.domain.collections import Collection
from app.domain.errors import CapacityExceeded
from app.domain.expiry import is_first_to_expire
from app.domain.jsontext import dumps
from app.domain.records import Fields, Found
from app.domain.wording import counted


@dataclass(frozen=True, slots=True)
class NewRecord:
    """A record to store: `attributes` is JSON text, `embedding` a float32 vector of the collection's dimension.

    `original` is the picture as it came, None where it is not kept; `box` the part of it that is the record's, None
    for all of it; `digest` the SHA-256 of the picture, None where it is not known.
    """

    id: str
    attributes: str
    embedding: NDArray[np.float32]
    thumbnail: bytes | None = None
    original: bytes | None = None
    box: tuple[int, int, int, int] | None = None
    digest: bytes | None = None


def fields_sql(fields: Fields, alias: str = "r") -> str:
    """Return the SQL expression, on the row `alias`, that the span `fields` stands for."""
    if fields.only_id:
        return "NULL::jsonb"
    return f"{alias}.attributes" if fields.everything else f"lookalike.pick({alias}.attributes, %(fields)s)"


def halfvec_text(vector: NDArray[np.float32]) -> str:
    """Return a vector in pgvector's text form."""
    return "[" + ",".join(map(repr, np.asarray(vector, np.float32).tolist())) + "]"


def existing(db: Database, collection: Collection, ids: Sequence[str]) -> set[str]:
    """Return which of these ids are stored."""
    text = query("records", "existing").render(records=partition("records", collection))
    values = {"collection_id": collection.id, "ids": list(ids)}
    return {row["id"] for row in db.all(text, values)}


def files(db: Database, collection: Collection, ids: Sequence[str]) -> dict[str, str]:
    """Return the `_file` of those of these records that are stored and have one, by id."""
    text = query("records", "files").render(records=partition("records", collection))
    values = {"collection_id": collection.id, "ids": list(ids)}
    return {row["id"]: row["file"] for row in db.all(text, values)}


def insert(
    db: Database, collection: Collection, records: Sequence[NewRecord], refused: dict[str, str] | None = None
) -> set[str]:
    """Store new records in one transaction and return the ids that were stored; a taken id is passed over.

    A record that the database refuses is left out, and `refused` says why, by id; without it, that is an error.

    Raises:
        CapacityExceeded: they would take the collection over its capacity; nothing is stored.

    """
    return db.write(lambda connection: insert_with(connection, collection, records, refused))


def insert_with(
    connection: Connection,
    collection: Collection,
    records: Sequence[NewRecord],
    refused: dict[str, str] | None = None,
) -> set[str]:
    """Do what `insert` does, inside a transaction of the caller's."""
    take_turns(connection, collection, records)
    if refused is None:
        stored = _insert(connection, collection, records)
    else:
        work = partial(_insert, connection, collection)
        # In order: where they are written in parts, so are the locks of their ids.
        ordered = sorted(records, key=lambda record: record.id)
        stored, wrong = write_each(connection, ordered, work, lambda record: record.id)
        refused.update(wrong)
    if stored:
        check_capacity(connection, collection)
    return stored


def _insert(connection: Connection, collection: Collection, records: Sequence[NewRecord]) -> set[str]:
    name = table_of(collection)
    values = {
        "collection_id": collection.id,
        "ids": [record.id for record in records],
        "attributes": [record.attributes for record in records],
        "embeddings": [halfvec_text(record.embedding) for record in records],
        "digests": [record.digest for record in records],
    }
    rows = connection.execute(query("records", "insert").render(records=name), values).fetchall()
    stored = {str(row["id"]) for row in rows}
    _insert_pictures(connection, collection, [record for record in records if record.id in stored])
    return stored


def _insert_pictures(connection: Connection, collection: Collection, records: Sequence[NewRecord]) -> None:
    thumbnails = [record for record in records if record.thumbnail is not None]
    if thumbnails:
        connection.execute(
            query("records", "insert_thumbnails").render(thumbnails=partition("thumbnails", collection)),
            {
                "collection_id": collection.id,
                "ids": [record.id for record in thumbnails],
                "webps": [record.thumbnail for record in thumbnails],
            },
        )
    originals = [record for record in records if record.original is not None or record.box is not None]
    if originals:
        connection.execute(
            query("records", "insert_originals").render(originals=partition("originals", collection)),
            {
                "collection_id": collection.id,
                "ids": [record.id for record in originals],
                "pictures": [record.original for record in originals],
                "boxes": [None if record.box is None else dumps(record.box) for record in originals],
            },
        )


def take_turns(connection: Connection, collection: Collection, records: Sequence[NewRecord]) -> None:
    """Begin an insert: see that those of its ids are free whose records have expired.

    Inserts into a collection with a capacity take turns from here on: insert and count are then one step.
    """
    if collection.capacity is not None:
        connection.execute(query("collections", "lock").render(), {"id": collection.id})
    if lock_first_expiry(connection, collection, [record.attributes for record in records]) or collection.expires:
        text = chosen(collection, "expiry", "make_room").render(records=table_of(collection))
        connection.execute(text, {"collection_id": collection.id, "ids": [record.id for record in records]})


def lock_first_expiry(connection: Connection, collection: Collection, attributes: Iterable[Container[str]]) -> bool:
    """Lock the collection, before any record, where the first one that expires comes; return whether that is so.

    The trigger that notes it would lock it later, and two callers, each with records of the other's, could wait for
    each other. `attributes` are as `is_first_to_expire` takes them.
    """
    first = is_first_to_expire(collection, attributes)
    if first:
        connection.execute(query("collections", "lock").render(), {"id": collection.id})
    return first


def check_capacity(connection: Connection, collection: Collection) -> None:
    """Undo the transaction's inserts where they took a collection over its capacity.

    Raises:
        CapacityExceeded: they did.

    """
    if collection.capacity is not None:
        text = query("records", "more_than").render(records=partition("records", collection))
        row = connection.execute(text, {"rows": collection.capacity}).fetchone()
        if row is None or row["more"]:
            raise CapacityExceeded(f"the collection holds at most {counted(collection.capacity, 'record')}")


def get(db: Database, collection: Collection, ids: Sequence[str], fields: Fields) -> dict[str, Found]:
    """Return the stored ones of these records, by id."""
    text = query("records", "get").render(records=partition("records", collection), fields=fields_sql(fields))
    values = {"collection_id": collection.id, "ids": list(ids), "fields": list(fields.names)}
    return {row["id"]: Found(row["id"], row["attributes"]) for row in db.all(text, values)}


def written_with(
    connection: Connection, collection: Collection, ids: Sequence[str], fields: Fields
) -> dict[str, Found]:
    """Return records that the caller's transaction wrote, by id, also those whose moment to expire is past already."""
    text = query("records", "get").render(records=table_of(collection), fields=fields_sql(fields))
    values = {"collection_id": collection.id, "ids": list(ids), "fields": list(fields.names)}
    return {row["id"]: Found(row["id"], row["attributes"]) for row in connection.execute(text, values).fetchall()}


def delete(db: Database, collection: Collection, ids: Sequence[str]) -> set[str]:
    """Delete records and return the ids that were there."""
    text = chosen(collection, "records", "delete").render(records=table_of(collection), live=unexpired(collection))
    values = {"collection_id": collection.id, "ids": list(ids)}
    return {row["id"] for row in db.write(lambda connection: connection.execute(text, values).fetchall())}


@dataclass(frozen=True, slots=True)
class Patch:
    """A change of attributes: `values` is the JSON text of what is set, `removed` the JSON text of a list of keys."""

    values: str
    removed: str


@dataclass(frozen=True, slots=True)
class Locked:
    """An update must know these of a stored record: its `_url` and `_file`, and the bytes of its attributes as text."""

    picture: Mapping[str, object]
    bytes: int


def lock(connection: Connection, collection: Collection, ids: Sequence[str]) -> dict[str, Locked]:
    """Lock the stored ones of these records for an update; return what it must know of them, by id."""
    if collection.spread:
        rows = lock_in_turn(connection, collection, partition("records", collection), ids)
    else:
        text = query("records", "lock").render(records=partition("records", collection))
        rows = connection.execute(text, {"collection_id": collection.id, "ids": list(ids)}).fetchall()
    return {row["id"]: Locked({"_url": row["url"], "_file": row["file"]}, row["bytes"]) for row in rows}


def attributes(connection: Connection, collection: Collection, ids: Sequence[str]) -> dict[str, str]:
    """Return the attributes of records as JSON text, by id, inside a transaction of the caller's."""
    text = query("records", "get").render(records=partition("records", collection), fields="r.attributes")
    rows = connection.execute(text, {"collection_id": collection.id, "ids": list(ids)}).fetchall()
    return {row["id"]: row["attributes"] for row in rows}


def update(
    connection: Connection, collection: Collection, patches: Mapping[str, Patch], fields: Fields
) -> dict[str, Found]:
    """Merge patches into stored records; return the records as they are then, by id."""
    text = query("records", "update").render(
        records=table_of(collection),
        fields=fields_sql(fields),
    )
    values = {
        "collection_id": collection.id,
        "ids": list(patches),
        "values": [patch.values for patch in patches.values()],
        "removed": [patch.removed for patch in patches.values()],
        "fields": list(fields.names),
    }
    rows = connection.execute(text, values).fetchall()
    return {row["id"]: Found(row["id"], row["attributes"]) for row in rows}


def count(db: Database, collection: Collection) -> int:
    """Return the number of records, exactly."""
    text = query("records", "count").render(records=partition("records", collection))
    row = db.one(text)
    return 0 if row is None else int(row["records"])


def thumbnail(db: Database, collection: Collection, record_id: str) -> bytes | None:
    """Return a record's thumbnail (WebP), None where there is none."""
    text = query("records", "thumbnail").render(thumbnails=partition("thumbnails", collection))
    values = {"collection_id": collection.id, "id": record_id}
    row = db.one(text, values)
    return None if row is None else bytes(row["webp"])


def original(db: Database, collection: Collection, record_id: str) -> bytes | None:
    """Return a record's picture as it came; None where it is not kept."""
    text = query("records", "original").render(originals=partition("originals", collection))
    values = {"collection_id": collection.id, "id": record_id}
    row = db.one(text, values)
    return None if row is None or row["picture"] is None else bytes(row["picture"])


def any_id(db: Database, collection: Collection) -> str | None:
    """Return the first `_id` of a collection; None where it is empty."""
    text = query("records", "first_id").render(records=partition("records", collection))
    row = db.one(text)
    return None if row is None else str(row["id"])
