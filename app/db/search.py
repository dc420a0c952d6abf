"""Nearest-neighbour search in one collection."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from cachetools import TTLCache
from numpy.typing import NDArray
from pgvector import HalfVector
from psycopg.rows import tuple_row

from app.db import chooser
from app.db.chooser import Expectation, Limits, Way
from app.db.engine import Connection, Database, partition
from app.db.loader import query
from app.db.records import fields_sql
from app.domain.collections import Collection, PartialIndex
from app.domain.records import Fields, Found
from app.domain.windows import Window
from app.filters import Where

_expected: TTLCache[tuple[str, int, str, str], Expectation] = TTLCache(maxsize=4096, ttl=60)
_expected_lock = threading.Lock()

Vector = NDArray[np.float32] | HalfVector
NO_FILTER = Where("TRUE", {})
# The predicate of a partial index, as the planner must see it to take that.
IN_PART = "walked.attributes @? %(part)s::jsonpath"


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


def knn_by_id(db: Database, target: Target, record_id: str) -> Nearest | None:
    """Return the records nearest to a stored one; None where it is not stored.

    Without a filter the record itself comes first, at distance 0.0.
    """
    fell_back = False
    if not target.filtered and through_index(target):
        values: dict[str, object] = {"collection_id": target.collection.id, "id": record_id}
        found = _through_index(db, target, "knn_by_id", values)
        if found and found[0].distance is None:
            return None  # the sub-select found no vector to compare with
        if len(found) == target.window.k:
            return Nearest(found, INDEX)
        fell_back = True
    stored = vector(db, target.collection, record_id)
    if stored is None:
        return None
    if fell_back:
        return Nearest(exact(db, target, stored), INDEX_THEN_EXACT)
    return knn_by_vector(db, target, stored)


def knn_by_vector(db: Database, target: Target, query_vector: Vector) -> Nearest:
    """Return the records nearest to a vector of the collection's dimension, among those that match the filter.

    The way is chosen by the rule of `app.db.chooser`. What the index gives is trusted only where it fills the page; a
    short page is complete only if every record was looked at.
    """
    if not through_index(target):
        return Nearest(exact(db, target, query_vector), EXACT)
    if target.filtered:
        return _matching(db, target, query_vector)
    found = _through_index(db, target, "knn_by_vector", {"query": half(query_vector)})
    if len(found) == target.window.k:
        return Nearest(found, INDEX)
    return Nearest(exact(db, target, query_vector), INDEX_THEN_EXACT)


def _matching(db: Database, target: Target, query_vector: Vector) -> Nearest:
    more_than = None
    expected = expectation(db, target)
    part = chooser.part_of(target.collection, target.where.equalities)
    limits = limits_of(db, target, part=part)
    first, limits = chooser.begin(target.collection, target.window.end, limits, expected, part)
    if first is Way.ALL:
        return Nearest(exact(db, target, query_vector), EXACT)
    if first is Way.FEW:
        found, matches = compare_few(db, target, query_vector, limits.bound)
        if matches <= limits.bound:
            return Nearest(found, EXACT, matches=matches, candidates=matches)
        more_than = limits.bound
    found = walk(db, target, query_vector, limits, part)
    in_vain = len(found) < target.window.k
    expected.note(in_vain=in_vain)
    if not in_vain:
        return Nearest(found, INDEX, more_than=more_than)
    return Nearest(exact(db, target, query_vector), INDEX_THEN_EXACT, more_than=more_than)


def limits_of(db: Database, target: Target, ranks: int | None = None, part: PartialIndex | None = None) -> Limits:
    """Return how far each way of a filtered search is followed; `ranks` in place of the window's end."""
    return chooser.limits(target.collection, ranks or target.window.end, db.ef_search, target.effort, part)


def expectation(db: Database, target: Target) -> Expectation:
    """Return what the planner makes of the filter, and how the last walks went; nothing is read.

    Remembered for a minute, as many searches share a filter: planning costs up to half a millisecond, a walk in vain
    several.
    """
    key = (db.url, target.collection.id, target.where.sql, repr(target.where.params))
    with _expected_lock:
        known = _expected.get(key)
    if known is None:
        known = _explained(db, target)
        with _expected_lock:
            _expected[key] = known
    return known


def _explained(db: Database, target: Target) -> Expectation:
    text = "EXPLAIN (FORMAT JSON) " + query("search", "expected_matches").render(
        records=partition("records", target.collection), filter=target.where.sql
    )
    row = db.read(lambda connection: connection.execute(text, target.where.params, prepare=False).fetchone())
    plan = (row or {})["QUERY PLAN"][0]["Plan"]
    return Expectation(int(plan["Plan Rows"]), "Bitmap" not in plan["Node Type"] and "Index" not in plan["Node Type"])


