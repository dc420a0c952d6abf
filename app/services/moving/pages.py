"""What all sources of a move share: records come page by page, and a vector is told from what is none."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from app.domain.errors import InvalidRequest
from app.domain.jsontext import dumps
from app.domain.records import Json
from app.services.importing.entries import Entry, Record, Vector, line_of

# The distances of other engines that order unit vectors as the cosine does.
_SAME_ORDER_AT_LENGTH_1 = frozenset({"dot", "euclid", "l2", "l2squared"})
_NEARLY_1 = 0.01


@dataclass(frozen=True, slots=True)
class Page:
    """Records as the source has them, or why one is none, and the place of the next page, None after the last."""

    records: Sequence[Json | InvalidRequest]
    after: Json


@dataclass(frozen=True, slots=True)
class Taken:
    """A record that was made of what a source has, its vector apart."""

    record: Record
    vector: Vector | None = None


@dataclass(slots=True)
class Source:
    """A source of a move.

    Attributes:
        read: returns the page at a place; None is the first.
        take: makes a record of what the source has; raises InvalidRequest where none can be made.
        count: of its records, where it says so.
        dimensions: of its vectors, where it says so.
        metric: the distance that its searches use, in its own word.
        longer: vectors so far whose length is not 1.

    """

    read: Callable[[Json], Page]
    take: Callable[[Json], Taken]
    count: int | None = None
    dimensions: int | None = None
    metric: str | None = None
    longer: int = field(default=0, init=False)

    def entries(self, after: Json, *, vectors: bool) -> Iterator[Entry]:
        """Yield records from a position on; `vectors`: with those that the source has.

        Raises:
            Unauthorized: the source does not take the token.
            InvalidRequest: it cannot be read any further, or leads back to a page that was read before.

        """
        begin = after if isinstance(after, dict) else {}
        at, number = begin.get("page"), line_of(after)
        skip = begin.get("skip", 0)
        met: set[str] = set()
        while True:
            key = dumps(at)
            if key in met:
                raise InvalidRequest(f"the source leads back to a page that was read already, after {number} records")
            met.add(key)
            page = self.read(at)
            assert isinstance(skip, int)  # noqa: S101  (as it was yielded)
            for place, one in enumerate(page.records[skip:], skip + 1):
                number += 1
                last = place == len(page.records) and page.after is not None
                behind: Json = {"page": page.after if last else at, "skip": 0 if last else place, "line": number}
                yield self._entry(number, behind, one, vectors=vectors)
            if page.after is None:
                return
            at, skip = page.after, 0

    def _entry(self, number: int, behind: Json, one: Json | InvalidRequest, *, vectors: bool) -> Entry:
        if isinstance(one, InvalidRequest):
            return Entry(number, behind, one)
        try:
            taken = self.take(one)
        except InvalidRequest as error:
            return Entry(number, behind, error, partial(dumps, one))
        vector = taken.vector if vectors else None
        if vector is not None:
            self.longer += abs(float(np.linalg.norm(vector)) - 1) > _NEARLY_1
        return Entry(number, behind, taken.record, partial(_text, taken.record, vector), _size(taken), vector=vector)

    def note(self) -> str | None:
        """Return a sentence on what orders otherwise here than in the source; None where nothing does."""
        word = (self.metric or "").lower().replace("_", "").replace("-", "").replace(" ", "")
        if word in {"", "cosine"} or (word in _SAME_ORDER_AT_LENGTH_1 and not self.longer):
            return None
        return (
            f"the source searches by {self.metric}, and {self.longer} of its vectors have another length than 1:"
            " searches here go by the cosine, so that answers come in another order"
        )


def _text(record: Record, vector: Vector | None) -> str:
    """Return a record as a line of JSON that can be mended and imported."""
    return dumps(record if vector is None else {**record, "_embedding": vector.tolist()})


def _size(taken: Taken) -> int:
    held = 0 if taken.vector is None else taken.vector.nbytes
    return held + 256 + sum(len(value) for value in taken.record.values() if isinstance(value, (str, list, dict)))


def one_vector(found: Json, name: str | None, what: str) -> Vector:
    """Return the vector that is moved, of one without a name or of several with names.

    Raises:
        InvalidRequest: there is none, several and none is chosen, none of that name, or it is no list of numbers.

    """
    if isinstance(found, dict) and "indices" not in found:
        named = {key: value for key, value in found.items() if value}
        if name is None and len(named) == 1:
            name = next(iter(named))
        if name not in named:
            have = ", ".join(sorted(named)) or "none"
            raise InvalidRequest(f"{what} has the vectors {have}: --vector names the one that is moved")
        found = named[name]
    elif name and found:
        raise InvalidRequest(f"{what} has one vector without a name, and none that is called {name!r}")
    if isinstance(found, dict):
        raise InvalidRequest(f"{what} has a sparse vector, which cannot be searched here")
    if not isinstance(found, list) or not found:
        raise InvalidRequest(f"{what} has no vector: export it with its vectors")
    if isinstance(found[0], list):
        raise InvalidRequest(f"{what} has a multivector, and a record here has one vector")
    try:
        return np.array(found, np.float64)
    except (TypeError, ValueError):
        raise InvalidRequest(f"{what} has a vector with something in it that is no number") from None


def part_of(value: Json, name: str, engine: str) -> dict[str, Json]:
    """Return an object within an answer.

    Raises:
        InvalidRequest: it is not there.

    """
    part = value.get(name) if isinstance(value, dict) else None
    if not isinstance(part, dict):
        raise InvalidRequest(f"this is no answer of {engine}: it has no {name}")
    return part


def list_of(value: dict[str, Json], name: str, what: str) -> list[Json]:
    """Return the records of an answer.

    Raises:
        InvalidRequest: it has none under this name: it is not what it is taken for.

    """
    found = value.get(name)
    if not isinstance(found, list):
        raise InvalidRequest(f"this is no {what}: it has no {name}")
    return found
