"""Several processes of one server: they remember the same, count together, are replaced, and stop without a failure."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import psutil
import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.server.conftest import Server, clean_environment
from tests.support.calls import call, insert, prepared
from tests.support.waiting import eventually

_ROUNDS = 12


@pytest.fixture(scope="module")
def several(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str]]:
    """A server of two processes, which remember things for long, and a token."""
    home = tmp_path_factory.mktemp("workers")
    environment = clean_environment(
        LOOKALIKE_HOME=str(home),
        DATABASE_URL=module_database_url,
        LOOKALIKE_WORKERS="2",
        LOOKALIKE_AUTH_CACHE_SECONDS="300",
        LOOKALIKE_DRAIN_SECONDS="1.5",
    )
    server = Server(environment, home / "log")
    token = prepared(server)
    server.start()
    eventually(lambda: len(processes(server)), lambda number: number == 2)
    yield server, token
    if server.process is not None:
        assert server.stop() == 0
    assert "Traceback" not in server.log.read_text()


def processes(server: Server) -> list[int]:
    assert server.process is not None
    return sorted(one.pid for one in psutil.Process(server.process.pid).children())


def admin(server: Server, token: str, path: str, body: Any) -> dict[str, object]:
    answer = requests.post(
        f"{server.url}/admin/v1/{path}", json=body, headers={"Authorization": f"Token {token}"}, timeout=20
    )
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def codes(server: Server, token: str, collection: str = "c") -> set[int]:
    """Ask so often, each time on a new connection, that all processes are asked."""
    headers = {"Authorization": f"Token {token}", "collection-id": collection}
    return {
        requests.get(f"{server.url}/v2/getRecordCount", headers=headers, timeout=20).status_code for _ in range(_ROUNDS)
    }


def sums(server: Server, token: str) -> dict[str, float]:
    """Return the metrics, each summed over its labels."""
    answer = requests.get(f"{server.url}/metrics", headers={"Authorization": f"Token {token}"}, timeout=30)
    made: dict[str, float] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            method = sample.labels.get("method", "")
            made[f"{sample.name} {method}".strip()] = made.get(f"{sample.name} {method}".strip(), 0) + sample.value
    return made


def test_what_one_process_changes_the_others_go_by_at_once(several: tuple[Server, str]) -> None:
    server, token = several
    made = admin(server, token, "tokens/create", {"scopes": ["read"]})
    admin(server, token, "aliases/set", {"aliases": {"live": "c"}})
    for name in ("c", "live"):
        assert codes(server, str(made["token"]), name) == {200}
    admin(server, token, "aliases/delete", {"alias": "live"})
    assert codes(server, str(made["token"]), "live") == {404}
    admin(server, token, "tokens/revoke", {"token": made["id"]})
    assert codes(server, str(made["token"])) == {401}


def test_their_metrics_are_those_of_all_and_one_that_is_killed_is_replaced(several: tuple[Server, str]) -> None:
    server, token = several
    assert insert(server, token, 1) == 210
    before = sums(server, token)
    assert before["lookalike_threads"] == 16
    assert before["lookalike_pool_connections_most"] == 16
    assert before["lookalike_build_info"] == 1
    for _ in range(_ROUNDS):
        assert requests.get(f"{server.url}/v2/ping", timeout=20).status_code == 200
    counted = ("lookalike_requests_total ping", "lookalike_request_seconds_count ping")
    wanted = {name: before.get(name, 0) + _ROUNDS for name in counted}
    # What another process counted is seen once it has told it, which it does every few seconds.
    now = eventually(lambda: sums(server, token), lambda found: {name: found[name] for name in counted} == wanted)
    first = processes(server)
    psutil.Process(first[0]).kill()
    eventually(lambda: processes(server), lambda found: len(found) == 2 and first[0] not in found)
    server.wait_ready()
    assert codes(server, token) == {200}
    after = eventually(lambda: sums(server, token), lambda found: found["lookalike_threads"] == 16)
    assert after["lookalike_requests_total ping"] == now["lookalike_requests_total ping"]


def test_a_server_that_stops_says_so_first_and_no_request_fails(several: tuple[Server, str]) -> None:
    server, token = several
    gone, failed = Event(), []

    def ask() -> int:
        served = 0
        while not gone.is_set():
            code = call(server, token, "getRecordCount").status_code
            served += code == 200
            failed.extend([code] * (code != 200))
        return served

    with ThreadPoolExecutor(4) as clients:
        running = [clients.submit(ask) for _ in range(4)]
        eventually(lambda: requests.get(f"{server.url}/readyz", timeout=20).status_code, lambda code: code == 200)
        assert server.process is not None
        server.process.send_signal(signal.SIGTERM)
        # As a proxy does: once it is told that the server is not ready, it sends no more.
        answer = eventually(
            lambda: requests.get(f"{server.url}/readyz", timeout=20), lambda answer: answer.status_code == 503
        )
        gone.set()
        assert answer.json() == {"status": "not ready", "reason": "the server is stopping"}
        assert answer.headers["Connection"] == "close"
        served = sum(one.result() for one in running)
    assert served > 0
    assert failed == []
    assert server.process.wait(60) == 0
    server.process = None
