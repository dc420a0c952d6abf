"""`lookalike load` and `lookalike update`: many records at once."""

import sys
from collections.abc import Sequence
from dataclasses import replace as replaced
from functools import partial
from pathlib import Path

import click

from app.cli.common import json_option, opened, print_json
from app.cli.jobs_here import detach_option, detached, done_here
from app.cli.progress import progress_bar
from app.cli.saying import say
from app.domain.jsontext import dumps
from app.domain.records import Json
from app.services import collections
from app.services.context import Context
from app.services.jobs.bulk_jobs import LOAD, UPDATE, run_load, run_update
from app.services.loading import LoadReport, source_items
from app.services.loading import load as run
from app.services.pipeline import Unusable

_SHOWN = 20


_SKIPPED_TO = click.option(
    "--skipped-to",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write what was skipped or passed over to this file: a line of JSON each, with place, _id and reason.",
)


@click.command()
@click.argument("collection")
@click.argument("source", type=click.Path(allow_dash=True, path_type=Path))
@click.option("--replace", is_flag=True, help="Bring records that are stored already up to date with SOURCE.")
@click.option("--delete-missing", is_flag=True, help="Delete records that SOURCE does not have; only with --replace.")
@click.option("--dry-run", is_flag=True, help="Say what would change, and write nothing; only with --replace.")
@_SKIPPED_TO
@detach_option
@json_option
def load(
    collection: str,
    source: Path,
    skipped_to: Path | None,
    *,
    replace: bool,
    delete_missing: bool,
    dry_run: bool,
    detach: bool,
    as_json: bool,
) -> None:
    """Load SOURCE into COLLECTION: a folder of pictures, a file of JSON lines, or - for lines from standard input.

    In a folder the path of a file below it is the _id and the _file, the sub-folder the category. A picture or line
    that cannot be used is named with the reason and skipped; other files are named and passed over. Run again, it goes
    on where it stopped: records that are there already stay as they are. It is a job: Ctrl-C pauses it, --detach leaves
    it to a worker, below whose files root SOURCE lies then.

    With --replace they take the picture and the attributes that SOURCE has for them; pictures whose bytes are the same
    are not embedded again. With --delete-missing, too, COLLECTION holds at the end what SOURCE holds. Nothing is
    deleted where a line or a picture could not be used, a link was not followed or SOURCE has no record, and no record
    that came meanwhile. With --dry-run nothing is written: it prints the same counts, and some _ids of each.

    Exit status: 0 where anything was stored or there already, or there was nothing to do; 1 where all was skipped, or
    nothing was deleted for one of these reasons.
    """
    if delete_missing and not replace:
        raise click.UsageError("--delete-missing needs --replace: SOURCE is then what COLLECTION holds at the end")
    if dry_run and not replace:
        raise click.UsageError("--dry-run needs --replace: a load without it changes no record that is stored")
    if detach and (dry_run or skipped_to):
        raise click.UsageError("--detach goes with neither --dry-run nor --skipped-to: see `lookalike job rejects`")
    parameters: dict[str, Json] = {
        "path": _path(source, detach=detach),
        "replace": replace,
        "delete_missing": delete_missing,
    }
    with opened() as context:
        if dry_run:
            report = load_with_progress(context, collection, source, dry_run=True, delete_missing=delete_missing)
        elif detach:
            detached(context, LOAD, collections.get(context, collection), parameters, as_json=as_json)
            return
        else:
            told: list[LoadReport] = []
            here = replaced(LOAD, run=partial(run_load, told=told.append))
            done_here(context, here, collections.get(context, collection), parameters, local=True)
            report = told[-1]
    _write_skipped(skipped_to, [*report.failed, *report.passed_over])
    if as_json:
        print_json(
            {
                "seen": report.seen,
                "stored": report.stored,
                "present": report.present,
                "replaced": report.replaced,
                "updated": report.updated,
                "deleted": report.deleted,
                "kept_because": report.kept_because,
                "failed": _plain(report.failed),
                "passed_over": _plain(report.passed_over),
                "index_built": report.index_built,
                **({"dry_run": True, "examples": report.examples} if dry_run else {}),
            }
        )
    else:
        _tell(report, skipped_to, replace=replace, dry_run=dry_run)
    if report.kept_because:
        done = "would be" if dry_run else "was"
        say(f"lookalike: nothing {done} deleted: {report.kept_because}", err=True)
    if report.kept_because or len(report.failed) == report.seen - len(report.passed_over) > 0:
        sys.exit(1)


def load_with_progress(
    context: Context,
    collection: str,
    source: Path,
    *,
    delete_missing: bool = False,
    dry_run: bool = False,
) -> LoadReport:
    """Load a source, or compare it with what is stored, and show how far that is, on stderr."""
    found = collections.get(context, collection)
    items, total = source_items(context, source)
    with progress_bar() as progress:
        doing = "comparing" if dry_run else "loading"
        task = progress.add_task(f"{doing} {collection}", total=total)
        return run(
            context,
            found,
            items,
            replace_stored=dry_run,
            delete_missing=delete_missing,
            dry_run=dry_run,
            progress=lambda n: progress.advance(task, n),
        )


