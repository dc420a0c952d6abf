"""A plan says how a search is done: its ways, in order, and how far each is followed. The rule, and its figures.

Without a filter the index is asked. Beyond 800 ranks, and where the index has less to offer than it should, the list
goes on exactly (`app.search.ladder`).

With a filter there are three ways, and the cheapest that is complete is taken:

1. *Few*: the matches are compared, and counted meanwhile, up to a bound. Within the bound the answer is exact.
2. *Index*: the index is walked, nearest records first, until enough of them match, or until a budget of candidates is
   spent. What is found within the budget lies among the nearest records of all, so nothing nearer was passed over. A
   filter that keeps only what lies far from the query spends the budget: that is noticed, and never answered.
3. *Exact*: every match is compared.

The planner's plan of the filter says where to begin: with a walk where its cost is less than what it spares, times the
chance that it is not in vain. Else the few are compared: up to twice as many as are expected, as the exact answer is
then the cheap one. Where more are expected than the bound and no index finds them, all are compared at once, which
reads each record once and on several cores. Where the plan is wrong it costs time, never records. What is left
undecided goes on: few, index, exact.

Searches by product, for several records and by tags take the same ways; they only keep fewer of their candidates.

Pages of one search are cuts of one list, so nothing of the rule depends on `k`, on `from`, or on other searches: it is
reckoned for 20 ranks. What the planner makes of a filter is kept for a minute (`app.db.search.reads`), and the database
keeps the plans of the statements until the tables are analysed anew: in the steady state a search is one round trip,
and nothing is planned. How walks went lately is not remembered: it let a page be found exactly whose neighbour was not.

n records, k ranks, m matches expected; reading and comparing a match costs r us, walking to a candidate c us. Every
n / m-th candidate matches by chance, so a walk of 2 * k * n / m candidates finds k, unless the filter runs against the
query. Comparing costs m * r where an index finds the matches; else all n records are read, each for less. Without an
estimate to go by the two balance at b = sqrt(2 * k * n * c / r) matches: that is the bound of the few where fewer are
expected, and 2 * k * n / b the budget of a walk after them. So a walk in vain costs about half as much as the search
that follows, and after the few about as much.
r and c are what `lookalike db calibrate` measured, or the usual.

A walk ends at 2 * k matches, of which the nearest are kept.

The effort is the least that reaches the recall target, as it was measured (`app.search.effort`): one for the nearest 30
ranks, one for those beyond, one with a filter. A target of 1 is exact search. Where nothing was measured since the
index was built, the effort is the default's, which grows with the root of n beyond 60,000 records, and half as much
again with a filter. The effort that a request asks for is taken as it is.

Where the filter asks for a value that has a partial index, the walk goes through that, and n is the number of its
records: all of them match that part of the filter, however far from the query they lie. It has an effort of its own
where that was measured; else that of the whole collection, as such records lie together and far from many queries: of
20,091 among 500,000, recall@20 is .961 at effort 150 and .994 at 400.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from math import ceil, sqrt

from app.domain.collections import Collection, PartialIndex, SearchCosts
from app.domain.recall import RECALL_TARGET, Depth, Efforts, Reached, Recall
from app.search.effort import efforts_for, recall_at
from app.search.ladder import Rung
from app.search.request import Query, direction

EF_SEARCH_MAX = 1000
# Without a filter the first candidates of one search of the graph; a quarter more than are kept, as the graph orders
# them by rounded vectors. Then searches of their own, each with an effort of as many as it offers, or more.
FIRST = (Rung(10, 13), Rung(20, 25), Rung(30, 38))
DEEPER = (Rung(80, 100), Rung(160, 200), Rung(400, 500), Rung(800, 1000))
# With a filter the first matches of one walk, twice as many as are kept; then walks of their own.
FIRST_MATCHES = (Rung(10, 20), Rung(20, 40), Rung(30, 60))
DEEPER_MATCHES = (Rung(80, 160), Rung(250, 500), Rung(800, 1600))
# Where only some of the candidates are kept: one a product, or those that no record with other tags can pass.
SIFTED = (Rung(50, 200), Rung(250, 1000))
# The way is chosen for this many ranks, whatever the window.
RANKS = 20
# The chance that a walk is not in vain.
HOPE = 0.7
# A walk looks for twice as many as wanted and keeps the nearest, with half as much effort again as without a filter:
# between two batches of candidates the graph loses some.
_SPARE = 2.0
EFFORT = 1.5
SLACK = 2.0
# Of more records the graph loses more at the same effort, so that grows with the root of their number from here on.
EFFORT_ROWS = 60_000
BOUND_AT_LEAST = 1000
# Give up the few matches that an estimate promised once it proves this many times too low.
DOUBT = 2
# Leading binary digits of the bounds in statements.
_DIGITS = 4
# A record that is read in its turn, by a sequential scan, costs this part of one that an index finds.
_IN_TURN = 0.4
# Records that pgvector may visit for a candidate that it offers; it visits some 6.
VISITS = 40
# A search that compares all records of a collection for longer than this is expensive.
_EXPENSIVE_MS = 100.0
_UNCOUNTED_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Limits:
    """A filtered search follows each way as far as these limits say.

    Attributes:
        bound: matches that are all compared at most.
        budget: candidates that the index offers at most.
        candidates: matches among them at which the walk ends.
        effort: HNSW search effort of the walk, 1 to 1000.

    """

    bound: int
    budget: int
    candidates: int
    effort: int


class Way(StrEnum):
    """A way to find records."""

    FEW = "few"
    """Compare the matches and count them meanwhile, up to a bound."""
    INDEX = "index"
    EXACT = "exact"
    """Compare every match."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """An expectation is what the planner makes of a filter.

    Attributes:
        matches: records that match, as it believes.
        reads_all: whether every record must be read to find them, as no index serves the filter.
        indexes: the names of those that find them together.

    """

    matches: int
    reads_all: bool
    indexes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Walk:
    """A walk is as far as one statement follows the index.

    Attributes:
        candidates: matches at which it ends.
        budget: records that the index offers at most.
        effort: HNSW search effort, 1 to 1000.

    """

    candidates: int
    budget: int
    effort: int

    @property
    def visits(self) -> int:
        """Records that pgvector may visit before it gives up: more than the budget can need."""
        return self.budget * VISITS


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan says how a search is done, whatever its page.

    Attributes:
        ways: in this order, until the page is complete.
        bound: matches that `FEW` compares at most.
        effort: HNSW search effort of the first walk, 1 to 1000.
        deep: that of those beyond without a filter, at least.
        part: the partial index that is walked; None: the index of all records.
        rows: the number of records in the index that is walked.
        matches: how many of them match at least, by the planner, or as `FEW` counted in vain; None: there is no filter.
        indexes: the names of those that find the matches, as the planner believes.
        reached: what a search that goes through the index aims at; None: none does.

    """

    ways: tuple[Way, ...]
    bound: int = 0
    effort: int = 0
    deep: int = 0
    part: PartialIndex | None = None
    rows: int = 0
    matches: int | None = None
    indexes: frozenset[str] = frozenset()
    reached: Reached | None = None

    @property
    def first(self) -> tuple[Rung, ...]:
        """The rungs whose candidates are the first ones of one walk."""
        return FIRST if self.matches is None else FIRST_MATCHES

    @property
    def deeper(self) -> tuple[Rung, ...]:
        """The rungs that have a walk each."""
        return DEEPER if self.matches is None else DEEPER_MATCHES

    def first_walk(self, candidates: int) -> Walk:
        """Return the walk for the first so many candidates of the first rungs."""
        whole = self.walk(self.first[-1])
        return replace(whole, candidates=candidates, effort=self.effort if self.matches is None else whole.effort)

    def walk(self, rung: Rung) -> Walk:
        """Return the walk for all candidates of a rung."""
        if self.matches is None:
            effort = max(self.effort, self.deep, rung.candidates)
            return Walk(rung.candidates, rung.candidates, min(EF_SEARCH_MAX, effort))
        effort = min(EF_SEARCH_MAX, max(self.effort, rung.keep))
        budget = max(effort, rung.candidates, ceil(SLACK * rung.keep * self.rows / self.matches))
        return Walk(rung.candidates, coarse(budget), effort)


