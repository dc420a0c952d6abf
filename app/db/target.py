"""What a ranked search is asked for and answers, its statement, and how that is sent."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector

from app.db import chooser
from app.db.engine import Connection, Database, partition
from app.db.loader import query
from app.db.records import fields_sql
from app.domain.collections import Collection
from app.domain.records import Fields, Found
from app.domain.windows import Window
from app.filters import Where

Vector = NDArray[np.float32] | HalfVector
NO_FILTER = Where("TRUE", {})


@dataclass(frozen=True, slots=True)
class Target:
    """What is searched, and what of it is wanted."""

    collection: Collection
    window: Window
    fields: Fields
    where: Where = NO_FILTER
    effort: int | None = None
    """HNSW search effort, 1 to 1000; None: the server's default, raised where the window or many records need it."""
    exact: bool = False
    """Compare every record that matches, whatever it costs."""
    asked: tuple[str, ...] = ()
    """Ids of stored records whose vectors the query is made of."""

    @property
    def filtered(self) -> bool:
        """Whether there is a filter that may leave records out."""
        return self.where.sql != NO_FILTER.sql


@dataclass(frozen=True, slots=True)
class Nearest:
    """The records found, nearest first, and how they were found.

    Attributes:
        records: nearest first.
        way: `exact`, `index`, or `index, then exact` where the index could not be trusted to have found all.
        matches: number of records that match the filter; None where it was not counted to the end.
        more_than: the bound that the count reached; None where it did not.
        candidates: records that were compared; None where only PostgreSQL knows.
        milliseconds: time of the search, without that of the model; None where nobody took it.

    """

    records: list[Found]
    way: str
    matches: int | None = None
    more_than: int | None = None
    candidates: int | None = None
    milliseconds: float | None = None


EXACT = "exact"
INDEX = "index"
INDEX_THEN_EXACT = "index, then exact"


def statement(target: Target, name: str, **spans: str) -> str:
    """Return the text of a ranked query for this target; `spans` are those that depend on the query."""
    chosen = query("search", name)
    known = {
        "records": partition("records", target.collection),
        "vector": f"halfvec({target.collection.dimensions:d})",
        "fields": fields_sql(target.fields, "nearest"),
        "filter": target.where.sql,
    }
    return chosen.render(**known | spans)


def half(query_vector: Vector) -> HalfVector:
    """Return a vector as it is stored: 16-bit floats."""
    return query_vector if isinstance(query_vector, HalfVector) else HalfVector(query_vector)


def through_index(target: Target) -> bool:
    """Say whether the index may be asked at all."""
    return target.collection.indexed and not target.exact


def effort_of(target: Target, default_effort: int) -> int:
    """Return the search effort of a search through the index without a filter, 1 to 1000."""
    usual = chooser.grown_effort(target.collection, default_effort)
    return min(chooser.EF_SEARCH_MAX, target.effort or usual)


def values_of(target: Target, values: Mapping[str, object]) -> dict[str, object]:
    """Return the parameters of a ranked query for this target, those that depend on the query among them."""
    given = {**target.where.params, **values, "scale": target.collection.distance_scale}
    if target.fields.names:
        given["fields"] = list(target.fields.names)
    return given


def run(
    db: Database, target: Target, text: str, values: Mapping[str, object], *, everything: bool = False
) -> list[Found]:
    """Send one ranked query and return its rows; the search effort is set for it alone.

    `everything` says that it may compare all records: on a large collection only some may do so at the same time.
    """
    values = values_of(target, values)
    # A filter's estimates depend on its values: such a statement is planned for them each time.
    prepare = False if target.filtered else None

    def work(connection: Connection) -> list[Found]:
        effort = effort_of(target, db.ef_search)
        if effort != db.ef_search and not everything:
            # For this transaction only.
            with connection.transaction():
                connection.execute("SELECT set_config('hnsw.ef_search', %s, true)", (str(effort),))
                return found_by(connection, text, values, prepare=prepare)
        return found_by(connection, text, values, prepare=prepare)

    if everything and chooser.heavy(target.collection):
        with db.heavy():
            return db.read(work)
    return db.read(work)


def found_by(connection: Connection, text: str, values: Mapping[str, object], *, prepare: bool | None) -> list[Found]:
    """Send one ranked query on a connection and return its rows."""
    # Rows become records as they are read: a dictionary a row between took a tenth of the server's share of a search.
    with connection.cursor(binary=True, row_factory=_as_found) as cursor:
        return cursor.execute(text, values, prepare=prepare).fetchall()


def _as_found(_: object) -> Callable[[Sequence[Any]], Found]:
    """Return the row factory of the ranked queries, which answer id, distance and attributes, in this order."""
    return lambda row: Found(row[0], row[2], row[1])
