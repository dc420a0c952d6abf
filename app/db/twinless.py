"""nearDupsInsert: a record is stored only if nothing within a radius of it is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.db.engine import Connection, Database, partition
from app.db.loader import query
from app.db.records import NewRecord, insert_with
from app.db.target import Target, half, statement
from app.domain.collections import Collection
from app.domain.jsontext import dumps, loads
from app.domain.records import Fields, Found
from app.domain.windows import Window

# The advisory lock of such inserts is (this number, id of the collection): they take turns, so that two at once cannot
# both miss the other's twin. Searches and plain inserts do not wait for it.
_LOCK_SPACE = 42_072
# Near duplicates that are named as the reason of a skipped record.
_NAMED = 10
# Stored records whose thumbnails are looked at together, once none of the nearest ten was confirmed.
_AT_ONCE = 200

Same = Callable[[bytes, bytes], bool]
"""Whether two thumbnails may show the same picture."""


@dataclass(frozen=True, slots=True)
class Twins:
    """What counts as a near duplicate: a record within `radius` whose thumbnail may be of the `same` picture.

    Where one of the two has no thumbnail, the radius alone decides. `fields` of each near duplicate are told.
    """

    radius: float
    fields: Fields
    same: Same


def insert(
    db: Database,
    collection: Collection,
    records: Sequence[NewRecord],
    twins: Twins,
    refused: dict[str, str] | None = None,
) -> tuple[set[str], dict[str, list[Found]]]:
    """Store the records that have no near duplicate, stored or earlier among them, in one transaction.

    Returns the ids that were stored and, for each record that was not because of its looks, the near duplicates.
    A record that the database refuses is left out, and `refused` says why, by id; without it, that is an error.

    Raises:
        CapacityExceeded: they would take the collection over its capacity; nothing is stored.

    """

    def work(connection: Connection) -> tuple[set[str], dict[str, list[Found]]]:
        connection.execute("SELECT pg_advisory_xact_lock(%s, %s)", (_LOCK_SPACE, collection.id))
        stored: set[str] = set()
        near: dict[str, list[Found]] = {}
        waiting = list(records)
        while waiting:
            accepted, found = _decided(connection, collection, waiting, twins)
            # One statement for all of them, as a plain insert has: both lock ids in the same order, so that two of them
            # with the same ids never wait for each other.
            stored |= insert_with(connection, collection, accepted, refused) if accepted else set()
            # A twin whose id another request took meanwhile, or that the database refused, was not stored: what was
            # held back for it alone is looked at again.
            lost = {record.id for record in accepted} - stored
            waiting = [one for one in waiting if one.id in found and all(twin.id in lost for twin in found[one.id])]
            again = {one.id for one in waiting}
            near |= {own: twins_of for own, twins_of in found.items() if own not in again}
        return stored, near

    return db.write(work)


def _decided(
    connection: Connection, collection: Collection, records: Sequence[NewRecord], twins: Twins
) -> tuple[list[NewRecord], dict[str, list[Found]]]:
    """Return the records that have no near duplicate, and the near duplicates of the others, by id."""
    accepted: list[NewRecord] = []
    refused: dict[str, list[Found]] = {}
    for record in records:
        near = _stored_twins(connection, collection, record, twins)
        near += _twins_among(accepted, collection, record, twins)
        if near:
            refused[record.id] = sorted(near, key=lambda found: (found.distance or 0.0, found.id))[:_NAMED]
        else:
            accepted.append(record)
    return accepted, refused


def _stored_twins(connection: Connection, collection: Collection, record: NewRecord, twins: Twins) -> list[Found]:
    target = Target(collection, Window(_NAMED), twins.fields)
    values = {
        "scale": collection.distance_scale,
        "query": half(record.embedding),
        "radius": twins.radius,
        "fields": list(twins.fields.names),
    }
    start, size = 0, _NAMED
    while True:
        text = statement(target, "within", limit=f"{size:d}", offset=f"{start:d}")
        rows = connection.execute(text, values).fetchall()
        found = [Found(row["id"], row["attributes"], row["distance"]) for row in rows]
        confirmed = _confirmed(connection, collection, record, found, twins.same)
        if confirmed or len(rows) < size:
            return confirmed[:_NAMED]
        start, size = start + size, _AT_ONCE


def _confirmed(
    connection: Connection, collection: Collection, record: NewRecord, found: Sequence[Found], same: Same
) -> list[Found]:
    """Return the records whose thumbnails do not say that they show another picture."""
    if record.thumbnail is None or not found:
        return list(found)
    text = query("records", "thumbnails").render(thumbnails=partition("thumbnails", collection))
    values = {"collection_id": collection.id, "ids": [one.id for one in found]}
    small = {row["id"]: bytes(row["webp"]) for row in connection.execute(text, values).fetchall()}
    mine = record.thumbnail
    return [one for one in found if one.id not in small or same(mine, small[one.id])]


def _twins_among(accepted: Sequence[NewRecord], collection: Collection, record: NewRecord, twins: Twins) -> list[Found]:
    found = []
    for other in accepted:
        distance = collection.distance_scale * (1.0 - _cosine(record.embedding, other.embedding))
        unlike = record.thumbnail and other.thumbnail and not twins.same(record.thumbnail, other.thumbnail)
        if distance <= twins.radius and not unlike:
            found.append(Found(other.id, _picked(other.attributes, twins.fields), max(0.0, distance)))
    return found


def _cosine(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return the cosine of two vectors as they are stored: 16-bit floats."""
    first, second = (half(row).to_numpy().astype(np.float64) for row in (one, other))
    return float(first @ second / (np.linalg.norm(first) * np.linalg.norm(second)))


def _picked(attributes: str, fields: Fields) -> str | None:
    if fields.only_id:
        return None
    if fields.everything:
        return attributes
    values = loads(attributes)
    return dumps({name: values[name] for name in fields.names if name in values}) if isinstance(values, dict) else None
