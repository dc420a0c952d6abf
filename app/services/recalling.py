"""Recall is measured on a collection's own records: the share of the true neighbours that searches find."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import sqrt
from statistics import median

from app.db import listing
from app.db.listing import Listing
from app.db.search import find
from app.domain.collections import Collection
from app.domain.errors import InvalidRequest
from app.domain.records import Fields, Json
from app.domain.windows import Window
from app.search.request import Query
from app.services.context import Context
from app.services.filtering import condition

_Z = 1.96  # of a normal distribution, for 95 %


@dataclass(frozen=True, slots=True)
class Recall:
    """The findings of a measurement.

    Attributes:
        queries: records whose neighbours were searched for.
        recall: share of the true neighbours that were found, 0 to 1.
        low: lower end of the 95 % confidence interval.
        high: upper end of it.
        search_ms: median time of a search.
        exact_ms: median time of comparing every match.
        ways: number of searches by the way they took.

    """

    queries: int
    recall: float
    low: float
    high: float
    search_ms: float
    exact_ms: float
    ways: dict[str, int]


def measure(
    context: Context,
    collection: Collection,
    *,
    sample: int,
    k: int,
    filter_: Json = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Recall:
    """Search for the neighbours of records at random, as the server does and by comparing every match.

    The confidence interval is Wilson's on all neighbours together; records at the same distance as the farthest true
    neighbour count as found.

    Raises:
        InvalidRequest: the collection holds no record, or none matches the filter.
        FilterError: the filter is not one.

    """
    where = condition(collection, filter_)
    query = Query(collection, Window(k), Fields(), where)
    ids = [found.id for found in listing.random(context.db, Listing(collection, Fields()), sample)]
    found_all = wanted = 0
    times: list[float] = []
    exact_times: list[float] = []
    ways: dict[str, int] = {}
    for record_id in ids:
        near = find(context.db, query.near(record_id))
        true = find(context.db, replace(query.near(record_id), exact=True))
        if near is None or true is None:
            continue  # deleted meanwhile
        exact_times.append(true.milliseconds)
        times.append(near.milliseconds)
        ways[near.way] = ways.get(near.way, 0) + 1
        edge = max((one.distance or 0.0 for one in true.records), default=0.0)
        found_all += min(len(true.records), sum((one.distance or 0.0) <= edge + 1e-9 for one in near.records))
        wanted += len(true.records)
        progress(1)
    if not wanted:
        raise InvalidRequest("there is nothing to measure: no record is in the collection, or none matches the filter")
    low, high = interval(found_all, wanted)
    return Recall(len(times), found_all / wanted, low, high, median(times), median(exact_times), ways)


def interval(hits: int, trials: int) -> tuple[float, float]:
    """Return Wilson's 95 % confidence interval of a share; `trials` is 1 or more."""
    share = hits / trials
    spread = _Z * sqrt(share * (1 - share) / trials + _Z**2 / (4 * trials**2))
    middle = share + _Z**2 / (2 * trials)
    width = 1 + _Z**2 / trials
    # Rounding must not put the share itself outside.
    return max(0.0, min(share, (middle - spread) / width)), min(1.0, max(share, (middle + spread) / width))
