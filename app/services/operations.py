"""What an administrator looks at: how everything does, read at once, and what is wrong with it first."""

import platform
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from app.db import backups as backup_table
from app.db import gauges as gauge_table
from app.db import indexes, recall, schema, searchlog
from app.db.gauges import Figure
from app.domain.jobs import State
from app.domain.tokens import Principal
from app.metrics import families
from app.metrics.families import Family
from app.services import operation_warnings
from app.services.context import Context
from app.services.gauges import MOST_COLLECTIONS
from app.services.jobs import asking
from app.services.traffic import EVERY_SECONDS
from app.services.watching import every
from app.version import __version__

MOST = 20
"""Rows of each list: indexes, recall, backups, slow searches, entries of the audit log."""
_FEW = 5
_OF_COLLECTIONS = (
    families.RECORDS,
    families.CAPACITY,
    families.BYTES,
    families.INDEX_ROWS,
    families.INDEX_BYTES,
    families.BUILD_SHARE,
    families.DUPLICATE_PAIRS,
)
_OPEN = (State.QUEUED, State.RUNNING, State.PAUSING, State.PAUSED)


class _Figures:
    """The figures of one moment, of the database and of this process, by the families of the metrics."""

    def __init__(self, context: Context) -> None:
        settings = context.settings
        self.of_database: list[Figure] = gauge_table.read(context.db, MOST_COLLECTIONS, settings.index_rows)
        self._whole = {one.gauge: one.value for one in self.of_database if not one.label}
        self._process = {(one.family.name, one.labels): one.value for one in context.metrics.process()}

    def whole(self, family: Family) -> float:
        """Return a figure of the whole database."""
        return self._whole.get(family.name, 0.0)

    def process(self, family: Family, *labels: str) -> float | None:
        """Return a figure of this process; None where it has none."""
        return self._process.get((family.name, labels))

    def labels(self, family: Family) -> list[str]:
        """Return the values of a label that this process has figures for."""
        return [labels[0] for name, labels in self._process if name == family.name]

    def by_label(self, gauge: str) -> dict[str, float]:
        """Return the figures of one gauge by its label."""
        return {one.label: one.value for one in self.of_database if one.gauge == gauge and one.label}


def state(context: Context, principal: Principal | None = None) -> dict[str, Any]:
    """Return how everything does; the database's figures are read from its catalogue, and no record is.

    Raises:
        Unavailable: the database is away.
        Forbidden: the principal may not administer all collections.

    """
    figures = _Figures(context)
    told: dict[str, Any] = {
        "read_at": datetime.now(UTC),
        "server": _server(context, figures),
        "traffic": _traffic(context),
        "models": _models(context, figures),
        "cache": _cache(figures),
        "database": _database(context, figures),
        "disks": _disks(figures),
        "collections": _collections(figures),
        "indexes": indexes.unhealthy(context.db, MOST),
        "recall": recall.listed(context.db, MOST),
        "jobs": _jobs(context, figures),
        "backups": _backups(context, figures),
        "replicas": _replicas(figures),
        "slow_searches": searchlog.slowest(context.db, _FEW),
        "logged": context.settings.log_searches,
        "audit": context.audit.entries(principal, most=MOST),
    }
    return {"warnings": [asdict(one) for one in operation_warnings.of(told, context.settings)], **told}


def watch(context: Context) -> None:
    """Take note of the traffic every ten seconds, until the context is closed; not where nothing is counted."""
    if context.metrics.counting:
        context.traffic.note()
        every(context, EVERY_SECONDS, "traffic", context.traffic.note, "what was counted was not noted")


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)


def _server(context: Context, figures: _Figures) -> dict[str, Any]:
    return {
        "version": __version__,
        "python": platform.python_version(),
        "threads": _whole(figures.process(families.THREADS)),
        "threads_busy": _whole(figures.process(families.THREADS_BUSY)),
        "requests_waiting": _whole(figures.process(families.REQUESTS_WAITING)),
        "counting": context.metrics.counting,
        "audit_waiting": context.audit.waiting,
        "audit_lost": context.audit.lost,
    }


def _traffic(context: Context) -> dict[str, Any] | None:
    told = context.traffic.told()
    return None if told is None else asdict(told)


def _models(context: Context, figures: _Figures) -> list[dict[str, Any]]:
    batches = context.metrics.totals(families.MODEL_BATCHES)
    pictures = context.metrics.totals(families.MODEL_PICTURES)
    return [
        {
            "name": name,
            "waiting": _whole(figures.process(families.MODEL_WAITING, name)) or 0,
            "batches": int(batches.get((name,), 0)),
            "pictures": int(pictures.get((name,), 0)),
        }
        for name in sorted(figures.labels(families.MODEL_WAITING))
    ]


