"""A search reads more than its answer: stored records that are looked for, and what is known of a filter."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pgvector import HalfVector

from app.db import records
from app.db.engine import Connection, Database, partition
from app.db.loader import query as named
from app.db.records import fields_sql
from app.domain.collections import Collection
from app.domain.records import Fields, Found
from app.filters import NO_FILTER, Where
from app.search.plan import Expectation
from app.search.request import Query, Vector, half

# What Citus puts behind the name of a table or index of a shard.
_SHARD = re.compile(r"_\d+$")


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored record that is looked for: its vector, attributes as JSON text, and whether it matches the filter."""

    vector: HalfVector
    attributes: str | None
    matches: bool


def stored(
    db: Database, collection: Collection, ids: Sequence[str], fields: Fields | None = None, where: Where = NO_FILTER
) -> dict[str, Stored]:
    """Return the stored ones of these records by id, with no attributes where no `fields` are named."""
    fields = fields or Fields()
    text = named("search", "stored").render(
        records=partition("records", collection), fields=fields_sql(fields), filter=where.sql
    )
    values = {**where.params, "collection_id": collection.id, "ids": list(ids), "fields": list(fields.names)}

    def work(connection: Connection) -> list[Mapping[str, Any]]:
        # Vectors as text are parsed number by number: 10 ms for a hundred of them.
        with connection.cursor(binary=True) as cursor:
            return list(cursor.execute(text, values).fetchall())

    rows = db.read(work)
    return {row["id"]: Stored(row["embedding"], row["attributes"], bool(row["matches"])) for row in rows}


def distances(db: Database, collection: Collection, vector: Vector, vectors: Sequence[Vector]) -> list[float]:
    """Return the distances of vectors to one vector, in their order."""
    values = {"scale": collection.distance_scale, "query": half(vector), "vectors": [half(one) for one in vectors]}
    text = named("search", "distances").render()
    rows = db.all(text, values)
    return [float(row["distance"]) for row in rows]


def count_matches(db: Database, collection: Collection, where: Where, at_most: int | None = None) -> int:
    """Return how many records match a filter, or `at_most` where there are as many or more; None: no limit."""
    text = named("search", "count_matches").render(
        records=partition("records", collection), filter=where.sql, limit="ALL" if at_most is None else f"{at_most:d}"
    )
    row = db.one(text, where.params, prepare=False)
    return 0 if row is None else int(row["matches"])


def products_of(db: Database, collection: Collection, ids: Sequence[str], field: str) -> dict[str, str]:
    """Return the products of records by their ids, as JSON texts; a record without one is left out."""
    text = named("search", "products_of").render(records=partition("records", collection))
    values: Mapping[str, object] = {"collection_id": collection.id, "ids": list(ids), "product_field": field}
    rows = db.all(text, values)
    return {row["id"]: row["product"] for row in rows}


def with_fields(db: Database, query: Query, found: Sequence[Found]) -> list[Found]:
    """Return records with the fields that are asked for, but those that came without and were deleted since."""
    bare = [one.id for one in found if one.attributes is None]
    if query.fields.only_id or not bare:
        return list(found)
    known = records.get(db, query.collection, bare, query.fields)
    return [
        one if one.attributes is not None else one._replace(attributes=known[one.id].attributes)
        for one in found
        if one.attributes is not None or one.id in known
    ]


def expectation(db: Database, query: Query) -> Expectation:
    """Return what the planner makes of the query's filter; nothing is read.

    It is kept for a minute, as many searches share a filter: planning costs up to half a millisecond.
    """
    key = (query.collection.id, query.where.sql, repr(query.where.params))
    with db.expectations_lock:
        known = db.expectations.get(key)
    if known is None:
        known = _explained(db, query)
        with db.expectations_lock:
            db.expectations[key] = known
    return known


def _explained(db: Database, query: Query) -> Expectation:
    text = "EXPLAIN (FORMAT JSON) " + named("search", "expected_matches").render(
        records=partition("records", query.collection), filter=query.where.sql
    )
    row = db.one(text, query.where.params, prepare=False)
    plan, shards = one_table((row or {})["QUERY PLAN"][0]["Plan"])
    reads_all = "Bitmap" not in plan["Node Type"] and "Index" not in plan["Node Type"]
    names = _indexes(plan)
    own = frozenset(names if shards is None else (_SHARD.sub("", name) for name in names))
    return Expectation(int(plan["Plan Rows"]) * (shards or 1), reads_all, own)


def one_table(plan: Mapping[str, Any]) -> tuple[Mapping[str, Any], int | None]:
    """Return the plan of one of Citus' tasks, and how many there are; a plan that is no work of Citus' as it is.

    What Citus estimates itself is 100,000 rows, whatever the condition.
    """
    if "Distributed Query" not in plan:
        return plan, None
    job = plan["Distributed Query"]["Job"]
    return job["Tasks"][0]["Remote Plan"][0][0]["Plan"], job["Task Count"]


def _indexes(node: Mapping[str, Any]) -> Iterator[str]:
    if "Index Name" in node:
        yield node["Index Name"]
    for child in node.get("Plans", ()):
        yield from _indexes(child)
