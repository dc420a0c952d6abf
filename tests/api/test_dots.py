"""A dot leads into an object where filters are concerned, and is refused everywhere else."""

from typing import Any

import pytest

from app.domain.errors import InvalidRequest
from app.services import collections
from tests.api.conftest import Api, picture


@pytest.fixture
def filled(api: Api) -> Api:
    record = {"_base64": picture(1), "size": {"width": 5}, "o": [{"sku": "S1"}], "plain": 1}
    api.post("insert", {"records": [{"_id": f"r{number}", **record} for number in range(3)]}, code=210)
    return api


@pytest.mark.parametrize(
    ("attributes", "name"),
    [
        ({"fabric.code": "x"}, "fabric.code"),
        ({"size": {"a.b": 1}}, "a.b"),
        ({"list": [1, [{"deep": {"x.": 1}}]]}, "x."),
        ({".": None}, "."),
    ],
    ids=range(4),
)
def test_an_attribute_with_a_dot_costs_its_record(filled: Api, attributes: dict[str, Any], name: str) -> None:
    wrong = {"_id": "k", "_base64": picture(2), **attributes}
    for method, good, code in (("insert", {"_id": "good", "_base64": picture(3)}, 211), ("update", {"_id": "r0"}, 206)):
        got = filled.post(method, {"records": [wrong, good]}, code=code)
        assert [one["_id"] for one in got["answer_records"]] == [good["_id"]]
        status = got["skipped_records"][0]["_reason"]["status"]
        assert status["code"] == 402
        assert repr(name) in status["error_description"]


def test_a_change_by_a_dot_is_refused(filled: Api) -> None:
    for change in ({"size.width": 7}, {"size.width": None}):
        filled.post("update", {"records": [{"_id": "r0", **change}]}, code=402)
    assert len(filled.post("find", {"filter": {"size.width": 5}})["answer_records"]) == 3


@pytest.mark.parametrize("method", ["get", "find", "visualKNN", "insert", "range"])
def test_a_dot_in_fields_to_return_is_refused(filled: Api, method: str) -> None:
    bodies: dict[str, dict[str, Any]] = {
        "get": {"records": [{"_id": "r0"}]},
        "find": {"filter": {}},
        "visualKNN": {"query_record": {"_id": "r0"}},
        "insert": {"records": [{"_id": "new", "_base64": picture(4)}]},
        "range": {"query_record": {"_id": "r0"}, "radius": 5},
    }
    got = filled.post(method, {**bodies[method], "fields_to_return": ["plain", "size.width"]}, code=402)
    assert "name 'size'" in got["status"]["error_description"]
    assert filled.post("getRecordCount")["answer_count"] == 3


def test_a_dot_in_a_product_field_is_refused(filled: Api) -> None:
    query = {"query_record": {"_id": "r0"}}
    for method, more in (("visualKNN", {}), ("visualTagsKNN", {}), ("range", {"radius": 5})):
        got = filled.post(method, {**query, **more, "product_field": "o.sku"}, code=402)
        assert "without a dot" in got["status"]["error_description"]
    with pytest.raises(InvalidRequest, match="without a dot"):
        collections.create(filled.context, "dotted", "photo", product_field="o.sku")
