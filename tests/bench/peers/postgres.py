"""What a table takes of PostgreSQL."""

import psutil

from app.db.engine import Connection
from tests.bench.peers.base import Footprint

_PROBED = 5000
_PROBE_MB = 4
_SIZES = """
    SELECT pg_total_relation_size(%s::regclass)::bigint AS total, (
        SELECT setting::bigint * 8192 FROM pg_catalog.pg_settings WHERE name = 'shared_buffers') AS buffers
"""


def footprint(connection: Connection, table: str) -> Footprint:
    """Return the disk of a table and its indexes, and the memory that they and this connection take.

    As memory count all pages of the table and its indexes, as far as they fit into shared_buffers: after many searches
    they are there. The private memory of this connection's process is counted where it runs on this machine and may be
    looked at.
    """
    row = connection.execute(_SIZES, (table,)).fetchone() or {}
    local = connection.info.host.startswith("/")
    return Footprint(row["total"], min(row["total"], row["buffers"]) + (_private(connection) if local else 0))


def _private(connection: Connection) -> int:
    pid = connection.info.backend_pid
    try:
        process = psutil.Process(pid)
        return int(process.memory_full_info().uss) if process.name().startswith("postgres") else 0
    except (psutil.AccessDenied, psutil.NoSuchProcess):
        return 0


def graph_bytes(connection: Connection, table: str, vector: str) -> float | None:
    """Return the memory that a record takes in a graph while it is built, bytes.

    Some records are indexed with too little memory, and pgvector says after how many it no longer sufficed. None:
    it sufficed, as there are too few of them.

    Args:
        connection: in autocommit; its memory for builds is that of the server's settings afterwards.
        table: the records' table, a name of the program's own.
        vector: the expression of halfvec that is indexed, of the program's own as well.

    """
    told: list[str] = []
    connection.add_notice_handler(lambda notice: told.append(notice.message_primary or ""))
    probe = f"CREATE TEMPORARY TABLE bench_graph AS SELECT {vector} AS embedding FROM {table} LIMIT {_PROBED:d}"
    rows = connection.execute(probe).rowcount
    megabytes = _PROBE_MB if rows == _PROBED else 1
    connection.execute("SELECT set_config('maintenance_work_mem', %s, false)", (f"{megabytes}MB",))
    connection.execute("SET max_parallel_maintenance_workers = 0")
    connection.execute("CREATE INDEX ON bench_graph USING hnsw (embedding halfvec_cosine_ops)")
    connection.execute("DROP TABLE bench_graph")
    connection.execute("RESET maintenance_work_mem")
    connection.execute("RESET max_parallel_maintenance_workers")
    for message in told:
        if "no longer fits" in message:
            counts = [int(word) for word in message.split() if word.isdigit()]
            return megabytes * 2**20 / counts[0]
    return None
