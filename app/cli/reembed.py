"""`lookalike collection reembed NAME`."""

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import click

from app.cli.common import json_option, opened, print_json
from app.cli.jobs_here import detach_option, detached, do_here, take_over
from app.cli.saying import say
from app.config import Settings
from app.domain.errors import LookalikeError
from app.domain.jobs import State
from app.domain.records import Json
from app.domain.wording import counted
from app.services import collections, reembedding
from app.services.jobs.reembed_job import REEMBED, run
from app.services.reembedding import ReembeddingReport

UNDECIDED = 3


@click.command()
@click.argument("name")
@click.option("--model", help="Model that makes the new vectors; an interrupted run goes on with its own.")
@click.option("--drop-unreadable", is_flag=True, help="Delete the records whose pictures cannot be read, and switch.")
@click.option("--abandon", is_flag=True, help="Give up, and remove the new vectors; those in use stay.")
@click.option(
    "--files",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder in which _file is looked for.  [default: LOOKALIKE_FILES_ROOT]",
)
@click.option(
    "--unreadable-to",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="File for the records that cannot be read, a line of JSON each, with the reason.",
)
@detach_option
@json_option
def reembed(
    name: str,
    model: str | None,
    files: Path | None,
    unreadable_to: Path | None,
    *,
    drop_unreadable: bool,
    abandon: bool,
    detach: bool,
    as_json: bool,
) -> None:
    """Make all vectors of NAME anew with another model, while it is searched.

    Pictures are taken from where they were kept, else from _url, else from _file. Searches go on with the old vectors
    until all are replaced at once. Run again after an interruption, it goes on where it stopped. Exit status 3: some
    pictures cannot be read, and it waits for --drop-unreadable, --abandon, or another try.
    """
    if detach and (files or unreadable_to):
        raise click.UsageError("--files and --unreadable-to are of this machine, and a worker may be on another")
    if abandon and (drop_unreadable or model is not None):
        raise click.UsageError("--abandon goes with no other choice")
    settings = Settings(**({"files_root": files} if files else {}))
    with opened(settings) as context:
        collection = collections.get(context, name)
        if abandon:
            with reembedding.alone(context, collection):
                take_over(context, REEMBED, collection, None)
                given_up = reembedding.abandon(context, collection)
            say(f"{name}: {'the new vectors are removed' if given_up else 'there was nothing to give up'}")
            return
        parameters: dict[str, Json] = {"model": model, "drop_unreadable": drop_unreadable}
        if detach:
            detached(context, REEMBED, collection, parameters, as_json=as_json)
            return
        told: list[ReembeddingReport] = []
        here = replace(REEMBED, run=partial(run, unreadable_to=unreadable_to, told=told.append))
        job, failure = do_here(context, here, collection, parameters, instead_of_all=True)
        report = told[-1] if told else None
        if report is None and job.state == State.FAILED:
            raise failure or LookalikeError(str(job.error))
    if as_json:
        print_json(_json(name, report))
    elif report is None:
        say(f"{name}: its vectors are those of {model} already")
    else:
        _tell(report, unreadable_to)
    if report is not None and not report.switched:
        sys.exit(UNDECIDED)


def _json(name: str, report: ReembeddingReport | None) -> dict[str, object]:
    if report is None:
        return {"name": name, "switched": False, "embedded": 0, "unreadable": 0, "dropped": 0}
    return {
        "name": name,
        "switched": report.switched,
        "model": report.collection.model,
        "dimensions": report.collection.dimensions,
        "embedded": report.embedded,
        "unreadable": report.unreadable,
        "dropped": report.dropped,
        "switch_ms": round(report.seconds * 1000, 1),
    }


def _tell(report: ReembeddingReport, unreadable_to: Path | None) -> None:
    name = report.collection.name
    for record_id, reason in report.examples:
        say(f"  {record_id}: {reason}", err=True)
    if report.unreadable > len(report.examples):
        say(f"  … and {report.unreadable - len(report.examples)} more", err=True)
    if report.switched:
        dropped = f", {report.dropped} unreadable ones deleted" if report.dropped else ""
        say(
            f"{name}: {counted(report.embedded, 'record')} embedded with {report.collection.model}{dropped};"
            f" searches were held up for {report.seconds * 1000:.0f} ms at most"
        )
        return
    unreadable = counted(report.unreadable, "picture")
    everything = f"all of them are in {unreadable_to}" if unreadable_to else "--unreadable-to FILE writes all of them"
    lines = (
        f"{name}: {counted(report.embedded, 'record')} embedded; {unreadable} cannot be read ({everything}).",
        "The old vectors are still in use. Bring the pictures back and run it again (--files FOLDER says where _file",
        "is), or delete those records with --drop-unreadable, or give up with --abandon.",
    )
    for line in lines:
        say(line, err=True)
