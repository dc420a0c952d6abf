"""The advisory locks of this program, which share one space of numbers with all else in the database.

A lock of the whole database is one number. A lock of a collection is two: what is done, and the collection's id.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from app.db.engine import Connection, Database
from app.db.errors import translated
from app.domain.collections import Collection
from app.domain.errors import InTheWay

T = TypeVar("T")

SHORT_WAIT = "300ms"
"""How long a lock is waited for that searches would wait behind."""

MIGRATIONS = 4_207_100_512
"""The whole database: one process at a time runs migrations, or two would run the same one."""
SQL_FILES = 4_207_100_513
"""The whole database: one process at a time applies the files of `sql/`."""
INDEX_BUILD = 42_071
"""A collection: one process at a time builds its indexes."""
NEAR_DUPLICATE_INSERT = 42_072
"""A collection: inserts that look for near duplicates take turns, so that two at once cannot miss each other's records.

Searches and plain inserts do not wait for it.
"""
REEMBEDDING = 42_073
"""A collection: one process at a time changes its model."""
NAME = 42_074
"""A hashed name: nobody makes a collection while another makes an alias of its name (`sql/functions/294_…`)."""

JOB = 42_075
"""A hashed kind and collection: workers that would begin a job of the same kind on one collection look in turn."""

DUPLICATES = 42_076
"""A collection: its stored pairs of near duplicates are changed by one transaction at a time."""

MAP = 42_078
"""A collection: the points of its map are changed by one transaction at a time."""

WARMING = 42_079
"""A collection: one process at a time reads it into memory."""


@contextmanager
def changing(db: Database, what: int, collection: Collection) -> Iterator[Connection]:
    """Lend a connection of the tables' owner, in a transaction that holds a collection's lock, to change its tables.

    It waits for others who use them no longer than 30 s, as those who come later wait behind it.

    Raises:
        MissingRights: the role does not own the tables.
        Unavailable: they were in use for too long, or the database is away.

    """
    with db.session() as connection, connection.transaction():
        connection.execute("SET LOCAL lock_timeout = '30s'")
        wait_for(connection, what, collection)
        yield connection


def insist(connection: Connection, work: Callable[[], T], attempts: int, pause_seconds: float) -> T:
    """Do work that locks tables, inside a transaction, and again after a pause where they stay in use.

    Others wait behind a lock that waits itself, so it waits no longer than `SHORT_WAIT` at a time.

    Raises:
        InTheWay: the tables stayed in use at all attempts.

    """
    connection.execute("SELECT set_config('lock_timeout', %s, true)", (SHORT_WAIT,))
    for _ in range(attempts - 1):
        try:
            with translated(), connection.transaction():
                return work()
        except InTheWay:
            time.sleep(pause_seconds)
    with translated(), connection.transaction():
        return work()


def wait_for(connection: Connection, what: int, collection: Collection) -> None:
    """Take a collection's lock until the transaction ends, and wait for whoever holds it."""
    connection.execute("SELECT pg_advisory_xact_lock(%s, %s)", (what, collection.id))


def taken(connection: Connection, what: int, collection: Collection) -> bool:
    """Take a collection's lock until the session ends; return False where another session holds it."""
    row = connection.execute("SELECT pg_try_advisory_lock(%s, %s) AS locked", (what, collection.id)).fetchone()
    return bool(row and row["locked"])
