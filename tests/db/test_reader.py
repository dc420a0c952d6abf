"""Logins that only read, and the port on which the embedded database takes them and nobody else."""

import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from click.testing import CliRunner, Result
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from app.cli import cli
from app.db import backup, reader, schema
from app.db.conninfo import reach
from app.db.embedded import EmbeddedDatabase
from app.domain.errors import ConfigurationError
from tests.server.conftest import free_port

_NAME = "lookalike_bi"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int, str]]:
    """An embedded database that listens on a port: its home, the port, the owner's URL."""
    home, port = tmp_path_factory.mktemp("reader") / "home", free_port()
    database = EmbeddedDatabase(home, port=port)
    url = database.start()
    schema.upgrade(url)
    yield home, port, url
    database.stop()


def test_the_url_of_a_server_that_is_not_running_is_that_of_the_next_one(tmp_path: Path) -> None:
    database = EmbeddedDatabase(tmp_path / "home", port=free_port())
    before = database.url
    assert database.start() == before
    database.stop()


@pytest.mark.parametrize(
    ("admin", "places"),
    [
        ("postgresql://ana:open@a:1,b:2/shop?sslmode=require", "a:1,b:2/shop?sslmode=require"),
        ("host=a,b dbname=shop", "a:5432,b:5432/shop"),
        ("host=a,b port=,7 dbname=shop", "a:5432,b:7/shop"),
        ("host=::1 port=7 user=ana", "%3A%3A1:7/ana"),
    ],
)
def test_a_readers_url_names_every_host(admin: str, places: str) -> None:
    assert reader.url_of(admin, "bi", "word") == f"postgresql://bi:word@{places}"


