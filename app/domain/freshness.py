"""How new what a request reads must be: where reads may go to replicas, some of which are behind."""

import mmap
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from app.domain.errors import InvalidRequest

HEADER = "lookalike-version"
"""The header in which an answer to a write says what a read must have seen to know of it; a request sends it back."""
UNKNOWN = "FFFFFFFF/FFFFFFFF"
"""A position that no replica reaches: that of a write whose own could not be read."""
_PLACES = 1024
_NUMBERS = 4
_REMEMBERED_MS = 60_000
_POSITION = re.compile(r"[0-9A-F]{1,8}/[0-9A-F]{1,8}")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request is about.

    Attributes:
        collection_id: its collection.
        reads: whether it only reads, so that a replica may be asked.
        position: what the replica must have replayed, as an answer said; None: nothing is asked for.

    """

    collection_id: int
    reads: bool
    position: str | None = None


LOOKING_UP = Asked(0, reads=False)
"""Who calls, which collection is meant and whether there is a schema: read on the primary, and where it is away on a
replica, so that reads go on."""


_asked: ContextVar[Asked | None] = ContextVar("asked", default=None)


def asked() -> Asked | None:
    """Return what the request that is being answered on this thread asks for; None where there is none."""
    return _asked.get()


@contextmanager
def asking(what: Asked) -> Iterator[None]:
    """Let what is read and written in the block be for a request."""
    token = _asked.set(what)
    try:
        yield
    finally:
        _asked.reset(token)


def position_in(header: str | None) -> str | None:
    """Return what a request's header asks for.

    Raises:
        InvalidRequest: it is not what an answer said.

    """
    if header is None or _POSITION.fullmatch(header):
        return header
    raise InvalidRequest(f"the header {HEADER} is not one that an answer to a write had")


def newest(*positions: str | None) -> str | None:
    """Return the newest of positions in the write-ahead log, as PostgreSQL writes them; None where there is none."""
    return max(filter(None, positions), key=_number, default=None)


def _number(position: str) -> int:
    high, _, low = position.partition("/")
    return int(high, 16) << 32 | int(low, 16)


class Positions:
    """How far the log was written once collections were written to, remembered for a minute by all of some processes.

    Made before the processes are, each of which writes to a part of its own. Two collections may have one place: a read
    waits for what it need not then.

    Args:
        processes: how many there are.

    """

    def __init__(self, processes: int = 1) -> None:
        self._parts = processes
        # Numbers of 8 bytes, each of which is written at once: of a place the last position and when it was noted, and
        # one that is higher than that and when it was: what could not be read, or what a lost primary had written.
        self._memory = memoryview(mmap.mmap(-1, processes * (_PLACES + 1) * 8 * _NUMBERS)).cast("Q")
        self._lock = threading.Lock()

    def note(self, part: int, collection_id: int | None, position: str) -> None:
        """Note the position of a write to a collection, by the process that has a part; None: to any of them."""
        at = self._at(part, _PLACES if collection_id is None else collection_id % _PLACES)
        with self._lock:
            if position == UNKNOWN:
                self._set(at + 2, _number(UNKNOWN), _now_ms())
                return
            if (before := self._known(at)) > _number(position) and before > self._known(at + 2):
                self._set(at + 2, before, self._memory[at + 1])  # ends when it would have: no later write renews it
            self._set(at, _number(position), _now_ms())

    def newest(self, collection_id: int) -> str | None:
        """Return the newest of the positions of a collection; None where nothing was written to it within a minute."""
        places = (collection_id % _PLACES, _PLACES)
        of_all = (self._at(part, place) for part in range(self._parts) for place in places)
        found = max(max(self._known(at), self._known(at + 2)) for at in of_all)
        return f"{found >> 32:X}/{found & 0xFFFFFFFF:X}" if found else None

    @staticmethod
    def _at(part: int, place: int) -> int:
        return _NUMBERS * (part * (_PLACES + 1) + place)

    def _set(self, at: int, number: int, noted_ms: int) -> None:
        self._memory[at] = number
        self._memory[at + 1] = noted_ms

    def _known(self, at: int) -> int:
        return self._memory[at] if _now_ms() - self._memory[at + 1] < _REMEMBERED_MS else 0


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000
