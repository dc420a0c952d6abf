"""What keeps a URL from a database is said in one line: the reason of libpq or the server, and what to look at."""

import socket
from collections.abc import Iterator
from threading import Thread

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from app.db import schema
from app.db.conninfo import reach
from app.db.engine import Database
from app.domain.errors import ConfigurationError


@pytest.fixture
def stranger() -> Iterator[int]:
    """The port of a server that speaks HTTP to everybody."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(1024)
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

        Thread(target=answer, daemon=True).start()
        yield int(listening.getsockname()[1])
        listening.shutdown(socket.SHUT_RDWR)


def refused(url: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        reach(url)
    sentence = str(caught.value)
    assert sentence.startswith("DATABASE_URL does not lead to a database: ")
    assert "\n" not in sentence
    assert "sam3" not in sentence
    return sentence


def changed(url: str, **parts: str) -> str:
    return make_conninfo(**{**{name: str(value) for name, value in conninfo_to_dict(url).items()}, **parts})


def test_a_database_or_a_role_that_is_not_there(server_url: str) -> None:
    assert 'database "nothere" does not exist; check the database' in refused(
        changed(server_url, dbname="nothere", password="sam3")
    )
    assert 'role "nobody_here" does not exist; check the user' in refused(
        changed(server_url, user="nobody_here", password="sam3")
    )


def test_a_role_that_may_not_log_in_or_has_no_connection_left(server_url: str) -> None:
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute("CREATE ROLE reach_limited CONNECTION LIMIT 0")
        url = changed(server_url, user="reach_limited", password="sam3")
        assert "is not permitted to log in; check the user" in refused(url)
        connection.execute("ALTER ROLE reach_limited LOGIN")
        assert "too many connections for role" in refused(url)
        connection.execute("DROP ROLE reach_limited")


def test_a_database_that_the_role_may_not_use(server_url: str, empty_database: str) -> None:
    name = sql.Identifier(str(conninfo_to_dict(empty_database)["dbname"]))
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute("CREATE ROLE reach_kept_out LOGIN")
        connection.execute(sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(name))
        url = changed(empty_database, user="reach_kept_out")
        assert "permission denied for database" in refused(url)
        connection.execute("DROP ROLE reach_kept_out")


def test_nobody_or_somebody_else_answers(stranger: int) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        said = refused(f"postgresql://ana:sam3@127.0.0.1:{port}/shop")
        assert f"port {port} failed: Connection refused; check host and port, and whether the server runs" in said
        two = refused(f"postgresql://ana:sam3@127.0.0.1:{port},127.0.0.1:{stranger}/shop")
        assert "Connection refused" in two
        assert "invalid response" in two
    said = refused(f"postgresql://ana:sam3@127.0.0.1:{stranger}/shop")
    assert "what answers there is no PostgreSQL server: check host and port" in said
    assert "check the host's name" in refused("postgresql://ana:sam3@nowhere.invalid/shop")


def test_any_form_that_libpq_reads_serves_for_everything(empty_database: str) -> None:
    place = str(conninfo_to_dict(empty_database)["host"])
    if not place.startswith("/"):
        pytest.skip("the tests' server is not on a Unix socket")
    port = conninfo_to_dict(empty_database).get("port", "5432")
    for url in (
        changed(empty_database, host=f"/nowhere,{place}", port=f"1,{port}"),
        empty_database.replace("postgresql://", "postgresql+psycopg://"),
    ):
        assert schema.upgrade(reach(url)) == schema.upgrade(url) or schema.current_revision(url) == schema.head()
        db = Database(url)
        db.open()
        assert db.read(schema.is_current)
        db.close()
