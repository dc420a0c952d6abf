"""Several processes beside one, and two servers that are replaced under traffic.

Run by itself: `python -m tests.bench.several [workers|rolling]`. A database of its own is made, and deleted at the end.
"""

import http.client
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import click
import numpy as np
import orjson
import psutil

from app import create_context
from app.config import Settings
from app.db import collections, indexes, loads, schema
from app.db.embedded import EmbeddedDatabase
from app.db.records import NewRecord
from app.domain.collections import NewCollection
from app.domain.tokens import Scope
from app.embedding.models.phash import FACTS
from app.services import tokens
from tests.bench.clients import Clients, HttpJob, post
from tests.bench.server import is_ready, running
from tests.server.conftest import free_port

RECORDS = 20_000
_CLIENTS = 16
_ROUNDS = 7
_SECONDS = 3.0
_PATH = "/photo/search/v2/visualKNN"
_DRAIN_SECONDS = 1.0
_LOOK_SECONDS = 0.25


def filled(url: str, home: Path, name: str = "c", records: int = RECORDS) -> str:
    """Make a collection of random vectors, with its index where it is not small, and return a token for all."""
    context = create_context(Settings(home=home, index_rows=RECORDS // 2), url)
    context.open()
    made = collections.create(context.db, NewCollection(name, "photo", "phash", FACTS.revision, 256, 62.5))
    vectors = np.random.default_rng(1).standard_normal((records, 256)).astype(np.float32)
    loads.copy(context.db, made, [NewRecord(f"r{n}", f'{{"n": {n}}}', one) for n, one in enumerate(vectors)])
    if records > context.settings.index_rows:
        indexes.build_hnsw(context.db, made)
    token = tokens.create(context, [Scope.ADMIN], None).token
    context.close()
    return token


def request_of(token: str, number: int) -> bytes:
    headers = {"Authorization": f"Token {token}", "collection-id": "c"}
    return post(_PATH, headers, orjson.dumps({"query_record": {"_id": f"r{number}"}, "k": 10}))


def workers(url: str, home: Path, token: str) -> None:
    """Print the rate of a server of two processes beside one of one process, by turns."""
    requests = tuple(request_of(token, number) for number in range(0, RECORDS, 17))
    with ExitStack() as stack:
        sides: dict[int, tuple[Clients, psutil.Process]] = {}
        for number in (1, 2):
            environment = {"DATABASE_URL": url, "LOOKALIKE_HOME": str(home), "LOOKALIKE_WORKERS": str(number)}
            before = {one.pid for one in psutil.Process().children()}
            port = stack.enter_context(
                running({**environment, "LOOKALIKE_LOG_LEVEL": "warning"}, home / f"log{number}")
            )
            server = next(one for one in psutil.Process().children() if one.pid not in before)
            job = HttpJob("127.0.0.1", port, requests, b'"answer_count":10')
            sides[number] = stack.enter_context(Clients(job)), server
        rates: dict[int, list[float]] = {1: [], 2: []}
        used: dict[int, tuple[float, int]] = dict.fromkeys(rates, (0.0, 0))
        for turn in range(_ROUNDS):
            for number in (1, 2) if turn % 2 else (2, 1):
                clients, server = sides[number]
                before_seconds = _seconds(server)
                found = clients.round(_CLIENTS, _SECONDS)
                if found.errors:
                    raise RuntimeError(f"{found.errors} requests failed")
                rates[number].append(found.rate)
                seconds, answered = used[number]
                used[number] = seconds + _seconds(server) - before_seconds, answered + len(found.milliseconds)
    ratios = [two / one for one, two in zip(rates[1], rates[2], strict=True)]
    for number, each in rates.items():
        cpu = used[number][0] / used[number][1] * 1000
        click.echo(f"{number} processes: {median(each):.0f} requests a second, {cpu:.2f} ms of the server's CPU each")
    click.echo(f"two beside one: {median(ratios):.3f} (each round: {', '.join(f'{one:.2f}' for one in ratios)})")


def _seconds(server: psutil.Process) -> float:
    return sum(sum(one.cpu_times()[:2]) for one in (server, *server.children(recursive=True)))


class _Balancer:
    """What a proxy does: it asks each server now and then whether it is ready, and sends requests to those that are."""

    def __init__(self, ports: tuple[int, ...], token: str) -> None:
        self._ports = ports
        self._ready = set(ports)
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self.milliseconds: list[float] = []
        self.failed: list[str] = []
        self._headers = {"Authorization": f"Token {token}", "collection-id": "c", "Content-Type": "application/json"}
        self._threads = [threading.Thread(target=self._look)]
        self._threads += [threading.Thread(target=self._ask, args=(number,)) for number in range(4)]

    def __enter__(self) -> "_Balancer":
        for one in self._threads:
            one.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for one in self._threads:
            one.join()

    def _look(self) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            self._ready = {port for port in self._ports if is_ready(port)}

    def _ask(self, number: int) -> None:
        kept: dict[int, http.client.HTTPConnection] = {}
        while not self._ended.is_set():
            number += 1
            ready = sorted(self._ready)
            for port in kept.keys() - set(ready):  # a server that went has closed it
                kept.pop(port).close()
            if not ready:
                self.failed.append("no server is ready")
                time.sleep(0.05)
                continue
            port = ready[number % len(ready)]
            connection = kept.setdefault(port, http.client.HTTPConnection("127.0.0.1", port, timeout=20))
            body = orjson.dumps({"query_record": {"_id": f"r{number % RECORDS}"}, "k": 10})
            started = time.perf_counter()
            try:
                connection.request("POST", _PATH, body, self._headers)
                answer = connection.getresponse()
                answer.read()
                wrong = "" if answer.status == 200 else f"HTTP {answer.status}"
            except (OSError, http.client.HTTPException) as error:
                wrong = type(error).__name__
                connection.close()
            with self._lock:
                self.milliseconds.append((time.perf_counter() - started) * 1000)
                self.failed += [wrong] if wrong else []


def rolling(url: str, home: Path, token: str) -> None:
    """Print how many requests failed while two servers were replaced, one after the other, under traffic."""
    environment = {
        "DATABASE_URL": url,
        "LOOKALIKE_HOME": str(home),
        "LOOKALIKE_LOG_LEVEL": "warning",
        "LOOKALIKE_DRAIN_SECONDS": str(_DRAIN_SECONDS),
    }
    with ExitStack() as stack:
        servers = [_Replaceable(environment, home / f"rolling{number}") for number in range(2)]
        for one in servers:
            stack.callback(one.stop)
            one.start()
        replaced = 0
        with _Balancer(tuple(one.port for one in servers), token) as traffic:
            for one in (*servers, *servers):
                time.sleep(2)
                one.stop()
                one.start()
                replaced += 1
            time.sleep(1)
    slowest = max(traffic.milliseconds)
    click.echo(
        f"{replaced} servers replaced: {len(traffic.milliseconds)} requests, {len(traffic.failed)} failed"
        f" {sorted(set(traffic.failed))}, median {median(traffic.milliseconds):.1f} ms, slowest {slowest:.0f} ms"
    )


class _Replaceable:
    """A server that is stopped as a service manager does, and started again on its port."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self.port = free_port()
        self._environment, self._log = environment, log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [Path(sys.executable).with_name("lookalike"), "serve", "--port", str(self.port)],
                env=os.environ | self._environment,
                stdout=log,
                stderr=log,
            )
        while not is_ready(self.port):
            if self._process.poll() is not None:
                raise RuntimeError(f"the server did not start; see {self._log}")
            time.sleep(0.1)

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(60)
            self._process = None


def main() -> None:
    measures: dict[str, Callable[[str, Path, str], None]] = {"workers": workers, "rolling": rolling}
    chosen = sys.argv[1:] or [*measures]
    with tempfile.TemporaryDirectory(prefix="lookalike-several-") as folder:
        home = Path(folder)
        embedded = EmbeddedDatabase(home)
        url = embedded.start()
        try:
            schema.upgrade(url)
            token = filled(url, home)
            for name in chosen:
                measures[name](url, home, token)
        finally:
            embedded.stop()


if __name__ == "__main__":
    main()
