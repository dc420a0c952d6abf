"""A window is the part of a ranking that is asked for."""

from dataclasses import dataclass

# No collection has so many records.
_ALL = 1 << 62


@dataclass(frozen=True, slots=True)
class Window:
    """`k` records after the first `offset`; all of them where `k` is None."""

    k: int | None
    offset: int = 0

    @property
    def end(self) -> int:
        """Rank of the last record that is asked for."""
        return self.offset + (_ALL if self.k is None else self.k)
