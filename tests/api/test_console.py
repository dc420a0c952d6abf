"""The console's frame: sessions, the origin of requests, static files, pages of errors."""

import re
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.domain.browser import COOKIE, is_own_request
from app.domain.tokens import Scope
from app.services import collections, tokens
from app.ui.assets import assets, version
from app.ui.screens import SCREENS
from app.ui.trying import DOCUMENTS
from tests.api.conftest import Api

_PAGES = {"Sec-Fetch-Site": "same-origin"}


def session(api: Api, path: str, verb: str = "GET", *, token: str | None = None, **sent: Any) -> TestResponse:
    """Send a request with the cookie of a session and no header `Authorization`."""
    headers = {"Cookie": f"{COOKIE}={token or api.token}", **sent.pop("headers", {})}
    return api.client.application.test_client(use_cookies=False).open(path, method=verb, headers=headers, **sent)


@pytest.mark.parametrize(
    ("verb", "headers", "own"),
    [
        ("GET", {}, True),
        ("GET", {"Sec-Fetch-Site": "none"}, True),
        ("GET", {"Sec-Fetch-Site": "same-origin"}, True),
        ("GET", {"Sec-Fetch-Site": "same-site"}, False),
        ("GET", {"Sec-Fetch-Site": "cross-site"}, False),
        ("GET", {"Origin": "http://evil.example"}, False),
        ("POST", {}, False),
        ("POST", {"Sec-Fetch-Site": "none"}, False),
        ("POST", {"Sec-Fetch-Site": "same-origin"}, True),
        ("POST", {"Sec-Fetch-Site": "same-origin", "Origin": "https://shop.example"}, True),
        ("POST", {"Sec-Fetch-Site": "cross-site", "Origin": "http://own:8000"}, False),
        ("POST", {"Origin": "http://own:8000"}, True),
        ("POST", {"Origin": "http://own:8001"}, False),
        ("POST", {"Origin": "http://own.evil.example:8000"}, False),
        ("POST", {"Origin": "null"}, False),
        ("POST", {"Origin": ""}, False),
        ("POST", {"Origin": "https://shop.example"}, True),
        ("PATCH", {"Origin": "http://evil.example"}, False),
    ],
)
def test_only_own_pages_use_a_session(verb: str, headers: dict[str, str], *, own: bool) -> None:
    assert is_own_request(verb, headers.get, "own:8000", "https://shop.example/below") is own