def planned(
    query: Query, default_effort: int, expected: Callable[[], Expectation], default_target: float = RECALL_TARGET
) -> Plan:
    """Return how a search is done.

    Args:
        query: the search.
        default_effort: the server's search effort, 1 to 1000, where recall was not measured.
        expected: what the planner makes of the filter; asked for where it matters.
        default_target: the recall that the server aims at, above 0 and at most 1.

    """
    collection = query.collection
    target = query.recall_target or collection.recall_target or default_target
    if not _indexable(query) or (target == 1 and query.effort is None):
        return Plan((Way.EXACT,))
    if not query.filtered or not collection.indexed:
        chosen = efforts_of(collection, target, default_effort, query.effort)
        reached = Reached(target, chosen.nearest, _measured(collection.recall, Depth.TEN, chosen.nearest))
        return Plan(
            (Way.INDEX, Way.EXACT),
            effort=chosen.nearest,
            deep=chosen.deep,
            reached=reached if collection.indexed else None,
        )
    part = part_of(collection, query.where.equalities)
    matches = expected()
    chosen = efforts_of(collection, target, default_effort, query.effort, part)
    usual_limits = limits(collection, RANKS, chosen.matches, part)
    first, found = begin(collection, RANKS, usual_limits, matches, part)
    if first is Way.EXACT:
        return Plan((Way.EXACT,))
    ways = (Way.INDEX, Way.EXACT) if first is Way.INDEX else (Way.FEW, Way.INDEX, Way.EXACT)
    least = max(1, matches.matches) if first is Way.INDEX else found.bound
    recall = part.recall if part and part.recall else collection.recall
    return Plan(
        ways,
        found.bound,
        found.effort,
        part=part,
        rows=_rows(collection, part),
        matches=least,
        indexes=matches.indexes,
        reached=Reached(target, found.effort, _measured(recall, Depth.TENTH, found.effort)),
    )


