"""One order for all pages of a search: a page is a cut of the same long list, whatever its `k` and `from`.

The index offers records in nearly the right order, and misses some. So the list is climbed in rungs. Each rung has a
fixed set of candidates, that of its own statement or the first of those of a longer one, whatever page is asked for. It
gives those of them which lie at or beyond the edge of the rung before, and before its own edge: the distance of the
first candidate that it does not keep. Records at one distance are never parted between two rungs. Where the last rung
ends, or one has fewer candidates than it should, everything that is not yet in the list follows, by exact distance.

A graph that holds many copies of one vector loses others: its places near them are linked to each other alone, and a
walk that comes among them does not leave. Where candidates show that, nothing of the index is trusted. Such copies are
set apart, in crowds beside the index (`app.db.crowds`); those that reach into the list join it.

So the list is in order as far as the index goes, no record stands in it twice, and none is left out: one that the index
missed follows where the exact part begins.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from app.domain.records import Found

# The index cannot be trusted to find all of this many nearest records at one distance.
ALIKE = 20
# pgvector keeps so many records of one vector at a place of its graph: beyond them there may be other places.
PLACE = 10
# So many at one distance, the farthest of those that were asked for: there may be more of them.
_PERHAPS_ALIKE = 5


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
        copies: whether the index offered more records at one distance than may stand in it.
        full_place: whether it offered as many as stand at one place, so that there may be more that it did not offer.
        joined: whether records joined that no rung offers: then it holds all of them up to `end`, and no further.

    """

    end: int
    radius: float = float("inf")
    records: list[Found] = field(default_factory=list)
    edge: float = float("-inf")
    trusted: bool = True
    copies: bool = False
    full_place: bool = False
    joined: bool = False

    @property
    def complete(self) -> bool:
        """True if the list is as long as it is wanted, or reaches as far."""
        return len(self.records) >= self.end or (self.trusted and self.edge > self.radius)

    @property
    def reach(self) -> float:
        """The distance up to which the list is of use, inclusive, as far as it was climbed."""
        if len(self.records) >= self.end:
            return distance(self.records[self.end - 1])
        return min(self.edge, self.radius)

    def give_up(self) -> None:
        """Trust nothing of the index: the whole list is found exactly."""
        self.records.clear()
        self.edge = float("-inf")
        self.trusted = False

    def join(self, others: Iterable[Found]) -> None:
        """Give records that no rung offers their places: of those within reach, at least as many as are wanted."""
        found = {one.id: one for one in others if distance(one) < self.edge}
        self.joined = self.joined or bool(found)
        self.records = sorted((found | {one.id: one for one in self.records}).values(), key=order)

    def passes_over(self, one: Found) -> bool:
        """Say whether a record should stand in the list as far as it was climbed; it does not."""
        if self.joined and len(self.records) >= self.end:
            return order(one) < order(self.records[self.end - 1])
        return distance(one) < self.edge

    def first(self, offered: Callable[[int], Sequence[Found]], rungs: Sequence[Rung]) -> None:
        """Climb rungs whose candidates are the first ones that a statement offers, asked for as few as it takes."""
        for place, rung in enumerate(rungs):
            if rung.keep < self.end and place + 1 < len(rungs):
                continue
            found = offered(rung.candidates)
            if place + 1 < len(rungs) and _perhaps_alike(found):
                continue
            self.records, self.edge = [], float("-inf")
            for below in rungs[: place + 1]:
                self.climb(found[: below.candidates], below.keep)
                if not self.trusted:
                    return
            if self.complete:
                return

    def beware(self, nearest: Sequence[Found]) -> None:
        """Give up where candidates, nearest first, show that there are too many copies for the index."""
        if not at_one_distance(nearest, PLACE):
            return
        self.full_place = True
        if at_one_distance(nearest, ALIKE + 1):
            self.copies = True
            self.give_up()

    def climb(self, candidates: Iterable[Found], keep: int) -> None:
        """Climb one rung."""
        nearest = sorted(candidates, key=order)
        self.beware(nearest)
        if self.copies:
            return
        if len(nearest) <= keep:
            self.trusted = False
            return
        edge = distance(nearest[keep])
        self.records += [one for one in nearest[:keep] if self.edge <= distance(one) < edge]
        self.edge = max(self.edge, edge)
        if not self.records and keep >= ALIKE:
            self.give_up()


def at_one_distance(nearest: Sequence[Found], number: int) -> bool:
    """Say whether so many of what is sorted by distance lie at the same."""
    return any(distance(one) == distance(other) for one, other in zip(nearest, nearest[number - 1 :], strict=False))


def _perhaps_alike(found: Sequence[Found]) -> bool:
    """Say whether the farthest of some candidates lie at one distance, so that there may be more of them."""
    farthest = sorted(map(distance, found))[-_PERHAPS_ALIKE:]
    return len(farthest) == _PERHAPS_ALIKE and farthest[0] == farthest[-1]


def distance(found: Found) -> float:
    """Return the distance of a ranked record."""
    return 0.0 if found.distance is None else found.distance


def order(found: Found) -> tuple[float, str]:
    """Return what ranked records are sorted by: the distance, then the id by its bytes, as `COLLATE "C"` does."""
    return distance(found), found.id
