"""Ranked searches beside plain kNN: within a radius, one record a product, several queries, given vectors."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from pgvector import HalfVector

from app.db.engine import Database, partition
from app.db.loader import query
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
    statement,
    walked,
)
from app.domain.collections import Collection
from app.domain.ranking import Aggregation
from app.domain.records import Found
from app.domain.windows import Window

_MOST_CANDIDATES = 1000
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
    indexed, matches = choose(db, target)
    values = {"query": half(query_vector), "product_field": field}
    window = {"limit": f"{target.window.k:d}", "offset": f"{target.window.offset:d}"}
    candidates = max(200, 4 * target.window.end)
    while indexed and candidates <= _MOST_CANDIDATES:
        wide = replace(target, window=Window(candidates))
        records = walked(wide, limits_of(db, wide))
        text = statement(wide, "products_candidates", records=records, candidates=f"{candidates:d}", **window)
        found = run(db, wide, text, values)
        if len(found) == target.window.k:
            return Nearest(found, INDEX)
        candidates *= 4
    text = statement(target, "products_by_vector", **window)
    way = INDEX_THEN_EXACT if indexed else EXACT
    return Nearest(run(db, target, text, values, everything=True), way, matches)


def multi(db: Database, target: Target, vectors: Sequence[Vector], aggregation: Aggregation) -> Nearest:
    """Return the records nearest to several vectors by the mean, least or greatest of their distances.

    The mean is one index scan: it is linear in the query, so the mean of the unit vectors ranks as the mean of the
    distances does. Least and greatest compare every match.
    """
    halves = [half(one) for one in vectors]
    window = {"limit": f"{target.window.k:d}", "offset": f"{target.window.offset:d}"}
    matches = None
    way = EXACT
    mean = mean_direction(halves)
    if aggregation is Aggregation.MEAN and mean is not None:
        indexed, matches = choose(db, target)
        if indexed:
            records = walked(target, limits_of(db, target))
            candidates = f"{target.window.end:d}"
            text = statement(target, "multi_candidates", records=records, candidates=candidates, **window)
            found = run(db, target, text, {"query": mean, "queries": halves})
            if len(found) == target.window.k:
                return Nearest(found, INDEX)
            way = INDEX_THEN_EXACT
    text = statement(target, "multi_exact", aggregate=AGGREGATES[aggregation], **window)
    return Nearest(run(db, target, text, {"queries": halves}, everything=True), way, matches)


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
