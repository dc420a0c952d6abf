"""visualKNNMulti, visualRankRecords, range, nearDuplicates, nearDupsInsert, and visualKNN's further parameters."""

import base64
import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from app.db import collections
from app.db.search import stored as stored_vectors
from app.demo.catalogue import catalogue
from app.domain.errors import InvalidRequest
from tests.api.conftest import Api, picture
from tests.support.answers import ids


@pytest.fixture(scope="module")
def filled(shared: Api) -> Api:
    """Twenty records, for tests that only read."""
    shared.fill(20)
    return shared


@pytest.fixture
def written(api: Api) -> Api:
    """The same, for a test that writes."""
    api.fill(20)
    return api


def vectors(api: Api) -> dict[str, Any]:
    collection = api.context.lookup.collection(api.collection)
    known = stored_vectors(api.context.db, collection, [str(n) for n in range(20)])
    return {own: np.asarray(one.vector.to_numpy(), np.float64) for own, one in known.items()}


def distance(one: Any, other: Any) -> float:
    return float(62.5 * (1 - one @ other / np.linalg.norm(one) / np.linalg.norm(other)))


@pytest.mark.parametrize(("name", "function"), [("mean", np.mean), ("min", np.min), ("max", np.max)])
def test_multi_ranks_by_the_aggregate_of_distances(filled: Api, name: str, function: Callable[..., float]) -> None:
    stored = vectors(filled)
    queries = ["1", "4", "11"]
    body = {"query_records": [{"_id": own} for own in queries], "k": 20, "aggregation": name}
    got = filled.post("visualKNNMulti", body, code=200)
    wanted = {own: function([distance(stored[own], stored[query]) for query in queries]) for own in stored}
    assert got["answer_distances"] == pytest.approx(sorted(wanted.values()), abs=1e-3)
    assert {own: wanted[own] for own in ids(got)} == pytest.approx(
        dict(zip(ids(got), got["answer_distances"], strict=True)), abs=1e-3
    )
    assert got["query_records"] == [{"_id": own} for own in queries]


def test_multi_mixes_ids_and_pictures_and_defaults_to_the_mean(filled: Api) -> None:
    mixed = filled.post("visualKNNMulti", {"query_records": [{"_id": "1"}, {"_base64": picture(4)}], "k": 5}, code=200)
    stored = filled.post("visualKNNMulti", {"query_records": [{"_id": "1"}, {"_id": "4"}], "k": 5}, code=200)
    assert ids(mixed) == ids(stored)
    one = filled.post("visualKNNMulti", {"query_records": [{"_id": "1"}], "k": 5, "from": 1}, code=200)
    plain = filled.post("visualKNN", {"query_record": {"_id": "1"}, "k": 5, "from": 1}, code=200)
    assert ids(one) == ids(plain)


def test_multi_names_the_bad_query_record(filled: Api) -> None:
    answer = filled.call("visualKNNMulti", {"query_records": [{"_id": "1"}, {"_id": "nobody"}]})
    assert answer.status_code == 422
    assert "query_records[1]" in answer.get_json()["status"]["error_description"]
    for records in ([], "x", [1], None):
        assert filled.call("visualKNNMulti", {"query_records": records}).status_code == 400
    assert filled.call("visualKNNMulti", {"query_records": [{"_id": "1"}], "aggregation": "median"}).status_code == 400


def test_diff_multi_takes_any_of_the_query_records_values(filled: Api) -> None:
    body = {"query_records": [{"_id": "1"}, {"_id": "4"}], "filter": {"n": "{TAKE_FROM_QUERY}"}}
    assert sorted(ids(filled.post("visualKNNMulti", body, code=200))) == ["1", "4"]


def test_rank_orders_ids_and_pictures_and_stores_nothing(filled: Api) -> None:
    records = [{"_base64": picture(7), "_url": "u7"}, {"_id": "3"}, {"_id": "9", "_base64": picture(0)}, {"_id": "2"}]
    got = filled.post("visualRankRecords", {"query_record": {"_id": "3"}, "records": records}, code=200)
    assert got["answer_records"][0] == {"_id": "3"}
    assert got["answer_distances"][0] == 0.0
    assert got["answer_distances"] == sorted(got["answer_distances"])
    assert {"_url": "u7"} in got["answer_records"]
    assert got["answer_count"] == 4
    assert filled.post("getRecordCount")["answer_count"] == 20


