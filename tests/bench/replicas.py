"""A server whose reads go to standbys: how new they are, what a lost primary costs, and what standbys take off it.

Run by itself: `python -m tests.bench.replicas [pairs|promotion|rates|vacuum]`. A primary and its standbys are made on
this machine, all on the same cores, and deleted at the end.
"""

import http.client
import itertools
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import click
import orjson
import psycopg

from app.db import schema
from app.db.embedded import EmbeddedDatabase
from app.domain.freshness import HEADER
from tests.api.conftest import picture
from tests.bench.clients import Clients, HttpJob
from tests.bench.server import running
from tests.bench.several import RECORDS, filled, request_of
from tests.support.clusters import BREAKS_READS_OFF, Pair, Server, pair

_PAIRS = 10_000
_SMALL, _SMALL_RECORDS = "small", 1_000  # for pairs, whose searches are not what is measured
_CHUNK = 500
_LATER_SECONDS = 3.0
_ROUNDS = 5
_CLIENTS = 8
_SECONDS = 3.0


@dataclass
class Scene:
    """A filled database that pairs of servers are copied from, and how servers of ours are started on them."""

    url: str
    home: Path
    token: str
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @contextmanager
    def pair(self) -> Iterator[Pair]:
        """Make a primary and a standby."""
        made = pair(self.url, self.home / f"pair{next(self._numbers)}")
        try:
            yield made
        finally:
            made.stop()

    def server(self, stack: ExitStack, url: str, replicas: str | None = None, **more: str) -> int:
        """Start a server, and return its port."""
        environment = {
            "DATABASE_URL": url,
            "LOOKALIKE_HOME": str(self.home),
            "LOOKALIKE_LOG_LEVEL": "error",
            "LOOKALIKE_RECALL_SECONDS": "0",
            **({} if replicas is None else {"LOOKALIKE_READ_DATABASE_URL": replicas}),
            **more,
        }
        return stack.enter_context(running(environment, self.home / f"server{next(self._numbers)}.log"))


class Client:
    """One caller with a kept connection."""

    def __init__(self, port: int, token: str, collection: str = "c") -> None:
        self._headers = {"Authorization": f"Token {token}", "collection-id": collection}
        self._headers["Content-Type"] = "application/json"
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def renew(self) -> None:
        """Use another connection from now on: the server gives one up that is quiet for long."""
        self._connection.close()

    def ask(self, method: str, body: Any, version: str | None = None) -> tuple[int, dict[str, Any], str | None, float]:
        """Return the HTTP status (0: the connection broke), the answer, its version, and the milliseconds it took."""
        headers = self._headers if version is None else self._headers | {HEADER: version}
        began = time.perf_counter()
        try:
            self._connection.request("POST", f"/photo/search/v2/{method}", orjson.dumps(body), headers)
            answer = self._connection.getresponse()
            data = answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return 0, {}, None, (time.perf_counter() - began) * 1000
        took = (time.perf_counter() - began) * 1000
        return answer.status, orjson.loads(data), answer.headers.get(HEADER), took


class _Pairs:
    """A write at one server, then a read of what it wrote at another."""

    def __init__(self, ports: tuple[int, int], token: str, name: str) -> None:
        self._here, self._there = (Client(port, token, _SMALL) for port in ports)
        self._name = name
        self._done = 0
        self.reads: list[float] = []
        self.writes: list[float] = []
        self.stale = 0

    def run(self, number: int, *, tell: bool = True) -> None:
        """Do so many pairs: inserts that are searched with, and updates that are read back, by turns."""
        for client in (self._here, self._there):
            client.renew()
        for _ in range(number):
            self._done += 1
            if self._done % 2:
                new = f"{self._name}{self._done}"
                written = self._here.ask("insert", {"records": [{"_id": new, "_base64": picture(self._done % 64)}]})
                asked: tuple[str, Any] = ("visualKNN", {"query_record": {"_id": new}, "k": 3})
            else:
                changed = {"_id": f"r{self._done % _SMALL_RECORDS}", "mark": f"{self._name}{self._done}"}
                written = self._here.ask("update", {"records": [changed]})
                asked = ("get", {"records": [{"_id": changed["_id"]}]})
            if written[0] != 200:
                raise RuntimeError(f"a write was answered with {written[:2]}")
            status, answer, _, took = self._there.ask(*asked, version=written[2] if tell else None)
            seen = status == 200 and (
                self._done % 2 or answer["answer_records"][0].get("mark") == f"{self._name}{self._done}"
            )
            self.stale += not seen
            self.reads.append(took)
            self.writes.append(written[3])


