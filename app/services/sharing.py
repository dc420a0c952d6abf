"""What the processes of one server share, each of which serves with threads of its own."""

import mmap
import threading
from dataclasses import dataclass
from pathlib import Path

from app.db.standbys import Identity
from app.domain.freshness import Positions

_BYTES = 8


class Changes:
    """Memory in which each process counts what it changed, so that the others read it anew before they answer next.

    Made before the processes are; each of them writes to a place of its own, so that none is lost.

    Args:
        processes: how many there are.

    """

    def __init__(self, processes: int = 1) -> None:
        self._memory = mmap.mmap(-1, _BYTES * processes)
        self._lock = threading.Lock()

    def told(self) -> bytes:
        """Return what all have counted: another value than before where something was changed."""
        return self._memory[:]

    def tell(self, place: int) -> None:
        """Tell the others that something was changed."""
        with self._lock:
            own = slice(_BYTES * place, _BYTES * (place + 1))
            count = int.from_bytes(self._memory[own], "little") + 1
            self._memory[own] = (count % 2**64).to_bytes(_BYTES, "little")


@dataclass(frozen=True, slots=True)
class Sharing:
    """The place of one process among those of its server.

    Attributes:
        place: from 0 on; the first one does what is done once. One that takes another's place has its number.
        changes: what they tell each other.
        metrics: the folder in which they count together; None: there is one process.
        positions: what they remember of writes, where reads go to replicas; None: each remembers its own.
        identity: which database the primary has, where reads go to replicas; None: each finds out.

    """

    place: int = 0
    changes: Changes | None = None
    metrics: Path | None = None
    positions: Positions | None = None
    identity: Identity | None = None


ALONE = Sharing()
"""A process that shares nothing."""
