"""Which part of a ranking is asked for."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Window:
    """`k` records after the first `offset`."""

    k: int
    offset: int = 0

    @property
    def end(self) -> int:
        """Rank of the last record that is asked for."""
        return self.k + self.offset
