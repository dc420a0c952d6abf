"""nearDupsInsert: a record is stored only if nothing within a radius of it is."""

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.db import locks
from app.db.engine import Connection, Database, partition
from app.db.loader import query
from app.db.records import NewRecord, insert_with
from app.db.search.statements import compare
from app.domain.collections import Collection
from app.domain.jsontext import dumps, loads
from app.domain.records import Fields, Found
from app.domain.windows import Window
from app.search.request import Query, half

# Near duplicates that are named as the reason of a skipped record.
_NAMED = 10
# Records within the radius whose thumbnails are looked at, nearest first: a copy is among the nearest, and each takes
# some milliseconds, while other such inserts wait.
_VERIFIED = 500

Same = Callable[[bytes, bytes], bool]
"""Says whether two thumbnails may show the same picture."""


@dataclass(frozen=True, slots=True)
class NearDuplicateCheck:
    """A record within `radius` counts as a near duplicate if its thumbnail may be of the `same` picture.

    The radius alone decides where `same` is None, or one of the two has no thumbnail. `fields` chooses
    what is returned of each near duplicate. With `report` such a record is stored all the same.
    """

    radius: float
    fields: Fields
    same: Same | None
    report: bool = False


Write = Callable[[Connection, Sequence[NewRecord]], set[str]]
"""Writes records inside a transaction and returns the ids of those that were written; it may be called again."""

Then = Callable[[Connection, set[str], dict[str, list[Found]]], None]
"""Is given, inside the transaction, the ids that were stored, and the near duplicates by id."""


def insert(
    db: Database,
    collection: Collection,
    records: Sequence[NewRecord],
    check: NearDuplicateCheck,
    refused: dict[str, str] | None = None,
    replace: Write | None = None,
    then: Then = lambda *_: None,
    replaces: bool | None = None,
) -> tuple[set[str], dict[str, list[Found]]]:
    """Store the records that have no near duplicate, stored or earlier among them, in one transaction.

    Returns the ids that were stored and, for each record that was not because of its looks, the near duplicates.
    A record that the database refuses is left out, and `refused` says why, by id; without it, that is an error.
    With `replace`, which writes them then, records may take the place of stored ones of their ids, and those are no
    near duplicates of what comes in their place or after it. With `replaces`
    false, what it writes takes the place of nothing. `then` is called at the end of the transaction.

    Raises:
        CapacityExceeded: they would take the collection over its capacity; nothing is stored.

    """

    def insert_some(connection: Connection, some: Sequence[NewRecord]) -> set[str]:
        return insert_with(connection, collection, some, refused)

    write = replace or insert_some
    over = replace is not None if replaces is None else replaces

    def work(connection: Connection) -> tuple[set[str], dict[str, list[Found]]]:
        locks.wait_for(connection, locks.NEAR_DUPLICATE_INSERT, collection)
        accepted, near = _decided(connection, collection, waiting, check, replaces=over)
        # One statement for all of them locks ids in the order of all inserts.
        stored = write(connection, accepted) if accepted else set()
        if lost := {record.id for record in accepted} - stored:
            raise _Lost(lost)
        then(connection, stored, near)
        return stored, near

    waiting = list(records)
    while True:
        try:
            return db.write(work)
        except _Lost as error:
            # What is held back for a record that is lost after all is decided anew, without it: it may stand in the
            # database now, as a near duplicate like any other. All is let go before, so that the order of ids holds
            # then as well.
            waiting = [record for record in waiting if record.id not in error.ids]


class _Lost(Exception):
    """Ids that another request took, or deleted, since they were looked for, or that the database refused."""

    def __init__(self, ids: set[str]) -> None:
        super().__init__()
        self.ids = ids


def _decided(
    connection: Connection,
    collection: Collection,
    records: Sequence[NewRecord],
    check: NearDuplicateCheck,
    *,
    replaces: bool,
) -> tuple[list[NewRecord], dict[str, list[Found]]]:
    """Return the records that have no near duplicate, and the near duplicates of the others, by id."""
    accepted: list[NewRecord] = []
    refused: dict[str, list[Found]] = {}
    for record in records:
        # What is being replaced is as good as gone.
        gone = {record.id, *(other.id for other in accepted)} if replaces else set()
        near = _stored_near_duplicates(connection, collection, record, check, gone)
        near += _near_duplicates_among(accepted, collection, record, check)
        if near:
            refused[record.id] = sorted(near, key=lambda found: (found.distance or 0.0, found.id))[:_NAMED]
        if not near or check.report:
            accepted.append(record)
    return accepted, refused


def _stored_near_duplicates(
    connection: Connection, collection: Collection, record: NewRecord, check: NearDuplicateCheck, gone: Set[str]
) -> list[Found]:
    for start, end in ((0, _NAMED), (_NAMED, _VERIFIED)):
        window = Window(end - start, start)
        near = compare(Query(collection, window, check.fields, what=record.embedding, radius=check.radius))
        rows = connection.execute(near.text, near.values).fetchall()
        found = [Found(row["id"], row["attributes"], row["distance"]) for row in rows if row["id"] not in gone]
        confirmed = found if check.same is None else _confirmed(connection, collection, record, found, check.same)
        if confirmed or len(rows) < end - start:
            return confirmed[:_NAMED]
    return []


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


def _near_duplicates_among(
    accepted: Sequence[NewRecord], collection: Collection, record: NewRecord, check: NearDuplicateCheck
) -> list[Found]:
    found = []
    for other in accepted:
        distance = collection.distance_scale * (1.0 - _cosine(record.embedding, other.embedding))
        if distance <= check.radius and _may_be_the_same(record.thumbnail, other.thumbnail, check.same):
            found.append(Found(other.id, _picked(other.attributes, check.fields), max(0.0, distance)))
    return found


def _may_be_the_same(one: bytes | None, other: bytes | None, same: Same | None) -> bool:
    return one is None or other is None or same is None or same(one, other)


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
