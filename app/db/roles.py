"""The roles `lookalike_app` and `lookalike_reader` (`sql/roles.sql`), and what the server's role must be able to do."""

from app.db.engine import connect
from app.db.errors import translated
from app.db.prerequisites import missing
from app.db.resources import folder
from app.domain.errors import MissingRights

_NEEDED = """
    SELECT format('%s on %s', wanted, c.oid::regclass) AS what
    FROM pg_catalog.pg_class AS c, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS wanted
    WHERE c.relnamespace = 'lookalike'::regnamespace AND c.relkind IN ('r', 'p', 'v')
      AND (wanted = 'SELECT' OR c.relkind = 'p' OR c.relispartition)
      AND NOT has_table_privilege(c.oid, wanted)
    ORDER BY 1
"""
_SHOWN = 3


def text() -> str:
    """Return the SQL that makes the roles; it may be run again."""
    return (folder("sql") / "roles.sql").read_text(encoding="utf-8")


def apply(url: str) -> None:
    """Make the roles where they are missing, and give them their rights in this database.

    Raises:
        MissingRights: the URL's role may not create roles.

    """
    try:
        with translated(), connect(url) as connection:
            connection.execute(text().encode())
    except MissingRights as error:
        raise MissingRights(
            "this role may not create roles: an administrator runs, in this database, what `lookalike db roles` prints"
        ) from error


def existing(url: str) -> list[str]:
    """Return which of the two roles there are."""
    with translated(), connect(url) as connection:
        rows = connection.execute(
            "SELECT rolname AS name FROM pg_catalog.pg_roles WHERE rolname IN ('lookalike_app', 'lookalike_reader')"
        ).fetchall()
    return sorted(row["name"] for row in rows)


def problems(url: str) -> list[str]:
    """Return what the server's role lacks on a schema that is up to date, a sentence each with the SQL that mends it.

    Raises:
        Unavailable: the database is away.

    """
    with translated(), connect(url) as connection:
        row = connection.execute(
            "SELECT quote_ident(current_user) AS role, has_schema_privilege('lookalike', 'USAGE') AS usable"
        ).fetchone()
        role = (row or {})["role"]
        advice = f"an administrator runs what `lookalike db roles` prints, then: GRANT lookalike_app TO {role};"
        if row is None or not row["usable"]:
            return [f"the role {role} may not use the schema lookalike: {advice}"]
        found = missing(connection, to_upgrade=False)
        lacking = [needed["what"] for needed in connection.execute(_NEEDED).fetchall()]
    if lacking:
        some = ", ".join(lacking[:_SHOWN]) + (f" and {len(lacking) - _SHOWN} more" if len(lacking) > _SHOWN else "")
        found.append(f"the role {role} lacks {some}: {advice}")
    return found
