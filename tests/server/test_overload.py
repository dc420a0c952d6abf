"""More than the server can do: everybody is answered in time, the health checks too, and all is well afterwards."""

import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import psycopg.sql
import pytest
import requests

from tests.api.conftest import drawing, picture
from tests.bench.clients import HttpClient, HttpJob, post
from tests.server.conftest import Server, clean_environment
from tests.support.calls import call, insert, prepared
from tests.support.databases import Databases
from tests.support.waiting import eventually

_THREADS = 8
_CLIENTS = 200
_QUEUE = 50
_QUEUE_SECONDS = 1.0
_QUEUE_SECONDS_PATIENT = 60
# Longer than a busy machine takes for what is asked while the table is locked, or what is locked would be over before.
_STATEMENT_SECONDS = 20.0
# Who is served last has waited for a thread, for a connection, and for its statement, which is run once more at most.
_BOUND = _QUEUE_SECONDS + 1 + 2 * (1 + _STATEMENT_SECONDS)


@pytest.fixture(scope="module")
def crowded_url(databases: Databases, template: str) -> Iterator[str]:
    with databases.copy(template) as url:
        yield url


@pytest.fixture(scope="module")
def crowded(crowded_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str]]:
    """A server with a short queue, ten records, and a token; each test leaves it as good as new."""
    home = tmp_path_factory.mktemp("crowded")
    environment = clean_environment(
        LOOKALIKE_HOME=str(home),
        DATABASE_URL=crowded_url,
        LOOKALIKE_THREADS=str(_THREADS),
        LOOKALIKE_QUEUE_REQUESTS=str(_QUEUE),
        LOOKALIKE_QUEUE_SECONDS=str(_QUEUE_SECONDS),
        LOOKALIKE_POOL_TIMEOUT_SECONDS="1",
        LOOKALIKE_STATEMENT_TIMEOUT_MS=str(int(_STATEMENT_SECONDS * 1000)),
    )
    server = Server(environment, home / "log")
    token = prepared(server)
    server.start()
    assert insert(server, token, *range(10)) == 210
    yield server, token
    assert server.stop() == 0


@contextmanager
def locked(database_url: str, table: str = "lookalike.records") -> Iterator[None]:
    """Let searches wait: nobody else may read the records."""
    with psycopg.connect(database_url) as connection:
        connection.execute(psycopg.sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(_named(table)))
        yield


def _named(table: str) -> psycopg.sql.Identifier:
    return psycopg.sql.Identifier(*table.split("."))


def asked(server: Server, token: str, number: int = 1) -> tuple[requests.Response, float]:
    started = time.monotonic()
    answer = call(server, token, "visualKNN", {"query_record": {"_id": str(number % 10)}, "k": 3})
    return answer, time.monotonic() - started


def refused(answer: requests.Response) -> bool:
    """Whether it is the whole refusal: envelope, status, and when to try again."""
    return (
        answer.status_code == 503
        and answer.json()["status"]["code"] == 503
        and answer.json()["status"]["request_id"] == answer.headers["X-Request-ID"]
        and int(answer.headers["Retry-After"]) >= 1
    )


def busy(server: Server, running: "Sequence[Future[Any]]", answers: int) -> None:
    """Wait until so many of the requests have been answered."""
    end = time.monotonic() + _QUEUE_SECONDS_PATIENT / 2
    while sum(one.done() for one in running) < answers:
        assert time.monotonic() < end, server.log.read_text()
        time.sleep(0.02)


def standing(database_url: str, number: int) -> None:
    """Wait until so many statements stand before the locked table: as many threads are busy then."""
    waiting = (
        "SELECT count(DISTINCT l.pid) FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database"
        " WHERE d.datname = current_database() AND NOT l.granted"
    )
    with psycopg.connect(database_url, autocommit=True) as connection:
        eventually(lambda: connection.execute(waiting).fetchone(), lambda row: row == (number,))


