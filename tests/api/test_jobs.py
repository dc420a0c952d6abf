"""Jobs over HTTP: asked for, listed, waited for, followed, changed; by whoever may."""

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from werkzeug.test import TestResponse

from app.services.importing.formats import MEDIA_TYPES
from app.services.importing.plan import _NAMES
from app.services.jobs import asking
from app.services.jobs.kinds import KINDS
from app.services.jobs.working import Workers
from tests.api.conftest import Api
from tests.support.jobs import QUICK, Counting, until


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch, api: Api) -> Counting:
    made = Counting()
    monkeypatch.setitem(KINDS, "count", made.kind)
    api.context.db.write(
        lambda one: one.execute("CREATE TABLE IF NOT EXISTS public.counted (job_id bigint, number integer)")
    )
    return made


@pytest.fixture
def workers(api: Api, counting: Counting) -> Iterator[Workers]:
    made = Workers(api.context, 1, QUICK, [*KINDS.values()])
    made.start()
    yield made
    made.stop(10)
    made.join()


def call(api: Api, path: str, body: Any = None, verb: str = "GET", token: str | None = None, **head: str) -> Any:
    answer = raw(api, path, body, verb, token, **head)
    got = answer.get_json()
    assert got["status"]["request_id"]
    assert "OperationTime" in got["statistics"]
    return {"http": answer.status_code, **got}


def raw(
    api: Api, path: str, body: Any = None, verb: str = "GET", token: str | None = None, **head: str
) -> TestResponse:
    sent = {"Authorization": f"Token {token or api.token}", "collection-id": api.collection}
    sent |= {key.replace("_", "-"): value for key, value in head.items()}
    return api.client.open(f"/jobs/v1/{path}", method=verb, json=body, headers=sent)


def start(api: Api, kind: str = "count", body: Any = None, **head: str) -> Any:
    return call(api, kind, {"to": 12} if body is None else body, "POST", **head)


def test_a_job_is_asked_for_waited_for_and_told_of(api: Api, workers: Workers) -> None:
    made = start(api)
    assert (made["http"], made["kind"], made["collection"], made["created"]) == (200, "count", api.collection, True)
    assert isinstance(made["id"], str)
    job = made
    while job["state"] in ("queued", "running"):
        job = call(api, f"jobs/{made['id']}?wait=20")
    assert job["state"] == "done_with_rejects"
    assert job["progress"]["done"] == job["progress"]["total"] == 12
    assert set(job["progress"]) == {
        *("phase", "done", "total", "rejected", "bytes", "rate", "seconds_left", "indexed"),
    }
    rejected = raw(api, f"jobs/{made['id']}/rejects")
    assert rejected.content_type == "application/x-ndjson"
    assert [json.loads(line) for line in rejected.text.splitlines()] == [
        {"line": 10, "_id": "10", "code": 402, "reason": "a ten", "source": {"n": 10}}
    ]


def test_indexes_are_built_by_jobs(api: Api, workers: Workers) -> None:
    api.fill(2)
    for kind, body, outcome in (
        ("index", {}, {"built": False}),
        ("field-index", {"field": "price"}, {"index": f"{table(api)}_f_78a5eb43deef9a7b"}),
    ):
        job = until(api.context, int(start(api, kind, body)["id"]), lambda one: one.ended)
        assert (job.state, job.outcome) == ("done", outcome)
    failed = until(api.context, int(start(api, "index", {"anew": True})["id"]), lambda one: one.ended)
    assert (failed.state, "has no index" in str(failed.error)) == ("failed", True)


def table(api: Api) -> str:
    return api.context.lookup.collection(api.collection).records_table


@pytest.mark.parametrize(
    ("kind", "body", "said"),
    [
        ("nothing", {}, "the kinds of jobs are"),
        ("index", {"anew": "yes"}, "parameters.anew: it is true or false"),
        ("index", {"other": 1}, "parameters.other: this kind of job has no such parameter; it takes anew"),
        ("field-index", {}, "parameters.field: it is a text"),
        ("field-index", {"field": "a.b"}, "top-level attribute"),
        ("index", [1], "the request body must be a JSON object"),
    ],
)
def test_what_cannot_be_asked_for_is_named(api: Api, kind: str, body: Any, said: str) -> None:
    refused = start(api, kind, body)
    assert (refused["http"], refused["status"]["code"]) == (400, 402)
    assert said in refused["status"]["error_description"]
    assert call(api, f"jobs?collection={api.collection}")["jobs"] == []


def test_a_job_pauses_goes_on_and_is_cancelled(api: Api, counting: Counting) -> None:
    number = start(api)["id"]
    for verb, state in (("pause", "paused"), ("pause", "paused"), ("resume", "queued"), ("cancel", "cancelled")):
        assert call(api, f"jobs/{number}/{verb}", verb="POST")["state"] == state
    refused = call(api, f"jobs/{number}/resume", verb="POST")
    assert refused["status"]["code"] == 402
    assert "is cancelled: it cannot be resumed" in refused["status"]["error_description"]
    assert call(api, f"jobs/{number}?wait=20")["state"] == "cancelled"  # at once


def test_an_idempotency_key_starts_one_job(api: Api, counting: Counting) -> None:
    first, again = (start(api, Idempotency_Key="same") for _ in range(2))
    assert (first["id"], first["created"], again["created"]) == (again["id"], True, False)
    other = start(api, body={"to": 13}, Idempotency_Key="same")
    assert (other["http"], "used for another job" in other["status"]["error_description"]) == (400, True)


