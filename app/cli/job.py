"""`lookalike job …` and `lookalike worker`."""

import signal
import sys
import time
from collections.abc import Callable
from typing import BinaryIO

import click
import orjson

from app.cli.collector import leave_out_what_stays
from app.cli.common import json_option, opened, print_json
from app.cli.listening import check_free, serve_metrics
from app.cli.progress import progress_bar
from app.cli.saying import IntRange, printable, say
from app.config import Settings
from app.domain.jobs import Job, State
from app.services import collections, expiring, gauges
from app.services.context import Context
from app.services.jobs import asking
from app.services.jobs.kinds import KINDS
from app.services.jobs.working import Workers, pace_of

_WAIT_SECONDS = 1.0


@click.group()
def job() -> None:
    """List, watch, pause, resume and cancel jobs: imports, exports, index builds and all else that is long."""


@job.command("list")
@click.option(
    "--state", type=click.Choice([str(state) for state in State]), multiple=True, help="Only jobs in this state."
)
@click.option("--kind", type=click.Choice(sorted(KINDS)), multiple=True, help="Only jobs of this kind.")
@click.option("--collection", help="Only jobs of this collection.")
@click.option("--limit", type=IntRange(1, 10_000), default=50, show_default=True, help="Jobs at most.")
@json_option
def list_(state: tuple[str, ...], kind: tuple[str, ...], collection: str | None, limit: int, *, as_json: bool) -> None:
    """List jobs, the latest first."""
    with opened(reads=True) as context:
        found = asking.listed(
            context,
            states=[State(one) for one in state] or None,
            kinds=kind or None,
            collection_id=None if collection is None else collections.get(context, collection).id,
            most=limit,
        )
    if as_json:
        print_json([one.told(whole=False) for one in found])
        return
    for one in found:
        say(_line(one))


@job.command()
@click.argument("number", type=int)
@json_option
def show(number: int, *, as_json: bool) -> None:
    """Show one job."""
    with opened(reads=True) as context:
        found = asking.get(context, number)
    if as_json:
        print_json(found.told())
        return
    told = found.told()
    progress = told.pop("progress")
    for key, value in {**told, **(progress if isinstance(progress, dict) else {})}.items():
        shown = orjson.dumps(value).decode() if isinstance(value, dict | list) else value
        say(f"{key:<14} {'' if shown is None else shown}")


@job.command()
@click.argument("number", type=int)
@json_option
def watch(number: int, *, as_json: bool) -> None:
    """Show how far a job is until it has ended or pauses. Ctrl-C stops the watching alone.

    Exit status: 0 where it is done, 1 where it failed, was cancelled, or pauses.
    """
    with opened(reads=True) as context:
        found = follow(context, asking.get(context, number), lambda one: one.ended or one.state == State.PAUSED)
    if as_json:
        print_json(found.told())
    else:
        say(_line(found))
    if found.state not in {State.DONE, State.DONE_WITH_REJECTS}:
        sys.exit(1)


def follow(context: Context, found: Job, over: Callable[[Job], bool]) -> Job:
    """Show a job's progress on stderr until it is as wanted; return it then."""
    with progress_bar() as bar:
        task = bar.add_task(str(found.state), total=None)
        while True:
            now = found.progress
            bar.update(task, description=now.phase or str(found.state), total=now.total, completed=now.done)
            if over(found):
                return found
            context.bell.wait(context.bell.rings, _WAIT_SECONDS)
            found = asking.get(context, found.id)


def _changing(name: str, help_: str, change: Callable[[Context, int], Job]) -> None:
    @job.command(name, help=help_)
    @click.argument("number", type=int)
    @json_option
    def command(number: int, *, as_json: bool) -> None:
        with opened() as context:
            found = change(context, number)
            if name == "resume":
                warn_without_workers(context)
        if as_json:
            print_json(found.told())
        else:
            say(_line(found))


_changing("pause", "Have a job pause at its next safe point; `resume` lets it go on from there.", asking.pause)
_changing("resume", "Let a job go on that pauses or has failed, from where it was.", asking.resume)
_changing("cancel", "End a job for good; what it has done stays.", asking.cancel)


@job.command()
@click.argument("number", type=int)
@click.argument("file", type=click.File("wb", lazy=True), default="-")
def rejects(number: int, file: BinaryIO) -> None:
    """Write what a job could not take to FILE (or stdout), a line of JSON each: line, _id, code, reason, source."""
    with opened(reads=True) as context:
        file.writelines(printable(one.json().decode()).encode() + b"\n" for one in asking.rejects(context, number))


def warn_without_workers(context: Context) -> None:
    """Say on stderr that nobody is there to do a job, where that is so."""
    if not asking.workers_alive(context):
        say(
            "lookalike: no worker is there to do it: start `lookalike worker`, or `lookalike serve`, whose"
            " LOOKALIKE_JOB_WORKERS does jobs, too",
            err=True,
        )


def _line(one: Job) -> str:
    now = one.progress
    total = "" if now.total is None else f" of {now.total}"
    more = f", {now.rejected} rejected" if now.rejected else ""
    reason = f": {one.error}" if one.error else ""
    return f"{one.id:>6}  {one.kind:<14} {one.collection or '-':<24} {one.state}  {now.done}{total}{more}{reason}"


@click.command()
@click.option("--jobs", type=IntRange(1, 64), default=1, show_default=True, help="Jobs done at the same time.")
def worker(jobs: int) -> None:
    """Do jobs until told to stop: as many workers, on as many machines, as you like.

    SIGTERM and Ctrl-C hand the job that runs back, so that it goes on elsewhere at once. One that is killed is taken
    over after a minute.
    """
    settings = Settings()
    if settings.worker_metrics_port is not None and settings.metrics != "off":
        check_free(settings, settings.worker_metrics_port, "choose another with LOOKALIKE_WORKER_METRICS_PORT")
    with opened(settings) as context:
        stop_metrics = serve_own_metrics(context)
        workers = Workers(context, jobs, pace_of(settings))
        workers.start()
        leave_out_what_stays(context)
        expiring.watch(context)  # files of export jobs may lie on this machine alone
        say(f"lookalike: {jobs} worker{'s' if jobs > 1 else ''} for jobs; Ctrl-C hands what runs back", err=True)
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):  # a second one would leave the job behind
                signal.signal(number, signal.SIG_IGN)
            workers.stop()
            stop_metrics()
    say("lookalike: stopped; what ran goes on where another worker is", err=True)


def serve_own_metrics(context: Context) -> Callable[[], None]:
    """Serve what this worker counts where the settings name a port; return what ends that."""
    gauges.register_process(context)
    return serve_metrics(context.settings, context.metrics, context.settings.worker_metrics_port)
