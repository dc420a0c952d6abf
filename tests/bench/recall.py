"""How many of the true nearest neighbours the index finds at the default effort, on many real vectors."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import median

import numpy as np
from numpy.typing import NDArray

from app.db import collections as table
from app.db import indexes, loads
from app.db.records import NewRecord
from app.domain.collections import Collection
from app.domain.jsontext import dumps
from app.domain.records import Fields, Json
from app.domain.windows import Window
from app.search.request import Query
from app.services.pipeline import Item
from tests.bench.report import Table, Target
from tests.bench.setup import Setup, Stopwatch, category
from tests.bench.vectors import Crops
from tests.support.searching import answered, exact

_CHUNK = 2000
_KS = (10, 30)
_WANTED = 0.98


@dataclass(frozen=True, slots=True)
class Filled:
    """The large collection, its index built, with the seconds that took."""

    collection: Collection
    copy_seconds: float
    build_seconds: float
    index_bytes: int


Attributes = Callable[[Item, int], dict[str, Json]]


def _attributes(source: Item, number: int) -> dict[str, Json]:
    return {"category": category(source), "photo": source.id, "price": number % 1000}


def fill(setup: Setup, collection: Collection, crops: Crops, attributes: Attributes = _attributes) -> Filled:
    """Copy vectors into an empty collection, with attributes by photo and number, and build its index."""
    setup.tell(f"recall: copying {len(crops.stored)} vectors")
    watch = Stopwatch()
    rows = _rows(crops, attributes)
    while chunk := list(islice(rows, _CHUNK)):
        loads.copy(setup.context.db, collection, chunk)
    copied = watch.seconds
    setup.tell("recall: building the index")
    watch = Stopwatch()
    indexes.build_hnsw(setup.context.db, collection)
    built = watch.seconds
    setup.context.lookup.forget(collection.name)
    found = setup.context.lookup.collection(collection.name)
    sizes = {row["name"]: int(row["index_bytes"]) for row in table.list_all(setup.context.db)}
    return Filled(found, copied, built, sizes[collection.name])


def record_id(source: str, number: int) -> str:
    """Return the `_id` of a crop: the photo's, and the crop's place among all."""
    return f"{source}#{number}"


def _rows(crops: Crops, attributes: Attributes) -> Iterator[NewRecord]:
    for number, (vector, source) in enumerate(zip(crops.stored, crops.sources, strict=True)):
        yield NewRecord(record_id(source.id, number), dumps(attributes(source, number)), vector.astype(np.float32))


def measure(setup: Setup, filled: Filled, crops: Crops) -> Table:
    """Compare what the index finds with what comparing every record finds."""
    setup.tell(f"recall: {len(crops.queries)} searches through the index and as many without it")
    rows = []
    targets = []
    for k in _KS:
        found, index_ms, exact_ms, ways = _compare(setup, filled.collection, crops.queries, k)
        rows.append((f"recall@{k}", f"{np.mean(found):.4f}", f"{min(found):.2f}", f"{index_ms:.2f}", f"{exact_ms:.1f}"))
        if k == max(_KS):
            recall = float(np.mean(found))
            met = recall >= _WANTED and len(crops.stored) >= 50_000
            vectors = f"{len(crops.stored):,} vectors"
            targets.append(
                Target(f"recall@{k}, default effort", f"≥ {_WANTED}, 50,000", f"{recall:.4f}, {vectors}", met)
            )
        if ways != {"index"}:
            rows.append((f"  (some through {', '.join(sorted(ways))})", "", "", "", ""))
    return Table(
        f"Recall against exact search, {len(crops.stored):,} vectors",
        ("figure", "mean", "worst query", "index ms", "exact ms"),
        rows,
        [
            (
                f"Vectors of random crops of the photos, {len(crops.queries)} queries of photos that are not stored;"
                f" effort {setup.context.db.ef_search}, the default; times in process, medians."
            ),
            (
                f"Stored in {filled.copy_seconds:.1f} s ({len(crops.stored) / filled.copy_seconds:.0f} rows/s),"
                f" index built in {filled.build_seconds:.1f} s; all indexes {filled.index_bytes / 2**20:.0f} MiB."
            ),
        ],
        targets,
    )


def _compare(
    setup: Setup, collection: Collection, queries: Sequence[NDArray[np.float16]] | NDArray[np.float16], k: int
) -> tuple[list[float], float, float, set[str]]:
    db = setup.context.db
    target = Query(collection, Window(k), Fields())
    recalls: list[float] = []
    index_ms: list[float] = []
    exact_ms: list[float] = []
    ways: set[str] = set()
    for query in queries:
        vector = query.astype(np.float32)
        watch = Stopwatch()
        found = answered(db, target, vector)
        index_ms.append(watch.seconds * 1000)
        watch = Stopwatch()
        true = exact(db, target, vector)
        exact_ms.append(watch.seconds * 1000)
        ways.add(found.way)
        recalls.append(len({one.id for one in found.records} & {one.id for one in true}) / k)
    return recalls, median(index_ms), median(exact_ms), ways
