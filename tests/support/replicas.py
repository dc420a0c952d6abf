"""The smallest replica: it streams the WAL of a server, and says how much of it it has replayed."""

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
from psycopg import pq

# Microseconds since 2000, when the status was sent: the server only shows it.
_SENT = 0


@contextmanager
def replica(url: str, name: str) -> Iterator[Callable[..., None]]:
    """Stream as a replica of a name; give what confirms all but so many bytes of the WAL that there is."""
    connection = psycopg.connect(url, replication="true", application_name=name, autocommit=True)
    try:
        told = connection.pgconn.exec_(b"IDENTIFY_SYSTEM")
        end = int_of((told.get_value(0, 2) or b"").decode())
        begun = end & ~0xFFFFFF
        found = connection.pgconn.exec_(f"START_REPLICATION PHYSICAL {begun >> 32:X}/{begun & 0xFFFFFFFF:X}".encode())
        assert found.status == pq.ExecStatus.COPY_BOTH, connection.pgconn.error_message

        def confirm(behind: int) -> None:
            at = max(begun, end - behind)
            connection.pgconn.put_copy_data(struct.pack("!cQQQQ?", b"r", at, at, at, _SENT, False))
            connection.pgconn.flush()

        yield confirm
    finally:
        connection.close()


def int_of(lsn: str) -> int:
    """Return a place in the WAL, as `16/B374D848`, as a number."""
    high, low = lsn.split("/")
    return int(high, 16) << 32 | int(low, 16)