def _cache(figures: _Figures) -> dict[str, int]:
    read = {
        "hits": families.CACHE_HITS,
        "misses": families.CACHE_MISSES,
        "entries": families.CACHE_ENTRIES,
        "bytes": families.CACHE_BYTES,
    }
    return {name: _whole(figures.process(family)) or 0 for name, family in read.items()}


def _database(context: Context, figures: _Figures) -> dict[str, Any]:
    versions = backup_table.versions_of(context.db)
    pool = {
        "connections": families.POOL_CONNECTIONS,
        "most": families.POOL_MOST,
        "available": families.POOL_AVAILABLE,
        "waiting": families.POOL_WAITING,
        "errors": families.POOL_ERRORS,
        "lost": families.POOL_LOST,
    }
    return {
        "postgresql": versions["postgresql"],
        "pgvector": versions["pgvector"],
        "revision": versions["revision"],
        "head": schema.head(),
        "bytes": int(figures.whole(families.DATABASE_BYTES)),
        "connections": int(figures.whole(families.DATABASE_CONNECTIONS)),
        "connections_most": int(figures.whole(families.DATABASE_CONNECTIONS_MOST)),
        "shared_buffers": int(figures.whole(families.SHARED_BUFFERS)),
        "index_bytes": int(sum(figures.by_label(families.INDEX_BYTES.name).values())),
        "pool": {name: _whole(figures.process(family)) or 0 for name, family in pool.items()},
    }


def _disks(figures: _Figures) -> list[dict[str, Any]]:
    return [
        {
            "folder": name,
            "bytes": _whole(figures.process(families.DISK_BYTES, name)),
            "free": _whole(figures.process(families.DISK_FREE, name)),
        }
        for name in figures.labels(families.DISK_BYTES)
    ]


def _collections(figures: _Figures) -> list[dict[str, Any]]:
    by_gauge = {family.name: figures.by_label(family.name) for family in _OF_COLLECTIONS}
    memory, disk = figures.by_label("index_blocks_memory"), figures.by_label("index_blocks_disk")
    missing = figures.by_label(families.INDEX_MISSING.name)
    ten, hundred, at = (figures.by_label(f"recall_{name}") for name in ("10", "100", "at"))
    rows = []
    for name in by_gauge[families.RECORDS.name]:
        read = memory.get(name, 0.0) + disk.get(name, 0.0)
        row: dict[str, Any] = {"name": name}
        for gauge, values in by_gauge.items():
            value = values.get(name)
            row[gauge] = value if gauge == families.BUILD_SHARE.name else _whole(value)
        rows.append(
            {
                **row,
                "index_missing": bool(missing.get(name)),
                "memory_share": round(memory[name] / read, 4) if read else None,
                "recall_10": ten.get(name),
                "recall_100": hundred.get(name),
                "recall_at": datetime.fromtimestamp(at[name], UTC) if name in at else None,
            }
        )
    return sorted(rows, key=lambda row: (row["name"] == "other", -row["records"], row["name"]))


def _jobs(context: Context, figures: _Figures) -> dict[str, Any]:
    counts: dict[str, int] = {}
    for label, number in figures.by_label(families.JOBS.name).items():
        name = label.partition(" ")[2]
        counts[name] = counts.get(name, 0) + int(number)
    failed = asking.listed(context, states=[State.FAILED], most=_FEW)
    open_ = asking.listed(context, states=_OPEN, most=_FEW)
    return {
        "counts": counts,
        "oldest_queued_seconds": round(figures.whole(families.JOB_OLDEST), 1),
        "workers": int(figures.whole(families.JOB_WORKERS)),
        "failed": [one.told(whole=False) for one in failed],
        "open": [one.told(whole=False) for one in open_],
    }


def _backups(context: Context, figures: _Figures) -> dict[str, Any]:
    at, verified = figures.whole(families.BACKUP_AT), figures.whole(families.BACKUP_VERIFIED_AT)
    return {
        "hours": context.settings.backup_hours,
        "kept": context.settings.backups_kept,
        "last_at": datetime.fromtimestamp(at, UTC) if at else None,
        "verified_at": datetime.fromtimestamp(verified, UTC) if verified else None,
        "differences": int(figures.whole(families.BACKUP_DIFFERENCES)),
        "taken": backup_table.listed(context.db, MOST),
    }


def _replicas(figures: _Figures) -> list[dict[str, Any]]:
    seconds: Mapping[str, float] = figures.by_label(families.REPLICA_LAG_SECONDS.name)
    size: Mapping[str, float] = figures.by_label(families.REPLICA_LAG_BYTES.name)
    return [
        {"name": name, "lag_seconds": round(value, 3), "lag_bytes": _whole(size.get(name))}
        for name, value in sorted(seconds.items())
    ]
