"""Commands share these: a database that is there, and JSON on stdout."""

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click
import orjson

from app import create_context
from app.cli.logs import log_to_stderr
from app.cli.saying import say
from app.config import Settings
from app.db import schema
from app.db.conninfo import reach
from app.db.embedded import EmbeddedDatabase
from app.domain.audit import Act
from app.domain.errors import ConfigurationError
from app.services.context import Context

# File systems of the kernel, which say that root may write, and take nothing.
_KERNEL = ("/proc", "/sys")

# What a command is about, by the names of its parameters: ids and names, nothing of the data.
_TARGETS = ("token_id", "number", "decision", "field", "name", "names", "pairs", "collections")
_BY_NAME = "collection"
_LONGEST_TARGET = 200
_FAILED = 1

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON value and nothing else.")


def check_folders(settings: Settings) -> None:
    """Check that folders that are named can be used, before anything is begun.

    Raises:
        ConfigurationError: `_file` is looked for where no folder is, or nothing can be written where it must be.

    """
    if settings.files_root is not None and not settings.files_root.is_dir():
        raise ConfigurationError(
            f"LOOKALIKE_FILES_ROOT is {str(settings.files_root)!r}, where no folder is: it takes the folder under which"
            " `_file` is opened"
        )
    written = {
        "LOOKALIKE_HOME": None if settings.database_url else settings.home,
        "LOOKALIKE_EXPORT_FOLDER": settings.export_folder,
        "LOOKALIKE_MODELS_FOLDER": settings.models_folder if settings.model_download else None,
    }
    for name, folder in written.items():
        if folder is not None and (reason := _unwritable(folder)):
            raise ConfigurationError(
                f"{name} is {str(folder)!r}, which {reason}: it takes a folder that this user may"
                " write to, there already or not"
            )


def _unwritable(folder: Path) -> str | None:
    """Return why nothing can be written to a folder; None where it can, once the folder is made."""
    there = folder.absolute()
    while not os.path.lexists(there):
        there = there.parent
    if not there.is_dir():
        return "is no folder" if there == folder.absolute() else f"lies below {str(there)!r}, which is no folder"
    if not os.access(there, os.W_OK | os.X_OK) or str(there).startswith(_KERNEL):
        return "this user may not write to" if there == folder.absolute() else "this user may not make"
    return None


@contextmanager
def database(settings: Settings, *, make: bool = True) -> Iterator[str]:
    """Give the owner's URL of the database; the embedded one is started, and left again at the end.

    Args:
        settings: which database.
        make: whether an embedded one that is not there is made.

    Raises:
        ConfigurationError: the URL leads to no database, or none is there and none is to be made.

    """
    if settings.admin_database_url:
        yield reach(settings.admin_database_url, "LOOKALIKE_ADMIN_DATABASE_URL")
        return
    if settings.database_url:
        yield reach(settings.database_url, writes=not settings.read_only)
        return
    embedded = EmbeddedDatabase(settings.home, make=make, port=settings.embedded_port)
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
    check_folders(settings)
    with database(settings, make=not reads) as url:
        if settings.auto_upgrade and not reads:
            schema.ensure(url)
        else:
            schema.require(url)
        context = create_context(settings, url)
        context.open()
        code = _FAILED
        try:
            yield context
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else code
            raise
        finally:
            if not reads:
                _note(context, code)
            context.close()


def _note(context: Context, code: int) -> None:
    """Note in the audit log which command this was, who gave it, and what it was about."""
    command = click.get_current_context(silent=True)
    if command is None:  # a program calls this, not the command line
        return
    given = command.params
    action = _path(command)
    of_collection = given.get("collection") or (given.get("name") if action.startswith(_BY_NAME) else None)
    named = [given.get(name) for name in _TARGETS if not (of_collection and name == "name")]
    flat = [str(part) for one in named if one is not None for part in (one if isinstance(one, tuple) else (one,))]
    context.audit.note(
        Act(
            at=datetime.now(UTC),
            action=action,
            code=code,
            actor=_user(),
            collection=None if of_collection is None else str(of_collection),
            target=" ".join(flat)[:_LONGEST_TARGET] or None,
        )
    )


def _path(command: click.Context) -> str:
    """Return a command's name, after that of its group; the program's own, which comes first, is left out."""
    if command.parent is None:
        return ""
    return f"{_path(command.parent)} {command.info_name}".strip()


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as containers have
        return f"user {os.getuid()}"


def print_json(value: object) -> None:
    """Print one JSON value on stdout."""
    say(orjson.dumps(value, default=_plain).decode())


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError
