"""What a scrape reads beside the counters: figures of the database, remembered for a while, and of this process."""

import logging
import platform
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from app.db import gauges
from app.db.gauges import Figure
from app.domain.errors import LookalikeError
from app.domain.jobs import State
from app.metrics import Reading, families
from app.metrics.families import FAMILIES
from app.services.backups import folder_of
from app.services.context import Context
from app.services.exporting.files import export_root
from app.services.jobs.kinds import KINDS
from app.version import __version__

log = logging.getLogger(__name__)

MOST_COLLECTIONS = 200
"""Collections that have series of their own; all others together are "other"."""
_FRESH_SECONDS = 15.0
# A scrape waits for the database for no longer, and answers what it has.
_WAIT_SECONDS = 2.0
_BY_NAME = {family.name: family for family in FAMILIES}


class Gauges:
    """The figures of the database, read at a scrape where they are older than 15 s, by one thread at a time."""

    def __init__(self, context: Context, fresh_seconds: float = _FRESH_SECONDS) -> None:
        self._context = context
        self._fresh_seconds = fresh_seconds
        self._lock = threading.Lock()
        self._figures: list[Figure] = []
        self._read_at = 0.0
        self._due = 0.0
        self._reading: threading.Thread | None = None
        self._up = False

    def readings(self) -> Iterator[Reading]:
        """Yield what is known of the database; what cannot be read anew stays as it was, and `database_up` is 0."""
        with self._lock:
            if time.monotonic() >= self._due and (self._reading is None or not self._reading.is_alive()):
                self._reading = threading.Thread(target=self._read, name="gauges", daemon=True)
                self._reading.start()
            reading = self._reading
        if reading is not None:
            reading.join(_WAIT_SECONDS)
        is_away = reading is not None and reading.is_alive()
        yield Reading(families.DATABASE_UP, float(self._up and not is_away))
        if self._read_at:
            yield Reading(families.READ_AT, self._read_at)
            yield from _of_database(self._figures)

    def _read(self) -> None:
        is_up = False
        try:
            self._figures = gauges.read(self._context.db, MOST_COLLECTIONS, self._context.settings.index_rows)
            self._read_at, is_up = time.time(), True
            self._due = time.monotonic() + self._fresh_seconds
        except LookalikeError as error:
            log.warning("the figures of the database were not read: %s", error)
        finally:
            self._up = is_up


def register(context: Context) -> None:
    """Have the context's metrics read these figures at a scrape."""
    if context.metrics.counting:
        context.metrics.source(Gauges(context).readings)
    register_process(context)


def register_process(context: Context) -> None:
    """Have the context's metrics read the figures of this process alone: a worker leaves the database's to servers."""
    context.metrics.source(lambda: of_process(context), of_process=True)


def _of_database(figures: list[Figure]) -> Iterator[Reading]:
    jobs = {(kind, str(state)): 0.0 for kind in KINDS for state in State}
    for figure in figures:
        labels = (figure.label,) if figure.label else ()
        if figure.gauge == "jobs":
            kind, _, state = figure.label.partition(" ")
            jobs[kind, state] = figure.value
        elif figure.gauge.startswith("index_blocks_"):
            yield Reading(families.INDEX_BLOCKS, figure.value, (*labels, figure.gauge.rpartition("_")[2]))
        elif figure.gauge == "recall_at":
            yield Reading(families.RECALL_AT, figure.value, labels)
        elif figure.gauge.startswith("recall_"):
            yield Reading(families.RECALL, figure.value, (*labels, figure.gauge.rpartition("_")[2]))
        else:
            yield Reading(_BY_NAME[figure.gauge], figure.value, labels)
    for key, number in jobs.items():
        yield Reading(families.JOBS, number, key)


def _folders(context: Context) -> dict[str, Path]:
    return {
        "home": context.settings.home.expanduser(),
        "backups": folder_of(context.settings),
        "exports": export_root(context),
    }


def of_process(context: Context) -> Iterator[Reading]:
    """Yield the figures of this process: cache, models, pool, audit log. Nothing is waited for."""
    cache = context.vector_cache.figures()
    yield Reading(families.CACHE_HITS, cache.hits)
    yield Reading(families.CACHE_MISSES, cache.misses)
    yield Reading(families.CACHE_ENTRIES, cache.entries)
    yield Reading(families.CACHE_BYTES, cache.size)
    for model, waiting in context.models.waiting().items():
        yield Reading(families.MODEL_WAITING, waiting, (model,))
    pool = context.db.pool_figures()
    yield Reading(families.POOL_CONNECTIONS, pool.get("pool_size", 0))
    yield Reading(families.POOL_MOST, pool.get("pool_max", 0))
    yield Reading(families.POOL_AVAILABLE, pool.get("pool_available", 0))
    yield Reading(families.POOL_WAITING, pool.get("requests_waiting", 0))
    yield Reading(families.POOL_REQUESTS, pool.get("requests_num", 0))
    yield Reading(families.POOL_WAITS, pool.get("requests_queued", 0))
    yield Reading(families.POOL_WAIT_SECONDS, pool.get("requests_wait_ms", 0) / 1000)
    yield Reading(families.POOL_ERRORS, pool.get("requests_errors", 0))
    yield Reading(families.POOL_LOST, pool.get("connections_lost", 0))
    yield Reading(families.AUDIT_WAITING, context.audit.waiting)
    yield Reading(families.AUDIT_LOST, context.audit.lost)
    for name, folder in _folders(context).items():
        with suppress(OSError):  # it is made when it is needed first
            disk = shutil.disk_usage(folder)
            yield Reading(families.DISK_BYTES, disk.total, (name,))
            yield Reading(families.DISK_FREE, disk.free, (name,))
    yield Reading(families.BUILD_INFO, 1, (__version__, platform.python_version()))