def test_a_service_is_looked_up_for_a_readers_url(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A password of the passfile and a place of the service file serve for everything that connects."""
    parts = conninfo_to_dict(database_url)
    words = "".join(f"{name}={value}\n" for name, value in parts.items())
    (tmp_path / "services").write_text(f"[shop]\n{words}")
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    url = reach("service=shop")
    assert schema.ensure(url) == []
    assert schema.problems(url) == []
    backup.dump(url, tmp_path / "dump")
    assert (tmp_path / "dump").stat().st_size
    made = conninfo_to_dict(reader.url_of(url, "bi", "word"))
    assert {name: made[name] for name in ("host", "dbname")} == {name: parts[name] for name in ("host", "dbname")}


def run(home: Path, port: int | None, *arguments: str) -> Result:
    variables = {"DATABASE_URL": None, "LOOKALIKE_HOME": str(home), "LOOKALIKE_EMBEDDED_PORT": str(port or "")}
    return CliRunner().invoke(cli, ["db", "reader", *arguments], env=variables)


def test_a_reader_reads_by_the_port_and_does_no_more(served: tuple[Path, int, str]) -> None:
    home, port, owner = served
    made = run(home, port)
    assert made.exit_code == 0, made.output
    url = made.stdout.strip()
    assert (urlsplit(url).username, urlsplit(url).hostname, urlsplit(url).port) == (_NAME, "127.0.0.1", port)
    with psycopg.connect(url, autocommit=True) as reader:
        assert reader.execute("SELECT count(*) FROM lookalike.collection_stats").fetchone() == (0,)
        assert reader.execute("SHOW statement_timeout").fetchone() == ("1min",)
        for statement in ("DELETE FROM lookalike.tokens", "CREATE TABLE lookalike.mine ()", "CREATE TABLE mine ()"):
            with pytest.raises(errors.ReadOnlySqlTransaction):
                reader.execute(statement.encode())
        reader.execute("SET default_transaction_read_only = off")  # the rights hold, whatever it sets
        for statement in (
            "DELETE FROM lookalike.tokens",
            "SELECT * FROM lookalike.tokens",
            "UPDATE lookalike.collections SET name = 'x'",
            "CREATE TABLE lookalike.mine ()",
            "CREATE ROLE other",
        ):
            with pytest.raises(errors.InsufficientPrivilege):
                reader.execute(statement.encode())
    with psycopg.connect(owner) as connection:
        row = connection.execute("SELECT rolpassword FROM pg_authid WHERE rolname = %s", (_NAME,)).fetchone()
    assert row is not None
    assert row[0].startswith("SCRAM-SHA-256$")


def test_a_new_password_replaces_the_old_one(served: tuple[Path, int, str]) -> None:
    home, port, _ = served
    old, new = (run(home, port).stdout.strip() for _ in range(2))
    with psycopg.connect(new):
        pass
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(old)


def test_nobody_else_comes_in_by_the_port(served: tuple[Path, int, str]) -> None:
    home, port, owner = served
    url = urlsplit(run(home, port).stdout.strip())
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute("CREATE ROLE app LOGIN PASSWORD 'known' IN ROLE lookalike_app")
    for user, password in (
        ("postgres", "known"),
        ("app", "known"),
        ("nobody", "known"),
        (_NAME, "wrong"),
        (_NAME, None),
    ):
        with pytest.raises(psycopg.OperationalError, match=r"pg_hba\.conf rejects|password"):
            psycopg.connect(host="127.0.0.1", port=port, dbname="lookalike", user=user, password=password)
    with pytest.raises(psycopg.OperationalError, match=r"pg_hba\.conf rejects"):
        psycopg.connect(host="127.0.0.1", port=port, dbname="postgres", user=_NAME, password=url.password)


def test_a_refused_login_is_told_in_one_line_that_holds_no_password(served: tuple[Path, int, str]) -> None:
    home, port, _ = served
    good = run(home, port).stdout.strip()
    password = str(urlsplit(good).password)
    assert reach(good) == good
    for url, said in (
        (good.replace(password, "secret-x"), "check the user and the password"),
        (good.replace(f":{password}@", "@"), "check the user and the password"),
        (f"{good}?sslmode=require", "check sslmode"),
        (good.replace("/lookalike", "/postgres"), r"pg_hba\.conf does not let this host, user and database in"),
    ):
        with pytest.raises(ConfigurationError, match=said) as refused:
            reach(url)
        told = str(refused.value)
        assert "\n" not in told
        assert not any(secret in told for secret in (password, "secret-x"))


def test_a_role_that_may_more_is_not_made_a_reader(served: tuple[Path, int, str]) -> None:
    home, port, owner = served
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute("CREATE ROLE writer LOGIN PASSWORD 'known' IN ROLE lookalike_app, lookalike_reader")
    for name in ("postgres", "writer", "lookalike_reader", "lookalike_app"):
        made = run(home, port, "--name", name)
        assert isinstance(made.exception, ConfigurationError)
        assert "is more than a reader" in str(made.exception)
    odd = run(home, port, "--name", 'o"d, n@me')
    assert odd.exit_code == 0, odd.output
    with psycopg.connect(odd.stdout.strip()) as reader:
        assert reader.execute("SELECT current_user").fetchone() == ('o"d, n@me',)


def test_without_the_setting_nothing_listens_and_a_reader_is_refused(tmp_path: Path) -> None:
    database = EmbeddedDatabase(tmp_path / "home")
    url = database.start()
    with psycopg.connect(url) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
    made = run(tmp_path / "home", None)
    database.stop()
    assert isinstance(made.exception, ConfigurationError)
    assert "set LOOKALIKE_EMBEDDED_PORT" in str(made.exception)


def test_a_port_that_is_taken_is_said_and_no_server_is_left(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        database = EmbeddedDatabase(tmp_path / "home", port=port)
        with pytest.raises(ConfigurationError, match=f"LOOKALIKE_EMBEDDED_PORT is {port}, which cannot be listened on"):
            database.start()
        assert not database.runs()


def test_any_postgresql_takes_readers(database_url: str) -> None:
    made = CliRunner().invoke(cli, ["db", "reader", "--name", "reader_here"], env={"DATABASE_URL": database_url})
    assert made.exit_code == 0, made.output
    assert urlsplit(made.stdout.strip()).username == "reader_here"
    with psycopg.connect(database_url, autocommit=True) as connection:
        row = connection.execute(
            "SELECT pg_has_role('reader_here', 'lookalike_reader', 'MEMBER'), rolconnlimit FROM pg_roles"
            " WHERE rolname = 'reader_here'"
        ).fetchone()
        assert row == (True, 20)
        connection.execute("CREATE ROLE weak LOGIN")
        connection.execute("GRANT USAGE ON SCHEMA lookalike TO weak")
        connection.execute("DROP ROLE reader_here")
    weak = make_conninfo(database_url, user="weak")
    refused = CliRunner().invoke(cli, ["db", "reader"], env={"DATABASE_URL": weak})
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DROP OWNED BY weak")
        connection.execute("DROP ROLE weak")
    assert isinstance(refused.exception, ConfigurationError), refused.output
    assert "may not" in str(refused.exception)
