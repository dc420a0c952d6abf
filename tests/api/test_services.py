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
from tests.api.conftest import Api, picture
from tests.support.places import ROOT

Json = dict[str, Any]
_numbers = itertools.count()
_SOME = [{"_id": "0"}, {"_id": "1"}]
_NEAR = {"query_record": {"_id": "0"}}
# The field of a record's tags, by service; all of them are stored, so that one filling serves every service.
_TAGS = {"tags": ["red", "round"], "_tags": ["red", "round"], "_tags_simple": ["red", "round"]}


def record(number: int) -> Json:
    return {"_id": str(number), "_base64": picture(number), "n": number, **_TAGS}


# A small request to each method, its code, and how many records are in its answer.
SMALL: dict[str, tuple[Json, int, int | None]] = {
    "get": ({"records": _SOME}, 205, 2),
    "update": ({"records": [{"_id": "0", "seen": True}]}, 205, 1),
    "find": ({"filter": {"n": {"$lt": 2}}}, 200, 2),
    "facets": ({"facets": ["n"]}, 200, None),
    "random": ({"count": 3}, 200, 3),
    "allRecords": ({}, 200, 4),
    "getRecordCount": ({}, 200, 4),
    "visualKNN": ({**_NEAR, "k": 3}, 200, 3),
    "visualTagsKNN": ({**_NEAR, "k": 3}, 200, 3),
    "visualKNNMulti": ({"query_records": _SOME, "k": 3}, 200, 3),
    "visualTagsKNNMulti": ({"query_records": _SOME, "k": 3}, 200, 3),
    "visualRankRecords": ({**_NEAR, "records": _SOME}, 200, 2),
    "visualTagsRankRecords": ({**_NEAR, "records": _SOME}, 200, 2),
    "range": ({**_NEAR, "radius": 1000}, 200, 4),
    "nearDuplicates": ({**_NEAR, "radius": 1000}, 200, 4),
    "allNearDupPairs": ({"radius": 1000}, 200, 6),
    # What these change is put back by `undo`.
    "insert": ({"records": [{"_id": "new", "_base64": picture(5)}]}, 210, 1),
    "upsert": ({"records": [{"_id": "new", "_base64": picture(5)}, record(3)]}, 210, 2),
    "nearDupsInsert": ({"records": [{"_id": "new", "_base64": picture(5)}], "radius": 0}, 210, 1),
    "delete": ({"records": [{"_id": "3"}]}, 220, 1),
    "deleteByFilter": ({"filter": {"n": 3}}, 200, 1),
}


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
        body = {"query_record": {"_id": "2", **_TAGS}, "k": 4, "radius": 1000}
        got = filled[service].post(method, body, code=200)
        assert got["answer_records"][0] == {"_id": "2"}
        assert got["answer_distances"][0] == 0.0
