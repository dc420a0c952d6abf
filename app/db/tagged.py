"""Searches by likeness and tags together (`sql/queries/tags.sql`)."""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from app.db.engine import Database, partition
from app.db.loader import query
from app.db.ranked import AGGREGATES, mean_direction
from app.db.records import fields_sql
from app.db.search import (
    EXACT,
    INDEX,
    INDEX_THEN_EXACT,
    Nearest,
    Target,
    Vector,
    choose,
    half,
    limits_of,
    run,
    walk,
)
from app.domain.ranking import Aggregation
from app.domain.records import Found

# Candidates by looks alone, a multiple of what is asked for, and at least so many.
_VISUAL = 4
_VISUAL_AT_LEAST = 200
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
    mean = mean_direction(vectors)
    all_compared = statement(target, "combined_exact", aggregation)
    if aggregation is not Aggregation.MEAN or mean is None or target.exact:
        return Nearest(run(db, target, all_compared, values, everything=True), EXACT)
    if target.filtered and target.collection.indexed:
        indexed, matches = choose(db, target)
        # The walk finds out whether the index reaches the filter's matches: else those that it offers may be far ones.
        if not indexed or len(walk(db, target, mean, limits_of(db, target))) < target.window.k:
            way = INDEX_THEN_EXACT if indexed else EXACT
            return Nearest(run(db, target, all_compared, values, everything=True), way, matches)
    values["query"] = mean
    found = _candidates(db, target, queries, field, values)
    if found is None:
        # A page is complete only if no record that was not looked at could be on it.
        way = INDEX_THEN_EXACT if target.collection.indexed else EXACT
        return Nearest(run(db, target, all_compared, values, everything=True), way)
    return Nearest(found, INDEX if target.collection.indexed else EXACT)


def _candidates(
    db: Database, target: Target, queries: Sequence[TaggedQuery], field: str, values: dict[str, object]
) -> list[Found] | None:
    """Return the best of the candidates; None where a record that is none of them might be better.

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
    found = run(db, target, statement(target, "combined", Aggregation.MEAN, few=few, few_whole=few_whole), values)
    if len(found) < target.window.k:
        return None
    if few:
        return found
    edge = _edge(db, target, {**values, "sharing": sharing})
    edge_whole = _edge(db, target, {**values, "sharing": whole}) if several and not few_whole else None
    if edge is None or (several and not few_whole and edge_whole is None):
        return None  # the index gave up before the window was full
    scale = target.collection.distance_scale
    looks = min(1 - one.weight for one in queries)
    missing = queries[0].weight * scale / len(tags) if several else 0.0
    # Of several queries, the mean distance is no less than that to their mean direction, up to a right angle.
    beyond = looks * min(edge, scale) + missing
    if several and edge_whole is not None:
        beyond = min(beyond, looks * min(edge_whole, scale))
    last = found[-1].distance
    return found if last is not None and last <= beyond else None


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


def statement(target: Target, name: str, aggregation: Aggregation, *, few: bool = True, few_whole: bool = True) -> str:
    """Return the text of one of the queries; `few` keeps every record that shares a tag, `few_whole` all tags."""
    chosen = query("tags", name)
    vector = f"halfvec({target.collection.dimensions:d})"
    nearest = f"ORDER BY r.embedding::{vector} <=> %(query)s::{vector} LIMIT {_SHARING_NEAREST:d}"
    spans = {
        "records": partition("records", target.collection),
        "vector": vector,
        "fields": fields_sql(target.fields, "nearest"),
        "filter": target.where.sql,
        "aggregate": AGGREGATES[aggregation],
        "candidates": f"{max(_VISUAL_AT_LEAST, _VISUAL * target.window.end):d}",
        "sharing": "" if few else nearest,
        "whole": "" if few_whole else nearest,
        "window": f"{_SHARING_NEAREST:d}",
        "limit": f"{target.window.k:d}",
        "offset": f"{target.window.offset:d}",
    }
    return chosen.render(**{span: spans[span] for span in chosen.spans})


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
