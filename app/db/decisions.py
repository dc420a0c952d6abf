"""Groups of duplicates, decisions about them, and the trash: one function for each SQL function that does the work."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from psycopg import errors

from app.db import records
from app.db.engine import Connection, Database, partition, table_of
from app.db.loader import query
from app.domain.collections import Collection
from app.domain.errors import CapacityExceeded, Conflict, InvalidRequest
from app.domain.jsontext import dumps, loads_stored, stored_bytes
from app.domain.records import Json

State = Literal["open", "dismissed", "all"]
Order = Literal["size", "nearness", "age"]
_ORDERS = {
    "size": "g.size DESC, g.weakest, g.members",
    "nearness": "g.weakest, g.size DESC, g.members",
    "age": "(SELECT max(r.created_at) FROM {records} AS r"
    " WHERE r.collection_id = %(collection_id)s AND r.id = ANY (g.members)) DESC, g.members",
}


@dataclass(frozen=True, slots=True)
class Group:
    """Records that hang together by pairs within a radius.

    Attributes:
        members: their ids, in order.
        weakest: the distance of the farthest pair that holds them together.
        widest: the greatest distance of their pairs.
        complete: whether every two are within the radius; where not, the group is a chain.
        decision: the decision that dismissed the group; None: nobody did.
        newest: when the last of its records was stored.
        suggestion: the one to keep, where rules are given.
        reason: the rule that decided.

    """

    members: list[str]
    weakest: float
    widest: float
    complete: bool
    decision: int | None
    newest: datetime | None
    suggestion: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Page:
    """A page of groups, with the numbers of all groups and of the records in them."""

    groups: list[Group]
    total: int
    records: int


@dataclass(frozen=True, slots=True)
class Pair:
    """Two records within the radius, by the model or by hash; `same_file`: both were made of the same bytes.

    `distance` is the model's; `hash_distance` that of the perceptual hashes, None where one of the two has none.
    """

    one: str
    other: str
    distance: float
    hash_distance: float | None
    same_file: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision about a group, and whether it was undone.

    `restored` are those of the removed that came back; `trashed` has the numbers of those that are in the trash.
    """

    decision: int
    kind: str
    members: list[str]
    removed: list[str]
    reason: str | None
    merged: dict[str, Any] | None
    made_at: datetime
    made_by: str
    undone_at: datetime | None
    undone_by: str | None
    restored: list[str]
    trashed: dict[str, int]


@dataclass(frozen=True, slots=True)
class Trashed:
    """A record in the trash: `attributes` is JSON text; `number` orders the trash, the latest last."""

    number: int
    id: str
    attributes: str
    removed_at: datetime
    removed_by: str
    purge_at: datetime
    decision: int | None


def groups(
    db: Database,
    collection: Collection,
    *,
    radius: float,
    state: State = "open",
    order: Order = "size",
    offset: int = 0,
    limit: int = 20,
    member: str | None = None,
    rules: Json = None,
) -> Page:
    """Return a page of groups.

    Args:
        db: the database.
        collection: whose pairs are stored.
        radius: at most that of the scan.
        state: which groups.
        order: the largest first, the nearest, or those with the newest record.
        offset: groups that are passed over.
        limit: groups of a page.
        member: a record that must be one of the group.
        rules: by which a record to keep is suggested; None: none is.

    Raises:
        InvalidRequest: a rule is none.

    """
    table = partition("records", collection)
    text = query("duplicates", "groups").render(ranking=_ORDERS[order].format(records=table), records=table)
    values = {
        "collection_id": collection.id,
        "name": collection.name,
        "radius": radius,
        "state": state,
        "member": member,
        "offset": offset,
        "end": offset + limit,
        "rules": None if rules is None else dumps(rules),
    }
    rows = db.read(lambda connection: _run(connection, text, values))
    found = [
        Group(
            row["members"],
            row["weakest"],
            row["widest"],
            row["complete"],
            row["decision"],
            row["newest"],
            row["suggestion"],
            row["reason"],
        )
        for row in rows
        if row["members"] is not None
    ]
    return Page(found, int(rows[0]["groups"]), int(rows[0]["records"]))


