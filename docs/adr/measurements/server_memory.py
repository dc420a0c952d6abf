"""Measure whether the memory of a server that answers mixed requests stays flat.

Prints a Markdown table: the resident memory of the server's two processes after so many requests, and what the
processes of PostgreSQL have for themselves. Starts `lookalike serve` on an embedded database in a temporary folder;
settings and MALLOC_ARENA_MAX are taken from the environment. LOOKALIKE_INDEX_ROWS=100 lets searches go by the index,
and LOOKALIKE_VECTOR_CACHE_BYTES=800000 lets the model see pictures again.

    python docs/adr/measurements/server_memory.py --requests 200000 --clients 8

Requests by turns: searches by `_id`, with a filter, with facets, by a picture of 500, find, facets, get, update, count,
ping, inserts and deletes of one record, and six kinds that are refused. Compare figures of one run only.
"""

# ruff: noqa: S603, T201 - a script that prints and starts the program beside it

from __future__ import annotations

import argparse
import base64
import contextlib
import http.client
import io
import itertools
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
from PIL import Image

PROGRAM = Path(sys.executable).with_name("lookalike")
RECORDS = 200


def picture(number: int) -> str:
    """Return a small picture of its own for each number, as base64."""
    drawn = Image.effect_noise((64, 64), 20 + number % 200).convert("RGB")
    drawn.paste((number % 256, number * 7 % 256, number * 13 % 256), (8, 8, 40, 40))
    stream = io.BytesIO()
    drawn.save(stream, "JPEG")
    return base64.b64encode(stream.getvalue()).decode()


class Client:
    """A kept-alive connection that asks one kind of request after another."""

    def __init__(self, port: int, token: str, pictures: list[str], seed: int) -> None:
        self._port = port
        self._headers = {"Authorization": f"Token {token}", "collection-id": "c"}
        self._pictures = pictures
        self._random = random.Random(seed)  # noqa: S311 - which request comes next is no secret
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._own = f"own-{seed}"

    def ask(self, number: int) -> int:
        """Send the request of this number and return the HTTP status of its answer."""
        method, body = self._request(number)
        headers = {**self._headers, "Authorization": "Token no"} if method == "refused" else self._headers
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        try:
            self._connection.request("POST", f"/v2/{method if method != 'refused' else 'find'}", text, headers)
            answer = self._connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return 0
        return answer.status

    def _request(self, number: int) -> tuple[str, Any]:
        own = str(self._random.randrange(RECORDS))
        shown = self._pictures[self._random.randrange(len(self._pictures))]
        kinds: list[tuple[str, Any]] = [
            ("visualKNN", {"query_record": {"_id": own}, "k": 10, "fields_to_return": ["*"]}),
            ("visualKNN", {"query_record": {"_id": own}, "filter": {"n": {"$lt": number % 97}}}),
            ("visualKNN", {"query_record": {"_id": own}, "k": 5, "facets": ["n"]}),
            ("visualKNN", {"query_record": {"_base64": shown}, "k": 5}),
            (
                "facets",
                {"facets": ["color", {"field": "n", "ranges": [50, 100]}], "filter": {"n": {"$gt": number % 89}}},
            ),
            ("find", {"filter": {"n": number % RECORDS, f"field{number % 1000}": {"$exists": False}}}),
            ("get", {"records": [{"_id": own}, {"_id": f"none-{number}"}]}),
            ("update", {"records": [{"_id": own, "changed": number}]}),
            ("getRecordCount", {}),
            ("ping", {}),
            ("insert", {"records": [{"_id": self._own, "_base64": shown}]}),
            ("delete", {"records": [{"_id": self._own}]}),
            ("find", {"fitler": {}, "filter": {"$nonsense": number}}),
            ("find", b'{"filter": {"n": 1e999}}'),
            ("find", b"{" + b"x" * (number % 3000)),
            ("refused", b"x" * (number % 3000)),
            (f"unknown{number}", {}),
            ("insert", {"records": [{"_id": "1", "_base64": "AAAA"}, {"_id": "x", "_base64": shown[:200]}]}),
        ]
        return kinds[number % len(kinds)]


