"""Slow searches are told in the log, each with its way and the plan of its slowest statement."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.db.engine import Database
from app.db.search import slow
from app.domain.searches import Entry
from app.services.notes import Notes

log = logging.getLogger("lookalike.slow")

_EVERY_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class _Slow:
    entry: Entry
    sent: slow.Sent | None
    left_out: int


class SlowSearches:
    """Writes a line of each search that takes so long, one in ten seconds at most; the plan is asked for afterwards.

    Args:
        db: the database, which is asked for the plan by a thread of its own.
        seconds: from which time on a search is slow.
        clock: seconds that never go back.

    """

    def __init__(self, db: Database, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._db = db
        self._milliseconds = seconds * 1000
        self._clock = clock
        self._next = clock()
        self._left_out = 0
        self._notes: Notes[_Slow] = Notes("slow searches", self._write)

    def open(self) -> None:
        """Begin to write."""
        self._notes.open()

    def searched(self, entry: Entry) -> None:
        """Note a search, if it was slow."""
        if entry.milliseconds < self._milliseconds:
            return
        now = self._clock()
        if now < self._next:
            self._left_out += 1  # two threads may count one between them: it is a hint
            return
        self._next = now + _EVERY_SECONDS
        left_out, self._left_out = self._left_out, 0
        self._notes.add(_Slow(entry, slow.slowest(entry.milliseconds / 1000), left_out))

    def flush(self) -> None:
        """Write what is noted now."""
        self._notes.flush()

    def close(self) -> None:
        """Write what is waiting, and stop."""
        self._notes.close()

    def _write(self, batch: Sequence[_Slow]) -> None:
        for one in batch:
            entry, sent = one.entry, one.sent
            fields = {
                "request_id": entry.request_id,
                "method": entry.method,
                "token_id": entry.token_id,
                "collection_id": entry.collection_id,
                "way": entry.way,
                "seconds": round(entry.milliseconds / 1000, 3),
                "results": entry.results,
                "compared": entry.compared,
                "statement_seconds": None if sent is None else round(sent.seconds, 3),
                "plan": None if sent is None else slow.plan_of(self._db, sent.statement),
                "left_out": one.left_out or None,
            }
            known = {name: value for name, value in fields.items() if value is not None}
            said = " ".join(f"{name}={value}" for name, value in known.items())
            log.warning("slow search: %s", said, extra={"fields": known})
