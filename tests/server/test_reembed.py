"""`lookalike collection reembed` beside a server that is searched and written to all the while."""

import base64
import itertools
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import psycopg
import pytest

from app.domain.options import ImageLimits, ModelOptions
from app.embedding.models import registry
from app.embedding.pictures.images import decode
from tests.api.conftest import drawing, picture
from tests.server.conftest import LOOKALIKE, Server
from tests.support.calls import call
from tests.support.waiting import eventually

# Two models of one dimension: vectors of one among those of the other raise no error, they are just far off.
OLD, NEW = "phash", "efficientnet-lite0"


# Each command is a process that loads a model, and a run embeds hundreds of pictures.
_numbers = itertools.count()


@pytest.fixture
def named() -> str:
    """The name of a collection of the test's own."""
    return f"reembedded{next(_numbers)}"


@pytest.fixture(scope="module")
def token(server: Server) -> str:
    return str(server.json("token", "create", "--scope", "admin")["token"])


def code(server: Server, token: str, name: str, method: str, body: Any) -> int:
    return int(call(server, token, method, body, name).json()["status"]["code"])


def fill(server: Server, token: str, name: str, numbers: range) -> None:
    for start in range(numbers.start, numbers.stop, 10):
        some = range(start, min(start + 10, numbers.stop))
        records = [{"_id": str(number), "_base64": picture(number), "n": number} for number in some]
        assert code(server, token, name, "insert", {"records": records}) == 210


def stored(server: Server, name: str) -> dict[str, tuple[Any, dict[str, Any], bytes]]:
    """Vector, attributes and kept picture of every record."""
    with psycopg.connect(server.environment["DATABASE_URL"]) as connection:
        rows = connection.execute(
            "SELECT r.id, r.embedding::text, r.attributes, o.picture FROM lookalike.records AS r"
            " JOIN lookalike.originals AS o USING (collection_id, id)"
            " JOIN lookalike.collections AS c ON c.id = r.collection_id WHERE c.name = %s",
            (name,),
        ).fetchall()
    return {own: (np.array(orjson.loads(vector)), attributes, kept) for own, vector, attributes, kept in rows}


def assert_vectors_are_of(model: str, rows: dict[str, tuple[Any, dict[str, Any], bytes]]) -> None:
    embedder = registry.load(model, ModelOptions())
    kept = {own: decode(bytes(data), ImageLimits(), target=448) for own, (_, _, data) in rows.items()}
    made = embedder.embed([embedder.prepare(image) for image in kept.values()])
    for own, vector in zip(kept, made, strict=True):
        found = rows[own][0]
        assert found.shape == vector.shape
        assert float(found @ vector / np.linalg.norm(found) / np.linalg.norm(vector)) > 0.998, own


class Traffic:
    """Searches and writes at the same time, until it is stopped; what went wrong is in `wrong`."""

    def __init__(self, server: Server, token: str, name: str, fixed: int) -> None:
        self.server, self.token, self.name, self.fixed = server, token, name, fixed
        self.wrong: list[Any] = []
        self.slowest = 0.0
        self.searches = 0
        self.inserted: set[int] = set()
        self.deleted: set[int] = set()
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(4)
        # Each record that is written is one more to embed: without pauses, a slow machine would never be done.
        steps = ((self._by_picture, 0.02), (self._by_id, 0.02), (self._write, 0.2))
        self._futures = [self._pool.submit(self._loop, *step) for step in steps]

    def stop(self) -> None:
        self._stop.set()
        for future in self._futures:
            future.result()
        self._pool.shutdown()

    def _loop(self, step: Callable[[int], None], pause_seconds: float) -> None:
        number = 0
        while not self._stop.wait(pause_seconds):
            number += 1
            step(number)

    def _call(self, method: str, body: Any, wanted: int) -> dict[str, Any]:
        started = time.monotonic()
        answer = call(self.server, self.token, method, body, self.name).json()
        self.slowest = max(self.slowest, time.monotonic() - started)
        if answer["status"]["code"] != wanted:
            self.wrong.append((method, answer["status"]))
        return dict(answer)

    def _search(self, query: dict[str, Any], own: str) -> None:
        answer = self._call("visualKNN", {"query_record": query, "k": 1}, 200)
        self.searches += 1
        # A picture's nearest record is itself, at no distance, under either model, and under no mixture of them.
        if not answer.get("answer_distances") or answer["answer_distances"][0] > 0.1:
            self.wrong.append((query.keys(), own, answer))

    def _by_picture(self, _: int) -> None:
        number = random.randrange(self.fixed)
        self._search({"_base64": picture(number)}, str(number))

    def _by_id(self, _: int) -> None:
        number = random.randrange(self.fixed)
        self._search({"_id": str(number)}, str(number))

    def _write(self, step: int) -> None:
        number = 1000 + step
        self._call("insert", {"records": [{"_id": str(number), "_base64": picture(number), "n": number}]}, 210)
        self.inserted.add(number)
        self._call("update", {"records": [{"_id": str(step % self.fixed), "seen": step}]}, 205)
        if step % 3 == 0:
            self._call("delete", {"records": [{"_id": str(number - 1)}]}, 220)
            self.deleted.add(number - 1)


