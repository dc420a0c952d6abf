"""The advisory locks of this program, which share one space of numbers with all else in the database.

A lock of the whole database is one number. A lock of a collection is two: what is done, and the collection's id.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from app.db.engine import Connection, Database
from app.domain.collections import Collection

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


def wait_for(connection: Connection, what: int, collection: Collection) -> None:
    """Take a collection's lock until the transaction ends, and wait for whoever holds it."""
    connection.execute("SELECT pg_advisory_xact_lock(%s, %s)", (what, collection.id))


def taken(connection: Connection, what: int, collection: Collection) -> bool:
    """Take a collection's lock until the session ends; return False where another session holds it."""
    row = connection.execute("SELECT pg_try_advisory_lock(%s, %s) AS locked", (what, collection.id)).fetchone()
    return bool(row and row["locked"])
