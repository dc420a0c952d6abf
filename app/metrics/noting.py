"""What happens is noted by appending to a list, and added to Prometheus' series before they are read.

A request notes half a dozen things, and a scrape comes every quarter of a minute: adding up many at once costs a tenth.
"""

import threading
import time
from bisect import bisect_right
from types import TracebackType

from prometheus_client import Counter, Histogram

_MOST = 1000


class Noted:
    """One series; any thread notes, and any thread settles."""

    __slots__ = ("_noted", "_settling")

    def __init__(self) -> None:
        self._noted: list[float] = []
        self._settling = threading.Lock()

    def note(self, amount: float) -> None:
        """Note one; a list that has become long is settled by the way."""
        noted = self._noted
        noted.append(amount)
        if len(noted) >= _MOST:
            self.settle()

    def settle(self) -> None:
        """Add what was noted up to now to the series."""
        with self._settling:
            some = self._noted[:]  # each of the two is one step of the interpreter: what comes between them stays
            del self._noted[: len(some)]
            if some:
                self._add(some)

    def _add(self, some: list[float]) -> None:
        raise NotImplementedError


class Count(Noted):
    """A counter's series."""

    __slots__ = ("_series", "total")

    def __init__(self, series: Counter) -> None:
        super().__init__()
        self._series = series
        self.total = 0.0
        """What was settled so far in this process."""

    def _add(self, some: list[float]) -> None:
        amount = sum(some)
        self.total += amount
        self._series.inc(amount)


class Times(Noted):
    """A histogram's series."""

    __slots__ = ("_series", "counts")

    def __init__(self, series: "SecondsOfMany") -> None:
        super().__init__()
        self._series = series
        self.counts = [0] * series.buckets
        """How many were settled up to each bound so far in this process, and any at all."""

    def _add(self, some: list[float]) -> None:
        for place, number in enumerate(self._series.observe_all(some)):
            self.counts[place] += number


class SecondsOfMany(Histogram):
    """A histogram that takes many times at once."""

    @property
    def buckets(self) -> int:
        """The number of buckets, that without a bound included."""
        return len(self._upper_bounds)

    def observe_all(self, seconds: list[float]) -> list[int]:
        """Observe times, which it sorts; return how many of them there are up to each bound."""
        seconds.sort()
        self._sum.inc(sum(seconds))
        up_to = [bisect_right(seconds, bound) for bound in self._upper_bounds]
        before = 0
        for bucket, number in zip(self._buckets, up_to, strict=True):
            if number > before:
                bucket.inc(number - before)
                before = number
        return up_to


class Timed:
    """Notes how long a block took, also where it failed."""

    __slots__ = ("_started", "_times")

    def __init__(self, times: Times) -> None:
        self._times = times
        self._started = 0.0

    def __enter__(self) -> None:
        """Begin."""
        self._started = time.perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End."""
        self._times.note(time.perf_counter() - self._started)
