"""Logins for programs that only read, such as dashboards: members of `lookalike_reader`."""

import secrets
from typing import Any
from urllib.parse import quote

from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from app.db import roles
from app.db.conninfo import readable
from app.db.engine import connect
from app.db.errors import translated
from app.domain.errors import ConfigurationError, MissingRights

_CONNECTIONS = 20
_STATEMENT_TIMEOUT = "60s"
_FOUND = """
    SELECT NOT r.rolsuper AND NOT r.rolcreaterole AND NOT r.rolreplication AND NOT r.rolbypassrls
        AND (SELECT array_agg(g.rolname) FROM pg_catalog.pg_auth_members AS m
             JOIN pg_catalog.pg_roles AS g ON g.oid = m.roleid
             WHERE m.member = r.oid) = ARRAY['lookalike_reader'::name] AS is_reader
    FROM pg_catalog.pg_roles AS r WHERE r.rolname = %s
"""


def make(url: str, name: str) -> str:
    """Make a login that may read, or give the one that is there a new password; return the password.

    It reads what `lookalike_reader` may: the views and functions. Its statements end after a minute, and it has up to
    20 connections. The server is sent a SCRAM verifier, never the password.

    Args:
        url: the database, as somebody who may make roles.
        name: the login's name.

    Raises:
        MissingRights: the URL's role may not make roles.
        ConfigurationError: the name is that of a role which may do more.

    """
    roles.apply(url)
    password = secrets.token_urlsafe(24)
    try:
        with translated(), connect(url) as connection, connection.transaction():
            found = connection.execute(_FOUND, (name,)).fetchone()
            if found is not None and not found["is_reader"]:
                raise ConfigurationError(
                    f"the role {name!r} is there already, and is more than a reader: take another name (--name)"
                )
            verifier = connection.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()
            role = sql.Identifier(name)
            if found is None:
                connection.execute(sql.SQL("CREATE ROLE {} IN ROLE lookalike_reader").format(role))
            connection.execute(
                sql.SQL("ALTER ROLE {} LOGIN PASSWORD {} CONNECTION LIMIT {}").format(
                    role, sql.Literal(verifier), sql.Literal(_CONNECTIONS)
                )
            )
            for setting, value in (
                ("default_transaction_read_only", "on"),
                ("statement_timeout", _STATEMENT_TIMEOUT),
            ):
                connection.execute(
                    sql.SQL("ALTER ROLE {} SET {} = {}").format(role, sql.Identifier(setting), sql.Literal(value))
                )
    except MissingRights as error:
        raise MissingRights(
            f"this role may not make logins: an administrator runs CREATE ROLE {name} LOGIN PASSWORD … IN ROLE"
            " lookalike_reader;"
        ) from error
    return password


def url_of(admin: str, name: str, password: str, place: tuple[str, int] | None = None) -> str:
    """Return the URL by which a reader connects.

    Args:
        admin: the URL or the words by which the database was reached.
        name: the login's name.
        password: its password.
        place: host and port, where they are not those of `admin`.

    Raises:
        Unavailable: `admin` names no host itself, and the database is away.

    """
    parts: dict[str, Any] = conninfo_to_dict(readable(admin, writes=False))
    hosts, ports = _places(admin, parts) if place is None else ([place[0]], [str(place[1])])
    netloc = ",".join(f"{quote(host, safe='')}:{port}" for host, port in zip(hosts, ports, strict=True))
    database = quote(str(parts.get("dbname") or parts.get("user") or "postgres"), safe="")
    mode = f"?sslmode={parts['sslmode']}" if parts.get("sslmode") else ""
    return f"postgresql://{quote(name, safe='')}:{password}@{netloc}/{database}{mode}"


def _places(admin: str, parts: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Return hosts and ports; where the words do not name them, as with `service=…`, those of a connection."""
    if not parts.get("host"):
        with translated(), connect(admin) as connection:
            parts["dbname"] = connection.info.dbname
            return [connection.info.host], [str(connection.info.port)]
    hosts = str(parts["host"]).split(",")
    ports = [port or "5432" for port in str(parts.get("port") or "5432").split(",")]
    return hosts, ports * len(hosts) if len(ports) == 1 else ports
