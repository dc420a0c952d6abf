"""`/admin/v1/…`: tokens, collections and aliases over HTTP; rights, and every kind of bad input."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from app.api.admin import VIEWS
from app.domain.browser import COOKIE
from app.services import collections, overview, tokens
from tests.api.conftest import Api, picture
from tests.support.admin import DOCUMENT, ask, said

Json = dict[str, Any]
EVERYWHERE = [path for path, view in VIEWS.items() if view.of_all]


@pytest.fixture
def name() -> str:
    return f"made-{uuid.uuid4().hex[:8]}"


def test_the_document_is_valid_and_names_every_path_and_parameter(api: Api) -> None:
    told = api.client.get("/admin/v1/openapi.json").get_json()
    assert told == DOCUMENT
    OpenAPIV31SpecValidator(told).validate()
    rules = {rule.rule for rule in api.client.application.url_map.iter_rules() if rule.endpoint.startswith("admin.")}
    assert {f"/admin/v1{path}" for path in told["paths"]} == rules - {"/admin/v1/openapi.json"}
    for path, ways in told["paths"].items():
        body = ways["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
        for key, schema in told["components"]["schemas"][body].get("properties", {}).items():
            assert schema["description"], (path, key)


def test_a_token_is_made_used_and_revoked(api: Api) -> None:
    made = ask(
        api, "tokens/create", {"scopes": ["write", "read"], "collections": [api.collection], "label": "<b>shop</b>"}
    )
    listed = {one["id"]: one for one in ask(api, "tokens")["tokens"]}
    facts = listed[made["id"]]
    assert (facts["label"], facts["scopes"], facts["all_collections"]) == ("<b>shop</b>", ["read", "write"], False)
    assert (facts["collections"], facts["revoked_at"], facts["own"]) == ([api.collection], None, False)
    assert [one["all_collections"] for one in listed.values() if one["own"]] == [True]
    assert made["token"] not in str(listed)
    authorization = f"Token {made['token']}"
    assert api.call("getRecordCount", Authorization=authorization).status_code == 200
    assert said(api, "tokens", None, 403, Authorization=authorization).startswith("this token may not admin")
    assert ask(api, "tokens/revoke", {"token": made["id"]})["seconds"] == 0.2
    assert next(one for one in ask(api, "tokens")["tokens"] if one["id"] == made["id"])["revoked_at"]
    assert "no token" in said(api, "tokens/revoke", {"token": made["id"]})


def test_a_token_expires_is_changed_and_rotated(api: Api) -> None:
    body = {
        "label": "one",
        "expires": "90d",
        "requests_per_second": 5,
        "scopes": ["write"],
        "collections": [api.collection],
    }
    made = ask(api, "tokens/create", body)

    def facts(number: int) -> Json:
        return next(dict(one) for one in ask(api, "tokens")["tokens"] if one["id"] == number)

    assert facts(made["id"])["expires_at"] == made["expires_at"]
    assert (facts(made["id"])["state"], facts(made["id"])["requests_per_second"]) == ("good", 5)
    changed = {"label": "two", "concurrent_searches": 3, "unset": ["expires", "requests_per_second"]}
    ask(api, "tokens/change", {"token": made["id"], **changed})
    now = facts(made["id"])
    assert (now["label"], now["concurrent_searches"], now["expires_at"], now["requests_per_second"]) == (
        "two",
        3,
        None,
        None,
    )
    ask(api, "tokens/change", {"token": made["id"], "expires": "2100-01-01T00:00:00+01:00"})
    assert facts(made["id"])["expires_at"].startswith("2099-12-31T23:00:00")
    again = ask(api, "tokens/rotate", {"token": made["id"], "grace": "0s", "expires": "12h"})
    new = facts(again["id"])
    assert (new["replaces"], new["scopes"], new["collections"], new["label"]) == (
        made["id"],
        ["write"],
        [api.collection],
        "two",
    )
    assert facts(made["id"])["state"] == "revoked"
    assert "neither revoked nor expired" in said(api, "tokens/rotate", {"token": made["id"]})


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("create", {"expires": "yesterday"}, "expires: it is a while from now"),
        ("create", {"expires": "2001-01-01T00:00:00Z"}, "expires: it lies ahead"),
        ("create", {"expires": "2100-01-01"}, "expires: it needs a time zone"),
        ("create", {"expires": 7}, "expires: must be a string"),
        ("create", {"requests_per_second": 0}, "requests_per_second: "),
        ("create", {"concurrent_searches": 1.5}, "concurrent_searches: must be a whole number"),
        ("create", {"label": "two\nlines"}, "label: it is a text of at most 200 characters on one line"),
        ("change", {"token": 1}, "name what is to change of the token"),
        ("change", {"token": 2**30, "label": "x"}, "there is no token"),
        ("change", {"token": 1, "expires": "1d", "unset": ["expires"]}, "expires is both given and in unset"),
        ("change", {"token": 1, "unset": ["scopes"]}, "unset.0: input should be 'expires'"),
        ("change", {"label": "x"}, "the parameter token is missing"),
        ("rotate", {"token": 2**30}, "there is no token"),
        ("rotate", {"token": 1, "grace": "soon"}, "grace: it is a while"),
        ("rotate", {"token": 1, "grace": "9999d"}, "works on for a year at most"),
    ],
)
def test_what_cannot_be_of_a_token_changes_nothing(api: Api, path: str, body: Json, expected: str) -> None:
    before = tokens.listed(api.context)
    assert expected in said(api, f"tokens/{path}", body)
    assert [one["id"] for one in tokens.listed(api.context)] == [one["id"] for one in before]


def test_a_token_needs_little(api: Api) -> None:
    made = ask(api, "tokens/create")
    facts = next(one for one in ask(api, "tokens")["tokens"] if one["id"] == made["id"])
    assert (facts["scopes"], facts["all_collections"], facts["label"]) == (["read"], True, "")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"scopes": []}, "scopes: "),
        ({"scopes": ["root"]}, "scopes.0: input should be 'read', 'write' or 'admin'"),
        ({"scopes": "read"}, "scopes: input should be a valid list"),
        ({"collections": []}, "collections: "),
        ({"collections": ["no-such"]}, "there is no collection 'no-such'"),
        ({"collections": [7]}, "collections.0: must be a string"),
        ({"collections": "shop"}, "collections: input should be a valid list"),
        ({"collections": ["a\0b"]}, "U+0000"),
        ({"label": 7}, "label: must be a string"),
        ({"label": "x" * 201}, "label: "),
        ({"label": "\ud800"}, "surrogate"),
    ],
)
def test_a_token_that_cannot_be_is_not_made(api: Api, body: Json, expected: str) -> None:
    before = len(tokens.listed(api.context))
    status = 404 if "no collection" in expected else 400
    assert expected in said(api, "tokens/create", body, status)
    assert len(tokens.listed(api.context)) == before


@pytest.mark.parametrize(
    "body", [None, {"token": 0}, {"token": -1}, {"token": "1"}, {"token": 1.5}, {"token": 2**31}, {"token": True}]
)
def test_what_is_no_token_is_not_revoked(api: Api, body: Json) -> None:
    assert "token" in said(api, "tokens/revoke", body)


def test_a_collection_from_its_making_to_its_end(api: Api, name: str) -> None:
    body = {
        "name": name,
        "service": "products",
        "model": "phash",
        "capacity": 2,
        "keep_images": True,
        "product_field": "sku",
    }
    made = ask(api, "collections/create", body)["collection"]
    assert (made["name"], made["model"], made["capacity"], made["product_field"]) == (name, "phash", 2, "sku")
    assert (made["records"], made["recall_target"], made["index_build"]) == (0, 0.99, None)
    assert name in [one["name"] for one in ask(api, "collections")["collections"]]
    changed = ask(
        api, "collection/set", {"capacity": 9, "recall_target": 0.9, "unset": ["product_field"]}, collection_id=name
    )
    facts = changed["collection"]
    assert (facts["capacity"], facts["recall_target"], facts["product_field"]) == (9, 0.9, None)
    assert (
        ask(api, "collection/set", {"unset": ["capacity", "recall_target"]}, collection_id=name)["collection"][
            "capacity"
        ]
        is None
    )
    assert ask(api, "collection/set", {}, collection_id=name)["collection"]["recall_target"] == 0.99
    assert "not the name of the collection" in said(api, "collection/drop", {"confirm": "x"}, collection_id=name)
    assert ask(api, "collection/drop", {"confirm": name}, collection_id=name)["dropped"] == name
    assert said(api, "collection", None, 404, collection_id=name) == f"there is no collection {name!r}"
    assert said(api, "collection/drop", {"confirm": name}, 404, collection_id=name)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"name": "_x"}, "a collection's name has 1 to 128"),
        ({"name": "a/b"}, "a collection's name has 1 to 128"),
        ({"name": ""}, "name: "),
        ({"name": None}, "the parameter name is missing"),
        ({"name": {"$ne": 1}}, "name: must be a string"),
        ({"service": "nowhere"}, "service: input should be 'photo', 'image_matching'"),
        ({"service": None}, "the parameter service is missing"),
        ({"model": "no-such-model"}, "no-such-model"),
        ({"model": "../../etc/passwd"}, "etc/passwd"),
        ({"capacity": 0}, "capacity: input should be greater than or equal to 1"),
        ({"capacity": "7"}, "capacity: must be a whole number"),
        ({"thumbnails": "yes"}, "thumbnails: input should be a valid boolean"),
        ({"product_field": "a.b"}, "a product field is the name of an attribute"),
        ({"product_field": "$x"}, "a product field is the name of an attribute"),
        ({"recall_target": 0}, "recall_target: input should be greater than 0"),
        ({"recall_target": 1.01}, "recall_target: input should be less than or equal to 1"),
    ],
)
def test_a_collection_that_cannot_be_is_not_made(api: Api, name: str, given: Json, expected: str) -> None:
    assert expected in said(api, "collections/create", {"name": name, "service": "photo", **given})
    assert name not in collections.names(api.context)


def test_a_name_is_given_once(api: Api) -> None:
    assert "exists already" in said(api, "collections/create", {"name": api.collection, "service": "photo"})


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"capacity": 5, "unset": ["capacity"]}, "capacity is both given and in unset"),
        ({"unset": ["name"]}, "unset.0: input should be 'capacity', 'product_field' or 'recall_target'"),
        ({"capacity": -1}, "capacity: "),
        ({"recall_target": 7}, "recall_target: "),
        ({"product_field": "a.b", "capacity": 5}, "a product field is the name"),
    ],
)
def test_settings_that_cannot_be_change_nothing(api: Api, body: Json, expected: str) -> None:
    before = overview.of(api.context, api.collection)
    assert expected in said(api, "collection/set", body)
    after = overview.of(api.context, api.collection)
    assert [after[key] for key in ("capacity", "product_field")] == [
        before[key] for key in ("capacity", "product_field")
    ]


def test_a_capacity_below_the_number_of_records_keeps_more_from_coming(api: Api) -> None:
    api.fill(3)
    ask(api, "collection/set", {"capacity": 2})
    assert api.post("insert", {"records": [{"_id": "new", "_base64": "x"}]})["status"]["code"] in (402, 412)
    assert ask(api, "collection")["collection"]["records"] == 3


def test_indexes_are_advised_measured_and_dropped(api: Api) -> None:
    api.fill(12)
    advised = ask(api, "collection/advise")
    assert (advised["advice"], advised["searches"], advised["logged"]) == ([], 0, api.context.settings.log_searches)
    measured = ask(api, "collection/measure", {"sample": 3, "k": 5, "filter": {"n": {"$gte": 2}}})
    assert (measured["queries"], measured["recall"]) == (3, 1.0)
    assert ask(api, "collection/drop-values", {"field": "n"})["dropped"] == 0
    assert "must be a whole number" in said(api, "collection/measure", {"sample": "3"})
    assert "less than or equal to 200" in said(api, "collection/measure", {"sample": 201})
    assert said(api, "collection/measure", {"filter": {"$nor": 1}}).startswith("filter, at $.$nor")
    assert "field" in said(api, "collection/drop-values", {"field": ""})


def test_another_model_is_estimated_by_a_sample(api: Api, name: str) -> None:
    models = {one["name"]: one for one in ask(api, "models")["models"]}
    assert models["phash"]["at_hand"]
    api.fill(3)
    lost = ask(api, "collection/estimate", {"model": "phash"})
    assert (lost["records"], lost["sampled"], lost["unreadable"], lost["seconds"]) == (3, 3, 3, None)
    assert "the picture was not kept" in lost["examples"][0]["reason"]
    ask(api, "collections/create", {"name": name, "service": "photo", "keep_images": True})
    assert ask(api, "collection/estimate", {"model": "phash"}, collection_id=name)["sampled"] == 0
    for first in (0, 10):
        records = [{"_id": str(n), "_base64": picture(n)} for n in range(first, first + 10)]
        api.post("insert", {"records": records}, code=210, collection_id=name)
    got = ask(api, "collection/estimate", {"model": "phash"}, collection_id=name)
    assert (got["model"], got["dimensions"], got["records"], got["sampled"]) == ("phash", 256, 20, 16)
    assert (got["unreadable"], got["vector_bytes"]) == (0, 20 * 520)
    assert got["seconds"] > 0
    assert ask(api, "collection", collection_id=name)["collection"]["model"] != "phash"
    assert "no-such" in said(api, "collection/estimate", {"model": "no-such"})
    assert "the parameter model is missing" in said(api, "collection/estimate", {})


def test_aliases_are_set_listed_and_deleted(api: Api, name: str, new_collection: Callable[..., str]) -> None:
    other = new_collection()
    one = ask(api, "aliases/set", {"aliases": {name: api.collection}})["switched"]
    assert one == [{"name": name, "collection": api.collection, "before": None, "locked_out": []}]
    assert ask(api, "aliases/set", {"aliases": {name: other}})["switched"][0]["before"] == api.collection
    assert {alias["name"]: alias["collection"] for alias in ask(api, "aliases")["aliases"]}[name] == other
    assert f"{name!r} is an alias" in said(api, "collection/drop", {"confirm": name}, collection_id=name)
    assert "aliases lead to" in said(api, "collection/drop", {"confirm": other}, collection_id=other)
    assert ask(api, "aliases/delete", {"alias": name})["deleted"] == name
    assert said(api, "aliases/delete", {"alias": name}) == f"there is no alias {name!r}"


@pytest.mark.parametrize(
    ("body", "status", "expected"),
    [
        (None, 400, "the parameter aliases is missing"),
        ({"aliases": {}}, 400, "aliases: must be an object of 1 to 1000 names"),
        ({"aliases": ["x"]}, 400, "aliases: must be an object"),
        ({"aliases": {"x": 7}}, 400, "aliases.x: must be a string"),
        ({"aliases": {"": "c"}}, 400, "aliases"),
        ({"aliases": {"a b": "OWN"}}, 400, "an alias has 1 to 128"),
        ({"aliases": {"OWN": "OWN"}}, 400, "one name"),
        ({"aliases": {"x": "no-such"}}, 404, "there is no collection 'no-such'"),
    ],
)
def test_aliases_that_cannot_be_are_not_set(api: Api, body: Json | None, status: int, expected: str) -> None:
    body = json.loads(json.dumps(body).replace("OWN", api.collection))
    assert expected in said(api, "aliases/set", body, status)
    assert not [one for one in ask(api, "aliases")["aliases"] if one["collection"] == api.collection]


def test_an_admin_of_one_collection_looks_after_that_alone(
    api: Api, new_token: Callable[..., str], new_collection: Callable[..., str]
) -> None:
    other = new_collection()
    authorization = f"Token {new_token('admin', api.collection)}"
    for path in EVERYWHERE:
        body = {"name": "x", "service": "photo", "token": 1, "alias": "x", "aliases": {"x": other}}
        assert "one for all collections" in said(api, path, body, 403, Authorization=authorization), path
    assert [one["name"] for one in ask(api, "collections", Authorization=authorization)["collections"]] == [
        api.collection
    ]
    assert ask(api, "aliases", Authorization=authorization)["aliases"] == []
    for path in ("collection", "collection/set", "collection/advise", "collection/measure", "collection/drop"):
        body = {"confirm": other}
        assert "no access" in said(api, path, body, 403, collection_id=other, Authorization=authorization)
    assert ask(api, "collection/set", {"capacity": 5}, Authorization=authorization)["collection"]["capacity"] == 5


@pytest.mark.parametrize("scope", ["read", "write"])
def test_who_is_no_admin_reads_alone(api: Api, new_token: Callable[..., str], scope: str) -> None:
    authorization = f"Token {new_token(scope)}"
    body = {"name": "x", "service": "photo", "token": 1, "alias": "x", "aliases": {"x": "y"}, "confirm": api.collection}
    for path, view in VIEWS.items():
        if view.scope == "admin":
            assert "may not admin" in said(api, path, {**body, "field": "x"}, 403, Authorization=authorization), path
    assert ask(api, "collection", Authorization=authorization)["collection"]["name"] == api.collection
    assert said(api, "tokens", None, 401, Authorization="")


@pytest.mark.parametrize("path", sorted(VIEWS))
def test_a_body_that_is_none_is_refused(api: Api, path: str) -> None:
    headers = {"Authorization": f"Token {api.token}", "collection-id": api.collection}
    for sent in (b"{", b"[]", b'"x"', b"\xff"):
        answer = api.client.post(f"/admin/v1/{path}", data=sent, headers=headers)
        assert (answer.status_code, answer.get_json()["status"]["code"]) == (400, 402)
    assert api.client.get(f"/admin/v1/{path}", headers=headers).status_code == 405


def test_a_page_of_another_site_gets_nothing(api: Api) -> None:
    api.client.set_cookie(COOKIE, api.token)
    for header in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {}):
        assert api.client.post("/admin/v1/tokens/create", headers=header).status_code == 403
    api.client.delete_cookie(COOKIE)
