"""THE table of metrics: a row is all that one is, but for what moves it. docs/operations/metrics.md explains each."""

from dataclasses import dataclass
from enum import StrEnum

PREFIX = "lookalike"


class Kind(StrEnum):
    """What becomes of a metric's figure."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Family:
    """One metric.

    Attributes:
        name: without the prefix and, of a counter, without `_total`.
        kind: what becomes of its figure.
        text: what it tells, for `# HELP`.
        labels: names of its labels.
        read: whether its figure is read at a scrape; else the program moves it.

    """

    name: str
    kind: Kind
    text: str
    labels: tuple[str, ...] = ()
    read: bool = False

    @property
    def full_name(self) -> str:
        """The name as Prometheus shows it."""
        return f"{PREFIX}_{self.name}{'_total' * (self.kind is Kind.COUNTER)}"


def _counter(name: str, text: str, *labels: str, read: bool = False) -> Family:
    return Family(name, Kind.COUNTER, text, labels, read)


def _histogram(name: str, text: str, *labels: str) -> Family:
    return Family(name, Kind.HISTOGRAM, text, labels)


def _gauge(name: str, text: str, *labels: str) -> Family:
    return Family(name, Kind.GAUGE, text, labels, read=True)


# Requests.
REQUESTS = _counter("requests", "Requests that were answered.", "service", "method", "status", "code")
REQUEST_SECONDS = _histogram("request_seconds", "Time from a request's begin to its answer's end.", "method")
REFUSALS = _counter("refusals", "Requests that were answered with an error, by what it is.", "reason")
LIMIT_REFUSALS = _counter("limit_refusals", "Requests that a limit of their token refused, by which.", "limit")
AUTH_FAILURES = _counter("auth_failures", "Requests without a good token, or with one that may not.", "reason")
STAGE_SECONDS = _histogram("stage_seconds", "Time of a stage of the work.", "stage")
THREADS = _gauge("threads", "Threads that serve requests.")
THREADS_BUSY = _gauge("threads_busy", "Requests that a thread works at, or that wait for one.")
REQUESTS_WAITING = _gauge("requests_waiting", "Requests that wait for a thread.")

# Searches.
SEARCHES = _counter("searches", "Searches that were answered, by the way they took.", "way")
SEARCH_FALLBACKS = _counter("search_fallbacks", "Searches that the index could not end, by why.", "reason")
ROWS_COMPARED = _counter("rows_compared", "Records that searches compared, where their number is known.")

# Pictures and models.
FETCHES = _counter("fetches", "Downloads of pictures, by what came of them.", "outcome")
MODEL_BATCHES = _counter("model_batches", "Batches that a model computed.", "model")
MODEL_PICTURES = _counter("model_pictures", "Pictures and texts that a model computed.", "model")
MODEL_BATCH_SECONDS = _histogram("model_batch_seconds", "Time of one batch of a model.", "model")
MODEL_WAITING = _gauge("model_waiting", "Pictures and texts that wait for a model.", "model")
CACHE_HITS = _counter("vector_cache_hits", "Pictures whose vector was remembered or being made.", read=True)
CACHE_MISSES = _counter("vector_cache_misses", "Pictures whose vector had to be made.", read=True)
CACHE_ENTRIES = _gauge("vector_cache_entries", "Pictures whose vector is remembered.")
CACHE_BYTES = _gauge("vector_cache_bytes", "Memory of the vectors that are remembered.")

# The database, as the server sees it.
POOL_CONNECTIONS = _gauge("pool_connections", "Connections to the database that the pool holds.")
POOL_MOST = _gauge("pool_connections_most", "Connections that the pool may hold.")
POOL_AVAILABLE = _gauge("pool_available", "Connections of the pool that nobody uses.")
POOL_WAITING = _gauge("pool_waiting", "Requests that wait for a connection.")
POOL_REQUESTS = _counter("pool_requests", "Connections that were asked for.", read=True)
POOL_WAITS = _counter("pool_waits", "Connections that had to be waited for.", read=True)
POOL_WAIT_SECONDS = _counter("pool_wait_seconds", "Time that connections were waited for.", read=True)
POOL_ERRORS = _counter("pool_errors", "Connections that were asked for in vain.", read=True)
POOL_LOST = _counter("pool_lost", "Connections that were found broken.", read=True)
DATABASE_UP = _gauge("database_up", "Whether the last reading of the database was answered.")
READ_AT = _gauge("database_read_timestamp_seconds", "When the figures of the database were read last.")
DATABASE_BYTES = _gauge("database_bytes", "Size of the whole database.")
DATABASE_CONNECTIONS = _gauge("database_connections", "Connections to the database, of everybody.")
DATABASE_CONNECTIONS_MOST = _gauge("database_connections_most", "Connections that the database server takes.")
SHARED_BUFFERS = _gauge("shared_buffers_bytes", "Memory that PostgreSQL keeps tables and indexes in.")

REPLICA_READS = _counter("replica_reads", "Reads that a replica may answer, by what came of that.", "outcome")
REPLICAS = _gauge("replicas", "Servers that stream from this database.")
REPLICA_LAG_SECONDS = _gauge("replica_lag_seconds", "How far a replica is behind, in time.", "replica")
REPLICA_LAG_BYTES = _gauge("replica_lag_bytes", "How far a replica is behind, in bytes of the WAL.", "replica")

# Collections, the 200 largest and "other".
RECORDS = _gauge("records", "Records, as PostgreSQL's statistics have them.", "collection")
CAPACITY = _gauge("capacity", "Records that a collection may hold, where that is limited.", "collection")
BYTES = _gauge("bytes", "Size on disk: records, indexes, pictures.", "collection")
INDEX_ROWS = _gauge("index_rows", "Records in the HNSW index when it was built or vacuumed last.", "collection")
INDEX_BYTES = _gauge("index_bytes", "Size of the HNSW index.", "collection")
INDEX_MISSING = _gauge("index_missing", "Collections that should have an HNSW index and have none.", "collection")
INDEX_BLOCKS = _counter(
    "index_blocks", "Blocks of the HNSW index that searches read.", "collection", "source", read=True
)
INDEX_OUTGROWS = _gauge("index_outgrows_memory", "Whether the HNSW indexes together are larger than shared_buffers.")
BUILD_SHARE = _gauge("build_share", "Share of a running index build that is done, 0 to 1.", "collection")
RECALL = _gauge("recall", "Share of the true neighbours that sampled searches found.", "collection", "neighbours")
RECALL_AT = _gauge("recall_timestamp_seconds", "When recall was measured.", "collection")
DUPLICATE_PAIRS = _gauge("duplicate_pairs", "Stored pairs of near duplicates; counted up to 10,000.", "collection")

# Background work and the log of acts.
JOBS = _gauge("jobs", "Jobs that are kept, by kind and state.", "kind", "state")
JOB_OLDEST = _gauge("job_oldest_queued_seconds", "How long the oldest job has waited for a worker; 0: none waits.")
JOB_WORKERS = _gauge("job_workers", "Workers that were seen within a minute.")
BACKUP_AT = _gauge("backup_timestamp_seconds", "When the last backup was begun; 0: none was taken.")
BACKUP_VERIFIED_AT = _gauge(
    "backup_verified_timestamp_seconds", "When a backup was last restored elsewhere and held what it should; 0: never."
)
BACKUP_DIFFERENCES = _gauge("backup_differences", "What differed in the backup that was verified last.")
BACKUP_BYTES = _gauge("backup_bytes", "Size of the last backup.")
DISK_BYTES = _gauge("disk_bytes", "Size of the disk that a folder of the server lies on.", "folder")
DISK_FREE = _gauge("disk_free_bytes", "What is free on it for this user.", "folder")
AUDIT_WAITING = _gauge("audit_waiting", "Entries of the audit log that are not written yet.")
AUDIT_LOST = _counter("audit_lost", "Entries of the audit log that could not be written.", read=True)
BUILD_INFO = _gauge("build_info", "Always 1; the labels tell what runs.", "version", "python")

FAMILIES = tuple(one for one in list(globals().values()) if isinstance(one, Family))

STAGES = ("queue", "fetch", "decode", "embed", "sql", "write")
WAYS = {"exact": "exact", "index": "index", "index, then exact": "index_then_exact"}
"""The label `way` by what `statistics.search` says."""
FALLBACKS = ("copies", "deep", "incomplete")
REPLICA_OUTCOMES = ("answered", "behind", "failed", "away")
FETCH_OUTCOMES = ("ok", "unchanged", "transient", "failed")
LIMITS = ("requests", "pictures", "searches", "body", "batch")
AUTH_REASONS = ("missing", "unknown", "forbidden")
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
