"""Files that are sent for an import: at once, in pieces, compressed, and the same twice."""

import gzip
import json
from collections.abc import Callable
from typing import Any

from app.domain.tokens import Scope
from app.services import tokens
from app.services.importing.job import IMPORT
from app.services.jobs import asking
from app.services.jobs.working import Worker
from tests.api.conftest import Api
from tests.support.importing import stored, vectors
from tests.support.jobs import QUICK

LINES = "".join(
    json.dumps({"_id": f"u{number}", "_embedding": vector}) + "\n" for number, vector in enumerate(vectors(3))
).encode()


def send(api: Api, path: str, data: bytes = b"", verb: str = "POST", **headers: str) -> Any:
    sent = {"Authorization": f"Token {api.token}", "collection-id": api.collection}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    return api.client.open(f"/jobs/v1/{path}", method=verb, data=data, headers=sent)


def done(api: Api, told: dict[str, Any]) -> str:
    worker = Worker(api.context, QUICK, [IMPORT])
    held = worker.take(int(told["id"]))
    assert held is not None
    worker.do(held)
    return str(asking.get(api.context, held.id).state)


def test_a_file_is_sent_with_the_request(api: Api) -> None:
    sent = {"Content_Type": "application/x-ndjson", "Content_Encoding": "gzip", "Idempotency_Key": api.collection}
    first = send(api, "import?mode=insert", gzip.compress(LINES, mtime=0), **sent).get_json()
    again = send(api, "import?mode=insert", gzip.compress(LINES, mtime=0), **sent).get_json()
    assert (first["created"], again["created"], again["id"]) == (True, False, first["id"])
    other = send(api, "import?mode=insert", LINES, **sent).get_json()
    assert other["status"]["code"] == 402
    assert done(api, first) == "done"
    assert sorted(stored(api.context, api.context.lookup.collection(api.collection))) == ["u0", "u1", "u2"]


def test_a_file_is_longer_than_other_bodies_may_be(api: Api) -> None:
    """At once and in pieces: it is written to disk as it comes."""
    limit = api.context.settings.max_body_bytes
    long = LINES + b"\n" * limit
    assert done(api, send(api, "import", long, Content_Type="application/x-ndjson").get_json()) == "done"
    upload = send(api, "uploads").get_json()["upload"]
    told = send(api, f"uploads/{upload}", long, "PATCH", Upload_Offset="0")
    assert told.headers["Upload-Offset"] == str(len(long)), told.get_json()
    refused = send(api, "import", b"{" + b" " * limit + b"}", Content_Type="application/json")
    assert refused.status_code == 413


def test_a_file_is_sent_in_pieces_and_goes_on_where_it_broke_off(api: Api) -> None:
    upload = send(api, "uploads").get_json()["upload"]
    half = len(LINES) // 2
    assert send(api, f"uploads/{upload}", LINES[:half], "PATCH", Upload_Offset="0").headers["Upload-Offset"] == str(
        half
    )
    wrong = send(api, f"uploads/{upload}", LINES, "PATCH", Upload_Offset="0").get_json()
    assert f"go on from {half}" in wrong["status"]["error_description"]
    assert send(api, f"uploads/{upload}", verb="HEAD").headers["Upload-Offset"] == str(half)
    send(api, f"uploads/{upload}", LINES[half:], "PATCH", Upload_Offset=str(half))
    body = json.dumps({"source": {"upload": upload}, "map": {"id": "_id"}}).encode()
    shown = send(api, "import?preview=true", body, Content_Type="application/json").get_json()
    assert shown["preview"]["format"] == "jsonl"
    assert [one["embedding"] for one in shown["preview"]["records"]] == [True] * 3
    body = json.dumps({"source": shown["source"]}).encode()
    assert done(api, send(api, "import", body, Content_Type="application/json").get_json()) == "done"


def test_a_disk_that_is_full_keeps_what_was_sent_so_far(api: Api) -> None:
    upload = send(api, "uploads").get_json()["upload"]
    half = len(LINES) // 2
    send(api, f"uploads/{upload}", LINES[:half], "PATCH", Upload_Offset="0")
    folder = api.context.settings.uploads_folder or api.context.settings.home / "uploads"
    (part,) = folder.glob(f"part-*-{upload}")
    aside = part.rename(folder / "aside")
    part.symlink_to("/dev/full")
    full = send(api, f"uploads/{upload}", LINES[half:], "PATCH", Upload_Offset="0")
    assert (full.status_code, full.get_json()["status"]["code"]) == (507, 507)
    assert "is full" in full.get_json()["status"]["error_description"]
    whole = send(api, "import", LINES, Content_Type="application/x-ndjson")
    assert (whole.status_code, whole.get_json()["kind"]) == (200, "import")
    aside.replace(part)
    assert send(api, f"uploads/{upload}", verb="HEAD").headers["Upload-Offset"] == str(half)
    sent = send(api, f"uploads/{upload}", LINES[half:], "PATCH", Upload_Offset=str(half))
    assert sent.headers["Upload-Offset"] == str(len(LINES))


