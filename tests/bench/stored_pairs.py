"""What stored pairs cost: the scan beside a bare matrix in NumPy, and keeping them while pictures are inserted."""

import resource
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from app.db import loads
from app.db.evidence import HASH_BYTES
from app.db.records import NewRecord
from app.domain.collections import Collection
from app.domain.records import Fields, Json
from app.services import duplicates, inserting
from app.services.context import Context
from app.services.pipeline import Item
from app.services.search import NEAR_DUPLICATE_RADIUS
from tests.bench.report import Table, Target
from tests.bench.setup import Setup, Stopwatch

_CHUNK = 2000
_BLOCK = 2048
_BATCH = 10
_WARMING = 50


def measure(setup: Setup, collection: Collection, vectors: NDArray[np.float16], inserts: int = 1000) -> Table:
    """Scan an empty collection that is filled with vectors, (n, dimensions), then insert pictures."""
    for chunk in _chunks(vectors):
        loads.copy(setup.context.db, collection, chunk)
    setup.tell(f"duplicates: a scan of {len(vectors)} records")
    least = _peak()
    scanned = _clocked(lambda: duplicates.scan(setup.context, collection, NEAR_DUPLICATE_RADIUS, model_alone=True))
    more = _peak() - least
    setup.tell("duplicates: the same in NumPy")
    bare = _clocked(lambda: _bare(vectors, collection.distance_scale))
    setup.tell(f"duplicates: {inserts} inserts with stored pairs, and without")
    # The first insert would begin to build an index beside what is measured; the first pictures load the model.
    settings = setup.context.settings.model_copy(update={"index_rows": 10**9})
    context = replace(setup.context, settings=settings)
    _hash(setup, collection, vectors)
    # Each picture once: the vector of one that was inserted before is remembered, and costs nothing.
    number = min(inserts, (len(setup.photos) - _WARMING) // 2)
    pictures, others = setup.photos[:number], setup.photos[number : 2 * number]
    _insert(context, collection, setup.photos[2 * number :][:_WARMING], "warm")
    duplicates.refresh(setup.context, collection)
    noted = _clocked(lambda: _insert(context, collection, pictures, "noted"))
    refreshed = _clocked(lambda: duplicates.refresh(setup.context, collection))
    duplicates.forget(setup.context, collection)
    plain = _clocked(lambda: _insert(context, collection, others, "plain"))
    ratio, extra = scanned.seconds / bare.seconds, (noted.seconds + refreshed.seconds) / plain.seconds - 1
    rows = [
        ("scan", *scanned.cells, f"{ratio:.2f} x NumPy; {more / 2**20:.0f} MB more at the peak"),
        ("matrix in NumPy, float32", *bare.cells, ""),
        (f"{len(pictures)} inserts, stored pairs", *noted.cells, ""),
        ("bringing the pairs up to date", *refreshed.cells, ""),
        (f"{len(pictures)} inserts, no stored pairs", *plain.cells, f"{100 * extra:.1f} % less than both above"),
    ]
    return Table(
        f"Stored pairs: {len(vectors)} records",
        ("", "seconds", "CPU seconds of this process", ""),
        rows,
        [
            (
                f"Radius {NEAR_DUPLICATE_RADIUS}. The scan is by the model alone. NumPy: unit vectors in memory, blocks"
                f" of {_BLOCK} rows above the diagonal, pairs by `nonzero`. Inserts: photos through the model, {_BATCH}"
                " a request, no index; up to date by model and hash, those of the vectors being their signs."
            )
        ],
        [
            Target("scan", "<= 1.5 x NumPy", f"{ratio:.2f} x", ratio <= 1.5),
            Target("pairs kept up to date", "<= 10 % of inserts", f"{100 * extra:.1f} %", extra <= 0.1),
        ],
    )


def _hash(setup: Setup, collection: Collection, vectors: NDArray[np.float16]) -> None:
    """Give every record a hash, as if it had a thumbnail, so that what is inserted is compared by hash, too."""
    hashes = np.packbits(vectors > np.median(vectors, axis=0), axis=1)[:, :HASH_BYTES]
    statement = (
        "INSERT INTO lookalike.duplicate_hashes (collection_id, id, hash, of)"
        " SELECT %(collection_id)s, n.id, n.hash, '' FROM unnest(%(ids)s::text[], %(hashes)s::bytea[]) AS n (id, hash)"
    )
    with setup.context.db.session() as connection:
        for start in range(0, len(hashes), _CHUNK):
            rows = hashes[start : start + _CHUNK]
            ids = [f"v{start + place:07}" for place in range(len(rows))]
            values = {"collection_id": collection.id, "ids": ids, "hashes": [row.tobytes() for row in rows]}
            connection.execute(statement, values)
        connection.execute(
            "UPDATE lookalike.duplicate_scans SET hashes = true WHERE collection_id = %(collection_id)s",
            {"collection_id": collection.id},
        )


@dataclass(frozen=True, slots=True)
class _Clocked:
    seconds: float
    cpu: float

    @property
    def cells(self) -> tuple[str, str]:
        return f"{self.seconds:.1f}", f"{self.cpu:.1f}"


def _clocked(work: Callable[[], object]) -> _Clocked:
    before = resource.getrusage(resource.RUSAGE_SELF)
    watch = Stopwatch()
    work()
    seconds = watch.seconds
    after = resource.getrusage(resource.RUSAGE_SELF)
    return _Clocked(seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def _peak() -> int:
    """Return the most bytes of memory that this process had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _bare(vectors: NDArray[np.float16], scale: float) -> int:
    """Return the number of pairs within the radius, found in the plainest way that knows blocks."""
    unit = vectors.astype(np.float32)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    least = 1.0 - NEAR_DUPLICATE_RADIUS / scale
    found = 0
    for row in range(0, len(unit), _BLOCK):
        for column in range(row, len(unit), _BLOCK):
            near = unit[row : row + _BLOCK] @ unit[column : column + _BLOCK].T >= least
            one, other = np.nonzero(near)
            found += int((one + row < other + column).sum())
    return found


def _chunks(vectors: NDArray[np.float16]) -> Iterator[list[NewRecord]]:
    for first in range(0, len(vectors), _CHUNK):
        rows = vectors[first : first + _CHUNK].astype(np.float32)
        yield [NewRecord(f"v{first + place:07}", "{}", row) for place, row in enumerate(rows)]


def _insert(context: Context, collection: Collection, pictures: Sequence[Item], prefix: str) -> None:
    for first in range(0, len(pictures), _BATCH):
        records: list[Json] = [
            {"_id": f"{prefix}-{item.id}", "_base64": b64encode(item.read()).decode()}
            for item in pictures[first : first + _BATCH]
        ]
        inserting.insert(context, collection, records, Fields())
