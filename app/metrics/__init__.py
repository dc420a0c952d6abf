"""Metrics of the server, in the forms that Prometheus reads. Prometheus' client library is used here alone."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from prometheus_client import (
    CollectorRegistry,
    Counter,
    ProcessCollector,
    disable_created_metrics,
    start_http_server,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from app.metrics import families, several
from app.metrics.families import FAMILIES, PREFIX, SECONDS, Family, Kind
from app.metrics.noting import Count, Noted, SecondsOfMany, Timed, Times

__all__ = ["Metrics", "Reading", "families"]


_PUBLISH_SECONDS = 5.0


class Reading(NamedTuple):
    """A figure that was read at a scrape; the labels' values stand in the order of the family's names."""

    family: Family
    value: float
    labels: tuple[str, ...] = ()


# When each series began: as many series again, which no board and no alert asks for.
disable_created_metrics()  # type: ignore[no-untyped-call]  # prometheus-client types its classes alone

Source = Callable[[], Iterable[Reading]]

_UNTIMED = nullcontext()


class Metrics:
    """The metrics of one process, or of one of several that serve together; safe for threads.

    Args:
        counting: whether anything is counted; else every call returns at once.
        folder: where the processes of one server count together; None: there is one.

    """

    def __init__(self, *, counting: bool = True, folder: Path | None = None) -> None:
        self.counting = counting
        self._sources: list[Source] = []
        self._of_process: list[Source] = []
        self._published: several.Published | None = None
        self._publishing = threading.Lock()
        self._counters: dict[str, Counter] = {}
        self._histograms: dict[str, SecondsOfMany] = {}
        self._counted: dict[tuple[str, ...], Count] = {}
        self._observed: dict[tuple[str, ...], Times] = {}
        self._making = threading.Lock()
        self.registry = CollectorRegistry()
        if not counting:
            return
        if folder is not None:
            several.begin(folder)
        self.registry.register(_Settled(self.settle))
        for family in FAMILIES:
            name = f"{PREFIX}_{family.name}"
            if family.read:
                continue
            if family.kind is Kind.COUNTER:
                self._counters[family.name] = Counter(name, family.text, family.labels, registry=self.registry)
            else:
                self._histograms[family.name] = SecondsOfMany(
                    name, family.text, family.labels, registry=self.registry, buckets=SECONDS
                )
        if folder is None:
            ProcessCollector(namespace=PREFIX, registry=self.registry)
            self.registry.register(_Sources(self._sources, self._of_process))
        else:
            own = _Sources(self._of_process)
            self._published = several.Published(own.collected, PREFIX)
            self.registry = CollectorRegistry()
            self.registry.register(_Settled(self.settle))
            several.add_all_processes(self.registry, folder)
            self.registry.register(_Sources(self._sources, others=own))
        self._begin()

    def _begin(self) -> None:
        """Let the series whose labels are known begin at 0."""
        known: Mapping[Family, Iterable[str]] = {
            families.SEARCHES: families.WAYS.values(),
            families.SEARCH_FALLBACKS: families.FALLBACKS,
            families.FETCHES: families.FETCH_OUTCOMES,
            families.REPLICA_READS: families.REPLICA_OUTCOMES,
            families.AUTH_FAILURES: families.AUTH_REASONS,
            families.LIMIT_REFUSALS: families.LIMITS,
        }
        for family, values in known.items():
            for value in values:
                self.begin(family, value)
        for stage in families.STAGES:
            self.begin(families.STAGE_SECONDS, stage)

    def begin(self, family: Family, *labels: str) -> None:
        """Let a series begin at 0."""
        if not self.counting:
            return
        if family.kind is Kind.COUNTER:
            self.counter(family, *labels)
        else:
            self.times(family, *labels)

    def count(self, family: Family, *labels: str, amount: float = 1) -> None:
        """Add to a counter."""
        if self.counting:
            self.counter(family, *labels).note(amount)

    def observe(self, family: Family, seconds: float, *labels: str) -> None:
        """Note a time in a histogram."""
        if self.counting:
            self.times(family, *labels).note(seconds)

    def timed(self, stage: str) -> AbstractContextManager[None]:
        """Note how long a stage of the work took, also where it failed."""
        return Timed(self.times(families.STAGE_SECONDS, stage)) if self.counting else _UNTIMED

    def counter(self, family: Family, *labels: str) -> Count:
        """Return a series of a counter, for those who count often; there is one only where anything is counted."""
        key = (family.name, *labels)
        if (one := self._counted.get(key)) is None:
            whole = self._counters[family.name]
            with self._making:
                one = self._counted.setdefault(key, Count(whole.labels(*labels) if labels else whole))
        return one

    def times(self, family: Family, *labels: str) -> Times:
        """Return a series of a histogram, as `counter` does."""
        key = (family.name, *labels)
        if (one := self._observed.get(key)) is None:
            whole = self._histograms[family.name]
            with self._making:
                one = self._observed.setdefault(key, Times(whole.labels(*labels) if labels else whole))
        return one

    def settle(self) -> None:
        """Add to all series what was noted since they were read last."""
        with self._making:
            noted: list[Noted] = [*self._counted.values(), *self._observed.values()]
        for one in noted:
            one.settle()

    def source(self, read: Source, *, of_process: bool = False) -> None:
        """Have a function asked at each scrape; it must not wait for long, or at all if it is `of_process`.

        Args:
            read: yields figures.
            of_process: whether they are of this process, so that those of several are added up; else of all that is.

        """
        (self._of_process if of_process else self._sources).append(read)

    def process(self) -> Iterator[Reading]:
        """Yield what the sources of this process tell now."""
        for read in list(self._of_process):
            yield from read()

    def totals(self, family: Family) -> dict[tuple[str, ...], float]:
        """Return what a counter has counted so far in this process, by the values of its labels."""
        self.settle()
        return {key[1:]: one.total for key, one in list(self._counted.items()) if key[0] == family.name}

    def buckets(self, family: Family, begins: str) -> list[float]:
        """Return how many times a histogram noted up to each of `SECONDS`, and any at all, in that order.

        The series whose first label begins so are taken together.
        """
        self.settle()
        sums = [0.0] * (len(SECONDS) + 1)
        for key, one in list(self._observed.items()):
            if key[0] == family.name and key[1].startswith(begins):
                sums = [a + b for a, b in zip(sums, one.counts, strict=True)]
        return sums

    def publish(self, ended: threading.Event) -> None:
        """Let the processes beside this one see its figures, every few seconds until it has ended; return at once."""
        if self._published is None:
            return

        def go_on() -> None:
            while not ended.wait(_PUBLISH_SECONDS):
                self._publish()

        self._publish()
        threading.Thread(target=go_on, name="metrics", daemon=True).start()

    def _publish(self) -> None:
        if self._published is not None:
            self.settle()
            with self._publishing:
                self._published.publish()

    def exposed(self, accept: str) -> tuple[bytes, str]:
        """Return all metrics as text, and its media type, in the form that a scraper's `Accept` prefers."""
        encode, media_type = choose_encoder(accept)
        self._publish()
        return encode(self.registry), media_type

    def serve(self, address: str, port: int) -> Callable[[], None]:
        """Serve the metrics over HTTP, on threads of their own, to everybody; return what ends that.

        Raises:
            OSError: it cannot listen there.

        """
        server, thread = start_http_server(port, address, self.registry)

        def end() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        return end


