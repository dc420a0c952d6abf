"""`lookalike import`: a file, a folder, an archive or a URL becomes records, as a job."""

import sys
import threading
from pathlib import Path

import click

from app.cli.common import json_option, opened, print_json
from app.cli.job import follow, warn_without_workers
from app.domain.errors import InvalidRequest
from app.domain.jobs import State
from app.domain.records import Json
from app.services import collections
from app.services.importing.formats import FORMATS
from app.services.importing.job import IMPORT, preview
from app.services.importing.plan import MODES, NEAR_DUPLICATES
from app.services.importing.sources import Located
from app.services.jobs import asking
from app.services.jobs.working import Worker

_DONE = {State.DONE, State.DONE_WITH_REJECTS}


@click.command("import")
@click.argument("collection")
@click.argument("source")
@click.option("--format", "format_", type=click.Choice(list(FORMATS)), help="Format of SOURCE; left out: it is found.")
@click.option("--map", "map_", default="", help="Which field becomes what, e.g. id=sku,image=photo_url.")
@click.option("--mode", type=click.Choice(MODES), default="insert", show_default=True, help="What is written.")
@click.option(
    "--near-duplicates", type=click.Choice(NEAR_DUPLICATES), default="keep", show_default=True,
    help="What is done with records that look like stored ones.",
)  # fmt: skip
@click.option("--max-rejects", type=click.IntRange(0), help="Fail beyond so many rejects.")
@click.option("--idempotency-key", help="The same import again with this key is the same job.")
@click.option("--preview", "only_preview", is_flag=True, help="Show how SOURCE is read, and write nothing.")
@click.option("--detach", is_flag=True, help="Leave the job to a worker; SOURCE lies below its files root.")
@json_option
def import_(
    collection: str,
    source: str,
    format_: str | None,
    map_: str,
    mode: str,
    near_duplicates: str,
    max_rejects: int | None,
    idempotency_key: str | None,
    *,
    only_preview: bool,
    detach: bool,
    as_json: bool,
) -> None:
    """Import SOURCE into COLLECTION: a file, a folder, an archive of pictures, or a URL of one.

    It is a job: Ctrl-C pauses it, `lookalike job resume` or the same command with its --idempotency-key lets it go on.
    `lookalike job rejects` writes what could not be taken.

    Exit status: 0 where the job is done, or detached; 1 where it failed or pauses.
    """
    url = source.startswith(("http://", "https://"))
    place = source if url or detach else str(Path(source).resolve())
    given: dict[str, Json] = {
        "source": {"url": place} if url else {"path": place},
        "format": format_,
        "map": dict(_pair(part) for part in map_.split(",") if part),
        "mode": mode,
        "near_duplicates": near_duplicates,
        "max_rejects": max_rejects,
    }
    with opened() as context:
        found = collections.get(context, collection)
        if only_preview:
            path = Path(place)
            if url or not path.exists():
                raise InvalidRequest(f"there is no file or folder {source!r} to preview")
            print_json(preview(context, found, given, Located(path, path.parent)))
            return
        worker = Worker(context)
        job, _ = asking.start(
            context, IMPORT, found, given, idempotency_key=idempotency_key,
            reserved=None if detach else worker.name, local=not detach and not url,
        )  # fmt: skip
        if detach:
            warn_without_workers(context)
        elif not job.ended:
            if job.state in (State.PAUSED, State.FAILED):
                asking.resume(context, job.id, reserved=worker.name)
            work = threading.Thread(target=_do, args=(worker, job.id), name="import")
            work.start()
            try:
                job = follow(context, job, lambda _: not work.is_alive())
            except KeyboardInterrupt:
                asking.pause(context, job.id)
                click.echo(f"lookalike: job {job.id} pauses at its next safe point", err=True)
            work.join()
            job = asking.get(context, job.id)
    if as_json:
        print_json(job.told())
    else:
        now = job.progress
        reason = f": {job.error}" if job.error else ""
        click.echo(f"job {job.id} is {job.state}: {now.done} records, {now.rejected} rejected{reason}")
    if not detach and job.state not in _DONE:
        sys.exit(1)


def _do(worker: Worker, job_id: int) -> None:
    held = worker.take(job_id)
    if held is not None:
        worker.do(held)


def _pair(part: str) -> tuple[str, Json]:
    target, _, name = part.partition("=")
    if not target or not name:
        raise click.UsageError(f"--map {part!r}: write it as target=field, e.g. id=sku")
    return target.strip(), name.strip()