def test_a_flood_on_a_slow_database_is_answered_in_time(crowded: tuple[Server, str], crowded_url: str) -> None:
    server, token = crowded
    with ThreadPoolExecutor(_CLIENTS) as clients:
        with locked(crowded_url):
            running = [clients.submit(asked, server, token, number) for number in range(_CLIENTS)]
            busy(server, running, _CLIENTS - _QUEUE - _THREADS)
            for _ in range(5):
                assert requests.get(f"{server.url}/healthz", timeout=5).json() == {"status": "ok"}
            assert sum(not one.done() for one in running) >= _THREADS, "the searches were over before the health checks"
            time.sleep(_QUEUE_SECONDS)
        done, _ = wait(running, timeout=_BOUND)
        assert len(done) == _CLIENTS
    answers = [one.result() for one in running]
    assert all(answer.status_code == 200 or refused(answer) for answer, _ in answers)
    assert max(took for _, took in answers) < _BOUND
    codes = Counter(answer.status_code for answer, _ in answers)
    assert codes[200] >= 1  # what ran was not given up
    assert codes[503] >= _CLIENTS - _QUEUE - _THREADS

    # No more at a time than threads: nobody waits for one, however long each takes.
    with ThreadPoolExecutor(_THREADS) as clients:
        after = list(clients.map(lambda number: asked(server, token, number)[0], range(100)))
    assert {answer.status_code for answer in after} == {200}, {answer.text for answer in after}


def test_who_waits_for_a_thread_is_told_after_the_time_of_the_settings(
    crowded: tuple[Server, str], crowded_url: str
) -> None:
    """Fewer than may wait, so all do; and a kept-alive connection that was refused serves on."""
    server, token = crowded
    headers = {"Authorization": f"Token {token}", "collection-id": "c"}
    with ThreadPoolExecutor(_THREADS) as clients, requests.Session() as session:
        session.headers.update(headers)
        url = f"{server.url}/photo/search/v2/visualKNN"
        body: dict[str, Any] = {"query_record": {"_id": "1"}, "k": 3}

        def answered() -> requests.Response:
            """What the server says in the end: a machine that stood still for a second is what 503 is for."""
            return eventually(lambda: session.post(url, json=body, timeout=60), lambda one: one.status_code == 200)

        answered()
        with locked(crowded_url):
            running = [clients.submit(asked, server, token) for _ in range(_THREADS)]
            standing(crowded_url, _THREADS)
            started = time.monotonic()
            answer = session.post(url, json=body, timeout=60)
            took = time.monotonic() - started
            assert refused(answer)
            assert "more requests than it can serve" in answer.json()["status"]["error_description"]
            assert took >= _QUEUE_SECONDS
            assert requests.get(f"{server.url}/readyz", timeout=60).status_code in (200, 503)
            assert not any(one.done() for one in running), "nobody was answered before who waited for less"
        wait(running)
        answered()


def test_connections_that_send_nothing_hold_no_place(crowded: tuple[Server, str], crowded_url: str) -> None:
    server, token = crowded
    with ThreadPoolExecutor(_THREADS + 1) as clients:
        with locked(crowded_url):
            running = [clients.submit(asked, server, token) for _ in range(_THREADS)]
            standing(crowded_url, _THREADS)
            silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(_QUEUE + 10)]
            waiting = clients.submit(asked, server, token)
            assert requests.get(f"{server.url}/healthz", timeout=5).status_code == 200
        wait([*running, waiting])
        eventually(lambda: asked(server, token)[0], lambda one: one.status_code == 200)
    for one in silent:
        one.close()


@pytest.fixture
def single(database_url: str, tmp_path: Path) -> Iterator[Server]:
    """A server of one thread."""
    server = Server(
        clean_environment(LOOKALIKE_HOME=str(tmp_path / "home"), DATABASE_URL=database_url, LOOKALIKE_THREADS="1"),
        tmp_path / "log",
    )
    server.start()
    yield server
    assert server.stop() == 0


def test_a_client_that_asks_without_a_pause_keeps_its_thread_from_nobody(single: Server) -> None:
    """The thread waits a moment for a client's next request: not while another client waits for it."""
    job = HttpJob("127.0.0.1", single.port, (post("/photo/search/v2/ping", {}, b""),), b"Lookalike")
    stop = threading.Event()
    good = 0

    def hurried() -> None:
        nonlocal good
        client = HttpClient(job)
        try:
            while not stop.is_set():
                assert client.ask(0)
                good += 1
        finally:
            client.close()

    with ThreadPoolExecutor(1) as clients, requests.Session() as session:
        running = clients.submit(hurried)
        try:
            asked = 0
            while asked < 50 or (good < 50 and not running.done()):
                started = time.monotonic()
                assert session.get(f"{single.url}/photo/search/v2/ping", timeout=5).status_code == 200
                assert time.monotonic() - started < 1
                asked += 1
        finally:
            stop.set()
        running.result()


