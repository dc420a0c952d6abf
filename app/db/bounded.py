"""Connections whose every wait has an end, also where no server is there to keep a statement's own limit.

Behind a pooler a statement may wait for a server that is down, as long as the pooler likes (pgbouncer: two minutes).
"""

import time
from typing import Any, Self

import psycopg
from psycopg.abc import RV, PQGen
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow

# The least that libpq takes, in seconds.
_CONNECT_AT_LEAST = 2
# A network that loses everything, and a firewall that forgot a connection, tell nobody: it is taken for lost where the
# other end acknowledges nothing for three seconds (3,000 ms to libpq), nor that it is there after two quiet ones.
_NOTICED: dict[str, Any] = {
    "tcp_user_timeout": 3000,
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 3,
}


# The function of PostgreSQL that warns, when COMMIT did not wait for a synchronous standby to the end (16 to 18).
_WAITS_FOR_STANDBYS = "SyncRepWaitForLSN"


class Overdue(psycopg.OperationalError):
    """Nothing came within the connection's patience; it is closed, and what became of the statement is unknown."""


class Bounded(psycopg.Connection[DictRow]):
    """A psycopg connection that waits for so long at most."""

    patience: float | None = 10.0
    """Seconds that one statement may take, as the client sees it; None: for ever."""
    coordinates = False
    """Whether Citus is at the other end: what is not planned for all values on purpose must be planned for its own."""
    generic = False
    """Whether statements are planned once for all values (`plan_cache_mode`); else as PostgreSQL thinks best."""
    warned = False
    """Whether the server has warned, since this was set to false, that no synchronous standby has confirmed."""
    replayed: str | None = None
    """A place in the log that the server at the other end, a replica, is known to have replayed."""

    @classmethod
    def connect(cls, conninfo: str = "", **given: Any) -> Self:
        """Connect as psycopg does; what the URL does not say of lost connections is said here."""
        known = conninfo_to_dict(conninfo)
        noticed = {key: value for key, value in _NOTICED.items() if key not in known}
        made = super().connect(conninfo, **noticed, **given)
        made.add_notice_handler(made._hear)
        return made

    def _hear(self, told: psycopg.errors.Diagnostic) -> None:
        self.warned |= told.severity_nonlocalized == "WARNING" and told.source_function == _WAITS_FOR_STANDBYS

    def plan(self, *, generic: bool | None) -> None:
        """Have the session plan as is wanted, None: either way; a round trip where a statement before wanted another.

        Left to itself PostgreSQL plans anew while it believes that values make a plan cheaper; here planning costs
        more. Behind a pooler nothing is prepared, and all is planned for its values.
        """
        if generic is None and self.coordinates:
            generic = False
        if generic is not None and self.generic != generic:
            self.execute(f"SET plan_cache_mode = {'force_generic_plan' if generic else 'auto'}", prepare=False)
            self.generic = generic

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Wait as psycopg does, no longer than `patience`.

        Raises:
            Overdue: nothing came in time.

        """
        if timeout is not None or self.patience is None:
            return super().wait(gen, interval, timeout)
        end = time.monotonic() + self.patience
        try:
            return super().wait(gen, interval, self.patience)
        except psycopg.OperationalError as error:
            if error.sqlstate is not None or time.monotonic() < end:
                raise
            self.pgconn.finish()
            raise Overdue(f"no answer within {self.patience:g} seconds") from error


def connect_seconds(patience: float) -> int:
    """Return libpq's `connect_timeout` for a patience: whole seconds, two at least."""
    return max(_CONNECT_AT_LEAST, round(patience))
