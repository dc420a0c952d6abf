"""Searches with a filter: those of a shop's visitors, and filters at every selectivity that no index serves.

The shop's are judged by time and recall. In the second table each record has a chance of its own, and its place in an
order by likeness to one photo, so that a filter on either keeps the share of the records that is asked for: at random,
those most like the photo, or those least like it. Queries of the last two kinds are vectors near that photo's. They are
judged by recall alone: where no index serves the filter and the index of vectors does not help either, every record is
read. Last come the shop's categories once more, each with an HNSW index of its own.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import median

import numpy as np
from numpy.typing import NDArray

from app.db import indexes, loads
from app.db.records import NewRecord
from app.domain.collections import Collection
from app.domain.jsontext import dumps
from app.domain.ranking import Nearest
from app.domain.records import Fields
from app.domain.windows import Window
from app.filters import compile_filter, parse_filter
from app.search.request import Query
from app.services.indexing import index_values
from tests.bench.report import Table, Target
from tests.bench.setup import Setup, Stopwatch
from tests.bench.shop import Visit, shop, visits
from tests.bench.vectors import Crops
from tests.support.searching import answered, exact

_SHARES = (0.0005, 0.001, 0.01, 0.05, 0.1, 0.5, 0.9, 1.0)
_K = 20
_QUERIES = 40
_CHUNK = 2000
_WANTED = 0.98
_WANTED_MS = 5.0
_JUDGED = 60_000  # vectors at which the time is judged
_SEED = 5
_NEAR = 0.8  # part of the photo in a query near it
_HEADER = (f"recall@{_K}", "least", "p50 ms", "p95 ms", "exact p50 ms", "ways")


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


@dataclass(frozen=True, slots=True)
class _Row:
    """What was measured with one kind of filter: mean recall, median milliseconds, whether all pages were full."""

    recall: float
    milliseconds: float
    full: bool
    cells: tuple[str, ...]


def fill(setup: Setup, collection: Collection, crops: Crops) -> Collection:
    """Copy vectors with the attributes that are filtered into an empty collection, and build its indexes."""
    setup.tell(f"filtered: copying {len(crops.stored)} vectors")
    vectors = crops.stored
    made = shop(crops)
    likeness = vectors.astype(np.float32) @ crops.queries[0].astype(np.float32)
    order = np.argsort(np.argsort(-likeness)) / len(vectors)
    chance = np.random.default_rng(_SEED).random(len(vectors))
    rows = (
        NewRecord(
            f"{number}",
            dumps({**made.attributes(number), "chance": float(chance[number]), "order": float(order[number])}),
            vectors[number].astype(np.float32),
        )
        for number in range(len(vectors))
    )
    while chunk := list(islice(rows, _CHUNK)):
        loads.copy(setup.context.db, collection, chunk)
    setup.tell("filtered: building the indexes")
    indexes.declare_field(setup.context.db, collection, "price")
    indexes.build_hnsw(setup.context.db, collection)
    setup.context.lookup.forget(collection.name)
    return setup.context.lookup.collection(collection.name)


def measure(setup: Setup, collection: Collection, crops: Crops) -> Iterator[Table]:
    """Yield the table of a shop's filters, of filters which no index serves, and of categories with an index each."""
    yield of_shop(setup, collection, crops, "a shop's filters")
    yield unserved(setup, collection, crops)
    setup.tell("filtered: an index of each category")
    index_values(setup.context, collection, "category")
    indexed = setup.context.lookup.collection(collection.name)
    yield of_shop(setup, indexed, crops, "a shop's categories, an index each", only="category")