@pytest.fixture(scope="module")
def patient(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str]]:
    """A server of two threads and a queue of twenty that gives clients up after a second, and a token."""
    home = tmp_path_factory.mktemp("patient")
    environment = clean_environment(
        LOOKALIKE_HOME=str(home),
        DATABASE_URL=module_database_url,
        LOOKALIKE_THREADS="2",
        LOOKALIKE_CLIENT_SECONDS="1",
        LOOKALIKE_QUEUE_REQUESTS="20",
        LOOKALIKE_QUEUE_SECONDS=str(_QUEUE_SECONDS_PATIENT),
        LOOKALIKE_STATEMENT_TIMEOUT_MS=str(_QUEUE_SECONDS_PATIENT * 1000),
    )
    server = Server(environment, home / "log")
    token = prepared(server)
    server.start()
    yield server, token
    assert server.stop() == 0


def test_who_finds_the_queue_full_does_not_wait_for_those_who_stand_in_it(
    patient: tuple[Server, str], module_database_url: str
) -> None:
    """As long as the table is locked, no place becomes free: all others are refused while nobody else is answered."""
    server, token = patient
    assert insert(server, token, *range(10)) == 210
    places, others = 2 + 20, 100
    with ThreadPoolExecutor(places + others) as clients:
        with locked(module_database_url):
            running = [clients.submit(asked, server, token, number) for number in range(places + others)]
            busy(server, running, others)
            done = [one.result()[0] for one in running if one.done()]
            assert len(done) == others
            assert all(map(refused, done))
        codes = Counter(one.result()[0].status_code for one in running)
    assert codes == {503: others, 200: places}


def head(method: str, token: str, *more: str) -> bytes:
    """Return the head of a request without the empty line at its end."""
    lines = [f"POST /photo/search/v2/{method} HTTP/1.1", "Host: localhost", f"Authorization: Token {token}"]
    return "".join(f"{line}\r\n" for line in (*lines, "collection-id: c", *more)).encode()


@pytest.mark.parametrize("part", ["one byte", "half a head", "half a body", "half a chunk"])
def test_clients_that_vanish_in_the_middle_give_their_threads_back(patient: tuple[Server, str], part: str) -> None:
    server, token = patient
    sent = {
        "one byte": b"P",
        "half a head": head("visualKNN", token),
        "half a body": head("visualKNN", token, "Content-Length: 100") + b"\r\n{",
        "half a chunk": head("visualKNN", token, "Transfer-Encoding: chunked") + b"\r\n5\r\n{",
    }
    vanished = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(6)]
    for one in vanished:
        one.sendall(sent[part])
    time.sleep(0.2)
    answer = call(server, token, "ping", {})
    assert answer.status_code == 200
    for one in vanished:
        one.settimeout(20)
        said = b""
        with suppress(ConnectionResetError):
            said = b"".join(iter(partial(one.recv, 65536), b""))
        one.close()
        assert said == b"" or b"the request broke off: its body was not sent whole" in said
        assert bool(said) is ("body" in part or "chunk" in part)
    assert "Traceback" not in server.log.read_text()


