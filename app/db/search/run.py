"""One search from the request to the page: the plan's ways, one after the other, until the page is complete."""

from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter
from typing import Protocol

from app.db.engine import Database
from app.db.search import beside, products, ranks, slow, tags
from app.db.search.reads import count_matches, expectation, stored, with_fields
from app.db.search.send import compared, compared_and_counted
from app.domain.ranking import Nearest
from app.domain.records import Found
from app.domain.windows import Window
from app.filters import Where
from app.search.ladder import Ladder, distance, order
from app.search.plan import Plan, Way, planned
from app.search.request import Query


class Shape(Protocol):
    """Records, products and tags differ in these on the way through the index: a module each."""

    def climb(self, db: Database, query: Query, plan: Plan, ladder: Ladder) -> None:
        """Climb as far as the query's window needs and the index can be trusted."""
        ...

    def unseen(self, db: Database, query: Query, ids: Sequence[str]) -> Where:
        """Return the condition for all that these records do not stand for."""
        ...


def find(db: Database, query: Query) -> Nearest | None:
    """Return the page that is asked for, nearest first; None where the stored record that is looked for is not stored.

    Without a filter a stored record itself comes first, at distance 0.0, or after those at that distance whose ids are
    less.
    """
    started = perf_counter()
    slow.begin()
    nearest = _found(db, query)
    if nearest is None:
        return None
    # Beyond the radius nothing is nearer, so nothing is missed.
    kept = [one for one in nearest.records if query.radius is None or distance(one) <= query.radius]
    return replace(nearest, records=kept, milliseconds=(perf_counter() - started) * 1000)


def _found(db: Database, query: Query) -> Nearest | None:
    plan = planned(query, db.ef_search, lambda: expectation(db, query), db.recall_target)
    by_vector = query.product_field or plan.ways[0] is Way.EXACT or query.collection.spread
    if isinstance(query.what, str) and by_vector:
        known = _with_vector(db, query, query.what)
        if known is None:
            return None
        query = known
    more_than = None
    for way in plan.ways:
        if way is Way.EXACT:
            break
        if way is Way.INDEX:
            through = _through_index(db, query, plan)
            return through and replace(through, more_than=more_than, reached=plan.reached)
        few = _few(db, query, plan)
        if few is not None:
            return few if _is_stored(db, query, few) else None
        more_than = plan.bound
    return Nearest(compared(db, query), Way.EXACT)


def _with_vector(db: Database, query: Query, record_id: str) -> Query | None:
    """Return the query that looks for the vector of a stored record; None where it is not stored."""
    known = stored(db, query.collection, [record_id], where=query.where).get(record_id)
    if known is None:
        return None
    return replace(query.near(known.vector), asked=(record_id,) if known.matches else ())


def _is_stored(db: Database, query: Query, found: Nearest) -> bool:
    """Say whether the stored record that was looked for in the statement itself is there; else no distance is known."""
    if not isinstance(query.what, str):
        return True
    if found.records:
        return found.records[0].distance is not None
    return bool(stored(db, query.collection, [query.what]))


def _few(db: Database, query: Query, plan: Plan) -> Nearest | None:
    """Compare the matches if they are no more than the plan's bound; None where they are."""
    bound = plan.bound
    if query.several is None and query.product_field is None and not query.collection.spread:
        found, matches = compared_and_counted(db, query, bound, plan.indexes)
        return Nearest(found, Way.EXACT, matches=matches, candidates=matches) if matches <= bound else None
    matches = count_matches(db, query.collection, query.where, bound + 1)
    return Nearest(compared(db, query), Way.EXACT, matches=matches) if matches <= bound else None


def _through_index(db: Database, query: Query, plan: Plan) -> Nearest | None:
    shape: Shape = tags if query.tagged else ranks if query.product_field is None else products
    ladder = Ladder(query.window.end, float("inf") if query.radius is None else query.radius)
    shape.climb(db, query, plan, ladder)
    if query.collection.crowded and shape is not tags:
        beside.join(db, query, ladder)  # what has tags is walked with those in crowds
    nearest = _completed(db, query, ladder, shape)
    return nearest and replace(nearest, copies=ladder.copies, perhaps_copies=ladder.full_place)


def _completed(db: Database, query: Query, ladder: Ladder, shape: Shape) -> Nearest | None:
    """Return the page that is asked for; None where the stored record that is looked for is not stored."""
    if isinstance(query.what, str):
        if ladder.records and ladder.records[0].distance is None:
            return None  # the sub-select found no vector to compare with
        if ladder.complete and any(found.id == query.what for found in ladder.records):
            return Nearest(_page(db, query, ladder), Way.INDEX)
        known = _with_vector(db, query, query.what)
        if known is None:
            return None
        query = known
    nearest = _finished(db, query, ladder, shape)
    return nearest if query.collection.indexed else replace(nearest, way=Way.EXACT)


def _finished(db: Database, query: Query, ladder: Ladder, shape: Shape) -> Nearest:
    """Return the page that is asked for, of what the ladder holds and, beyond that, of all other records.

    A record that is asked for by its id, matches the filter and is not where its distance puts it shows that the index
    is not to be trusted here: then all is compared.
    """
    ids = [found.id for found in ladder.records]
    missing = sorted(set(query.asked) - set(ids))
    if ids and missing:
        those = query.but(shape.unseen(db, query, ids)).among(missing)
        near = compared(db, replace(those.only_ids(), window=Window(len(missing))))
        if any(map(ladder.passes_over, near)):
            ladder.give_up()
            ids = []
    if ladder.complete:
        return Nearest(_page(db, query, ladder), Way.INDEX)
    way = f"{Way.INDEX}, then {Way.EXACT}"
    if not ids:
        return Nearest(compared(db, query), way)
    offset = max(query.window.offset, len(ids))
    rest = query.but(shape.unseen(db, query, ids))
    others = compared(db, replace(rest, window=Window(query.window.end - offset, offset - len(ids))))
    return Nearest(sorted(_page(db, query, ladder) + others, key=order), way)


def _page(db: Database, query: Query, ladder: Ladder) -> list[Found]:
    """Return the part of the ladder's list that the window shows, with the fields that are asked for."""
    return with_fields(db, query, ladder.records[query.window.offset : query.window.end])
