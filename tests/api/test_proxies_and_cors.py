"""Whose word counts: what proxies say of clients, and which sites' pages may call the API."""

import logging
from typing import Any

import pytest
from flask import Blueprint, Flask, jsonify, request
from werkzeug.test import TestResponse

from app.api import cors, errors
from app.api.links import own_url
from app.api.proxies import Application, Proxies, address_of
from app.config import Settings
from app.domain.browser import COOKIE
from app.domain.errors import ConfigurationError
from tests.api.conftest import Api

PROXY, SHOP = "192.0.2.7", "https://shop.example"
SAID = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "search.example"}


def seen(networks: list[str], peer: str, headers: dict[str, str]) -> dict[str, Any]:
    """Return what an application sees of a request that a peer sends."""
    flask = Application("seen", Proxies(networks))

    @flask.get("/seen")
    def view() -> Any:
        told = {"address": request.remote_addr, "secure": request.is_secure, "host": request.host}
        return jsonify(told, own_url(request, None))

    got = flask.test_client().get("/seen", headers=headers, environ_overrides={"REMOTE_ADDR": peer})
    told, link = got.get_json()
    return {**told, "link": link}


def test_what_a_trusted_proxy_says_counts() -> None:
    assert seen([PROXY], PROXY, SAID) == {
        "address": "203.0.113.9",
        "secure": True,
        "host": "search.example",
        "link": "https://search.example/seen",
    }


@pytest.mark.parametrize(("networks", "peer"), [([], PROXY), ([PROXY], "192.0.2.8"), (["10.0.0.0/8"], "11.0.0.1")])
def test_what_others_say_does_not(networks: list[str], peer: str) -> None:
    assert seen(networks, peer, SAID) == {"address": peer, "secure": False, "host": "localhost", "link": ""}


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ("203.0.113.9, 10.1.1.1", "203.0.113.9"),
        ("127.0.0.1, 203.0.113.9", "203.0.113.9"),
        ("192.0.2.7, 203.0.113.9, 10.1.1.1, 10.2.2.2", "203.0.113.9"),
        ("10.3.3.3, 10.1.1.1", "10.3.3.3"),
        ("203.0.113.9:4711", "203.0.113.9"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("203.0.113.9, unknown", PROXY),
        ("<script>", PROXY),
        ("203.0.113.9, 10.1.1.1, 999.1.1.1", PROXY),
        (",,,", PROXY),
        ("", PROXY),
    ],
)
def test_the_client_is_the_last_address_that_is_no_trusted_proxy_s(said: str, address: str) -> None:
    assert seen([PROXY, "10.0.0.0/8"], PROXY, {"X-Forwarded-For": said})["address"] == address


@pytest.mark.parametrize(
    "host", ["evil.example/path", "a b", "user@evil.example", "evil.example:123456", "[::1", "", "é"]
)
def test_a_host_that_is_none_is_not_believed(host: str) -> None:
    assert seen([PROXY], PROXY, {"X-Forwarded-Host": host.encode().decode("latin-1")})["host"] == "localhost"


@pytest.mark.parametrize(("said", "secure"), [("https", True), ("HTTPS", True), ("https, http", False), ("ftp", False)])
def test_the_scheme_is_the_nearest_proxy_s_word(said: str, secure: bool) -> None:
    assert seen([PROXY], PROXY, {"X-Forwarded-Proto": said})["secure"] is secure


def test_links_below_a_path_that_the_server_does_not_know_stay_relative() -> None:
    assert seen([PROXY], PROXY, {**SAID, "X-Forwarded-Prefix": "/vision"})["link"] == ""
    assert seen([PROXY], PROXY, {"X-Forwarded-For": "203.0.113.9"})["link"] == "", (
        "the proxy did not say how it is asked"
    )
    assert seen([PROXY], PROXY, {"Forwarded": "for=203.0.113.9;proto=https"})["address"] == PROXY


def test_an_address_is_read_with_its_port_or_not_at_all() -> None:
    assert [
        address_of(text) is None for text in ("", " 10.0.0.1 ", "10.0.0.1:80", "x:80", "1.2.3", "[::1]", "_hidden")
    ] == [*(True, False, False, True, True, False, True)]


def test_the_server_goes_by_its_settings(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "lookalike.request")
    asked = {"data": {"token": api.token}, "headers": {**SAID, "Origin": "https://search.example"}}
    cookies = []
    for peer in (PROXY, "192.0.2.8"):
        answer = api.client.post("/console/sign-in", **asked, environ_overrides={"REMOTE_ADDR": peer})
        cookies += [(answer.status_code, "Secure" in answer.headers.get("Set-Cookie", ""))]
    api.client.delete_cookie(COOKIE, path="/")
    assert cookies == [(303, True), (403, False)], "another one's word makes no host of the server's own"
    lines = [one.fields for one in caplog.records if one.name == "lookalike.request"]  # type: ignore[attr-defined]
    assert [line["address"] for line in lines] == ["203.0.113.9", "192.0.2.8"]


