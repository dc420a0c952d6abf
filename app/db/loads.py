"""Bulk writes: COPY into a temporary table, from there into the partition: past taken ids, or in their place."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple

from psycopg import sql

from app.db.engine import Connection, Database, partition
from app.db.loader import query
from app.db.records import NewRecord, check_capacity, halfvec_text, take_turns
from app.db.refusals import write_each
from app.domain.collections import Collection
from app.domain.errors import InvalidRequest

_PAGE = 1000


class Written(NamedTuple):
    """What became of records, by id. An id in none of these was taken already.

    `stored` are new. Of those that were stored before, `replaced` have another picture now, `updated` other attributes
    alone, and `same` were as they came. `refused` says why the database took others not.
    """

    stored: set[str]
    refused: dict[str, str]
    replaced: frozenset[str] = frozenset()
    updated: frozenset[str] = frozenset()
    same: frozenset[str] = frozenset()


class Content(NamedTuple):
    """What a stored record's picture is known by: its SHA-256, None where it is not known, and the part in use."""

    digest: bytes | None
    box: tuple[int, ...] | None


def copy(db: Database, collection: Collection, records: Sequence[NewRecord]) -> int:
    """Do what `store` does; return how many records were stored.

    Raises:
        InvalidRequest: the database refused one; the others are stored.

    """
    written = store(db, collection, records)
    for own, reason in written.refused.items():
        raise InvalidRequest(f"{own}: {reason}")
    return len(written.stored)


def store(db: Database, collection: Collection, records: Sequence[NewRecord], *, replace: bool = False) -> Written:
    """Store records in one transaction, by COPY. A refused record is left out.

    A taken id is passed over; with `replace`, the record takes the place of the stored one, whole: its picture, vector,
    attributes, thumbnail and kept picture.

    Raises:
        CapacityExceeded: they would take the collection over its capacity; nothing is stored.

    """
    return db.write(lambda connection: _copy(connection, collection, records, replace=replace))


def _copy(connection: Connection, collection: Collection, records: Sequence[NewRecord], *, replace: bool) -> Written:
    take_turns(connection, collection)
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
    ids = sorted(record.id for record in records)
    before: dict[str, tuple[bool, bool]] = {}
    work = partial(_replace, connection, collection, before) if replace else partial(_insert, connection, collection)
    done, refused = write_each(connection, ids, work, str)
    check_capacity(connection, collection)
    old = {own: before[own] for own in done if own in before}
    return Written(
        done - old.keys(),
        refused,
        frozenset(own for own, (picture, _) in old.items() if not picture),
        frozenset(own for own, (picture, attributes) in old.items() if picture and not attributes),
        frozenset(own for own, both in old.items() if all(both)),
    )


def _insert(connection: Connection, collection: Collection, ids: Sequence[str]) -> list[str]:
    """Store some of the records that were copied; return the ids that were not taken."""
    text = query("loads", "insert").render(records=partition("records", collection), incoming="incoming")
    rows = connection.execute(text, {"collection_id": collection.id, "ids": list(ids)}).fetchall()
    taken = [str(row["id"]) for row in rows]
    _store_pictures(connection, collection, taken)
    return taken


def _replace(
    connection: Connection, collection: Collection, before: dict[str, tuple[bool, bool]], ids: Sequence[str]
) -> list[str]:
    """Store some of the records that were copied, in the place of stored ones; return all their ids.

    `before` takes down of each stored record whether its picture and its attributes are as they came. Records that
    others insert or delete at the same moment are met by inserting first: what is taken then is there to be locked,
    but for one that is deleted in between, which is inserted at the next try.
    """
    spans = {"records": partition("records", collection), "incoming": "incoming"}
    left = list(ids)
    while left:
        new = set(_insert(connection, collection, left))
        values = {"collection_id": collection.id, "ids": [own for own in left if own not in new]}
        rows = connection.execute(query("loads", "compare").render(**spans), values).fetchall()
        found = {str(row["id"]): (bool(row["same_picture"]), bool(row["same_attributes"])) for row in rows}
        before.update(found)
        changed = [own for own, same in found.items() if not all(same)]
        values = {"collection_id": collection.id, "ids": list(found), "changed": changed}
        connection.execute(query("loads", "replace").render(**spans), values)
        other_pictures = [own for own, (picture, _) in found.items() if not picture]
        _remove_pictures(connection, collection, other_pictures)
        _store_pictures(connection, collection, list(found))
        left = [own for own in left if own not in new and own not in found]
    return list(ids)


def _remove_pictures(connection: Connection, collection: Collection, ids: Sequence[str]) -> None:
    for name in ("thumbnails", "originals"):
        connection.execute(
            sql.SQL("DELETE FROM lookalike.{} WHERE id = ANY (%s)").format(sql.Identifier(f"{name}_{collection.id}")),
            (list(ids),),
        )


def _store_pictures(connection: Connection, collection: Collection, ids: Sequence[str]) -> None:
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


def contents(db: Database, collection: Collection, ids: Sequence[str]) -> dict[str, Content]:
    """Return what the pictures of the stored ones of these records are known by, by id."""
    text = query("loads", "contents").render(
        records=partition("records", collection), originals=partition("originals", collection)
    )
    values = {"collection_id": collection.id, "ids": list(ids)}
    rows = db.read(lambda connection: connection.execute(text, values).fetchall())
    return {
        row["id"]: Content(
            None if row["digest"] is None else bytes(row["digest"]), None if row["box"] is None else tuple(row["box"])
        )
        for row in rows
    }


def refresh(
    db: Database, collection: Collection, attributes: Mapping[str, str], made: Sequence[str], most: int
) -> set[str]:
    """Give stored records other attributes; return the ids of those whose attributes were not so already.

    Args:
        db: the database.
        collection: the records' collection.
        attributes: the attributes as JSON text, by id.
        made: fields that are made of a picture, and stay where the new attributes have none of them.
        most: bytes that the attributes may have as text; what is longer stays as it is.

    """
    text = query("loads", "refresh").render(records=partition("records", collection))
    values = {
        "collection_id": collection.id,
        "ids": list(attributes),
        "attributes": list(attributes.values()),
        "made": list(made),
        "most": most,
    }
    return {row["id"] for row in db.write(lambda connection: connection.execute(text, values).fetchall())}


def moment(db: Database) -> datetime:
    """Return this moment, by the database's clock."""
    row = db.read(lambda connection: connection.execute(query("loads", "moment").render()).fetchone())
    found: datetime = (row or {})["moment"]
    return found


def older(db: Database, collection: Collection, before: datetime) -> Iterator[list[str]]:
    """Yield the ids of all records that were stored before a moment, in their order, a thousand at a time."""
    text = query("loads", "missing").render(records=partition("records", collection), limit=f"{_PAGE:d}")
    after = ""
    while page := db.read(partial(_page, text, {"collection_id": collection.id, "after": after, "moment": before})):
        yield page
        after = page[-1]


def _page(text: str, values: Mapping[str, object], connection: Connection) -> list[str]:
    return [row["id"] for row in connection.execute(text, values).fetchall()]