def pairs(db: Database, collection: Collection, ids: Sequence[str], radius: float, limit: int) -> list[Pair]:
    """Return the direct pairs among some records within a radius, nearest first."""
    text = query("duplicates", "pairs").render(records=partition("records", collection), limit=f"{limit:d}")
    rows = db.all(text, {"collection_id": collection.id, "ids": list(ids), "radius": radius})
    return [Pair(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class Resolution:
    """What is decided of a group.

    Attributes:
        keep: the ids that stay, one at least.
        remove: those that go into the trash, one at least.
        merge: rules by which the attributes of the removed are merged into the one that stays; None: not at all.
        reason: why, for the record.
        open_only: whether it is refused where somebody has said that they are no duplicates.

    """

    keep: Sequence[str]
    remove: Sequence[str]
    merge: Mapping[str, Json] | None = None
    reason: str | None = None
    open_only: bool = False


def resolve(
    db: Database, collection: Collection, given: Resolution, days: float, made_by: str, max_attributes_bytes: int
) -> int:
    """Keep some records of a group and move the others into the trash; return the number of the decision.

    Raises:
        InvalidRequest: the resolution is none, or the merged attributes take more than they may; nothing is changed.
        Conflict: one of the records is not stored any more, one that is removed is in no group with one that is kept,
            or the group was dismissed; nothing is changed.

    """
    values = {
        "name": collection.name,
        "keep": list(given.keep),
        "remove": list(given.remove),
        "merge": None if given.merge is None else dumps(given.merge),
        "days": days,
        "reason": given.reason,
        "made_by": made_by,
    }
    text = query("duplicates", "resolve").render()

    def work(connection: Connection) -> int:
        kept = list(given.keep[:1]) if given.merge is not None else []
        before = records.attributes(connection, collection, kept) if kept else {}
        decision = int(_run(connection, text, values)[0]["decision"])
        if given.open_only:  # asked once the records are locked, as a dismissal locks them, too
            _check_open(connection, collection, [*given.keep, *given.remove])
        after = records.attributes(connection, collection, kept) if kept else {}
        for one, merged in after.items():
            check_merged(_size(before.get(one, "{}")), _size(merged), max_attributes_bytes)
        return decision

    return db.write(work)


def _check_open(connection: Connection, collection: Collection, members: list[str]) -> None:
    text = query("duplicates", "dismissed").render()
    values = {"collection_id": collection.id, "records": table_of(collection), "members": members}
    for row in _run(connection, text, values):
        raise Conflict(f"decision {row['decision']} by {row['made_by']} says that these are no duplicates")


def check_merged(before: int, after: int, max_bytes: int) -> None:
    """Refuse attributes that a merge lets grow beyond what an insert may bring; numbers of bytes.

    Those that are larger already, as SQL may have made them, may shrink.

    Raises:
        InvalidRequest: they do.

    """
    if after > max(before, max_bytes):
        raise InvalidRequest(f"the merged attributes would take {after} bytes, and at most {max_bytes} can be stored")


def _size(attributes: str) -> int:
    stored = loads_stored(attributes)
    assert isinstance(stored, dict)  # noqa: S101  (a constraint of the table)
    return stored_bytes(stored)


def check_merge(db: Database, merge: Mapping[str, Json]) -> None:
    """Refuse rules of a merge that are none.

    Raises:
        InvalidRequest: a rule is none.

    """
    text = query("duplicates", "check_merge").render()
    db.read(lambda connection: _run(connection, text, {"merge": dumps(merge)}))


def preview(
    db: Database, collection: Collection, given: Resolution, max_attributes_bytes: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the attributes of the record that stays before and after a merge: what `resolve` would do, or refuse.

    Raises:
        InvalidRequest: the resolution is none, or the merged attributes take more than they may.
        Conflict: one of the records is not stored, or one that is removed is in no group with one that is kept.

    """
    text = query("duplicates", "preview").render()
    values = {
        "name": collection.name,
        "keep": list(given.keep),
        "remove": list(given.remove),
        "merge": None if given.merge is None else dumps(given.merge),
    }
    row = db.read(lambda connection: _run(connection, text, values))[0]
    before, after = row["before"], row["after"]
    check_merged(stored_bytes(before), stored_bytes(after), max_attributes_bytes)
    return before, after


def check_rules(db: Database, collection: Collection, rules: Json) -> None:
    """Refuse rules of which record is kept that are none.

    Raises:
        InvalidRequest: one is none; the message names its place.

    """
    text = query("duplicates", "check_rules").render()
    db.read(lambda connection: _run(connection, text, {"name": collection.name, "rules": dumps(rules)}))


def dismiss(db: Database, collection: Collection, members: Sequence[str], reason: str | None, made_by: str) -> int:
    """Say that records are no duplicates of each other; return the number of the decision.

    Raises:
        InvalidRequest: there are less than two.
        Conflict: one of them is not stored any more.

    """
    values = {"name": collection.name, "members": list(members), "reason": reason, "made_by": made_by}
    return int(_write(db, "dismiss", values)[0]["decision"])


def undo(db: Database, collection: Collection, decision: int, undone_by: str) -> dict[str, str]:
    """Undo a decision; return what became of each record that it had removed, by id, as `restore` does.

    Raises:
        InvalidRequest: there is no such decision.
        Conflict: it was undone already.
        CapacityExceeded: the collection would hold too many; nothing is undone.

    """
    values = {"name": collection.name, "decision": decision, "undone_by": undone_by}
    return {row["id"]: row["outcome"] for row in _write(db, "undo", values)}


def decisions(db: Database, collection: Collection, limit: int, before: int | None = None) -> list[Decision]:
    """Return decisions, the latest first, those before a number."""
    text = query("duplicates", "decisions").render(limit=f"{limit:d}")
    return [Decision(**row) for row in db.all(text, {"collection_id": collection.id, "before": before})]


def remove(db: Database, collection: Collection, ids: Sequence[str], days: float, removed_by: str) -> list[str]:
    """Move records into the trash; return the ids of those that were stored."""
    values = {"name": collection.name, "ids": list(ids), "days": days, "removed_by": removed_by}
    return list(_write(db, "remove", values)[0]["removed"])


def restore(db: Database, collection: Collection, ids: Sequence[str]) -> dict[str, str]:
    """Bring records back from the trash; return what became of each, as `sql/functions/501_…` has it.

    Raises:
        CapacityExceeded: the collection would hold too many; none comes back.

    """
    return {row["id"]: row["outcome"] for row in _write(db, "restore", {"name": collection.name, "ids": list(ids)})}


def purge(db: Database, collection: Collection, ids: Sequence[str] | None = None) -> int:
    """Delete records in the trash for good, all where no ids are named; return their number."""
    values = {"name": collection.name, "ids": list(ids or ()), "everything": ids is None}
    return int(_write(db, "purge", values)[0]["purged"])


def purge_due(db: Database, limit: int) -> int:
    """Delete up to `limit` records that can come back no longer, of all collections; return their number."""
    text = query("duplicates", "purge_due").render(limit=f"{limit:d}")
    return int(db.write(lambda connection: _run(connection, text, {}))[0]["purged"])


def trashed(db: Database, collection: Collection, limit: int, before: int | None = None) -> list[Trashed]:
    """Return records in the trash, the latest first, those before a number."""
    text = query("duplicates", "trashed").render(limit=f"{limit:d}")
    return [Trashed(**row) for row in db.all(text, {"collection_id": collection.id, "before": before})]


def count_trashed(db: Database, collection: Collection) -> int:
    """Return how many records are in the trash."""
    row = db.one(query("duplicates", "count_trashed").render(), {"collection_id": collection.id})
    return 0 if row is None else int(row["records"])


def _write(db: Database, name: str, values: Mapping[str, object]) -> list[dict[str, Any]]:
    text = query("duplicates", name).render()
    return db.write(lambda connection: _run(connection, text, values))


def _run(connection: Connection, text: str, values: Mapping[str, object]) -> list[dict[str, Any]]:
    """Run a statement that calls one of the SQL functions; what they refuse is said in their own words.

    The messages of these classes hold nothing but what the caller sent.
    """
    try:
        return list(connection.execute(text, values).fetchall())
    except (errors.InvalidParameterValue, errors.NoDataFound) as error:
        raise InvalidRequest(error.diag.message_primary or "") from error
    except errors.ObjectNotInPrerequisiteState as error:
        raise Conflict(error.diag.message_primary or "") from error
    except errors.ProgramLimitExceeded as error:
        raise CapacityExceeded(error.diag.message_primary or "") from error
