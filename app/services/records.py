"""get, delete, update, getRecordCount."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from app.db import records as record_table
from app.db.engine import Connection
from app.db.refusals import write_each
from app.domain import statuses
from app.domain.collections import Collection
from app.domain.jsontext import dumps, loads_stored, stored_bytes
from app.domain.records import IMAGE_FIELDS, Fields, Found, Json, Processed, Skipped
from app.domain.statuses import Status
from app.services import indexing
from app.services.context import Context
from app.services.expiring import noticed
from app.services.record_input import attributes_of, checked_id, read_each, read_ids


def get(context: Context, collection: Collection, records: Sequence[Json], fields: Fields) -> Processed:
    """Return stored records by `_id`, in the order asked for."""
    ids, skipped = read_ids(records)
    found = record_table.get(context.db, collection, ids, fields)
    return _by_id(ids, found, skipped, statuses.RECORDS_FOUND)


def delete(context: Context, collection: Collection, records: Sequence[Json]) -> Processed:
    """Delete records by `_id`; what is returned as deleted is gone from disk."""
    ids, skipped = read_ids(records)
    deleted = record_table.delete(context.db, collection, ids)
    indexing.maintain(context, collection)
    return _by_id(ids, {record_id: Found(record_id) for record_id in deleted}, skipped, statuses.RECORDS_DELETED)


def update(context: Context, collection: Collection, records: Sequence[Json], fields: Fields) -> Processed:
    """Change attributes of stored records; null removes one. A changed picture is refused for that record.

    Several changes of one record in one request are merged in their order.
    """
    max_bytes = context.settings.max_attributes_bytes
    changes, skipped = _changes(records, max_bytes)

    def work(connection: Connection) -> Processed:
        record_table.lock_first_expiry(connection, collection, changes.values())
        locked = record_table.lock(connection, collection, list(changes))
        refused = {
            record_id: f"{field} cannot be changed: delete the record and insert it again"
            for record_id, change in changes.items()
            if record_id in locked and (field := _changed_picture(change, locked[record_id].picture))
        }
        there = {
            record_id: change
            for record_id, change in changes.items()
            if record_id in locked and record_id not in refused
        }
        refused |= _too_large(connection, collection, there, locked, max_bytes)
        patches = {record_id: _patch(change) for record_id, change in there.items() if record_id not in refused}
        found: dict[str, Found] = {}

        def write(some: Sequence[str]) -> list[str]:
            done = record_table.update(
                connection, collection, {record_id: patches[record_id] for record_id in some}, fields
            )
            found.update(done)
            return list(done)

        if patches:
            refused |= write_each(connection, list(patches), write, str)[1]
        wrong = [Skipped(record_id, statuses.SKIPPED_ERROR, reason) for record_id, reason in refused.items()]
        return _by_id(
            [record_id for record_id in changes if record_id not in refused],
            found,
            [*skipped, *wrong],
            statuses.RECORDS_FOUND,
        )

    processed = context.db.write(work)
    noticed(context, collection, changes.values())
    return processed


def _too_large(
    connection: Connection,
    collection: Collection,
    changes: Mapping[str, Mapping[str, Json]],
    locked: Mapping[str, record_table.Locked],
    max_bytes: int,
) -> dict[str, str]:
    """Return which changes would let attributes grow beyond what an insert may bring, with the reason, by id.

    A record that is larger already, as SQL may have made it, may shrink.
    """
    near = [
        record_id
        for record_id, change in changes.items()
        if locked[record_id].bytes + stored_bytes(dict(change)) > max_bytes
    ]
    refused = {}
    for record_id, text in record_table.attributes(connection, collection, near).items() if near else ():
        before = loads_stored(text)
        assert isinstance(before, dict)  # noqa: S101  (a constraint of the table)
        change = changes[record_id]
        kept = {key: value for key, value in before.items() if key not in change}
        after = kept | {key: value for key, value in change.items() if value is not None}
        size = stored_bytes(after)
        if size > max_bytes and size > stored_bytes(before):
            refused[record_id] = f"the attributes would take more than {max_bytes} bytes"
    return refused


def _changes(records: Sequence[Json], max_bytes: int) -> tuple[dict[str, dict[str, Json]], list[Skipped]]:
    def read(record: dict[str, Json], _: int) -> tuple[str, dict[str, Json]]:
        record_id = checked_id(record.get("_id"))
        attributes: dict[str, Json] = dict(attributes_of(record, max_bytes))
        if "_base64" in record:
            attributes["_base64"] = record["_base64"]
        return record_id, attributes

    found, skipped = read_each(records, read)
    changes: dict[str, dict[str, Json]] = {}
    for record_id, attributes in found:
        changes.setdefault(record_id, {}).update(attributes)
    return changes, skipped


def _changed_picture(change: Mapping[str, Json], stored: Mapping[str, object]) -> str | None:
    """Return the image field that a change would give another value; None where it leaves the picture alone."""
    for field in IMAGE_FIELDS:
        if field in change and (field == "_base64" or change[field] != stored[field]):
            return field
    return None


def _patch(change: Mapping[str, Json]) -> record_table.Patch:
    values = {key: value for key, value in change.items() if value is not None}
    return record_table.Patch(dumps(values), dumps([key for key, value in change.items() if value is None]))


def count(context: Context, collection: Collection) -> int:
    """Return the number of records in the collection, exactly."""
    return record_table.count(context.db, collection)


def any_id(context: Context, collection: Collection) -> str | None:
    """Return the first `_id` of a collection; None where it is empty."""
    return record_table.any_id(context.db, collection)


def _by_id(ids: Sequence[str], found: Mapping[str, Found], skipped: Sequence[Skipped], complete: Status) -> Processed:
    missing = [Skipped(record_id, statuses.SKIPPED_NOT_FOUND) for record_id in ids if record_id not in found]
    answer = Processed(complete, [found[record_id] for record_id in ids if record_id in found], [*skipped, *missing])
    if not answer.skipped:
        return answer
    if answer.records:
        return replace(answer, status=statuses.SOME_NOT_FOUND)
    # Nothing was done. Where no record was even looked for, the request itself is at fault.
    return replace(answer, status=statuses.RECORDS_NOT_FOUND if missing else statuses.ABORTED)
