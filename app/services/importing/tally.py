"""How far an import is: the position up to which everything is done with, and what became of it up to there."""

import threading
from collections import Counter, deque
from dataclasses import dataclass, field

from app.domain.records import Json
from app.services.importing.entries import Entry


@dataclass(slots=True)
class _Met:
    after: Json
    offset: int
    outcome: str | None = None


@dataclass(slots=True)
class Tally:
    """Entries are met in order and settled in any; what is counted is what lies before the first that is not settled.

    So a run that goes on from `after` counts nothing twice and leaves nothing out. Safe for threads.

    Attributes:
        after: the position behind the last entry that is done with, as are all before it.
        counts: what became of them.

    """

    after: Json = None
    counts: Counter[str] = field(default_factory=Counter)
    rejected: int = 0
    _open: deque[_Met] = field(default_factory=deque)
    _first: int = 1
    _number: int = 0
    _offset: int = 0
    _told: tuple[int, int] = (0, 0)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, after: Json, counts: Counter[str], offset: int) -> None:
        """Go on from a position."""
        self.after, self.counts, self.rejected = after, counts, counts["rejected"]
        self._offset = offset
        self._told = (0, offset)

    def meet(self, entry: Entry) -> int:
        """Note an entry; return its number, counted from 1 in this run."""
        with self._lock:
            self._number += 1
            self._open.append(_Met(entry.after, entry.offset))
            return self._number

    def settle(self, number: int, outcome: str) -> None:
        """Say what became of an entry."""
        with self._lock:
            self.rejected += outcome == "rejected"
            self._open[number - self._first].outcome = outcome
            while self._open and self._open[0].outcome is not None:
                done = self._open.popleft()
                self._first += 1
                self.counts[str(done.outcome)] += 1
                self.after = done.after
                self._offset = max(self._offset, done.offset)

    def mark(self) -> tuple[Json, Counter[str], dict[str, int]]:
        """Return the position, the counts, and how much more is done with than at the call before."""
        with self._lock:
            done, offset = self._told
            self._told = (self._first - 1, self._offset)
            more = {"done": self._told[0] - done, "bytes": self._told[1] - offset}
            return self.after, Counter(self.counts), more

    @property
    def met(self) -> int:
        """How many entries were met, in all runs."""
        return sum(self.counts.values()) + len(self._open)