@pytest.mark.parametrize(
    "wrong", ["10.0.0.1/8", "proxy.example", "*", "10.0.0.0/33", "[::1]", "10.0.0.1 10.0.0.2", "unix:"]
)
def test_proxies_are_named_by_address(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOKALIKE_TRUSTED_PROXIES", wrong)
    with pytest.raises(ConfigurationError, match="LOOKALIKE_TRUSTED_PROXIES"):
        Settings()


@pytest.mark.parametrize(
    "wrong",
    [
        "shop.example",
        f"{SHOP}/",
        "https://Shop.example",
        "null",
        "https://*.example",
        f"{SHOP}?x",
        "https://a@b",
        "file://x",
    ],
)
def test_origins_are_as_a_browser_sends_them(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOKALIKE_CORS_ORIGINS", wrong)
    with pytest.raises(ConfigurationError, match="LOOKALIKE_CORS_ORIGINS"):
        Settings()


def cors_of(answer: TestResponse) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("Access-Control")}


def asked_first(api: Api, origin: str, path: str = "/v2/visualKNN") -> TestResponse:
    """Ask as a browser does before a page's request."""
    wanted = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,collection-id"}
    return api.client.open(path, method="OPTIONS", headers={"Origin": origin, **wanted})


@pytest.mark.parametrize("origin", [SHOP, "http://[::1]:8080"])
def test_pages_of_a_known_origin_may_call_the_api(api: Api, origin: str) -> None:
    first = asked_first(api, origin)
    told = cors_of(first)
    assert (first.status_code, told["Access-Control-Allow-Origin"]) == (200, origin)
    assert {"Authorization", "collection-id", "Content-Type"} <= set(told["Access-Control-Allow-Headers"].split(", "))
    assert "POST" in told["Access-Control-Allow-Methods"]
    for headers, status in (({}, 200), ({"Authorization": ""}, 401), ({"collection_id": "nobody"}, 404)):
        answer = api.call("getRecordCount", {}, Origin=origin, **headers)
        assert answer.status_code == status
        assert cors_of(answer) == {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Expose-Headers": "lookalike-version, RateLimit, RateLimit-Policy, Retry-After, "
            "traceparent, Upload-Offset, X-Request-ID",
        }
        assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize(
    "origin",
    [
        *(
            "null",
            "*",
            "",
            "http://shop.example",
            f"{SHOP}:444",
            f"{SHOP}/",
            f"{SHOP}.evil.example",
            "https://evilshop.example",
        ),
        *(
            "https://shop.example@evil.example",
            "HTTPS://SHOP.EXAMPLE",
            f"{SHOP}, https://evil.example",
            "https://shopxexample",
        ),
        *("http://[::1]", "http://:"),
    ],
)
def test_pages_of_other_origins_may_not(api: Api, origin: str) -> None:
    assert cors_of(asked_first(api, origin)) == {}
    answer = api.call("getRecordCount", {}, Origin=origin)
    assert cors_of(answer) == {}
    assert answer.headers["Vary"] == "Origin"


def test_no_cookie_is_ever_let_in_and_pages_are_for_nobody(api: Api) -> None:
    for path in ("/console/sign-in", "/metrics", "/console/nowhere"):
        assert cors_of(asked_first(api, SHOP, path)) == {}, path
    api.client.set_cookie(COOKIE, api.token, path="/")
    try:
        sent = {"Origin": SHOP, "Sec-Fetch-Site": "cross-site", "collection-id": api.collection}
        answer = api.client.post("/v2/getRecordCount", json={}, headers=sent)
    finally:
        api.client.delete_cookie(COOKIE, path="/")
    assert answer.status_code == 403
    assert "Access-Control-Allow-Credentials" not in answer.headers


def small(*origins: str) -> Flask:
    flask = Flask("small")
    errors.register(flask)
    flask.register_blueprint(Blueprint("api", __name__))
    cors.allow(flask, origins)
    return flask


def test_every_origin_may_where_the_setting_says_so_and_none_without_it() -> None:
    headers = {"Origin": "https://anywhere.example"}
    answer = small("*").test_client().get("/nowhere", headers=headers)
    assert cors_of(answer)["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    none = small().test_client().get("/nowhere", headers=headers)
    assert (cors_of(none), "Vary" in none.headers) == ({}, False)
