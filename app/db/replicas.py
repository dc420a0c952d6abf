"""Reads of replicas: a second pool, whose answers are as new as a request needs them, or the primary's.

A write notes how far the primary's log was written once it was committed; a read of the same collection has its replica
wait until it has replayed that. docs/scale-out.md tells what holds.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from cachetools import TTLCache

from app.db.engine import Connection, Database
from app.db.errors import UNREACHABLE
from app.domain import freshness
from app.domain.errors import CollectionNotFound, Unavailable

log = logging.getLogger(__name__)

T = TypeVar("T")

_POLL_SECONDS = 0.001
# Replicas that cannot be had are left alone for so long, so that not every read waits for them.
_AWAY_SECONDS = 1.0
_REMEMBERED_SECONDS = 60.0
_ANY = 0  # the place of what was written without a request: jobs, imports
_UNKNOWN = "FFFFFFFF/FFFFFFFF"
"""A position that no replica reaches: where that of a write could not be read."""


class Behind(Unavailable):
    """A replica has not replayed yet what is to be read (503, but that the primary is read)."""


class Replicated(Database):
    """A primary with replicas: reads of requests that only read go to the replicas.

    What a replica refuses, has not got, breaks off or is too late for is read once on the primary.

    Args:
        url: the primary.
        replicas: where replicas are read; it is opened and closed with this.
        wait_ms: milliseconds that a read waits for a replica: for a connection, and for what must be replayed.
        options: those of `Database`.

    """

    def __init__(self, url: str, *, replicas: Database, wait_ms: int, **options: Any) -> None:
        super().__init__(url, **options)
        self._replicas = replicas
        self._wait_seconds = wait_ms / 1000
        self._noting = threading.Lock()
        self._written: TTLCache[int, str] = TTLCache(maxsize=10_000, ttl=_REMEMBERED_SECONDS)
        self._away_until = 0.0

    def open(self) -> None:
        """Start to connect to both, in the background."""
        super().open()
        self._replicas.open()

    def close(self) -> None:
        """Give all connections back."""
        self._replicas.close()
        super().close()

    def read(
        self, work: Callable[[Connection], T], wait_seconds: float | None = None, *, generic: bool | None = None
    ) -> T:
        """Run what only reads on a replica, where the request may be answered by one; else, or after that, here."""
        asked = freshness.asked()
        if asked is None or not asked.reads or time.monotonic() < self._away_until:
            return super().read(work, wait_seconds, generic=generic)
        position = freshness.newest(asked.position, self.version(asked.collection_id))

        def fresh(connection: Connection) -> T:
            if position is not None:
                self._wait(connection, position)
            return work(connection)

        try:
            return self._replicas.read(fresh, self._wait_seconds, generic=generic)
        except Behind:
            log.debug("a replica is behind: the primary is read")
        except CollectionNotFound:
            log.debug("a replica does not have the collection yet: the primary is read")
        except Unavailable as error:
            if str(error) == UNREACHABLE and not self._replicas.busy():
                self._away_until = time.monotonic() + _AWAY_SECONDS
            log.info("a replica did not answer, so the primary is read: %s", error)
        return super().read(work, wait_seconds, generic=generic)

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run statements in one transaction on the primary, and note how far its log is written then."""
        done = super().write(work)
        position = _UNKNOWN
        try:
            # After COMMIT has returned, and of what is on disk: what is only in memory is sent to no standby yet.
            row = Database.read(self, lambda lent: lent.execute(_FLUSHED, prepare=True).fetchone())
            position = row["position"] if row else _UNKNOWN
        except Unavailable as error:
            log.warning("how far the log is written is not known, so the primary is read for a minute: %s", error)
        asked = freshness.asked()
        place = _ANY if asked is None else asked.collection_id
        with self._noting:
            self._written[place] = freshness.newest(position, self._written.get(place)) or position
        return done

    def version(self, collection_id: int) -> str | None:
        """Return what a read must have seen to know of all that was written to a collection here within a minute."""
        with self._noting:
            return freshness.newest(self._written.get(collection_id), self._written.get(_ANY))

    def _wait(self, connection: Connection, position: str) -> None:
        """Wait until a replica has replayed a position.

        Raises:
            Behind: it has not in time.

        """
        deadline = time.monotonic() + self._wait_seconds
        while True:
            row = connection.execute(_REPLAYED, {"position": position}, prepare=True).fetchone()
            if row is not None and row["is_there"]:
                return
            if time.monotonic() >= deadline:
                raise Behind("a replica has not replayed what is to be read; try again in a moment")
            time.sleep(_POLL_SECONDS)


_FLUSHED = "SELECT pg_catalog.pg_current_wal_flush_lsn()::text AS position"
_REPLAYED = (
    "SELECT NOT pg_catalog.pg_is_in_recovery()"
    " OR coalesce(pg_catalog.pg_last_wal_replay_lsn() >= %(position)s::pg_lsn, false) AS is_there"
)
