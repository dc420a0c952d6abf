"""insert, upsert, nearDupsInsert: records with their pictures, new or in the place of stored ones."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from app.db import near_duplicate_insert, replacing
from app.db import records as record_table
from app.db.engine import Connection
from app.db.loads import Outcome
from app.db.near_duplicate_insert import NearDuplicateCheck
from app.domain import statuses
from app.domain.collections import Collection
from app.domain.errors import InvalidRequest
from app.domain.jsontext import dumps
from app.domain.records import Attributes, Fields, Found, Json, Mode, Processed, Skipped
from app.domain.statuses import Status
from app.embedding.pictures.verification import opinion
from app.services import indexing
from app.services.context import Context
from app.services.expiring import noticed
from app.services.extraction import NOTHING, Extract, made_fields
from app.services.ids import new_id
from app.services.record_input import (
    Incoming,
    attributes_of,
    check_size,
    checked_id,
    fit_to_insert,
    read_each,
    skip,
    stored_part,
)
from app.services.search import NEAR_DUPLICATE_RADIUS
from app.services.vectors import Picture, read_pictures


def insert(
    context: Context,
    collection: Collection,
    records: Sequence[Json],
    fields: Fields,
    near_duplicates: NearDuplicateCheck | None = None,
    extract: Extract = NOTHING,
    mode: Mode = "insert",
) -> Processed:
    """Store records with their pictures' embeddings; what is returned as stored is on disk.

    Tags and colours are made as `extract` says; those that a record has already are kept.

    Args:
        context: the services.
        collection: where they are stored.
        records: as the caller sent them.
        fields: what of each stored record is returned.
        near_duplicates: what is refused because of its looks; None: nothing is.
        extract: what is made of the pictures.
        mode: `insert` stores new records alone, `update` puts pictures and attributes in the place of those of stored
            records alone, `upsert` does both. What was made of a picture stays while the picture does.

    A record is skipped with a reason where its `_id` is taken (`insert`) or not there (`update`) or stands earlier in
    the request, where the record or its picture cannot be used, and, with `near_duplicates`, where another record that
    looks the same is stored already or stands earlier in the request.

    Raises:
        CapacityExceeded: the records would take the collection over its capacity; none was stored.
        Unavailable: the database or the model is away or too busy; nothing was stored.

    """
    incoming, skipped = _read(records, context.settings.max_attributes_bytes)
    fresh, passed_over = _wanted(context, collection, incoming, mode)
    skipped += passed_over
    stored = {} if mode == "insert" else replacing.known(context.db, collection, [record.id for record in fresh])
    read, unreadable = read_pictures(context, collection, fresh, extract, stored)
    skipped += unreadable
    pictures = []
    for record, picture in read:
        try:
            pictures.append((_with(record, picture.made, context.settings.max_attributes_bytes), picture))
        except InvalidRequest as error:
            skipped.append(skip(record.fields, error))
    new = [_row(record, picture) for record, picture in pictures]
    if mode == "insert":
        done = _inserted(context, collection, new, near_duplicates)
        found = [_answer(record, fields) for record, _ in pictures if record.id in done.stored]
    else:
        done = _replaced(context, collection, new, near_duplicates, fields, only_stored=mode == "update")
        found = [done.found[row.id] for row in new if row.id in done.stored]
    skipped += [Skipped(record_id, statuses.SKIPPED_ERROR, reason) for record_id, reason in done.refused.items()]
    # Since it was looked for, another request may have taken an `_id`, or deleted the record.
    lost = statuses.SKIPPED_NOT_FOUND if mode == "update" else statuses.SKIPPED_DUPLICATE
    for row in new:
        if row.id in done.near_duplicates:
            skipped.append(
                Skipped(row.id, statuses.SKIPPED_DUPLICATE, near_duplicates=tuple(done.near_duplicates[row.id]))
            )
        elif row.id not in done.stored and row.id not in done.refused:
            skipped.append(Skipped(row.id, lost))
    if done.stored:
        noticed(context, collection, [row.attributes for row in new])
        indexing.maintain(context, collection)
        indexing.notice_copies(context, collection, [row.embedding for row in new if row.id in done.stored])
    note = extract.note(context, collection)
    return Processed(_status(found, skipped), found, skipped, note, None if mode == "insert" else done.counted())


@dataclass(slots=True)
class _Done:
    """An insert reports the ids that were stored, reasons why others were refused, near duplicates of others.

    Where records are replaced, also how each was written, and what is returned of it.
    """

    stored: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)
    near_duplicates: dict[str, list[Found]] = field(default_factory=dict)
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    found: Mapping[str, Found] = field(default_factory=dict)

    def counted(self) -> dict[str, int]:
        """Return how many records were written how; a try that was undone does not count."""
        counts = Counter(self.outcomes[record_id] for record_id in self.stored)
        return {name: counts[outcome] for outcome, name in _OUTCOMES.items()}


def _inserted(
    context: Context,
    collection: Collection,
    new: Sequence[record_table.NewRecord],
    near_duplicates: NearDuplicateCheck | None,
) -> _Done:
    done = _Done()
    if near_duplicates is not None:
        done.stored, done.near_duplicates = near_duplicate_insert.insert(
            context.db, collection, new, near_duplicates, done.refused
        )
    elif new:
        done.stored = record_table.insert(context.db, collection, new, done.refused)
    return done


def _replaced(
    context: Context,
    collection: Collection,
    new: Sequence[record_table.NewRecord],
    near_duplicates: NearDuplicateCheck | None,
    fields: Fields,
    *,
    only_stored: bool,
) -> _Done:
    """Store records, also in the place of stored ones, and read them in the same transaction."""
    done = _Done()
    made = made_fields(context, collection)
    rules = replacing.Rules(made, context.settings.max_attributes_bytes, only_stored=only_stored)

    def write(connection: Connection, some: Sequence[record_table.NewRecord]) -> set[str]:
        written = replacing.store_with(connection, collection, some, rules)
        done.refused.update(written.refused)
        done.outcomes = written.outcomes
        done.found = record_table.written_with(connection, collection, list(written.outcomes), fields)
        return set(written.outcomes)

    if not new:
        return done
    if near_duplicates is None:
        done.stored = context.db.write(lambda connection: write(connection, new))
    else:
        done.stored, done.near_duplicates = near_duplicate_insert.insert(
            context.db, collection, new, near_duplicates, replace=write
        )
    return done


# What the database's outcomes are called in an answer.
_OUTCOMES: Mapping[Outcome, str] = MappingProxyType(
    {"stored": "inserted", "replaced": "replaced", "updated": "updated", "present": "unchanged"}
)


def _wanted(
    context: Context, collection: Collection, incoming: Sequence[Incoming], mode: Mode
) -> tuple[list[Incoming], list[Skipped]]:
    """Return the records whose pictures are worth reading, and the others with the reason."""
    known = set() if mode == "upsert" else record_table.existing(context.db, collection, [one.id for one in incoming])
    fresh: dict[str, Incoming] = {}
    skipped = []
    for record in incoming:
        if record.id in fresh or (mode == "insert" and record.id in known):
            skipped.append(Skipped(record.id, statuses.SKIPPED_DUPLICATE))
        elif mode == "update" and record.id not in known:
            skipped.append(Skipped(record.id, statuses.SKIPPED_NOT_FOUND))
        else:
            fresh[record.id] = record
    return list(fresh.values()), skipped


def without_near_duplicates(collection: Collection, radius: float, fields: Fields) -> NearDuplicateCheck:
    """Return the condition of nearDupsInsert: refuse a record if a stored one within the radius shows the same picture.

    A radius beyond that of near duplicates asks for pictures that look alike, and the model alone decides. `fields`
    chooses what is returned of the stored records.
    """
    return NearDuplicateCheck(radius, fields, opinion(collection.model) if radius <= NEAR_DUPLICATE_RADIUS else None)


def _read(records: Sequence[Json], max_bytes: int) -> tuple[list[Incoming], list[Skipped]]:
    def read(record: dict[str, Json], _: int) -> Incoming:
        record = fit_to_insert(record)
        record_id = checked_id(record["_id"]) if record.get("_id") is not None else new_id()
        return Incoming(record_id, record, dumps(attributes_of(record, max_bytes)))

    return read_each(records, read)


def _with(record: Incoming, made: Attributes, max_bytes: int) -> Incoming:
    """Return a record with the attributes that were made of its picture.

    Raises:
        InvalidRequest: all of them take more than `max_bytes` bytes.

    """
    if not made:
        return record
    fields = record.fields | made
    check_size(stored_part(fields), max_bytes)
    return Incoming(record.id, fields, dumps(stored_part(fields)))


def _row(record: Incoming, picture: Picture) -> record_table.NewRecord:
    return record_table.NewRecord(
        record.id,
        record.attributes,
        picture.embedding,
        picture.thumbnail,
        picture.original,
        picture.box,
        picture.digest,
    )


def _answer(record: Incoming, fields: Fields) -> Found:
    if fields.only_id:
        return Found(record.id)
    if fields.everything:
        return Found(record.id, record.attributes)
    return Found(record.id, dumps({name: record.fields[name] for name in fields.names if name in record.fields}))


def _status(stored: Sequence[Found], skipped: Sequence[Skipped]) -> Status:
    if not skipped:
        return statuses.RECORDS_INSERTED
    if stored:
        return statuses.SOME_INSERTED
    reasons = {record.status for record in skipped}
    if reasons == {statuses.SKIPPED_DUPLICATE}:
        return statuses.RECORD_DUPLICATE
    return statuses.RECORDS_NOT_FOUND if reasons == {statuses.SKIPPED_NOT_FOUND} else statuses.ABORTED
