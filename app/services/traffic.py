"""What a process did of late: requests, searches, their times and refusals, from what its metrics count."""

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise

from app.metrics import Metrics, families
from app.metrics.families import SECONDS

EVERY_SECONDS = 10.0
_KEPT = 90  # a quarter of an hour
_LOOK_SECONDS = 300.0
# Less than this says nothing of a rate.
_LEAST_SECONDS = 1.0
_SEARCHES = "visual"
"""How the names of the API's searches begin, as in the alert on slow ones."""


@dataclass(frozen=True, slots=True)
class _Sample:
    at: float
    requests: float
    searches: float
    refusals: dict[str, float]
    buckets: list[float]


@dataclass(frozen=True, slots=True)
class Point:
    """Ten seconds: requests and searches a second, and how long one search in twenty took at least, in seconds."""

    requests: float
    searches: float
    p95: float | None


@dataclass(frozen=True, slots=True)
class Told:
    """The last minutes of a process.

    Attributes:
        seconds: how many of them are looked at.
        requests: requests a second.
        searches: searches a second.
        p50: the median time of a search in seconds; None: there was none.
        p95: how long one search in twenty took at least, in seconds.
        answered: requests in all.
        refusals: how many were answered with an error, by what it is; those that were not are left out.
        points: every ten seconds of the last quarter of an hour, the oldest first.

    """

    seconds: float
    requests: float
    searches: float
    p50: float | None
    p95: float | None
    answered: int
    refusals: dict[str, int] = field(default_factory=dict)
    points: list[Point] = field(default_factory=list)


class Traffic:
    """Takes note of the metrics of a process every ten seconds, and keeps a quarter of an hour; safe for threads."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._lock = threading.Lock()
        self._samples: deque[_Sample] = deque(maxlen=_KEPT + 1)

    def note(self) -> None:
        """Take note of what was counted up to now."""
        with self._lock:
            self._samples.append(self._now())

    def told(self) -> Told | None:
        """Return what the last five minutes had; None as long as too little is known, or nothing is counted."""
        if not self._metrics.counting:
            return None
        with self._lock:
            samples = [*self._samples, self._now()]
        last = samples[-1]
        first = next(one for one in samples if one.at >= last.at - _LOOK_SECONDS)
        seconds = last.at - first.at
        if seconds < _LEAST_SECONDS:
            return None
        counts = _less(last.buckets, first.buckets)
        refusals = {name: round(number - first.refusals.get(name, 0)) for name, number in last.refusals.items()}
        return Told(
            seconds,
            (last.requests - first.requests) / seconds,
            (last.searches - first.searches) / seconds,
            quantile(counts, 0.5),
            quantile(counts, 0.95),
            round(last.requests - first.requests),
            {name: number for name, number in sorted(refusals.items(), key=lambda one: -one[1]) if number},
            [_point(a, b) for a, b in pairwise(samples[:-1])],
        )

    def _now(self) -> _Sample:
        refusals = self._metrics.totals(families.REFUSALS)
        return _Sample(
            time.monotonic(),
            sum(self._metrics.totals(families.REQUESTS).values()),
            sum(self._metrics.totals(families.SEARCHES).values()),
            {reason: number for (reason,), number in refusals.items()},
            self._metrics.buckets(families.REQUEST_SECONDS, _SEARCHES),
        )


def quantile(counts: list[float], share: float) -> float | None:
    """Return the time, in seconds, that so large a share is within, from counts up to each of `SECONDS` and in all.

    It is reckoned as Prometheus does: evenly within a bucket, and the last bound where it lies beyond. None: no count.
    """
    wanted = counts[-1] * share
    if not wanted:
        return None
    low = before = 0.0
    for bound, count in zip(SECONDS, counts, strict=False):
        if count >= wanted:
            return low + (bound - low) * (wanted - before) / (count - before)
        low, before = bound, count
    return SECONDS[-1]


def _less(counts: list[float], before: list[float]) -> list[float]:
    return [a - b for a, b in zip(counts, before, strict=True)]


def _point(first: _Sample, last: _Sample) -> Point:
    seconds = max(last.at - first.at, 1e-9)
    return Point(
        round((last.requests - first.requests) / seconds, 3),
        round((last.searches - first.searches) / seconds, 3),
        quantile(_less(last.buckets, first.buckets), 0.95),
    )
