"""Records one by one: nearest to a vector, or to several by the mean of their distances."""

from collections.abc import Sequence

from app.db.engine import Database
from app.db.search.send import fetch
from app.db.search.statements import candidates
from app.filters import Where
from app.search.ladder import Ladder
from app.search.plan import Plan
from app.search.request import Query


def climb(db: Database, query: Query, plan: Plan, ladder: Ladder) -> None:
    """Climb the first rungs with one walk, and deeper ones with one each, of which only the ids are read."""
    ladder.first(lambda number: fetch(db, candidates(query, plan, plan.first_walk(number))), plan.first)
    for rung in plan.deeper:
        if ladder.complete or not ladder.trusted:
            break
        ladder.climb(fetch(db, candidates(query.only_ids(), plan, plan.walk(rung))), rung.keep)


def unseen(_db: Database, _query: Query, ids: Sequence[str]) -> Where:
    """Return the condition that a record is none of these."""
    return Where("r.id <> ALL (%(seen)s::text[])", {"seen": list(ids)})
