"""An overview tells of collections what `collection list` and `collection show` print, and a console draws."""

from collections.abc import Container
from itertools import groupby
from operator import attrgetter
from typing import Any

from app.db import collections as collection_table
from app.db import indexes, partial, records, reembedding
from app.domain.tokens import Principal
from app.services import measuring
from app.services.context import Context

# Up to this size of its table, counting a collection's records takes no time.
_COUNTED_BYTES = 64 * 2**20


def of_all(context: Context, among: Container[str] | None = None) -> list[dict[str, Any]]:
    """Return a row for each collection, or for those with names among some: its facts and sizes in bytes.

    `estimated_records` is the exact number, and `counted` true, where counting takes no time; else it is the planner's
    estimate, who knows none at first.
    """
    rows = collection_table.list_all(context.db)
    return [_counted(context, row) for row in rows if among is None or row["name"] in among]


def names(context: Context, principal: Principal) -> list[str]:
    """Return the names of the collections that a token may use, in order."""
    return collection_table.names(context.db, principal.collections)


def _counted(context: Context, row: dict[str, Any]) -> dict[str, Any]:
    counted = row["table_bytes"] <= _COUNTED_BYTES
    number = (
        records.count(context.db, collection_table.get(context.db, row["name"]))
        if counted
        else row["estimated_records"]
    )
    return {**row, "estimated_records": number, "counted": counted}


def of(context: Context, name: str) -> dict[str, Any]:
    """Return all that is known of one collection, its records counted, with the state of its indexes.

    Raises:
        CollectionNotFound: there is none of this name.

    """
    found = collection_table.get(context.db, name)
    row: dict[str, Any] = next(row for row in collection_table.list_all(context.db) if row["name"] == found.name)
    row["records"] = row["estimated_records"] = records.count(context.db, found)
    row["indexed_fields"] = sorted(found.indexed_fields)
    change = reembedding.find(context.db, found)
    row["partial_indexes"] = {
        field: [one.value for one in fields if one.ready]
        for field, fields in groupby(partial.listed(context.db, found), key=attrgetter("field"))
    }
    row["reembedding_with"] = change.next.model if change else None
    row["deleted_share"] = round(indexes.deleted_share(context.db, found), 3)
    row["index_build"] = indexes.progress(context.db, found)
    row["recall_target"] = found.recall_target or context.settings.recall_target
    row["recall"] = found.recall and measuring.told(found.recall)
    return row
