"""Looks and tags together (`sql/queries/tags.sql`)."""

from dataclasses import replace
from math import inf

from app.db.engine import Database
from app.db.search.ranks import unseen
from app.db.search.reads import count_matches
from app.db.search.send import fetch
from app.db.search.statements import bound, candidates, render, shaped, vector_type
from app.domain.records import Found
from app.domain.windows import Window
from app.filters import Where, holds_all, holds_any
from app.search.ladder import Ladder, Rung, distance
from app.search.plan import SIFTED, Plan, Walk
from app.search.request import Query, Several, direction

__all__ = ["climb", "unseen"]

# Compare all records that share a tag if there are at most this many; else only the visually nearest of them.
_SHARING = 10_000
_SHARING_NEAREST = 2000
# Records that may be visited at most, as the filter stands within the walk: pgvector's own default.
_VISITS = 20_000
_NO_TAG = "\x01"  # of no record's: its set of candidates is empty


def climb(db: Database, query: Query, plan: Plan, ladder: Ladder) -> None:
    """Compare the candidates by looks and by tags, and keep those that no record beyond them can be better than."""
    several = query.several
    if several is None or (mean := direction(several)) is None:
        return  # a plan through the index has both
    for rung in SIFTED:
        if ladder.complete or not ladder.trusted:
            break
        if plan.matches is not None:
            # The walk finds out whether the index reaches the filter's matches: else those that it offers may be far.
            looks, walk = query.only_ids().near(mean), plan.walk(Rung(rung.keep, 2 * rung.keep))
            if len(fetch(db, candidates(looks, plan, walk))) <= rung.keep:
                break
        wide = replace(query.only_ids(), window=Window(rung.keep + 1))
        found, beyond = _candidates(db, wide, several, plan.walk(rung))
        proven = sum(distance(one) <= beyond for one in found)
        ladder.climb(found, min(rung.keep, proven) if proven < len(found) else rung.keep)


def _candidates(db: Database, query: Query, asked: Several, walk: Walk) -> tuple[list[Found], float]:
    """Return the best of the candidates, and the distance up to which no record that is none of them might be better.

    The bound is that of the threshold algorithm (Fagin, Lotem, Naor: "Optimal aggregation algorithms for middleware",
    2003): what lies beyond the edge of a window is at least as far as the edge, and its tags are at best those that put
    it into the set. A record that lacks one of q tags has a Jaccard distance of 1 / q or more.
    """
    tags = sorted({tag for point in asked.points for tag in point.tags if point.weight > 0})
    field = asked.tags_field or ""
    # A list that holds the tag, or the tag by itself, and nothing else: what `tags_of` takes for tags.
    sharing = holds_any(field, tags or [_NO_TAG])
    whole = holds_all(field, tags)
    few = _count(db, query, sharing) <= _SHARING
    # Records that share the only tag are those that share all; what lacks a tag of one query may have all of another's.
    several = not few and len(tags) > 1 and len(asked.points) == 1
    few_whole = not several or _count(db, query, whole) <= _SHARING
    knobs: dict[str, object] = {"effort": str(walk.effort), "visits": str(_VISITS), "sharing": sharing}
    vector = vector_type(query.collection)
    nearest = f"ORDER BY r.embedding::{vector} <=> %(query)s::{vector} LIMIT {_SHARING_NEAREST:d}"
    source = render(
        query,
        "combined",
        "tags",
        candidates=f"{walk.candidates:d}",
        sharing="" if few else nearest,
        whole="" if few_whole else nearest,
    )
    all_of_them = whole if several else holds_any(field, [_NO_TAG])
    found = fetch(db, shaped(query, source, {**knobs, "whole": all_of_them}))
    if few:
        return found, inf
    edge = _edge(db, query, knobs)
    edge_whole = _edge(db, query, {**knobs, "sharing": whole}) if several and not few_whole else None
    if edge is None or (several and not few_whole and edge_whole is None):
        return found, -inf  # the index gave up before the window was full
    scale = query.collection.distance_scale
    looks = min(1 - point.weight for point in asked.points)
    missing = asked.points[0].weight * scale / len(tags) if several else 0.0
    # Of several queries, the mean distance is no less than that to their mean direction, up to a right angle.
    beyond = looks * min(edge, scale) + missing
    if several and edge_whole is not None:
        beyond = min(beyond, looks * min(edge_whole, scale))
    return found, beyond


def _count(db: Database, query: Query, sharing: str) -> int:
    """Return how many matches share a tag, counted a little beyond those that are all compared."""
    those = query.where & Where("r.attributes @? %(sharing)s::jsonpath", {"sharing": sharing})
    return count_matches(db, query.collection, those, _SHARING + 1)


def _edge(db: Database, query: Query, knobs: dict[str, object]) -> float | None:
    """Return the distance by looks beyond which a window of those that share a tag ends; None where it is not full."""
    statement = bound(query, render(query, "edge", "tags", window=f"{_SHARING_NEAREST:d}"), knobs)
    row = db.one(statement.text, statement.values, prepare=False)
    return None if row is None or row["edge"] is None else float(row["edge"])
