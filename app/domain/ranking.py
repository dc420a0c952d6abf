"""A ranked search answers records; several distances become one."""

from dataclasses import dataclass
from enum import StrEnum

from app.domain.recall import Reached
from app.domain.records import Found


class Aggregation(StrEnum):
    """An aggregation makes one distance of the distances to several query records."""

    MEAN = "mean"
    MIN = "min"
    MAX = "max"


class Strategy(StrEnum):
    """Query records are taken as examples in one of these ways."""

    AVERAGE = "average"
    BEST_SCORE = "best_score"


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
        beside: what else was asked for; None: nothing.
        reached: the recall that a search through the index aimed at; None: it went another way.
        copies: whether the index offered more copies of one vector than may stand in it.
        perhaps_copies: whether it offered so many that there may be more, which it did not offer.

    """

    records: list[Found]
    way: str
    matches: int | None = None
    more_than: int | None = None
    candidates: int | None = None
    milliseconds: float = 0.0
    beside: "Beside | None" = None
    reached: Reached | None = None
    copies: bool = False
    perhaps_copies: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """The records of a qualified set that share a value.

    `value` is its JSON text, None where the one record of the group has none. `count` is the number of all records of
    the group, `records` the first of them.
    """

    value: str | None
    count: int
    records: list[Found]


@dataclass(frozen=True, slots=True)
class Beside:
    """A search answers these beside its records, over its qualified set; None is what was not asked for.

    Attributes:
        cutoff: `none`, `radius`, `candidates`, or `radius, candidates`.
        size: number of records in the set; None where it was not counted.
        exact: whether the set is surely that of its definition: candidates that the index found may miss some.
        total: the size, where the request asks for it.
        facets: each as JSON text, by its name.
        groups: in the order of their first records.
        boosted: the distances that the records were put in order by, with those of the boosts.
        page_token: where the next page begins; None: this is the last one.
        left_out: why facets are left out.

    """

    cutoff: str
    size: int | None = None
    exact: bool = True
    total: int | None = None
    facets: dict[str, str] | None = None
    groups: list[Group] | None = None
    boosted: list[float] | None = None
    page_token: str | None = None
    left_out: str | None = None