def test_a_slow_client_is_waited_for(patient: tuple[Server, str]) -> None:
    """Each piece comes within the second; all of them take three."""
    server, token = patient
    begun = head("ping", token, "Connection: close")
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as slow:
        for piece in (begun[:9], begun[9:], b"Content-Length: 2\r\n\r\n", b"{", b"}"):
            slow.sendall(piece)
            time.sleep(0.6)
        answer = b"".join(iter(lambda: slow.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 ")


def test_a_client_that_takes_nothing_of_its_answer_is_given_up(patient: tuple[Server, str]) -> None:
    server, token = patient
    records = [{"_id": f"large{n}", "_base64": picture(n), "text": "x" * 60_000} for n in range(60)]
    for first in range(0, len(records), 10):
        answer = call(server, token, "insert", {"records": records[first : first + 10]})
        assert answer.json()["status"]["code"] == 210
    body = b'{"fields_to_return": ["*"]}'
    greedy = []
    for _ in range(4):
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.connect(("127.0.0.1", server.port))
        one.sendall(head("allRecords", token, f"Content-Length: {len(body)}") + b"\r\n" + body)
        greedy.append(one)
    time.sleep(0.5)
    assert call(server, token, "ping", {}).status_code == 200
    for one in greedy:
        one.close()
    assert "Traceback" not in server.log.read_text()


def test_slow_searches_leave_threads_and_connections_to_fast_ones(
    crowded: tuple[Server, str], crowded_url: str, tmp_path: Path
) -> None:
    """Twenty clients ask for searches that compare every record, and hang; who wants something else is served."""
    server, token = crowded
    server.json("collection", "create", "d", "--service", "photo", "--model", "pixels")
    server.json("collection", "create", "slow", "--service", "photo", "--model", "phash")
    record = {"_base64": picture(1)}
    assert call(server, token, "insert", {"records": [{"_id": "1", **record}]}, "d").json()["status"]["code"] == 210
    for number in range(10):
        drawing(number).save(tmp_path / f"{number}.png")
    server.json("load", "slow", str(tmp_path))  # not by the server, which reads the collection's facts at its first use
    with psycopg.connect(crowded_url, autocommit=True) as connection:
        row = connection.execute("SELECT id, dimensions FROM lookalike.collections WHERE name = 'slow'").fetchone()
        assert row is not None
        # As measured on a very slow machine: ten records are many then.
        connection.execute("INSERT INTO lookalike.search_costs VALUES (%s, 100000, 100000, 100000)", (row[1],))
        table = f"lookalike.records_{row[0]}"
        connection.execute(psycopg.sql.SQL("ANALYZE {}").format(_named(table)))
    with ThreadPoolExecutor(20) as clients:
        with locked(crowded_url, table):
            body = {"query_record": record}
            running = [clients.submit(call, server, token, "visualKNN", body, "slow") for _ in range(20)]
            standing(crowded_url, 4)  # half of the connections
            for _ in range(20):
                answer = call(server, token, "get", {"records": [{"_id": "1"}]}, "d")
                assert answer.status_code == 200
            unanswered = [one for one in running if not one.done()]
            assert len(unanswered) >= 4, "the slow searches were over before the fast ones"
        wait(running)
    answers = [one.result() for one in running]
    assert all(answer.status_code == 200 or refused(answer) for answer in answers)
    assert sum("compare every record" in answer.text for answer in answers) >= 14


def test_urls_that_do_not_answer_hold_up_neither_searches_nor_more_than_their_share(
    module_database_url: str, tmp_path: Path
) -> None:
    """Four requests may wait for strangers' servers, of which none answers; two threads serve all others meanwhile."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as silent:
        port = silent.getsockname()[1]
        environment = clean_environment(
            LOOKALIKE_HOME=str(tmp_path / "home"),
            DATABASE_URL=module_database_url,
            LOOKALIKE_THREADS="2",
            LOOKALIKE_QUEUE_SECONDS="20",
            LOOKALIKE_FETCH_REQUESTS="4",
            LOOKALIKE_FETCH_ALLOW_PRIVATE="true",
            LOOKALIKE_FETCH_PORTS=f"[{port}]",
            LOOKALIKE_FETCH_TIMEOUT_SECONDS="20",
        )
        server = Server(environment, tmp_path / "log")
        server.json("collection", "create", "urls", "--service", "photo", "--model", "phash")
        token = server.json("token", "create", "--scope", "admin")["token"]
        server.start()
        stored = {"records": [{"_id": "1", "_base64": picture(1)}]}
        assert call(server, token, "insert", stored, "urls").json()["status"]["code"] == 210

        def unanswered(number: int) -> requests.Response:
            record = {"_url": f"http://127.0.0.1:{port}/{number}.jpg"}
            if number % 2:
                return call(server, token, "visualKNN", {"query_record": record}, "urls")
            return call(server, token, "insert", {"records": [record]}, "urls")

        with ThreadPoolExecutor(12) as clients:
            running = [clients.submit(unanswered, number) for number in range(12)]
            busy(server, running, 8)
            done = [one for one in running if one.done()]
            waiting = [one for one in running if one not in done]
            assert (len(done), len(waiting)) == (8, 4)
            for one in done:
                assert refused(one.result())
                assert "wait for downloads" in one.result().text
            for _ in range(50):
                found = call(server, token, "visualKNN", {"query_record": {"_id": "1"}}, "urls")
                assert found.json()["answer_records"] == [{"_id": "1"}]
            assert not any(one.done() for one in waiting)
            silent.close()
            for one in waiting:
                assert one.result().json()["status"]["code"] in {402, 403}
        assert server.stop() == 0
