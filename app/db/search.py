"""Nearest-neighbour search in one collection."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector

from app.db.engine import Connection, Database, partition
from app.db.loader import query
from app.db.records import fields_sql
from app.domain.collections import Collection
from app.domain.records import Fields, Found
from app.domain.windows import Window
from app.filters import Where

# Beyond this many candidates the graph is walked so far that comparing every record is as fast, and complete.
_INDEX_CANDIDATES = 1000
_EF_SEARCH_MAX = 1000
# Up to so many matches of a filter each is compared. The graph would be faster from about half of it, but it misses
# matches that lie far from the query: measured recall .001 to .7 (60,000 rows), where exact takes some 10 ms.
EXACT_MATCHES = 10_000
_EXACT_MATCHES_PER_RANK = 50

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
    """HNSW search effort, 1 to 1000; None: the server's default, raised where the window needs it."""

    @property
    def filtered(self) -> bool:
        """Whether there is a filter that may leave records out."""
        return self.where.sql != NO_FILTER.sql


@dataclass(frozen=True, slots=True)
class Nearest:
    """The records found, nearest first.

    `way` is `index` or `exact`; `matches` is the number of records that match the filter, None where it was not
    counted or is beyond the bound of the count.
    """

    records: list[Found]
    way: str
    matches: int | None = None


def knn_by_id(db: Database, target: Target, record_id: str) -> Nearest | None:
    """Return the records nearest to a stored one; None where it is not stored.

    Without a filter the record itself comes first, at distance 0.0.
    """
    if not target.filtered and _through_index(target):
        values: dict[str, object] = {"collection_id": target.collection.id, "id": record_id}
        found = _run(db, target, "knn_by_id", values)
        if found and found[0].distance is None:
            return None  # the sub-select found no vector to compare with
        if len(found) == target.window.k:
            return Nearest(found, "index")
    stored = vector(db, target.collection, record_id)
    return None if stored is None else knn_by_vector(db, target, stored)


def knn_by_vector(db: Database, target: Target, query_vector: Vector) -> Nearest:
    """Return the records nearest to a vector of the collection's dimension, among those that match the filter.

    With a filter the matches are counted first, up to a bound: few are all compared. What the index gives is trusted
    only where it fills the page; a short page is complete only if every record was looked at.
    """
    indexed, matches = choose(db, target)
    if indexed:
        found = _run(db, target, "knn_by_vector", {"query": half(query_vector)})
        if len(found) == target.window.k:
            return Nearest(found, "index")
    return Nearest(exact(db, target, query_vector), "exact", matches)


def choose(db: Database, target: Target) -> tuple[bool, int | None]:
    """Return whether to ask the index first, and the number of matches where they are few enough to be counted."""
    if not _through_index(target):
        return False, None
    if not target.filtered:
        return True, None
    bound = max(EXACT_MATCHES, _EXACT_MATCHES_PER_RANK * target.window.end)
    counted = count_matches(db, target.collection, target.where, bound + 1)
    return counted > bound, counted if counted <= bound else None


def exact(db: Database, target: Target, query_vector: Vector) -> list[Found]:
    """Return the records nearest to a vector, compared with every record that matches."""
    return _run(db, target, "exact_by_vector", {"query": half(query_vector)})


def count_matches(db: Database, collection: Collection, where: Where, bound: int) -> int:
    """Return how many records match a filter, or `bound` where there are as many or more."""
    text = query("search", "count_matches").render(
        records=partition("records", collection), filter=where.sql, limit=f"{bound:d}"
    )
    row = db.read(lambda connection: connection.execute(text, where.params, prepare=False).fetchone())
    return 0 if row is None else int(row["matches"])


def vector(db: Database, collection: Collection, record_id: str) -> HalfVector | None:
    """Return the stored vector of a record; None where there is no such record."""
    text = query("search", "vector").render(records=partition("records", collection))
    values = {"collection_id": collection.id, "id": record_id}
    row = db.read(lambda connection: connection.execute(text, values).fetchone())
    return None if row is None else row["embedding"]


def knn_statement(target: Target, name: str) -> str:
    """Return the text of one of the nearest-neighbour queries, as it is sent for this target."""
    if target.filtered:
        return _knn_statement(target, name)
    return _unfiltered(target.collection, target.window, target.fields, name)


@lru_cache(maxsize=4096)
def _unfiltered(collection: Collection, window: Window, fields: Fields, name: str) -> str:
    return _knn_statement(Target(collection, window, fields), name)


def _knn_statement(target: Target, name: str) -> str:
    return statement(
        target,
        name,
        candidates=f"{target.window.end:d}",
        limit=f"{target.window.k:d}",
        offset=f"{target.window.offset:d}",
    )


def statement(target: Target, name: str, **spans: str) -> str:
    """Return the text of a ranked query for this target; `spans` are those that depend on the query."""
    return query("search", name).render(
        records=partition("records", target.collection),
        vector=f"halfvec({target.collection.dimensions:d})",
        fields=fields_sql(target.fields, "nearest"),
        filter=target.where.sql,
        **spans,
    )


def half(query_vector: Vector) -> HalfVector:
    """Return a vector as it is stored: 16-bit floats."""
    return query_vector if isinstance(query_vector, HalfVector) else HalfVector(query_vector)


def _through_index(target: Target) -> bool:
    return target.collection.indexed and target.window.end <= _INDEX_CANDIDATES


def _run(db: Database, target: Target, name: str, values: dict[str, object]) -> list[Found]:
    return run(db, target, knn_statement(target, name), values)


def run(db: Database, target: Target, text: str, values: dict[str, object]) -> list[Found]:
    """Send one ranked query and return its rows; the search effort is set for it alone."""
    values = {**target.where.params, **values, "scale": target.collection.distance_scale}
    if target.fields.names:
        values["fields"] = list(target.fields.names)
    # A filter's estimates depend on its values: such a statement is planned for them each time.
    prepare = False if target.filtered else None

    def work(connection: Connection) -> list[Found]:
        effort = min(_EF_SEARCH_MAX, target.effort or max(db.ef_search, target.window.end))
        if effort != db.ef_search:
            # For this transaction only.
            with connection.transaction():
                connection.execute("SELECT set_config('hnsw.ef_search', %s, true)", (str(effort),))
                return _found(connection, text, values, prepare=prepare)
        return _found(connection, text, values, prepare=prepare)

    return db.read(work)


def _found(connection: Connection, text: str, values: dict[str, object], *, prepare: bool | None) -> list[Found]:
    # Rows become records as they are read: a dictionary a row between took a tenth of the server's share of a search.
    with connection.cursor(binary=True, row_factory=_as_found) as cursor:
        return cursor.execute(text, values, prepare=prepare).fetchall()


def _as_found(_: object) -> Callable[[Sequence[Any]], Found]:
    """Return the row factory of the ranked queries, which answer id, distance and attributes, in this order."""
    return lambda row: Found(row[0], row[2], row[1])
