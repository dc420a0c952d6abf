"""Looks and tags together: visualTagsKNN, visualTagsKNNMulti, visualTagsRankRecords."""

from collections.abc import Callable
from typing import Any

import numpy as np
import psycopg
import pytest

from app.db.search import stored
from app.domain.tags import jaccard_distance
from tests.api.conftest import Api, picture
from tests.support.answers import ids

WORDS = ["red", "blue", "summer", "shoe", "dress"]
SCALE = 62.5


def tags_of(number: int) -> list[str]:
    return [word for place, word in enumerate(WORDS) if number >> place & 1]


@pytest.fixture
def tagged(api: Api) -> Api:
    for start in (0, 10, 20):
        numbers = range(start, start + 10)
        records = [{"_id": str(n), "_base64": picture(n), "n": n, "tags": tags_of(n)} for n in numbers]
        api.post("insert", {"records": records}, code=210)
    return api


def wanted(api: Api, queries: dict[str, list[str]], weight: float, function: Any = np.mean) -> dict[str, float]:
    """The combined distance of every record, computed here."""
    collection = api.context.lookup.collection(api.collection)
    found_ = stored(api.context.db, collection, [str(n) for n in range(30)])
    vectors = {own: one.vector for own, one in found_.items()}
    units = {own: np.asarray(vector.to_numpy(), np.float64) for own, vector in vectors.items()}
    units = {own: vector / np.linalg.norm(vector) for own, vector in units.items()}
    found = {}
    for own, vector in units.items():
        values = []
        for query, tags in queries.items():
            part = weight if tags else 0.0
            looks = SCALE * (1 - float(vector @ units[query]))
            values.append((1 - part) * looks + part * SCALE * jaccard_distance(tags, tags_of(int(own))))
        found[own] = float(function(values))
    return found


@pytest.mark.parametrize("weight", [0, 0.2, 0.5, 1])
def test_the_order_is_that_of_the_full_computation(tagged: Api, weight: float) -> None:
    body = {"query_record": {"_id": "7"}, "k": 30, "tags_weight": weight}
    got = tagged.post("visualTagsKNN", body, code=200)
    full = wanted(tagged, {"7": tags_of(7)}, weight)
    assert got["answer_distances"] == pytest.approx(sorted(full.values()), abs=1e-3)
    assert [full[own] for own in ids(got)] == pytest.approx(got["answer_distances"], abs=1e-3)
    assert got["answer_distances"][0] == 0.0


def test_the_weight_is_a_half_unless_another_is_given(tagged: Api) -> None:
    plain = tagged.post("visualTagsKNN", {"query_record": {"_id": "7"}, "k": 9}, code=200)
    half = tagged.post("visualTagsKNN", {"query_record": {"_id": "7"}, "k": 9, "tags_weight": 0.5}, code=200)
    assert plain["answer_records"] == half["answer_records"]
    for bad in (-0.1, 1.1, "0.5", True):
        assert tagged.call("visualTagsKNN", {"query_record": {"_id": "7"}, "tags_weight": bad}).status_code == 400


def test_diff_no_tags_in_the_query_is_looks_only(tagged: Api) -> None:
    looks = tagged.post("visualKNN", {"query_record": {"_base64": picture(7)}, "k": 9}, code=200)
    both = tagged.post("visualTagsKNN", {"query_record": {"_base64": picture(7)}, "k": 9}, code=200)
    assert ids(both) == ids(looks)
    assert both["answer_distances"] == pytest.approx(looks["answer_distances"], abs=1e-6)


def test_a_query_records_own_tags_come_before_the_stored_ones(tagged: Api) -> None:
    got = tagged.post(
        "visualTagsKNN", {"query_record": {"_id": "7", "tags": tags_of(24)}, "k": 1, "tags_weight": 0.9}, code=200
    )
    assert tags_of(int(ids(got)[0])) == tags_of(24)


