"""The recall of a collection's indexes is measured in the background: searches take no more effort than they need.

Vectors beside stored records are searched for, at several efforts, and compared with exact answers: the nearest 10,
20 and 100, and the nearest 20 of a half and of a tenth of the records, chosen by a hash of their ids. One exact answer,
the nearest 1,000, serves for all of them. A record itself is found too easily, as the graph was built by looking for
it: to its vector is added half of the difference of two others, and then its neighbours are no easier to find than
those of a new picture (`docs/adr/0016-recall-is-measured.md`).

It works while the collection is searched, and takes little from that: one statement at a time, an exact comparison in a
place that those leave, as much rest as work, and an end after `LOOKALIKE_RECALL_SECONDS` of work, for each 250,000
records as long: an exact answer takes as much longer, and a few of them prove no high target.
"""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from app.db import indexes, listing, partial
from app.db import recall as recall_table
from app.db.engine import Database
from app.db.listing import Listing
from app.db.search import compared, stored
from app.db.search.send import fetch
from app.db.search.statements import candidates
from app.domain.collections import Collection, PartialIndex
from app.domain.errors import LookalikeError, Unavailable
from app.domain.recall import Curve, Depth, Recall
from app.domain.records import Fields, Found
from app.domain.windows import Window
from app.filters import Where
from app.search import effort as rule
from app.search.ladder import Rung, distance, order
from app.search.plan import FIRST, FIRST_MATCHES, RANKS, Plan, Way
from app.search.request import Query
from app.services.context import Context

log = logging.getLogger(__name__)

EFFORTS = (40, 56, 80, 112, 160, 224, 320, 448, 640, 1000)
QUERIES = 400
# Of fewer queries a mean says too little.
LEAST_QUERIES = 30
_TRUE = 1000
# What a record is moved by, in parts of the difference of two others.
_MOVED = 0.5
_NEARLY_ALL = 0.998
_SAME = 1e-6  # of a distance, as two ways of adding up differ
_BUSY_SECONDS = 1.0
_PATIENCE = 20
# Up to so many records `LOOKALIKE_RECALL_SECONDS` are given once.
_SHARE_OF_RECORDS = 250_000
_HUNDRED = Rung(100, 125)
# Of the first byte of a hash of the id, which is one of 256: half of the records, and a tenth.
_BELOW = {Depth.HALF: 128, Depth.TENTH: 26}

# Those in crowds stand beside the index, and are found whatever its effort.
_IN_GRAPH = Where("r.crowd IS NULL", {})


@dataclass(frozen=True, slots=True)
class _Index:
    """An index: of all records of a collection, or those of a part."""

    collection: Collection
    name: str
    rows: int
    part: PartialIndex | None = None


