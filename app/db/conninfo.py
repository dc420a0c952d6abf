"""Database URLs as people write them: put right where that is safe, and refused in one sentence that holds no password.

libpq's own messages about a URL that it cannot read quote parts of it, so they are never shown; what it says of a
connection that was refused names host, port, user and database, and is.
"""

import os
import re
from collections.abc import Iterator, Mapping

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from app.db.bounded import Bounded, connect_seconds
from app.domain.errors import ConfigurationError

CONNECT_SECONDS = 10
_PRIMARY = "target_session_attrs=read-write"
_STANDBY = "target_session_attrs=prefer-standby load_balance_hosts=random"
_ANY = {"target_session_attrs": "any"}
_LARGEST_PORT = 65_535
_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.:-]*)://(?P<rest>.*)", re.DOTALL)
_FORMS = "write postgresql://USER:PASSWORD@HOST:PORT/DATABASE, or libpq's words: host=… port=… user=… dbname=…"
_ENCODE = "in a password write @ as %40, : as %3A, / as %2F, ? as %3F, # as %23, and % itself as %25"

_PG_HBA = "the server's pg_hba.conf does not let this host, user and database in"
_ELSE = "what answers there is no PostgreSQL server: check host and port"
# What libpq or the server says of a connection, and what to look at; the first that fits.
_ADVICE: tuple[tuple[str, str], ...] = (
    ("password authentication failed|no password supplied", "check the user and the password"),
    ('role ".*" (does not exist|is not permitted)', "check the user; an administrator makes it: CREATE ROLE … LOGIN"),
    ('database ".*" does not exist', "check the database's name; an administrator runs: CREATE DATABASE …"),
    ("permission denied for database", "an administrator runs: GRANT CONNECT ON DATABASE … TO …"),
    ("pg_hba.conf.*(no encryption|SSL off)", f"{_PG_HBA} without SSL: try sslmode=require"),
    ("pg_hba.conf", _PG_HBA),
    ("invalid response to|expected authentication request|unsupported frontend protocol", _ELSE),
    ("SSL|certificate", "check sslmode and the certificates that the URL names"),
    ("closed the connection unexpectedly|reset by peer", f"{_ELSE}, else see the server's log"),
    ("failed to resolve|could not translate host name", "check the host's name"),
    ("too many (connections|clients)|connection slots|no more connections", "close some, or raise max_connections"),
    ("no answer within|query_wait_timeout|server_login_retry|login has been failing", "the pooler has no server"),
    ("timeout expired|timed out", "check host and port, and whether a firewall is in between"),
    ("refused|No such file|No route|unreachable", "check host and port, and whether the server runs"),
    ("starting up|shutting down|recovery", "try again in a moment"),
    ("definition of service", "check the name after service="),
)


def readable(text: str, setting: str = "DATABASE_URL", *, writes: bool = True) -> str:
    """Return a database URL, or libpq's words, as libpq reads it.

    Spaces and quotes around it go, and the driver that SQLAlchemy writes into the scheme (`postgresql+psycopg://`).
    Of several hosts the one is meant that takes writes, unless `target_session_attrs` says otherwise.

    Args:
        text: what the setting holds.
        setting: its name, for the sentence.
        writes: whether it is to lead to a server that takes writes; else to a standby, where there is one.

    Raises:
        ConfigurationError: it cannot be meant; the message quotes no part that may belong to a password.

    """
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":  # from an env_file, whose quotes are part of it
        text = text[1:-1].strip()
    if url := _URL.fullmatch(text):
        scheme = url["scheme"].lower()
        if scheme.split("+")[0] not in {"postgresql", "postgres"}:
            raise ConfigurationError(f"{setting} begins with {scheme}://, which is no PostgreSQL URL: {_FORMS}")
        text = f"postgresql://{url['rest']}"
    elif "=" not in text:
        raise ConfigurationError(f"{setting} is no database URL: {_FORMS}")
    try:
        parts = conninfo_to_dict(text)
    except psycopg.Error as error:
        raise ConfigurationError(f"{setting} cannot be read: {_misread(text, str(error), url is not None)}") from None
    places = (str(parts.get(name, "")) for name in ("host", "port", "dbname"))
    if url and any("@" in place and place in text for place in places):
        raise ConfigurationError(f"{setting} has more than one @, or one in the wrong place: {_ENCODE}")
    for port in filter(None, str(parts.get("port", "")).split(",")):
        if not (port.isascii() and port.isdecimal() and 0 < int(port) <= _LARGEST_PORT):
            raise ConfigurationError(f"{setting} names a port that is none, 1 to 65535: {_FORMS}")
    return _of_several(text, parts, _PRIMARY if writes else _STANDBY)


