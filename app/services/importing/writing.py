"""What an import writes: each batch of rows in one transaction with the position behind it."""

import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from app.db import importing
from app.db.engine import Connection
from app.db.importing import Batch, Stored
from app.db.near_duplicate_insert import NearDuplicateCheck
from app.db.records import NewRecord
from app.db.replacing import Content, Rules
from app.domain import statuses
from app.domain.collections import Collection
from app.domain.errors import InvalidRequest, Unavailable
from app.domain.jsontext import dumps
from app.domain.records import Found, Json
from app.domain.wording import counted
from app.services.context import Context
from app.services.importing.entries import Entry
from app.services.importing.plan import Plan
from app.services.importing.tally import Tally
from app.services.jobs.running import Running
from app.services.pipeline import Item

# Of near duplicates that are only told, so many are named in the outcome.
_EXAMPLES = 100
# A share of rejects says little of a few records.
_SHARE_FROM = 100
NOT_STORED = "no record of this _id is stored"


@dataclass(frozen=True, slots=True)
class Incoming:
    """A record on its way: `number` counts the entries that were met up to it; `vector` is its embedding."""

    entry: Entry
    number: int
    item: Item
    vector: NDArray[np.float32] | None
    has_picture: bool


@dataclass(frozen=True, slots=True)
class Bare:
    """An entry that is no record."""

    entry: Entry
    number: int


@dataclass(slots=True)
class Chunk:
    """Records of one transaction."""

    rows: list[NewRecord] = field(default_factory=list)
    lines: dict[str, Incoming] = field(default_factory=dict)
    same: dict[str, tuple[str, Content]] = field(default_factory=dict)
    size: int = 0
    began: float = field(default_factory=time.monotonic)

    def add(self, one: Incoming, row: NewRecord) -> None:
        """Add a row."""
        self.rows.append(row)
        self.lines[row.id] = one
        self.size += one.entry.size + len(row.original or b"") + len(row.thumbnail or b"")


class Writer:
    """Writes chunks, one transaction after the other, and knows what became of every entry.

    Args:
        context: the services.
        job: the run; its position is that of the source, with what became of the records up to there.
        collection: where the records are stored.
        plan: what is asked for.
        rules: how stored records are brought up to date; None: a taken id is passed over.
        check: what counts as a near duplicate; None: nothing does.
        source: what tells the source from another one.

    Raises:
        InvalidRequest: it is another one than when the job began.

    """

    def __init__(
        self,
        context: Context,
        job: Running,
        collection: Collection,
        plan: Plan,
        rules: Rules | None,
        check: NearDuplicateCheck | None,
        source: Json,
    ) -> None:
        self._db = context.db
        self._job = job
        self._collection = collection
        self._plan = plan
        self._rules = rules
        self._check = check
        position = job.position if isinstance(job.position, dict) else {}
        counts = position.get("counts")
        known = Counter({k: int(n) for k, n in counts.items()} if isinstance(counts, dict) else {})  # type: ignore[arg-type]
        self.tally = Tally()
        self.tally.begin(position.get("after"), known, int(job.progress.bytes))
        named = position.get("near_duplicates")
        self.near: list[Json] = named if isinstance(named, list) else []
        self.near_duplicates = self.tally.counts.pop("near_duplicates", 0)
        self.unchanged = self.tally.counts.pop("unchanged", 0)
        self._source = source
        if position.get("source", source) != source:
            raise InvalidRequest("the source was changed since the job began: begin a new one")
        # One transaction at a time: a position must not cover rows of another that may yet be undone.
        self._turn = threading.Lock()
        self._broken = False
        self.saved = time.monotonic()

    def write_same(self, records: Iterable[Incoming]) -> None:
        """Give stored records, whose pictures stay, other attributes."""
        chunk = Chunk()
        for one in records:
            if one.item.stored is not None:
                chunk.same[one.item.id] = (dumps(one.item.attributes), one.item.stored)
                chunk.lines[one.item.id] = one
        if chunk.same:
            self.write(chunk)

    def write(self, chunk: Chunk) -> None:
        """Write a chunk, in one transaction with the position."""
        batch = Batch(chunk.rows, chunk.same)
        with self._alone():
            then = partial(self._written, chunk)
            importing.store(self._db, self._collection, batch, self._rules, self._check, then)

    def save(self) -> None:
        """Note the position where nothing is written for long."""
        with self._alone():
            position, more = self._mark()
            self._job.save(position, **more)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Wait for another transaction to end; after one that was undone none may note a position any more."""
        with self._turn:
            if self._broken:
                raise Unavailable("what was written just before was undone")
            try:
                yield
            except BaseException:
                self._broken = True
                raise
            self.saved = time.monotonic()

    def _written(self, chunk: Chunk, connection: Connection, stored: Stored) -> None:
        """Count what became of a chunk, and note the position, in the transaction of its rows."""
        for record_id, one in chunk.lines.items():
            self._settle(record_id, one, stored)
        position, more = self._mark()
        self._job.checkpoint(connection, position, **more)

    def _settle(self, record_id: str, one: Incoming, stored: Stored) -> None:
        near = stored.near.get(record_id)
        self.unchanged += one.item.unchanged
        if near and self._plan.near_duplicates == "skip":
            reason = f"a near duplicate of {near[0].id}, at the distance {near[0].distance or 0.0:.3f}"
            self.reject(one, statuses.SKIPPED_DUPLICATE.code, reason, record_id)
        elif record_id in stored.outcomes:
            if near:
                self._tell_near(record_id, near[0])
            self.tally.settle(one.number, stored.outcomes[record_id])
        elif record_id in stored.refused:
            self.reject(one, statuses.SKIPPED_ERROR.code, stored.refused[record_id], record_id)
        elif self._rules is not None:
            self.reject(one, statuses.SKIPPED_NOT_FOUND.code, NOT_STORED, record_id)
        else:
            self.tally.settle(one.number, "present")

    def _tell_near(self, record_id: str, found: Found) -> None:
        if len(self.near) < _EXAMPLES:
            self.near.append({"_id": record_id, "near": found.id, "distance": round(found.distance or 0.0, 3)})
        self.near_duplicates += 1

    def _mark(self) -> tuple[Json, dict[str, int]]:
        after, counts, more = self.tally.mark()
        told: Json = {
            "source": self._source,
            "after": after,
            "counts": {**counts, "near_duplicates": self.near_duplicates, "unchanged": self.unchanged},
            "near_duplicates": list(self.near),
        }
        return told, more

    def reject(self, one: Incoming | Bare, code: int, reason: str, record_id: str | None) -> None:
        """Note an entry that cannot be taken."""
        self._job.reject(one.entry.line, record_id, code, reason, one.entry.source())
        self.tally.settle(one.number, "rejected")

    def check_rejects(self, *, at_end: bool = False) -> None:
        """End the run where too many records were rejected.

        Raises:
            InvalidRequest: they were.

        """
        rejected, met = self.tally.rejected, self.tally.met
        most = self._plan.max_rejects
        if most is not None and rejected > most:
            were = "was" if rejected == 1 else "were"
            raise InvalidRequest(
                f"{counted(rejected, 'record')} {were} rejected, and {most} may be: see the job's rejects"
            )
        share = self._plan.max_reject_share
        if share < 1 and rejected > share * met and (met >= _SHARE_FROM or at_end):
            raise InvalidRequest(
                f"{rejected} of {met} records were rejected, and a share of {share:g} may be: see the job's rejects"
            )