@click.command()
@click.argument("collection")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
@click.option(
    "--rebuild-index",
    is_flag=True,
    help="Build the HNSW index anew at the end: faster where most records change; searches are exact meanwhile.",
)
@_SKIPPED_TO
@detach_option
@json_option
def update(
    collection: str, file: Path, skipped_to: Path | None, *, rebuild_index: bool, detach: bool, as_json: bool
) -> None:
    """Change attributes of records of COLLECTION by FILE: a JSON object a line, with the _id and what changes.

    FILE may be - for standard input. Fields are merged into the record's, null removes one; pictures stay as they are.
    A line that cannot be used, or whose record is not stored, is named with the reason and skipped. Run again, it
    changes nothing twice. It is a job: Ctrl-C pauses it, --detach leaves it to a worker, below whose files root FILE
    lies then.

    Exit status: 0 where any record was changed, or there was nothing to do; 1 where all was skipped.
    """
    if detach and skipped_to:
        raise click.UsageError("--detach does not go with --skipped-to: see `lookalike job rejects`")
    parameters: dict[str, Json] = {"path": _path(file, detach=detach), "rebuild_index": rebuild_index}
    noted: dict[str, Unusable] = {}
    with opened() as context:
        found = collections.get(context, collection)
        if detach:
            detached(context, UPDATE, found, parameters, as_json=as_json)
            return
        # A run that is begun anew meets the same lines again.
        here = replaced(UPDATE, run=partial(run_update, skipped=lambda one: noted.update({one.place: one})))
        outcome = done_here(context, here, found, parameters, local=True)
    changed, skipped = outcome["changed"], list(noted.values())
    _write_skipped(skipped_to, skipped)
    seen = changed + len(skipped)
    if as_json:
        print_json(
            {"seen": seen, "changed": changed, "skipped": _plain(skipped), "index_built": outcome["index_built"]}
        )
    else:
        say(f"{seen} lines: {changed} changed, {len(skipped)} skipped")
        _list("skipped", skipped, skipped_to)
        if outcome["index_built"]:
            say("the HNSW index was built")
    if skipped and not changed:
        sys.exit(1)


def _path(source: Path, *, detach: bool) -> str:
    """Return what a job is told of a source: its place on this machine or, for a worker, that below its files root.

    Raises:
        UsageError: it is not there, or is standard input of which a worker has none.

    """
    if str(source) == "-":
        if detach:
            raise click.UsageError("--detach: a worker cannot read standard input; name a file below its files root")
        return "-"
    if detach:
        return str(source)
    if not source.exists():
        raise click.UsageError(f"Path {str(source)!r} does not exist.")
    return str(source.absolute())


def _tell(report: LoadReport, skipped_to: Path | None, *, replace: bool, dry_run: bool) -> None:
    if dry_run:
        say("nothing was written; this is what a load would do")
    counts = f"{report.stored} stored, {report.present} were there already"
    if replace:
        counts = (
            f"{report.stored} stored, {report.replaced} have another picture now, {report.updated} other attributes,"
            f" {report.present} were so already"
        )
    say(f"{report.seen} seen: {counts}, {len(report.failed)} skipped, {len(report.passed_over)} passed over")
    if report.deleted:
        done = "would be" if dry_run else "were"
        say(f"{report.deleted} that the source does not have {done} deleted")
    if dry_run:
        _tell_examples(report)
    _list("skipped", report.failed, skipped_to)
    _list("passed over", report.passed_over, skipped_to)
    if report.index_built:
        say("the HNSW index was built")


def _tell_examples(report: LoadReport) -> None:
    for outcome, ids in report.examples.items():
        more = getattr(report, outcome) - len(ids)
        say(f"  {outcome}: {', '.join(ids)}{f' … and {more} more' if more else ''}")


def _plain(unusable: Sequence[Unusable]) -> list[dict[str, str | None]]:
    return [{"_id": one.id, "place": one.place, "reason": one.reason} for one in unusable]


def _write_skipped(file: Path | None, unusable: Sequence[Unusable]) -> None:
    if file is not None:
        file.write_text("".join(f"{dumps(one)}\n" for one in _plain(unusable)), encoding="utf-8")


def _list(word: str, unusable: Sequence[Unusable], all_in: Path | None) -> None:
    for one in unusable[:_SHOWN]:
        name = "" if one.id in (None, one.place) else f" (_id {one.id})"
        say(f"  {word}: {one.place}{name}: {one.reason}", err=True)
    if len(unusable) > _SHOWN:
        where = f"all of them are in {all_in}" if all_in else "--skipped-to FILE names them all"
        say(f"  … and {len(unusable) - _SHOWN} more {word}; {where}", err=True)
