"""find, random, allRecords, deleteByFilter, and filters in a search."""

import json
import random as random_module
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from app.db import indexes
from tests.api.conftest import Api, picture
from tests.support.answers import ids


def fill(api: Api) -> Api:
    for start in (0, 10):
        records = [
            {
                "_id": f"{n:02}",
                "_base64": picture(n),
                "n": n,
                "price": n * 10,
                "colour": ["red", "blue"][n % 2],
                "sizes": ["S", "M", "L"][: n % 3 + 1],
            }
            for n in range(start, start + 10)
        ]
        api.post("insert", {"records": records}, code=210)
    return api


@pytest.fixture(scope="module")
def filled(shared: Api) -> Api:
    """Twenty records, for tests that only read."""
    return fill(shared)


@pytest.fixture
def written(api: Api) -> Api:
    """The same, for a test that writes."""
    return fill(api)


def test_find(filled: Api) -> None:
    got = filled.post("find", {"filter": {"price": {"$gte": 150}}}, code=200)
    assert sorted(ids(got)) == ["15", "16", "17", "18", "19"]
    assert got["answer_count"] == 5
    assert got["answer_records"][0].keys() == {"_id", "n", "price", "colour", "sizes"}


def test_diff_operator_first_filters_mean_the_same(filled: Api) -> None:
    """The examples of the specification put the operator outside, its text inside."""
    one = filled.post("find", {"filter": {"$gte": {"price": 150}}, "fields_to_return": ["_id"]})
    assert sorted(ids(one)) == ["15", "16", "17", "18", "19"]


def test_find_has_a_limit_of_ten(filled: Api) -> None:
    assert filled.post("find", {"filter": {}})["answer_count"] == 10
    assert filled.post("find", {"filter": {}, "limit": 15})["answer_count"] == 15
    assert filled.post("find", {"filter": {}, "limit": 0})["answer_count"] == 0
    assert filled.post("find", {"filter": {"n": 99}})["answer_records"] == []


def test_find_needs_a_filter(filled: Api) -> None:
    assert "filter is missing" in filled.post("find", {}, code=402)["status"]["error_description"]


@pytest.mark.parametrize("method", ["find", "random", "allRecords", "deleteByFilter", "visualKNN"])
@pytest.mark.parametrize(
    ("filter_", "place"),
    [
        ({"price": {"$near": 3}}, "$near"),
        ({"$or": []}, "$or"),
        ([1], "filter"),
        ("price > 3", "filter"),
        ({"price": {"$in": 3}}, "$in"),
        ({"a": {"$regex": "("}}, "$regex"),
        ({"a": {"$not": 3}}, "$not"),
    ],
)
def test_a_filter_that_is_none_is_402_and_names_the_place(filled: Api, method: str, filter_: Any, place: str) -> None:
    answer = filled.call(method, {"filter": filter_, "query_record": {"_id": "01"}})
    assert answer.status_code == 400
    status = answer.get_json()["status"]
    assert status["code"] == 402
    assert place in status["error_description"]
    assert filled.post("getRecordCount")["answer_count"] == 20


def test_random_takes_each_record_equally_often(filled: Api) -> None:
    seen: Counter[str] = Counter()
    for _ in range(100):
        got = filled.post("random", {"count": 4, "filter": {"colour": "red"}, "fields_to_return": ["colour"]}, code=200)
        assert len(set(ids(got))) == 4
        assert {record["colour"] for record in got["answer_records"]} == {"red"}
        seen.update(ids(got))
    assert len(seen) == 10
    # 400 draws over 10 records: 40 each; a binomial's five standard deviations are 31.
    assert all(9 <= times <= 71 for times in seen.values())


def test_random_defaults_to_one_whole_record(filled: Api) -> None:
    got = filled.post("random", code=200)
    assert got["answer_count"] == 1
    assert got["answer_records"][0].keys() == {"_id", "n", "price", "colour", "sizes"}
    assert filled.post("random", {"count": 100})["answer_count"] == 20
    assert filled.post("random", {"count": 0})["answer_count"] == 0


