"""Nearest-neighbour search in one collection."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from cachetools import TTLCache
from pgvector import HalfVector
from psycopg.rows import tuple_row

from app.db import chooser
from app.db.chooser import Expectation, Limits, Route, Way
from app.db.engine import Connection, Database, partition
from app.db.ladder import Ladder
from app.db.loader import query
from app.db.pages import cut_of, finished, only_ids
from app.db.target import (
    EXACT,
    INDEX,
    NO_FILTER,
    Nearest,
    Target,
    Vector,
    effort_of,
    found_by,
    half,
    run,
    statement,
    through_index,
    values_of,
)
from app.domain.collections import Collection, PartialIndex
from app.domain.records import Fields, Found
from app.domain.windows import Window
from app.filters import Where

# The predicate of a partial index, as the planner must see it to take that.
IN_PART = "walked.attributes @? %(part)s::jsonpath"
_expected: TTLCache[tuple[str, int, str, str], Expectation] = TTLCache(maxsize=4096, ttl=60)
_expected_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Stored:
    """The vector of a stored record, and whether that matches the filter."""

    vector: HalfVector
    matches: bool


def knn_by_id(db: Database, target: Target, record_id: str) -> Nearest | None:
    """Return the records nearest to a stored one; None where it is not stored.

    Without a filter the record itself comes first, at distance 0.0, or after those at that distance whose ids are less.
    """
    target = replace(target, asked=(record_id,))
    if target.filtered or not through_index(target):
        own = stored(db, target.collection, record_id, target.where)
        if own is None:
            return None
        return knn_by_vector(db, target if own.matches else replace(target, asked=()), own.vector)
    asked: dict[str, object] = {"collection_id": target.collection.id, "id": record_id}
    ladder = _climbed(db, target, "knn_by_id", asked)
    if ladder.records and ladder.records[0].distance is None:
        return None  # the sub-select found no vector to compare with
    if ladder.complete and record_id in {found.id for found in ladder.records}:
        return Nearest(cut_of(db, target, ladder), INDEX)
    own = stored(db, target.collection, record_id)
    return None if own is None else _finished(db, target, ladder, own.vector)


def knn_by_vector(db: Database, target: Target, query_vector: Vector) -> Nearest:
    """Return the records nearest to a vector of the collection's dimension, among those that match the filter.

    The way is chosen by the rule of `app.db.chooser`. What the index gives is trusted as far as `app.db.ladder` says.
    """
    if not through_index(target):
        return Nearest(exact(db, target, query_vector), EXACT)
    if target.filtered:
        return _matching(db, target, query_vector)
    ladder = _climbed(db, target, "knn_by_vector", {"query": half(query_vector)})
    return _finished(db, target, ladder, query_vector)


def _matching(db: Database, target: Target, query_vector: Vector) -> Nearest:
    more_than = None
    route = plan(db, target)
    if route.first is Way.ALL:
        return Nearest(exact(db, target, query_vector), EXACT)
    if route.first is Way.FEW:
        found, matches = compare_few(db, target, query_vector, route.limits.bound)
        if matches <= route.limits.bound:
            return Nearest(found, EXACT, matches=matches, candidates=matches)
        more_than = route.limits.bound
    ladder = walked(db, target, query_vector, route)
    return replace(_finished(db, target, ladder, query_vector), more_than=more_than)


def _climbed(db: Database, target: Target, name: str, values: Mapping[str, object]) -> Ladder:
    """Climb the index without a filter, as far as the window needs."""
    ladder = Ladder(target.window.end)
    least = effort_of(target, db.ef_search)

    def offered(wanted: Target, budget: int, candidates: int, effort: int) -> list[Found]:
        text = knn_statement(wanted.collection, wanted.fields, name, budget, candidates)
        given = values_of(wanted, {**values, "effort": str(effort)})
        return db.read(lambda connection: found_by(connection, text, given, prepare=None))

    budget = chooser.FIRST[-1].candidates
    ladder.first(lambda candidates: offered(target, budget, candidates, least), chooser.FIRST)
    for rung in chooser.DEEPER:
        if ladder.complete or not ladder.trusted:
            break
        effort = min(chooser.EF_SEARCH_MAX, max(least, rung.candidates))
        ladder.climb(offered(only_ids(target), rung.candidates, rung.candidates, effort), rung.keep)
    return ladder


@lru_cache(maxsize=4096)
def knn_statement(collection: Collection, fields: Fields, name: str, budget: int, candidates: int) -> str:
    """Return the text of one of the searches through the index without a filter."""
    target = Target(collection, Window(candidates), fields)
    return statement(target, name, budget=f"{budget:d}", candidates=f"{candidates:d}")


def walked(db: Database, target: Target, query_vector: Vector, route: Route) -> Ladder:
    """Climb the index, or a partial one, as far as the window needs, keeping what matches the filter."""
    ladder = Ladder(target.window.end)
    limits = route.walk(chooser.FIRST_MATCHES[-1].keep)
    ladder.first(
        lambda candidates: walk(db, target, query_vector, limits, candidates, route.part), chooser.FIRST_MATCHES
    )
    for rung in chooser.DEEPER_MATCHES:
        if ladder.complete or not ladder.trusted:
            break
        limits = route.walk(rung.keep)
        ladder.climb(walk(db, only_ids(target), query_vector, limits, rung.candidates, route.part), rung.keep)
    return ladder


def _finished(db: Database, target: Target, ladder: Ladder, query_vector: Vector) -> Nearest:
    return finished(db, target, ladder, lambda rest: exact(db, rest, query_vector))


def plan(db: Database, target: Target) -> Route:
    """Return how a search with a filter is done: the same for every page."""
    part = chooser.part_of(target.collection, target.where.equalities)
    return chooser.route(target.collection, expectation(db, target), db.ef_search, target.effort, part)


def walking(db: Database, target: Target) -> tuple[Route | None, int | None]:
    """Return how the matches of a filter are walked to; None, and their number if it was counted, to compare them all.

    For the searches that have no statement which compares the few and counts them at the same time.
    """
    route = plan(db, target)
    if route.first is Way.WALK:
        return route, None
    if route.first is Way.ALL:
        return None, None
    counted = count_matches(db, target.collection, target.where, route.limits.bound + 1)
    return (None, counted) if counted <= route.limits.bound else (route, None)


def count_matches(db: Database, collection: Collection, where: Where, bound: int) -> int:
    """Return how many records match a filter, or `bound` where there are as many or more."""
    text = query("search", "count_matches").render(
        records=partition("records", collection), filter=where.sql, limit=f"{bound:d}"
    )
    row = db.read(lambda connection: connection.execute(text, where.params, prepare=False).fetchone())
    return 0 if row is None else int(row["matches"])


def offered(target: Target, route: Route | None, ranks: int) -> str:
    """Return what stands for a collection's records in a search through the index.

    With a filter it is the window of the nearest records that the budget allows: what matches in it is complete.
    """
    records = partition("records", target.collection)
    if route is None:
        return records
    spans = {"vector": f"halfvec({target.collection.dimensions:d})", "budget": f"{route.walk(ranks).budget:d}"}
    return f"({query('search', 'window').render(records=records, **spans)})"


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
    values = values_of(target, {"query": half(query_vector), "collection_id": target.collection.id})

    def work(connection: Connection) -> tuple[list[Found], int]:
        with connection.cursor(binary=True, row_factory=tuple_row) as cursor:
            rows = cursor.execute(text, values, prepare=False).fetchall()
        return [Found(row[0], row[2], row[1]) for row in rows if row[0] is not None], int(rows[0][3])

    return db.read(work)


def walk(
    db: Database,
    target: Target,
    query_vector: Vector,
    limits: Limits,
    candidates: int,
    part: PartialIndex | None = None,
) -> list[Found]:
    """Return the first matches, so many at most, among those that the index, or a partial one, offers in the budget."""
    text = statement(
        target,
        "matches_by_walk",
        part="TRUE" if part is None else IN_PART,
        budget=f"{limits.budget:d}",
        candidates=f"{candidates:d}",
    )
    knobs = {"effort": str(limits.effort), "visits": str(limits.visits)}
    if part is not None:
        knobs["part"] = part.condition
    values = values_of(target, {"query": half(query_vector), **knobs})
    return db.read(lambda connection: found_by(connection, text, values, prepare=False))


def exact(db: Database, target: Target, query_vector: Vector) -> list[Found]:
    """Return the records nearest to a vector, compared with every record that matches."""
    window = target.window
    text = statement(
        target,
        "exact_by_vector",
        candidates=f"{window.end:d}",
        limit=f"{window.k:d}",
        offset=f"{window.offset:d}",
    )
    return run(db, target, text, {"query": half(query_vector)}, everything=True)


def stored(db: Database, collection: Collection, record_id: str, where: Where = NO_FILTER) -> Stored | None:
    """Return the vector of a stored record, and whether that matches a filter; None where there is no such record."""
    text = query("search", "vector").render(records=partition("records", collection), filter=where.sql)
    values = {**where.params, "collection_id": collection.id, "id": record_id}
    row = db.read(lambda connection: connection.execute(text, values).fetchone())
    return None if row is None else Stored(row["embedding"], bool(row["matches"]))


def vector(db: Database, collection: Collection, record_id: str) -> HalfVector | None:
    """Return the stored vector of a record; None where there is no such record."""
    own = stored(db, collection, record_id)
    return None if own is None else own.vector
