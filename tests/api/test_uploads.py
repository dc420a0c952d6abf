"""Files that are sent for an import: at once, in pieces, compressed, and the same twice."""

import gzip
import json
from typing import Any

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
