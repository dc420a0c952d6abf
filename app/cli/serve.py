"""`lookalike serve`: gunicorn with threads in one process or several, and a database that is there."""

import logging
import math
import multiprocessing
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn
from wsgiref.types import WSGIApplication

import click
from gunicorn.app.base import BaseApplication

from app import create_app
from app.cli import telemetry
from app.cli.collector import leave_out_what_stays
from app.cli.common import check_folders
from app.cli.listening import address_of, check_free, netloc, serve_metrics, url_of
from app.cli.logs import ServerLog, log_to_stderr
from app.cli.saying import IntRange, say
from app.cli.worker import BoundedWorker
from app.config import Settings
from app.config.several_servers import MOST_WORKERS
from app.db import schema, standbys
from app.db.conninfo import reach, readable
from app.db.embedded import EmbeddedDatabase
from app.db.server_settings import memory_bytes
from app.db.standbys import Identity
from app.domain.freshness import Positions
from app.embedding.models.options import check_options
from app.embedding.tags import taxonomy
from app.metrics import Metrics, several
from app.services.jobs.working import Workers, pace_of
from app.services.sharing import Changes, Sharing

log = logging.getLogger(__name__)

# Connections beside the pool's: an index build, a stream of all records, and one that hears of jobs.
_BESIDE_POOL = 3
# A process for so many cores, and so much memory in bytes.
_CORES = 2
_MEMORY = 2 * 2**30


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn, configured by this project's settings alone."""

    def __init__(
        self,
        settings: Settings,
        database_url: str,
        embedded: EmbeddedDatabase | None,
        metrics: Path | None = None,
        identity: Identity | None = None,
    ) -> None:
        self.settings = settings
        self._database_url = database_url
        self._embedded = embedded
        self._end_telemetry: Callable[[], None] = lambda: None
        self._metrics = metrics
        self._identity = identity
        self._number = workers_of(settings)
        self._changes = Changes(self._number) if self._number > 1 else None
        self._positions = Positions(self._number) if settings.read_database_url else None
        self._place = 0
        super().__init__()

    def load_config(self) -> None:
        """Set what gunicorn asks for."""
        settings = self.settings
        values: dict[str, Any] = {
            "bind": netloc(address_of(settings), settings.port),
            "workers": self._number,
            "worker_class": BoundedWorker,
            "threads": settings.threads,
            "graceful_timeout": settings.shutdown_seconds + math.ceil(settings.drain_seconds),
            "timeout": 120,
            "keepalive": 75,
            "backlog": 2048,
            "loglevel": settings.log_level,
            "logger_class": ServerLog,
            "proc_name": "lookalike",
            "control_socket_disable": True,
            "forwarded_allow_ips": "",  # it believes 127.0.0.1 by itself; app.api.proxies knows whom to believe
        }
        for key, value in values.items():
            if key in self.cfg.settings:
                self.cfg.set(key, value)
        self.cfg.set("when_ready", self._listens)
        self.cfg.set("pre_fork", self._take_place)
        self.cfg.set("child_exit", self._worker_gone)
        self.cfg.set("post_worker_init", self._worker_started)
        self.cfg.set("worker_exit", self._worker_stopped)

    def _listens(self, _: object) -> None:
        url = url_of(self.settings)
        say(f"Lookalike listens on {url}; {url}/docs describes the API, {url}/readyz tells when it can serve", err=True)

    def _take_place(self, arbiter: Any, worker: Any) -> None:
        """Give a process that is about to be made the first place that is free: that of one that ended, if any did."""
        taken = {one.place for one in arbiter.WORKERS.values()}
        worker.place = self._place = min(set(range(len(taken) + 1)) - taken)

    def _worker_gone(self, _: object, worker: Any) -> None:
        """Forget what a process that ended said of itself last; what it counted stays counted."""
        if self._metrics is not None:
            several.ended(self._metrics, worker.pid)

    def _worker_started(self, worker: Any) -> None:
        # Threads that wait for the interpreter get it after a millisecond, so that many clients wait less at worst.
        sys.setswitchinterval(0.001)
        if self._embedded is not None:
            self._embedded.watch()
        context = worker.application.extensions["lookalike"]
        first = worker.place == 0
        does_jobs = first and not self.settings.read_only
        worker.jobs = Workers(context, self.settings.job_workers if does_jobs else 0, pace_of(self.settings))
        worker.jobs.start()
        context.metrics.publish(context.closed)
        worker.stop_metrics = self._serve_metrics(context.metrics) if first else lambda: None
        leave_out_what_stays(context)

    def _serve_metrics(self, metrics: Metrics) -> Callable[[], None]:
        return serve_metrics(self.settings, metrics, self.settings.metrics_port)

    def _worker_stopped(self, _: object, worker: Any) -> None:
        application = getattr(worker, "application", None)  # None where it could not be made
        if application is None:
            return
        worker.jobs.stop()
        worker.stop_metrics()
        self._end_telemetry()
        application.extensions["lookalike"].close()
        application.extensions["lookalike"].metrics.settle()
        ended = sys.exc_info()[1]
        if os.getpid() == worker.pid and isinstance(ended, SystemExit):
            if self._embedded is not None:
                self._embedded.stop()
            _end(ended.code if isinstance(ended.code, int) else 0)

    def load(self) -> WSGIApplication:
        """Make the application, in the worker: connections and threads do not survive a fork."""
        sharing = Sharing(self._place, self._changes, self._metrics, self._positions, self._identity)
        follow = telemetry.begin() if telemetry.wanted() else None
        application = create_app(self.settings, self._database_url, sharing)
        if follow is not None:
            self._end_telemetry = follow(application)
        return application


