"""Loads that bring stored records up to date: pictures are compared by digest or vector, attributes as JSON."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from psycopg import Rollback

from app.db import loads
from app.db.engine import Connection, Database, partition, table_of
from app.db.loader import query
from app.db.loads import COPIED, IncomingRows, Outcome, Written
from app.db.records import NewRecord, check_capacity, lock_first_expiry, take_turns
from app.db.refusals import write_unheld
from app.db.spread import chosen, lock_in_turn
from app.domain.collections import Collection

_PAGE = 1000


class Content(NamedTuple):
    """A stored record's picture is known by its SHA-256, None where it is not known, and by the part in use."""

    digest: bytes | None
    box: tuple[int, ...] | None


class Known(NamedTuple):
    """A stored record's picture, and what was made of it: its vector (float32) and its thumbnail (WebP)."""

    content: Content
    embedding: NDArray[np.float32]
    thumbnail: bytes | None


@dataclass(frozen=True, slots=True)
class Rules:
    """Stored records are brought up to date by these rules.

    `made` are the attributes that are made of a picture: they stay while it stays, unless new ones come. With those
    that stay, attributes may have `max_bytes` bytes as text. With `dry_run` nothing is written or locked. With
    `only_stored` no new record is stored.
    """

    made: Sequence[str]
    max_bytes: int
    dry_run: bool = False
    only_stored: bool = False


def store(db: Database, collection: Collection, records: Sequence[NewRecord], rules: Rules) -> Written:
    """Store records in one transaction, by COPY: new ones, and others in the place of the stored ones of their ids.

    One whose picture is another replaces vector, attributes, thumbnail and kept picture. One whose picture is the same
    gives its attributes; a vector that comes without a picture leaves the picture of the record whose vector it is.
    A refused record is left out. A dry run cannot know what the database would refuse.

    Raises:
        CapacityExceeded: they would take the collection over its capacity; nothing is stored.

    """

    def work(connection: Connection) -> Written:
        if rules.dry_run:
            with connection.transaction(force_rollback=True):  # the temporary table is all that it undoes
                loads.copy_in(connection, records)
                step = _Step(connection, collection, {record.id: record for record in records}, rules, COPIED)
                step.foresee(sorted(step.records))
            return Written(step.outcomes, step.refused)
        return store_copied(connection, collection, records, rules)

    return db.write(work)


def store_copied(connection: Connection, collection: Collection, records: Sequence[NewRecord], rules: Rules) -> Written:
    """Do what `store` does with many records, inside a transaction of the caller's; not for a dry run."""
    if rules.only_stored:
        lock_first_expiry(connection, collection, [record.attributes for record in records])
    else:
        take_turns(connection, collection, records)
    loads.copy_in(connection, records)
    return _stored(connection, collection, records, rules, COPIED)


def store_with(connection: Connection, collection: Collection, records: Sequence[NewRecord], rules: Rules) -> Written:
    """Do what `store` does with a few records, inside a transaction of the caller's."""
    if rules.only_stored:
        lock_first_expiry(connection, collection, [record.attributes for record in records])
    else:
        take_turns(connection, collection, records)
    return _stored(connection, collection, records, rules, loads.given(records))


def _stored(
    connection: Connection, collection: Collection, records: Sequence[NewRecord], rules: Rules, source: IncomingRows
) -> Written:
    step = _Step(connection, collection, {record.id: record for record in records}, rules, source)
    done, refused = write_unheld(connection, sorted(step.records), step.write)
    if "stored" in step.outcomes.values():
        check_capacity(connection, collection)
    outcomes = {record_id: outcome for record_id, outcome in step.outcomes.items() if record_id in done}
    return Written(outcomes, step.refused | refused)


