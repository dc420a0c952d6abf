"""What commands share: a database that is there, and JSON on stdout."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import click
import orjson

from app import create_context
from app.config import Settings
from app.db import schema
from app.db.conninfo import reach
from app.db.embedded import EmbeddedDatabase
from app.services.context import Context

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON value and nothing else.")


def log_to_stderr(level: str) -> None:
    """Send the log to stderr, so that stdout holds only what was asked for."""
    logging.basicConfig(
        stream=sys.stderr, level=level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )


@contextmanager
def database(settings: Settings, *, make: bool = True) -> Iterator[str]:
    """Give the owner's URL of the database; the embedded one is started, and left again at the end.

    Args:
        settings: which database.
        make: whether an embedded one that is not there is made.

    Raises:
        ConfigurationError: the URL leads to no database, or none is there and none is to be made.
        Unavailable: the server takes no connection now.

    """
    if settings.admin_database_url:
        yield reach(settings.admin_database_url, "LOOKALIKE_ADMIN_DATABASE_URL")
        return
    if settings.database_url:
        yield reach(settings.database_url)
        return
    embedded = EmbeddedDatabase(settings.home, make=make)
    try:
        yield embedded.start()
    finally:
        embedded.stop()


@contextmanager
def opened(settings: Settings | None = None, *, reads: bool = False) -> Iterator[Context]:
    """Give a context on a database whose schema is up to date.

    Args:
        settings: the deployment's choices.
        reads: whether the command changes nothing: then no database or schema is made or upgraded.

    Raises:
        ConfigurationError: the schema is not the one that is needed, and is not upgraded.

    """
    settings = settings or Settings()
    log_to_stderr("warning")
    with database(settings, make=not reads) as url:
        if settings.auto_upgrade and not reads:
            schema.ensure(url)
        else:
            schema.require(url)
        context = create_context(settings, url)
        context.db.open()
        try:
            yield context
        finally:
            context.pictures.close()
            context.models.close()
            context.db.close()


def print_json(value: object) -> None:
    """Print one JSON value on stdout."""
    click.echo(orjson.dumps(value, default=_plain).decode())


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError
