"""Records of other engines are moved here, as jobs: from their servers, and from files of what those answer."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from werkzeug.serving import make_server

from app.domain.collections import Collection
from app.domain.errors import InvalidRequest
from app.domain.jobs import Job, State
from app.services import collections
from app.services.context import Context
from app.services.jobs import asking
from app.services.jobs.working import Worker
from app.services.moving import job as moving
from app.services.moving import pages, remote
from tests.api.conftest import Api, picture
from tests.hosts import Caller, host
from tests.support.engines import Call, qdrant, serving, weaviate
from tests.support.importing import stored, vectors
from tests.support.jobs import QUICK

COUNT = 700  # more than two pages of each engine
VECTORS = vectors(COUNT)
COSINE = {"size": 256, "distance": "Cosine"}


@pytest.fixture
def target(api: Api) -> tuple[Context, Collection]:
    return api.context, collections.get(api.context, api.collection)


def points(**more: Any) -> list[dict[str, Any]]:
    return [
        {"id": number, "payload": {"n": number, "name": f"Jacke {number}"}, "vector": VECTORS[number], **more}
        for number in range(COUNT)
    ]


def objects() -> list[dict[str, Any]]:
    return [
        {
            "class": "Shop",
            "id": f"{number:08x}-0000-4000-8000-000000000000",
            "properties": {"n": number},
            "vector": VECTORS[number],
        }
        for number in range(1, COUNT)
    ]


def begin(target: tuple[Context, Collection], engine: str, place: str, **given: Any) -> Job:
    source = {"url": place} if place.startswith("http") else {"path": place}
    asked = {"from": engine, "source": source, "source_collection": "shop", **given}
    return asking.start(target[0], moving.kind(), target[1], asked, local=True, reserved="tests")[0]


def do(context: Context, job: Job, token: str | None = None) -> Job:
    worker = Worker(context, QUICK, [moving.kind(token)], "tests")
    held = worker.take(job.id)
    assert held is not None
    worker.do(held)
    return asking.get(context, job.id)


def move(target: tuple[Context, Collection], engine: str, place: str, token: str | None = None, **given: Any) -> Job:
    return do(target[0], begin(target, engine, place, **given), token)


def outcome(job: Job) -> dict[str, Any]:
    assert isinstance(job.outcome, dict), job.error
    return job.outcome


def rejected(target: tuple[Context, Collection], job: Job) -> list[str]:
    return [one.reason for one in asking.rejects(target[0], job.id)]


def vector_of(target: tuple[Context, Collection], record_id: str) -> Any:
    text = f"SELECT vector::text AS v FROM lookalike.vectors_{target[1].id} WHERE id = %s"
    rows = target[0].db.read(lambda one: one.execute(text, (record_id,)).fetchall())
    return np.array(json.loads(rows[0]["v"]))


def test_a_collection_of_qdrant(target: tuple[Context, Collection]) -> None:
    with serving(qdrant(points(), COSINE, "secret")) as engine:
        job = move(target, "qdrant", engine.url, "secret")
        assert (job.state, outcome(job)["stored"]) == (State.DONE, COUNT), job.error
        assert (job.progress.done, job.progress.total) == (COUNT, COUNT)
        scrolls = [call.body.get("offset") for call in engine.calls if call.path.endswith("scroll")]
    assert scrolls == [None, 256, 512]
    found = stored(*target)
    assert found["77"] == {"n": 77, "name": "Jacke 77"}
    assert "secret" not in json.dumps(job.told())
    assert "note" not in outcome(job)


def test_a_class_of_weaviate(target: tuple[Context, Collection]) -> None:
    with serving(weaviate(objects(), {"vectorIndexConfig": {"distance": "cosine"}})) as engine:
        job = move(target, "weaviate", engine.url, "secret", source_collection="Shop")
        assert (job.state, outcome(job)["stored"]) == (State.DONE, COUNT - 1), job.error
        assert {call.headers["authorization"] for call in engine.calls} == {"Bearer secret"}
    assert stored(*target)["00000007-0000-4000-8000-000000000000"] == {"n": 7}


@pytest.fixture
def own_server(api: Api) -> Iterator[str]:
    """This application itself, as a server of the API."""
    server = make_server("127.0.0.1", 0, api.client.application, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/photo/search/v2/"
    server.shutdown()
    thread.join()


def test_a_collection_of_the_api_itself(api: Api, own_server: str) -> None:
    """Attributes come along; a picture that the service does not give is told of, and one with a URL is fetched."""
    context = api.context
    api.fill(5)
    there = collections.create(context, f"{api.collection}-moved", "photo")
    target = context, there
    job = move(target, "ximilar", own_server, api.token, source_collection=api.collection)
    assert (job.state, outcome(job)["rejected"]) == (State.DONE_WITH_REJECTS, 5), job.error
    assert set(rejected(target, job)) == {"the record has no picture and no embedding of the collection's model"}
    again = move(
        target, "ximilar", own_server, api.token, source_collection=api.collection, map={"file": "name"}, mode="upsert"
    )
    assert outcome(again)["rejected"] == 5


def test_records_of_the_api_are_paged_through(api: Api, own_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.services.moving.ximilar._PAGE", 2)
    context = api.context
    api.fill(5)
    target = context, collections.create(context, f"{api.collection}-paged", "photo")
    job = move(target, "ximilar", own_server, api.token, source_collection=api.collection)
    assert sorted(json.loads(one.source or "")["n"] for one in asking.rejects(context, job.id)) == [*range(5)]
    assert (job.progress.done, job.progress.total) == (5, 5)


@pytest.mark.parametrize("shape", ["answer", "array", "points on lines", "answers on lines", "on many lines"])
def test_files_of_qdrant(shape: str, target: tuple[Context, Collection], tmp_path: Path) -> None:
    some = points()[:40]
    answers = [{"result": {"points": some[:25], "next_page_offset": 25}}, {"result": {"points": some[25:]}}]
    text = {
        "answer": json.dumps({"result": {"points": some}}),
        "array": json.dumps(some),
        "points on lines": "\n".join(map(json.dumps, some)),
        "answers on lines": "\n".join(map(json.dumps, answers)),
        "on many lines": json.dumps({"result": {"points": some}}, indent=1),
    }[shape]
    path = tmp_path / "points.json"
    path.write_text(text)
    job = move(target, "qdrant", str(path))
    assert (job.state, outcome(job)["stored"]) == (State.DONE, 40), job.error


def test_a_file_of_weaviate(target: tuple[Context, Collection], tmp_path: Path) -> None:
    path = tmp_path / "objects.json"
    path.write_text(json.dumps({"objects": objects()[:9], "totalResults": 9}))
    assert outcome(move(target, "weaviate", str(path)))["stored"] == 9


def test_one_broken_line_of_a_file_is_one_reject(target: tuple[Context, Collection], tmp_path: Path) -> None:
    path = tmp_path / "points.jsonl"
    path.write_text("\n".join([*map(json.dumps, points()[:3]), '{"id": 9, "vec', *map(json.dumps, points()[3:6])]))
    job = move(target, "qdrant", str(path))
    assert (job.state, outcome(job)["stored"], outcome(job)["rejected"]) == (State.DONE_WITH_REJECTS, 6, 1)
    assert "line 4 of points.jsonl" in rejected(target, job)[0]


def test_the_vector_is_chosen_by_its_name(target: tuple[Context, Collection]) -> None:
    several = [{**one, "vector": {"text": [1.0, 2.0], "image": one["vector"]}} for one in points()[:20]]
    config = {"text": {"size": 2, "distance": "Dot"}, "image": COSINE}
    with serving(qdrant(several, config)) as engine:
        failed = move(target, "qdrant", engine.url)
        assert (failed.state, failed.error) == (
            State.FAILED,
            "the collection has the vectors image, text: --vector names one of them",
        )
        job = move(target, "qdrant", engine.url, vector="image")
    assert outcome(job)["stored"] == 20


def test_a_dimension_that_does_not_fit_fails_before_anything_is_written(target: tuple[Context, Collection]) -> None:
    with serving(qdrant(points(), {"size": 512, "distance": "Cosine"})) as engine:
        job = move(target, "qdrant", engine.url)
        assert job.state is State.FAILED
        assert job.error is not None
        assert job.error.startswith(f"the vectors there have 512 dimensions, those of {target[1].name} 256: make a")
        assert not [call for call in engine.calls if call.path.endswith("scroll")]
    assert stored(*target) == {}


def test_pictures_are_embedded_again_where_the_vectors_are_left(target: tuple[Context, Collection]) -> None:
    given = [{**one, "payload": {"photo": f"data:image/png;base64,{picture(one['id'])}"}} for one in points()[:4]]
    with serving(qdrant(given, {"size": 512, "distance": "Dot"})) as engine:
        job = move(target, "qdrant", engine.url, embed_again=True, map={"image": "photo"})
        assert {call.body.get("with_vector") for call in engine.calls if call.body} == {False}
    assert (job.state, outcome(job)["stored"]) == (State.DONE, 4), (job.error, rejected(target, job))


def test_another_distance_is_told_where_it_orders_otherwise(target: tuple[Context, Collection]) -> None:
    longer = [{**one, "vector": [number * 3 for number in one["vector"]]} for one in points()[:5]]
    for some, word in ((points()[:5], None), (longer, "5 of its vectors have another length than 1")):
        with serving(qdrant(some, {"size": 256, "distance": "Dot"})) as engine:
            told = outcome(move(target, "qdrant", engine.url, mode="upsert"))
        assert (word is None) == ("note" not in told)
        assert (word or "") in str(told.get("note"))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"vector": None}, "point 2 has no vector: export it with its vectors"),
        ({"vector": {"indices": [1], "values": [0.5]}}, "point 2 has a sparse vector, which cannot be searched here"),
        ({"vector": [[0.1] * 256, [0.2] * 256]}, "point 2 has a multivector, and a record here has one vector"),
        ({"vector": ["a"] * 256}, "point 2 has a vector with something in it that is no number"),
        ({"vector": [0.5] * 9}, "_embedding has 9 numbers; the collection's vectors have 256"),
        ({"vector": [0.0] * 256}, "_embedding has no direction: its numbers are all zero, or far too small or large"),
        ({"payload": [1]}, "the payload of point 2 is no object"),
        ({"payload": {"_id": "taken", "a\x00b": 1}}, None),
        ({"id": {"num": 2}}, "this is no point: the id of one is a whole number or a UUID"),
    ],
)
def test_one_point_that_cannot_be_moved_is_one_reject(
    change: dict[str, Any], reason: str | None, target: tuple[Context, Collection], tmp_path: Path
) -> None:
    some = points()[:4]
    some[2] |= change
    path = tmp_path / "points.json"
    path.write_text(json.dumps(some))
    job = move(target, "qdrant", str(path))
    assert (job.state, outcome(job)["stored"], outcome(job)["rejected"]) == (State.DONE_WITH_REJECTS, 3, 1), job.error
    if reason is not None:
        assert rejected(target, job) == [reason]


def test_a_move_goes_on_where_it_stopped(target: tuple[Context, Collection], monkeypatch: pytest.MonkeyPatch) -> None:
    """The key is refused in the middle; with a new one the same job reads on from its position."""
    some = points()
    monkeypatch.setattr("app.services.importing.engine._ROWS", 100)
    answer = qdrant(some, COSINE)
    refuses = threading.Event()

    def watched(call: Call) -> Any:
        if call.body.get("offset") == 512 and not refuses.is_set():
            refuses.set()
            return 403, {"status": {"error": "forbidden"}}, {}
        return answer(call)

    with serving(watched) as engine:
        job = move(target, "qdrant", engine.url)
        assert job.state is State.FAILED
        assert job.error is not None
        assert "does not take the token: it answers 403: forbidden" in job.error
        assert 0 < job.progress.done <= 512
        done = job.progress.done
        before = len(engine.calls)
        asking.resume(target[0], job.id, reserved="tests")
        job = do(target[0], job)
        assert all(call.body.get("offset") != 0 for call in engine.calls[before:])
    assert (job.state, outcome(job)["stored"], outcome(job)["present"]) == (State.DONE, COUNT, 0), job.error
    assert job.progress.done == COUNT >= done
    assert len(stored(*target)) == COUNT


def test_a_busy_server_is_asked_again(target: tuple[Context, Collection]) -> None:
    answer = qdrant(points()[:5], COSINE)
    busy = [429, 503]

    def watched(call: Call) -> Any:
        return (busy.pop(), {}, {"Retry-After": "0"}) if busy else answer(call)

    with serving(watched) as engine:
        assert outcome(move(target, "qdrant", engine.url))["stored"] == 5
        assert len(engine.calls) == 4


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((404, {"status": {"error": "Not found: Collection `shop` doesn't exist!"}}, {}), "knows no such collection"),
        ((302, {}, {"Location": "http://elsewhere.example/"}), "leads elsewhere: give the URL that it leads to"),
        ((400, {"error": "Bad request: vectors"}, {}), "answers 400: Bad request: vectors"),
        ({"result": {"points": []}}, "this is no answer of Qdrant: it has no config"),
        ({"hello": "world"}, "this is no answer of Qdrant: it has no result"),
    ],
)
def test_a_server_that_refuses_or_is_another(answer: Any, said: str, target: tuple[Context, Collection]) -> None:
    with serving(lambda _: answer) as engine:
        job = move(target, "qdrant", engine.url)
    assert (job.state, said in str(job.error)) == (State.FAILED, True), job.error
    assert stored(*target) == {}


def test_a_server_that_speaks_no_json_or_nothing() -> None:
    def page(caller: Caller) -> None:
        caller.reply(b"<html>hello</html>")

    def nothing(caller: Caller) -> None:
        caller.send(b"")

    for answer, said in ((page, "the answer of 127.0.0.1"), (nothing, "cannot be reached")):
        with host(answer) as found:
            ask = remote.remote(found.url(""), {}, pause_seconds=0)
            with pytest.raises(InvalidRequest, match=said):
                ask("/collections/shop")


@pytest.mark.parametrize("url", ["ftp://a.example", "http://", "http://a.example:99999", "http://a.example/?x=1"])
def test_what_is_no_server_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequest, match="is no URL of a server"):
        remote.remote(url, {})


def test_a_token_that_no_header_holds_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="the token holds a character that no token has"):
        remote.remote("http://a.example", {"api-key": "a\nb"})


def test_a_source_without_end_is_noticed() -> None:
    source = pages.Source(lambda at: pages.Page([{"_id": "1"}], at or 1), lambda one: pages.Taken(dict(one)))  # type: ignore[arg-type]
    with pytest.raises(InvalidRequest, match="leads back to a page that was read already, after 2 records"):
        list(source.entries(None, vectors=False))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"from": "milvus"}, "parameters.from: it is one of ximilar, qdrant, weaviate, with a URL or a file"),
        ({"source_collection": None}, "parameters.source_collection: it names the collection there"),
        (
            {"source": {"url": "http://me:secret@a.example"}},
            "the URL names no user: the token is given apart (--token)",
        ),
        ({"embed_again": "yes"}, "parameters.embed_again: it is true or false"),
        ({"mode": "replace"}, "parameters.mode: it is one of insert, upsert, update_only"),
        ({"size": 4}, "parameters.size: this kind of job has no such parameter"),
    ],
)
def test_bad_parameters(given: dict[str, Any], said: str, target: tuple[Context, Collection]) -> None:
    with pytest.raises(InvalidRequest) as error:
        begin(target, "qdrant", "http://a.example", **given)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("shop.snapshot", "x" * 600, "shop.snapshot is a snapshot, whose format is its engine's own"),
        ("empty.json", " \n", "empty.json is empty"),
        ("words.json", "hello", "words.json"),
        ("other.json", '{"answer_records": []}', "this is no answer of Qdrant's scroll: it has no points"),
    ],
)
def test_files_that_are_none(
    name: str, text: str, said: str, target: tuple[Context, Collection], tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text)
    job = move(target, "qdrant", str(tmp_path / name))
    assert (job.state, said in str(job.error)) == (State.FAILED, True), job.error
    missing = move(target, "qdrant", str(tmp_path / "missing.json"))
    assert missing.error == "missing.json cannot be read: No such file or directory"


def test_the_api_begins_no_move(api: Api) -> None:
    """A server would send what tokens it holds to whatever URL it is given."""
    answer = api.client.post(
        "/jobs/v1/move",
        json={"from": "qdrant", "source": {"url": "http://a.example"}},
        headers={"Authorization": f"Token {api.token}", "collection-id": api.collection},
    )
    assert answer.status_code == 400
    assert "the kinds of jobs are" in str(answer.get_json())
