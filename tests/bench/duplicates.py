"""What it costs to compare every record: nearDuplicates, nearDupsInsert and all pairs, by the size of a collection."""

from collections.abc import Iterator
from statistics import median

import numpy as np

from app.db import loads, near_duplicate_insert, pairs
from app.db.listing import Listing
from app.db.records import NewRecord
from app.domain.collections import Collection
from app.domain.records import Fields
from app.domain.windows import Window
from app.embedding.pictures.verification import may_be_the_same
from app.search.request import Query
from app.services.search import NEAR_DUPLICATE_RADIUS
from tests.bench.recall import record_id
from tests.bench.report import Table
from tests.bench.setup import Setup, Stopwatch
from tests.bench.vectors import Crops
from tests.support.searching import exact

_CHUNK = 2000
_ASKED = 20
_SHARES = (0.25, 0.5, 1.0, 2.0)


def measure(setup: Setup, collection: Collection, crops: Crops) -> Table:
    """Fill an empty collection step by step, to twice the vectors, and ask at every step."""
    rows = []
    stored = 0
    for share in _SHARES:
        wanted = round(share * len(crops.stored))
        for chunk in _chunks(crops, stored, wanted):
            loads.copy(setup.context.db, collection, chunk)
        stored = wanted
        setup.tell(f"duplicates: {stored} records")
        near, inserted = _asked(setup, collection, crops)
        # Twice the vectors hold each vector twice: too many pairs to be those of a real collection.
        seconds = _pairs(setup, collection, stored) if share <= 1 else None
        rows.append((f"{stored}", f"{near:.1f}", f"{inserted:.1f}", "" if seconds is None else f"{seconds:.1f}"))
    return Table(
        "Near duplicates: every record is compared",
        ("records", "nearDuplicates ms", "nearDupsInsert ms a record", "all pairs s"),
        rows,
        [
            (
                f"Vectors of random crops, {collection.dimensions} dimensions, no index; {_ASKED} queries at a radius"
                f" of {NEAR_DUPLICATE_RADIUS}; times in process, medians. The last row has every vector twice."
            )
        ],
    )


def _chunks(crops: Crops, start: int, end: int) -> Iterator[list[NewRecord]]:
    total = len(crops.stored)
    for first in range(start, end, _CHUNK):
        numbers = range(first, min(first + _CHUNK, end))
        yield [
            NewRecord(
                record_id(crops.sources[number % total].id, number),
                "{}",
                crops.stored[number % total].astype(np.float32),
            )
            for number in numbers
        ]


def _asked(setup: Setup, collection: Collection, crops: Crops) -> tuple[float, float]:
    """Return the median milliseconds of nearDuplicates and of an insert that is refused as a duplicate."""
    db = setup.context.db
    target = Query(collection, Window(None), Fields(), radius=NEAR_DUPLICATE_RADIUS)
    near: list[float] = []
    inserted: list[float] = []
    for place in range(_ASKED):
        watch = Stopwatch()
        exact(db, target, crops.queries[place].astype(np.float32))
        near.append(watch.seconds * 1000)
        stored = NewRecord("twin", "{}", crops.stored[place].astype(np.float32))
        watch = Stopwatch()
        made, _ = near_duplicate_insert.insert(
            db,
            collection,
            [stored],
            near_duplicate_insert.NearDuplicateCheck(NEAR_DUPLICATE_RADIUS, Fields(), may_be_the_same),
        )
        inserted.append(watch.seconds * 1000)
        if made:
            raise RuntimeError("a twin of a stored record was inserted")
    return median(near), median(inserted)


def _pairs(setup: Setup, collection: Collection, stored: int) -> float:
    watch = Stopwatch()
    vectors = pairs.read_vectors(setup.context.db, Listing(collection, Fields()), stored)
    if vectors is None:
        raise RuntimeError("there are more records than were stored")
    pairs.nearest_pairs(vectors, collection.distance_scale, NEAR_DUPLICATE_RADIUS, 1_000_000)
    return watch.seconds
