"""Commands that do the job that they ask for, in their own process, or leave it to a worker."""

import os
from collections.abc import Mapping
from typing import Any

import click

from app.cli.common import print_json
from app.cli.job import warn_without_workers
from app.cli.progress import progress_bar
from app.cli.saying import say
from app.domain.collections import Collection
from app.domain.errors import InvalidRequest, LookalikeError
from app.domain.jobs import Job, State
from app.domain.records import Json
from app.services.context import Context
from app.services.jobs import asking
from app.services.jobs.kind import Kind
from app.services.jobs.running import Running
from app.services.jobs.working import Worker, host, pace_of

_LOOK_SECONDS = 1.0

detach_option = click.option(
    "--detach", is_flag=True, help="Leave it to a worker (`lookalike serve` or `worker`), and return at once."
)


def detached(
    context: Context, kind: Kind, collection: Collection, parameters: Mapping[str, Json], *, as_json: bool = False
) -> None:
    """Ask for a job, and leave it to a worker."""
    job, _ = asking.start(context, kind, collection, parameters)
    if as_json:
        print_json(job.told())
    else:
        say(f"{collection.name}: job {job.id} is queued; lookalike job watch {job.id} shows how far it is")
    warn_without_workers(context)


def do_here(
    context: Context,
    kind: Kind,
    collection: Collection,
    parameters: Mapping[str, Json],
    *,
    instead_of_all: bool = False,
    local: bool = False,
) -> tuple[Job, LookalikeError | None]:
    """Ask for a job and do it in this process, with a progress bar; return it as it ended, and why it failed.

    It takes the place of those that the same command left behind, paused or killed; `instead_of_all`: of all of its
    kind on the collection, whatever they were asked for. One that a worker is at is waited for. Ctrl-C pauses it.
    `local`: no other machine can go on with it.

    Raises:
        InvalidRequest: a parameter is wrong, or the job was cancelled or paused by somebody else.

    """
    worker = Worker(context, pace_of(context.settings), [kind])
    checked = kind.check(context, collection, parameters)
    take_over(context, kind, collection, None if instead_of_all else checked)
    job, _ = asking.start(context, kind, collection, parameters, reserved=worker.name, local=local)
    try:
        while (held := worker.take(job.id)) is None:
            job = asking.get(context, job.id)
            if job.state != State.QUEUED:
                raise InvalidRequest(f"job {job.id} was {job.state} by somebody else")
            say(f"lookalike: job {job.id} waits until another of its kind is done", err=True)
            context.bell.wait(context.bell.rings, _LOOK_SECONDS)
        with progress_bar(terminals_only=True) as bar:
            task = bar.add_task(kind.name, total=None)

            def show(running: Running) -> None:
                now = running.progress
                bar.update(task, description=now.phase or kind.name, total=now.total, completed=now.done)

            worker.do(held, show)
    except KeyboardInterrupt:
        worker.pause(job.id)
        resume = "" if local else f", or lookalike job resume {job.id} where a worker is"
        say(f"lookalike: job {job.id} is paused: the same command goes on with it{resume}", err=True)
        raise
    job = asking.get(context, job.id)
    if not job.ended:
        resume = "run the same command again" if local else f"lookalike job resume {job.id}"
        raise InvalidRequest(f"job {job.id} is {job.state} now: {resume}")
    if job.state == State.CANCELLED:
        raise InvalidRequest(f"job {job.id} was cancelled by somebody else")
    return job, worker.failure


def done_here(
    context: Context, kind: Kind, collection: Collection, parameters: Mapping[str, Json], *, local: bool = False
) -> dict[str, Any]:
    """Do a job in this process, and return its outcome.

    Raises:
        LookalikeError: it failed.

    """
    job, failure = do_here(context, kind, collection, parameters, local=local)
    if job.state == State.FAILED:
        raise failure or LookalikeError(str(job.error))
    return job.outcome if isinstance(job.outcome, dict) else {}


def take_over(context: Context, kind: Kind, collection: Collection, parameters: Mapping[str, Json] | None) -> None:
    """End the jobs of a kind that nobody is at, those of killed processes of this machine included.

    `parameters` says which, None for all. Others that such a process had hold up nobody any more.
    """
    unfinished = [state for state in State if state not in {State.DONE, State.DONE_WITH_REJECTS, State.CANCELLED}]
    for job in asking.listed(context, states=unfinished, kinds=[kind.name], collection_id=collection.id, most=1000):
        gone = job.worker is not None and _is_gone(job.worker)
        if parameters is not None and dict(job.parameters) != dict(parameters):
            if gone:
                asking.let_go(context, job)
        elif job.worker is None or gone:
            asking.end(context, job)


def _is_gone(worker: str) -> bool:
    """Say whether a worker was a process of this machine that is no more."""
    name, number, _ = worker.rsplit("/", 2)
    if name != host():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
