"""A server process, as a user starts it, for the time of a benchmark."""

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from app.domain.errors import ConfigurationError
from tests.server.conftest import free_port

_READY_SECONDS = 120
_STOP_SECONDS = 40
_PROGRAM = "from app.cli import main; main()"


@contextmanager
def running(environment: dict[str, str], log: Path) -> Iterator[int]:
    """Start `lookalike serve` on a free port, give the port when it is ready, stop it at the end.

    Args:
        environment: variables beside this process's own; `DATABASE_URL` is among them.
        log: file that the server's output goes to.

    Raises:
        ConfigurationError: it ended, or was not ready in time; the message names the log.

    """
    port = free_port()
    arguments = ["serve", "--host", "127.0.0.1", "--port", str(port)]
    with _started(arguments, {"LOOKALIKE_WORKERS": "1"} | environment, log) as process:
        _wait(process, port, log)
        yield port


def worker(environment: dict[str, str], log: Path) -> AbstractContextManager["subprocess.Popen[bytes]"]:
    """Run `lookalike worker`, which does jobs in a process of its own, until the end of the block."""
    return _started(["worker"], environment, log)


@contextmanager
def _started(arguments: Sequence[str], environment: dict[str, str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, *arguments], env=os.environ | environment, stdout=stream, stderr=stream
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        if is_ready(port):
            return
        time.sleep(0.1)
    raise ConfigurationError(f"the server did not start; see {log}")


def is_ready(port: int) -> bool:
    """Say whether a server on this machine can serve."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
