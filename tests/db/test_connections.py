"""Connections that are lost, late or all in use: what is done again, what is said, and how soon."""

import threading
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from app.db import schema
from app.db.engine import Connection, Database
from app.db.errors import ConnectionLost, ReadOnly, TookTooLong, translated
from app.domain.errors import InTheWay, LookalikeError, MissingRights, Unavailable
from tests.drills.proxy import Proxy
from tests.support.waiting import eventually


def backend(connection: Connection) -> int:
    row = connection.execute("SELECT pg_backend_pid() AS pid").fetchone()
    assert row is not None
    return int(row["pid"])


def test_a_read_on_a_connection_that_died_is_done_again(db: Database, server_url: str) -> None:
    dead = db.read(backend)
    with psycopg.connect(server_url) as administrator:
        administrator.execute("SELECT pg_terminate_backend(%s)", (dead,))
    assert db.read(backend) != dead


def test_a_connection_that_the_network_has_forgotten_is_noticed(database_url: str) -> None:
    place = conninfo_to_dict(database_url)
    socket = Path(str(place.get("host", ""))) / f".s.PGSQL.{place.get('port')}"
    if not socket.is_socket():
        pytest.skip("the network is cut in front of a server on a Unix socket of this machine")
    proxy = Proxy(socket)
    url = make_conninfo(database_url, host="127.0.0.1", port=proxy.port)
    # Without an end of its own a statement would wait for three minutes.
    db = Database(url, timeout_seconds=60, statement_timeout_ms=180_000)
    db.open()
    before = db.read(backend)
    proxy.cut()
    proxy.mend(forget=True)
    assert db.read(backend) != before
    settings = (
        "SELECT current_setting('tcp_user_timeout') AS it"  # over a Unix socket nothing is lost, and this reads 0
    )
    assert db.one(settings) == {"it": "0"}
    db.close()
    proxy.reset()


def test_a_write_on_a_connection_that_died_is_not_done_again(db: Database, server_url: str) -> None:
    tries = []

    def work(connection: Connection) -> None:
        tries.append(connection.info.backend_pid)
        connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(Unavailable):
        db.write(work)
    assert len(tries) == 1
    assert db.read(backend) not in tries


def test_all_connections_in_use_is_not_told_as_a_database_that_is_away(database_url: str) -> None:
    db = Database(database_url, connections=1, timeout_seconds=0.3)
    db.open()

    def connected() -> int | None:
        with suppress(Unavailable):  # a busy machine takes longer to connect
            return db.read(backend)
        return None

    before = eventually(connected)
    held, free = threading.Event(), threading.Event()

    def hold(_: Connection) -> None:
        held.set()
        free.wait(20)

    holder = threading.Thread(target=db.read, args=(hold,))
    holder.start()
    held.wait(20)
    assert db.busy()
    with pytest.raises(Unavailable, match="no database connection is free"):
        db.read(schema.is_current)
    free.set()
    holder.join()
    assert not db.busy()
    assert db.read(backend) == before  # the connection that was in use is kept
    db.close()


def test_a_database_that_is_away_is_told_as_one() -> None:
    db = Database("postgresql:///shop?host=/nowhere", timeout_seconds=0.3)
    db.open()
    for work in (db.read, db.write):
        with pytest.raises(Unavailable, match="the database cannot be reached"):
            work(schema.is_current)
    db.close()


def test_a_statement_that_the_server_does_not_end_is_ended_by_the_client(database_url: str) -> None:
    db = Database(database_url)
    db.open()

    def late(connection: Connection) -> None:
        connection.patience = 0.2
        connection.execute("SELECT pg_sleep(20)")

    with pytest.raises(Unavailable, match="the database cannot be reached"):
        db.read(late)
    assert db.read(schema.is_current)
    db.close()


def test_a_session_is_broken_off_although_another_was_open_in_it(db: Database) -> None:
    """As a build of an index, which sets copies apart in a session of its own first."""
    begun = threading.Event()
    told: list[str] = []

    def build() -> None:
        with db.session() as outer:
            with db.session() as inner:
                inner.execute("SELECT 1")
            begun.set()
            try:
                outer.execute("SELECT pg_sleep(60)")
            except psycopg.errors.QueryCanceled as error:
                told.append(str(error))

    thread = threading.Thread(target=build)
    thread.start()
    assert begun.wait(30)

    def ended() -> bool:
        db.interrupt(thread.ident or 0)  # it may come before the statement
        return not thread.is_alive()

    eventually(ended)
    assert told
    assert "user request" in told[0]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        *((code, ConnectionLost) for code in ("08000", "08001", "08003", "08006", "08P01")),
        *((code, ConnectionLost) for code in ("57P01", "57P02", "57P03", "57P04", "57P05")),
        *((code, ConnectionLost) for code in ("08004", "08007", "08999", "57P99")),
        ("25006", ReadOnly),
        *((code, Unavailable) for code in ("53000", "53100", "53200", "53300", "53400", "53999")),
        *((code, Unavailable) for code in ("57000", "58000", "58030", "25P03")),
        *((code, TookTooLong) for code in ("57014", "25P04")),
        *((code, InTheWay) for code in ("55P03", "40P01", "40001", "40000", "40003")),
        ("42501", MissingRights),
    ],
)
def test_an_error_of_the_database_is_one_of_these(code: str, kind: type[LookalikeError], empty_database: str) -> None:
    with pytest.raises(LookalikeError) as raised, translated(), psycopg.connect(empty_database) as connection:
        connection.execute(f"DO $$ BEGIN RAISE SQLSTATE '{code}'; END $$".encode())
    assert type(raised.value) is kind


def test_a_connection_that_takes_no_writes_is_given_up(db: Database, database_url: str) -> None:
    """It leads to a server that was a primary once; a new one may lead to the primary of now."""
    before = db.read(backend)

    def work(connection: Connection) -> None:
        connection.execute("SET LOCAL transaction_read_only = on")
        connection.execute("CREATE TABLE public.written (id integer)")

    with pytest.raises(ReadOnly, match="the database takes no writes now"):
        db.write(work)
    assert db.read(backend) != before
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT to_regclass('public.written')").fetchone() == (None,)


def test_a_warning_of_somebody_else_s_at_commit_is_no_standby_that_has_not_confirmed(db: Database) -> None:
    db.write(
        lambda connection: connection.execute("""
            CREATE TABLE public.noted (n integer);
            CREATE FUNCTION public.warn() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN RAISE WARNING 'noted'; RETURN NULL; END $$;
            CREATE CONSTRAINT TRIGGER warns AFTER INSERT ON public.noted DEFERRABLE INITIALLY DEFERRED
                FOR EACH ROW EXECUTE FUNCTION public.warn()
        """)
    )
    db.write(lambda connection: connection.execute("INSERT INTO public.noted VALUES (1)"))
    assert db.one("SELECT count(*) AS number FROM public.noted") == {"number": 1}
