"""Wait for what happens in the background: on the condition itself, with a bound that only a fault reaches."""

import time
from collections.abc import Callable
from typing import TypeVar

from app.db.engine import Connection
from app.domain.collections import Collection
from app.services.context import Context

Found = TypeVar("Found")


def eventually(found: Callable[[], Found], wanted: Callable[[Found], object] = bool, seconds: float = 60) -> Found:
    """Call `found` until its result is the wanted one, and return that.

    Raises:
        AssertionError: it was not within the time; the message shows what was found last.

    """
    end = time.monotonic() + seconds
    while not wanted(now := found()):
        assert time.monotonic() < end, f"not within {seconds:g} seconds; found last: {now!r}"
        time.sleep(0.01)
    return now


def build_ended(context: Context, collection: Collection) -> None:
    """Wait until no thread of this process builds the collection's index: inserts and deletes start one."""
    eventually(lambda: collection.id not in context.builds._running)


_WAITING = "SELECT count(*) AS waiting FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted"
_ON_NODES = "SELECT sum(result::bigint) AS waiting FROM run_command_on_all_nodes(%s) WHERE success"


def wait_for_waiting(connection: Connection) -> None:
    """Return once a transaction waits for another one to end: of the database, or of one of a cluster's nodes."""
    row = connection.execute("SELECT to_regclass('pg_catalog.pg_dist_node') IS NOT NULL AS citus").fetchone()
    text, values = (_ON_NODES, (_WAITING,)) if row and row["citus"] else (_WAITING, ())
    eventually(lambda: (connection.execute(text, values).fetchone() or {})["waiting"])