def test_a_server_serves_right_before_during_and_after(server: Server, token: str, named: str) -> None:
    server.json("collection", "create", named, "--service", "photo", "--model", OLD, "--keep-images")
    fill(server, token, named, range(60))
    traffic = Traffic(server, token, named, 60)
    try:
        eventually(lambda: traffic.searches > 10)
        done = server.json("collection", "reembed", named, "--model", NEW)
        at_switch = traffic.searches
        eventually(lambda: traffic.searches > at_switch + 50)  # the server remembers the old collection, first
    finally:
        traffic.stop()
    assert traffic.wrong == []
    assert done["switched"]
    assert (done["model"], done["unreadable"]) == (NEW, 0)
    assert traffic.searches > at_switch > 0
    shown = server.json("collection", "show", named)
    rows = stored(server, named)
    assert (shown["model"], shown["records"]) == (NEW, len(rows))
    assert {int(own) for own in rows} == set(range(60)) | (traffic.inserted - traffic.deleted)
    assert_vectors_are_of(NEW, rows)
    for number in range(60):
        last = max((step for step in range(1, len(traffic.inserted) + 1) if step % 60 == number), default=None)
        assert rows[str(number)][1].get("seen") == last
    again = server.command("collection", "reembed", named, "--model", NEW)
    assert "already" in again.stdout


