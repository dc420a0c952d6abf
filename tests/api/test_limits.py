"""Limits of tokens: what is over them is refused before anything is done, told in headers, and counted."""

import io
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from werkzeug.test import TestResponse

from app.domain.browser import COOKIE
from app.domain.tokens import NO_LIMITS, Limits, Principal, Scope
from app.metrics import families
from app.services import tokens
from tests.api.conftest import Api, picture

Limited = Callable[..., str]
Moved = Callable[..., float]


@pytest.fixture
def limited(api: Api) -> Limited:
    """Make a token with limits, and return its header."""

    def make(*scopes: Scope, **limits: Any) -> str:
        return "Token " + tokens.create(api.context, scopes or [Scope.WRITE], None, limits=Limits(**limits)).token

    return make


def principal_of(api: Api, authorization: str) -> Principal:
    found = api.context.lookup.principal(authorization.removeprefix("Token "))
    assert found is not None
    return found


def quotas(answer: TestResponse) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("RateLimit")}


def code(answer: TestResponse) -> tuple[int, int]:
    return answer.status_code, answer.get_json()["status"]["code"]


def test_requests_over_the_limit_are_refused_on_every_path(api: Api, limited: Limited, moved: Moved) -> None:
    slow = limited(Scope.ADMIN, requests_per_second=0.01)
    first = api.call("getRecordCount", {}, Authorization=slow)
    assert code(first) == (200, 200)
    assert quotas(first) == {"RateLimit-Policy": '"requests";q=1;w=100', "RateLimit": '"requests";r=0;t=100'}
    refused = api.call("getRecordCount", {}, Authorization=slow)
    assert code(refused) == (429, 429)
    assert refused.headers["Retry-After"] == "100"
    assert quotas(refused) == quotas(first)
    status = refused.get_json()["status"]
    assert status["error_description"] == (
        "this token may ask for 0.01 requests a second at most; try again in 100 seconds"
    )
    headers = {"Authorization": slow, "collection-id": api.collection}
    for verb, path in (
        ("POST", "/admin/v1/tokens"),
        ("GET", "/jobs/v1/jobs"),
        ("POST", "/duplicates/v1/groups"),
        ("GET", f"/pictures/v1/{api.collection}/thumbnail?id=0"),
        ("POST", f"/maps/v1/{api.collection}/colours"),
        ("POST", "/jobs/v1/import"),
        ("GET", "/metrics"),
    ):
        answer = api.client.open(path, method=verb, headers=headers)
        assert (answer.status_code, answer.headers.get("Retry-After")) == (429, "100"), path
    assert moved(families.LIMIT_REFUSALS, limit="requests") == 8
    assert moved(families.REFUSALS, reason="too_many_requests") == 8
    assert code(api.call("ping", verb="GET", Authorization=slow)) == (200, 200), "it needs no token"


def test_a_session_of_the_console_is_one_of_its_token(api: Api, limited: Limited) -> None:
    token = limited(Scope.ADMIN, requests_per_second=0.01).removeprefix("Token ")
    api.client.set_cookie(COOKIE, token, path="/")
    try:
        pages = [api.client.get("/console/access") for _ in range(2)]
    finally:
        api.client.delete_cookie(COOKIE, path="/")
    assert [page.status_code for page in pages] == [200, 429]
    assert pages[1].headers["Retry-After"] == "100"
    assert "0.01 requests a second" in pages[1].get_data(as_text=True)


