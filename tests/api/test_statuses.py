"""Every status of the specification, and every one of the server's own, is produced by a real request."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from app import create_app
from app.config import Settings
from app.domain import statuses
from app.domain.statuses import Status
from app.domain.tokens import Limits, Scope
from app.services import collections, tokens
from app.services.importing.uploads import Uploads
from tests.api import spec
from tests.api.conftest import Api, picture
from tests.support.places import ROOT

Json = dict[str, Any]
# The status as it was answered: code, text, HTTP status; the last is None in the reason of a skipped record.
Answered = tuple[int, str, int | None]
Producer = Callable[[Api], Answered]

TABLE: dict[str, Status] = {name: own for name, own in vars(statuses).items() if isinstance(own, Status)}

PRODUCERS: dict[str, Producer] = {}


def produces(name: str) -> Callable[[Producer], Producer]:
    def register(producer: Producer) -> Producer:
        PRODUCERS[name] = producer
        return producer

    return register


def answered(api: Api, method: str, body: Any = None, *, verb: str = "POST", **headers: str) -> Answered:
    answer = api.call(method, body, verb=verb, **headers)
    own = answer.get_json()["status"]
    return own["code"], own["text"], answer.status_code


def reason(api: Api, method: str, records: list[Json]) -> Answered:
    """The reason why the last of the records was skipped."""
    own = api.post(method, {"records": records})["skipped_records"][-1]["_reason"]["status"]
    return own["code"], own["text"], None


def new(own: str, number: int = 7) -> Json:
    return {"_id": own, "_base64": picture(number)}


_STORED, _NOBODY, _BROKEN = {"_id": "0"}, {"_id": "nobody"}, {"_id": "broken", "_base64": "AAAA"}
_QUERY = {"query_record": _STORED}
_SIMPLE: dict[str, tuple[str, Any]] = {
    "OK": ("visualKNN", _QUERY),
    "RECORDS_FOUND": ("get", {"records": [_STORED]}),
    "SOME_NOT_FOUND": ("get", {"records": [_STORED, _NOBODY]}),
    "RECORDS_INSERTED": ("insert", {"records": [new("a")]}),
    "SOME_INSERTED": ("insert", {"records": [new("b"), new("0")]}),
    "SOME_NOT_RANKED": ("visualRankRecords", {**_QUERY, "records": [_STORED, _NOBODY]}),
    "RECORDS_DELETED": ("delete", {"records": [{"_id": "1"}]}),
    "ABORTED": ("insert", {"records": [_BROKEN]}),
    "WRONG_QUERY_RECORD": ("visualKNN", {"query_record": _NOBODY}),
    "RECORDS_NOT_FOUND": ("delete", {"records": [_NOBODY]}),
    "RECORD_DUPLICATE": ("insert", {"records": [new("0")]}),
    "METHOD_NOT_FOUND": ("visualKnm", {}),
    "BODY_TOO_LARGE": ("insert", {"records": [{"_id": "c", "_base64": "A" * 2**21}]}),
}
for _name, (_method, _body) in _SIMPLE.items():
    PRODUCERS[_name] = lambda api, method=_method, body=_body: answered(api, method, body)  # type: ignore[misc]

_SKIPS: dict[str, tuple[str, list[Json]]] = {
    "SKIPPED_DUPLICATE": ("insert", [new("d"), new("0")]),
    "SKIPPED_NOT_FOUND": ("get", [_STORED, _NOBODY]),
    "SKIPPED_ERROR": ("insert", [new("e"), _BROKEN]),
}
for _name, (_method, _records) in _SKIPS.items():
    PRODUCERS[_name] = lambda api, method=_method, records=_records: reason(api, method, records)  # type: ignore[misc]


@produces("UNAUTHORIZED")
def unauthorized(api: Api) -> Answered:
    return answered(api, "getRecordCount", {}, Authorization="Token unknown")


@produces("FORBIDDEN")
def forbidden(api: Api) -> Answered:
    reader = tokens.create(api.context, [Scope.READ], [api.collection]).token
    return answered(api, "insert", {"records": [new("f")]}, Authorization=f"Token {reader}")


@produces("COLLECTION_NOT_FOUND")
def collection_not_found(api: Api) -> Answered:
    return answered(api, "getRecordCount", {}, collection_id="no-such-collection")


@produces("TOO_MANY_REQUESTS")
def too_many_requests(api: Api) -> Answered:
    """A token that may ask once in a thousand seconds asks again."""
    slow = tokens.create(api.context, [Scope.READ], None, limits=Limits(requests_per_second=0.001)).token
    answered(api, "getRecordCount", {}, Authorization=f"Token {slow}")
    return answered(api, "getRecordCount", {}, Authorization=f"Token {slow}")


def of_jobs(api: Api, path: str, verb: str = "GET", **sent: Any) -> Answered:
    headers = {"Authorization": f"Token {api.token}", **sent.pop("headers", {})}
    answer = api.client.open(f"/jobs/v1/{path}", method=verb, headers=headers, **sent)
    status = answer.get_json()["status"]
    return status["code"], status["text"], answer.status_code


@produces("JOB_NOT_FOUND")
def job_not_found(api: Api) -> Answered:
    return of_jobs(api, "jobs/1")


@produces("CONFLICT")
def decided_before(api: Api) -> Answered:
    """A record that a decision about duplicates names is not there."""
    body = {"keep": ["0"], "remove": ["nobody"]}
    headers = {"Authorization": f"Token {api.token}", "collection-id": api.collection}
    answer = api.client.post("/duplicates/v1/resolve", json=body, headers=headers)
    status = answer.get_json()["status"]
    return status["code"], status["text"], answer.status_code


@produces("NOT_FOUND")
def upload_not_found(api: Api) -> Answered:
    return of_jobs(api, f"uploads/{'0' * 32}")


@produces("STORAGE_FULL")
def storage_full(api: Api) -> Answered:
    """An upload lies on a device that is always full."""
    principal = api.context.lookup.principal(api.token)
    assert principal is not None
    upload = Uploads.of(api.context.settings, principal.token_id).begin()
    part = api.context.settings.home / "uploads" / f"part-{principal.token_id}-{upload}"
    part.unlink()
    part.symlink_to("/dev/full")
    return of_jobs(api, f"uploads/{upload}", "PATCH", data=b"{}", headers={"Upload-Offset": "0"})


@produces("VERB_NOT_ALLOWED")
def verb_not_allowed(api: Api) -> Answered:
    return answered(api, "visualKNN", verb="GET")


@produces("CAPACITY_EXCEEDED")
def capacity_exceeded(api: Api) -> Answered:
    small = collections.create(api.context, f"{api.collection}-small", "photo", capacity=1)
    return answered(api, "insert", {"records": [new("g"), new("h", 8)]}, collection_id=small.name)


@produces("UNAVAILABLE")
def unavailable(api: Api) -> Answered:
    """A session of somebody else's holds the table for longer than a statement may take."""
    with psycopg.connect(api.context.db.url) as other:
        other.execute("LOCK TABLE lookalike.records IN ACCESS EXCLUSIVE MODE")
        return answered(api, "getRecordCount", {})


