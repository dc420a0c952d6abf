"""THE table of alerts: what each means and what to do. The console tells it, and docs/operations has the same."""

from typing import NamedTuple


class Alert(NamedTuple):
    """What is wrong: its name as Prometheus has it, what that means, and what to do."""

    name: str
    means: str
    advice: str


ALERTS = (
    Alert(
        "LookalikeDown",
        "The server, or the worker, does not answer scrapes.",
        "See whether the process runs and what its log ends with; start it again.",
    ),
    Alert(
        "LookalikeDatabaseAway",
        (
            "The server does not reach its database; every request is answered with 503. It goes on "
            "by itself once the database is back."
        ),
        "See to PostgreSQL, its disk and the network; `lookalike db check` says what is missing.",
    ),
    Alert(
        "LookalikeErrors",
        "A request ended in an error that nobody expected (500).",
        "Find its traceback in the log by its request id, and report it.",
    ),
    Alert(
        "LookalikeRefuses",
        "The server has more to do than it can, or waits for something.",
        (
            "Look at threads, the pool and the model's queue, which is full; raise its setting where "
            "processor and memory allow, else ask for less or add a server."
        ),
    ),
    Alert(
        "LookalikeSlow",
        "One search in twenty takes longer than a second.",
        (
            "The stages tell where: `queue` more threads; `embed` a faster model or a GPU; `sql` see "
            "the alerts on indexes, and `lookalike collection advise`."
        ),
    ),
    Alert(
        "LookalikeThreadsBusy",
        "Requests are about to wait.",
        "As for `LookalikeRefuses`.",
    ),
    Alert(
        "LookalikeConnectionsShort",
        "Requests waited `LOOKALIKE_POOL_TIMEOUT_SECONDS` in vain for a connection.",
        "Raise `LOOKALIKE_POOL_CONNECTIONS`, or look in `pg_stat_activity` for what holds them.",
    ),
    Alert(
        "LookalikeDatabaseConnections",
        "The database server takes hardly any more connections.",
        "Raise `max_connections`, lower the pools, or put a pooler between.",
    ),
    Alert(
        "LookalikeFiguresOld",
        "The figures of the database are not read: others in this list may be silent.",
        "As for `LookalikeDatabaseAway`; the log says why.",
    ),
    Alert(
        "LookalikeCollectionFull",
        "Inserts into the collection will be refused soon (412).",
        "`lookalike collection set NAME --capacity …`, or delete records.",
    ),
    Alert(
        "LookalikeIndexMissing",
        "Every search of the collection compares all its records.",
        (
            "See in `lookalike.index_health` whether it is being built; else `lookalike collection "
            "index NAME` as the schema's owner."
        ),
    ),
    Alert(
        "LookalikeIndexOutgrowsMemory",
        "Searches will read from disk, or from the system's cache at best.",
        "Raise `shared_buffers`, with memory for it.",
    ),
    Alert(
        "LookalikeIndexReadFromDisk",
        "More than a tenth of the blocks of indexes are not in `shared_buffers`.",
        "The same; after a restart it passes by itself.",
    ),
    Alert(
        "LookalikeRecallLow",
        "Of the true ten nearest, searches find less than 95 %.",
        (
            "`lookalike collection recall NAME` measures again; ask for more with `recall_target`, or"
            " build the index anew."
        ),
    ),
    Alert(
        "LookalikeJobsWait",
        "No worker takes the job.",
        ("Start `lookalike worker`, or raise `LOOKALIKE_JOB_WORKERS`; `lookalike job list` shows what runs."),
    ),
    Alert(
        "LookalikeJobsFail",
        "Jobs ended in failure within the hour.",
        "`lookalike job list --state failed` and `job show` say why.",
    ),
    Alert(
        "LookalikeFetchesFail",
        "More than half of the downloads fail.",
        "See a job's rejects for the hosts and reasons.",
    ),
    Alert(
        "LookalikeAuthFailures",
        "A caller has a wrong or expired token, or somebody tries some.",
        "See `lookalike token list` for one that has expired, and the proxy's log for who asks.",
    ),
    Alert(
        "LookalikeDiskFull",
        "Less than a tenth of a disk of the server is free; writes of exports, uploads and backups will fail.",
        (
            "Delete what is old in that folder, keep fewer backups (`LOOKALIKE_BACKUPS_KEPT`) and exports "
            "(`LOOKALIKE_EXPORT_DAYS`), or give it a larger disk."
        ),
    ),
    Alert(
        "LookalikeAuditLost",
        "Of some changes nobody can look up who made them.",
        "See the log for why it could not be written.",
    ),
    Alert(
        "LookalikeBackupOld",
        "What was written since the last backup, or all where there is none, would be lost with the disk.",
        (
            "Take one every two days at least: set `LOOKALIKE_BACKUP_HOURS`, or see why its jobs fail: `lookalike job "
            "list --kind backup`. Leave the rule out where the database is saved by other means."
        ),
    ),
    Alert(
        "LookalikeBackupUnverified",
        "Nobody knows whether a backup can be restored.",
        ("`lookalike backup verify`; the server does it by itself where the extra `embedded` is installed."),
    ),
    Alert(
        "LookalikeBackupDiffers",
        "The backup that was verified last lacks something, or its disk is damaged.",
        ("`lookalike backup list` says what differs. Take and verify another at once; keep the older ones."),
    ),
    Alert(
        "LookalikeReplicaBehind",
        "Who reads from the replica sees old records.",
        (
            "See its disk and network, and in `pg_stat_activity` there for a query that holds up "
            "replay (`max_standby_streaming_delay`)."
        ),
    ),
    Alert(
        "LookalikeReplicaLost",
        "A replica that was there within six hours streams no longer.",
        ("Start it again. A replication slot keeps the WAL for it: see `pg_replication_slots`, and the disk."),
    ),
)
BY_NAME = {one.name: one for one in ALERTS}