def test_tokens_see_and_change_what_is_theirs(
    api: Api, counting: Counting, new_token: Callable[..., str], new_collection: Callable[..., str]
) -> None:
    other = new_collection()
    mine = start(api)["id"]
    reader, writer, stranger = (
        new_token("read", api.collection),
        new_token("write", api.collection),
        new_token("write", other),
    )
    assert call(api, f"jobs/{mine}", token=reader)["http"] == 200
    assert call(api, f"jobs/{mine}/pause", verb="POST", token=reader)["http"] == 403
    assert call(api, "count", {"to": 1}, "POST", token=reader)["http"] == 403
    assert call(api, "count", {"to": 1}, "POST", token=stranger)["http"] == 403
    for path, verb in (
        ("", "GET"),
        ("/rejects", "GET"),
        ("/result", "GET"),
        ("/events", "GET"),
        ("/pause", "POST"),
        ("/cancel", "POST"),
    ):
        refused = call(api, f"jobs/{mine}{path}", verb=verb, token=stranger)
        assert (refused["http"], refused["status"]["text"]) == (404, "job not found")
    assert call(api, "jobs", token=stranger)["jobs"] == []
    assert [job["id"] for job in call(api, "jobs", token=writer)["jobs"]] == [mine]
    assert call(api, f"jobs/{mine}/pause", verb="POST", token=writer)["state"] == "paused"
    assert raw(api, "jobs", token="none").status_code == 401


def test_jobs_are_listed_page_by_page(api: Api, counting: Counting) -> None:
    made = [start(api)["id"] for _ in range(5)]
    call(api, f"jobs/{made[0]}/cancel", verb="POST")
    seen, path = [], f"jobs?collection={api.collection}&size=2"
    page = call(api, path)
    while True:
        seen += [job["id"] for job in page["jobs"]]
        if page["next"] is None:
            break
        page = call(api, f"{path}&before={page['next']}")
    assert seen == made[::-1]
    some = call(api, f"jobs?collection={api.collection}&state=cancelled,done&kind=count,index")["jobs"]
    assert [job["id"] for job in some] == [made[0]]
    for query in ("state=odd", "kind=odd", "kind=count,odd", "kind=%00", "size=0", "size=1001", "size=x", "before=-1"):
        assert call(api, f"jobs?{query}")["status"]["code"] == 402
    assert call(api, "jobs?collection=none")["http"] == 404
    for number in ("x", "-1", "9" * 18, "9" * 40):
        assert call(api, f"jobs/{number}")["status"]["text"] == "job not found"
    for wait in ("x", "61", "-1"):
        assert call(api, f"jobs/{made[1]}?wait={wait}")["status"]["code"] == 402


def test_a_job_is_followed_until_it_ends(api: Api, counting: Counting, workers: Workers) -> None:
    counting.gate = threading.Event()
    number = start(api)["id"]
    answer = api.client.get(f"/jobs/v1/jobs/{number}/events", headers={"Authorization": f"Token {api.token}"})
    assert answer.content_type.startswith("text/event-stream")
    events = []
    for piece in answer.response:
        text = piece.decode() if isinstance(piece, bytes) else piece
        events += [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
        counting.gate.set()
    answer.close()  # as a server does
    assert events[-1]["state"] == "done_with_rejects"
    shown = [event["progress"]["done"] for event in events]
    assert shown == sorted(shown)


def test_those_that_wait_have_a_bounded_number_of_places(api: Api, counting: Counting) -> None:
    places = api.context.watchers
    number = start(api)["id"]
    taken = 0
    while places.acquire(blocking=False):
        taken += 1
    try:
        assert taken == api.context.settings.job_watchers
        assert call(api, f"jobs/{number}?wait=60")["state"] == "queued"  # at once
        refused = raw(api, f"jobs/{number}/events")
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
    finally:
        for _ in range(taken):
            places.release()
    followed = api.client.get(f"/jobs/v1/jobs/{number}/events", headers={"Authorization": f"Token {api.token}"})
    assert next(iter(followed.response))
    followed.close()
    assert places._value == taken  # a reader that has gone gives its place back
    asking.cancel(api.context, int(number))


def test_the_document_is_valid_and_names_every_path(api: Api) -> None:
    told = api.client.get("/jobs/v1/openapi.json").get_json()
    OpenAPIV31SpecValidator(told).validate()
    rules = {rule.rule for rule in api.client.application.url_map.iter_rules() if rule.rule.startswith("/jobs/v1/")}
    named = {f"/jobs/v1{path}".replace("{id}", "<job_id>").replace("{upload}", "<upload>") for path in told["paths"]}
    assert named - {f"/jobs/v1/{kind}" for kind in KINDS} == rules - {
        "/jobs/v1/<kind>",
        "/jobs/v1/import",
        "/jobs/v1/openapi.json",
    }
    assert {f"/jobs/v1/{kind}" for kind in KINDS} <= named
    imports = told["paths"]["/import"]["post"]
    assert {"preview", *_NAMES} - {"source"} <= {one["name"] for one in imports["parameters"]}
    assert {*MEDIA_TYPES, "application/json"} < set(imports["requestBody"]["content"])


def test_other_verbs_and_paths_are_answered_with_an_envelope(api: Api) -> None:
    assert raw(api, "jobs", verb="DELETE").get_json()["status"]["code"] == 405
    assert raw(api, "jobs/1/none").get_json()["status"]["code"] == 404
