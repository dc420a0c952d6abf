"""What is wrong, from how everything does: the same rules as those of Prometheus, as far as a moment can tell."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.config import Settings
from app.domain.alerts import BY_NAME
from app.domain.wording import counted

URGENT = frozenset(
    {
        "LookalikeErrors",
        "LookalikeRefuses",
        "LookalikeBackupOld",
        "LookalikeBackupDiffers",
        "LookalikeAuditLost",
    }
)
"""Those that alerts.yaml calls critical."""
_FULL = 0.9
_FREE = 0.1
_SLOW_SECONDS = 1.0
_REFUSED = 0.01
_RECALL = 0.95
_WAIT_SECONDS = 900
_LAG_SECONDS = 60
_LAG_BYTES = 256 * 2**20
_OLD = timedelta(days=2)
_UNVERIFIED = timedelta(days=8)
_LATELY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Concern:
    """Something that is wrong.

    Attributes:
        alert: the name of the alert of Prometheus that says the same.
        sentence: what is wrong, with its figures.
        means: what the alert means.
        advice: what to do.

    """

    alert: str
    sentence: str
    means: str
    advice: str


def of(told: Mapping[str, Any], settings: Settings) -> list[Concern]:
    """Return what is wrong with the state that `operations.state` tells, the most urgent first."""
    parts = (_backups(told), _database(told, settings), _traffic(told), _collections(told), _jobs(told), _rest(told))
    found = [Concern(name, sentence, *BY_NAME[name][1:]) for part in parts for name, sentence in part]
    return sorted(found, key=lambda one: one.alert not in URGENT)


_Found = Iterator[tuple[str, str]]


def _backups(told: Mapping[str, Any]) -> _Found:
    backups, now = told["backups"], told["read_at"]
    if backups["last_at"] is None:
        yield "LookalikeBackupOld", "No backup was ever taken."
    elif now - backups["last_at"] > _OLD:
        yield "LookalikeBackupOld", f"The last backup is {_days(now - backups['last_at'])} old."
    if backups["differences"]:
        found = counted(backups["differences"], "difference")
        yield "LookalikeBackupDiffers", f"The backup that was verified last has {found}."
    if backups["last_at"] is not None and backups["verified_at"] is None:
        yield "LookalikeBackupUnverified", "No backup was ever restored to see whether it is whole."
    elif backups["verified_at"] is not None and now - backups["verified_at"] > _UNVERIFIED:
        yield "LookalikeBackupUnverified", f"A backup was verified last {_days(now - backups['verified_at'])} ago."


def _database(told: Mapping[str, Any], settings: Settings) -> _Found:
    database = told["database"]
    used, most = database["connections"], database["connections_most"]
    if most and used > _FULL * most:
        yield "LookalikeDatabaseConnections", f"{used} of {most} connections of the database are in use."
    if database["pool"]["waiting"]:
        waiting = counted(database["pool"]["waiting"], "request")
        yield "LookalikeConnectionsShort", f"{waiting} now waiting for one of {settings.pool_connections} connections."
    if database["index_bytes"] > database["shared_buffers"]:
        have = (
            f"{_mib(database['index_bytes'])} of HNSW indexes and {_mib(database['shared_buffers'])} of shared_buffers"
        )
        yield "LookalikeIndexOutgrowsMemory", f"There are {have}."


def _traffic(told: Mapping[str, Any]) -> _Found:
    traffic, server = told["traffic"], told["server"]
    if traffic is not None:
        refused, answered = traffic["refusals"].get("service_unavailable", 0), traffic["answered"]
        if answered and refused > _REFUSED * answered:
            yield "LookalikeRefuses", f"{refused:,} of the last {counted(answered, 'request')} were answered with 503."
        if traffic["refusals"].get("unknown_error"):
            number = counted(traffic["refusals"]["unknown_error"], "request")
            yield "LookalikeErrors", f"Lately {number} ended in an error that nobody expected."
        if (traffic["p95"] or 0) > _SLOW_SECONDS:
            yield "LookalikeSlow", f"One search in twenty takes {traffic['p95']:.1f} s or more."
    if server["threads"] and server["threads_busy"] > _FULL * server["threads"] and server["requests_waiting"]:
        waiting = counted(server["requests_waiting"], "request")
        yield "LookalikeThreadsBusy", f"All {server['threads']} threads are busy; waiting: {waiting}."


def _collections(told: Mapping[str, Any]) -> _Found:
    for one in told["collections"]:
        if one["capacity"] and one["records"] > _FULL * one["capacity"]:
            have = f"{one['records']:,} of {counted(one['capacity'], 'record')}"
            yield "LookalikeCollectionFull", f"The collection {one['name']} holds {have}."
        if one["index_missing"] and one["build_share"] is None:
            yield "LookalikeIndexMissing", f"The collection {one['name']} has no HNSW index."
        if one["recall_10"] is not None and one["recall_10"] < _RECALL:
            found = f"{100 * one['recall_10']:.1f} % of the true ten nearest"
            yield "LookalikeRecallLow", f"Searches of the collection {one['name']} find {found}."


def _jobs(told: Mapping[str, Any]) -> _Found:
    jobs, now = told["jobs"], told["read_at"]
    if jobs["oldest_queued_seconds"] > _WAIT_SECONDS:
        minutes = counted(round(jobs["oldest_queued_seconds"] / 60), "minute")
        yield "LookalikeJobsWait", f"A job has waited {minutes} for a worker; there are {jobs['workers']}."
    elif jobs["counts"].get("queued") and not jobs["workers"]:
        yield "LookalikeJobsWait", f"{counted(jobs['counts']['queued'], 'job')} queued, and no worker is there."
    for job in jobs["failed"]:
        if job["finished_at"] and now - datetime.fromisoformat(job["finished_at"]) < _LATELY:
            yield "LookalikeJobsFail", f"The job {job['kind']} {job['id']} failed: {job['error']}"


def _rest(told: Mapping[str, Any]) -> _Found:
    for one in told["replicas"]:
        size = one["lag_bytes"] or 0
        if one["lag_seconds"] > _LAG_SECONDS or size > _LAG_BYTES:
            behind = f"{one['lag_seconds']:,.0f} s and {_mib(size)}"
            yield "LookalikeReplicaBehind", f"The replica {one['name']} is {behind} behind."
    for disk in told["disks"]:
        if disk["free"] < _FREE * disk["bytes"]:
            left = f"{_mib(disk['free'])} of {_mib(disk['bytes'])}"
            yield "LookalikeDiskFull", f"The disk of the folder {disk['folder']} has {left} free."
    if told["server"]["audit_lost"]:
        lost = counted(told["server"]["audit_lost"], "entry", "entries")
        yield "LookalikeAuditLost", f"The audit log lacks {lost}."


def _days(length: timedelta) -> str:
    return counted(length.days, "day")


def _mib(number: float) -> str:
    return f"{number / 2**20:,.0f} MiB"