@dataclass(slots=True)
class _Measurement:
    """The hits so far, by what is looked for and effort: of each query how many, of how many."""

    db: Database
    index: _Index
    efforts: Sequence[int]
    found: dict[Depth, dict[int, list[tuple[int, int]]]] = field(default_factory=dict)
    queries: int = 0

    def ask(self, query: Query) -> None:
        """Search for one vector at every effort."""
        wide = replace(query, window=Window(_TRUE))
        if self.index.part is not None:
            wide = wide.but(_in_part(self.index.part))
        if self.index.collection.crowded:
            wide = wide.but(_IN_GRAPH)
        true = compared(self.db, wide)
        if len(true) < _HUNDRED.keep:
            return
        for effort in self.efforts:
            plan = Plan((Way.INDEX,), effort=effort, part=self.index.part, rows=self.index.rows)
            offered = fetch(self.db, candidates(query, plan, replace(plan.walk(_HUNDRED), effort=effort)))
            first = sorted(offered[: FIRST[-1].candidates], key=order)
            self._note(Depth.TEN, effort, first, true, 10)
            self._note(Depth.TWENTY, effort, first, true, RANKS)
            self._note(Depth.HUNDRED, effort, sorted(offered, key=order), true, _HUNDRED.keep)
            for depth, below in _BELOW.items():
                matching = replace(plan, matches=max(1, self.index.rows * below // 256))
                rung = FIRST_MATCHES[-1]
                walk = replace(matching.walk(rung), effort=effort)
                filtered = query.but(_sampled(below))
                offered = fetch(self.db, candidates(filtered, matching, walk))
                among = [one for one in true if _first_byte(one.id) < below]
                self._note(depth, effort, sorted(offered, key=order), among, RANKS)
        self.queries += 1
        if self.queries == LEAST_QUERIES:
            self._drop_the_greatest()

    def curves(self) -> dict[Depth, Curve]:
        """Return the curves."""
        return {
            depth: rule.curve([rule.point(effort, by_effort[effort]) for effort in self.efforts])
            for depth, by_effort in self.found.items()
            if all(by_effort.get(effort) for effort in self.efforts)
        }

    def _note(self, depth: Depth, effort: int, found: Sequence[Found], true: Sequence[Found], k: int) -> None:
        wanted = min(k, len(true))
        if wanted == 0:
            return
        edge = distance(true[wanted - 1]) + _SAME
        hits = min(wanted, sum(distance(one) <= edge for one in found[:wanted]))
        self.found.setdefault(depth, {}).setdefault(effort, []).append((hits, wanted))

    def _drop_the_greatest(self) -> None:
        """Go on without efforts that are more than enough for everything that is looked for."""
        for place, effort in enumerate(self.efforts):
            if all(_mean(by_effort.get(effort, [])) >= _NEARLY_ALL for by_effort in self.found.values()):
                self.efforts = self.efforts[: place + 2]
                return


def keep(context: Context, collection: Collection) -> None:
    """Measure the indexes of a collection where that is due, and store it; nothing where another process is at it.

    Raises:
        Unavailable: the database is away.

    """
    seconds = context.settings.recall_seconds
    if seconds == 0:
        return
    target = collection.recall_target or context.settings.recall_target
    recall_table.forget(context.db, collection)
    changed = False
    for index in _indexes(context.db, collection):
        changed |= _keep(context.db, index, target, allowed(seconds, index.rows))
    if changed:
        context.lookup.forget(collection.name)


def measure_now(
    context: Context, collection: Collection, progress: Callable[[int], None] = lambda _: None
) -> Recall | None:
    """Measure the index of all records and store it, due or not; None where there is none, or another process is at it.

    Raises:
        Unavailable: the database is away.

    """
    if not collection.indexed:
        return None
    index = _of_all(collection)
    target = collection.recall_target or context.settings.recall_target
    seconds = context.settings.recall_seconds
    work = allowed(seconds, index.rows)
    found = _measured_and_stored(context.db, index, target, work, rest=False, progress=progress)
    context.lookup.forget(collection.name)
    return found


def allowed(seconds: float, rows: int) -> float:
    """Return the seconds of work that a measurement among so many records may take.

    Args:
        seconds: what `LOOKALIKE_RECALL_SECONDS` says, 0 or more.
        rows: the records of the index.

    """
    return seconds * max(1.0, rows / _SHARE_OF_RECORDS)


def retarget(context: Context, collection: Collection) -> None:
    """Have searches of a collection aim at its target, or the server's, by what was measured."""
    target = collection.recall_target or context.settings.recall_target
    for index in _indexes(context.db, collection):
        known = index.part.recall if index.part else collection.recall
        if known is not None and known.target != target:
            _store_target(context.db, index.name, known, target)
    context.lookup.forget(collection.name)


def measured(
    db: Database,
    index: _Index,
    target: float,
    seconds: float,
    *,
    queries: int,
    rest: bool = True,
    progress: Callable[[int], None] = lambda _: None,
) -> Recall | None:
    """Return what is measured of an index within so many seconds of work; None where that was too little."""
    started = time.monotonic()
    measurement = _Measurement(db, index, EFFORTS)
    worked, in_vain = 0.0, 0
    query = Query(index.collection, Window(_HUNDRED.keep), Fields())
    for vector in _asked(db, index, queries):
        begun = time.monotonic()
        try:
            measurement.ask(query.near(vector))
        except Unavailable:
            in_vain += 1
            if in_vain == _PATIENCE:
                raise
            time.sleep(_BUSY_SECONDS)  # others compare all records: they go first
        spent = time.monotonic() - begun
        worked += spent
        progress(1)
        if worked >= seconds:
            break
        if rest:
            time.sleep(spent)
    if measurement.queries < LEAST_QUERIES:
        log.warning(
            "the recall of %s was not measured: %d searches were compared in %.0f s, of %d at least",
            index.name, measurement.queries, worked, LEAST_QUERIES,
        )  # fmt: skip
        return None
    curves = measurement.curves()
    before = index.part.recall if index.part else index.collection.recall
    chosen = rule.efforts(curves, target, before.efforts if before and before.target == target else None)
    return Recall(curves, target, chosen, measurement.queries, index.rows, time.monotonic() - started)


def _keep(db: Database, index: _Index, target: float, seconds: float) -> bool:
    """Measure an index if that is due, or store the efforts of another target; return whether anything changed."""
    state = recall_table.due(db, index.collection, index.name)
    if state is None:
        return False
    if state.due:
        return _measured_and_stored(db, index, target, seconds) is not None
    known = index.part.recall if index.part else index.collection.recall
    if known is None or state.target == target:
        return False
    _store_target(db, index.name, known, target)
    return True


def _measured_and_stored(
    db: Database,
    index: _Index,
    target: float,
    seconds: float,
    *,
    rest: bool = True,
    progress: Callable[[int], None] = lambda _: None,
) -> Recall | None:
    state = recall_table.due(db, index.collection, index.name)
    if state is None or not recall_table.claim(db, index.collection, index.name, seconds):
        return None
    try:
        found = measured(db, index, target, seconds, queries=QUERIES, rest=rest, progress=progress)
    except LookalikeError:
        with suppress(LookalikeError):
            recall_table.release(db, index.name)
        raise
    if found is None:
        recall_table.release(db, index.name)
        return None
    recall_table.store(db, index.name, state, found, recalls(found))
    log.info(
        "measured the recall of %s in %.0f s with %d queries: %g is reached with effort %d (%d deep, %d with a filter)",
        index.name, found.seconds, found.queries, target,
        found.efforts.nearest, found.efforts.deep, found.efforts.matches,
    )  # fmt: skip
    return found


def _store_target(db: Database, name: str, known: Recall, target: float) -> None:
    found = replace(known, target=target, efforts=rule.efforts(known.curves, target))
    recall_table.retarget(db, name, found, recalls(found))


def recalls(found: Recall) -> tuple[float, float]:
    """Return the measured recall of the nearest 10 and of the nearest 100 at the efforts that searches take."""
    ten = rule.recall_at(found.curves.get(Depth.TEN, ()), found.efforts.nearest)
    hundred = rule.recall_at(found.curves.get(Depth.HUNDRED, ()), found.efforts.deep)
    return ten or 0.0, hundred or 0.0


def told(found: Recall) -> dict[str, object]:
    """Return what `collection show` says of a measurement."""
    ten, hundred = recalls(found)
    return {
        "target": found.target,
        "effort": found.efforts.nearest,
        "effort_deep": found.efforts.deep,
        "effort_matches": found.efforts.matches,
        "recall_10": round(ten, 4),
        "recall_100": round(hundred, 4),
        "queries": found.queries,
        "rows": found.rows,
        "seconds": round(found.seconds, 1),
        "measured_at": found.measured_at,
    }


def _of_all(collection: Collection) -> _Index:
    return _Index(collection, indexes.hnsw_name(collection), collection.rows)


def _indexes(db: Database, collection: Collection) -> list[_Index]:
    """Return the indexes that can be measured: that of all records, and those of single values."""
    by_condition = {part.condition: part for part in collection.partial_indexes}
    parts = [
        _Index(collection, one.index_name, one.rows, by_condition[one.condition])
        for one in partial.listed(db, collection)
        if one.condition in by_condition
    ]
    return [_of_all(collection), *parts]


def _asked(db: Database, index: _Index, number: int) -> NDArray[np.float32]:
    """Return vectors beside those of stored records at random, of a part half of them from it, (n, dimensions)."""
    everything = Listing(index.collection, Fields())
    ids = {one.id for one in listing.random(db, everything, number)}
    if index.part is not None:
        inside = listing.random(db, replace(everything, where=_in_part(index.part)), number // 2)
        ids = {*list(ids)[: number - number // 2], *(one.id for one in inside)}
    known = [one.vector.to_numpy() for one in stored(db, index.collection, sorted(ids)).values()]
    vectors = np.random.default_rng().permutation(np.asarray(known, np.float32).reshape(len(known), -1))
    moved: NDArray[np.float32] = vectors + _MOVED * (np.roll(vectors, 1, axis=0) - np.roll(vectors, 2, axis=0))
    return moved


def _in_part(part: PartialIndex) -> Where:
    return Where("r.attributes @? %(part)s::jsonpath", {"part": part.condition})


def _sampled(below: int) -> Where:
    return Where("get_byte(sha256(convert_to(r.id, 'UTF8')), 0) < %(below)s", {"below": below})


def _first_byte(record_id: str) -> int:
    return sha256(record_id.encode()).digest()[0]


def _mean(found: Sequence[tuple[int, int]]) -> float:
    return sum(hits for hits, _ in found) / max(1, sum(wanted for _, wanted in found))