def worker_of(process: subprocess.Popen[bytes]) -> psutil.Process:
    """Return the process that serves: the child of the server that is no PostgreSQL."""
    children = psutil.Process(process.pid).children()
    return next(child for child in children if "postgres" not in child.name())


def private_mib(processes: list[psutil.Process]) -> float:
    """Return the memory that these processes share with no other, in MiB."""
    total = 0
    for one in processes:
        with contextlib.suppress(psutil.NoSuchProcess):  # it has ended meanwhile
            total += one.memory_full_info().uss
    return total / 2**20


def main() -> None:
    """Run the server and the clients, and print a row every so many requests."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=200_000)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--rows", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="end after so long, however many were sent")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as home, socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
        probe.close()
        environment = os.environ | {"LOOKALIKE_HOME": f"{home}/home"}
        run = [PROGRAM, "serve", "--port", str(port)]
        with (
            (Path(home) / "log").open("wb") as log,
            subprocess.Popen(run, env=environment, stdout=log, stderr=log) as one,
        ):
            try:
                measure(one, port, environment, given)
            finally:
                one.terminate()


def measure(server: subprocess.Popen[bytes], port: int, environment: dict[str, str], given: argparse.Namespace) -> None:
    """Fill a collection, and ask."""
    wait_ready(port)
    subprocess.run([PROGRAM, "collection", "create", "c", "--service", "photo"], env=environment, check=True)
    made = subprocess.run(
        [PROGRAM, "token", "create", "--scope", "admin", "--json"], env=environment, check=True, capture_output=True
    )
    token = json.loads(made.stdout)["token"]
    pictures = [picture(number) for number in range(500)]
    clients = [Client(port, token, pictures, seed) for seed in range(given.clients)]
    for number in range(RECORDS):
        body = {"records": [{"_id": str(number), "_base64": pictures[number], "n": number, "color": str(number % 7)}]}
        connection = http.client.HTTPConnection("127.0.0.1", port)
        headers = {"Authorization": f"Token {token}", "collection-id": "c"}
        connection.request("POST", "/v2/insert", json.dumps(body), headers)
        connection.getresponse().read()
        connection.close()
    first, worker = psutil.Process(server.pid), worker_of(server)
    print(f"MALLOC_ARENA_MAX {environment.get('MALLOC_ARENA_MAX', 'unset')}, {given.clients} clients\n")
    print("| requests | seconds | worker MiB | first process MiB | PostgreSQL MiB | threads | no answer or 5xx |")
    print("|---:|---:|---:|---:|---:|---:|---:|")
    counter, failures, lock = itertools.count(), 0, threading.Lock()
    started = time.monotonic()
    step = given.requests // given.rows

    def ask(client: Client, end: int) -> None:
        nonlocal failures
        while True:
            with lock:
                number = next(counter)
            if number >= end:
                return
            status = client.ask(number)
            if status == 0 or status >= 500:
                with lock:
                    failures += 1

    for row in range(given.rows + 1):
        with ThreadPoolExecutor(given.clients) as pool:
            list(pool.map(ask, clients, [row * step] * len(clients)))
        counter = itertools.count(row * step)
        seconds = time.monotonic() - started
        cells = [
            f"{row * step:,}",
            f"{seconds:.0f}",
            *(f"{one.memory_info().rss / 2**20:.1f}" for one in (worker, first)),
            f"{private_mib([one for one in first.children(recursive=True) if 'postgres' in one.name()]):.0f}",
            str(worker.num_threads()),
            str(failures),
        ]
        print(f"| {' | '.join(cells)} |", flush=True)
        if seconds > given.seconds:
            break


def wait_ready(port: int) -> None:
    """Wait until the server answers /readyz with 200."""
    for _ in range(600):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.2)
    raise SystemExit("the server did not become ready")


if __name__ == "__main__":
    main()