def test_all_records_streams_everything(filled: Api) -> None:
    got = filled.post("allRecords", code=200)
    assert ids(got) == [f"{n:02}" for n in range(20)]
    assert got["answer_records"][0] == {"_id": "00"}
    assert got["answer_count"] == 20
    got = filled.post("allRecords", {"filter": {"n": {"$lt": 3}}, "fields_to_return": ["n"]})
    assert got["answer_records"] == [{"_id": "00", "n": 0}, {"_id": "01", "n": 1}, {"_id": "02", "n": 2}]
    assert filled.post("allRecords", {"filter": {"n": 99}})["answer_records"] == []


def test_all_records_by_page_number(filled: Api) -> None:
    seen = []
    for number in (1, 2, 3):
        got = filled.post(f"allRecords?size=8&page={number}", {"fields_to_return": ["_id"]})
        seen += ids(got)
        assert ("next" in got) == (number < 3)
        assert ("previous" in got) == (number > 1)
        assert got["answer_count"] == 20
    assert seen == [f"{n:02}" for n in range(20)]
    assert filled.post("allRecords?size=8&page=9")["answer_records"] == []


def follow(api: Api, link: str, body: Any) -> dict[str, Any]:
    parts = urlsplit(link)
    assert parts.path == "/photo/search/v2/allRecords"
    return api.post(f"allRecords?{parts.query}", body)


def test_all_records_by_links_also_while_records_come_and_go(written: Api) -> None:
    body = {"filter": {"n": {"$gte": 2}}, "fields_to_return": ["n"]}
    first = written.post("allRecords?size=5", body)
    written.post("delete", {"records": [{"_id": "02"}, {"_id": "03"}]}, code=220)
    second = follow(written, first["next"], body)
    third = follow(written, second["next"], body)
    assert ids(first) + ids(second) + ids(third) == [f"{n:02}" for n in range(2, 17)]
    back = follow(written, third["previous"], body)
    assert back["answer_records"] == second["answer_records"]
    last = follow(written, third["next"], body)
    assert ids(last) == ["17", "18", "19"]
    assert "next" not in last


@pytest.mark.parametrize(
    "query", ["size=0", "size=-1", "size=x", "size=5&page=0", "size=5&cursor=zzz", "size=5&cursor=", "size=10000000"]
)
def test_all_records_refuses_odd_pages(filled: Api, query: str) -> None:
    assert filled.post(f"allRecords?{query}", code=402)


def test_all_records_into_a_file_that_can_be_loaded_again(written: Api, tmp_path: Path) -> None:
    body = {"fields_to_return": ["*"], "output_file_name": "all.jsonl", "delete_file_after": False}
    got = written.post("allRecords", body, code=200)
    assert got["output_file_name"] == "all.jsonl"
    file = written.context.settings.home / "exports" / written.collection / "all.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert lines == got["answer_records"]


def test_diff_output_file_name_writes_only_if_the_file_is_kept(written: Api) -> None:
    written.post("allRecords", {"output_file_name": "gone.jsonl"}, code=200)
    written.post("allRecords", {"output_file_name": "gone.jsonl", "delete_file_after": True}, code=200)
    assert not (written.context.settings.home / "exports" / written.collection).exists()


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/b", "..", ".hidden", "", "a\\b", "x" * 300, "job-7.jsonl", 5])
def test_an_export_cannot_leave_its_folder(filled: Api, name: object) -> None:
    home = filled.context.settings.home
    before = {*home.parent.iterdir(), *home.rglob("*")}
    filled.post("allRecords", {"output_file_name": name, "delete_file_after": False}, code=402)
    assert {*home.parent.iterdir(), *home.rglob("*")} == before
    assert not Path("/etc/x").exists()


