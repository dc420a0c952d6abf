"""HNSW indexes of the records that have one value in one attribute, so that filters on it need not compare them all."""

import hashlib
from dataclasses import dataclass

from psycopg.types.json import Jsonb

from app.db import indexes
from app.db.engine import Database, partition
from app.db.indexes import Resources
from app.db.loader import query
from app.domain.collections import Collection
from app.domain.jsontext import dumps, loads_stored
from app.domain.records import Json
from app.filters import equality

# Fewer records are compared about as fast one by one as through an index of their own.
LEAST = 2000
# Whoever plans a query looks at each index.
MOST = 32
_LONGEST = 300  # characters of a value, written as JSON


@dataclass(frozen=True, slots=True)
class Partial:
    """One of a collection's partial indexes: of which value of which field, and whether it is ready."""

    index_name: str
    field: str
    value: Json
    condition: str
    ready: bool
    rows: int


def frequent_values(db: Database, collection: Collection, field: str) -> list[tuple[Json, int]]:
    """Return the values of a field that at least `LEAST` records have, with their number; at most `MOST` of them.

    Reads every record. Values are strings, numbers and booleans; of an array each element counts.
    """
    text = query("partial", "frequent_values").render(records=partition("records", collection))
    values = {"field": field, "least": LEAST, "most": MOST, "longest": _LONGEST}
    with db.session() as connection:
        return [(loads_stored(row["value"]), row["records"]) for row in connection.execute(text, values)]


def listed(db: Database, collection: Collection) -> list[Partial]:
    """Return a collection's partial indexes, by field, those of the most frequent values first."""
    text = query("partial", "list").render()
    values = {"records_table": collection.records_table}
    return [Partial(**row) for row in db.all(text, values)]


def build(
    db: Database,
    collection: Collection,
    field: str,
    value: Json,
    resources: Resources,
    *,
    unused: bool = False,
) -> bool:
    """Build the index of one value unless it is ready; return whether it was built.

    Inserts and searches go on meanwhile. `unused` says that the table is not in use yet.

    Raises:
        InvalidRequest: another process builds an index of this collection.

    """
    condition = condition_of(field, value)
    name = f"{collection.records_table}_p_{hashlib.md5(condition.encode(), usedforsecurity=False).hexdigest()[:16]}"
    noted = {
        "index_name": name,
        "id": collection.id,
        "records_table": collection.records_table,
        "field": field,
        "value": Jsonb(value, dumps=dumps),
        "condition": condition,
    }
    with db.session() as connection:
        connection.execute(query("partial", "note").render(), noted)
    return indexes.build_partial(db, collection, name, condition, resources, unused=unused)


def condition_of(field: str, value: Json) -> str:
    """Return the jsonpath that selects the records with a value, a string, number or boolean, in a field."""
    return equality(field, value)  # type: ignore[arg-type]  # a scalar


def drop(db: Database, partial: Partial) -> None:
    """Drop one; searches go on meanwhile."""
    indexes.drop(db, partial.index_name)
    with db.session() as connection:
        connection.execute(query("partial", "forget").render(), {"index_name": partial.index_name})