def efforts_of(
    collection: Collection,
    target: float,
    default_effort: int,
    effort: int | None = None,
    part: PartialIndex | None = None,
) -> Efforts:
    """Return the efforts of a search: as it asks, as they were measured, or by the number of records."""
    if effort is not None:
        return Efforts(effort, effort, effort)
    measured = part.recall if part and part.recall else collection.recall
    if measured is not None:
        return efforts_for(measured, target)
    usual = grown_effort(collection, default_effort)
    return Efforts(usual, usual, min(EF_SEARCH_MAX, ceil(EFFORT * usual)))


def _measured(recall: Recall | None, depth: Depth, effort: int) -> float | None:
    return None if recall is None else recall_at(recall.curves.get(depth, ()), effort)


def _indexable(query: Query) -> bool:
    """Say whether there may be more to it than to compare every record.

    Tags have an index of their own: without one of vectors, those that share a tag are still found by it.
    """
    if query.exact or not (query.collection.indexed or query.tagged) or (query.tagged and query.product_field):
        return False
    if query.tagged and query.collection.spread:
        return False  # three sets of candidates would be a statement each
    return query.several is None or direction(query.several) is not None


def begin(
    collection: Collection, ranks: int, limits: Limits, expected: Expectation, part: PartialIndex | None = None
) -> tuple[Way, Limits]:
    """Return where to begin, and how far the ways are followed then; `part` is the index that a walk goes through."""
    costs = costs_of(collection)
    matches = max(1, expected.matches)
    budget = max(limits.effort, limits.candidates, ceil(SLACK * ranks * _rows(collection, part) / matches))
    if budget * costs.candidate_us < HOPE * comparing_us(collection, expected):
        return Way.INDEX, replace(limits, budget=budget)
    if matches > limits.bound and expected.reads_all:
        return Way.EXACT, limits
    return Way.FEW, replace(limits, bound=max(limits.bound, coarse(DOUBT * matches)))


def comparing_us(collection: Collection, expected: Expectation) -> float:
    """Return how long it takes to find the matches of a filter and compare them, in microseconds."""
    costs = costs_of(collection)
    matches = max(1, expected.matches)
    reading = _rows(collection) * _IN_TURN if expected.reads_all else matches
    return reading * costs.match_us + matches * costs.distance_us


def limits(collection: Collection, ranks: int, effort: int, part: PartialIndex | None = None) -> Limits:
    """Return how far each way is followed for the first `ranks` ranks.

    Args:
        collection: what is searched.
        ranks: 1 to 1000: the window's end.
        effort: the search effort of a walk, 1 to 1000.
        part: the partial index that a walk goes through; None: the index of all records.

    """
    costs = costs_of(collection)
    match = costs.match_us + costs.distance_us
    needed = SLACK * max(1, ranks) * _rows(collection, part)
    # The graph is walked to `effort` candidates at least, whatever the filter.
    bound = max(BOUND_AT_LEAST, ranks, effort * costs.candidate_us / match, sqrt(needed * costs.candidate_us / match))
    candidates = ceil(_SPARE * ranks)
    return Limits(round(bound), max(effort, candidates, ceil(needed / bound)), candidates, effort)


def coarse(number: int) -> int:
    """Return the least number of the form 8 to 15 times a power of two that is no less: few differ, whatever matches.

    Bounds stand in the text of statements, and the database keeps the plan of each text.
    """
    step = 1 << max(0, number.bit_length() - _DIGITS)
    return ceil(number / step) * step


def part_of(collection: Collection, equalities: frozenset[str]) -> PartialIndex | None:
    """Return the smallest partial index that holds all records which satisfy these conditions; None: there is none."""
    fitting = [part for part in collection.partial_indexes if part.condition in equalities]
    return min(fitting, key=lambda part: part.rows, default=None)


def _rows(collection: Collection, part: PartialIndex | None = None) -> int:
    return (part.rows if part else collection.rows) or _UNCOUNTED_ROWS


def grown_effort(collection: Collection, default_effort: int) -> int:
    """Return the search effort that finds as large a share of a collection's neighbours as the default does of few."""
    rows = collection.rows / collection.shards  # each has a graph of its own
    return min(EF_SEARCH_MAX, ceil(default_effort * max(1.0, sqrt(rows / EFFORT_ROWS))))


def costs_of(collection: Collection) -> SearchCosts:
    """Return what the steps of a search cost: as measured on this database, or the usual."""
    costs = collection.costs or SearchCosts.usual(collection.dimensions)
    # Every shard's graph is walked to as many candidates; what matches is read once, wherever it lies.
    return replace(costs, candidate_us=costs.candidate_us * collection.shards) if collection.spread else costs


def is_expensive(collection: Collection) -> bool:
    """Say whether comparing all records of a collection takes so long that few may do it at the same time."""
    costs = costs_of(collection)
    return collection.rows * (costs.match_us + costs.distance_us) > _EXPENSIVE_MS * 1000