@produces("UNKNOWN_ERROR")
def unknown_error(api: Api) -> Answered:
    """A trigger of somebody's own fails: an error for which no other answer is foreseen."""
    table = sql.Identifier("lookalike", api.context.lookup.collection(api.collection).records_table)
    with psycopg.connect(api.context.db.url, autocommit=True) as other:
        other.execute("CREATE FUNCTION public.fails() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN 1 / 0; END'")
        other.execute(sql.SQL("CREATE TRIGGER fails BEFORE DELETE ON {} EXECUTE FUNCTION public.fails()").format(table))
        try:
            return answered(api, "delete", {"records": [{"_id": "1"}]})
        finally:
            other.execute("DROP FUNCTION public.fails CASCADE")


@pytest.fixture(scope="module")
def served(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """The application on a database of this module's own, with short patience and small bodies."""
    settings = Settings(home=tmp_path_factory.mktemp("home"), statement_timeout_ms=500, max_body_bytes=2**20)
    application = create_app(settings, module_database_url)
    context = application.extensions["lookalike"]
    collection = collections.create(context, "statuses", "photo").name
    api = Api(application.test_client(), context, collection, tokens.create(context, [Scope.ADMIN], None).token)
    api.fill(3)
    yield api
    context.close()


@pytest.mark.parametrize("name", sorted(PRODUCERS))
def test_a_request_is_answered_with_the_status(served: Api, name: str) -> None:
    status = TABLE[name]
    code, text, http = PRODUCERS[name](served)
    assert (code, text) == (status.code, status.text)
    assert http in (None, status.http.value)
    assert served.post("getRecordCount", code=200)["answer_count"] >= 2, "the server goes on"


def test_each_status_of_the_table_is_produced() -> None:
    assert set(PRODUCERS) == set(TABLE)


def test_each_status_of_the_specification_is_one_that_is_produced() -> None:
    if not spec.path().is_file():
        pytest.skip("the specification's text is not there: set LOOKALIKE_SPEC to its file")
    text = spec.path().read_text(encoding="utf-8")
    listed = re.findall(r'"code" ?: ?(\d{3}), "text" ?: ?"([^"]+)"', text)
    in_answers = re.findall(r'"code" ?: ?(\d{3}),\s+"text" ?: ?"([^"]+)"', text)
    mirrored = [(code, said) for said, code in re.findall(r'"text" ?: ?"([^"]+)",\s+"code" ?: ?(\d{3})', text)]
    wanted = {(int(code), said) for code, said in [*listed, *in_answers, *mirrored]}
    assert len(wanted) >= 13
    assert wanted <= {(TABLE[name].code, TABLE[name].text) for name in PRODUCERS}


def test_the_table_of_the_docs_is_that_of_the_server() -> None:
    text = (ROOT / "docs" / "compatibility.md").read_text(encoding="utf-8")
    section = text.partition("## Statuses")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (\d{3}) \| ([^|]+) \| (\d*) \| ([^|]+) \|$", section, re.MULTILINE)
    written = {(int(code), said.strip(), http) for code, said, http, _ in rows}
    own = {
        (status.code, status.text, "" if name.startswith("SKIPPED_") else str(status.http.value))
        for name, status in TABLE.items()
    }
    assert written == own
