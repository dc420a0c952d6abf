"""A command that is stopped by a signal takes its embedded database with it."""

import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from app.db.embedded import EmbeddedDatabase
from tests.server.conftest import LOOKALIKE, clean_environment


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("stopping")
    database = EmbeddedDatabase(made)
    database.start()
    database.stop()
    return made


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_a_command_and_its_embedded_database(how: signal.Signals, home: Path) -> None:
    with subprocess.Popen(
        [LOOKALIKE, "db", "psql", "--no-psqlrc", "--quiet", "--tuples-only"],
        env=clean_environment(LOOKALIKE_HOME=str(home)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as command:
        assert command.stdin is not None
        assert command.stdout is not None
        assert command.stderr is not None
        for asked in ("here", "still here"):
            command.stdin.write(f"SELECT '{asked}';\n\n")
            command.stdin.flush()
            while (line := command.stdout.readline()) == "\n":
                pass
            assert line == f" {asked}\n"
            if asked == "here":
                command.send_signal(signal.SIGINT)  # is psql's affair, and no reason to stop its server
        server = psutil.Process(int((home / "postgres" / "postmaster.pid").read_text().partition("\n")[0]))
        command.send_signal(how)
        assert command.wait(30) == 128 + how
        assert not server.is_running() or server.status() == psutil.STATUS_ZOMBIE
        assert not (home / "postgres" / "postmaster.pid").exists()
        command.stdin.close()
        said = command.stderr.read()
    assert f"lookalike: stopped by {how.name}: nothing is left half done; run the same command again\n" in said
    assert "Traceback" not in said
