"""Reads of replicas: a second pool, whose answers are as new as a request needs them, or the primary's.

A write notes how far the primary's log was written once it was committed; a read of the same collection has its replica
wait until it has replayed that. docs/scale-out.md tells what holds.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from app.db.engine import Connection, Database
from app.db.errors import UNREACHABLE, TookTooLong, translated
from app.db.standbys import Identity
from app.domain import freshness
from app.domain.errors import CollectionNotFound, ConfigurationError, LookalikeError, Unavailable
from app.domain.freshness import LOOKING_UP, UNKNOWN, Positions
from app.metrics import families

log = logging.getLogger(__name__)

T = TypeVar("T")

_POLL_SECONDS = 0.001
# Servers that cannot be had are left alone for so long, so that not every read waits for them.
_AWAY_SECONDS = 1.0
# A primary that has been lost is replaced within seconds: what is looked up waits for so long, then asks a replica.
_LOOK_UP_SECONDS = 1.0


class Behind(Unavailable):
    """A replica has not replayed yet what is to be read (503, where no primary is read in its place)."""


class _Replicas(Database):
    """The connections to replicas; each leads to the primary's database, or is given up before anything is read.

    Args:
        url: the replicas.
        primary: tells which database the primary has.
        options: those of `Database`.

    """

    def __init__(self, url: str, primary: Callable[[], Identity], **options: Any) -> None:
        super().__init__(url, **options)
        self._primary = primary

    def _configure(self, connection: Connection) -> None:
        super()._configure(connection)
        info = connection.info
        if reason := self._primary().why_not(Identity.of(connection), f"{info.host}:{info.port}"):
            connection.close()
            raise ConfigurationError(reason)


class Replicated(Database):
    """A primary with replicas: reads of requests that only read go to the replicas.

    What a replica refuses, has not got, breaks off or is too late for is read once on the primary.

    Args:
        url: the primary.
        replicas: the URL of the replicas, which are connected to by `read_replicas`.
        identity: which database the primary has, where that is known: while it is away nobody else can tell.
        admin_url: as of `Database`.
        wait_ms: milliseconds that a read waits for a replica: for a connection, and for what must be replayed.
        positions: what the processes of this server remember of writes.
        part: the part of `positions` that this process writes to.
        options: those of `Database`.

    """

    def __init__(
        self,
        url: str,
        *,
        replicas: str,
        wait_ms: int,
        positions: Positions,
        part: int = 0,
        identity: Identity | None = None,
        admin_url: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(url, admin_url=admin_url, **options)
        self._replicas = _Replicas(replicas, self._own, **options)
        self._identity = identity
        self._wait_seconds = wait_ms / 1000
        self._positions = positions
        self._part = part
        self._in_use = False
        self._away_until = 0.0
        self._primary_away_until = 0.0

    def read_replicas(self) -> None:
        """Start to connect to replicas, in the background, and read them from now on."""
        self._replicas.open()
        self._in_use = True

    def _configure(self, connection: Connection) -> None:
        super()._configure(connection)
        self._identity = Identity.of(connection)

    def _own(self) -> Identity:
        """Return which database the primary has, as its newest connection told.

        Raises:
            Unavailable: no connection to it was ever made.

        """
        if self._identity is None:
            super().read(lambda _: None)
        if self._identity is None:
            raise Unavailable(UNREACHABLE)
        return self._identity

    def close(self) -> None:
        """Give all connections back."""
        self._replicas.close()
        super().close()

    def read(
        self, work: Callable[[Connection], T], wait_seconds: float | None = None, *, generic: bool | None = None
    ) -> T:
        """Run what only reads on a replica, where the request may be answered by one; else, or after that, here."""
        asked = freshness.asked()
        if asked is LOOKING_UP and self._in_use:
            return self._looked_up(work, wait_seconds, generic=generic)
        if asked is None or not asked.reads or not self._in_use:
            return super().read(work, wait_seconds, generic=generic)
        if time.monotonic() < self._away_until:
            return self._read_here("away", work, wait_seconds, generic=generic)
        position = freshness.newest(asked.position, self.version(asked.collection_id))

        def fresh(connection: Connection) -> T:
            _wait(connection, position, self._wait_seconds, pooled=self._replicas.pooled)
            return work(connection)

        try:
            found = self._replicas.read(fresh, self._wait_seconds, generic=generic)
        except TookTooLong:
            raise  # so it would on the primary
        except (CollectionNotFound, Unavailable) as error:
            return self._read_here(self._outcome(error), work, wait_seconds, generic=generic)
        self._metrics.count(families.REPLICA_READS, "answered")
        return found

    def _outcome(self, error: LookalikeError) -> str:
        """Return what came of a read that no replica answered, and leave them alone where none can be reached."""
        if isinstance(error, Behind):
            return "behind"
        log.info("a replica did not answer, so the primary is read: %s", error)
        if str(error) != UNREACHABLE or self._replicas.busy():
            return "failed"
        self._away_until = time.monotonic() + _AWAY_SECONDS
        return "away"

    def _read_here(
        self, outcome: str, work: Callable[[Connection], T], wait_seconds: float | None, *, generic: bool | None
    ) -> T:
        self._metrics.count(families.REPLICA_READS, outcome)
        return super().read(work, wait_seconds, generic=generic)

    def _looked_up(self, work: Callable[[Connection], T], wait_seconds: float | None, *, generic: bool | None) -> T:
        """Run what is read before a request on the primary; where that cannot be reached, on a replica."""
        lost: Unavailable | None = None
        if time.monotonic() >= self._primary_away_until:
            try:
                return super().read(work, wait_seconds or _LOOK_UP_SECONDS, generic=generic)
            except Unavailable as error:
                if self.busy():
                    return super().read(work, wait_seconds, generic=generic)
                if str(error) != UNREACHABLE:
                    raise
                lost = error
                self._primary_away_until = time.monotonic() + _AWAY_SECONDS
                log.warning("the primary cannot be reached, so tokens and collections are read on a replica")
        try:
            found = self._replicas.read(work, wait_seconds or _LOOK_UP_SECONDS, generic=generic)
        except Unavailable as error:
            raise lost or error from None
        if found is None:  # it may be there, and not have come to the replica
            raise lost or Unavailable(UNREACHABLE)
        return found

    def _committed(self, connection: Connection) -> None:
        """Note how far the log is written, after COMMIT has returned.

        Of what is on disk: what is only in memory is sent to no standby yet.
        """
        position = UNKNOWN
        try:
            with translated():
                row = connection.execute(_FLUSHED, prepare=not self.pooled).fetchone()
            position = row["position"] if row else UNKNOWN
        except LookalikeError as error:
            log.warning("how far the log is written is not known, so the primary is read for a minute: %s", error)
        asked = freshness.asked()
        self._positions.note(self._part, None if asked is None else asked.collection_id, position)

    def version(self, collection_id: int) -> str | None:
        """Return what a read must have seen to know of all that was written to a collection here within a minute."""
        return self._positions.newest(collection_id)


class Standby(Database):
    """A standby that is all there is: what a request must see is waited for, and where it does not come, 503 is said.

    Args:
        url: the standby.
        wait_ms: milliseconds that a read waits for what must be replayed.
        options: those of `Database`.

    """

    def __init__(self, url: str, *, wait_ms: int, **options: Any) -> None:
        super().__init__(url, **options)
        self._wait_seconds = wait_ms / 1000

    def read(
        self, work: Callable[[Connection], T], wait_seconds: float | None = None, *, generic: bool | None = None
    ) -> T:
        """Run what only reads, once the standby is as new as the request asks for.

        Raises:
            Behind: it is not in time.

        """
        asked = freshness.asked()
        position = None if asked is None else asked.position

        def fresh(connection: Connection) -> T:
            _wait(connection, position, self._wait_seconds, pooled=self.pooled)
            return work(connection)

        return super().read(fresh, wait_seconds, generic=generic)

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Lend a connection as `Database` does, once the standby is as new as the request asks for."""
        self.read(lambda _: None)
        with super().snapshot() as connection:
            yield connection


