"""Every method on every service, under every prefix: one cell of the table of docs/compatibility.md each."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from app.api.methods import METHODS
from app.domain.services import SERVICES, prefixes
from app.domain.tokens import Scope
from app.services import collections, tokens
from app.services.context import Context
from tests.api.conftest import Api
from tests.support.places import ROOT
from tests.support.small_requests import SMALL, TAGS, record

Json = dict[str, Any]
_numbers = itertools.count()


@pytest.fixture(scope="module")
def filled(app_context: tuple[Any, Context]) -> Iterator[dict[str, Api]]:
    """A collection of each service, with four records; and one client for each."""
    client, context = app_context
    token = tokens.create(context, [Scope.ADMIN], None).token
    made = {}
    for service in SERVICES:
        collection = collections.create(context, f"service{next(_numbers)}-{service}", service)
        made[service] = Api(client, context, collection.name, token, SERVICES[service].prefixes[0])
        made[service].post("insert", {"records": [record(number) for number in range(4)]}, code=210)
    yield made
    for service in SERVICES:
        assert made[service].post("getRecordCount")["answer_count"] == 4


def undo(api: Api, method: str) -> None:
    if method in {"insert", "upsert", "nearDupsInsert"}:
        api.post("delete", {"records": [{"_id": "new"}]}, code=220)
    if method in {"delete", "deleteByFilter"}:
        api.post("insert", {"records": [record(3)]}, code=210)


def test_the_table_of_the_docs_has_a_tested_cell_for_each_method_and_service() -> None:
    text = (ROOT / "docs" / "compatibility.md").read_text(encoding="utf-8")
    lines = text.partition("## What works")[2].partition("\n## ")[0].splitlines()
    header, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    assert header == ["method", *SERVICES]
    cells = {(service, row[0]): cell for row in rows for service, cell in zip(header[1:], row[1:], strict=True)}
    tested = set(itertools.product(SERVICES, [*SMALL, "ping"]))
    assert len(rows) == 22
    assert cells == dict.fromkeys(tested, "yes")
    parameters = [mark.args for mark in test_every_method_works_on_every_service.pytestmark]  # type: ignore[attr-defined]
    by_name = {names: set(values) for names, values in parameters}
    assert tested == set(itertools.product(by_name["service"], by_name["method"]))


@pytest.mark.usefixtures("app_context")  # methods are there once the application is made
def test_there_is_a_small_request_for_each_method() -> None:
    # `text` wants another model than the services' own: test_text.py.
    assert set(SMALL) == set(METHODS) - {"text"}


@pytest.mark.parametrize("method", [*SMALL, "ping"])
@pytest.mark.parametrize("service", SERVICES)
def test_every_method_works_on_every_service(filled: dict[str, Api], service: str, method: str) -> None:
    """Under each of the service's own prefixes, and under `/v2`."""
    api = filled[service]
    own = [prefix for prefix, serves in prefixes().items() if serves in (service, None)]
    assert {*SERVICES[service].prefixes, ""} == set(own)
    for prefix in own:
        path = f"/{prefix}/v2/{method}".replace("//", "/")
        headers = {"Authorization": f"Token {api.token}", "collection-id": api.collection}
        if method == "ping":
            assert api.client.post(path).get_json()["info"].startswith("Lookalike")
            continue
        body, code, count = SMALL[method]
        answer = api.client.post(path, json=body, headers=headers)
        got = answer.get_json()
        assert (answer.status_code, got["status"]["code"], got.get("answer_count")) == (200, code, count), got
        undo(api, method)


@pytest.mark.parametrize("method", ["getRecordCount", "ping"])
@pytest.mark.parametrize("service", SERVICES)
def test_get_works_where_the_text_has_it(filled: dict[str, Api], service: str, method: str) -> None:
    api = filled[service]
    for prefix in SERVICES[service].prefixes:
        headers = {"Authorization": f"Token {api.token}", "collection-id": api.collection} if method != "ping" else {}
        answer = api.client.get(f"/{prefix}/v2/{method}", headers=headers)
        assert answer.get_json()["status"]["code"] == 200


@pytest.mark.parametrize("service", SERVICES)
def test_the_nearest_to_a_stored_record_is_itself_on_every_service(filled: dict[str, Api], service: str) -> None:
    for method in ("visualKNN", "visualTagsKNN", "range"):
        body = {"query_record": {"_id": "2", **TAGS}, "k": 4, "radius": 1000}
        got = filled[service].post(method, body, code=200)
        assert got["answer_records"][0] == {"_id": "2"}
        assert got["answer_distances"][0] == 0.0
