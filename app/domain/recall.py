"""The recall of an index: which share of the true neighbours searches find at which effort, as it was measured."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from math import isfinite

from app.domain.errors import InvalidRequest

RECALL_TARGET = 0.99


class Depth(StrEnum):
    """What is looked for in a measurement: the nearest 10, 20 or 100, or the nearest 20 matches of a filter."""

    TEN = "10"
    TWENTY = "20"
    HUNDRED = "100"
    HALF = "half"
    """The nearest 20 of half of the records."""
    TENTH = "tenth"
    """The nearest 20 of a tenth of the records."""


@dataclass(frozen=True, slots=True)
class Point:
    """One effort of a curve.

    Attributes:
        effort: HNSW search effort, 1 to 1000.
        recall: the mean share of the true neighbours that was found, 0 to 1.
        low: what the mean is at least, with 95 % confidence (one-sided), 0 to 1.

    """

    effort: int
    recall: float
    low: float


Curve = tuple[Point, ...]
"""Points by ascending effort; recall and low never fall."""


@dataclass(frozen=True, slots=True)
class Efforts:
    """The least efforts that reach a target.

    Attributes:
        nearest: for the nearest 30 without a filter.
        deep: for those beyond.
        matches: with a filter.

    """

    nearest: int
    deep: int
    matches: int


@dataclass(frozen=True, slots=True)
class Recall:
    """The recall of one index, measured.

    Attributes:
        curves: the points by what was looked for.
        target: what `efforts` reach.
        efforts: those that searches with this target take.
        queries: records whose neighbours were looked for.
        rows: records in the index at the time.
        seconds: how long the measurement took.
        measured_at: when it ended.

    """

    curves: Mapping[Depth, Curve] = field(hash=False)
    target: float
    efforts: Efforts
    queries: int
    rows: int
    seconds: float
    measured_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Reached:
    """A search through an index goes by a target and an effort; `recall` was measured there, None: it was not."""

    target: float
    effort: int
    recall: float | None


def check_target(target: float) -> None:
    """Refuse what is no share of the true neighbours.

    Raises:
        InvalidRequest: it is not above 0 and at most 1.

    """
    if not isfinite(target) or not 0 < target <= 1:
        raise InvalidRequest("a recall target is above 0 and at most 1; 1 compares every record")