def test_a_killed_run_is_gone_on_with(server: Server, token: str, named: str, tmp_path: Path) -> None:
    for number in range(700):
        drawing(number, 64).save(tmp_path / f"{number}.png")
    server.json("collection", "create", named, "--service", "photo", "--model", "pixels", "--keep-images")
    server.json("load", named, str(tmp_path))
    url = server.environment["DATABASE_URL"]
    process = subprocess.Popen(
        [LOOKALIKE, "collection", "reembed", named, "--model", OLD],
        env=server.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    before = 0
    with psycopg.connect(url, autocommit=True) as connection:
        own = connection.execute("SELECT id FROM lookalike.collections WHERE name = %s", (named,)).fetchone()
        assert own is not None
        while before == 0:
            assert process.poll() is None
            if connection.execute(f"SELECT to_regclass('lookalike.records_{own[0]}_v2')").fetchone() != (None,):
                row = connection.execute(f"SELECT count(*) FROM lookalike.records_{own[0]}_v2").fetchone()
                before = row[0] if row else 0
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    with psycopg.connect(url) as connection:
        connection.execute("DELETE FROM lookalike.records WHERE id = '3.png' AND collection_id = %s", own)
    assert code(server, token, named, "delete", {"records": [{"_id": "4.png"}]}) == 220
    changed = {"_id": "4.png", "_base64": picture(999), "n": 999}
    assert code(server, token, named, "insert", {"records": [changed]}) == 210
    assert code(server, token, named, "update", {"records": [{"_id": "5.png", "price": 7}]}) == 205
    # No model is named: it is the one that was begun with; another is refused.
    refused = server.command("collection", "reembed", named, "--model", NEW, check=False)
    assert (refused.returncode, "--abandon" in refused.stderr) == (1, True)
    done = server.json("collection", "reembed", named)
    assert done["switched"]
    assert done["embedded"] <= 700 - before
    rows = stored(server, named)
    assert set(rows) == {f"{number}.png" for number in range(700) if number != 3}
    assert rows["4.png"][1] == {"n": 999}
    assert bytes(rows["4.png"][2]) == base64.b64decode(picture(999))
    assert rows["5.png"][1]["price"] == 7
    assert_vectors_are_of(OLD, rows)


def test_unreadable_pictures_wait_for_a_decision(
    server: Server, token: str, named: str, tmp_path: Path, pictures: tuple[Path, str]
) -> None:
    folder, url = pictures
    for number in range(4):
        drawing(number).save(tmp_path / f"{number}.png")
    drawing(10).save(folder / "there.png")
    drawing(11).save(folder / "gone.png")
    server.json("collection", "create", named, "--service", "photo", "--model", "pixels")
    server.json("load", named, str(tmp_path))
    given = [
        {"_id": "there", "_url": f"{url}/there.png", "_box": [0, 0, 80, 80]},
        {"_id": "gone", "_url": f"{url}/gone.png"},
        {"_id": "sent", "_base64": picture(12)},
    ]
    assert code(server, token, named, "insert", {"records": given}) == 210
    (folder / "gone.png").unlink()
    (tmp_path / "2.png").unlink()
    list_ = tmp_path / "unreadable.jsonl"
    arguments = ("collection", "reembed", named, "--files", str(tmp_path), "--unreadable-to", str(list_))

    stopped = server.command(*arguments, "--model", OLD, check=False)
    assert stopped.returncode == 3
    assert "3 pictures cannot be read" in stopped.stderr
    assert "--drop-unreadable" in stopped.stderr
    told = {line["_id"]: line["reason"] for line in map(orjson.loads, list_.read_text().splitlines())}
    assert set(told) == {"2.png", "gone", "sent"}
    assert "neither _url nor _file" in told["sent"]
    assert "404" in told["gone"]
    shown = server.json("collection", "show", named)
    assert (shown["model"], shown["reembedding_with"]) == ("pixels", OLD)
    assert code(server, token, named, "visualKNN", {"query_record": {"_id": "sent"}}) == 200

    drawing(2).save(tmp_path / "2.png")
    again = server.command(*arguments, "--json", check=False)
    assert again.returncode == 3
    assert {key: orjson.loads(again.stdout)[key] for key in ("switched", "unreadable", "embedded")} == {
        "switched": False,
        "unreadable": 2,
        "embedded": 1,
    }
    assert "removed" in server.command("collection", "reembed", named, "--abandon").stdout
    assert "nothing to give up" in server.command("collection", "reembed", named, "--abandon").stdout
    shown = server.json("collection", "show", named)
    assert (shown["records"], shown["reembedding_with"]) == (7, None)

    done = server.json(*arguments, "--model", OLD, "--drop-unreadable")
    assert (done["switched"], done["dropped"], done["embedded"]) == (True, 2, 5)
    shown = server.json("collection", "show", named)
    assert (shown["model"], shown["records"]) == (OLD, 5)
    # The part that the record's box names was embedded, as before.
    part = {"_base64": picture(10), "_box": [0, 0, 80, 80]}
    nearest = call(server, token, "visualKNN", {"query_record": part, "k": 1}, named).json()
    assert nearest["answer_records"] == [{"_id": "there"}]
    assert nearest["answer_distances"][0] < 0.1


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("nowhere", "--model", OLD), 1, "there is no collection 'nowhere'"),
        (("{}",), 1, "name the model"),
        (("{}", "--model", "nothing"), 1, "there is no model 'nothing'"),
        (("{}", "--abandon", "--drop-unreadable"), 2, "no other choice"),
        (("{}", "--model", OLD, "--files", "/nowhere"), 2, "does not exist"),
    ],
)
def test_what_makes_no_sense_changes_nothing(
    server: Server, named: str, arguments: tuple[str, ...], status: int, said: str
) -> None:
    server.json("collection", "create", named, "--service", "photo", "--model", "pixels")
    done = server.command("collection", "reembed", *(one.format(named) for one in arguments), check=False)
    assert (done.returncode, done.stdout) == (status, "")
    assert said in done.stderr
    shown = server.json("collection", "show", named)
    assert (shown["model"], shown["hnsw_index_ready"]) == ("pixels", False)


def test_an_empty_collection_and_a_large_one(server: Server, token: str, named: str) -> None:
    """A large one gets its index before the switch: a search is never slow for want of it."""
    server.environment["LOOKALIKE_INDEX_ROWS"] = "20"
    try:
        server.json("collection", "create", named, "--service", "photo", "--model", "pixels", "--keep-images")
        assert server.json("collection", "reembed", named, "--model", OLD)["switched"]
        fill(server, token, named, range(30))
        server.command("collection", "index", named, "n")
        assert server.json("collection", "reembed", named, "--model", "pixels")["embedded"] == 30
    finally:
        del server.environment["LOOKALIKE_INDEX_ROWS"]
    shown = server.json("collection", "show", named)
    assert (shown["hnsw_index_ready"], shown["indexed_fields"], shown["dimensions"]) == (True, ["n"], 193)
    found = call(server, token, "visualKNN", {"query_record": {"_id": "3"}, "filter": {"n": {"$gt": 2}}, "k": 1}, named)
    assert found.json()["answer_records"] == [{"_id": "3"}]
