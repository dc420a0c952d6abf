"""Clients that write and search as fast as they are answered, and note each answer with its time."""

import base64
import http.client
import io
import itertools
import json
import random
import threading
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from PIL import Image

from tests.drills.ledger import GONE, Ledger

BASE = "base"
WRITTEN = "written"
SEARCHED = 200
NEAREST = 10
BATCH = 20
_TIMEOUT_SECONDS = 60.0
_PAUSE_SECONDS = 0.05
_UPDATE_EVERY, _DELETE_EVERY = 3, 5
Kind = Literal["write", "search", "large"]


def picture(number: int) -> str:
    """Return one of the pictures, as base64; each is unlike the others."""
    pixels = np.random.default_rng(number).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).resize((48, 48), Image.Resampling.BICUBIC).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, or what came in its place; `status` is the HTTP status with the envelope's code, or a word."""

    kind: Kind
    began: float
    ended: float
    status: str
    good: bool


@dataclass
class Load:
    """Writers and searchers on one server.

    Args:
        port: where the server listens on this machine.
        token: one that may write to both collections.
        writers: threads that write, a batch of records a request.
        searchers: threads that search, three kinds of questions by turns.

    """

    port: int
    token: str
    writers: int = 4
    searchers: int = 3
    nearest: dict[str, list[str]] = field(default_factory=dict)
    """The true neighbours of each picture of the collection that nobody writes to."""
    ledger: Ledger = field(default_factory=Ledger)
    answers: list[Answer] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """Answers that were given as good ones, and are not."""

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._kept: list[list[str]] = []
        self._pictures = [picture(number) for number in range(SEARCHED)]
        self._threads = [
            threading.Thread(target=work, args=(number,), daemon=True)
            for work, many in ((self._write, self.writers), (self._search, self.searchers))
            for number in range(many)
        ]

    def store_base(self) -> None:
        """Store the pictures that are searched.

        Raises:
            RuntimeError: the server does not take them.

        """
        client = _Client(self.port, self.token, BASE)
        for start in range(0, SEARCHED, BATCH):
            records = [{"_id": f"p{one}", "_base64": self._pictures[one]} for one in range(start, start + BATCH)]
            status, body, _ = client.ask("insert", {"records": records})
            if status != "200/210":
                raise RuntimeError(f"the pictures cannot be stored: {status} {body}")

    def start(self) -> None:
        """Begin to ask."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let every client have its last answer."""
        self._stop.set()
        for thread in self._threads:
            thread.join(2 * _TIMEOUT_SECONDS)

    def wait(self, acknowledged: int, seconds: float) -> None:
        """Wait until so many changes are acknowledged in all.

        Raises:
            TimeoutError: they were not in so many seconds.

        """
        deadline = time.monotonic() + seconds
        while self.ledger.acknowledged < acknowledged:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.ledger.acknowledged} of {acknowledged} changes in {seconds:.0f} seconds")
            time.sleep(0.02)

    def first_good(self, kind: Kind, since: float) -> float | None:
        """Return the seconds from a moment to the first good answer after it; None where there was none."""
        ends = [one.ended for one in tuple(self.answers) if one.kind == kind and one.good and one.ended >= since]
        return min(ends) - since if ends else None

    def refused(self) -> list[Answer]:
        """Return what was not answered as it should be."""
        return [one for one in tuple(self.answers) if not one.good]

    def search_for_a_large_picture(self) -> None:
        """Search for a picture of 48 million pixels, which takes 140 MB once it is decoded."""
        pixels = Image.linear_gradient("L").resize((8000, 6000)).convert("RGB")
        buffer = io.BytesIO()
        pixels.save(buffer, "PNG")
        query = {"_base64": base64.b64encode(buffer.getvalue()).decode()}
        status, _, times = _Client(self.port, self.token, BASE).ask("visualKNN", {"query_record": query})
        self.answers.append(Answer("large", *times, status, status.startswith("200")))

    def _write(self, number: int) -> None:
        client = _Client(self.port, self.token, WRITTEN)
        earlier: list[list[str]] = []
        for turn in itertools.count():
            if self._stop.is_set():
                return
            ids = [f"w{number}-{turn}-{place}" for place in range(BATCH)]
            if not self._change(client, "insert", ids, 0):
                continue
            earlier.append(ids)
            if turn % _DELETE_EVERY == 1:
                self._change(client, "delete", earlier.pop(0), GONE)
            elif turn % _UPDATE_EVERY == 0:
                self._change(client, "update", earlier[-1], turn + 1)
            elif len(earlier) > 1 and turn % _DELETE_EVERY == 0:
                self._kept.append(earlier.pop())  # never touched again, so that whoever asks for it must find it

    def _change(self, client: "_Client", method: str, ids: list[str], version: int) -> bool:
        """Send a change until it is answered, as a caller does who must not lose it; say whether it was done."""
        records: list[dict[str, Any]] = [{"_id": one} for one in ids]
        for place, record in enumerate(records):
            if method != "delete":
                record["v"] = version
            if method == "insert":
                record["_base64"] = self._pictures[zlib.crc32(ids[place].encode()) % SEARCHED]
        tried = 0
        while not self._stop.is_set():
            self.ledger.sent(ids, version)
            status, body, times = client.ask(method, {"records": records})
            tried += 1
            done = _done(method, status, body, ids, again=tried > 1)
            self.answers.append(Answer("write", *times, status, done is not None))
            if done is not None:
                self.ledger.answered(done, version)
                if len(done) < len(ids):
                    self.wrong.append(f"{method} of {ids[0]} … was answered {status}: {len(done)} of {len(ids)} done")
                return len(done) == len(ids)
            if status.startswith("4"):
                self.wrong.append(f"{method} of {ids[0]} … was refused: {status} {body}")
                return False
            time.sleep(_PAUSE_SECONDS)
        return False

    def _search(self, number: int) -> None:
        clients = {name: _Client(self.port, self.token, name) for name in (BASE, WRITTEN)}
        chance = random.Random(number)
        for turn in itertools.count(number):
            if self._stop.is_set():
                return
            if turn % 3 == 2 and self._kept:
                good = self._find_written(clients[WRITTEN], chance.choice(self._kept))
            else:
                good = self._find_nearest(clients[BASE], chance.randrange(SEARCHED), by_picture=turn % 3 == 1)
            time.sleep(0.005 if good else _PAUSE_SECONDS)

    def _find_nearest(self, client: "_Client", number: int, *, by_picture: bool) -> bool:
        query = {"_base64": self._pictures[number]} if by_picture else {"_id": f"p{number}"}
        status, body, times = client.ask("visualKNN", {"query_record": query, "k": NEAREST})
        good = status.startswith("200")
        if good:
            found = [one["_id"] for one in body["answer_records"]]
            if found != self.nearest[f"p{number}"]:
                self.wrong.append(f"the neighbours of p{number}: {found}")
        self.answers.append(Answer("search", *times, status, good))
        return good

    def _find_written(self, client: "_Client", ids: Sequence[str]) -> bool:
        status, body, times = client.ask("get", {"records": [{"_id": one} for one in ids]})
        good = status.startswith(("200", "404"))
        if good:
            found = {one["_id"]: one.get("v") for one in body.get("answer_records", [])}
            bad = [one for one in ids if found.get(one, GONE) not in self.ledger.allowed(one)]
            self.wrong.extend(f"{one}: read as {found.get(one)} after its write was acknowledged" for one in bad)
        self.answers.append(Answer("search", *times, status, good))
        return good


