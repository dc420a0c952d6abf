"""Metrics of a server with several processes: each writes its own to files, and whoever is scraped adds them up."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector, values
from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

# What of a process is no sum: the oldest start, the lowest limit, that something is so.
_LEAST = ("start_time_seconds", "max_fds")
_MOST = ("build_info",)


def begin(folder: Path) -> None:
    """Have this process count in files of a folder from now on, before it makes its first metric."""
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    values.ValueClass = values.MultiProcessValue()  # type: ignore[no-untyped-call]


def add_all_processes(registry: CollectorRegistry, folder: Path) -> None:
    """Have a registry tell what all processes together have counted; those that have ended count on."""
    MultiProcessCollector(registry, str(folder))  # type: ignore[no-untyped-call]


def ended(folder: Path, process: int) -> None:
    """Forget what a process that has ended said of itself last; what it counted stays counted."""
    mark_process_dead(process, str(folder))  # type: ignore[no-untyped-call]


class Published:
    """What one process reads of itself, written to where the others see it.

    Args:
        read: yields the figures of this process.
        prefix: of the names of the process's own figures.

    """

    def __init__(self, read: Callable[[], Iterable[Metric]], prefix: str) -> None:
        self._read = read
        self._own = ProcessCollector(namespace=prefix, registry=None)
        self._gauges: dict[str, Gauge] = {}
        self._counters: dict[str, Counter] = {}
        self._counted: dict[tuple[str, ...], float] = {}

    def publish(self) -> None:
        """Write all figures as they are now; counters grow by what was counted since the last time."""
        for metric in (*self._read(), *self._own.collect()):
            for sample in metric.samples:
                labels = tuple(sample.labels.values())
                if isinstance(metric, CounterMetricFamily):
                    self._add(metric, tuple(sample.labels), labels, sample.value)
                else:
                    self._set(metric, tuple(sample.labels), labels, sample.value)

    def _add(self, metric: Metric, names: tuple[str, ...], labels: tuple[str, ...], value: float) -> None:
        if (counter := self._counters.get(metric.name)) is None:
            counter = self._counters[metric.name] = Counter(metric.name, metric.documentation, names, registry=None)
        key = (metric.name, *labels)
        (counter.labels(*labels) if names else counter).inc(max(0.0, value - self._counted.get(key, 0.0)))
        self._counted[key] = value

    def _set(self, metric: Metric, names: tuple[str, ...], labels: tuple[str, ...], value: float) -> None:
        if (gauge := self._gauges.get(metric.name)) is None:
            mode = "livemin" if metric.name.endswith(_LEAST) else "livesum"
            mode = "livemax" if metric.name.endswith(_MOST) else mode
            gauge = self._gauges[metric.name] = Gauge(
                metric.name,
                metric.documentation,
                names,
                registry=None,
                multiprocess_mode=mode,  # type: ignore[arg-type]  # one of the literals
            )
        (gauge.labels(*labels) if names else gauge).set(value)
