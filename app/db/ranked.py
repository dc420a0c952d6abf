"""Ranked searches beside plain kNN: within a radius, one record a product, several queries, given vectors."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from pgvector import HalfVector

from app.db import chooser, search
from app.db.engine import Database, partition
from app.db.ladder import Ladder, Rung
from app.db.loader import query
from app.db.pages import finished, narrowed, not_among, only_ids
from app.db.target import EXACT, Nearest, Target, Vector, effort_of, half, run, statement, through_index
from app.domain.collections import Collection
from app.domain.ranking import Aggregation
from app.domain.records import Found
from app.filters import Where

# Products that are kept at most of so many candidates, and the part of those that is trusted: the index orders by
# rounded vectors.
_PRODUCTS = (Rung(50, 200), Rung(250, 1000))
_TRUSTED = 0.9
AGGREGATES = {Aggregation.MEAN: "avg", Aggregation.MIN: "min", Aggregation.MAX: "max"}


def within(
    db: Database, target: Target, query_vector: Vector, radius: float, k: int | None, product_field: str | None = None
) -> list[Found]:
    """Return every record within a radius, nearest first, after the window's offset; at most `k`, None for all.

    With a product field, the nearest record of each product, `k` and the offset counted in products.

    Every matching record is compared: hits vary from none to most of a collection at one radius, so that no number of
    candidates from an index would be surely enough.
    """
    values: dict[str, object] = {"query": half(query_vector), "radius": radius}
    name = "within"
    if product_field is not None:
        name = "products_within"
        values["product_field"] = product_field
    text = statement(target, name, limit=_limit(k), offset=f"{target.window.offset:d}")
    return run(db, target, text, values, everything=True)


def products(db: Database, target: Target, query_vector: Vector, field: str) -> Nearest:
    """Return the nearest record of each product, ranks counted in products.

    The index is asked for more and more candidates while they hold too few products; then every match is compared.
    """
    values = {"query": half(query_vector), "product_field": field}

    def compared(rest: Target) -> list[Found]:
        return run(db, rest, statement(rest, "products_by_vector", **_window(rest)), values, everything=True)

    if not through_index(target):
        return Nearest(compared(target), EXACT)
    route, matches = search.walking(db, target) if target.filtered else (None, None)
    if target.filtered and route is None:
        return Nearest(compared(target), EXACT, matches)
    ladder = Ladder(target.window.end)

    def unseen(ids: Sequence[str]) -> Where:
        return _no_product_of(db, target.collection, field, ids)

    for rung in _PRODUCTS:
        if ladder.complete or not ladder.trusted:
            break
        wide = _deeper(db, target, rung.candidates)
        if ladder.records:
            wide = replace(wide, where=narrowed(target.where, unseen([one.id for one in ladder.records])))
        spans = {"candidates": f"{rung.candidates:d}", "limit": f"{rung.keep + 1:d}", "offset": "0"}
        records = search.offered(target, route, rung.candidates)
        found = run(db, wide, statement(wide, "products_candidates", records=records, **spans), values)
        ladder.climb(found, rung.keep if len(found) > rung.keep else int(_TRUSTED * len(found)))
    return finished(db, target, ladder, compared, unseen)


def _no_product_of(db: Database, collection: Collection, field: str, ids: Sequence[str]) -> Where:
    """Return the condition that a record is of another product than these records; one without a product is its own."""
    text = query("search", "products_of").render(records=partition("records", collection))
    values = {"collection_id": collection.id, "ids": list(ids), "product_field": field}
    rows = db.read(lambda connection: connection.execute(text, values).fetchall())
    those = not_among(ids)
    return Where(
        f"{those.sql} AND (r.attributes -> %(seen_field)s <> ALL (%(seen_products)s::jsonb[])) IS NOT FALSE",
        {**those.params, "seen_field": field, "seen_products": [row["product"] for row in rows]},
    )


def _deeper(db: Database, target: Target, candidates: int) -> Target:
    """Return the target of a search through the index for so many candidates, of which only the ids are read."""
    effort = min(chooser.EF_SEARCH_MAX, max(effort_of(target, db.ef_search), candidates))
    return replace(only_ids(target), effort=effort)


def _window(target: Target) -> dict[str, str]:
    return {"limit": f"{target.window.k:d}", "offset": f"{target.window.offset:d}"}


def multi(db: Database, target: Target, vectors: Sequence[Vector], aggregation: Aggregation) -> Nearest:
    """Return the records nearest to several vectors by the mean, least or greatest of their distances.

    The mean is one index scan: it is linear in the query, so the mean of the unit vectors ranks as the mean of the
    distances does. Least and greatest compare every match.
    """
    if len(vectors) == 1:
        return search.knn_by_vector(db, target, vectors[0])
    halves = [half(one) for one in vectors]

    def compared(rest: Target) -> list[Found]:
        text = statement(rest, "multi_exact", aggregate=AGGREGATES[aggregation], **_window(rest))
        return run(db, rest, text, {"queries": halves}, everything=True)

    mean = mean_direction(halves)
    if aggregation is not Aggregation.MEAN or mean is None or not through_index(target):
        return Nearest(compared(target), EXACT)
    route, matches = search.walking(db, target) if target.filtered else (None, None)
    if target.filtered and route is None:
        return Nearest(compared(target), EXACT, matches)
    ladder = Ladder(target.window.end)
    values = {"query": mean, "queries": halves}

    def found(wanted: Target, rung: Rung, candidates: int) -> list[Found]:
        records = search.offered(wanted, route, rung.keep)
        spans = {"records": records, "budget": f"{rung.candidates:d}", "candidates": f"{candidates:d}"}
        return run(db, wanted, statement(wanted, "multi_candidates", **spans), values)

    first = chooser.FIRST if route is None else chooser.FIRST_MATCHES
    ladder.first(lambda candidates: found(target, first[-1], candidates), first)
    for rung in chooser.DEEPER if route is None else chooser.DEEPER_MATCHES:
        if ladder.complete or not ladder.trusted:
            break
        ladder.climb(found(_deeper(db, target, rung.candidates), rung, rung.candidates), rung.keep)
    return finished(db, target, ladder, compared)


def mean_direction(vectors: Sequence[HalfVector]) -> HalfVector | None:
    """Return the mean of the vectors' directions; None where they cancel out and there is none."""
    wide = np.stack([np.asarray(one.to_numpy(), np.float64) for one in vectors])
    mean = (wide / np.linalg.norm(wide, axis=1, keepdims=True)).mean(axis=0)
    length = float(np.linalg.norm(mean))
    return HalfVector((mean / length).astype(np.float32)) if length > 1e-3 else None


def distances(db: Database, collection: Collection, query_vector: Vector, vectors: Sequence[Vector]) -> list[float]:
    """Return the distances of vectors to one vector, in their order."""
    values = {
        "scale": collection.distance_scale,
        "query": half(query_vector),
        "vectors": [half(one) for one in vectors],
    }
    text = query("search", "distances").render()
    rows = db.read(lambda connection: connection.execute(text, values).fetchall())
    return [float(row["distance"]) for row in rows]


def vectors_of(db: Database, collection: Collection, ids: Sequence[str]) -> Mapping[str, HalfVector]:
    """Return the stored vectors of these records, by id; those that are not stored are left out."""
    text = query("search", "vectors").render(records=partition("records", collection))
    values = {"collection_id": collection.id, "ids": list(ids)}
    rows = db.read(lambda connection: connection.execute(text, values).fetchall())
    return {row["id"]: row["embedding"] for row in rows}


def _limit(k: int | None) -> str:
    return "ALL" if k is None else f"{k:d}"
