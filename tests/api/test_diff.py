"""Where the specification is silent or contradicts itself: the reading that was chosen (docs/compatibility.md)."""

import pytest

from tests.api.conftest import Api, picture


def test_diff_partly_done_is_206(api: Api) -> None:
    api.fill(1)
    for method in ("get", "update", "delete"):
        api.post(method, {"records": [{"_id": "0"}, {"_id": "nobody"}]}, code=206)
    assert api.post("getRecordCount", code=200)["answer_count"] == 0, "the part that could be done was"


def test_diff_reasons_of_skipped_records(api: Api) -> None:
    api.fill(1)
    records = [
        {"_id": "0", "_base64": picture(0)},
        {"_id": "1", "_base64": "AAAA"},
        {"_id": "2", "_base64": picture(2)},
    ]
    got = api.post("insert", {"records": records}, code=211)
    reasons = {skip["_id"]: skip["_reason"]["status"] for skip in got["skipped_records"]}
    assert reasons["0"] == {"code": 211, "text": "record(s) duplicate"}
    assert reasons["1"]["code"] == 402
    assert reasons["1"]["error_description"]


def test_diff_all_refused(api: Api) -> None:
    api.fill(1)
    api.post("insert", {"records": [{"_id": "0", "_base64": picture(0)}]}, code=411)
    api.post("insert", {"records": [{"_id": "0", "_base64": picture(0)}, {"_id": "1", "_base64": "AAAA"}]}, code=402)
    api.post("insert", {"records": [{"_id": "1", "_base64": "AAAA"}]}, code=402)
    assert api.post("getRecordCount", code=200)["answer_count"] == 1


@pytest.mark.parametrize(
    ("method", "body", "code", "http"),
    [
        ("insert", {"records": [{"_id": "9", "_base64": picture(9)}]}, 210, 200),
        ("insert", {"records": [{"_id": "0", "_base64": picture(0)}]}, 411, 409),
        ("insert", {"records": []}, 402, 400),
        ("get", {"records": [{"_id": "0"}]}, 205, 200),
        ("get", {"records": [{"_id": "0"}, {"_id": "x"}]}, 206, 200),
        ("get", {"records": [{"_id": "x"}]}, 404, 404),
        ("delete", {"records": [{"_id": "0"}]}, 220, 200),
        ("visualKNN", {"query_record": {"_id": "x"}}, 403, 422),
        ("visualKNN", {"query_record": {"_id": "0"}}, 200, 200),
    ],
)
def test_diff_http_statuses(api: Api, method: str, body: object, code: int, http: int) -> None:
    api.fill(1)
    answer = api.call(method, body)
    assert (answer.get_json()["status"]["code"], answer.status_code) == (code, http)
    assert answer.content_type == "application/json;charset=UTF-8"


def test_diff_a_missing_id_is_made(api: Api) -> None:
    for record in ({"_base64": picture(1)}, {"_id": None, "_base64": picture(2)}):
        made = api.post("insert", {"records": [record]}, code=210)["answer_records"][0]["_id"]
        assert (len(made), made[14]) == (36, "7")


def test_diff_query_records_have_no_base64(api: Api) -> None:
    api.fill(1)
    got = api.post("visualKNN", {"query_record": {"_base64": picture(0), "note": 1.50}}, code=200)
    assert got["query_records"] == [{"note": 1.5}]


def test_diff_update_refuses_another_picture(api: Api) -> None:
    api.fill(2)
    records = [{"_id": "0", "_url": "http://example.com/other.png"}, {"_id": "1", "n": 5}]
    got = api.post("update", {"records": records}, code=206)
    assert got["answer_records"] == [{"_id": "1", "n": 5, "price": 10}]
    assert got["skipped_records"][0]["_reason"]["status"]["code"] == 402


def test_diff_eleven_records(api: Api) -> None:
    records = [{"_id": str(n), "_base64": picture(n)} for n in range(11)]
    api.post("insert", {"records": records}, code=402)
    assert api.post("getRecordCount")["answer_count"] == 0