def test_diff_rank_is_unlimited_and_partly_done_is_213(filled: Api) -> None:
    records = [{"_id": str(n)} for n in range(20)] * 3
    assert (
        filled.post("visualRankRecords", {"query_record": {"_id": "3"}, "records": records}, code=200)["answer_count"]
        == 60
    )
    odd = [{"_id": "3"}, {"_id": "nobody"}, {"_base64": "AAAA"}, {}, "text", {"_id": 5}]
    got = filled.post("visualRankRecords", {"query_record": {"_id": "3"}, "records": odd}, code=213)
    assert got["answer_records"] == [{"_id": "3"}]
    codes = sorted(skip["_reason"]["status"]["code"] for skip in got["skipped_records"])
    assert codes == [402, 402, 402, 402, 404]
    answer = filled.call("visualRankRecords", {"query_record": {"_id": "3"}, "records": [{"_id": "nobody"}]})
    assert (answer.status_code, answer.get_json()["status"]["code"]) == (404, 404)


def test_rank_names_what_has_no_id(filled: Api) -> None:
    """A ranked picture of which nothing is known that is asked for has its place; nothing else has."""
    records = [{"_base64": picture(3)}, {"_base64": picture(9), "colour": "red"}, {"_id": "3"}]
    body = {"query_record": {"_id": "3"}, "records": records}
    wanted = {
        ("_id", "_url"): [{"_position": 0}, {"_id": "3"}, {"_position": 1}],
        ("_id",): [{"_position": 0}, {"_id": "3"}, {"_position": 1}],
        ("colour",): [{"_position": 0}, {"_id": "3"}, {"colour": "red"}],
        ("*",): [{"_position": 0}, {"_id": "3", "n": 3, "price": 30}, {"colour": "red"}],
    }
    for fields, answers in wanted.items():
        got = filled.post("visualRankRecords", {**body, "fields_to_return": list(fields)}, code=200)
        assert got["answer_records"] == answers


@pytest.mark.parametrize("method", ["insert", "update", "get", "delete", "visualRankRecords"])
def test_a_record_without_a_usable_id_is_named_by_its_place(written: Api, method: str) -> None:
    body = {"records": [{"_id": "3"}, {"_id": 5}], "query_record": {"_id": "3"}}
    skipped = written.post(method, body)["skipped_records"]
    told = [one["_reason"]["status"]["error_description"] for one in skipped if one.get("_id") != "3"]
    assert told == ['records[1]: _id must be a string, as in "5"']


@pytest.mark.parametrize("method", ["visualKNN", "visualKNNMulti", "range", "visualTagsKNN", "visualRankRecords"])
def test_an_unknown_id_is_named(filled: Api, method: str) -> None:
    query = {"_id": "no\u202ebody"}
    body = {"query_record": query, "query_records": [query], "records": [{"_id": "1"}], "radius": 1}
    answer = filled.call(method, body)
    assert answer.status_code == 422
    assert '"no\\u202ebody", which is not stored' in answer.get_json()["status"]["error_description"]


def test_rank_by_k_radius_and_fields(filled: Api) -> None:
    records = [{"_id": str(n)} for n in range(20)]
    body: dict[str, Any] = {"query_record": {"_id": "3"}, "records": records}
    whole = filled.post("visualRankRecords", body)
    assert ids(filled.post("visualRankRecords", {**body, "k": 4})) == ids(whole)[:4]
    radius = whole["answer_distances"][6]
    near = filled.post("visualRankRecords", {**body, "radius": radius, "fields_to_return": ["price"]})
    assert near["answer_count"] == 7, "the radius is inclusive"
    assert near["answer_records"][0] == {"_id": "3", "price": 30}


def test_range_finds_all_within_the_radius_inclusive(filled: Api) -> None:
    whole = filled.post("visualKNN", {"query_record": {"_id": "3"}, "k": 20})
    for rank in (0, 5, 19):
        radius = whole["answer_distances"][rank]
        got = filled.post("range", {"query_record": {"_id": "3"}, "radius": radius}, code=200)
        assert ids(got) == ids(whole)[: rank + 1]
    everything = {"query_record": {"_id": "3"}, "radius": 1000}
    assert ids(filled.post("range", {**everything, "k": 5, "from": 10})) == ids(whole)[10:15]
    assert sorted(ids(filled.post("range", {**everything, "filter": {"n": {"$lt": 3}}}))) == ["0", "1", "2"]


