"""What a source holds, one entry a record, and from where reading goes on after each."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.domain.errors import InvalidRequest
from app.domain.jsontext import loads
from app.domain.records import Json

REST = "_attributes"
"""The field of a table for attributes that have no place in their columns."""

Record = dict[str, Json]
Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of a source, or why there is none at its place.

    Attributes:
        line: where it stands, counted from 1: a line, a row, a member of an archive, a file.
        after: reading goes on from here once the entry is done with.
        record: its fields as the source has them; the reason where it cannot be read.
        source: returns it as it came, as JSON text that can be mended and sent again; None where that is too long.
        size: bytes that it holds in memory.
        offset: bytes of the source that lie before its end.
        vector: its embedding, apart from the record, where the source holds one as numbers.
        picture: returns its picture's bytes, where the source holds it.
        passed_over: it was not meant to be a record.

    """

    line: int
    after: Json
    record: Record | InvalidRequest
    source: Callable[[], str | None] = lambda: None
    size: int = 0
    offset: int = 0
    vector: Vector | None = None
    picture: Callable[[], bytes] | None = None
    passed_over: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """How a source is read.

    Attributes:
        max_line_bytes: of one record as text.
        max_picture_bytes: of one picture.
        encoding: of text, None: found.
        delimiter: of a table's columns, None: found.
        types: of a table's columns, by name, those that are not found.
        vector_field: the field that holds the embedding.
        text_fields: fields of a table that are text whatever stands in them.
        total: is told how many records there are, where that is known before.

    """

    max_line_bytes: int
    max_picture_bytes: int
    encoding: str | None = None
    delimiter: str | None = None
    types: Mapping[str, str] = field(default_factory=dict)
    vector_field: str = "_embedding"
    text_fields: frozenset[str] = frozenset()
    total: Callable[[int], None] = lambda _: None


class Reader(Protocol):
    """Yields the entries of a source from a position on: None is the start, else the `after` of an entry."""

    def __call__(self, path: Path, reading: Reading, after: Json, /) -> Iterator[Entry]:
        """Read on.

        Raises:
            InvalidRequest: it is not what it should be, or is damaged; what was yielded before stands.

        """


def spread(record: Record) -> Record:
    """Return a record of a table with what stands in its field `_attributes`, as an export writes what fits no column.

    Raises:
        InvalidRequest: that is no object.

    """
    if REST not in record:
        return record
    rest = record.pop(REST)
    if isinstance(rest, str):
        rest = loads(rest, REST)
    if rest is not None and not isinstance(rest, dict):
        raise InvalidRequest(f"{REST} is no object of attributes")
    return record | (rest or {})


def line_of(after: Json) -> int:
    """Return how many entries lie before a position."""
    line = after.get("line") if isinstance(after, dict) else None
    return line if isinstance(line, int) else 0
