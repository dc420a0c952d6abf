"""From a request's `filter` to a condition on a collection's records."""

from collections.abc import Mapping, Sequence

from app.db import records as table
from app.db.target import NO_FILTER
from app.domain.collections import Collection
from app.domain.jsontext import loads_stored
from app.domain.records import Fields, Found, Json
from app.filters import TRUE, Node, Where, compile_filter, fields_taken, parse_filter, take_from_query
from app.services.context import Context

# The alias of the records in every query that takes a filter.
_ALIAS = "r"


def condition(
    context: Context,
    collection: Collection,
    filter_: Json,
    query_records: Sequence[Mapping[str, Json]] = (),
) -> Where:
    """Return a filter as SQL; None and `{}` match every record.

    `{TAKE_FROM_QUERY}` is replaced by the values of the query records: their own fields first, then those of the
    stored records with their ids.

    Raises:
        FilterError: MongoDB, too, would refuse the filter; the message names the place.

    """
    return compiled(collection, tree(context, collection, filter_, query_records))


def compiled(collection: Collection, node: Node, prefix: str = "f") -> Where:
    """Return a filter's tree as SQL; `prefix` begins the names of its parameters."""
    if node == TRUE:
        return NO_FILTER
    return compile_filter(node, indexed_fields=collection.indexed_fields, table=_ALIAS, prefix=prefix)


def tree(
    context: Context,
    collection: Collection,
    filter_: Json,
    query_records: Sequence[Mapping[str, Json]] = (),
) -> Node:
    """Return a filter's tree; the rest is as for `condition`."""
    if filter_ is None:
        return TRUE
    # Without query records the marker stays where it is and is refused: to drop the condition would widen a delete.
    if query_records and (fields := fields_taken(filter_)):
        filter_ = take_from_query(filter_, _sources(context, collection, query_records, fields))  # type: ignore[assignment]
    return parse_filter(filter_)


def _sources(
    context: Context, collection: Collection, query_records: Sequence[Mapping[str, Json]], fields: frozenset[str]
) -> list[Mapping[str, object]]:
    names = sorted({field.split(".")[0] for field in fields})
    ids = [own for record in query_records if isinstance(own := record.get("_id"), str) and "\x00" not in own]
    stored = table.get(context.db, collection, ids, Fields(names=tuple(names))) if ids else {}
    return [{**_attributes(stored.get(str(record.get("_id")))), **record} for record in query_records]


def _attributes(found: Found | None) -> dict[str, Json]:
    value = loads_stored(found.attributes) if found is not None and found.attributes else {}
    return value if isinstance(value, dict) else {}
