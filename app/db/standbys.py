"""How standbys stand: whether they receive, how far behind they are, and what ends reads on them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Self

import psycopg
from psycopg.rows import dict_row

from app.db.bounded import Bounded
from app.db.conninfo import each_host, one_line
from app.db.engine import connect
from app.db.errors import translated
from app.domain.errors import ConfigurationError

_STANDBY = """
    SELECT current_setting('hot_standby_feedback')::boolean AS feedback,
        current_setting('max_standby_streaming_delay') AS delay,
        pg_catalog.pg_is_wal_replay_paused() AS paused,
        coalesce(pg_catalog.pg_wal_lsn_diff(
            pg_catalog.pg_last_wal_receive_lsn(), pg_catalog.pg_last_wal_replay_lsn()), 0) AS behind,
        (SELECT coalesce(w.status, '') FROM pg_catalog.pg_stat_wal_receiver AS w) AS receiver,
        quote_ident(current_user) AS login
    WHERE pg_catalog.pg_is_in_recovery()
"""
_DATABASE = """
    SELECT d.oid, d.datname AS name,
        has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE') AS shows_system
    FROM pg_catalog.pg_database AS d WHERE d.datname = current_database()
"""
# A statement of its own: PostgreSQL refuses one that names the function, also where CASE would never call it.
_SYSTEM = "SELECT s.system_identifier AS system FROM pg_catalog.pg_control_system() AS s"


@dataclass(frozen=True, slots=True)
class Identity:
    """Which database a connection leads to: the same on a primary and on all of its standbys.

    Attributes:
        system: the cluster's identifier; None where the service shows it to nobody.
        database: the database's number in the cluster, which a change of its name leaves as it is.
        name: its name, for people.

    """

    system: int | None
    database: int
    name: str = field(compare=False)

    @classmethod
    def of(cls, connection: Bounded) -> Self:
        """Return which database a connection leads to."""
        row = connection.execute(_DATABASE, prepare=False).fetchone() or {}
        shown = connection.execute(_SYSTEM, prepare=False).fetchone() if row["shows_system"] else None
        return cls(shown["system"] if shown else None, row["oid"], row["name"])

    def why_not(self, other: Self, place: str) -> str | None:
        """Return, in a sentence, why reads cannot go to another place's database; None where it is this one."""
        if self.system is not None and other.system is not None and self.system != other.system:
            return f"{place} in LOOKALIKE_READ_DATABASE_URL is no standby of DATABASE_URL, but another database"
        if self.database != other.database:
            return (
                f"{place} in LOOKALIKE_READ_DATABASE_URL leads to the database {other.name}, and DATABASE_URL to"
                f" {self.name}: name the same database in both"
            )
        return None


def standing(connection: psycopg.Connection[Any]) -> list[str]:
    """Return how a standby stands, a sentence each; nothing of a server that is none."""
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(_STANDBY).fetchone()
    if row is None:
        return []
    receives = f"its receiver is {row['receiver']}" if row["receiver"] else "it receives nothing"
    if row["receiver"] == "":  # there is one, and its columns are shown to few
        receives = f"its receiver runs, but this login may not see how (GRANT pg_read_all_stats TO {row['login']})"
    paused = ", since replay is paused" if row["paused"] else ""
    behind = f"{int(row['behind'])} bytes of what it has are not replayed{paused}"
    said = [f"this server is a standby: {receives}, and {behind}"]
    if not row["feedback"]:
        said.append(
            "hot_standby_feedback is off: a vacuum on the primary ends reads here that last longer than"
            f" max_standby_streaming_delay ({row['delay']}), so set it on"
        )
    return said


def of_replicas(primary: str, replicas: str) -> tuple[list[str], list[str]]:
    """Return what is wrong with the servers that reads go to, and how they stand, a sentence each.

    One that is away is nothing wrong: the primary is read in its place.

    Args:
        primary: the URL of the primary.
        replicas: the URL of the servers that are read, one host or several.

    Raises:
        Unavailable: the primary is away.

    """
    with translated(), connect(primary) as connection:
        own = Identity.of(connection)
    wrong, told = [], []
    for place, found in _each(replicas):
        if isinstance(found, str):
            told.append(f"{place}, which reads go to, cannot be reached: {found}")
            continue
        identity, said = found
        if reason := own.why_not(identity, place):
            wrong.append(reason)
        told += [f"{place}, which reads go to: {one}" for one in said or ["this server is no standby"]]
    return wrong, told


def require(primary: str, replicas: str) -> Identity:
    """Check that reads go to the primary's own database, wherever they go to now, and return which that is.

    Raises:
        ConfigurationError: a server that reads go to has another one.
        Unavailable: the primary is away.

    """
    with translated(), connect(primary) as connection:
        own = Identity.of(connection)
    found = [own.why_not(one[0], place) for place, one in _each(replicas) if not isinstance(one, str)]
    if wrong := list(filter(None, found)):
        raise ConfigurationError("; ".join(wrong))
    return own


def _each(replicas: str) -> Iterator[tuple[str, tuple[Identity, list[str]] | str]]:
    """Yield each server with its database and how it stands, or with why it cannot be reached."""
    for place, url in each_host(replicas):
        try:
            with connect(url) as connection:
                found = Identity.of(connection), standing(connection)
        except psycopg.Error as error:
            yield place, one_line(error)
        else:
            yield place, found
