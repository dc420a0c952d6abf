"""`lookalike backup …`: backups of the whole database, taken while servers run."""

import sys
from pathlib import Path

import click

from app.cli.common import database, json_option, print_json
from app.cli.saying import IntRange, say
from app.config import Settings
from app.domain.backups import Backup
from app.domain.errors import LookalikeError
from app.domain.wording import counted
from app.services.backups import Backups, folder_of

_folder_option = click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the backups; left out: LOOKALIKE_BACKUP_FOLDER.",
)  # fmt: skip


@click.group()
def backup() -> None:
    """Take backups of the whole database, verify them by restoring them, and put them back."""


@backup.command()
@_folder_option
@click.option("--keep", type=IntRange(min=0), help="Backups that are kept; left out: LOOKALIKE_BACKUPS_KEPT.")
@click.option("--verify", "verified", is_flag=True, help="Restore it into a scratch database and compare.")
@json_option
def create(folder: Path | None, keep: int | None, *, verified: bool, as_json: bool) -> None:
    """Take a backup, as of one moment, while servers run.

    The oldest beyond those that are kept are deleted, but never the last one that was verified.
    """
    settings = Settings()
    backups = Backups(folder or folder_of(settings))
    with database(settings, make=False) as url:
        made = backups.create(url, settings.backups_kept if keep is None else keep, _step)
        if verified:
            made = backups.verify(made, step=_step)
            backups.note_verified(url, made)
    _tell(made, as_json=as_json)


@backup.command("list")
@_folder_option
@json_option
def list_(folder: Path | None, *, as_json: bool) -> None:
    """List the backups in the folder, the latest first."""
    rows = Backups(folder or folder_of(Settings())).listed()
    if as_json:
        print_json([_told(one) for one in rows])
        return
    for one in rows:
        _tell(one, as_json=False)


@backup.command()
@click.argument("name", default="latest")
@_folder_option
@click.option(
    "--into", metavar="URL", help="An empty database to restore into; left out: an embedded server, made for it."
)
@json_option
def verify(name: str, folder: Path | None, into: str | None, *, as_json: bool) -> None:
    """Restore a backup into a scratch database and compare what it holds; NAME is `latest` where it is left out.

    Compared are the rows of every table, a digest of each collection's ids, attributes and vectors, and the nearest 20
    of 100 records. Exits with 1 where anything differs. The database in use is not needed, and not touched.
    """
    settings = Settings()
    backups = Backups(folder or folder_of(settings))
    found = backups.verify(backups.get(name), into, _step)
    try:
        with database(settings, make=False) as url:
            backups.note_verified(url, found)
    except LookalikeError as error:
        say(f"lookalike: the database could not be told that it was verified: {error}", err=True)
    _tell(found, as_json=as_json)


@backup.command()
@click.argument("name")
@_folder_option
@click.option("--into", metavar="URL", help="The database to restore into; left out: the one that is in use.")
@click.option("--replace", "replace_all", is_flag=True, help="Drop the collections and tokens that are there.")
def restore(name: str, folder: Path | None, into: str | None, *, replace_all: bool) -> None:
    """Put a backup back, whole or not at all, and compare what it holds; NAME may be `latest`.

    Indexes are built again. Stop the servers first: what they store meanwhile is lost with what was there.
    """
    settings = Settings()
    backups = Backups(folder or folder_of(settings))
    chosen = backups.get(name)
    if into is None:
        with database(settings) as url:
            left = backups.restore(chosen, url, replace_all=replace_all, step=_step)
    else:
        left = backups.restore(chosen, into, replace_all=replace_all, step=_step)
    say(f"{chosen.name} is restored: {_holds(chosen)}")
    for sentence in left:
        say(f"to do yet: {sentence}", err=True)


def _step(name: str) -> None:
    if sys.stderr.isatty():
        say(f"{name} …", err=True)


def _told(one: Backup) -> dict[str, object]:
    return {
        "name": one.name,
        "begun_at": one.begun_at,
        "seconds": one.seconds,
        "bytes": one.bytes,
        "records": one.records,
        "collections": {each.name: each.records for each in one.facts.collections},
        "program": one.program,
        "verified_at": one.verified_at,
        "differences": one.differences,
    }


def _tell(one: Backup, *, as_json: bool) -> None:
    if as_json:
        print_json(_told(one))
    else:
        say(f"{one.name}: {_holds(one)}, {one.bytes / 2**20:.1f} MiB, {_state(one)}")
    if one.differences:
        for sentence in one.differences:
            say(f"lookalike: {sentence}", err=True)
        sys.exit(1)


def _holds(one: Backup) -> str:
    return f"{counted(one.records, 'record')} in {counted(len(one.facts.collections), 'collection')}"


def _state(one: Backup) -> str:
    if one.verified_at is None:
        return "never verified"
    return f"{'differs' if one.differences else 'verified'}, {one.verified_at:%Y-%m-%d %H:%M} UTC"