def pairs(scene: Scene) -> None:
    """Print how many reads at another server missed what was written before, and how much longer they took."""
    with scene.pair() as made, ExitStack() as stack:
        primary, standby = made.url(made.primary), made.url(made.standby)
        replicated = tuple(scene.server(stack, primary, standby) for _ in range(2))
        alone = tuple(scene.server(stack, primary) for _ in range(2))
        told = _Pairs((replicated[0], replicated[1]), scene.token, "told")
        untold = _Pairs((replicated[0], replicated[1]), scene.token, "untold")
        plain = _Pairs((alone[0], alone[1]), scene.token, "plain")
        for one in (told, untold, plain):
            one.run(50)
            one.reads, one.writes, one.stale = [], [], 0
        for turn in range(_PAIRS // _CHUNK):
            for one, number in ((told, _CHUNK), (plain, _CHUNK // 4))[:: 1 if turn % 2 else -1]:
                one.run(number)
            untold.run(_CHUNK // 10, tell=False)
    for name, one in (("with the header", told), ("without it", untold), ("on the primary alone", plain)):
        click.echo(
            f"{name}: {len(one.reads)} pairs, {one.stale} stale reads; write p50 {median(one.writes):.2f} ms, read"
            f" p50 {median(one.reads):.2f}, p99 {quantiles(one.reads, n=100)[-1]:.1f}, most {max(one.reads):.0f} ms"
        )
    added = median(told.reads) - median(plain.reads)
    click.echo(f"added by the wait and the standby: p50 {added:.2f} ms of a read")


class _Traffic:
    """Readers and writers at two servers, by turns, until the end; what each was answered, and when."""

    def __init__(self, ports: tuple[int, ...], token: str) -> None:
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self.reads: list[tuple[float, int, float]] = []
        self.writes: list[tuple[float, int, str]] = []
        self._threads = [
            threading.Thread(target=work, args=(Client(port, token), number))
            for port in ports
            for work, count in ((self._read, 2), (self._write, 1))
            for number in range(count)
        ]

    def __enter__(self) -> "_Traffic":
        for one in self._threads:
            one.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for one in self._threads:
            one.join()

    def _read(self, client: Client, number: int) -> None:
        for turn in itertools.count(number):
            if self._ended.is_set():
                return
            status, _, _, took = client.ask("visualKNN", {"query_record": {"_id": f"r{turn % RECORDS}"}, "k": 10})
            with self._lock:
                self.reads.append((time.monotonic(), status, took))

    def _write(self, client: Client, number: int) -> None:
        for turn in itertools.count(number):
            if self._ended.is_set():
                return
            new = f"w{id(client)}-{turn}"
            status, _, _, _ = client.ask("insert", {"records": [{"_id": new, "_base64": picture(turn % 64)}]})
            with self._lock:
                self.writes.append((time.monotonic(), status, new))
            if status != 200:
                time.sleep(0.05)


def promotion(scene: Scene) -> None:
    """Print what readers and writers meet while the primary is killed and its standby promoted."""
    for _ in range(3):
        with scene.pair() as made, ExitStack() as stack:
            both, prefer = made.url(made.primary, made.standby), made.url(made.standby, made.primary)
            ports = tuple(scene.server(stack, both, prefer) for _ in range(2))
            with _Traffic(ports, scene.token) as traffic:
                time.sleep(3)
                made.primary.kill()
                time.sleep(_LATER_SECONDS)
                promoted = time.monotonic()
                made.run(made.standby, "SELECT pg_promote()")
                time.sleep(5)
            with psycopg.connect(made.url(made.standby)) as connection:
                kept = {row[0] for row in connection.execute("SELECT id FROM lookalike.c WHERE id LIKE 'w%'")}
        lost = [one for one in traffic.reads if one[1] != 200]
        refused = [one for one in traffic.writes if one[1] != 200]
        back = min(moment for moment, status, _ in traffic.writes if status == 200 and moment > promoted) - promoted
        late = [moment - promoted for moment, status, _ in traffic.writes if status != 200 and moment > promoted]
        gone = [one for one in traffic.writes if one[1] == 200 and one[2] not in kept]
        click.echo(
            f"primary killed, standby promoted {_LATER_SECONDS:g} s later: {len(traffic.reads)} reads, {len(lost)} lost"
            f" {dict(Counter(status for _, status, _ in lost))}, slowest {max(one[2] for one in traffic.reads):.0f} ms;"
            f" {len(traffic.writes)} writes, {len(refused)} refused {dict(Counter(one[1] for one in refused))}, back"
            f" {back:.2f} s after the promotion, the last refusal {max(late, default=0):.2f} s after it;"
            f" {len(gone)} that were answered with 210 are not there"
        )


def _seconds(server: Server) -> float:
    found = server.postmaster.process()
    if found is None:
        return 0.0
    return sum(sum(one.cpu_times()[:4]) for one in (found, *found.children()))


def rates(scene: Scene) -> None:
    """Print searches a second, and whose processor time they take, with no replica, with one, and with two."""
    requests = tuple(request_of(scene.token, number) for number in range(0, RECORDS, 17))
    with scene.pair() as made, ExitStack() as stack:
        second = made.another(5603)
        stack.callback(second.stop)
        servers = {"primary": made.primary, "standby": made.standby, "second standby": second}
        wanted = {0: None, 1: made.url(made.standby), 2: made.url(made.standby, second)}
        sides: dict[int, Clients] = {}
        for number, replicas in wanted.items():
            port = scene.server(stack, made.url(made.primary), replicas)
            sides[number] = stack.enter_context(Clients(HttpJob("127.0.0.1", port, requests, b'"answer_count":10')))
            sides[number].round(_CLIENTS, 1)  # all connections are made
        found: dict[int, list[float]] = {number: [] for number in sides}
        used: dict[int, Counter[str]] = {number: Counter() for number in sides}
        answered: Counter[int] = Counter()
        for turn in range(_ROUNDS):
            for number in sorted(sides, reverse=bool(turn % 2)):
                before = {name: _seconds(one) for name, one in servers.items()}
                done = sides[number].round(_CLIENTS, _SECONDS)
                if done.errors:
                    raise RuntimeError(f"{done.errors} requests failed")
                found[number].append(done.rate)
                answered[number] += len(done.milliseconds)
                used[number].update({name: _seconds(one) - before[name] for name, one in servers.items()})
    for number, each in found.items():
        cpu = ", ".join(f"{name} {used[number][name] / answered[number] * 1000:.2f}" for name in servers)
        click.echo(f"{number} replicas: {median(each):.0f} searches a second; CPU ms a search: {cpu}")
    for more in (1, 2):
        ratios = sorted(one / none for one, none in zip(found[more], found[more - 1], strict=True))
        click.echo(f"{more} beside {more - 1}: {median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")


def vacuum(scene: Scene) -> None:
    """Print what becomes of reads that a vacuum on the primary breaks off on the standby."""
    with scene.pair() as made, ExitStack() as stack:
        made.tell(made.standby, *BREAKS_READS_OFF)
        port = scene.server(stack, made.url(made.primary), made.url(made.standby))
        ended = threading.Event()
        answers: Counter[tuple[str, int]] = Counter()
        lock = threading.Lock()

        def ask(method: str, bodies: Callable[[int], Any]) -> None:
            client = Client(port, scene.token)
            for turn in itertools.count():
                if ended.is_set():
                    return
                status = client.ask(method, bodies(turn))[0]
                with lock:
                    answers[method, status] += 1

        asked: tuple[tuple[str, Callable[[int], Any]], ...] = (
            ("visualKNN", lambda turn: {"query_record": {"_id": f"r{turn % 1000}"}, "k": 10}),
            ("find", lambda turn: {"filter": {"n": {"$gte": 0, "$ne": turn}}, "k": 1000}),
            ("getRecordCount", lambda turn: {"filter": {"n": {"$ne": turn}}}),
        )
        threads = [threading.Thread(target=ask, args=one) for one in asked]
        for one in threads:
            one.start()
        rounds = 0
        end = time.monotonic() + 20
        while time.monotonic() < end:
            first = RECORDS - 1 - rounds * 50
            ids = ", ".join(f"'r{number}'" for number in range(first - 49, first + 1))
            gone = f"DELETE FROM lookalike.records WHERE id IN ({ids})"
            made.tell(made.primary, gone, "VACUUM lookalike.records_1")
            rounds += 1
            time.sleep(0.1)
        ended.set()
        for one in threads:
            one.join()
        counted = "SELECT sum(confl_snapshot + confl_bufferpin + confl_lock) FROM pg_stat_database_conflicts"
        broken = made.run(made.standby, counted)
    failed = {f"{method} {status}": number for (method, status), number in answers.items() if status != 200}
    told = ", ".join(f"{method} {number}" for (method, _), number in sorted(answers.items()))
    click.echo(f"{rounds} deletes and vacuums: {broken} reads broken off; answered {told}; failed {failed}")


def main() -> None:
    """Measure what is named, or all."""
    measures: dict[str, Callable[[Scene], None]] = {
        "pairs": pairs,
        "promotion": promotion,
        "rates": rates,
        "vacuum": vacuum,
    }
    chosen = sys.argv[1:] or [*measures]
    with tempfile.TemporaryDirectory(prefix="lookalike-replicas-") as folder:
        home = Path(folder)
        embedded = EmbeddedDatabase(home)
        url = embedded.start()
        try:
            schema.upgrade(url)
            filled(url, home, _SMALL, _SMALL_RECORDS)
            scene = Scene(url, home, filled(url, home))
            for name in chosen:
                measures[name](scene)
        finally:
            embedded.stop()


if __name__ == "__main__":
    main()
