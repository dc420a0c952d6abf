"""What a table takes of PostgreSQL."""

import psutil

from app.bench.peers.base import Footprint
from app.db.engine import Connection

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
