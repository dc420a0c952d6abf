"""A real pgbouncer in transaction mode in front of the tests' server."""

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from tests.server.conftest import free_port


def program() -> str | None:
    return shutil.which("pgbouncer") or shutil.which("/usr/sbin/pgbouncer")


@contextmanager
def in_front_of(url: str, folder: Path, server_sessions: int = 2, more: str = "") -> Iterator[str]:
    """Give the URL of the same database behind a pooler that has `server_sessions` server connections for everyone.

    `more` are further lines of its settings.
    """
    parts = conninfo_to_dict(url)
    port = free_port()
    place = " ".join(f"{key}={parts[key]}" for key in ("host", "port", "user", "password", "dbname") if key in parts)
    written = folder / "pgbouncer.ini"
    written.write_text(
        f"""[databases]
        {parts["dbname"]} = {place}
        [pgbouncer]
        listen_addr = 127.0.0.1
        listen_port = {port}
        unix_socket_dir =
        auth_type = any
        pool_mode = transaction
        default_pool_size = {server_sessions}
        max_client_conn = 200
        {more}
        """.replace("\n        ", "\n")
    )
    written.chmod(0o644)
    command = [str(program()), "-q", str(written)]
    if os.geteuid() == 0:  # it does not run as root
        host = Path(str(parts.get("host", "/")))
        owner = pwd.getpwuid(host.stat().st_uid).pw_name if host.is_dir() else "nobody"
        command[1:1] = ["-u", "nobody" if owner == "root" else owner]
        for above in (folder, *folder.parents):
            if above.is_relative_to(Path("/tmp")) and above != Path("/tmp"):
                above.chmod(above.stat().st_mode | 0o011)
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log, cwd="/") as process:
        try:
            _wait(port, folder / "log")
            yield f"postgresql://pooled@127.0.0.1:{port}/{parts['dbname']}"
        finally:
            process.terminate()


def _wait(port: int, log: Path) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"pgbouncer did not start:\n{log.read_text()}")
