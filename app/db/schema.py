"""The schema's life: migrations first, then every file of `sql/` whose text has changed."""

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import psycopg
from packaging.version import InvalidVersion, Version

from app.db import cluster, locks, prerequisites, standbys
from app.db.engine import THROUGH_A_POOLER, connect
from app.db.errors import translated
from app.db.prerequisites import missing
from app.db.resources import folder
from app.db.session import pooled
from app.domain.errors import ConfigurationError
from app.version import __version__

log = logging.getLogger(__name__)

Plain = psycopg.Connection[dict[str, object]]
_UPGRADE = "run lookalike db upgrade"

_FOLDERS = ("functions", "views")
NOTE_FILE = (
    "INSERT INTO lookalike.applied_sql (name, digest, version) VALUES (%s, %s, %s)"
    " ON CONFLICT (name) DO UPDATE"
    " SET digest = excluded.digest, applied_at = now(), version = excluded.version"
)
FIND_VECTOR = """
    SELECT pg_catalog.set_config('search_path', pg_catalog.quote_ident(n.nspname), false)
    FROM pg_catalog.pg_extension AS e JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace
    WHERE e.extname = 'vector'
"""
FIND_VECTOR_ONCE = FIND_VECTOR.replace("false", "true")  # for the transaction only
FIT = ("SELECT lookalike.set_search_paths()", "SELECT lookalike.grant_rights()")