def of_shop(setup: Setup, collection: Collection, crops: Crops, name: str, only: str = "") -> Table:
    """Search as a shop's visitors do: a declared price at every selectivity, categories near and far.

    Args:
        setup: where it is measured.
        collection: as `fill` left it.
        crops: its vectors, and the queries.
        name: what the table and its targets are called.
        only: part of the names of the visits that are measured; all by default.

    """
    queries = crops.queries[1 : 1 + _QUERIES].astype(np.float32)
    made = shop(crops)
    rows: list[tuple[str, ...]] = []
    measured: list[_Row] = []
    for visit in visits(made, crops, queries):
        if only not in visit.name:
            continue
        setup.tell(f"filtered: {visit.name}")
        found = _compare(setup, collection, visit, queries)
        matching = median([float(made.matches(condition).mean()) for condition in visit.conditions])
        rows.append((visit.name, f"{matching * 100:.2f}", *found.cells))
        measured.append(found)
    number = len(crops.stored)
    slowest = max(row.milliseconds for row in measured)
    recall = min(row.recall for row in measured)
    targets = [
        Target(f"{name}: recall@{_K} of each", f"≥ {_WANTED}", f"{recall:.4f}", recall >= _WANTED),
        Target(
            f"{name}: p50 of each",
            f"≤ {_WANTED_MS:.0f} ms, {_JUDGED:,}",
            f"{slowest:.2f} ms, {number:,} vectors",
            slowest <= _WANTED_MS and number >= _JUDGED,
        ),
        _full(name, measured),
    ]
    notes = [
        f"{_QUERIES} queries a row, each searched for as the server does, then all by comparing every match.",
        "The price has a declared B-tree, the category the GIN index that every collection has"
        + (", and each category an HNSW index of its own." if collection.partial_indexes else "."),
    ]
    title = f"Filtered search, {name}, {number:,} vectors, k {_K}"
    return Table(title, ("filter", "% match", *_HEADER), rows, notes, targets)


def unserved(setup: Setup, collection: Collection, crops: Crops) -> Table:
    """Search with filters that no index serves, which run with and against the query, at every selectivity."""
    axis = crops.queries[0].astype(np.float32)
    random = crops.queries[1 : 1 + _QUERIES].astype(np.float32)
    near = _NEAR * axis + (1 - _NEAR) * random
    near /= np.linalg.norm(near, axis=1, keepdims=True)
    rows: list[tuple[str, ...]] = []
    measured: list[_Row] = []
    for kind in _KINDS:
        for share in _SHARES:
            setup.tell(f"filtered: {share:.2%} {kind.name}")
            condition: dict[str, object] = {kind.field: {"$lt": share} if kind.low else {"$gte": 1 - share}}
            queries = random if kind.field == "chance" else near
            found = _compare(setup, collection, [condition] * len(queries), queries)
            rows.append((kind.name, f"{share * 100:g}", *found.cells))
            measured.append(found)
    recall = min(row.recall for row in measured)
    return Table(
        f"Filtered search without an index for the filter, {len(crops.stored):,} vectors, k {_K}",
        ("matches lie", "% match", *_HEADER),
        rows,
        ["No index serves these filters: each exact search reads every record."],
        [
            Target(f"filters without an index: recall@{_K}", f"≥ {_WANTED}", f"{recall:.4f}", recall >= _WANTED),
            _full("filters without an index", measured),
        ],
    )


def _full(name: str, measured: Sequence[_Row]) -> Target:
    full = all(row.full for row in measured)
    return Target(f"{name}: {_K} records where as many match", "always", "always" if full else "not always", full)


def _compare(
    setup: Setup, collection: Collection, asked: Visit | Sequence[dict[str, object]], queries: NDArray[np.float32]
) -> _Row:
    """Search for each query with its filter, and compare with what comparing every match finds."""
    db = setup.context.db
    filters = [condition.filter for condition in asked.conditions] if isinstance(asked, Visit) else asked
    recalls: list[float] = []
    times: list[float] = []
    exact_times: list[float] = []
    ways: Counter[str] = Counter()
    full = True
    targets = [
        Query(
            collection,
            Window(_K),
            Fields(),
            compile_filter(parse_filter(filter_), indexed_fields=collection.indexed_fields, table="r"),
        )
        for filter_ in filters
    ]
    pages: list[Nearest] = []
    for query, target in zip(queries, targets, strict=True):
        watch = Stopwatch()
        pages.append(answered(db, target, query))
        times.append(watch.seconds * 1000)
    # Afterwards: an exact search of all records leaves nothing else in the processor's caches.
    for query, target, found in zip(queries, targets, pages, strict=True):
        watch = Stopwatch()
        true = {one.id for one in exact(db, target, query)}
        exact_times.append(watch.seconds * 1000)
        ways[found.way] += 1
        full &= len(found.records) == len(true)
        recalls.append(len({one.id for one in found.records} & true) / len(true) if true else 1.0)
    mean = float(np.mean(recalls))
    told = "; ".join(way if len(ways) == 1 else f"{way} {number}" for way, number in ways.most_common())
    figures = (median(times), float(np.quantile(times, 0.95)), median(exact_times))
    cells = (f"{mean:.4f}", f"{min(recalls):.2f}", *(f"{figure:.2f}" for figure in figures), told)
    return _Row(mean, figures[0], full, cells)