def workers_of(settings: Settings) -> int:
    """Return how many processes serve: as many as are set, else one for two cores and 2 GiB of memory, at least one.

    One process keeps one core busy with Python, and another with PostgreSQL and what computes without Python's lock;
    each has a model, a cache and connections of its own. docs/scale-out.md has the figures.
    """
    if settings.workers is not None:
        return settings.workers
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores // _CORES, memory_bytes() // _MEMORY, MOST_WORKERS))


def _end(code: int) -> NoReturn:
    """End this process without taking the interpreter apart.

    `lookalike demo` loads a model before gunicorn forks: its threads are none of the fork's, and its destructors, which
    wait for them, ended the worker by SIGSEGV.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


@contextmanager
def _metrics_folder(processes: int) -> Iterator[Path | None]:
    """Make a folder in which several processes count together, and remove it at the end; None for one."""
    if processes == 1:
        yield None
        return
    folder, own = Path(tempfile.mkdtemp(prefix="lookalike-metrics-")), os.getpid()
    try:
        yield folder
    finally:
        if os.getpid() == own:  # a process that serves is a fork of this one
            shutil.rmtree(folder, ignore_errors=True)


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; running requests are finished first.

    Raises:
        ConfigurationError: the address is taken or not of this machine, a setting cannot be followed, or reads would
            go to another database.

    """
    check_free(settings)
    if settings.metrics_port is not None and settings.metrics != "off":
        check_free(settings, settings.metrics_port, "choose another with LOOKALIKE_METRICS_PORT")
    check_folders(settings)
    check_options(settings.models)
    taxonomy.read(settings.fashion_taxonomy)  # what is wrong with it is said before anything is started
    embedded = None if settings.database_url else EmbeddedDatabase(settings.home, port=settings.embedded_port)
    url = embedded.start() if embedded else reach(str(settings.database_url), writes=not settings.read_only)
    if settings.admin_database_url:
        reach(settings.admin_database_url, "LOOKALIKE_ADMIN_DATABASE_URL")
    try:
        identity = None
        if settings.read_database_url and not settings.read_only:
            read = readable(settings.read_database_url, "LOOKALIKE_READ_DATABASE_URL", writes=False)
            identity = standbys.require(url, read)
        if settings.auto_upgrade and not settings.read_only:
            schema.ensure(settings.admin_database_url or url)
        number = workers_of(settings)
        if short := schema.connections_short(url, number * (settings.pool_connections + _BESIDE_POOL)):
            log.warning(short)
        with _metrics_folder(number) as folder:
            Server(settings, url, embedded, folder, identity).run()
    finally:
        if embedded and multiprocessing.parent_process() is None:
            embedded.stop()


@click.command()
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=IntRange(1, 65535), help="Port to listen on.  [default: 8000]")
@click.option("--workers", type=IntRange(1, MOST_WORKERS), help="Processes.  [default: one for two cores]")
@click.option("--threads", type=IntRange(1, 256), help="Requests served at the same time, each.  [default: 8]")
@click.option("--read-only", is_flag=True, default=None, help="Take no writes, as on a standby.")
def serve(
    host: str | None, port: int | None, workers: int | None, threads: int | None, *, read_only: bool | None
) -> None:
    """Serve the API; ready when /readyz answers 200."""
    given = {"host": host, "port": port, "workers": workers, "threads": threads, "read_only": read_only}
    settings = Settings(**{key: value for key, value in given.items() if value is not None})
    log_to_stderr(settings.log_level, settings.log_format)
    run(settings)
