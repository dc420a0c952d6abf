"""One order for all pages of a search: a page is a cut of the same long list, whatever its `k` and `from`.

The index offers records in nearly the right order, and misses some. So the list is climbed in rungs. Each rung has a
fixed set of candidates, that of its own statement or the first of those of a longer one, whatever page is asked for. It
gives those of them which lie at or beyond the edge of the rung before, and before its own edge: the distance of the
first candidate that it does not keep. Records at one distance are never parted between two rungs. Where the last rung
ends, or one has fewer candidates than it should, everything that is not yet in the list follows, by exact distance.

So the list is in order as far as the index goes, no record stands in it twice, and none is left out: one that the index
missed follows where the exact part begins.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from app.domain.records import Found

# The index cannot be trusted to find all of this many nearest records at one distance.
ALIKE = 20


@dataclass(frozen=True, slots=True)
class Rung:
    """A set of candidates, and how many of them are kept at most: the others say where it ends."""

    keep: int
    candidates: int


@dataclass(slots=True)
class Ladder:
    """The list as far as it was climbed.

    Attributes:
        end: the rank up to which it is wanted.
        radius: the distance up to which it is wanted, inclusive.
        records: nearest first, equal distances by id; may be longer.
        edge: the distance before which nothing is left for the next rung.
        trusted: whether the next rung may be climbed; else what follows is found exactly.

    """

    end: int
    radius: float = float("inf")
    records: list[Found] = field(default_factory=list)
    edge: float = float("-inf")
    trusted: bool = True

    @property
    def complete(self) -> bool:
        """True if the list is as long as it is wanted, or reaches as far."""
        return len(self.records) >= self.end or (self.trusted and self.edge > self.radius)

    def give_up(self) -> None:
        """Trust nothing of the index: the whole list is found exactly."""
        self.records.clear()
        self.trusted = False

    def first(self, offered: Callable[[int], Sequence[Found]], rungs: Sequence[Rung]) -> None:
        """Climb rungs whose candidates are the first ones that a statement offers, asked for as few as it takes."""
        for place, rung in enumerate(rungs):
            if rung.keep < self.end and place + 1 < len(rungs):
                continue
            found = offered(rung.candidates)
            self.records, self.edge = [], float("-inf")
            for below in rungs[: place + 1]:
                self.climb(found[: below.candidates], below.keep)
                if not self.trusted:
                    return
            if self.complete:
                return

    def climb(self, candidates: Iterable[Found], keep: int) -> None:
        """Climb one rung."""
        nearest = sorted(candidates, key=order)
        if len(nearest) <= keep:
            self.trusted = False
            return
        edge = distance(nearest[keep])
        self.records += [one for one in nearest[:keep] if self.edge <= distance(one) < edge]
        self.edge = max(self.edge, edge)
        if not self.records and keep >= ALIKE:
            self.give_up()


def distance(found: Found) -> float:
    """Return the distance of a ranked record."""
    return 0.0 if found.distance is None else found.distance


def order(found: Found) -> tuple[float, str]:
    """Return what ranked records are sorted by: the distance, then the id by its bytes, as `COLLATE "C"` does."""
    return distance(found), found.id
