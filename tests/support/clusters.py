"""A primary and a standby of its own, copied from the tests' server: streaming replication as it is, without Docker."""

import os
import pwd
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from app.db.embedded import bundled_program
from app.db.postmaster import Postmaster, as_user

_START_SECONDS = 120


@dataclass
class Server:
    """One PostgreSQL server of the pair."""

    postmaster: Postmaster
    port: int

    @property
    def folder(self) -> Path:
        """The folder of its socket."""
        return self.postmaster.data

    def start(self) -> None:
        self.postmaster.start(["-h", "", "-k", str(self.folder), "-p", str(self.port), "-c", "synchronous_commit=on"])
        deadline = time.monotonic() + _START_SECONDS
        while not self.postmaster.is_ready():
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.02)

    def kill(self) -> None:
        """End it as a machine that loses its power does."""
        found = self.postmaster.process()
        assert found is not None
        children = found.children()
        for one in (found, *children):
            one.send_signal(signal.SIGKILL)
        psutil.wait_procs([found, *children], 30)

    def stop(self) -> None:
        self.postmaster.stop()


@dataclass
class Pair:
    """A primary with a database, and a standby that follows it."""

    primary: Server
    standby: Server
    database: str

    def url(self, *servers: Server, more: str = "") -> str:
        """Return the URL of the database on these servers, or on the first of them that fits."""
        hosts = ",".join(quote(str(one.folder), safe="") for one in servers)
        ports = ",".join(str(one.port) for one in servers)
        return f"postgresql://postgres@/{self.database}?host={hosts}&port={ports}{more}"

    def run(self, server: Server, statement: str) -> object:
        """Run a statement as the administrator, and return the first value that it gives."""
        with psycopg.connect(self.url(server), autocommit=True) as connection:
            row = connection.execute(statement.encode()).fetchone()
            return row[0] if row else None

    def stop(self) -> None:
        for one in (self.standby, self.primary):
            one.stop()


def pair(url: str, folder: Path) -> Pair:
    """Copy the server that a URL leads to: as a primary, and from that one a standby. The database is the URL's."""
    place = conninfo_to_dict(url)
    program = bundled_program("pg_basebackup")
    if program is None or not str(place.get("host", "")).startswith("/"):
        pytest.skip("a standby is made of the embedded server, which is not the one that the tests use")
    user = "pgserver" if os.geteuid() == 0 else None
    binaries = Path(program).parent
    made: list[Server] = []
    source = make_conninfo(host=place["host"], port=place.get("port", 5432), user=place["user"])
    for port, name in ((5601, "primary"), (5602, "standby")):
        data = folder / name
        arguments = ["--checkpoint=fast", "--wal-method=stream", "--no-sync", f"--pgdata={data}", f"--dbname={source}"]
        arguments += ["--write-recovery-conf"] if made else []
        data.parent.chmod(0o755)
        data.mkdir(mode=0o700)
        if user is not None:
            os.chown(data, pwd.getpwnam(user).pw_uid, -1)
        done = subprocess.run(
            [program, *arguments], capture_output=True, text=True, check=False, cwd="/", **as_user(user)
        )
        assert done.returncode == 0, done.stderr
        made.append(Server(Postmaster(data.resolve(), binaries, user), port))
        made[-1].start()
        source = make_conninfo(host=str(data), port=port, user=place["user"])
    return Pair(made[0], made[1], str(place["dbname"]))