@pytest.mark.parametrize("radius", [None, -1, "5", True, []])
def test_range_needs_a_radius(filled: Api, radius: Any) -> None:
    answer = filled.call("range", {"query_record": {"_id": "3"}, "radius": radius})
    assert answer.status_code == 400
    assert "radius" in answer.get_json()["status"]["error_description"]


def test_radius_cuts_a_search(filled: Api) -> None:
    whole = filled.post("visualKNN", {"query_record": {"_id": "3"}, "k": 20})
    radius = whole["answer_distances"][4]
    assert filled.post("visualKNN", {"query_record": {"_id": "3"}, "k": 20, "radius": radius})["answer_count"] == 5
    body = {"query_records": [{"_id": "3"}], "k": 20, "radius": radius + 1e-6}
    assert filled.post("visualKNNMulti", body)["answer_count"] == 5


PRODUCTS = catalogue(100)


def product(number: int, quality: int = 95) -> str:
    """A product of the sample catalogue, as JPEG of some quality."""
    buffer = io.BytesIO()
    PRODUCTS[number].picture().save(buffer, "JPEG", quality=quality)
    return base64.b64encode(buffer.getvalue()).decode()


@pytest.fixture
def shop(api: Api) -> Api:
    records = [{"_id": str(n), "_base64": product(n), "n": n} for n in range(10)]
    api.post("insert", {"records": records}, code=210)
    return api


def test_near_duplicates_finds_the_recompressed_picture(shop: Api) -> None:
    got = shop.post("nearDuplicates", {"query_record": {"_base64": product(7, 60)}}, code=200)
    assert got["answer_records"] == [{"_id": "7", "n": 7}]
    assert 0 < got["answer_distances"][0] <= 5.0
    assert shop.post("nearDuplicates", {"query_record": {"_id": "7"}, "radius": 0}, code=200)["answer_count"] == 1


def test_near_dups_insert_refuses_twins_of_stored_and_of_earlier_records(shop: Api) -> None:
    records = [
        {"_id": "twin", "_base64": product(7, 60)},
        {"_id": "new", "_base64": product(15)},
        {"_id": "new-twin", "_base64": product(15, 60)},
        {"_id": "3", "_base64": product(16)},
    ]
    got = shop.post("nearDupsInsert", {"records": records, "fields_to_return": ["_id"]}, code=211)
    assert ids(got) == ["new"]
    reasons = {skip["_id"]: skip["_reason"] for skip in got["skipped_records"]}
    assert {own: reason["status"]["code"] for own, reason in reasons.items()} == {
        "twin": 211,
        "new-twin": 211,
        "3": 211,
    }
    assert reasons["twin"]["answer_records"] == [{"_id": "7"}]
    assert 0 < reasons["twin"]["answer_distances"][0] <= 5.0
    assert reasons["new-twin"]["answer_records"] == [{"_id": "new"}]
    assert "answer_records" not in reasons["3"]
    shop.post("nearDupsInsert", {"records": records[:1]}, code=411)
    assert shop.post("nearDupsInsert", {"records": records[:1], "radius": 0}, code=210)


def test_twenty_clients_insert_variants_of_five_pictures_and_five_get_in(api: Api) -> None:
    def insert(client: int) -> list[str]:
        number = 20 + client % 5
        records = [{"_id": f"{client}", "_base64": product(number, 60 + client)}]
        got = api.post("nearDupsInsert", {"records": records})
        assert got["status"]["code"] in {210, 411}
        return ids(got)

    with ThreadPoolExecutor(20) as pool:
        stored = [own for inserted in pool.map(insert, range(20)) for own in inserted]
    assert len(stored) == 5
    assert {int(own) % 5 for own in stored} == set(range(5))
    assert api.post("getRecordCount")["answer_count"] == 5


def test_product_field_answers_each_product_once(written: Api) -> None:
    written.post("update", {"records": [{"_id": str(n), "product": f"p{n % 4}"} for n in range(16)]}, code=205)
    body = {"query_record": {"_id": "3"}, "k": 30, "product_field": "product", "fields_to_return": ["product"]}
    got = written.post("visualKNN", body, code=200)
    products = [record.get("product", record["_id"]) for record in got["answer_records"]]
    assert sorted(products) == ["16", "17", "18", "19", "p0", "p1", "p2", "p3"]
    assert got["answer_distances"] == sorted(got["answer_distances"])
    whole = written.post("visualKNN", {"query_record": {"_id": "3"}, "k": 30, "fields_to_return": ["product"]})
    firsts: dict[str, str] = {}
    for record in whole["answer_records"]:
        firsts.setdefault(record.get("product", record["_id"]), record["_id"])
    assert ids(got) == list(firsts.values())
    assert ids(written.post("visualKNN", {**body, "k": 3, "from": 2})) == list(firsts.values())[2:5]
    assert sorted(ids(written.post("range", {**body, "radius": 1000, "k": None}))) == sorted(firsts.values())


