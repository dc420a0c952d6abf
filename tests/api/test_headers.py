"""Every page and answer carries the common headers, whoever writes it."""

import threading

import pytest
from flask.testing import FlaskClient
from werkzeug import Response
from werkzeug.test import Client, TestResponse

from app.api.headers import COMMON
from app.api.refusal import refuse_on_this_thread, refusing
from app.services.context import Context
from tests.api.conftest import Api

_PAGES = {"/docs", "/docs/"}
_REQUESTS = [
    ("GET", "/docs", 200),
    ("GET", "/docs/docs.css", 200),
    ("HEAD", "/docs", 200),
    ("GET", "/openapi.json", 200),
    ("GET", "/healthz", 200),
    ("GET", "/readyz", 200),
    ("GET", "/nothing", 404),
    ("POST", "/", 405),
    ("POST", "/nothing", 404),
    ("POST", "/v2/ping", 200),
    ("OPTIONS", "/v2/ping", 200),
    ("GET", "/v2/visualKNN", 405),
    ("POST", "/v2/visualKNN", 401),
    ("POST", "/photo/search/v2/nothing", 404),
]


def complete(answer: Response, path: str = "") -> None:
    for name, value in COMMON.items():
        assert len(answer.headers.getlist(name)) == 1, name
        own = (path in _PAGES and name == "Content-Security-Policy") or (
            path.endswith(".css") and name == "Cache-Control"
        )
        assert own or answer.headers[name] == value, name
    if path in _PAGES:
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(("verb", "path", "status"), _REQUESTS)
def test_pages_and_answers_without_a_token(api: Api, verb: str, path: str, status: int) -> None:
    with api.client.open(path, method=verb) as answer:
        assert answer.status_code == status
        complete(answer, path)


@pytest.mark.parametrize(
    ("method", "body", "status"),
    [
        ("getRecordCount", {}, 200),
        ("allRecords", {}, 200),
        ("visualKNN", {}, 400),
        ("find", {"filter": {}, "x": "x" * 9 * 2**20}, 413),
    ],
)
def test_answers_of_methods(api: Api, method: str, body: object, status: int) -> None:
    answer = api.call(method, body)
    assert answer.status_code == status
    complete(answer)


def test_refusals_of_a_crowded_server(app_context: tuple[FlaskClient, Context]) -> None:
    client = Client(refusing(app_context[0].application))
    answers: list[TestResponse] = []

    def refused() -> None:
        refuse_on_this_thread()
        answers.extend((client.post("/v2/ping"), client.get("/healthz")))

    thread = threading.Thread(target=refused)
    thread.start()
    thread.join()
    assert [answer.status_code for answer in answers] == [503, 200]
    for answer in answers:
        complete(answer)
