"""A real server process, as a user starts it."""

import http.server
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest
import requests

from app.db.embedded import EmbeddedDatabase
from tests.support.commands import run

LOOKALIKE = Path(sys.executable).with_name("lookalike")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def clean_environment(**given: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("LOOKALIKE_", "DATABASE_URL"))}
    return {**kept, "LOOKALIKE_WORKERS": "1", **given}  # on many cores, too: what is tested is one process


@dataclass
class Server:
    """A `lookalike serve` process and the command line beside it, on the same home or database."""

    environment: dict[str, str]
    log: Path
    port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    def command(self, *arguments: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Run a command: in this process, unless it serves, or would start the embedded database."""
        environment = self.environment
        if "DATABASE_URL" not in environment and self.process is not None:
            environment = environment | {"DATABASE_URL": EmbeddedDatabase(Path(environment["LOOKALIKE_HOME"])).url}
        if "DATABASE_URL" not in environment or arguments[0] in {"serve", "demo"}:
            return self.process_of(*arguments, check=check)
        done = run(arguments, environment)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def process_of(self, *arguments: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [LOOKALIKE, *arguments], env=self.environment, capture_output=True, text=True, check=False, timeout=280
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def json(self, *arguments: str) -> Any:
        return orjson.loads(self.command(*arguments, "--json").stdout)

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [LOOKALIKE, "serve", "--port", str(self.port)], env=self.environment, stdout=log, stderr=log
            )
        try:
            self.wait_ready()
        except BaseException:
            self.process.kill()
            self.process.wait(200)
            self.process = None
            raise

    def wait_ready(self, seconds: float = 200) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert self.process is None or self.process.poll() is None, self.log.read_text()
            try:
                if requests.get(f"{self.url}/readyz", timeout=5).status_code == 200:
                    return
            except (requests.ConnectionError, requests.Timeout):
                pass  # not yet, or the machine is busy
            time.sleep(0.1)
        raise AssertionError(f"the server did not become ready:\n{self.log.read_text()}")

    def stop(self, how: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(how)
        code = self.process.wait(200)
        self.process = None
        return code


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A folder served by a web server on this host, and its URL."""
    folder = tmp_path_factory.mktemp("pictures")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, directory=str(folder), **named)

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://localhost:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def server(
    module_database_url: str, tmp_path_factory: pytest.TempPathFactory, pictures: tuple[Path, str]
) -> Iterator[Server]:
    """A server on a database of the module's own; it may fetch from this host."""
    home = tmp_path_factory.mktemp("server")
    environment = clean_environment(
        LOOKALIKE_HOME=str(home),
        DATABASE_URL=module_database_url,
        LOOKALIKE_FETCH_ALLOW_PRIVATE="true",
        LOOKALIKE_FETCH_PORTS=f"[{pictures[1].rsplit(':', 1)[1]}]",
    )
    made = Server(environment, home / "log")
    made.start()
    yield made
    assert made.stop() == 0


@pytest.fixture
def embedded_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Server]]:
    """Make a server on an embedded database of its own."""
    made: list[Server] = []

    def make() -> Server:
        home = tmp_path_factory.mktemp("embedded-server")
        made.append(Server(clean_environment(LOOKALIKE_HOME=str(home / "home")), home / "log"))
        return made[-1]

    yield make
    for one in made:
        if one.process is not None:
            one.stop()
