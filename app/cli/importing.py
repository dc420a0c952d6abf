"""`lookalike import`: a file, a folder, an archive or a URL becomes records, as a job."""

import logging
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import click

from app.cli.common import json_option, opened, print_json
from app.cli.job import follow, warn_without_workers
from app.cli.saying import IntRange, say
from app.config import Settings
from app.domain.errors import InvalidRequest
from app.domain.jobs import State
from app.domain.records import Json
from app.domain.wording import counted
from app.services import collections
from app.services.importing.formats import FORMATS
from app.services.importing.job import IMPORT, preview
from app.services.importing.plan import MODES, NEAR_DUPLICATES
from app.services.importing.sources import Located, below_root, check_readable
from app.services.jobs import asking
from app.services.jobs.kind import Kind
from app.services.jobs.working import Worker
from app.services.moving import job as moving

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
@click.option(
    "--from", "engine", type=click.Choice(moving.ENGINES), help="Engine that SOURCE is a server or a dump of."
)
@click.option("--source-collection", help="With --from: the collection there (Weaviate: the class).")
@click.option("--vector", help="With --from: the name of the vector that is moved, where there are several.")
@click.option("--embed-again", is_flag=True, help="With --from: leave the vectors, and embed the pictures.")
@click.option("--token", envvar="LOOKALIKE_SOURCE_TOKEN", help="With --from: the token of the server at SOURCE.")
@click.option("--max-rejects", type=IntRange(0), help="Fail beyond so many rejects.")
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
    engine: str | None,
    source_collection: str | None,
    vector: str | None,
    token: str | None,
    max_rejects: int | None,
    idempotency_key: str | None,
    *,
    embed_again: bool,
    only_preview: bool,
    detach: bool,
    as_json: bool,
) -> None:
    """Import SOURCE into COLLECTION: a file, a folder, an archive of pictures, or a URL of one.

    It is a job: Ctrl-C pauses it, `lookalike job resume` or the same command with its --idempotency-key lets it go on.
    `lookalike job rejects` writes what could not be taken. With --from the records of another engine are moved: SOURCE
    is the URL of its server, or a file of what it answers.

    Exit status: 0 where the job is done, or detached; 1 where it failed or pauses.
    """
    url = source.startswith(("http://", "https://"))
    given: dict[str, Json] = {
        "format": format_,
        "map": dict(_pair(part) for part in map_.split(",") if part),
        "mode": mode,
        "near_duplicates": near_duplicates,
        "max_rejects": max_rejects,
    }
    move: dict[str, Json] = {"source_collection": source_collection, "vector": vector, "embed_again": embed_again}
    kind = _kind(engine, token, move, apart=detach or only_preview)
    if engine is not None:
        given |= {"from": engine, **move}
    with opened() as context:
        found = collections.get(context, collection)
        given["source"] = {"url": source} if url else {"path": _path(context.settings, source, detach=detach)}
        if only_preview:
            if url:
                raise InvalidRequest("a preview is made of a file or a folder, not of a URL")
            path = Path(source).resolve()
            print_json(preview(context, found, given, Located(path, path.parent)))
            return
        worker = Worker(context, kinds=(kind,))
        job, _ = asking.start(
            context, kind, found, given, idempotency_key=idempotency_key,
            reserved=None if detach else worker.name, local=engine is not None or (not detach and not url),
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
                say(f"lookalike: job {job.id} pauses at its next safe point", err=True)
            work.join()
            job = asking.get(context, job.id)
    if as_json:
        print_json(job.told())
    else:
        now = job.progress
        reason = f": {job.error}" if job.error else ""
        say(f"job {job.id} is {job.state}: {counted(now.done, 'record')}, {now.rejected} rejected{reason}")
    if not detach and job.state not in _DONE:
        sys.exit(1)


def _kind(engine: str | None, token: str | None, move: Mapping[str, Json], *, apart: bool) -> Kind:
    """Return the kind of job: an import, or a move from an engine."""
    if engine is None:
        if any(move.values()):
            raise click.UsageError("--source-collection, --vector and --embed-again go with --from")
        return IMPORT
    if apart:
        raise click.UsageError("--from goes with neither --detach nor --preview: this process holds the token")
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # it warns of each further try; the job says how it ended
    return moving.kind(token)


def _path(settings: Settings, source: str, *, detach: bool) -> str:
    """Return what the job calls a file or folder: its path; for a worker, that below the files root.

    Raises:
        InvalidRequest: it is not there, may not be read, or does not lie below the files root.

    """
    path = Path(source).resolve()
    if not detach:
        check_readable(path, source)
        return str(path)
    root = settings.files_root
    if root is None:
        raise InvalidRequest(
            "--detach: a worker reads files below its files root; set LOOKALIKE_FILES_ROOT here to that folder"
        )
    if not path.exists():
        path = below_root(settings, source)  # as it is called there
    if not path.is_relative_to(root.resolve()):
        raise InvalidRequest(f"--detach: {source!r} does not lie below the files root of the workers, {root}")
    check_readable(path, source)
    return str(path.relative_to(root.resolve()))


def _do(worker: Worker, job_id: int) -> None:
    held = worker.take(job_id)
    if held is not None:
        worker.do(held)


def _pair(part: str) -> tuple[str, Json]:
    target, _, name = part.partition("=")
    if not target or not name:
        raise click.UsageError(f"--map {part!r}: write it as target=field, e.g. id=sku")
    return target.strip(), name.strip()