@dataclass(frozen=True, slots=True)
class SqlFile:
    """One file of `sql/functions` or `sql/views`."""

    name: str
    text: str

    @property
    def digest(self) -> str:
        """SHA-256 of the text, in hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def sql_files() -> Iterator[SqlFile]:
    """Yield the files in the order in which they are applied: functions, then views, each by name."""
    for area in _FOLDERS:
        for path in sorted((folder("sql") / area).glob("*.sql")):
            yield SqlFile(f"{area}/{path.name}", path.read_text(encoding="utf-8"))


def ensure(url: str) -> list[str]:
    """Bring the schema up to date where it is not; where it is, only look: any role that may read it may do that.

    The schema of a newer program that lets this one serve stays as it is.

    Raises:
        ConfigurationError: the schema is older than this program, and something keeps it from being upgraded.
        Unavailable: the database is away, or a table stayed locked for too long.

    """
    with translated(), connect(url) as connection:
        newer = _is_newer(connection)
        if newer and (reason := unfit(connection)):
            raise ConfigurationError(reason)
        current = newer or (is_current(connection) and not _pending(connection))
        if lacking := missing(connection, to_upgrade=not current):
            raise ConfigurationError("; ".join(lacking))
    return [] if current else upgrade(url)


def upgrade(url: str, revision: str = "head", *, force: bool = False) -> list[str]:
    """Bring the schema up to date; return the names of the files of `sql/` that were applied.

    Args:
        url: the database, as the schema's owner.
        revision: how far migrations go; only to the newest one are files of `sql/` applied.
        force: whether they are put in place of those of a newer program, too.

    Raises:
        ConfigurationError: the server, its pgvector or the role's rights do not do.
        Unavailable: the database is away, or a table stayed locked for too long.

    """
    with translated():
        with connect(url) as connection:
            _refuse_newer(connection)
            if lacking := missing(connection, to_upgrade=True):
                raise ConfigurationError("; ".join(lacking))
            _refuse_pooler(connection)
        from app.db import migrations  # noqa: PLC0415  (Alembic takes a second: only where there is something to do)

        migrations.upgrade(url, revision)
        return apply_sql(url, force=force) if revision == "head" else []


def require(url: str) -> None:
    """Check that the schema is the one that this program needs; change nothing.

    Raises:
        ConfigurationError: there is no schema of ours, or one of another version; the message says what to do.
        Unavailable: the database is away.

    """
    with translated(), connect(url) as connection:
        if reason := unfit(connection):
            raise ConfigurationError(reason)
        rows = connection.execute("SELECT name FROM lookalike.applied_sql").fetchall()
        # A file with another text is one of a version close by; one that is not there is a function that is missing.
        if {file.name for file in sql_files()} - {row["name"] for row in rows}:
            raise ConfigurationError(f"the schema lacks functions that this program needs: {_UPGRADE}")


def _refuse_newer(connection: Plain) -> None:
    if _is_newer(connection):
        raise ConfigurationError(_newer(str(_revision(connection)), _oldest_program(connection)))


def _is_newer(connection: Plain) -> bool:
    revision = _revision(connection)
    return revision is not None and revision not in revisions()


def _newer(revision: str, oldest: str | None) -> str:
    takes = "" if oldest is None else f" and takes programs from {oldest} on"
    return (
        f"the schema is at revision {revision}, which this program ({__version__}) does not know: a newer Lookalike"
        f" upgraded it{takes}, so upgrade the program (pip install --upgrade lookalike), not the schema"
    )


def _oldest_program(connection: Plain) -> str | None:
    """Return the oldest version that may use the schema; None where it does not say, as before revision 0021."""
    row = connection.execute("SELECT to_regclass('lookalike.schema_facts') IS NOT NULL AS there").fetchone()
    if row is None or not row["there"]:
        return None
    row = connection.execute("SELECT oldest_program FROM lookalike.schema_facts").fetchone()
    return None if row is None else str(row["oldest_program"])


def standing(url: str) -> str:
    """Return the revision of a schema that can be served, which programs may use it, and how a standby stands.

    Raises:
        Unavailable: the database is away.

    """
    with translated(), connect(url) as connection:
        oldest = _oldest_program(connection)
        said = f"the schema is at revision {_revision(connection)} and takes programs from {oldest} on"
        said = f"{said}; this one is {__version__}, and does not know it" if _is_newer(connection) else said
        return "\n".join([said, *standbys.standing(connection), *cluster.standing(connection)])


def _refuse_pooler(connection: Plain) -> None:
    row = connection.execute("SELECT pg_catalog.pg_backend_pid() AS pid").fetchone()
    if row is not None and pooled(connection, int(str(row["pid"]))):
        raise ConfigurationError(THROUGH_A_POOLER)


def connections_short(url: str, wanted: int) -> str | None:
    """Return, in a sentence, why a database may not take so many connections; None where it does.

    Raises:
        Unavailable: the database is away.

    """
    with translated(), connect(url) as connection:
        return prerequisites.connections_short(connection, wanted)


def apply_sql(url: str, *, force: bool = False) -> list[str]:
    """Apply the files of `sql/` whose text differs from what was applied last; return their names.

    Nothing is applied where a newer version of this program has applied its own files, unless by `force`: the log says
    so.
    What depends on the host database is put right each time: where pgvector lies, and the rights of the two roles.
    """
    applied = []
    with translated(), connect(url) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (locks.SQL_FILES,))
        connection.execute("SET LOCAL lock_timeout = '5s'")
        connection.execute(FIND_VECTOR_ONCE)
        for file in _pending(connection, force=force):
            connection.execute(file.text.encode())
            connection.execute(NOTE_FILE, (file.name, file.digest, __version__))
            applied.append(file.name)
        for statement in FIT:
            connection.execute(statement)
    return applied


def _pending(connection: Plain, *, force: bool = False) -> list[SqlFile]:
    """Return the files to apply; none where a newer program has applied its own, which older ones would undo.

    By `force` they are undone, but not on a revision that this program does not know.
    """
    if _is_newer(connection):
        return []
    # Through JSON, since an earlier revision's table has no such column.
    found = connection.execute(
        "SELECT name, digest, to_jsonb(a)->>'version' AS version FROM lookalike.applied_sql AS a"
    )
    rows = found.fetchall()
    newest = max((_version(row["version"]) for row in rows), default=_version(None))
    if newest > Version(__version__) and not force:
        log.warning(
            "the functions in the database are those of Lookalike %s, and this program (%s) is older: they stay as they"
            " are; upgrade the program, or go back to these for good by lookalike db upgrade --force",
            newest,
            __version__,
        )
        return []
    known = {row["name"]: row["digest"] for row in rows}
    return [file for file in sql_files() if known.get(file.name) != file.digest]


def _version(noted: object) -> Version:
    """Return a version that was noted; the least there is where none was, or none that can be read."""
    try:
        return Version(str(noted))
    except InvalidVersion:
        return Version("0.dev0")


def current_revision(url: str) -> str | None:
    """Return the revision that a database is at; None where it has no schema of ours."""
    with translated(), connect(url) as connection:
        row = connection.execute("SELECT to_regclass('lookalike.alembic_version') IS NOT NULL AS there").fetchone()
        if row is None or not row["there"]:
            return None
        row = connection.execute("SELECT version_num FROM lookalike.alembic_version").fetchone()
        return None if row is None else str(row["version_num"])


def script(since: str | None = None) -> str:
    """Return what `upgrade` would run, as one script for psql: from a revision, or from an empty database.

    Files of `sql/` are all in it, whatever was applied: they may be run again.

    Raises:
        ConfigurationError: the revision is one of a newer program.

    """
    if since is not None and since not in revisions():
        raise ConfigurationError(_newer(since, None))
    from app.db import migrations  # noqa: PLC0415  (Alembic)

    parts = [
        (
            f"-- Lookalike: revision {since or 'none'} to {head()}. As the schema's owner, straight to the server:\n"
            "-- psql --set ON_ERROR_STOP=1 --file=this"
        ),
        "" if since == head() else migrations.script(since),
        f"BEGIN;\n\nSET LOCAL lock_timeout = '5s';\n\n{FIND_VECTOR_ONCE.strip()};",
    ]
    for file in sql_files():
        note = NOTE_FILE.replace("%s", "'{}'").format(file.name, file.digest, __version__)
        parts.append(f"-- sql/{file.name}\n{file.text.strip()}\n\n{note};")
    parts += [f"{statement};" for statement in FIT]
    return "\n\n".join([*filter(None, parts), "COMMIT;", "RESET search_path;"]) + "\n"


@cache
def revisions() -> tuple[str, ...]:
    """Return all revisions, oldest first, which the names of their files tell."""
    files = (folder("migrations") / "versions").glob("*_*_*.py")
    return tuple(sorted(file.name.split("_")[1] for file in files))


def head() -> str:
    """Return the newest revision that this program knows."""
    return revisions()[-1]


def problems(url: str, *, writes: bool = True) -> list[str]:
    """Return what keeps this database from being served, a sentence each; an empty list where all is well.

    Args:
        url: the database.
        writes: whether it is to take writes; else it may be a standby.

    Raises:
        Unavailable: the database is away.

    """
    with translated(), connect(url) as connection:
        reason = unfit(connection)
        newer = _is_newer(connection)
        if reason is not None and newer:
            return [reason]
        found = missing(connection, to_upgrade=reason is not None and writes, writes=writes)
        found += [] if found or reason else cluster.problems(connection)
    if found or reason:
        return found or [str(reason)]
    if newer:  # how it differs from what this program knows is the newer program's affair
        return []
    from app.db import migrations  # noqa: PLC0415  (SQLAlchemy)

    with translated():
        differences = migrations.differences(url, FIND_VECTOR)
    found += [f"the database differs from the models: {difference}" for difference in differences]
    with translated(), connect(url) as plain:
        found += [
            f"sql/{file.name} is not the one that was applied: run lookalike sql apply" for file in _pending(plain)
        ]
    return found


def is_current(connection: Plain) -> bool:
    """Say whether the schema is at this program's revision; false where there is none, or none for this role."""
    return _revision(connection) == head()


