"""Imports of pictures from URLs, of a real host that is busy, breaks off, redirects, and knows what has changed."""

import base64
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app import create_context
from app.config import Settings
from app.domain.collections import Collection
from app.domain.jobs import State
from app.services import collections
from app.services.context import Context
from app.services.jobs import asking
from app.services.jobs.working import Worker
from tests.api.conftest import picture
from tests.hosts import Caller, Host, host
from tests.support.importing import ask, lines, run, stored
from tests.support.jobs import QUICK
from tests.support.waiting import eventually


class Shop:
    """A host of pictures: `answers` are given first, one a request for a path, then the picture of its version."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Callable[[Caller], None]]] = {}
        self.versions: Counter[str] = Counter()
        self.conditions: list[bytes] = []
        self.lock = threading.Lock()

    def __call__(self, caller: Caller) -> None:
        with self.lock:
            waiting = self.answers.get(caller.path, [])
            answer = waiting.pop(0) if waiting else self.picture
        answer(caller)

    def picture(self, caller: Caller) -> None:
        version = self.versions[caller.path]
        etag = f'"{version}"'
        if f"If-None-Match: {etag}\r\n".encode() in caller.head:
            caller.reply(status=304, Content_Length=None, ETag=etag)
        else:
            number = 10 * version + int(caller.path.strip("/"))
            caller.reply(base64.b64decode(picture(number)), ETag=etag)


@pytest.fixture(scope="module")
def shop() -> Shop:
    return Shop()


@pytest.fixture(scope="module")
def found(shop: Shop) -> Iterator[Host]:
    with host(shop) as made:
        yield made


@pytest.fixture(scope="module")
def context(module_database_url: str, tmp_path_factory: pytest.TempPathFactory, found: Host) -> Iterator[Context]:
    settings = Settings(
        home=tmp_path_factory.mktemp("home"),
        fetch_ports=(found.port,),
        fetch_allow_private=True,
        fetch_backoff_seconds=0.001,
        fetch_backoff_most_seconds=0.01,
        fetch_retries=3,
    )
    made = create_context(settings, module_database_url)
    made.open()
    yield made
    made.close()


@pytest.fixture
def collection(context: Context, found: Host, shop: Shop) -> Iterator[Collection]:
    found.asked.clear()
    found.heads.clear()
    shop.answers.clear()
    shop.versions.clear()
    made = collections.create(context, "urls", "photo", model="phash")
    yield made
    collections.drop(context, made.name)


def records(found: Host, *numbers: int, **fields: Any) -> list[dict[str, Any]]:
    return [{"_id": f"r{number}", "_url": found.url(f"/{number}"), **fields} for number in numbers]


def busy(status: int, **headers: Any) -> Callable[[Caller], None]:
    return lambda caller: caller.reply(status=status, **headers)


def test_a_host_that_is_busy_or_breaks_off_is_asked_again(
    context: Context, collection: Collection, found: Host, shop: Shop, tmp_path: Path
) -> None:
    shop.answers = {
        "/1": [busy(503, Retry_After=5), busy(500)],
        "/2": [lambda caller: caller.send(b"HTTP/1.1 200 So\r\nContent-Length: 999\r\n\r\nhalf"), busy(429)],
        "/3": [busy(502)] * 9,
        "/4": [busy(404)],
        "/5": [busy(302, Location="http://127.0.0.1:1/elsewhere")] * 9,
        "/6": [busy(504), busy(302, Location="/7")],
    }
    job, rejects = run(context, collection, lines(tmp_path / "a", records(found, 1, 2, 3, 4, 5, 6)))
    assert job.state == State.DONE_WITH_REJECTS, job.error
    assert sorted(stored(context, collection)) == ["r1", "r2", "r6"]
    assert {one.id: one.reason for one in rejects} == {
        "r3": "the URL answers with the status 502, 4 times",
        "r4": "the URL answers with the status 404",
        "r5": f"the port 1 is not one of the allowed ports [{found.port}]",
    }
    asked = Counter(found.asked)
    assert [asked[f"/{number}"] for number in range(1, 8)] == [3, 3, 4, 1, 1, 2, 1]


def test_a_later_run_fetches_only_what_has_changed(
    context: Context, collection: Collection, found: Host, shop: Shop, tmp_path: Path
) -> None:
    path = lines(tmp_path / "a", records(found, 1, 2, 3, price=1))
    first, _ = run(context, collection, path, mode="upsert")
    assert (first.outcome["stored"], first.outcome["unchanged"]) == (3, 0)  # type: ignore[call-overload, index]
    before = context.db.all(f"SELECT id, embedding::text FROM lookalike.records_{collection.id} ORDER BY id")
    shop.versions["/2"] = 1
    path = lines(tmp_path / "b", [*records(found, 1, 2, price=1), *records(found, 3, price=2)])
    job, rejects = run(context, collection, path, mode="upsert")
    assert (job.state, rejects) == (State.DONE, [])
    told = {name: job.outcome[name] for name in ("stored", "replaced", "updated", "present", "unchanged")}  # type: ignore[call-overload, index]
    assert told == {"stored": 0, "replaced": 1, "updated": 1, "present": 1, "unchanged": 2}
    assert stored(context, collection)["r3"]["price"] == 2
    after = context.db.all(f"SELECT id, embedding::text FROM lookalike.records_{collection.id} ORDER BY id")
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, False, True]
    assert len(found.asked) == 6
    # What the host says is no news of a record whose picture came from elsewhere meanwhile.
    own = {"_id": "r1", "_base64": picture(50)}
    run(context, collection, lines(tmp_path / "c", [own]), mode="upsert")
    job, _ = run(context, collection, path, mode="upsert")
    assert (job.outcome["replaced"], job.outcome["unchanged"]) == (1, 2)  # type: ignore[call-overload, index]
    assert context.db.all(f"SELECT id, embedding::text FROM lookalike.records_{collection.id} ORDER BY id") == after
    # Of a part of the picture, too, nothing is known yet.
    boxed = lines(tmp_path / "d", records(found, 1, _box=[0, 0, 40, 40]))
    job, _ = run(context, collection, boxed, mode="upsert")
    assert (job.outcome["replaced"], job.outcome["unchanged"]) == (1, 0)  # type: ignore[call-overload, index]
    job, _ = run(context, collection, boxed, mode="upsert")
    assert (job.outcome["present"], job.outcome["unchanged"]) == (1, 1)  # type: ignore[call-overload, index]


def test_what_is_noted_of_urls_is_by_their_digest_and_is_forgotten(
    context: Context, collection: Collection, found: Host, tmp_path: Path
) -> None:
    path = lines(tmp_path / "a", records(found, 1, 2))
    run(context, collection, path)
    context.db.write(lambda one: one.execute("UPDATE lookalike.fetched_urls SET seen_at = now() - interval '401 days'"))
    run(context, collection, lines(tmp_path / "b", records(found, 1)), mode="upsert")
    run(context, collection, lines(tmp_path / "c", records(found, 8)))
    rows = context.db.all("SELECT url, etag, length(digest) AS bytes FROM lookalike.fetched_urls")
    assert [(row["etag"], row["bytes"]) for row in rows] == [('"0"', 32)]
    assert len(bytes(rows[0]["url"])) == 32


def test_a_job_that_waits_for_a_host_is_cancelled_at_once(
    context: Context, collection: Collection, found: Host, shop: Shop, tmp_path: Path
) -> None:
    settings = context.settings.model_copy(update={"fetch_backoff_seconds": 600, "fetch_backoff_most_seconds": 600})
    patient = create_context(settings, context.db.url)
    patient.open()
    shop.answers = {"/1": [busy(503, Retry_After=500)] * 9}
    job = ask(patient, collection, lines(tmp_path / "a", records(found, 1)))
    worker = Worker(patient, QUICK, name="tests")
    held = worker.take(job.id)
    assert held is not None
    thread = threading.Thread(target=worker.do, args=(held,))
    thread.start()
    eventually(lambda: "/1" in found.asked)
    asking.cancel(context, job.id)
    thread.join(20)
    assert not thread.is_alive()
    assert asking.get(context, job.id).state == State.CANCELLED
    patient.close()


def test_the_file_itself_is_fetched_with_patience(
    context: Context, collection: Collection, found: Host, shop: Shop
) -> None:
    listed = f"{found.url('/1')}\n{found.url('/2')}\n".encode()
    shop.answers = {"/list": [busy(503), lambda caller: caller.send(b""), lambda caller: caller.reply(listed)]}
    job, rejects = run(context, collection, Path(), source={"url": found.url("/list")})
    assert (job.state, rejects) == (State.DONE, []), job.error
    assert sorted(stored(context, collection)) == [found.url("/1"), found.url("/2")]
    assert Counter(found.asked)["/list"] == 3