def test_the_api_takes_a_session_from_its_own_pages_alone(api: Api) -> None:
    body = {"records": ["1"]}
    named = {"collection-id": api.collection}

    def ask(**headers: str) -> int:
        sent = {**named, **{key.replace("_", "-"): value for key, value in headers.items()}}
        return session(api, "/v2/getRecordCount", "POST", json=body, headers=sent).status_code

    assert ask(**{"Sec-Fetch-Site": "same-origin"}) == 200
    assert ask(Origin="http://localhost") == 200
    for foreign in ({}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"}, {"Origin": "null"}):
        assert ask(**foreign) == 403
    # A token in the header is nobody's cookie: it may come from anywhere, as ever.
    assert ask(Authorization=f"Token {api.token}", Origin="http://evil.example") == 200
    assert session(api, "/v2/getRecordCount", "POST", token="unknown", headers={**named, **_PAGES}).status_code == 401


def test_signing_in_and_out(api: Api) -> None:
    client = api.client.application.test_client()
    asked = client.get(f"/console/search?c={api.collection}&q=id%3A1")
    assert asked.status_code == 302
    where = asked.headers["Location"]
    assert where == f"/console/sign-in?next=%2Fconsole%2Fsearch%3Fc%3D{api.collection}%26q%3Did%253A1"
    page = client.get(where).get_data(as_text=True)
    back = f"/console/search?c={api.collection}&amp;q=id%3A1"
    assert f'name="next" value="{back}"' in page
    form = {"token": api.token, "next": back.replace("&amp;", "&")}
    assert client.post("/console/sign-in", data=form).status_code == 403  # no Origin
    wrong = client.post("/console/sign-in", data={**form, "token": "unknown"}, headers=_PAGES)
    assert wrong.status_code == 401
    assert "not known" in wrong.get_data(as_text=True)
    done = client.post("/console/sign-in", data=form, headers=_PAGES)
    assert (done.status_code, done.headers["Location"]) == (303, form["next"])
    cookie = done.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie
    assert client.get(form["next"]).status_code == 200
    assert "Secure" in client.post("https://localhost/console/sign-in", data=form, headers=_PAGES).headers["Set-Cookie"]
    assert client.post("/console/sign-out").status_code == 403
    assert client.post("/console/sign-out", headers=_PAGES).status_code == 303
    assert client.get(form["next"]).status_code == 302


@pytest.mark.parametrize(
    "wanted",
    ["https://evil.example/console/", "//evil.example/console/", "/v2/ping", "/console/\\evil", "javascript:1"],
)
def test_signing_in_leads_to_no_other_site(api: Api, wanted: str) -> None:
    done = api.client.post("/console/sign-in", data={"token": api.token, "next": wanted}, headers=_PAGES)
    assert done.headers["Location"] == "/console/"
    api.client.delete_cookie(COOKIE)


def test_a_revoked_token_is_asked_for_again(api: Api) -> None:
    assert session(api, "/console/search", token="was-revoked").headers["Location"].startswith("/console/sign-in?next=")


def test_pages_may_load_nothing_from_elsewhere(api: Api) -> None:
    answers = [
        session(api, path) for path in ("/console/sign-in", f"/console/search?c={api.collection}", "/console/no")
    ]
    for answer in answers:
        policy = answer.headers["Content-Security-Policy"]
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
        text = answer.get_data(as_text=True)
        assert not re.findall(
            r"""<script(?![^>]*\bsrc=)|\bon\w+=["']|style=["']|(?:src|href)=["'](?:https?:)?//""", text
        )
    assert [answer.status_code for answer in answers] == [200, 200, 404]
    assert "<title>404" in answers[2].get_data(as_text=True)


def test_a_page_shows_only_what_the_token_may(api: Api, new_collection: Any) -> None:
    other = new_collection()
    reader = tokens.create(api.context, [Scope.READ], [api.collection]).token
    page = session(api, "/console/search", token=reader).get_data(as_text=True)
    assert f'value="{api.collection}"' in page
    assert f'value="{other}"' not in page
    assert 'data-scopes="read"' in page
    assert session(api, f"/console/search?c={other}", token=reader).status_code == 404
    nobody = tokens.create(api.context, [Scope.READ], [other]).token
    collections.drop(api.context, other)
    assert session(api, "/console/search", token=nobody).status_code == 200


def test_every_document_of_the_server_can_be_tried(api: Api) -> None:
    rules = {rule.rule for rule in api.client.application.url_map.iter_rules() if rule.rule.endswith("/openapi.json")}
    assert rules == set(DOCUMENTS.values())


def test_static_files_are_small_and_kept_for_good(api: Api) -> None:
    for name, asset in assets().items():
        answer = api.client.get(f"/console/static/{version()}/{name}", headers={"Accept-Encoding": "gzip"})
        assert answer.status_code == 200
        assert answer.headers["Content-Encoding"] == "gzip"
        assert answer.data == asset.small
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    plain = api.client.get(f"/console/static/{'0' * 16}/js/shell.js")
    assert plain.data == assets()["js/shell.js"].data
    assert plain.headers["Cache-Control"] == "no-cache"
    for nothing in ("js/none.js", "../blueprint.py", "%2e%2e/blueprint.py"):
        assert api.client.get(f"/console/static/{version()}/{nothing}").status_code == 404


def test_every_screen_has_its_template_script_and_icon(api: Api) -> None:
    for screen in SCREENS:
        page = session(api, f"/console/{screen.name}?c={api.collection}").get_data(as_text=True)
        assert f'id="i-{screen.name}"' in page
        assert f'data-key="{screen.key}"' in page
        for used in set(re.findall(r'/console/static/\w+/([\w./-]+)"', page)):
            assert used in assets()
