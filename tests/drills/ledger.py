"""What writers were told, and what is found in the database at the end."""

import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

GONE = -1
"""The version of a record that was deleted, or never stored."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of the records that were written.

    Attributes:
        acknowledged: changes that were answered as done, a record each.
        lost: records whose last acknowledged change is not there: missing, an older version, or back from deletion.
        doubled: rows that are there twice, or that nobody ever sent.
        examples: some of them, in words.

    """

    acknowledged: int
    lost: int
    doubled: int
    examples: Sequence[str]


class Ledger:
    """Each record's last acknowledged version, and those that were sent since and never answered.

    A record belongs to one writer, so that its changes come one after another; any thread may ask.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._done: dict[str, int] = {}
        self._open: dict[str, set[int]] = {}
        self.acknowledged = 0

    def sent(self, ids: Iterable[str], version: int) -> None:
        """Note that a change is about to be sent: it may be done from now on."""
        with self._lock:
            for one in ids:
                self._open.setdefault(one, set()).add(version)

    def answered(self, ids: Sequence[str], version: int) -> None:
        """Note that a change was acknowledged: nothing before it may be seen any more."""
        with self._lock:
            for one in ids:
                self._done[one] = version
                self._open.pop(one, None)
            self.acknowledged += len(ids)

    def allowed(self, record_id: str) -> set[int]:
        """Return the versions that a record may have now; GONE stands for none."""
        with self._lock:
            return {self._done.get(record_id, GONE)} | self._open.get(record_id, set())

    def judge(self, rows: Iterable[tuple[str, int]]) -> Verdict:
        """Compare with the rows of the table, as ids and versions, every row that a scan of the table finds."""
        found = list(rows)
        times = Counter(record_id for record_id, _ in found)
        versions = dict(found)
        examples = []
        lost = 0
        for record_id in self._done:
            allowed, seen = self.allowed(record_id), versions.get(record_id, GONE)
            if seen not in allowed:
                lost += 1
                examples.append(f"{record_id}: version {seen} in place of {sorted(allowed)}")
        strange = [record_id for record_id in times if record_id not in self._done and record_id not in self._open]
        doubled = sum(number - 1 for number in times.values()) + len(strange)
        examples += [f"{record_id}: nobody sent it" for record_id in strange]
        return Verdict(self.acknowledged, lost, doubled, examples[:5])