def each_host(url: str) -> Iterator[tuple[str, str]]:
    """Yield each host of a readable URL with its port, and words that lead to that one alone, whatever it is."""
    parts = {name: value for name, value in conninfo_to_dict(url).items() if name != "load_balance_hosts"}
    several = {name: str(parts.get(name) or "").split(",") for name in ("host", "hostaddr", "port")}
    for number in range(max(map(len, several.values()))):
        own = {name: found[number if number < len(found) else 0] for name, found in several.items()}
        place = f"{own['host'] or own['hostaddr'] or 'the local server'}:{own['port'] or 5432}"
        alone = {name: value for name, value in own.items() if value}
        yield place, make_conninfo("", **{**parts, "host": None, "hostaddr": None, "port": None, **alone, **_ANY})


def _of_several(text: str, parts: Mapping[str, object], wanted: str) -> str:
    """Return a URL or words that lead, of several hosts, to the wanted one, where nothing else is said."""
    several = any("," in str(parts.get(name, "")) for name in ("host", "hostaddr"))
    if not several or "target_session_attrs" in parts or "PGTARGETSESSIONATTRS" in os.environ:
        return text
    if "://" not in text.partition("=")[0]:
        return f"{text} {wanted}"
    return f"{text}{'&' if '?' in text else '?'}{wanted.replace(' ', '&')}"


def _misread(text: str, said: str, is_url: bool) -> str:
    """Return what is wrong with a text that libpq does not read, without a part that may be secret."""
    if not is_url:
        return "words are name=value, a value with a space in it stands in single quotes"
    name = re.search(r'invalid URI query parameter: "(\w+)"', said)
    if name and "@" not in text.rpartition("?")[2]:
        return f"libpq knows no parameter {name[1]!r}"
    if "percent-encoded" in said:
        return f"a % in it begins no encoded character: {_ENCODE}"
    return f"{_FORMS}; {_ENCODE}"


def without_password(text: str) -> tuple[str, str | None]:
    """Return a readable URL as libpq's words without the password, and the password: no list of processes shows it."""
    parts = conninfo_to_dict(text)
    password = parts.pop("password", None)
    words = {name: str(value) for name, value in parts.items()}
    return make_conninfo("", **words), None if password is None else str(password)


def reach(text: str, setting: str = "DATABASE_URL", *, writes: bool = True) -> str:
    """Connect once, so that what keeps anybody from it is said at once; return the URL as libpq reads it.

    Raises:
        ConfigurationError: no connection can be had; the message is libpq's reason and an advice.

    """
    url = readable(text, setting, writes=writes)
    try:
        _try(url, CONNECT_SECONDS)
    except psycopg.Error as error:
        reason = one_line(error)
        raise ConfigurationError(f"{setting} does not lead to a database: {reason}; {_advice(reason)}") from error
    return url


def away(url: str, seconds: float) -> str | None:
    """Return what to look at where no connection can be had, in words for anybody; None where one can be had.

    What libpq and the server say is not part of it: it names host, user and database.
    """
    try:
        _try(url, seconds)
    except psycopg.Error as error:
        return f"the database cannot be reached: {_advice(one_line(error))}"
    return None


def _try(url: str, seconds: float) -> None:
    """Connect and run the smallest statement: behind a pooler only that shows whether there is a server."""
    limit = connect_seconds(seconds)
    with Bounded.connect(url, autocommit=True, connect_timeout=limit, application_name="lookalike") as connection:
        connection.patience = seconds
        connection.execute("SELECT", prepare=False)


def _advice(reason: str) -> str:
    return next((hint for sign, hint in _ADVICE if re.search(sign, reason, re.IGNORECASE)), "see the server's log")


def one_line(error: psycopg.Error) -> str:
    """Return libpq's reason for a connection that failed, each host's once."""
    text = re.sub(r"connection (failed|is bad): ", "", str(error))
    first, _, each = text.partition("\nMultiple connection attempts failed. All failures were:\n")
    lines = [re.sub(r"^- host: .*?, hostaddr: '[^']*': ", "", line) for line in each.splitlines() if line[:1] == "-"]
    chosen = dict.fromkeys(lines or [first.strip().partition("\n")[0]])
    return "; ".join(line.strip() for line in chosen) or type(error).__name__
