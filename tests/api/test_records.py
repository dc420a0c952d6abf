"""insert, get, delete, update, getRecordCount: every status of the specification."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.db import records as table
from tests.api.conftest import Api, drawing, encoded, picture


def test_insert_all(api: Api) -> None:
    got = api.post("insert", {"records": [{"_id": "1", "_base64": picture(1), "price": 5}]})
    assert got["status"]["code"] == 210
    assert got["status"]["text"] == "records inserted"
    assert got["answer_records"] == [{"_id": "1"}]
    assert got["answer_count"] == 1
    assert isinstance(got["statistics"]["OperationTime"], int)
    assert "skipped_records" not in got


def test_insert_some_duplicate(api: Api) -> None:
    api.fill(1)
    got = api.post("insert", {"records": [{"_id": "0", "_base64": picture(0)}, {"_id": "9", "_base64": picture(9)}]})
    assert (got["status"]["code"], got["status"]["text"]) == (211, "some records inserted")
    assert got["answer_records"] == [{"_id": "9"}]
    assert got["skipped_records"] == [{"_id": "0", "_reason": {"status": {"code": 211, "text": "record(s) duplicate"}}}]


def test_insert_all_duplicate_is_411_and_http_409(api: Api) -> None:
    api.fill(1)
    answer = api.call("insert", {"records": [{"_id": "0", "_base64": picture(0)}]})
    assert answer.status_code == 409
    assert answer.get_json()["status"]["code"] == 411


def test_insert_one_id_twice_in_a_request(api: Api) -> None:
    got = api.post("insert", {"records": [{"_id": "a", "_base64": picture(1)}, {"_id": "a", "_base64": picture(2)}]})
    assert got["status"]["code"] == 211
    assert [skip["_reason"]["status"]["code"] for skip in got["skipped_records"]] == [211]
    assert api.post("getRecordCount")["answer_count"] == 1


def test_insert_over_capacity_is_412_and_stores_nothing(api: Api, new_collection: Callable[..., str]) -> None:
    api.collection = new_collection(capacity=2)
    records = [{"_id": str(n), "_base64": picture(n)} for n in range(3)]
    answer = api.call("insert", {"records": records})
    assert answer.status_code == 409
    assert answer.get_json()["status"] == answer.get_json()["status"] | {"code": 412, "text": "hard capacity exceeded"}
    assert api.post("getRecordCount")["answer_count"] == 0
    assert api.post("insert", {"records": records[:2]})["status"]["code"] == 210


def test_capacity_holds_under_concurrent_inserts(api: Api, new_collection: Callable[..., str]) -> None:
    api.collection = new_collection(capacity=3)

    def insert(n: int) -> int:
        return int(api.post("insert", {"records": [{"_id": str(n), "_base64": picture(n)}]})["status"]["code"])

    with ThreadPoolExecutor(6) as pool:
        codes = sorted(pool.map(insert, range(6)))
    assert codes == [210, 210, 210, 412, 412, 412]
    assert api.post("getRecordCount")["answer_count"] == 3


def test_insert_makes_an_id(api: Api) -> None:
    got = api.post("insert", {"records": [{"_base64": picture(1)}]}, code=210)
    made = got["answer_records"][0]["_id"]
    assert len(made) == 36
    assert made[14] == "7"
    assert api.post("get", {"records": [{"_id": made}]}, code=205)


def test_insert_returns_the_fields_asked_for(api: Api) -> None:
    body = {"records": [{"_id": "1", "_base64": picture(1), "a": 1, "b": [2]}], "fields_to_return": ["b", "none"]}
    assert api.post("insert", body)["answer_records"] == [{"_id": "1", "b": [2]}]
    body = {"records": [{"_id": "2", "_base64": picture(2), "a": 1}], "fields_to_return": ["*"]}
    assert api.post("insert", body)["answer_records"] == [{"_id": "2", "a": 1}]


def test_the_picture_itself_is_not_stored(api: Api) -> None:
    api.fill(1)
    assert "_base64" not in api.post("get", {"records": [{"_id": "0"}]})["answer_records"][0]


def test_a_thumbnail_is_kept(api: Api) -> None:
    api.fill(1)
    small = table.thumbnail(api.context.db, api.context.lookup.collection(api.collection), "0")
    assert small is not None
    assert small[8:12] == b"WEBP"


def test_file_is_read_below_its_root_only(api: Api) -> None:
    root = api.context.settings.files_root
    assert root is not None
    drawing(3).save(root / "three.png")
    assert api.post("insert", {"records": [{"_id": "f", "_file": "three.png"}]})["status"]["code"] == 210
    got = api.post("insert", {"records": [{"_id": "g", "_file": "../../../../etc/passwd"}]})
    assert got["status"]["code"] == 402
    assert got["skipped_records"][0]["_reason"]["status"]["code"] == 402
    nearest = api.post("visualKNN", {"query_record": {"_base64": picture(3)}, "k": 1}, code=200)
    assert nearest["answer_records"] == [{"_id": "f"}]


def test_numbers_keep_every_digit(api: Api) -> None:
    answer = api.client.post(
        "/photo/search/v2/insert",
        data=f'{{"records":[{{"_id":"n","_base64":"{picture(1)}","big":12345678901234567890123,'
        '"exact":0.12345678901234567890}]}',
        headers={"Authorization": f"Token {api.token}", "collection-id": api.collection},
    )
    assert answer.status_code == 200
    got = api.call("get", {"records": [{"_id": "n"}]}).get_data(as_text=True)
    assert '"big": 12345678901234567890123' in got
    assert '"exact": 0.12345678901234567890' in got


def test_get_all_some_none(api: Api) -> None:
    api.fill(2)
    everything = api.post("get", {"records": [{"_id": "1"}, {"_id": "0"}]})
    assert everything["status"] | {"request_id": ""} == {"code": 205, "text": "records found", "request_id": ""}
    assert everything["answer_records"] == [{"_id": "1", "n": 1, "price": 10}, {"_id": "0", "n": 0, "price": 0}]
    some = api.post("get", {"records": [{"_id": "1"}, {"_id": "x"}]})
    assert some["status"]["code"] == 206
    assert some["skipped_records"] == [{"_id": "x", "_reason": {"status": {"code": 404, "text": "records not found"}}}]
    answer = api.call("get", {"records": [{"_id": "x"}]})
    assert (answer.status_code, answer.get_json()["status"]["code"]) == (404, 404)
    assert answer.get_json()["answer_records"] == []


def test_get_fields(api: Api) -> None:
    api.fill(1)
    got = api.post("get", {"records": [{"_id": "0"}], "fields_to_return": ["_id"]})
    assert got["answer_records"] == [{"_id": "0"}]
    got = api.post("get", {"records": [{"_id": "0"}], "fields_to_return": ["price"]})
    assert got["answer_records"] == [{"_id": "0", "price": 0}]


def test_delete_all_some_none(api: Api) -> None:
    api.fill(3)
    assert api.post("delete", {"records": [{"_id": "0"}]}, code=220)["answer_records"] == [{"_id": "0"}]
    some = api.post("delete", {"records": [{"_id": "0"}, {"_id": "1"}]}, code=206)
    assert some["answer_records"] == [{"_id": "1"}]
    assert [skip["_id"] for skip in some["skipped_records"]] == ["0"]
    assert api.post("delete", {"records": [{"_id": "0"}]}, code=404)["answer_count"] == 0
    assert api.post("getRecordCount")["answer_count"] == 1


def test_delete_takes_the_thumbnail_along(api: Api) -> None:
    api.fill(1)
    api.post("delete", {"records": [{"_id": "0"}]}, code=220)
    assert table.thumbnail(api.context.db, api.context.lookup.collection(api.collection), "0") is None


def test_update_sets_merges_and_removes(api: Api) -> None:
    api.fill(1)
    got = api.post("update", {"records": [{"_id": "0", "price": None, "day": "monday", "deep": {"a": None}}]}, code=205)
    assert got["answer_records"] == [{"_id": "0", "n": 0, "day": "monday", "deep": {"a": None}}]
    some = api.post("update", {"records": [{"_id": "0", "n": 7}, {"_id": "x", "n": 7}]}, code=206)
    assert some["answer_records"][0]["n"] == 7
    assert api.post("update", {"records": [{"_id": "x", "n": 7}]}, code=404)["answer_count"] == 0


def test_update_of_one_record_twice_is_merged_in_order(api: Api) -> None:
    api.fill(1)
    body = {"records": [{"_id": "0", "a": 1, "b": 1}, {"_id": "0", "a": 2, "b": None}], "fields_to_return": ["a", "b"]}
    assert api.post("update", body, code=205)["answer_records"] == [{"_id": "0", "a": 2}]


@pytest.mark.parametrize("change", [{"_url": "http://example.com/new.png"}, {"_base64": "AAAA"}, {"_file": "x.png"}])
def test_update_refuses_another_picture(api: Api, change: dict[str, str]) -> None:
    api.fill(2)
    got = api.post("update", {"records": [{"_id": "0", "n": 99, **change}, {"_id": "1", "n": 99}]}, code=206)
    assert got["answer_records"] == [{"_id": "1", "n": 99, "price": 10}]
    assert got["skipped_records"][0]["_reason"]["status"]["code"] == 402
    assert api.post("get", {"records": [{"_id": "0"}]})["answer_records"][0]["n"] == 0


def test_concurrent_updates_of_the_same_records_never_deadlock(api: Api) -> None:
    api.fill(10)
    orders = [[str(n) for n in range(10)], [str(n) for n in reversed(range(10))]]

    def update(turn: int) -> int:
        records = [{"_id": own, f"t{turn}": turn} for own in orders[turn % 2]]
        return int(api.post("update", {"records": records})["status"]["code"])

    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(update, range(24))) == {205}
    got = api.post("get", {"records": [{"_id": "5"}]})["answer_records"][0]
    assert {f"t{turn}" for turn in range(24)} <= got.keys()


def test_the_same_id_at_the_same_moment_wins_once(api: Api) -> None:
    def insert(n: int) -> int:
        return int(api.post("insert", {"records": [{"_id": "same", "_base64": picture(n)}]})["status"]["code"])

    with ThreadPoolExecutor(8) as pool:
        codes = sorted(pool.map(insert, range(8)))
    assert codes == [210, 411, 411, 411, 411, 411, 411, 411]


def test_record_count_by_get_and_post(api: Api) -> None:
    api.fill(3)
    for verb in ("GET", "POST"):
        answer = api.call("getRecordCount", verb=verb)
        assert answer.get_json()["answer_count"] == 3


def test_a_collection_made_again_under_its_name_is_found(api: Api) -> None:
    from app.db import collections as names
    from app.services import collections

    api.fill(2)
    names.drop(api.context.db, api.collection)
    collections.create(api.context, api.collection, "photo")
    assert api.post("getRecordCount", code=200)["answer_count"] == 0
    names.drop(api.context.db, api.collection)
    time.sleep(0.3)  # the freshness of collections in these tests is 0.2 seconds
    assert api.call("getRecordCount").status_code == 404


def test_a_png_and_a_data_uri_are_the_same_picture(api: Api) -> None:
    plain = encoded(drawing(5))
    api.post(
        "insert",
        {"records": [{"_id": "p", "_base64": plain}, {"_id": "q", "_base64": f"data:image/png;base64,{plain}"}]},
    )
    got = api.post("visualKNN", {"query_record": {"_id": "p"}, "k": 2}, code=200)
    assert got["answer_distances"][0] == 0.0
    assert got["answer_distances"][1] < 0.1
