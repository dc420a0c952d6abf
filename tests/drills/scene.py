"""What a drill happens in: a database, a server, two collections, clients."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import psutil
import psycopg
import requests

from app import create_context
from app.config import Settings
from app.db import schema
from app.db.embedded import EmbeddedDatabase
from app.domain.collections import Collection
from app.domain.tokens import Scope
from app.services import collections, tokens
from tests.drills.ledger import Verdict
from tests.drills.load import BASE, BATCH, NEAREST, WRITTEN, Load
from tests.drills.odd_machine import OddMachine
from tests.drills.proxy import Proxy
from tests.server.conftest import free_port

_PROGRAM = "from app.cli import main; main()"
_READY_SECONDS = 120.0
_LOOK_SECONDS = 0.02


@dataclass
class Scene:
    """A database and a server under load."""

    home: Path
    database: EmbeddedDatabase
    port: int
    environment: Mapping[str, str]
    proxy: Proxy | None = None
    machine: OddMachine | None = None
    server: "subprocess.Popen[bytes] | None" = None
    load: Load = field(init=False)
    collection: Collection = field(init=False)
    base: Collection = field(init=False)

    def start_server(self) -> None:
        """Start `lookalike serve`; it may not be ready when this returns."""
        with (self.home / "server.log").open("ab") as log:
            self.server = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, "serve", "--port", str(self.port)],
                env={**_plain_environment(), **self.environment},
                stdout=log,
                stderr=log,
            )

    def keep_server(self) -> None:
        """Start the server again until it stays, half a second after each time that it has ended."""
        while True:
            time.sleep(0.5)
            assert self.server is not None
            if self.server.poll() is not None:
                self.start_server()
            elif self.is_ready():
                return

    def is_ready(self) -> bool:
        """Say whether the server calls itself ready."""
        try:
            return requests.get(f"http://127.0.0.1:{self.port}/readyz", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def wait_ready(self) -> None:
        """Wait for the server.

        Raises:
            TimeoutError: it does not become ready; its log is part of the message.

        """
        deadline = time.monotonic() + _READY_SECONDS
        while not self.is_ready():
            if time.monotonic() > deadline:
                raise TimeoutError(f"the server is not ready: {(self.home / 'server.log').read_text()[-2000:]}")
            time.sleep(0.1)

    def worker(self) -> psutil.Process:
        """Return gunicorn's worker."""
        assert self.server is not None
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline:
            for child in psutil.Process(self.server.pid).children():
                if not child.name().startswith("postgres"):
                    return child
            time.sleep(_LOOK_SECONDS)
        raise TimeoutError("the server has no worker")

    def postmaster(self) -> psutil.Process:
        """Return PostgreSQL's first process."""
        noted = (self.home / "postgres" / "postmaster.pid").read_text().partition("\n")[0]
        return psutil.Process(int(noted))

    def wait_database(self, seconds: float = 120.0) -> float:
        """Return the moment at which the database takes connections."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                with psycopg.connect(self.database.url, connect_timeout=2) as connection:
                    connection.execute("SELECT")
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_LOOK_SECONDS)
            else:
                return time.monotonic()

    def verdict(self) -> Verdict:
        """Compare the table with what was acknowledged, reading every row of it whatever the indexes say."""
        with psycopg.connect(self.database.url) as connection:
            for way in ("indexscan", "indexonlyscan", "bitmapscan"):
                connection.execute(f"SET enable_{way} = off")
            rows = connection.execute(
                f"SELECT id, (attributes->>'v')::int FROM lookalike.{self.collection.records_table}"
            ).fetchall()
        return self.load.ledger.judge(rows)


def _plain_environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith(("LOOKALIKE_", "DATABASE_URL"))}


@contextmanager
def scene(
    *, own_database: bool = True, proxied: bool = False, odd: bool = False, home: Path | None = None, **environment: str
) -> Iterator[Scene]:
    """Set a scene: collections, pictures and clients are there, and the server is ready.

    Args:
        own_database: whether the server has the embedded database; else it is told a DATABASE_URL.
        proxied: whether that leads through a proxy.
        odd: whether clock and disk of database and server can be made to go wrong.
        home: folder for all of it; left out: one that is deleted in the end.
        environment: settings of the server.

    """
    with ExitStack() as stack:
        if home is None:
            home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        home.chmod(0o755)
        database = EmbeddedDatabase(home)
        machine = OddMachine(home) if odd else None
        preloaded = machine.environment if machine else {}
        with mock.patch.dict(os.environ, preloaded):
            url = database.start()
        stack.callback(database.stop)
        proxy = None
        if proxied:
            place = psycopg.conninfo.conninfo_to_dict(url)
            proxy = Proxy(Path(str(place["host"])) / f".s.PGSQL.{place['port']}")
            stack.callback(proxy.close)
            url = f"postgresql://postgres@127.0.0.1:{proxy.port}/lookalike"
        given = {
            "LOOKALIKE_HOME": str(home),
            "LOOKALIKE_LOG_LEVEL": "warning",
            "LOOKALIKE_INDEX_ROWS": "2000",
            "LOOKALIKE_MAX_BATCH": str(BATCH),
            **preloaded,
            **environment,
        }
        if not own_database:
            given["DATABASE_URL"] = url
        made = Scene(home, database, free_port(), given, proxy, machine)
        _furnish(made)
        made.start_server()
        stack.callback(_stop, made)
        made.wait_ready()
        _learn(made)
        yield made


def _stop(made: Scene) -> None:
    assert made.server is not None
    made.server.send_signal(signal.SIGTERM)
    try:
        made.server.wait(60)
    except subprocess.TimeoutExpired:
        made.server.kill()
        made.server.wait()


def _furnish(made: Scene) -> None:
    """Make the collections and the token."""
    schema.upgrade(made.database.url)
    context = create_context(Settings(home=made.home / "own"), made.database.url)
    context.open()
    for name in (BASE, WRITTEN):
        collections.create(context, name, "photo")
    made.load = Load(made.port, tokens.create(context, [Scope.ADMIN], None, "drill").token)
    made.collection = collections.get(context, WRITTEN)
    made.base = collections.get(context, BASE)
    context.close()


def _learn(made: Scene) -> None:
    """Store the pictures that are searched, and note their true neighbours, by a plain comparison of all."""
    made.load.store_base()
    table = f"lookalike.{made.base.records_table}"
    with psycopg.connect(made.database.url) as connection:
        rows = connection.execute(
            f"SELECT q.id, ARRAY(SELECT r.id FROM {table} AS r ORDER BY r.embedding <=> q.embedding, r.id LIMIT %s)"
            f" FROM {table} AS q",
            (NEAREST,),
        ).fetchall()
    made.load.nearest.update(rows)


@contextmanager
def small_disk(size: int = 700 * 2**20) -> Iterator[Scene]:
    """Set a scene on a file system of its own, of so many bytes, in memory; only root can mount one."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "disk"
        place.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place], check=True, capture_output=True)
        try:
            Path(folder).chmod(0o755)
            with scene(home=place) as made:
                yield made
        finally:
            subprocess.run(["umount", place], check=True)