def unfit(connection: Plain) -> str | None:
    """Return, in a sentence, why this program cannot use the schema; None where it can.

    That of a newer program can be used by the programs that it names, so that servers are upgraded one after the other.
    """
    revision = _revision(connection)
    if revision == head():
        return None
    if revision is None:
        row = connection.execute(
            "SELECT to_regnamespace('lookalike') IS NOT NULL AS there, EXISTS (SELECT FROM pg_catalog.pg_class AS c"
            " WHERE c.relnamespace = to_regnamespace('lookalike')) AS in_use"
        ).fetchone()
        if row is not None and row["there"]:
            if not row["in_use"]:
                return f"the schema lookalike is empty: {_UPGRADE}"
            return "this role may not read the schema lookalike, or it is not this program's: run lookalike db check"
        return f"this database holds no schema lookalike: {_UPGRADE}"
    if revision not in revisions():
        oldest = _oldest_program(connection)
        return _newer(revision, oldest) if oldest is None or _version(oldest) > Version(__version__) else None
    return f"the schema is at revision {revision}, this program needs {head()}: {_UPGRADE}"


def _revision(connection: Plain) -> str | None:
    """Return the revision that the schema is at; None where there is none, or none for this role."""
    row = connection.execute(
        "SELECT has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(c.relnamespace, 'USAGE') AS readable"
        " FROM pg_catalog.pg_class AS c"
        " WHERE c.relnamespace = to_regnamespace('lookalike') AND c.relname = 'alembic_version'"
    ).fetchone()
    if row is None or not row["readable"]:
        return None
    row = connection.execute("SELECT version_num FROM lookalike.alembic_version").fetchone()
    return None if row is None else str(row["version_num"])