def test_delete_by_filter(written: Api) -> None:
    got = written.post("deleteByFilter", {"filter": {"$gte": {"price": 150}}, "fields_to_return": ["n"]}, code=200)
    assert sorted(record["n"] for record in got["answer_records"]) == [15, 16, 17, 18, 19]
    assert got["answer_count"] == 5
    assert written.post("getRecordCount")["answer_count"] == 15


def test_diff_delete_by_filter_needs_the_key_and_takes_an_empty_filter(written: Api) -> None:
    assert "filter is missing" in written.post("deleteByFilter", {}, code=402)["status"]["error_description"]
    written.post("deleteByFilter", {"filter": None}, code=402)
    assert written.post("getRecordCount")["answer_count"] == 20
    assert written.post("deleteByFilter", {"filter": {}}, code=200)["answer_count"] == 20
    assert written.post("getRecordCount")["answer_count"] == 0


def test_visual_knn_with_a_filter(filled: Api) -> None:
    got = filled.post("visualKNN", {"query_record": {"_id": "03"}, "filter": {"colour": "red"}, "k": 30}, code=200)
    assert sorted(ids(got)) == [f"{n:02}" for n in range(0, 20, 2)]
    assert got["answer_distances"] == sorted(got["answer_distances"])
    mixed = {"$or": [{"sizes": "L", "$lt": {"price": 100}}, {"_id": {"$in": ["19", "nobody"]}}]}
    got = filled.post("visualKNN", {"query_record": {"_id": "03"}, "filter": mixed}, code=200)
    assert sorted(ids(got)) == ["02", "05", "08", "19"]


def test_diff_take_from_query_prefers_the_query_records_own_fields(filled: Api) -> None:
    filter_ = {"colour": "{TAKE_FROM_QUERY}"}
    stored = filled.post(
        "visualKNN", {"query_record": {"_id": "03"}, "filter": filter_, "fields_to_return": ["colour"]}
    )
    assert {record["colour"] for record in stored["answer_records"]} == {"blue"}
    own = filled.post(
        "visualKNN",
        {"query_record": {"_id": "03", "colour": "red"}, "filter": filter_, "fields_to_return": ["colour"]},
    )
    assert {record["colour"] for record in own["answer_records"]} == {"red"}
    absent = filled.post("visualKNN", {"query_record": {"_id": "03"}, "filter": {"none": "{TAKE_FROM_QUERY}"}})
    assert absent["answer_count"] == 20
    inside = {"price": {"$lt": "{TAKE_FROM_QUERY}"}}
    got = filled.post("visualKNN", {"query_record": {"_id": "03"}, "filter": inside})
    assert sorted(ids(got)) == ["00", "01", "02"]


@pytest.mark.parametrize("method", ["find", "random", "allRecords", "deleteByFilter"])
def test_there_is_nothing_to_take_without_a_query_record(filled: Api, method: str) -> None:
    filled.post(method, {"filter": {"colour": "{TAKE_FROM_QUERY}"}}, code=402)
    assert filled.post("getRecordCount")["answer_count"] == 20


def test_a_value_too_long_for_a_declared_index_is_refused_in_words(written: Api) -> None:
    collection = written.context.lookup.collection(written.collection)
    indexes.declare_field(written.context.db, collection, "colour")
    noise = "".join(random_module.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=9000))
    got = written.post("update", {"records": [{"_id": "00", "colour": noise}]}, code=402)
    (skipped,) = got["skipped_records"]
    assert skipped["_id"] == "00"
    assert "2,700 bytes" in skipped["_reason"]["status"]["error_description"]
    assert written.post("get", {"records": [{"_id": "00"}]})["answer_records"][0]["colour"] == "red"


def test_a_query_record_cannot_smuggle_operators(filled: Api) -> None:
    body = {"query_record": {"_id": "03", "colour": {"$ne": "red"}}, "filter": {"colour": "{TAKE_FROM_QUERY}"}}
    assert filled.post("visualKNN", body, code=200)["answer_count"] == 0