@dataclass(frozen=True, slots=True)
class _Step:
    """Incoming records, and what became of them; a later try counts."""

    connection: Connection
    collection: Collection
    records: Mapping[str, NewRecord]
    rules: Rules
    source: IncomingRows
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    def write(self, ids: Sequence[str], *, keep: bool = True) -> list[str]:
        """Store some of the records; return the ids of those that were not refused.

        Records that others insert or delete at the same moment are met by inserting first: what is taken then is there
        to be locked, but for one that is deleted in between. Then all is done anew, and what was stored or locked is
        let go before: another caller may wait for it who holds what is inserted next.
        """
        done: list[str] | None = None
        while done is None:
            with self.connection.transaction() as attempt:
                done = self._tried(ids)
                if done is None or not keep:
                    raise Rollback(attempt)
        return done

    def _tried(self, ids: Sequence[str]) -> list[str] | None:
        """Do what `write` does; return None where a record was deleted in between."""
        new: set[str] = set()
        if not self.rules.only_stored:
            new.update(loads.insert(self.connection, self.collection, ids, self.source))
        found = self._lock([record_id for record_id in ids if record_id not in new])
        if not self.rules.only_stored and len(new) + len(found) < len(ids):
            return None
        return self._written(ids, new, found)

    def _written(self, ids: Sequence[str], new: set[str], found: Sequence[str]) -> list[str]:
        """Bring records that were found, and are locked, up to date; take down what became of all."""
        for record_id in ids:  # of a try that was undone
            self.refused.pop(record_id, None)
            self.outcomes.pop(record_id, None)
        self._note(sorted(new), "stored")
        other, same, unknown = self._compared(found)
        self._replace(other)
        self._note(other, "replaced")
        self._take_over(same, unknown)
        # Pictures are as they are, but where none was known and one came now.
        loads.store_pictures(self.connection, self.collection, [*other, *unknown], self.source)
        return [record_id for record_id in ids if record_id not in self.refused]

    def foresee(self, ids: Sequence[str]) -> None:
        """Take down what would become of records."""
        other, same, unknown = self._compared(ids)
        self._note([record_id for record_id in ids if record_id not in {*other, *same}], "stored")
        self._note(other, "replaced")
        self._note(same, "present")  # but for what is found of them now: nothing is locked
        self._take_over(same, unknown)

    def _note(self, ids: Sequence[str], outcome: Outcome) -> None:
        self.outcomes.update(dict.fromkeys(ids, outcome))

    def _lock(self, ids: Sequence[str]) -> list[str]:
        # An id that was taken is locked also where its record has expired: else it would be taken for ever.
        every = not self.rules.only_stored
        return _lock(self.connection, self.collection, ids, every=every) if ids else []

    def _compared(self, ids: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
        """Return which stored ones have another picture, which the same, and of which of these it was not known."""
        text = query("replacing", "compare").render(
            # What expired made room before a write, and is not there for a dry run.
            records=partition("records", self.collection) if self.rules.dry_run else table_of(self.collection),
            originals=partition("originals", self.collection),
            incoming=self.source.text,
        )
        rows = self.connection.execute(text, self._values(ids)).fetchall()
        other: list[str] = []
        same: list[str] = []
        unknown: list[str] = []
        for row in rows:
            record_id, known = str(row["id"]), _content(row)
            record = self.records[record_id]
            # Two pictures may have one vector, and a vector may be given beside a picture: both must be the same.
            same_picture = record.digest is None or (known.digest in (None, record.digest) and known.box == record.box)
            (same if same_picture and row["same_vector"] else other).append(record_id)
            if same_picture and row["same_vector"] and known.digest is None and record.digest is not None:
                unknown.append(record_id)
        return sorted(other), sorted(same), sorted(unknown)

    def _replace(self, ids: Sequence[str]) -> None:
        if not ids:
            return
        records = table_of(self.collection)
        text = query("replacing", "replace").render(records=records, incoming=self.source.text)
        self.connection.execute(text, self._values(ids))
        loads.forget_pictures(self.connection, self.collection, ids)

    def _values(self, ids: Sequence[str]) -> dict[str, object]:
        return {**self.source.values, "collection_id": self.collection.id, "ids": list(ids)}

    def _take_over(self, ids: Sequence[str], unknown: Sequence[str]) -> None:
        digests = {record_id: self.records[record_id].digest for record_id in unknown}
        coming = {record_id: (self.records[record_id].attributes, digests.get(record_id)) for record_id in ids}
        outcomes, refused = _take_over(self.connection, self.collection, coming, self.rules)
        self.outcomes.update(outcomes)
        self.refused.update(refused)


def contents(db: Database, collection: Collection, ids: Sequence[str]) -> dict[str, Content]:
    """Return what the pictures of the stored ones of these records are known by, by id."""
    return db.read(lambda connection: _contents(connection, collection, ids))


def known(db: Database, collection: Collection, ids: Sequence[str]) -> dict[str, Known]:
    """Return what was made of the pictures of the stored ones of these records, by id, where the picture is known."""
    text = query("replacing", "known").render(
        records=partition("records", collection),
        originals=partition("originals", collection),
        thumbnails=partition("thumbnails", collection),
    )
    values = {"collection_id": collection.id, "ids": list(ids)}
    rows = db.all(text, values)
    return {
        row["id"]: Known(
            _content(row),
            row["embedding"].to_numpy().astype(np.float32),
            None if row["webp"] is None else bytes(row["webp"]),
        )
        for row in rows
    }


def refresh(db: Database, collection: Collection, coming: Mapping[str, tuple[str, Content]], rules: Rules) -> Written:
    """Give stored records other attributes, in one transaction.

    Args:
        db: the database.
        collection: the records' collection.
        coming: by id, the attributes as JSON text, and what the picture is known by that they belong to: a record
            that has another one by now, or is gone, stays as others left it, and counts as `present`.
        rules: what stays, and how long attributes may be.

    """
    work = partial(refresh_with, collection=collection, coming=coming, rules=rules)
    return db.read(work) if rules.dry_run else db.write(work)


def refresh_with(
    connection: Connection, collection: Collection, coming: Mapping[str, tuple[str, Content]], rules: Rules
) -> Written:
    """Do what `refresh` does, inside a transaction of the caller's."""
    ids = sorted(coming)
    if not rules.dry_run:
        ids = _lock(connection, collection, ids)  # others may come in meanwhile, and go again
    known = _contents(connection, collection, ids)
    still = {
        record_id: (coming[record_id][0], None) for record_id in ids if known.get(record_id) == coming[record_id][1]
    }
    outcomes, refused = _take_over(connection, collection, still, rules)
    gone: dict[str, Outcome] = dict.fromkeys(coming.keys() - outcomes.keys() - refused.keys(), "present")
    return Written(outcomes | gone, refused)


def _lock(connection: Connection, collection: Collection, ids: Sequence[str], *, every: bool = False) -> list[str]:
    """Lock the stored ones of these records, in order, in a statement of its own: what is read next is as of then.

    With `every`, also those that have expired.
    """
    records = table_of(collection) if every else partition("records", collection)
    if collection.spread:
        return [str(row["id"]) for row in lock_in_turn(connection, collection, records, ids)]
    text = query("replacing", "lock").render(records=records)
    rows = connection.execute(text, {"collection_id": collection.id, "ids": list(ids)}).fetchall()
    return [str(row["id"]) for row in rows]


def _contents(connection: Connection, collection: Collection, ids: Sequence[str]) -> dict[str, Content]:
    text = query("replacing", "contents").render(
        records=partition("records", collection), originals=partition("originals", collection)
    )
    rows = connection.execute(text, {"collection_id": collection.id, "ids": list(ids)}).fetchall()
    return {str(row["id"]): _content(row) for row in rows}


def _content(row: Mapping[str, object]) -> Content:
    digest, box = row["digest"], row["box"]
    return Content(digest if isinstance(digest, bytes) else None, tuple(box) if isinstance(box, list) else None)


def _take_over(
    connection: Connection, collection: Collection, coming: Mapping[str, tuple[str, bytes | None]], rules: Rules
) -> tuple[dict[str, Outcome], dict[str, str]]:
    """Give records, whose pictures stay, attributes and digests; return what became of them, and why of others not."""
    if not coming:
        return {}, {}
    records = table_of(collection)
    values: dict[str, object] = {"collection_id": collection.id, "made": list(rules.made), "most": rules.max_bytes}
    values |= {"ids": list(coming), "attributes": [attributes for attributes, _ in coming.values()]}
    rows = connection.execute(query("replacing", "outcome").render(records=records), values).fetchall()
    reason = f"the attributes and what was made of the picture take more than {rules.max_bytes} bytes together"
    refused = {str(row["id"]): reason for row in rows if row["too_long"]}
    outcomes: dict[str, Outcome] = {
        str(row["id"]): "updated" if row["changed"] else "present" for row in rows if not row["too_long"]
    }
    changed = [record_id for record_id, outcome in outcomes.items() if outcome == "updated"]
    written = [
        record_id for record_id in outcomes if outcomes[record_id] == "updated" or coming[record_id][1] is not None
    ]
    if written and not rules.dry_run:
        values |= {"ids": written, "changed": changed}
        values |= {
            "attributes": [coming[record_id][0] for record_id in written],
            "digests": [coming[record_id][1] for record_id in written],
        }
        connection.execute(query("replacing", "refresh").render(records=records), values)
    return outcomes, refused


def moment(db: Database) -> datetime:
    """Return this moment, by the database's clock."""
    row = db.one(query("replacing", "moment").render())
    found: datetime = (row or {})["moment"]
    return found


def older(db: Database, collection: Collection, before: datetime) -> Iterator[list[str]]:
    """Yield the ids of all records that were stored before a moment, in their order, a thousand at a time."""
    text = query("replacing", "missing").render(records=partition("records", collection), limit=f"{_PAGE:d}")
    after = ""
    while page := db.read(partial(_page, text, {"collection_id": collection.id, "after": after, "moment": before})):
        yield page
        after = page[-1]


def delete_older(db: Database, collection: Collection, ids: Sequence[str], before: datetime) -> list[str]:
    """Delete those of these records that were stored before a moment; return their ids."""
    text = chosen(collection, "replacing", "delete_missing").render(records=table_of(collection))
    return db.write(partial(_page, text, {"collection_id": collection.id, "ids": list(ids), "moment": before}))


def _page(text: str, values: Mapping[str, object], connection: Connection) -> list[str]:
    return [row["id"] for row in connection.execute(text, values).fetchall()]
