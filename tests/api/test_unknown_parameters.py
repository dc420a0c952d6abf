"""A parameter that a method does not know is named with the one that was probably meant, or refused."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from app.api import errors
from app.api.blueprint import blueprint
from app.api.methods import METHODS
from tests.api.conftest import Api

# What is needed beside the parameter in question.
_NEEDED: dict[str, dict[str, object]] = {
    "insert": {"records": [{"_id": "0"}]},
    "upsert": {"records": [{"_id": "0"}]},
    "nearDupsInsert": {"records": [{"_id": "0"}]},
    "get": {"records": [{"_id": "0"}]},
    "delete": {"records": [{"_id": "none"}]},
    "update": {"records": [{"_id": "0", "fitler": 1}]},
    "find": {"filter": {}},
    "deleteByFilter": {"filter": {"n": -1}},
    "facets": {"facets": ["a"]},
    "text": {"query_record": {"_text_data": "a"}},
    "visualKNNMulti": {"query_records": [{"_id": "0", "fitler": 1}]},
    "visualTagsKNNMulti": {"query_records": [{"_id": "0"}]},
    "visualRankRecords": {"query_record": {"_id": "0"}, "records": [{"_id": "0", "fitler": 1}]},
    "visualTagsRankRecords": {"query_record": {"_id": "0"}, "records": [{"_id": "0"}]},
    "range": {"query_record": {"_id": "0"}, "radius": 1},
    "nearDuplicates": {"query_record": {"_id": "0"}},
    "visualKNN": {"query_record": {"_id": "0", "fitler": {"what": 1}}},
    "visualTagsKNN": {"query_record": {"_id": "0", "fitler": {"what": 1}}},
}


@pytest.fixture
def strict(api: Api) -> Iterator[Api]:
    """The same application with the setting that refuses, under a path of its own."""
    from flask import Flask

    settings = api.context.settings.model_copy(update={"unknown_parameters": "refuse"})
    flask = Flask("strict")
    errors.register(flask)
    flask.register_blueprint(blueprint(replace(api.context, settings=settings), "photo/search", "photo"))
    with flask.test_client() as client:
        yield replace(api, client=client)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_diff_every_method_names_what_it_does_not_know(api: Api, strict: Api, method: str) -> None:
    api.fill(1)
    own = METHODS[method].parameters.model_fields
    name = next(iter(own), "records")
    written = name[:2] + name[3:]
    sent = {**_NEEDED.get(method, {}), written: {"x": 1}, "fitler": {}, "no such thing": 1, "nothing": None}
    answer = api.call(method, sent)
    if answer.status_code == 200:
        ignored = answer.get_json()["statistics"]["ignored"]
        assert set(ignored) == {written, "fitler", "no such thing"}
        assert ignored["no such thing"] is None
        assert ignored["fitler"] == ("filter" if "filter" in own else None)
        assert ignored[written] == (name if own else None)
    else:
        assert method in {"insert", "upsert", "nearDupsInsert", "delete", "text"}
    plain = {**_NEEDED.get(method, {}), "extract_colors": None, "custom_flow": "x", "cand_set_size": 9, "nothing": None}
    assert "ignored" not in api.call(method, plain).get_json()["statistics"]
    assert api.call(method, plain).status_code == strict.call(method, plain).status_code
    refused = strict.call(method, sent)
    assert (refused.status_code, refused.get_json()["status"]["code"]) == (400, 402)
    assert f"{method} has no such parameter" in refused.get_json()["status"]["error_description"]


@pytest.mark.parametrize(
    ("method", "sent", "near"),
    [
        ("find", "fitler", "filter"),
        ("find", "Filter", "filter"),
        ("find", "FILTERS", "filter"),
        ("find", "where", None),
        ("find", "fieldsToReturn", "fields_to_return"),
        ("find", "k", None),
        ("allRecords", "sise", "?size"),
        ("allRecords", "size", "?size"),
        ("random", "cuont", "count"),
        ("find", "half \ud800", None),
        ("find", "x" * 10_000, None),
        ("find", "", None),
    ],
)
def test_what_was_probably_meant(api: Api, strict: Api, method: str, sent: str, near: str | None) -> None:
    needed: dict[str, object] = {"filter": {}} if method == "find" else {}
    got = api.post(method, {**needed, sent: 1}, code=200)
    ((name, meant),) = got["statistics"]["ignored"].items()
    assert meant == near
    assert len(name) <= 60
    said = strict.post(method, {**needed, sent: 1}, code=402)["status"]["error_description"]
    assert said == f"{name}: {method} has no such parameter" + (f"; did you mean {near}?" if near else "")


@pytest.mark.parametrize(("query", "ignored"), [("sise=2", {"sise": "?size"}), ("size=1&k=2", {"k": None})])
def test_the_query_string_counts_too(api: Api, query: str, ignored: dict[str, str | None]) -> None:
    api.fill(2)
    assert api.post(f"allRecords?{query}", {}, code=200)["statistics"]["ignored"] == ignored
    assert api.post("find?limit=1", {"filter": {}}, code=200)["statistics"]["ignored"] == {"limit": "limit"}


def test_a_flood_of_names_is_cut(api: Api) -> None:
    got = api.post("find", {"filter": {}, **{f"name {n}": n for n in range(5000)}}, code=200)
    assert len(got["statistics"]["ignored"]) == 20
