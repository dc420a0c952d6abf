"""The OpenAPI document and its page: complete, valid, and self-contained."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from app.api.docs import docs
from app.api.methods import METHODS, TAGS
from app.api.openapi import document, documented
from app.domain import statuses
from app.domain.freshness import HEADER
from app.domain.services import SERVICES, prefixes
from app.domain.statuses import Status
from app.domain.tokens import Scope

Json = dict[str, Any]
DOCUMENTED = {entry.name: entry for entry in documented()}
NAMES = sorted(DOCUMENTED)


@pytest.fixture(scope="module")
def whole() -> Json:
    return document()


@pytest.fixture(scope="module")
def client() -> FlaskClient:
    """A client of an application that has nothing but the documentation."""
    flask = Flask(__name__, static_folder=None)
    flask.register_blueprint(docs())
    return flask.test_client()


def resolved(whole: Json, node: Json) -> Json:
    """The object itself, or the one that it refers to."""
    if "$ref" not in node:
        return node
    found: Any = whole
    for part in node["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return dict(found)


def check(whole: Json, schema: Json, value: Any) -> None:
    OAS31Validator({**schema, "components": whole["components"]}).validate(value)


def operations(whole: Json) -> Iterator[tuple[str, str, Json]]:
    for path, verbs in whole["paths"].items():
        for verb, operation in verbs.items():
            yield path.removeprefix("/"), verb.upper(), operation


def body(whole: Json, name: str) -> Json:
    media = whole["paths"][f"/{name}"]["post"]["requestBody"]["content"]["application/json"]
    return dict(media)


def test_the_document_is_valid(whole: Json) -> None:
    assert whole["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(whole).validate()


def test_every_method_is_in_it_under_its_verbs(whole: Json) -> None:
    given = {(name, verb) for name, verb, _ in operations(whole)}
    wanted = {(name, verb) for name, entry in METHODS.items() for verb in entry.verbs}
    assert given == wanted | {("ping", "GET"), ("ping", "POST")}
    ids = [operation["operationId"] for _, _, operation in operations(whole)]
    assert len(ids) == len(set(ids))


def test_every_service_and_every_prefix_is_a_server(whole: Json) -> None:
    urls = {server["url"]: server["description"] for server in whole["servers"]}
    assert set(urls) == {f"/{prefix}/v2" if prefix else "/v2" for prefix in prefixes()}
    for service in SERVICES.values():
        assert all(urls[f"/{prefix}/v2"].endswith(f" {service.name}") for prefix in service.prefixes)
    below = document("/below")
    assert all(server["url"].startswith("/below/") for server in below["servers"])


@pytest.mark.parametrize("name", sorted(METHODS))
def test_every_parameter_is_in_it_with_a_sentence(whole: Json, name: str) -> None:
    fields = METHODS[name].parameters.model_fields
    if not fields:
        assert "requestBody" not in whole["paths"][f"/{name}"]["post"]
        return
    schema = resolved(whole, body(whole, name)["schema"])
    assert set(schema["properties"]) == {field.alias or own for own, field in fields.items()}
    assert all(own.get("description") for own in schema["properties"].values())
    required = {field.alias or own for own, field in fields.items() if field.is_required()}
    assert set(schema.get("required", [])) == required


def test_the_bounds_of_numbers_are_in_it(whole: Json) -> None:
    schema = resolved(whole, body(whole, "visualKNN")["schema"])["properties"]
    assert schema["k"] == schema["k"] | {"minimum": 0, "maximum": 2**31 - 1, "default": 30}
    assert "ge" not in str(sorted(schema["k"]))


@pytest.mark.parametrize("name", [entry.name for entry in documented() if entry.query is not None])
def test_the_query_string_is_in_it(whole: Json, name: str) -> None:
    given = [one for one in whole["paths"][f"/{name}"]["post"]["parameters"] if one.get("in") == "query"]
    query = METHODS[name].query
    assert query is not None
    assert {one["name"] for one in given} == set(query.model_fields)
    assert all(one["description"] and one["schema"]["type"] in ("integer", "string") for one in given)


def test_the_headers_and_the_token_are_in_it(whole: Json) -> None:
    for name, _, operation in operations(whole):
        given = [resolved(whole, one) for one in operation["parameters"]]
        named = {one["name"] for one in given}
        assert ("collection-id" in named) == (name != "ping")
        reads = name in METHODS and METHODS[name].scope is Scope.READ
        assert (HEADER in named) == reads
        assert (HEADER in operation["responses"]["200"]["headers"]) == (name in METHODS and not reads)
        assert ("security" in operation) == (name == "ping")
    assert whole["security"] == [{"token": []}, {"bearer": []}]


def test_every_status_is_in_it_under_its_http_status(whole: Json) -> None:
    given: set[tuple[str, int, str]] = set()
    for _, _, operation in operations(whole):
        for http, response in operation["responses"].items():
            status = response["content"]["application/json"]["schema"]["allOf"][1]["properties"]["status"]
            kinds = status["properties"]
            for text in response["description"].split("; "):
                code, _, words = text.partition(" ")
                assert int(code) in kinds["code"]["enum"]
                assert words in kinds["text"]["enum"]
                given.add((http, int(code), words))
    # What stands only in the reason of a skipped record, and what names no method, belongs to no operation; jobs,
    # uploads and the review of duplicates are no methods of this API.
    apart = {statuses.METHOD_NOT_FOUND, statuses.VERB_NOT_ALLOWED}
    apart |= {statuses.JOB_NOT_FOUND, statuses.NOT_FOUND, statuses.STORAGE_FULL, statuses.CONFLICT}
    wanted = {
        (str(status.http.value), status.code, status.text)
        for name, status in vars(statuses).items()
        if isinstance(status, Status) and not name.startswith("SKIPPED_") and status not in apart
    }
    assert given == wanted


@pytest.mark.parametrize("name", NAMES)
def test_every_method_has_an_example_that_its_schema_takes(whole: Json, name: str) -> None:
    example = DOCUMENTED[name].example
    operation = whole["paths"][f"/{name}"]["post"]
    media = operation["responses"]["200"]["content"]["application/json"]
    assert media["examples"]["specification"]["value"] == example.answer
    check(whole, media["schema"], example.answer)
    if name == "ping" or not METHODS[name].parameters.model_fields:
        assert example.request is None
        return
    assert body(whole, name)["examples"]["specification"]["value"] == example.request
    check(whole, body(whole, name)["schema"], example.request)


def test_every_method_and_no_other_stands_in_a_group_of_the_document(whole: Json) -> None:
    assert sorted([*METHODS, "ping"]) == NAMES
    assert [tag["name"] for tag in whole["tags"]] == list(TAGS)
    assert {entry.tag for entry in documented()} == set(TAGS)


@pytest.mark.parametrize("name", NAMES)
def test_every_field_of_an_answer_has_a_sentence(whole: Json, name: str) -> None:
    schema = whole["components"]["schemas"][DOCUMENTED[name].answer.__name__]
    own = {key: value for key, value in schema["properties"].items() if key not in ("status", "statistics")}
    assert own
    assert all(value.get("description") for value in own.values())


def test_no_schema_is_left_over(whole: Json) -> None:
    text = str(whole)
    for name in whole["components"]["schemas"]:
        assert f"#/components/schemas/{name}'" in text, name


def test_null_is_taken_where_leaving_out_is(whole: Json) -> None:
    schema = body(whole, "visualKNN")["schema"]
    empty = dict.fromkeys(("k", "from", "filter", "radius", "fields_to_return", "product_field", "unknown"))
    check(whole, schema, {"query_record": {"_id": "1"}, **empty})
    check(whole, body(whole, "visualKNNMulti")["schema"], {"query_records": [{"_id": "1"}], "aggregation": None})


def test_the_document_is_served_without_a_token(client: FlaskClient, whole: Json) -> None:
    answer = client.get("/openapi.json")
    assert answer.content_type == "application/json"
    assert answer.get_json() == whole
    below = client.get("/openapi.json", environ_overrides={"SCRIPT_NAME": "/below"}).get_json()
    assert below["servers"][0]["url"] == "/below/v2"


def test_the_page_has_every_method_and_parameter_and_status(client: FlaskClient, whole: Json) -> None:
    answer = client.get("/docs")
    assert answer.status_code == 200
    assert answer.content_type == "text/html; charset=utf-8"
    articles = dict(re.findall(r'<article id="(\w+)">(.*?)</article>', answer.text, re.DOTALL))
    for name in NAMES:
        shown = articles[name]
        assert f"/v2/{name}" in shown
        assert all(f">{status.code}<" in shown and f">{status.text}<" in shown for status in DOCUMENTED[name].statuses)
        fields = METHODS[name].parameters.model_fields if name in METHODS else {}
        for own, field in fields.items():
            assert f"<code>{field.alias or own}</code>" in shown, (name, own)
    assert set(articles) - set(NAMES) <= set(whole["components"]["schemas"])


def test_the_page_loads_nothing_from_elsewhere(client: FlaskClient) -> None:
    answer = client.get("/docs/")
    links = re.findall(r'(?:src|href|action)="([^"]*)"', answer.text)
    assert links
    assert all(link.startswith(("#", "/", "data:")) and not link.startswith("//") for link in links)
    assert "<script" not in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    ids = set(re.findall(r' id="([^"]+)"', answer.text))
    assert {link[1:] for link in links if link.startswith("#")} <= ids
    for link in {link for link in links if link.startswith("/")}:
        with client.get(link) as got:
            assert got.status_code == 200
            assert link.endswith(".css") or link == "/openapi.json"
            assert not link.endswith(".css") or not re.search(r"url\(|@import|https?:", got.get_data(as_text=True))


def test_what_the_caller_sends_is_never_html(client: FlaskClient) -> None:
    answer = client.get("/docs", headers={"Host": "a'><script>alert(1)</script>"})
    assert "<script" not in answer.text
