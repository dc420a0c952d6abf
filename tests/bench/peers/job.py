"""What the process of an engine is told to do, and what it answers; both cross as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from pydantic import TypeAdapter

from tests.bench.shop import Condition


@dataclass(frozen=True, slots=True)
class Round:
    """Searches of one kind, for the first queries one after the other.

    Attributes:
        name: what the round is known by.
        effort: search effort; None: the engine's default.
        conditions: one a query; None: no filter.
        queries: how many at most.
        seconds: after so many no further search is begun, once a tenth of the queries is done.
        way: what is asked for in place of the nearest records; empty: those.

    """

    name: str
    effort: int | None
    conditions: Sequence[Condition] | None
    queries: int
    seconds: float
    way: str = ""

    def asked(self, queries: int) -> list[Condition | None]:
        """Return the condition of each of so many queries."""
        return [None] * queries if self.conditions is None else list(self.conditions[:queries])


@dataclass(frozen=True, slots=True)
class Job:
    """What to do with one engine: everything that its process has to know.

    `phase` is `build` or `search`; `folder` is the engine's own, `stock` that of the records and of `queries.npy`;
    `single` records are updated one a call and `bulk` in one call, 0: nothing is updated.
    """

    module: str
    phase: str
    folder: str
    stock: str
    url: str
    collection: str
    k: int
    rounds: Sequence[Round] = ()
    single: int = 0
    bulk: int = 0

    def json(self) -> bytes:
        """Return the job as JSON."""
        return orjson.dumps(self)


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers of one round: numbers of records for each query asked, and the milliseconds of each."""

    found: list[list[int]]
    times: list[float]


@dataclass(frozen=True, slots=True)
class Updates:
    """How long updates took, milliseconds a record, and what a search for the new price gave at the end."""

    single_ms: float
    bulk_ms: float
    bulk: int
    found: list[int]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the process of an engine answers. Bytes of memory are what it grew by, the engine's library included."""

    version: str
    filters: bool
    durable: str | None
    seconds: float
    memory: int
    peak: int
    disk: int
    memory_elsewhere: int
    rounds: dict[str, Answers]
    updates: Updates | None

    def json(self) -> bytes:
        """Return the outcome as JSON."""
        return orjson.dumps(self)


read_job = TypeAdapter(Job).validate_json
read_outcome = TypeAdapter(Outcome).validate_json
