"""`lookalike load` and `lookalike update`: many records at once."""

import sys
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from app.cli.common import json_option, opened, print_json
from app.db import collections as table
from app.services.context import Context
from app.services.loading import Report, folder_items, line_items
from app.services.loading import load as run
from app.services.updating import update_from_lines

_SHOWN = 20


def progress_bar() -> Progress:
    """Return a progress bar on stderr, with rate and time left."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))


class Rate(ProgressColumn):
    """Pictures a second."""

    def render(self, task: Task) -> Text:
        """Return the column's text."""
        return Text(f"{task.speed:.0f}/s" if task.speed else "-/s")


@click.command()
@click.argument("collection")
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@json_option
def load(collection: str, source: Path, *, as_json: bool) -> None:
    """Load SOURCE into COLLECTION: a folder of pictures, or a file of JSON lines.

    In a folder the file name is the _id and the sub-folder the category. A picture that cannot be read is reported and
    skipped. Run again, it goes on where it stopped.
    """
    with opened() as context:
        report = load_with_progress(context, collection, source)
    if as_json:
        print_json(
            {
                "stored": report.stored,
                "present": report.present,
                "failed": [{"_id": own, "reason": reason} for own, reason in report.failed],
                "index_built": report.index_built,
            }
        )
    else:
        _tell(report)
    if report.failed and not report.stored and not report.present:
        sys.exit(1)


def load_with_progress(context: Context, collection: str, source: Path) -> Report:
    """Load a source and show how far it is, on stderr."""
    found = table.get(context.db, collection)
    if source.is_dir():
        items = folder_items(source)
        total = len(items)
    else:
        total = _lines(source)
        items = line_items(context, source)  # type: ignore[assignment]
    with progress_bar() as progress:
        task = progress.add_task(f"loading {collection}", total=total)
        return run(context, found, items, progress=lambda n: progress.advance(task, n))


@click.command()
@click.argument("collection")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--rebuild-index",
    is_flag=True,
    help="Build the HNSW index anew at the end: faster where most records change; searches are exact meanwhile.",
)
@json_option
def update(collection: str, file: Path, *, rebuild_index: bool, as_json: bool) -> None:
    """Change attributes of records of COLLECTION by FILE: a JSON object a line, with the _id and what changes.

    Fields are merged into the record's, null removes one; pictures stay as they are. A record that is not stored is
    reported and skipped. The file is checked before the first change; run again, it changes nothing twice.
    """
    with opened() as context, progress_bar() as progress:
        found = table.get(context.db, collection)
        task = progress.add_task(f"updating {collection}", total=_lines(file))
        report = update_from_lines(context, found, file, lambda n: progress.advance(task, n), rebuild=rebuild_index)
    if as_json:
        skipped = [{"_id": own, "reason": reason} for own, reason in report.skipped]
        print_json({"changed": report.changed, "skipped": skipped, "index_built": report.index_built})
    else:
        click.echo(f"{report.changed} changed, {len(report.skipped)} skipped")
        _list(report.skipped)
        if report.index_built:
            click.echo("the HNSW index was built")
    if report.skipped and not report.changed:
        sys.exit(1)


def _lines(file: Path) -> int:
    with file.open("rb") as stream:
        return sum(1 for line in stream if line.strip())


def _tell(report: Report) -> None:
    click.echo(f"{report.stored} stored, {report.present} were there already, {len(report.failed)} skipped")
    _list(report.failed)
    if report.index_built:
        click.echo("the HNSW index was built")


def _list(failed: Sequence[tuple[str, str]]) -> None:
    for own, reason in failed[:_SHOWN]:
        click.echo(f"  {own}: {reason}", err=True)
    if len(failed) > _SHOWN:
        click.echo(f"  … and {len(failed) - _SHOWN} more", err=True)