def _wait(connection: Connection, position: str | None, seconds: float, *, pooled: bool) -> None:
    """Wait until a replica has replayed a position.

    Raises:
        Behind: it has not in time.

    """
    seen = None if pooled else connection.replayed
    if position is None or freshness.newest(position, seen) == seen:
        return
    deadline = time.monotonic() + (0 if position == UNKNOWN else seconds)
    while True:
        row = connection.execute(_REPLAYED, {"position": position}, prepare=not pooled).fetchone()
        if row is not None and row["is_there"]:
            connection.replayed = position
            return
        if time.monotonic() >= deadline:
            raise Behind("a replica has not replayed what is to be read; try again in a moment")
        time.sleep(_POLL_SECONDS)


# A commit that does not wait for the disk may lie in what is still to be written.
_FLUSHED = """
    SELECT (CASE WHEN current_setting('synchronous_commit') = 'off' THEN pg_catalog.pg_current_wal_insert_lsn()
        ELSE pg_catalog.pg_current_wal_flush_lsn() END)::text AS position
"""
_REPLAYED = (
    "SELECT NOT pg_catalog.pg_is_in_recovery()"
    " OR coalesce(pg_catalog.pg_last_wal_replay_lsn() >= %(position)s::pg_lsn, false) AS is_there"
)