def test_bad_requests_are_told_what_is_wrong(api: Api) -> None:
    cases = {
        "import?mode=replace": "parameters.mode",
        "import?near_duplicates=drop": "parameters.near_duplicates",
        "import?map=[]": "parameters.map",
        "import?format=xml": "parameters.format",
        "import?other=1": "parameters.other",
        "import?max_rejects=-1": "parameters.max_rejects",
    }
    for path, said in cases.items():
        told = send(api, path, LINES, Content_Type="text/csv").get_json()["status"]
        assert (told["code"], said in told["error_description"]) == (402, True), (path, told)
    told = send(api, "import", b"", Content_Type="text/csv").get_json()["status"]
    assert "empty" in told["error_description"]
    for source in ({"path": "../etc/passwd"}, {"upload": "0" * 64}):
        body = json.dumps({"source": source}).encode()
        told = send(api, "import?preview=true", body, Content_Type="application/json").get_json()["status"]
        assert told["code"] == 402


def test_what_can_be_seen_to_fail_is_refused_before_a_job_is_made(api: Api) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"source": {"path": "../etc/passwd"}}, "no"),
        ({"source": {"path": "not/there.csv"}}, "no"),
        ({"source": {"url": "ftp://pictures.example/a"}}, "parameters.source.url: a URL must begin with http or https"),
        ({"source": {"url": "http://127.0.0.1/a"}}, "parameters.source.url: the host 127.0.0.1 has a private"),
        ({"source": {"url": "http://[::ffff:10.0.0.1]/a"}}, "private or reserved"),
        ({"source": {"url": "http://pictures.example:22/a"}}, "parameters.source.url: the port 22"),
        ({"source": {"url": "http:///a"}}, "parameters.source.url"),
        ({"source": {"url": "http://a.example/b"}, "encoding": "utf-99"}, "parameters.encoding: the encoding 'utf-99'"),
        ({"source": {"url": "http://a.example/b"}, "encoding": "base64"}, "parameters.encoding: the encoding 'base64'"),
        ({"source": {"url": "http://a.example/b"}, "types": {"a": ["text"]}}, "parameters.types"),
    ]
    before = send(api, "jobs?size=1", verb="GET").get_json()["jobs"]
    for given, said in cases:
        told = send(api, "import", json.dumps(given).encode(), Content_Type="application/json").get_json()["status"]
        assert (told["code"], said in told["error_description"]) == (402, True), (given, told)
    assert send(api, "jobs?size=1", verb="GET").get_json()["jobs"] == before


def test_the_same_bytes_are_there_until_the_last_job_that_reads_them_is_done(
    api: Api, new_collection: Callable[..., str]
) -> None:
    first, second = (
        send(api, "import?mode=upsert", LINES, Content_Type="application/x-ndjson", collection_id=name).get_json()
        for name in (api.collection, new_collection())
    )
    assert (done(api, first), done(api, second)) == ("done", "done")


def test_an_upload_is_its_tokens_own_until_it_is_whole(api: Api, new_collection: Callable[..., str]) -> None:
    upload = send(api, "uploads").get_json()["upload"]
    send(api, f"uploads/{upload}", LINES, "PATCH", Upload_Offset="0")
    name = new_collection()
    other: dict[str, Any] = {
        "Authorization": f"Token {tokens.create(api.context, [Scope.WRITE], [name]).token}",
        "collection_id": name,
    }
    assert send(api, f"uploads/{upload}", verb="HEAD", **other).status_code == 404
    assert send(api, f"uploads/{upload}", b"zz", "PATCH", Upload_Offset=str(len(LINES)), **other).status_code == 404
    body = json.dumps({"source": {"upload": upload}}).encode()
    assert send(api, "import", body, Content_Type="application/json", **other).status_code == 404
    assert done(api, send(api, "import", body, Content_Type="application/json").get_json()) == "done"


def test_what_curl_calls_a_form_is_a_description_or_the_source(api: Api) -> None:
    form = "application/x-www-form-urlencoded"
    body = json.dumps({"source": {"path": "not-there.jsonl"}}).encode()
    told = send(api, "import?preview=true", body, Content_Type=form).get_json()["status"]
    assert "not-there.jsonl" in told["error_description"]
    assert done(api, send(api, "import", LINES, Content_Type=form).get_json()) == "done"
    for preview in ("1", "True", "yes", ""):
        told = send(api, f"import?preview={preview}", LINES, Content_Type=form).get_json()["status"]
        assert told["error_description"] == "preview: it is true or false"


def test_characters_that_cannot_be_stored_are_a_mistake_of_the_request(api: Api) -> None:
    for path in ("jobs?kind=%00", "jobs?collection=%00"):
        assert send(api, path, verb="GET").get_json()["status"]["code"] in {402, 404}
    for given in ({"map": {"id": "\0"}}, {"map": {"\0": "x"}}, {"types": {"\0": "text"}}):
        body = json.dumps({"source": {"path": "x.csv"}, **given}).encode()
        told = send(api, "import", body, Content_Type="application/json").get_json()["status"]
        assert (told["code"], "U+0000" in told["error_description"]) == (402, True), told
    line = b'{"_id": "half \\ud800", "_embedding": [1]}\n'
    job = send(api, "import", line + LINES, Content_Type="application/x-ndjson").get_json()
    assert done(api, job) == "done_with_rejects"
    (reject,) = asking.rejects(api.context, int(job["id"]))
    assert (reject.line, reject.id) == (1, "half ?")
