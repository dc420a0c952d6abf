"""A ranked search answers records; several distances become one."""

from dataclasses import dataclass
from enum import StrEnum

from app.domain.records import Found


class Aggregation(StrEnum):
    """An aggregation makes one distance of the distances to several query records."""

    MEAN = "mean"
    MIN = "min"
    MAX = "max"


@dataclass(frozen=True, slots=True)
class Nearest:
    """The records found, nearest first, and how they were found.

    Attributes:
        records: nearest first.
        way: `exact`, `index`, or `index, then exact` where the index could not be trusted to have found all.
        matches: number of records that match the filter; None where it was not counted to the end.
        more_than: the bound that the count reached; None where it did not.
        candidates: records that were compared; None where only PostgreSQL knows.
        milliseconds: time of the search, without that of the model.

    """

    records: list[Found]
    way: str
    matches: int | None = None
    more_than: int | None = None
    candidates: int | None = None
    milliseconds: float = 0.0