def _done(method: str, status: str, body: Any, ids: list[str], *, again: bool) -> list[str] | None:
    """Return the ids whose change is acknowledged; None where the whole request is to be sent again.

    A change that is sent again may have been done before: what is there already, or gone already, is as it should be.
    """
    code = status.partition("/")[2]
    if method == "insert" and code in {"210", "211", "411"}:
        taken = {one["_id"] for one in body.get("skipped_records", []) if one["_reason"]["status"]["code"] == 211}
        done = {one["_id"] for one in body.get("answer_records", [])} | (taken if again else set())
    elif method == "update" and status.startswith("200"):
        done = {one["_id"] for one in body.get("answer_records", [])}
    elif method == "delete" and (status.startswith("200") or (again and status.startswith("404"))):
        done = set(ids) if again else {one["_id"] for one in body.get("answer_records", [])}
    else:
        return None
    return [one for one in ids if one in done]


class _Client:
    """One kept-alive connection, opened again whenever it breaks."""

    def __init__(self, port: int, token: str, collection: str) -> None:
        self._port = port
        self._headers = {
            "Authorization": f"Token {token}",
            "collection-id": collection,
            "Content-Type": "application/json",
        }
        self._connection: http.client.HTTPConnection | None = None

    def ask(self, method: str, body: object) -> tuple[str, Any, tuple[float, float]]:
        """Return the status, the body and when the request began and ended."""
        began = time.monotonic()
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_TIMEOUT_SECONDS)
            self._connection.request("POST", f"/photo/search/v2/{method}", json.dumps(body), self._headers)
            answer = self._connection.getresponse()
            told = json.loads(answer.read())
            status = f"{answer.status}/{told['status']['code']}"
            if answer.will_close:
                self._close()
        except TimeoutError:
            status, told = "no answer in a minute", None
            self._close()
        except (OSError, http.client.HTTPException, ValueError) as error:
            status, told = _word(error), None
            self._close()
        return status, told, (began, time.monotonic())

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _word(error: Exception) -> str:
    """Return what became of a request without an answer: not accepted, or broken off."""
    return "refused" if isinstance(error, ConnectionRefusedError) else "broken off"
