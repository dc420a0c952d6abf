"""PostgreSQL's server process of one data folder: found, started and stopped, and no other program ever touched.

The process number that a server left in `postmaster.pid` when it was killed may be another program's by now, as in a
container that was started again. So a process counts as the server only where it is a `postgres` that works in
this data folder; PostgreSQL itself would only look whether the number is in use, and refuse to start for good.
"""

import contextlib
import os
import pwd
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from app.domain.errors import ConfigurationError

_QUIT_SECONDS = 5  # as PostgreSQL's own server gives its children after SIGQUIT
STOP_SECONDS = 60


def as_user(name: str | None) -> dict[str, Any]:
    """Return the arguments of `subprocess` that make a program run as a user of the system, with its groups alone."""
    if name is None:
        return {}
    return {"user": name, "group": pwd.getpwnam(name).pw_gid, "extra_groups": []}


def _reap(started: "subprocess.Popen[bytes]") -> None:
    """Wait for a server's end, so that it is no zombie then; signals are the main thread's."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    started.wait()


@dataclass(frozen=True)
class Postmaster:
    """The server of a data folder.

    Args:
        data: the data folder, resolved.
        binaries: folder of `postgres`.
        user: the system's user that it runs as; None: this process's own.

    """

    data: Path
    binaries: Path
    user: str | None

    def place(self) -> tuple[Path, int] | None:
        """Return the folder of the socket and the port of the server that wrote `postmaster.pid` last."""
        lines = self._noted()
        port, folder = lines[3:5] if len(lines) > 4 else ("", "")
        return (Path(folder), int(port)) if folder and port.isdecimal() else None

    def is_ready(self) -> bool:
        """Say whether the server has written that it takes connections; asking it before fills its log."""
        return [line.strip() for line in self._noted()[7:8]] == ["ready"]

    def process(self) -> psutil.Process | None:
        """Return the running server's process; None where there is none that this process can see."""
        lines = self._noted()
        if not lines or not lines[0].isdecimal():
            return None
        try:
            found = psutil.Process(int(lines[0]))
            return found if self._works_here(found) else None
        except psutil.NoSuchProcess:
            return None

    def answers(self) -> bool:
        """Say whether somebody listens on the socket: so it is in another container that shares the folder."""
        place = self.place()
        if place is None:
            return False
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1)
            try:
                probe.connect(os.fspath(place[0] / f".s.PGSQL.{place[1]}"))
            except OSError:
                return False
        return True

    def clear(self) -> None:
        """Remove what a server left behind that was killed; there is none running.

        Its orphaned children are ended first: one of them may still write.
        """
        if not (self.data / "postmaster.pid").exists():
            return
        orphans = [one for one in psutil.process_iter(["name"]) if self._works_here(one)]
        if not self._end(orphans, (signal.SIGQUIT, _QUIT_SECONDS), (signal.SIGKILL, _QUIT_SECONDS)):
            raise ConfigurationError(f"processes of a PostgreSQL that was killed in {self.data} do not end")
        place = self.place()
        if place is not None:
            # The socket's lock names the same process as the folder's.
            for name in (f".s.PGSQL.{place[1]}.lock", f".s.PGSQL.{place[1]}"):
                (place[0] / name).unlink(missing_ok=True)
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def start(self, arguments: Sequence[str]) -> "subprocess.Popen[bytes]":
        """Start the server, in a session of its own: a Ctrl-C of the terminal is not meant for it."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        with (self.data / "log").open("ab") as log:
            started = subprocess.Popen(  # noqa: S603  (no shell: a folder's name may hold anything)
                [self.binaries / "postgres", "-D", self.data, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.data,
                env=environment,
                **as_user(self.user),
                start_new_session=True,
            )
        threading.Thread(target=_reap, args=(started,), daemon=True).start()
        return started

    def stop(self) -> None:
        """Stop the server: running statements are ended, and everything is written to the disk."""
        found = self.process()
        if found is not None:
            self._end([found], (signal.SIGINT, STOP_SECONDS), (signal.SIGQUIT, _QUIT_SECONDS))

    def _end(self, processes: list[psutil.Process], *steps: tuple[int, float]) -> bool:
        """Send signals to processes of this folder, each followed by so many seconds; say whether all have ended."""
        for how, seconds in steps:
            for one in processes:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.send_signal(how)
            deadline = time.monotonic() + seconds
            while (processes := [one for one in processes if self._works_here(one)]) and time.monotonic() < deadline:
                time.sleep(0.02)
        return not processes

    def _noted(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text(errors="surrogateescape").split("\n")
        except FileNotFoundError:
            return []

    def _works_here(self, found: psutil.Process) -> bool:
        try:
            return (
                found.name().startswith("postgres")
                and found.status() != psutil.STATUS_ZOMBIE
                and Path(found.cwd()) == self.data
            )
        except psutil.Error:  # gone, or another user's
            return False
