"""The server process: ready, under load, stopped, killed; and what was acknowledged is on disk."""

import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg
import requests
from prometheus_client.parser import text_string_to_metric_families

from app.db.embedded import EmbeddedDatabase
from tests.api.conftest import picture
from tests.server.conftest import Server, clean_environment
from tests.support.calls import call, insert, prepared
from tests.support.waiting import eventually


def test_healthy_ready_and_fifty_clients_at_once(server: Server) -> None:
    assert requests.get(f"{server.url}/healthz", timeout=5).json() == {"status": "ok"}
    assert requests.get(f"{server.url}/readyz", timeout=5).json() == {"status": "ready"}
    token = prepared(server, "efficientnet-lite0")
    assert insert(server, token, *range(10)) == 210

    def one(number: int) -> int:
        return call(server, token, "visualKNN", {"query_record": {"_id": str(number % 10)}, "k": 5}).status_code

    with ThreadPoolExecutor(50) as pool:
        codes = list(pool.map(one, range(500)))
    assert set(codes) == {200}


def test_metrics_of_a_server(server: Server) -> None:
    token = server.json("token", "create", "--scope", "admin")["token"]
    requests.get(f"{server.url}/v2/ping", timeout=10)

    def scraped() -> dict[str, float]:
        answer = requests.get(f"{server.url}/metrics", headers={"Authorization": f"Bearer {token}"}, timeout=30)
        assert answer.status_code == 200
        found = [one for family in text_string_to_metric_families(answer.text) for one in family.samples]
        return {
            f"{one.name} {one.labels.get('stage') or one.labels.get('method') or ''}".strip(): one.value
            for one in found
        }

    now = scraped()
    assert now["lookalike_threads"] == 8
    assert now["lookalike_threads_busy"] >= 1
    assert now["lookalike_requests_waiting"] == 0
    assert now["lookalike_request_seconds_count ping"] >= 1
    assert now["lookalike_process_resident_memory_bytes"] > 50 * 2**20
    queued = now["lookalike_stage_seconds_count queue"]
    assert scraped()["lookalike_stage_seconds_count queue"] > queued > 0
    assert requests.get(f"{server.url}/metrics", timeout=10).status_code == 401


def test_sigterm_finishes_what_runs(embedded_server: Callable[[], Server]) -> None:
    server = embedded_server()
    server.start()
    token = prepared(server)
    assert server.process is not None
    waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    with (
        ThreadPoolExecutor(1) as clients,
        psycopg.connect(server.command("db", "url").stdout.strip(), autocommit=True) as database,
    ):
        with database.transaction():
            database.execute("LOCK TABLE lookalike.records")
            running = clients.submit(insert, server, token, *range(10))
            eventually(lambda: database.execute(waiting).fetchall())
            server.process.send_signal(signal.SIGTERM)
        assert running.result() == 210
    assert server.process.wait(200) == 0
    server.process = None
    assert server.json("collection", "show", "c")["records"] == 10


def postgres_of(server: Server) -> psutil.Process:
    first_line, *_ = (
        (Path(server.environment["LOOKALIKE_HOME"]) / "postgres" / "postmaster.pid").read_text().splitlines()
    )
    return psutil.Process(int(first_line))


def test_kill_9_of_every_process_loses_nothing_acknowledged(embedded_server: Callable[[], Server]) -> None:
    server = embedded_server()
    server.start()
    token = prepared(server)
    assert server.process is not None
    acknowledged: list[int] = []

    def writer(start: int) -> None:
        for number in range(start, start + 1000):
            try:
                if insert(server, token, number) == 210:
                    acknowledged.append(number)
            except (requests.RequestException, ValueError):
                return

    writers = [threading.Thread(target=writer, args=(start,)) for start in (0, 1000, 2000)]
    for thread in writers:
        thread.start()
    eventually(lambda: len(acknowledged) > 50)
    postmaster = postgres_of(server)
    family = [psutil.Process(server.process.pid), *psutil.Process(server.process.pid).children(recursive=True)]
    kill([*family, postmaster, *postmaster.children(recursive=True)])
    server.process.wait(10)
    for thread in writers:
        thread.join(70)

    server.start()
    found = call(server, token, "get", {"records": [{"_id": str(number)} for number in acknowledged]}).json()
    assert found["status"]["code"] == 205
    assert found["answer_count"] == len(acknowledged)


def test_the_embedded_database_is_killed_and_started_again(embedded_server: Callable[[], Server]) -> None:
    server = embedded_server()
    server.start()
    token = prepared(server)
    assert insert(server, token, 1, 2, 3) == 210
    postmaster = postgres_of(server)
    kill([postmaster, *postmaster.children(recursive=True)])
    codes: list[int] = []

    def asked() -> list[int]:
        codes.append(call(server, token, "visualKNN", {"query_record": {"_id": "1"}}).status_code)
        return codes

    eventually(asked, lambda now: now[-3:] == [200] * 3)
    assert set(codes) <= {200, 503}
    assert call(server, token, "getRecordCount").json()["answer_count"] == 3
    assert postgres_of(server).pid != postmaster.pid


def test_503_while_the_database_is_away_then_on_without_a_restart(tmp_path: Path) -> None:
    database = EmbeddedDatabase(tmp_path / "database")
    environment = clean_environment(
        LOOKALIKE_HOME=str(tmp_path), DATABASE_URL=database.start(), LOOKALIKE_POOL_TIMEOUT_SECONDS="0.5"
    )
    server = Server(environment, tmp_path / "log")
    token = prepared(server)
    server.start()
    assert insert(server, token, 1, 2, 3) == 210
    database.stop()
    for method, body in (
        ("visualKNN", {"query_record": {"_id": "1"}}),
        ("insert", {"records": [{"_id": "4", "_base64": picture(4)}]}),
        ("getRecordCount", {}),
    ):
        answer = call(server, token, method, body)
        assert (answer.status_code, answer.json()["status"]["code"]) == (503, 503)
        assert int(answer.headers["Retry-After"]) >= 1
    assert requests.get(f"{server.url}/readyz", timeout=5).status_code == 503
    assert requests.get(f"{server.url}/healthz", timeout=5).status_code == 200
    database.start()
    server.wait_ready(20)
    assert call(server, token, "getRecordCount").json()["answer_count"] == 3
    assert insert(server, token, 4) == 210
    assert server.stop() == 0
    database.stop()


def kill(victims: list[psutil.Process]) -> None:
    for victim in victims:
        try:
            victim.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue  # its parent's death ended it