@pytest.mark.parametrize("field", ["cand_set_size", "approx_param"])
@pytest.mark.parametrize("value", [0, 1, 1000, 10**6])
def test_effort_is_a_hint(filled: Api, field: str, value: int) -> None:
    assert filled.post("visualKNN", {"query_record": {"_id": "3"}, "k": 5, field: value}, code=200)["answer_count"] == 5
    assert filled.call("visualKNN", {"query_record": {"_id": "3"}, field: "much"}).status_code == 400


@pytest.mark.parametrize("value", [0.5, 0.99, 1, 1.0])
def test_a_recall_target_is_taken(filled: Api, value: float) -> None:
    body = {"query_record": {"_id": "3"}, "k": 5, "recall_target": value}
    assert filled.post("visualKNN", body, code=200)["answer_count"] == 5


@pytest.mark.parametrize("value", [0, 0.0, -1, 1.5, "x", float("nan"), True, [0.9]])
def test_a_wrong_recall_target_is_refused(filled: Api, value: object) -> None:
    answer = filled.call("visualKNN", {"query_record": {"_id": "3"}, "recall_target": value})
    assert answer.status_code == 400
    said = str(answer.get_json()["status"])
    assert "recall_target" in said or "NaN" in said


def test_stored_vectors_are_what_searches_compare(filled: Api) -> None:
    collection = filled.context.lookup.collection(filled.collection)
    assert stored_vectors(filled.context.db, collection, ["3", "nobody"]).keys() == {"3"}


@pytest.fixture
def products(api: Api, new_collection: Callable[..., str]) -> Api:
    """A collection with a product field of its own: 20 records, 4 a product."""
    api.collection = new_collection(product_field="product")
    for start in (0, 10):
        numbers = range(start, start + 10)
        records = [{"_id": str(n), "_base64": picture(n), "product": f"p{n % 5}", "kind": n % 2} for n in numbers]
        api.post("insert", {"records": records}, code=210)
    return api


@pytest.mark.parametrize("method", ["visualKNN", "visualTagsKNN", "range"])
def test_diff_the_collections_product_field_unless_the_request_names_one_or_none(products: Api, method: str) -> None:
    body: dict[str, Any] = {"query_record": {"_id": "3"}, "k": 30, "radius": 1000}
    for without in ({}, {"product_field": None}):
        assert products.post(method, {**body, **without}, code=200)["answer_count"] == 5
    assert products.post(method, {**body, "product_field": "kind"}, code=200)["answer_count"] == 2
    assert products.post(method, {**body, "product_field": ""}, code=200)["answer_count"] == 20
    assert products.call(method, {**body, "product_field": 5}).status_code == 400


def test_the_collections_product_field_is_changed(products: Api) -> None:
    collection, db = products.context.lookup, products.context.db
    body: dict[str, Any] = {"query_record": {"_id": "3"}, "k": 30}
    for field, count in (("kind", 2), (None, 20), ("product", 5)):
        collections.change(db, products.collection, {"product_field": field})
        collection.forget(products.collection)
        assert products.post("visualKNN", body, code=200)["answer_count"] == count
    for bad in ("", "$where", "_id", "x" * 201, "a\x00b"):
        with pytest.raises(InvalidRequest):
            collections.change(db, products.collection, {"product_field": bad})


def test_range_by_product_is_complete_and_pages_by_products(products: Api) -> None:
    body: dict[str, Any] = {"query_record": {"_id": "3"}, "radius": 1000}
    whole = products.post("range", body, code=200)
    assert whole["answer_count"] == 5
    assert whole["answer_distances"] == sorted(whole["answer_distances"])
    pages = [products.post("range", {**body, "from": start, "k": 2}, code=200) for start in (0, 2, 4, 6)]
    assert [ids(page) for page in pages] == [ids(whole)[:2], ids(whole)[2:4], ids(whole)[4:], []]
    assert ids(products.post("range", {**body, "from": 1}, code=200)) == ids(whole)[1:]
    near = {**body, "radius": whole["answer_distances"][2]}
    assert ids(products.post("range", near, code=200)) == ids(whole)[:3]
