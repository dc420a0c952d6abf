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
BREAKS_READS_OFF = (
    "ALTER SYSTEM SET max_standby_streaming_delay = 0",
    "ALTER SYSTEM SET hot_standby_feedback = off",
    "SELECT pg_reload_conf()",
)
"""What has a standby end its reads as soon as a vacuum on the primary is in their way."""


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

    def tell(self, server: Server, *statements: str) -> None:
        """Run statements that give nothing, each by itself, as the administrator."""
        with psycopg.connect(self.url(server), autocommit=True) as connection:
            for one in statements:
                connection.execute(one.encode())

    def another(self, port: int) -> Server:
        """Make one more standby of the primary, on a port of its own."""
        return copied(_words(self.primary), self.primary.folder.parent / f"standby{port}", port)

    def stop(self) -> None:
        for one in (self.standby, self.primary):
            one.stop()


def pair(url: str, folder: Path) -> Pair:
    """Copy the server that a URL leads to: as a primary, and from that one a standby. The database is the URL's."""
    place = conninfo_to_dict(url)
    if bundled_program("pg_basebackup") is None or not str(place.get("host", "")).startswith("/"):
        pytest.skip("a standby is made of the embedded server, which is not the one that the tests use")
    source = make_conninfo(host=place["host"], port=place.get("port", 5432), user=place["user"])
    primary = copied(source, folder / "primary", 5601, stands_by=False)
    return Pair(primary, copied(_words(primary), folder / "standby", 5602), str(place["dbname"]))


def copied(source: str, data: Path, port: int, *, stands_by: bool = True) -> Server:
    """Copy a server, and start the copy on a port: as its standby, or as one that goes its own way."""
    program = bundled_program("pg_basebackup")
    assert program is not None
    user = "pgserver" if os.geteuid() == 0 else None
    arguments = ["--checkpoint=fast", "--wal-method=stream", "--no-sync", f"--pgdata={data}", f"--dbname={source}"]
    arguments += ["--write-recovery-conf"] if stands_by else []
    data.parent.mkdir(exist_ok=True)
    data.parent.chmod(0o755)
    data.mkdir(mode=0o700)
    if user is not None:
        os.chown(data, pwd.getpwnam(user).pw_uid, -1)
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False, cwd="/", **as_user(user))
    assert done.returncode == 0, done.stderr
    made = Server(Postmaster(data.resolve(), Path(program).parent, user), port)
    made.start()
    return made


def _words(server: Server) -> str:
    return make_conninfo(host=str(server.folder), port=server.port, user="postgres")
