"""How standbys stand: whether they receive, how far behind they are, and what ends reads on them."""

from typing import Any

import psycopg
from psycopg.rows import dict_row

from app.db.conninfo import each_host, one_line
from app.db.engine import connect
from app.db.errors import translated

_STANDBY = """
    SELECT current_setting('hot_standby_feedback')::boolean AS feedback,
        current_setting('max_standby_streaming_delay') AS delay,
        pg_catalog.pg_is_wal_replay_paused() AS paused,
        coalesce(pg_catalog.pg_wal_lsn_diff(
            pg_catalog.pg_last_wal_receive_lsn(), pg_catalog.pg_last_wal_replay_lsn()), 0) AS behind,
        (SELECT w.status FROM pg_catalog.pg_stat_wal_receiver AS w) AS receiver
    WHERE pg_catalog.pg_is_in_recovery()
"""
# The same for all servers that were copied from one another; not every service lets every role see it.
_SYSTEM = """
    SELECT CASE WHEN has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')
        THEN (SELECT s.system_identifier FROM pg_catalog.pg_control_system() AS s) END AS system
"""


def standing(connection: psycopg.Connection[Any]) -> list[str]:
    """Return how a standby stands, a sentence each; nothing of a server that is none."""
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(_STANDBY).fetchone()
    if row is None:
        return []
    receives = f"its receiver is {row['receiver']}" if row["receiver"] else "it receives nothing"
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
        own = _system(connection)
    wrong, told = [], []
    for place, url in each_host(replicas):
        try:
            with connect(url) as connection:
                system, said = _system(connection), standing(connection)
        except psycopg.Error as error:
            told.append(f"{place}, which reads go to, cannot be reached: {one_line(error)}")
            continue
        if own is not None and system is not None and system != own:
            wrong.append(f"{place} in LOOKALIKE_READ_DATABASE_URL is no standby of DATABASE_URL, but another database")
        told += [f"{place}, which reads go to: {one}" for one in said or ["this server is no standby"]]
    return wrong, told


def _system(connection: psycopg.Connection[Any]) -> int | None:
    row = connection.execute(_SYSTEM).fetchone()
    return row["system"] if row else None
