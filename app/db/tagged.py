"""Searches by likeness and tags together (`sql/queries/tags.sql`)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf

import orjson

from app.db import search as plain
from app.db.engine import Database, partition
from app.db.ladder import Ladder, Rung, distance
from app.db.loader import query
from app.db.pages import finished, only_ids
from app.db.ranked import AGGREGATES, mean_direction
from app.db.records import fields_sql
from app.db.target import EXACT, Nearest, Target, Vector, half, run
from app.domain.ranking import Aggregation
from app.domain.records import Found
from app.domain.windows import Window

# How many are kept of candidates, of which so many are found by looks alone.
_RUNGS = (Rung(50, 200), Rung(250, 1000))
# Up to so many records that share a tag are all compared; beyond, the visually nearest of them.
_SHARING = 10_000
_SHARING_NEAREST = 2000
_NO_TAG = "\x01"  # of no record's: its set of candidates is empty


@dataclass(frozen=True, slots=True)
class TaggedQuery:
    """One query: a vector, its tags, and the weight of the tags, 0 (looks alone) to 1."""

    vector: Vector
    tags: Sequence[str]
    weight: float


def search(
    db: Database,
    target: Target,
    queries: Sequence[TaggedQuery],
    field: str,
    aggregation: Aggregation,
    product_field: str | None = None,
) -> Nearest:
    """Return the best records by the combined distance to one query or several; one a product, if a field is named."""
    vectors = [half(one.vector) for one in queries]
    tags = sorted({tag for one in queries for tag in one.tags if one.weight > 0})
    values: dict[str, object] = {
        "queries": vectors,
        "weights": [one.weight for one in queries],
        "tags": [orjson.dumps(list(one.tags)).decode() for one in queries],
        "tags_field": field,
        # A list that holds the tag, or the tag by itself: what the GIN index can look up.
        "sharing": [orjson.dumps({field: form}).decode() for tag in tags for form in ([tag], tag)],
    }
    if product_field is not None:
        text = statement(target, "combined_products", aggregation)
        return Nearest(run(db, target, text, {**values, "product_field": product_field}, everything=True), EXACT)

    def compared(rest: Target) -> list[Found]:
        return run(db, rest, statement(rest, "combined_exact", aggregation), values, everything=True)

    mean = mean_direction(vectors)
    if aggregation is not Aggregation.MEAN or mean is None or target.exact:
        return Nearest(compared(target), EXACT)
    indexed = target.collection.indexed
    route, matches = plain.walking(db, target) if indexed and target.filtered else (None, None)
    if indexed and target.filtered and route is None:
        return Nearest(compared(target), EXACT, matches)
    ladder = Ladder(target.window.end)
    for rung in _RUNGS:
        if ladder.complete or not ladder.trusted:
            break
        if route is not None:
            # The walk finds out whether the index reaches the filter's matches: else those that it offers may be far.
            limits = route.walk(rung.keep)
            reached = plain.walk(db, only_ids(target), mean, limits, limits.candidates, route.part)
            if len(reached) <= rung.keep:
                break
        # The last rung has an effort of its own, the first that of any search.
        effort = target.effort if rung is _RUNGS[0] else rung.candidates
        wide = replace(only_ids(target), window=Window(rung.keep + 1), effort=effort)
        found, beyond = _candidates(db, wide, queries, field, {**values, "query": mean}, rung.candidates)
        proven = sum(distance(one) <= beyond for one in found)
        ladder.climb(found, min(rung.keep, proven) if proven < len(found) else rung.keep)
    nearest = finished(db, target, ladder, compared)
    return nearest if indexed else replace(nearest, way=EXACT)


def _candidates(
    db: Database,
    target: Target,
    queries: Sequence[TaggedQuery],
    field: str,
    values: dict[str, object],
    visual: int,
) -> tuple[list[Found], float]:
    """Return the best of the candidates, and the distance up to which no record that is none of them might be better.

    The bound is that of the threshold algorithm (Fagin, Lotem, Naor: "Optimal aggregation algorithms for middleware",
    2003): what lies beyond the edge of a window is at least as far as the edge, and its tags are at best those that put
    it into the set. A record that lacks one of q tags has a Jaccard distance of 1 / q or more.
    """
    sharing = values["sharing"]
    tags = sorted({tag for one in queries for tag in one.tags if one.weight > 0})
    whole = [orjson.dumps({field: tags}).decode()]
    few = _count(db, target, sharing) <= _SHARING
    # Records that share the only tag are those that share all; what lacks a tag of one query may have all of another's.
    several = not few and len(tags) > 1 and len(queries) == 1
    few_whole = not several or _count(db, target, whole) <= _SHARING
    values = {**values, "whole": whole[0] if several else orjson.dumps({field: [_NO_TAG]}).decode()}
    text = statement(target, "combined", Aggregation.MEAN, visual=visual, few=few, few_whole=few_whole)
    found = run(db, target, text, values)
    if few:
        return found, inf
    edge = _edge(db, target, {**values, "sharing": sharing})
    edge_whole = _edge(db, target, {**values, "sharing": whole}) if several and not few_whole else None
    if edge is None or (several and not few_whole and edge_whole is None):
        return found, -inf  # the index gave up before the window was full
    scale = target.collection.distance_scale
    looks = min(1 - one.weight for one in queries)
    missing = queries[0].weight * scale / len(tags) if several else 0.0
    # Of several queries, the mean distance is no less than that to their mean direction, up to a right angle.
    beyond = looks * min(edge, scale) + missing
    if several and edge_whole is not None:
        beyond = min(beyond, looks * min(edge_whole, scale))
    return found, beyond


def exact(
    db: Database, target: Target, queries: Sequence[TaggedQuery], field: str, aggregation: Aggregation
) -> list[Found]:
    """Return the best records by the combined distance, computed for every match."""
    values: dict[str, object] = {
        "queries": [half(one.vector) for one in queries],
        "weights": [one.weight for one in queries],
        "tags": [orjson.dumps(list(one.tags)).decode() for one in queries],
        "tags_field": field,
    }
    return run(db, target, statement(target, "combined_exact", aggregation), values)


def statement(
    target: Target,
    name: str,
    aggregation: Aggregation,
    *,
    visual: int = _RUNGS[0].candidates,
    few: bool = True,
    few_whole: bool = True,
) -> str:
    """Return the text of one of the queries.

    `visual` candidates are found by looks alone; `few` keeps every record that shares a tag, `few_whole` all tags.
    """
    chosen = query("tags", name)
    vector = f"halfvec({target.collection.dimensions:d})"
    nearest = f"ORDER BY r.embedding::{vector} <=> %(query)s::{vector} LIMIT {_SHARING_NEAREST:d}"
    spans = {
        "records": partition("records", target.collection),
        "vector": vector,
        "fields": fields_sql(target.fields, "nearest"),
        "filter": target.where.sql,
        "aggregate": AGGREGATES[aggregation],
        "candidates": f"{visual:d}",
        "sharing": "" if few else nearest,
        "whole": "" if few_whole else nearest,
        "window": f"{_SHARING_NEAREST:d}",
        "limit": f"{target.window.k:d}",
        "offset": f"{target.window.offset:d}",
    }
    return chosen.render(**spans)


def _count(db: Database, target: Target, sharing: object) -> int:
    text = query("tags", "count_sharing").render(
        records=partition("records", target.collection), filter=target.where.sql, limit=f"{_SHARING + 1:d}"
    )
    given = {**target.where.params, "sharing": sharing}
    row = db.read(lambda connection: connection.execute(text, given, prepare=False).fetchone())
    return 0 if row is None else int(row["matches"])


def _edge(db: Database, target: Target, values: dict[str, object]) -> float | None:
    text = statement(target, "edge", Aggregation.MEAN)
    given = {
        **target.where.params,
        "scale": target.collection.distance_scale,
        "query": values["query"],
        "sharing": values["sharing"],
    }
    row = db.read(lambda connection: connection.execute(text, given, prepare=False).fetchone())
    return None if row is None or row["edge"] is None else float(row["edge"])
