"""Which index would help: the log of searches says what was asked for, the rule of searches what an index would spare.

Times are those of the rule (`app.search.plan`), with the costs that `lookalike db calibrate` measured, and no more than
was logged: what a log says of a search includes its picture.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from app.db import indexes, searchlog
from app.db import partial as partial_indexes
from app.db.search import expectation
from app.db.searchlog import Logged
from app.domain.collections import Collection, PartialIndex
from app.domain.errors import FilterError, InvalidRequest
from app.domain.records import Fields, Json
from app.domain.windows import Window
from app.filters import Where, fields_asked, fields_taken, parse_filter, take_from_query
from app.search.plan import (
    RANKS,
    SLACK,
    Expectation,
    Way,
    begin,
    comparing_us,
    costs_of,
    efforts_of,
    limits,
    part_of,
)
from app.search.request import Query
from app.services import indexing
from app.services.context import Context
from app.services.filtering import compiled

# The filters that are looked at: those that took the longest in all.
_FILTERS = 200
# What an index spares is worth its care if it is this part of the time of all searches with a filter, at least.
_WORTH = 0.05
# Bytes of a B-tree for one number, filled by nine tenths.
_ENTRY_BYTES = 40


@dataclass(frozen=True, slots=True)
class Advice:
    """An index that would help.

    Attributes:
        kind: `field`, a B-tree on an attribute, or `values`, an HNSW index of each of its frequent values.
        field: the attribute.
        searches: how many of the logged searches it would serve.
        milliseconds: how long one of them takes now, in the mean.
        expected_ms: how long one would take with it.
        saved_ms: what it would have spared them all.
        bytes: its size, estimated.
        command: what builds it.

    """

    kind: str
    field: str
    searches: int
    milliseconds: float
    expected_ms: float
    saved_ms: float
    bytes: int
    command: str


@dataclass(frozen=True, slots=True)
class Advised:
    """What was found: how many logged searches have a filter, their milliseconds, and what would help, best first."""

    searches: int
    milliseconds: float
    advice: list[Advice]


_Index = tuple[str, str]  # kind and field


@dataclass(slots=True)
class _Asked:
    """Searches with one filter: how many, the milliseconds of one now, and with each of the indexes that would help."""

    searches: int
    now_ms: float
    then_ms: dict[_Index, float] = field(default_factory=dict)

    def saved_ms(self, index: _Index) -> float:
        return self.searches * max(0.0, self.now_ms - self.then_ms.get(index, self.now_ms))


@dataclass(slots=True)
class _Adviser:
    """Gathers what each index would spare; the values of a field are counted once, which reads every record."""

    context: Context
    collection: Collection
    values: dict[str, list[tuple[Json, int]]] = field(default_factory=dict)
    asked: list[_Asked] = field(default_factory=list)

    def look_at(self, logged: Logged) -> None:
        """Reckon what indexes would spare the searches with one filter; one that is none any more is passed over."""
        try:
            filter_ = self._filled(logged.filter)
            ranges, equal = fields_asked(parse_filter(filter_))
            where = compiled(self.collection, parse_filter(filter_))
        except FilterError:
            return
        query = Query(self.collection, Window(RANKS), Fields(), where)
        expected = expectation(self.context.db, query)
        now = min(self._now_ms(logged.way, expected), logged.milliseconds / logged.searches)
        asked = _Asked(logged.searches, now)
        for name in filter(_may_be_indexed, ranges - self.collection.indexed_fields):
            asked.then_ms["field", name] = self._with_field(expected)
        have = part_of(self.collection, where.equalities)
        for name in filter(_may_be_indexed, equal if have is None else ()):
            if (then := self._with_values(name, where, expected)) is not None:
                asked.then_ms["values", name] = then
        self.asked.append(asked)

    def _filled(self, filter_: Json) -> Json:
        """Return a filter in which a frequent value stands where the query record's did."""
        sources = {name: self.frequent(name)[0][0] for name in fields_taken(filter_) if self.frequent(name)}
        return take_from_query(filter_, [sources]) if sources else filter_  # type: ignore[return-value]

    def frequent(self, name: str) -> list[tuple[Json, int]]:
        """Return the frequent values of a field."""
        if name not in self.values:
            self.values[name] = partial_indexes.frequent_values(self.context.db, self.collection, name)
        return self.values[name]

    def advice(self, least_ms: float) -> Iterator[Advice]:
        """Yield what spares most, then what spares most beside it, and so on, as long as it spares that much."""
        while possible := {index for asked in self.asked for index in asked.then_ms}:
            best = max(sorted(possible), key=lambda index: sum(asked.saved_ms(index) for asked in self.asked))
            served = [asked for asked in self.asked if asked.saved_ms(best) > 0]
            searches = sum(asked.searches for asked in served)
            saved = sum(asked.saved_ms(best) for asked in served)
            if not served or saved < least_ms:
                return
            now = sum(asked.now_ms * asked.searches for asked in served)
            for asked in served:
                asked.now_ms = asked.then_ms.pop(best)
            for asked in self.asked:
                asked.then_ms.pop(best, None)
            kind, name = best
            command = f"lookalike collection index {self.collection.name} {name}"
            yield Advice(
                kind,
                name,
                searches,
                round(now / searches, 3),
                round((now - saved) / searches, 3),
                round(saved, 1),
                self._bytes(kind, name),
                command + (" --each-value" if kind == "values" else ""),
            )

    def _now_ms(self, way: str, expected: Expectation) -> float:
        walking = 0.0 if way == Way.EXACT else self._walking_ms(expected, None)
        return walking + (0.0 if way == Way.INDEX else comparing_us(self.collection, expected) / 1000)

    @property
    def _effort(self) -> int:
        """The search effort of a walk with a filter, as it was measured where it was."""
        settings = self.context.settings
        return efforts_of(
            self.collection, self.collection.recall_target or settings.recall_target, settings.ef_search
        ).matches

    def _walking_ms(self, expected: Expectation, part: PartialIndex | None) -> float:
        asked = limits(self.collection, RANKS, self._effort, part=part)
        rows = (part.rows if part else self.collection.rows) or 1
        budget = max(asked.effort, round(SLACK * RANKS * rows / max(1, expected.matches)))
        return budget * costs_of(self.collection).candidate_us / 1000

    def _with_field(self, expected: Expectation) -> float:
        """Return what a search takes once an index finds its matches, whose number stays the same."""
        found = replace(expected, reads_all=False)
        usual = limits(self.collection, RANKS, self._effort)
        first, _ = begin(self.collection, RANKS, usual, found)
        if first is Way.INDEX:
            return self._walking_ms(found, None)
        return comparing_us(self.collection, found) / 1000

    def _with_values(self, name: str, where: Where, expected: Expectation) -> float | None:
        """Return what a search takes through the index of the value that it asks for; None where that gets none."""
        for value, rows in self.frequent(name):
            condition = partial_indexes.condition_of(name, value)
            if condition in where.equalities:
                part = PartialIndex(condition, rows)
                usual = limits(self.collection, RANKS, self._effort, part=part)
                first, _ = begin(self.collection, RANKS, usual, expected, part)
                return self._walking_ms(expected, part) if first is Way.INDEX else None
        return None

    def _bytes(self, kind: str, name: str) -> int:
        """Return the bytes of an index: a usual entry for each record, or what each has in the index of all records."""
        rows = max(1, self.collection.rows)
        if kind == "field":
            return rows * _ENTRY_BYTES
        held = sum(records for _, records in self.frequent(name))
        return round(indexes.hnsw_bytes(self.context.db, self.collection) * held / rows)


def _may_be_indexed(name: str) -> bool:
    try:
        indexes.check_field(name)
    except InvalidRequest:
        return False
    return True


def advise(context: Context, collection: Collection) -> Advised:
    """Return which indexes would help the logged searches of a collection, the one that spares most time first.

    Reads the log, plans its filters, and counts the values of fields that are asked for.

    Raises:
        Unavailable: the database is away.

    """
    logged = searchlog.filters(context.db, collection, _FILTERS)
    total = sum(one.milliseconds for one in logged)
    adviser = _Adviser(context, collection)
    for one in logged if collection.indexed else ():
        adviser.look_at(one)
    return Advised(sum(one.searches for one in logged), round(total, 1), list(adviser.advice(_WORTH * total)))


def apply(context: Context, collection: Collection, advice: Iterable[Advice]) -> None:
    """Build indexes that are advised; searches and inserts go on meanwhile.

    Raises:
        InvalidRequest: another process builds an index of this collection.
        Unavailable: the database is away, or a build was interrupted.

    """
    for one in advice:
        if one.kind == "field":
            indexing.declare_field(context, collection, one.field)
        else:
            indexing.index_values(context, collection, one.field)
