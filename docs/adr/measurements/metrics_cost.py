"""What metrics cost: one server that counts and is scraped, one that does not, by turns, at 16 clients.

Run from the repository: .venv/bin/python docs/adr/measurements/metrics_cost.py
"""

# ruff: noqa: S101, T201 - a script that prints and checks as it goes

import http.client
import itertools
import json
import multiprocessing
import statistics
import tempfile
import threading
import time
from pathlib import Path

import psutil
import requests

from app.db import schema
from app.db.embedded import EmbeddedDatabase
from tests.server.conftest import Server, clean_environment
from tests.support.calls import insert, prepared

CLIENTS, PROCESSES, ROUNDS, SECONDS, RECORDS = 16, 2, 10, 5.0, 200


def ask(port: int, token: str, seconds: float, found: "multiprocessing.Queue[int]") -> None:
    """Ask from as many threads as this process has clients, one thing after another; tell the number of answers."""
    done = itertools.count()
    end = time.monotonic() + seconds
    headers = {"Authorization": f"Token {token}", "collection-id": "c", "Content-Type": "application/json"}

    def client(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        for n in itertools.count(number):
            if time.monotonic() >= end:
                break
            body = json.dumps({"query_record": {"_id": str(n % RECORDS)}, "k": 10})
            connection.request("POST", "/photo/search/v2/visualKNN", body, headers)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200
            next(done)

    threads = [threading.Thread(target=client, args=(n * 31,)) for n in range(CLIENTS // PROCESSES)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    found.put(next(done))


def run(server: Server, token: str, seconds: float) -> tuple[float, float]:
    """Return answers a second, and the server's processor time of one, in milliseconds."""
    parent = psutil.Process(server.process.pid)
    spent = lambda: sum(sum(one.cpu_times()[:2]) for one in [parent, *parent.children(recursive=True)])  # noqa: E731
    found: multiprocessing.Queue[int] = multiprocessing.Queue()
    clients = [multiprocessing.Process(target=ask, args=(server.port, token, seconds, found)) for _ in range(PROCESSES)]
    before, begun = spent(), time.monotonic()
    for one in clients:
        one.start()
    answers = sum(found.get() for _ in clients)
    took, used = time.monotonic() - begun, spent() - before
    for one in clients:
        one.join()
    return answers / took, 1000 * used / answers


def main() -> None:
    """Measure, and print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # the database's user looks in
        embedded = EmbeddedDatabase(Path(folder) / "database")
        url = embedded.start()
        schema.upgrade(url)
        servers = {}
        for setting in ("off", "token"):
            environment = clean_environment(
                LOOKALIKE_HOME=folder, DATABASE_URL=url, LOOKALIKE_METRICS=setting, LOOKALIKE_LOG_LEVEL="warning"
            )
            servers[setting] = Server(environment, Path(folder) / f"{setting}.log")
            servers[setting].start()
        token = prepared(servers["off"])
        for start in range(0, RECORDS, 10):
            insert(servers["off" if start % 20 else "token"], token, *range(start, start + 10))
        figures: dict[str, list[tuple[float, float]]] = {"off": [], "token": []}
        for one in servers.values():
            run(one, token, 2.0)
        scraping = threading.Event()

        def scrape() -> None:
            while not scraping.wait(15.0):
                answer = requests.get(
                    f"http://127.0.0.1:{servers['token'].port}/metrics",
                    headers={"Authorization": f"Token {token}"},
                    timeout=30,
                )
                assert answer.status_code == 200
                print(f"scrape: {len(answer.content)} bytes", flush=True)

        threading.Thread(target=scrape, daemon=True).start()
        for number in range(ROUNDS):
            for setting in sorted(servers, reverse=number % 2 == 0):
                figures[setting].append(run(servers[setting], token, SECONDS))
        scraping.set()
        for setting, of_rounds in figures.items():
            rates, costs = zip(*of_rounds, strict=True)
            print(f"{setting:>5}: {statistics.median(rates):7.1f} answers/s, {statistics.median(costs):.4f} ms each")
        ratios = [b[0] / a[0] for a, b in zip(figures["off"], figures["token"], strict=True)]
        cpu = [b[1] / a[1] for a, b in zip(figures["off"], figures["token"], strict=True)]
        print(f"with / without: {statistics.median(ratios):.4f} of the answers", [round(one, 3) for one in ratios])
        print(f"with / without: {statistics.median(cpu):.4f} of the time", [round(one, 3) for one in cpu])
        for one in servers.values():
            one.stop()
        embedded.stop()


if __name__ == "__main__":
    main()
