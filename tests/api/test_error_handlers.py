"""Errors are answered by their class; a blueprint may answer them its own way, and the others are as before."""

import pytest
from flask import Blueprint, Flask, abort
from flask.testing import FlaskClient
from werkzeug.exceptions import NotFound

from app.api import errors
from app.domain.errors import FilterError, InTheWay, InvalidRequest


def raising(made: Blueprint, path: str, error: Exception) -> None:
    def view() -> str:
        raise error

    made.add_url_rule(path, path.strip("/"), view)


@pytest.fixture
def client() -> FlaskClient:
    app, api, pages = Flask("errors"), Blueprint("api", __name__), Blueprint("pages", __name__, url_prefix="/pages")
    errors.register(app)
    for made in (api, pages):
        raising(made, "/filter", FilterError("no such operator", "$.price"))
        raising(made, "/way", InTheWay("wait a moment", 3))
        raising(made, "/memory", MemoryError("secret"))
        raising(made, "/bug", ZeroDivisionError("secret"))
    pages.add_url_rule("/<path:_>", "any", lambda **_: abort(404))
    pages.register_error_handler(NotFound, lambda _: ("no such page", 404))
    pages.register_error_handler(InvalidRequest, lambda error: (f"page: {error}", 400))
    app.register_blueprint(api)
    app.register_blueprint(pages)
    return app.test_client()


@pytest.mark.parametrize(
    ("path", "status", "code", "said"),
    [
        ("/filter", 400, 402, "filter, at $.price: no such operator"),
        ("/way", 503, 503, "wait a moment"),
        ("/pages/way", 503, 503, "wait a moment"),
        ("/memory", 503, 503, "the server has no memory left; try again in a moment"),
        ("/bug", 500, 500, errors.UNEXPECTED),
        ("/pages/bug", 500, 500, errors.UNEXPECTED),
    ],
)
def test_an_error_is_answered_as_the_nearest_of_its_classes(
    client: FlaskClient, path: str, status: int, code: int, said: str
) -> None:
    answer = client.get(path, headers={"X-Request-ID": "mine"})
    assert answer.status_code == status
    assert answer.get_json()["status"] == {
        "code": code,
        "text": answer.get_json()["status"]["text"],
        "error_description": said,
        "request_id": "mine",
    }
    assert answer.headers.get("Retry-After") == ("3" if status == 503 else None)
    assert "secret" not in answer.get_data(as_text=True)


def test_a_path_that_nobody_has_and_a_verb_that_is_wrong(client: FlaskClient) -> None:
    assert "no service has the path" in client.get("/x/v2/find").get_json()["status"]["error_description"]
    answer = client.put("/way")
    assert (answer.status_code, answer.get_json()["status"]["code"]) == (405, 405)
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"


def test_a_blueprint_answers_its_own_way(client: FlaskClient) -> None:
    assert client.get("/pages/none/such").get_data(as_text=True) == "no such page"
    answer = client.get("/pages/filter")
    assert (answer.status_code, answer.get_data(as_text=True)) == (400, "page: filter, at $.price: no such operator")


def test_each_request_has_an_id_of_its_own(client: FlaskClient) -> None:
    ids = {client.get("/way").get_json()["status"]["request_id"] for _ in range(3)}
    assert len(ids) == 3