def compare_few(db: Database, target: Target, query_vector: Vector, bound: int) -> tuple[list[Found], int]:
    """Return the nearest matches and the number of matches; beyond the bound the records mean nothing."""
    text = statement(
        target,
        "matches_compared",
        bound=f"{bound + 1:d}",
        limit=f"{target.window.k:d}",
        offset=f"{target.window.offset:d}",
    )
    values = _values(target, {"query": half(query_vector), "collection_id": target.collection.id})

    def work(connection: Connection) -> tuple[list[Found], int]:
        with connection.cursor(binary=True, row_factory=tuple_row) as cursor:
            rows = cursor.execute(text, values, prepare=False).fetchall()
        return [Found(row[0], row[2], row[1]) for row in rows if row[0] is not None], int(rows[0][3])

    return db.read(work)


def walk(
    db: Database, target: Target, query_vector: Vector, limits: Limits, part: PartialIndex | None = None
) -> list[Found]:
    """Return the nearest matches among the candidates that the index, or a partial one, offers within the budget."""
    text = statement(
        target,
        "matches_by_walk",
        part="TRUE" if part is None else IN_PART,
        budget=f"{limits.budget:d}",
        candidates=f"{limits.candidates:d}",
        limit=f"{target.window.k:d}",
        offset=f"{target.window.offset:d}",
    )
    knobs = {"effort": str(limits.effort), "visits": str(limits.visits)}
    if part is not None:
        knobs["part"] = part.condition
    values = _values(target, {"query": half(query_vector), **knobs})
    return db.read(lambda connection: _found(connection, text, values, prepare=False))


def choose(db: Database, target: Target) -> tuple[bool, int | None]:
    """Return whether to ask the index first, and the number of matches where they are few enough to be counted.

    For the searches that have no statement which compares the few and counts them at the same time.
    """
    if not through_index(target):
        return False, None
    if not target.filtered:
        return True, None
    bound = limits_of(db, target).bound
    counted = count_matches(db, target.collection, target.where, bound + 1)
    return counted > bound, counted if counted <= bound else None


def walked(target: Target, limits: Limits) -> str:
    """Return what stands for a collection's records in a search through the index.

    With a filter it is the window of the nearest records that the budget allows: what matches in it is complete.
    """
    records = partition("records", target.collection)
    if not target.filtered:
        return records
    dimensions = f"halfvec({target.collection.dimensions:d})"
    return f"({query('search', 'window').render(records=records, vector=dimensions, budget=f'{limits.budget:d}')})"


def exact(db: Database, target: Target, query_vector: Vector) -> list[Found]:
    """Return the records nearest to a vector, compared with every record that matches."""
    values = {"query": half(query_vector)}
    return run(db, target, knn_statement(target, "exact_by_vector"), values, everything=True)


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
        **{
            "records": partition("records", target.collection),
            "vector": f"halfvec({target.collection.dimensions:d})",
            "fields": fields_sql(target.fields, "nearest"),
            "filter": target.where.sql,
            **spans,
        }
    )


def half(query_vector: Vector) -> HalfVector:
    """Return a vector as it is stored: 16-bit floats."""
    return query_vector if isinstance(query_vector, HalfVector) else HalfVector(query_vector)


def through_index(target: Target) -> bool:
    """Say whether the index may be asked at all."""
    return target.collection.indexed and target.window.end <= chooser.INDEX_RANKS and not target.exact


def effort_of(target: Target, default_effort: int) -> int:
    """Return the search effort of a search through the index without a filter, 1 to 1000."""
    usual = chooser.grown_effort(target.collection, default_effort)
    return min(chooser.EF_SEARCH_MAX, target.effort or max(usual, target.window.end))


def _through_index(db: Database, target: Target, name: str, values: Mapping[str, object]) -> list[Found]:
    text = knn_statement(target, name)
    given = _values(target, {**values, "effort": str(effort_of(target, db.ef_search))})
    return db.read(lambda connection: _found(connection, text, given, prepare=None))


def _values(target: Target, values: Mapping[str, object]) -> dict[str, object]:
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
    values = _values(target, values)
    # A filter's estimates depend on its values: such a statement is planned for them each time.
    prepare = False if target.filtered else None

    def work(connection: Connection) -> list[Found]:
        effort = effort_of(target, db.ef_search)
        if effort != db.ef_search and not everything:
            # For this transaction only.
            with connection.transaction():
                connection.execute("SELECT set_config('hnsw.ef_search', %s, true)", (str(effort),))
                return _found(connection, text, values, prepare=prepare)
        return _found(connection, text, values, prepare=prepare)

    if everything and chooser.heavy(target.collection):
        with db.heavy():
            return db.read(work)
    return db.read(work)


def _found(connection: Connection, text: str, values: Mapping[str, object], *, prepare: bool | None) -> list[Found]:
    # Rows become records as they are read: a dictionary a row between took a tenth of the server's share of a search.
    with connection.cursor(binary=True, row_factory=_as_found) as cursor:
        return cursor.execute(text, values, prepare=prepare).fetchall()


def _as_found(_: object) -> Callable[[Sequence[Any]], Found]:
    """Return the row factory of the ranked queries, which answer id, distance and attributes, in this order."""
    return lambda row: Found(row[0], row[2], row[1])
