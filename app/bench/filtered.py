"""Searches with a filter, at every selectivity and with filters that run with and against the query.

Each record has a chance of its own, and its place in an order by likeness to one photo, so that a filter on either
keeps the share of the records that is asked for: at random, those most like the photo, or those least like it. Queries
of the last two kinds are vectors near that photo's.
"""

from collections import Counter
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from app.bench.report import Table, Target, median
from app.bench.setup import Setup, Stopwatch, category
from app.bench.vectors import Crops
from app.db import indexes, loads, search
from app.db.records import NewRecord
from app.db.search import Target as SearchTarget
from app.domain.collections import Collection
from app.domain.jsontext import dumps
from app.domain.records import Fields
from app.domain.windows import Window
from app.filters import compile_filter, parse_filter

_SHARES = (0.0005, 0.001, 0.01, 0.05, 0.1, 0.5, 0.9, 1.0)
_K = 20
_QUERIES = 40
_CHUNK = 2000
_WANTED = 0.98
_SEED = 5
_NEAR = 0.8  # part of the photo in a query near it


@dataclass(frozen=True, slots=True)
class _Kind:
    """How the matches of a filter lie to the queries, and the attribute and end of its values that make them so."""

    name: str
    field: str
    low: bool


_KINDS = (
    _Kind("at random", "chance", low=True),
    _Kind("near the query", "order", low=True),
    _Kind("far from the query", "order", low=False),
)


def fill(setup: Setup, collection: Collection, crops: Crops) -> Collection:
    """Copy vectors with the attributes that are filtered into an empty collection, and build its index."""
    setup.tell(f"filtered: copying {len(crops.stored)} vectors")
    vectors = crops.stored.astype(np.float32)
    likeness = vectors @ crops.queries[0].astype(np.float32)
    order = np.argsort(np.argsort(-likeness)) / len(vectors)
    chance = np.random.default_rng(_SEED).random(len(vectors))
    rows = (
        NewRecord(
            f"{number}",
            dumps(
                {
                    "chance": float(chance[number]),
                    "order": float(order[number]),
                    "brand": f"b{number * 7919 % 200}",
                    "category": category(source),
                    "photo": source.id,
                }
            ),
            vectors[number],
        )
        for number, source in enumerate(crops.sources)
    )
    while chunk := list(islice(rows, _CHUNK)):
        loads.copy(setup.context.db, collection, chunk)
    setup.tell("filtered: building the index")
    indexes.build_hnsw(setup.context.db, collection)
    setup.context.lookup.forget(collection.name)
    return setup.context.lookup.collection(collection.name)


def measure(setup: Setup, collection: Collection, crops: Crops) -> Table:
    """Compare filtered searches with exact ones at every selectivity."""
    axis = crops.queries[0].astype(np.float32)
    random = crops.queries[1 : 1 + _QUERIES].astype(np.float32)
    near = _NEAR * axis + (1 - _NEAR) * random
    near /= np.linalg.norm(near, axis=1, keepdims=True)
    rows: list[tuple[str, ...]] = []
    worst = 1.0
    for kind in _KINDS:
        for share in _SHARES:
            setup.tell(f"filtered: {share:.2%} {kind.name}")
            condition = {"$lt": share} if kind.low else {"$gte": 1 - share}
            queries = random if kind.field == "chance" else near
            recall, cells = _compare(setup, collection, {kind.field: condition}, queries)
            worst = min(worst, recall)
            rows.append((kind.name, f"{share * 100:g}", *cells))
    recall, cells = _compare(setup, collection, {"brand": "b7"}, random)
    rows.append(("at random, by the GIN index", "0.5", *cells))
    worst = min(worst, recall)
    return Table(
        f"Filtered search, {len(crops.stored):,} vectors, k {_K}",
        ("matches lie", "% match", f"recall@{_K}", "least", "p50 ms", "exact p50 ms", "ways"),
        rows,
        [
            f"{_QUERIES} queries a row, each searched for as the server does and by comparing every match, in turns.",
            "No index serves these filters but the last: each exact search reads every record.",
        ],
        [Target(f"recall@{_K} at every selectivity", f"≥ {_WANTED}", f"{worst:.4f}", worst >= _WANTED)],
    )


def _compare(
    setup: Setup, collection: Collection, filter_: dict[str, object], queries: NDArray[np.float32]
) -> tuple[float, tuple[str, ...]]:
    db = setup.context.db
    target = SearchTarget(collection, Window(_K), Fields(), compile_filter(parse_filter(filter_), table="r"))
    recalls: list[float] = []
    times: list[float] = []
    exact_times: list[float] = []
    ways: Counter[str] = Counter()
    for query in queries:
        watch = Stopwatch()
        found = search.knn_by_vector(db, target, query)
        times.append(watch.seconds * 1000)
        watch = Stopwatch()
        true = {one.id for one in search.exact(db, target, query)}
        exact_times.append(watch.seconds * 1000)
        ways[found.way] += 1
        recalls.append(len({one.id for one in found.records} & true) / max(1, len(true)))
    mean = float(np.mean(recalls))
    told = "; ".join(way if len(ways) == 1 else f"{way} {number}" for way, number in ways.most_common())
    return mean, (f"{mean:.4f}", f"{min(recalls):.2f}", f"{median(times):.2f}", f"{median(exact_times):.2f}", told)