def test_a_token_without_limits_is_never_asked_about(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    assert principal_of(api, f"Token {api.token}").limits is NO_LIMITS
    monkeypatch.delattr(type(api.context.lookup.limiter), "_use")
    api.fill(2)
    assert quotas(api.call("visualKNN", {"query_record": {"_id": "1"}})) == {}


def test_pictures_over_the_limit_are_refused_before_any_work(
    api: Api, limited: Limited, embedded: list[str], moved: Moved
) -> None:
    api.fill(2)
    del embedded[:]
    few = limited(pictures_per_second=0.5)
    new = [{"_id": f"new-{number}", "_base64": picture(40 + number)} for number in range(3)]
    assert code(api.call("insert", {"records": new[:2]}, Authorization=few)) == (200, 210), "more than it holds, full"
    del embedded[:]
    bodies = {
        "insert": {"records": new[2:]},
        "upsert": {"records": [{"_id": "0", "_url": "http://192.0.2.1/x.png"}]},
        "nearDupsInsert": {"records": new[2:], "radius": 0.1},
        "update": {"records": [{"_id": "0", "_base64": picture(9)}]},
        "visualKNN": {"query_record": {"_base64": picture(41)}},
        "range": {"query_record": {"_text_data": "red shoe"}, "radius": 1},
        "visualKNNMulti": {"query_records": [{"_id": "0"}, {"_base64": picture(41)}]},
        "visualRankRecords": {"query_record": {"_id": "0"}, "records": [{"_base64": picture(41)}]},
    }
    for method, body in bodies.items():
        refused = api.call(method, body, Authorization=few)
        assert code(refused) == (429, 429), method
        assert 1 <= int(refused.headers["Retry-After"]) <= 4, method
        assert '"pictures";r=0;t=' in refused.headers["RateLimit"]
    assert embedded == []
    assert code(api.call("visualKNN", {"query_record": {"_id": "0"}}, Authorization=few)) == (200, 200)
    given = {"records": [{"_id": "0", "_url": "http://192.0.2.1/x.png"}]}
    assert code(api.call("get", given, Authorization=few)) == (200, 205), "it looks at no picture"
    assert moved(families.LIMIT_REFUSALS, limit="pictures") == len(bodies)


def test_searches_at_the_same_time_are_counted_until_they_end(api: Api, limited: Limited, moved: Moved) -> None:
    api.fill(2)
    alone = limited(concurrent_searches=1)
    with api.context.lookup.limiter.searching(principal_of(api, alone)):
        for method, body in (
            ("visualKNN", {"query_record": {"_id": "0"}}),
            ("range", {"query_record": {"_id": "0"}, "radius": 2}),
            ("nearDuplicates", {"query_record": {"_id": "0"}}),
            ("allNearDupPairs", {"radius": 0.1}),
        ):
            refused = api.call(method, body, Authorization=alone)
            assert (code(refused), refused.headers["Retry-After"]) == ((429, 429), "1"), method
            assert quotas(refused)["RateLimit"] == '"searches";r=0'
        assert code(api.call("get", {"records": [{"_id": "0"}]}, Authorization=alone)) == (200, 205), "it is no search"
    for body in ({"query_record": {"_id": "nobody"}}, {"query_record": {"_id": "0"}}):
        answer = api.call("visualKNN", body, Authorization=alone)
        assert quotas(answer)["RateLimit"] == '"searches";r=1', "also after one that fails"
    assert answer.status_code == 200
    assert moved(families.LIMIT_REFUSALS, limit="searches") == 4


def test_bodies_and_batches_are_held_to_the_token_s_own_sizes(api: Api, limited: Limited, moved: Moved) -> None:
    small = limited(body_bytes=2000, batch_records=2)
    three = {"records": [{"_id": str(number)} for number in range(3)]}
    for method in ("get", "delete", "insert", "update"):
        answer = api.call(method, three, Authorization=small)
        assert code(answer) == (400, 402)
        said = answer.get_json()["status"]["error_description"]
        assert said == "records must hold 2 records at most with this token; there are 3", method
    many = api.call("visualKNNMulti", {"query_records": three["records"]}, Authorization=small)
    assert many.get_json()["status"]["error_description"].startswith("query_records must hold 2")
    large = {"query_record": {"_base64": "A" * 3000}}
    headers = {"Authorization": small, "collection-id": api.collection, "Content-Type": "application/json"}
    whole = api.call("visualKNN", large, Authorization=small)
    chunks = api.client.post(
        "/v2/visualKNN",
        input_stream=io.BytesIO(orjson.dumps(large)),
        headers=headers,
        environ_overrides={"wsgi.input_terminated": True},
    )
    for answer in (whole, chunks):
        assert code(answer) == (413, 413)
        said = answer.get_json()["status"]["error_description"]
        assert said == "the request body is larger than the 2,000 bytes that this token may send"
    assert (moved(families.LIMIT_REFUSALS, limit="batch"), moved(families.LIMIT_REFUSALS, limit="body")) == (5, 2)
    assert quotas(whole) == {}
    wide = limited(body_bytes=2**31 - 1)
    assert code(api.call("visualKNN", {"x": "A" * 9 * 2**20}, Authorization=wide)) == (413, 413), "the server's counts"


def test_what_a_limit_refuses_is_not_in_the_audit_log(api: Api, limited: Limited) -> None:
    slow = limited(Scope.WRITE, requests_per_second=0.01)
    for _ in range(3):
        api.call("delete", {"records": [{"_id": "0"}]}, Authorization=slow)
    api.context.audit.flush()
    mine = [row for row in api.context.audit.entries(most=20) if row["token_id"] == principal_of(api, slow).token_id]
    assert [row["code"] for row in mine] == [404]


def test_changed_limits_are_followed_and_a_successor_has_its_own(api: Api) -> None:
    made = tokens.create(api.context, [Scope.READ], None, limits=Limits(requests_per_second=0.01))
    header = {"Authorization": f"Token {made.token}"}
    assert [api.call("getRecordCount", {}, **header).status_code for _ in range(2)] == [200, 429]
    new = tokens.rotate(api.context, made.id)
    assert api.call("getRecordCount", {}, Authorization=f"Token {new.token}").status_code == 200
    tokens.change(api.context, made.id, {"requests_per_second": None})
    api.context.lookup._tokens.clear()
    answer = api.call("getRecordCount", {}, **header)
    assert (answer.status_code, quotas(answer)) == (200, {})