@pytest.mark.parametrize(
    ("service", "field"),
    [
        ("photo", "tags"),
        ("image_matching", "tags"),
        ("colors", "tags"),
        ("custom", "_tags"),
        ("products", "_tags_simple"),
        ("fashion", "_tags_simple"),
        ("homedecor", "_tags_simple"),
    ],
)
def test_diff_the_tags_field_of_each_service(
    api: Api, new_collection: Callable[..., str], service: str, field: str
) -> None:
    api.collection, api.prefix = new_collection(service=service), ""
    records = [
        {"_id": "same", "_base64": picture(9), field: ["x"]},
        {"_id": "other", "_base64": picture(1), field: ["y"]},
    ]
    headers = {"Authorization": f"Token {api.token}", "collection-id": api.collection}
    assert api.client.post("/v2/insert", json={"records": records}, headers=headers).status_code == 200
    query = {"query_record": {"_base64": picture(1), field: ["x"]}, "tags_weight": 1, "k": 1}
    got = api.client.post("/v2/visualTagsKNN", json=query, headers=headers).get_json()
    assert ids(got) == ["same"]


@pytest.mark.parametrize(("name", "function"), [("mean", np.mean), ("min", np.min), ("max", np.max)])
def test_multi(tagged: Api, name: str, function: Any) -> None:
    body = {"query_records": [{"_id": "7"}, {"_id": "12"}], "k": 30, "aggregation": name, "tags_weight": 0.4}
    got = tagged.post("visualTagsKNNMulti", body, code=200)
    full = wanted(tagged, {"7": tags_of(7), "12": tags_of(12)}, 0.4, function)
    assert got["answer_distances"] == pytest.approx(sorted(full.values()), abs=1e-3)


def test_rank(tagged: Api) -> None:
    records = [{"_id": str(n)} for n in range(30)]
    body = {"query_record": {"_id": "7"}, "records": records, "tags_weight": 0.3}
    got = tagged.post("visualTagsRankRecords", body, code=200)
    full = wanted(tagged, {"7": tags_of(7)}, 0.3)
    assert got["answer_distances"] == pytest.approx(sorted(full.values()), abs=1e-3)
    sent = [{"_base64": picture(3), "tags": tags_of(7), "_url": "u"}, {"_base64": picture(3), "_url": "v"}]
    got = tagged.post("visualTagsRankRecords", {**body, "records": sent}, code=200)
    assert [record["_url"] for record in got["answer_records"]] == ["u", "v"]


def test_filters_products_and_windows(tagged: Api) -> None:
    full = wanted(tagged, {"7": tags_of(7)}, 0.5)
    order = sorted((own for own in full if int(own) >= 10), key=lambda own: full[own])
    body = {"query_record": {"_id": "7"}, "k": 5, "filter": {"n": {"$gte": 10}}}
    got = tagged.post("visualTagsKNN", {**body, "from": 3}, code=200)
    assert [full[own] for own in ids(got)] == pytest.approx([full[own] for own in order[3:8]], abs=1e-3)
    tagged.post("update", {"records": [{"_id": str(n), "product": n % 3} for n in range(30)]}, code=205)
    got = tagged.post("visualTagsKNN", {**body, "k": 30, "product_field": "product"}, code=200)
    assert sorted(int(own) % 3 for own in ids(got)) == [0, 1, 2]


@pytest.mark.parametrize("value", ["red", ["red", 5, None, "red"], {"red": 1}, 5, [], [["red"]]])
def test_odd_tags_are_read_the_same_by_sql_and_by_python(tagged: Api, value: Any) -> None:
    from app.domain.tags import tags_of as read

    with psycopg.connect(tagged.context.db.url) as connection:
        row = connection.execute(
            "SELECT lookalike.tags_of(%s, 'tags')", (psycopg.types.json.Jsonb({"tags": value}),)
        ).fetchone()
    assert row is not None
    assert sorted(row[0]) == read({"tags": value}, "tags")


@pytest.mark.parametrize(("a", "b"), [([], []), (["x"], []), (["x"], ["x", "x"]), (["x", "y"], ["y", "z"])])
def test_the_distance_of_tags_in_sql_and_in_python(tagged: Api, a: list[str], b: list[str]) -> None:
    with psycopg.connect(tagged.context.db.url) as connection:
        row = connection.execute("SELECT lookalike.tags_distance(%s::text[], %s::text[])", (a, b)).fetchone()
    assert row == (pytest.approx(jaccard_distance(a, b)),)