class _Settled:
    """Has all that was noted added up before the collectors after it are asked."""

    def __init__(self, settle: Callable[[], None]) -> None:
        self._settle = settle

    def collect(self) -> Iterator[Metric]:
        """Yield no family."""
        self._settle()
        return iter(())

    def describe(self) -> Iterator[Metric]:
        """Name no family."""
        return iter(())


class _Sources:
    """Asks the sources at a scrape, and gives each family once, whichever of them its figures come from."""

    def __init__(self, *sources: list[Source], others: "_Sources | None" = None) -> None:
        self._sources = sources
        self._others = others
        self.known: set[str] = set()
        """Names of the families of which there was a figure."""

    def collect(self) -> Iterator[Metric]:
        """Yield the families whose figures are read; one without a figure is named all the same.

        But for those that are of each process, where they are collected otherwise.
        """
        elsewhere = self._others.known if self._others is not None else set()
        made: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
        for family in FAMILIES:
            if family.read and family.name not in elsewhere:
                kind = CounterMetricFamily if family.kind is Kind.COUNTER else GaugeMetricFamily
                made[family.name] = kind(f"{PREFIX}_{family.name}", family.text, labels=family.labels)
        for source in chain.from_iterable(map(list, self._sources)):
            for reading in source():
                made[reading.family.name].add_metric(reading.labels, reading.value)
                self.known.add(reading.family.name)
        yield from made.values()

    def collected(self) -> list[Metric]:
        """Return the families of which there is a figure."""
        return [metric for metric in self.collect() if metric.samples]

    def describe(self) -> Iterator[Metric]:
        """Name no family: nothing is read while the registry is made."""
        return iter(())
