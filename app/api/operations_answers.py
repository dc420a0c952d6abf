"""The objects in the answers of `/admin/v1/operations` and `audit`, for the document."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict  # pydantic reads that of `typing` from Python 3.12 on

from app.api.answers import Envelope

_Count = Annotated[int, Field(ge=0)]
_Maybe = Annotated[int | None, Field(ge=0)]
_Bytes = Annotated[int, Field(ge=0, description="Bytes.")]
_Share = Annotated[float | None, Field(ge=0, le=1)]
_Seconds = Annotated[float, Field(ge=0, description="Seconds.")]


class ConcernTold(TypedDict):
    """Something that is wrong."""

    alert: Annotated[str, Field(description="Name of the Prometheus alert that says the same.")]
    sentence: Annotated[str, Field(description="What is wrong, with its figures.")]
    means: Annotated[str, Field(description="What the alert means.")]
    advice: Annotated[str, Field(description="What to do.")]


class ServerTold(TypedDict):
    """The process that answers."""

    version: str
    python: str
    threads: Annotated[int | None, Field(description="Threads that serve; null: it is served by another program.")]
    threads_busy: _Maybe
    requests_waiting: _Maybe
    counting: Annotated[bool, Field(description="Whether anything is counted (LOOKALIKE_METRICS).")]
    audit_waiting: _Count
    audit_lost: _Count


class PointTold(TypedDict):
    """Ten seconds."""

    requests: Annotated[float, Field(ge=0, description="Requests a second.")]
    searches: Annotated[float, Field(ge=0, description="Searches a second.")]
    p95: Annotated[float | None, Field(description="Time that one search in twenty took at least, in seconds.")]


class TrafficTold(TypedDict):
    """The last minutes of the process that answers."""

    seconds: Annotated[float, Field(ge=0, description="So many seconds are looked at, 300 at most.")]
    requests: Annotated[float, Field(ge=0, description="Requests a second.")]
    searches: Annotated[float, Field(ge=0, description="Searches a second.")]
    p50: Annotated[float | None, Field(description="Median time of a search in seconds; null: there was none.")]
    p95: Annotated[float | None, Field(description="Time that one search in twenty took at least, in seconds.")]
    answered: Annotated[int, Field(ge=0, description="Requests in all.")]
    refusals: Annotated[dict[str, int], Field(description="Requests that were answered with an error, by what it is.")]
    points: Annotated[list[PointTold], Field(description="Every ten seconds of a quarter of an hour, oldest first.")]


class ModelTold(TypedDict):
    """A model that is loaded."""

    name: str
    waiting: Annotated[int, Field(ge=0, description="Pictures and texts that wait for it.")]
    batches: _Count
    pictures: _Count


class CacheTold(TypedDict):
    """The vectors of pictures that are remembered."""

    hits: _Count
    misses: _Count
    entries: _Count
    bytes: _Bytes


class PoolTold(TypedDict):
    """The connections of the process that answers."""

    connections: _Count
    most: _Count
    available: _Count
    waiting: Annotated[int, Field(ge=0, description="Requests that wait for one.")]
    errors: Annotated[int, Field(ge=0, description="Requests that waited in vain.")]
    lost: Annotated[int, Field(ge=0, description="Connections that were found broken.")]


class DatabaseTold(TypedDict):
    """The database."""

    postgresql: Annotated[str, Field(description="Version of the server.")]
    pgvector: Annotated[str, Field(description="Version of the extension.")]
    revision: Annotated[str, Field(description="Revision of the schema.")]
    head: Annotated[str, Field(description="Revision that this program needs.")]
    bytes: _Bytes
    connections: _Count
    connections_most: _Count
    shared_buffers: _Bytes
    index_bytes: Annotated[int, Field(ge=0, description="Bytes of all HNSW indexes.")]
    pool: PoolTold


class DiskTold(TypedDict):
    """The disk that a folder of the server lies on."""

    folder: Annotated[str, Field(description="`home`, `backups` or `exports`.")]
    bytes: _Bytes
    free: _Bytes


class CollectionTold(TypedDict):
    """A collection; the 200 with the most records, all others together as `other`."""

    name: str
    records: Annotated[int, Field(ge=0, description="As PostgreSQL's statistics have them.")]
    capacity: _Maybe
    bytes: _Bytes
    index_rows: _Maybe
    index_bytes: _Maybe
    build_share: Annotated[_Share, Field(description="Share of a running index build that is done.")]
    duplicate_pairs: _Maybe
    index_missing: bool
    memory_share: Annotated[_Share, Field(description="Share of the index's blocks that were read from memory.")]
    recall_10: _Share
    recall_100: _Share
    recall_at: datetime | None


class IndexTold(TypedDict):
    """An index that something is to be done about."""

    collection: str
    index_name: str
    kind: str
    bytes: _Maybe
    dead_share: _Share
    advice: Annotated[str, Field(description="What to do.")]


class RecallTold(TypedDict):
    """What was measured of an index."""

    collection: str
    condition: Annotated[str | None, Field(description="Whose index it is; null: of all records.")]
    recall_target: float
    effort: int
    recall_10: float
    recall_100: float
    queries: _Count
    rows: _Count
    seconds: _Seconds
    measured_at: datetime
    current: Annotated[bool, Field(description="Whether the index is still the one that was measured.")]


class JobsTold(TypedDict):
    """Jobs."""

    counts: Annotated[dict[str, int], Field(description="By state.")]
    oldest_queued_seconds: _Seconds
    workers: _Count
    failed: Annotated[list[dict[str, Any]], Field(description="The latest that failed, as `/jobs/v1/jobs` tells them.")]
    open: Annotated[list[dict[str, Any]], Field(description="The latest that have not ended.")]


class BackupTold(TypedDict):
    """A backup that was taken."""

    name: str
    place: Annotated[str, Field(description="The host and the folder.")]
    begun_at: datetime
    seconds: _Seconds
    bytes: _Bytes
    records: _Count
    verified_at: datetime | None
    differences: list[str]


class BackupsTold(TypedDict):
    """Backups."""

    hours: Annotated[float, Field(ge=0, description="LOOKALIKE_BACKUP_HOURS; 0: none is taken by itself.")]
    kept: Annotated[int, Field(ge=0, description="LOOKALIKE_BACKUPS_KEPT.")]
    last_at: datetime | None
    verified_at: Annotated[datetime | None, Field(description="When one was last verified and held what it should.")]
    differences: _Count
    taken: Annotated[list[BackupTold], Field(description="The latest, the latest first.")]


class ReplicaTold(TypedDict):
    """A replica of the database."""

    name: str
    lag_seconds: _Seconds
    lag_bytes: _Maybe


class SlowSearch(TypedDict):
    """A logged search."""

    at: datetime
    collection: str | None
    method: str
    way: str | None
    k: int | None
    results: int | None
    milliseconds: float
    filter: Annotated[str | None, Field(description="JSON text.")]


class AuditEntry(TypedDict):
    """Who did what, and when."""

    id: Annotated[int, Field(ge=1, description="Its number; `before` goes on from it.")]
    at: datetime
    who: Annotated[str | None, Field(description="The token's label, or the user of the command line.")]
    token_id: int | None
    action: str
    collection: str | None
    target: str | None
    code: Annotated[int | None, Field(description="HTTP status, or the command's exit status.")]
    request_id: str | None


class OperationsAnswer(Envelope):
    """How everything does."""

    warnings: Annotated[list[ConcernTold], Field(description="What is wrong, the most urgent first.")]
    read_at: datetime
    server: ServerTold
    traffic: Annotated[TrafficTold | None, Field(description="Null: nothing is counted, or not for long enough.")]
    models: list[ModelTold]
    cache: CacheTold
    database: DatabaseTold
    disks: list[DiskTold]
    collections: list[CollectionTold]
    indexes: list[IndexTold]
    recall: Annotated[list[RecallTold], Field(description="The lowest first.")]
    jobs: JobsTold
    backups: BackupsTold
    replicas: list[ReplicaTold]
    slow_searches: list[SlowSearch]
    logged: Annotated[bool, Field(description="Whether searches are logged (LOOKALIKE_LOG_SEARCHES).")]
    audit: Annotated[list[AuditEntry], Field(description="The latest entries.")]


class AuditAnswer(Envelope):
    """Entries of the audit log, the latest first."""

    entries: list[AuditEntry]
    next: Annotated[int | None, Field(description="`before` of the next page; null: there is none.")]
