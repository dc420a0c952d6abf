"""Ids that were met, in eight bytes each."""

from array import array

_START = 1024
_MOST = 2**24
_FULL = 0.6


class SeenIds:
    """A set of hashes of ids: 64 bits, so that two of ten million ids are taken for one in one of a million sets.

    Beyond 10 million ids it takes no more, so that memory stays flat: 128 MiB at most.
    """

    def __init__(self) -> None:
        self._slots = _empty(_START)
        self._count = 0

    def add(self, record_id: str) -> bool:
        """Note an id; return whether it was noted before."""
        key = (hash(record_id) & 0xFFFF_FFFF_FFFF_FFFF) or 1
        place = self._place(key)
        if self._slots[place]:
            return True
        if self._count < _FULL * _MOST:
            self._slots[place] = key
            self._count += 1
            if self._count > _FULL * len(self._slots) and len(self._slots) < _MOST:
                self._grow()
        return False

    def _place(self, key: int) -> int:
        slots, mask = self._slots, len(self._slots) - 1
        place = key & mask
        while (found := slots[place]) and found != key:
            place = (place + 1) & mask
        return place

    def _grow(self) -> None:
        old = self._slots
        self._slots = _empty(2 * len(old))
        for key in old:
            if key:
                self._slots[self._place(key)] = key


def _empty(slots: int) -> "array[int]":
    return array("Q", bytes(8 * slots))
