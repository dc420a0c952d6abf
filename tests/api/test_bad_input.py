"""Bad input: a clear envelope error, nothing written, the server still working."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from app.api.methods import METHODS
from tests.api.conftest import Api, picture
from tests.cases.bad_numbers import EXTREME, OUT_OF_RANGE, PLACES


def body(text: str, api: Api, method: str = "insert") -> Any:
    headers = {"Authorization": f"Token {api.token}", "collection-id": api.collection}
    return api.client.post(f"/photo/search/v2/{method}", data=text.encode("utf-8", "surrogatepass"), headers=headers)


@pytest.fixture(autouse=True)
def still_working(api: Api) -> Any:
    yield
    assert api.call("getRecordCount").status_code in {200, 401, 403, 404, 400}
    assert api.call("ping").status_code == 200


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ("[]", "must be a JSON object"),
        ('"x"', "must be a JSON object"),
        ("{'a': 1}", "not JSON"),
        ('{"records": NaN}', "NaN is not JSON"),
        ('{"records": [{"a": Infinity}]}', "Infinity is not JSON"),
        ('{"records": 1}', "records"),
        ('{"records": {}}', "records"),
        ("{}", "records is missing"),
        ('{"records": null}', "records is missing"),
        ('{"records": []}', "1 to 10"),
        ('{"records": [' + ",".join(["{}"] * 11) + "]}", "1 to 10"),
        ('{"records": [{"_id": "1"}], "fields_to_return": "_id"}', "fields_to_return"),
        ('{"records": [{"_id": "1"}], "fields_to_return": [1]}', "fields_to_return"),
        ('{"a":' * 1000 + "1" + "}" * 1000, "nested too deep"),
        ("[" * 100_000 + "]" * 100_000, "nested too deep"),
        ('{"records": [{"_id": "1", "price": 1e999999}]}', "out of range"),
        ('{"records": [{"_id": "1", "price": ' + "9" * 5000 + "}]}", "out of range"),
        ("\ud800", "not UTF-8"),
        ("\ufeff{", "not JSON"),
        ("{}\ufeff", "not JSON"),
        ("\ufeff\ufeff{}", "not JSON"),
    ],
)
def test_broken_requests_are_402_and_http_400(api: Api, text: str, said: str) -> None:
    answer = body(text, api)
    assert answer.status_code == 400, answer.get_data(as_text=True)
    status = answer.get_json()["status"]
    assert (status["code"], status["text"]) == (402, "aborted by error")
    assert said in status["error_description"]
    assert status["request_id"] == answer.headers["X-Request-ID"]
    assert api.post("getRecordCount")["answer_count"] == 0


@pytest.mark.parametrize(("method", "sent", "place"), PLACES, ids=[f"{case[0]}-{case[2]}" for case in PLACES])
def test_a_number_out_of_range_is_402_with_its_place(shared: Api, method: str, sent: str, place: str) -> None:
    for number in OUT_OF_RANGE:
        answer = body(sent.replace("#", number), shared, method)
        status = answer.get_json()["status"]
        assert (answer.status_code, status["code"]) == (400, 402), (number[:30], status)
        assert status["error_description"].startswith(place), (number[:30], status)
        assert status["error_description"].endswith(" is out of range")
        assert len(status["error_description"]) < 120


def test_a_number_out_of_range_is_tried_in_every_method() -> None:
    assert {method for method, _, _ in PLACES} == set(METHODS)


@pytest.mark.parametrize("number", EXTREME)
def test_an_extreme_number_is_stored_found_and_returned_with_every_digit(api: Api, number: str) -> None:
    sent = f'{{"records": [{{"_id": "1", "_base64": "{picture(1)}", "n": {number}}}]}}'
    assert body(sent, api).get_json()["status"]["code"] == 210
    got = body(f'{{"filter": {{"n": {number}}}}}', api, "find")
    (record,) = json.loads(got.data, parse_float=Decimal, parse_int=Decimal)["answer_records"]
    assert record["n"] == Decimal(number)
    written = f"{record['n']:f}"  # as the database writes it, and an export
    assert body(f'{{"records": [{{"_id": "1", "n": {written}}}]}}', api, "update").get_json()["status"]["code"] == 205
    taken = '{"query_record": {"_id": "1"}, "filter": {"n": "{TAKE_FROM_QUERY}"}}'
    assert body(taken, api, "visualKNN").get_json()["answer_count"] == 1


def test_a_number_that_sql_stored_beyond_the_range_is_read(api: Api) -> None:
    api.fill(2)
    name = api.context.lookup.collection(api.collection).records_table
    change = (
        f'UPDATE lookalike.{name} SET attributes = attributes || \'{{"n": 1e600, "tags": ["a"]}}\' WHERE id = \'0\''
    )
    api.context.db.write(lambda connection: connection.execute(change))
    for method in ("visualKNN", "visualTagsKNN"):
        taken = {"query_record": {"_id": "0"}, "filter": {"n": "{TAKE_FROM_QUERY}"}}
        assert api.post(method, taken, code=200)["answer_records"] == [{"_id": "0"}]


@pytest.mark.parametrize("method", ["find", "getRecordCount"])
def test_a_byte_order_mark_before_a_request_is_passed_over(api: Api, method: str) -> None:
    api.fill(1)
    sent = '{"filter": {"n": 0}}' if method == "find" else ""
    for mark in ("\ufeff", "\ufeff\r\n "):
        got = body(mark + sent, api, method).get_json()
        assert (got["status"]["code"], got["answer_count"]) == (200, 1)


DEEP: Any = 1
for _ in range(100):
    DEEP = {"a": DEEP}


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ("text", "JSON object"),
        ([], "JSON object"),
        (None, "JSON object"),
        ({"_id": 5}, "string"),
        ({"_id": ["x"]}, "string"),
        ({"_id": ""}, "1 to 1024 bytes"),
        ({"_id": "x" * 2**20}, "1 to 1024 bytes"),
        ({"_id": "nul\x00"}, "U+0000"),
        ({"_id": "half\ud800"}, "surrogate"),
        ({"_id": "1", "a": "nul\x00"}, "U+0000"),
        ({"_id": "1", "nul\x00": 1}, "U+0000"),
        ({"_id": "1", "a": {"b": ["half\udfff"]}}, "surrogate"),
        ({"_id": "1", "$set": 1}, "begins with $"),
        ({"_id": "1", "deep": DEEP}, "nested deeper"),
        ({"_id": "1", "long": "x" * 300_000}, "more than"),
        ({"_id": "1"}, "_base64"),
        ({"_id": "1", "_base64": 5}, "_base64"),
        ({"_id": "1", "_base64": "not base64!"}, "base64"),
        ({"_id": "1", "_base64": "aGVsbG8gd29ybGQ="}, "picture"),
        ({"_id": "1", "_url": "ftp://example.com/a.png"}, "http"),
        ({"_id": "1", "_url": "http://127.0.0.1/a.png"}, "address"),
        ({"_id": "1", "_url": "http://169.254.169.254/latest/meta-data"}, "address"),
        ({"_id": "1", "_url": "http://example.com:22/a.png"}, "port"),
        ({"_id": "1", "_file": "/etc/passwd"}, "_file"),
    ],
)
def test_a_bad_record_is_skipped_with_a_reason_and_the_good_one_stored(api: Api, record: Any, said: str) -> None:
    if isinstance(record, dict) and said in {
        "begins with $",
        "U+0000",
        "surrogate",
        "nested deeper",
        "more than",
        "string",
    }:
        record = {**record, "_base64": picture(1)}
    sent = json.dumps({"records": [record, {"_id": "good", "_base64": picture(2)}]})
    got = body(sent, api).get_json()
    assert got["status"]["code"] == 211, got
    assert got["answer_records"] == [{"_id": "good"}]
    reason = got["skipped_records"][0]["_reason"]["status"]
    assert reason["code"] == 402
    assert said.lower() in reason["error_description"].lower()
    assert api.post("getRecordCount")["answer_count"] == 1


@pytest.mark.parametrize(
    "hostile",
    [
        "'; DROP TABLE lookalike.records; --",
        '"; DROP SCHEMA lookalike CASCADE; --',
        "%s",
        "%(id)s",
        "\\",
        "{}",
        "../x",
        "🧥",
    ],
)
def test_sql_in_ids_and_keys_is_data(api: Api, hostile: str) -> None:
    key = hostile.replace(".", "")  # names with a dot are refused, as no filter could reach them
    api.post("insert", {"records": [{"_id": hostile, "_base64": picture(1), key: hostile}]}, code=210)
    got = api.post("get", {"records": [{"_id": hostile}], "fields_to_return": [key]}, code=205)
    assert got["answer_records"] == [{"_id": hostile, key: hostile}]
    got = api.post("visualKNN", {"query_record": {"_id": hostile}, "fields_to_return": [key]}, code=200)
    assert got["answer_records"] == [{"_id": hostile, key: hostile}]
    api.post("update", {"records": [{"_id": hostile, key: None}]}, code=205)
    api.post("delete", {"records": [{"_id": hostile}]}, code=220)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("k", -1),
        ("k", "3"),
        ("k", 3.5),
        ("k", True),
        ("k", 10**30),
        ("k", 200_000),
        ("from", -1),
        ("from", 10**12),
        ("from", [1]),
        ("fields_to_return", [None]),
        ("query_record", "1"),
        ("query_record", []),
    ],
)
def test_bad_parameters_of_a_search(api: Api, field: str, value: object) -> None:
    api.fill(1)
    answer = api.call("visualKNN", {"query_record": {"_id": "0"}, field: value})
    assert answer.status_code == 400
    assert answer.get_json()["status"]["code"] == 402
    assert field in answer.get_json()["status"]["error_description"]


def test_unknown_and_null_fields_of_a_request_are_tolerated(api: Api) -> None:
    got = api.post(
        "insert", {"records": [{"_id": "1", "_base64": picture(1)}], "extract_colors": None, "what": {"x": 1}}
    )
    assert got["status"]["code"] == 210
    assert (
        api.post("visualKNN", {"query_record": {"_id": "1"}, "k": None, "filter": None}, code=200)["answer_count"] == 1
    )


@pytest.mark.parametrize("header", ["", "Token", "Token ", "Basic abc", "Token wrong", "Bearer also-wrong"])
def test_no_or_wrong_token_is_401(api: Api, header: str) -> None:
    answer = api.call("getRecordCount", Authorization=header)
    assert answer.status_code == 401
    assert answer.get_json()["status"]["code"] == 401


def test_token_schemes(api: Api) -> None:
    for scheme in ("Token", "token", "JWT", "Bearer"):
        assert api.call("getRecordCount", Authorization=f"{scheme} {api.token}").status_code == 200


def test_a_token_of_another_collection_is_403(
    api: Api, new_token: Callable[..., str], new_collection: Callable[..., str]
) -> None:
    api.token = new_token("admin", new_collection())
    answer = api.call("getRecordCount")
    assert (answer.status_code, answer.get_json()["status"]["code"]) == (403, 403)


def test_a_read_only_token_may_not_insert(api: Api, new_token: Callable[..., str]) -> None:
    api.fill(1)
    api.token = new_token("read", api.collection)
    for method in ("insert", "delete", "update"):
        assert api.call(method, {"records": [{"_id": "0", "_base64": picture(7)}]}).status_code == 403
    assert api.call("visualKNN", {"query_record": {"_id": "0"}}).status_code == 200


def test_a_write_token_may_read(api: Api, new_token: Callable[..., str]) -> None:
    api.token = new_token("write", api.collection)
    api.fill(1)
    assert api.call("getRecordCount").get_json()["answer_count"] == 1


def test_a_token_whose_last_collection_was_dropped_gets_nothing(
    api: Api, new_token: Callable[..., str], new_collection: Callable[..., str]
) -> None:
    from app.db import collections as names

    own = new_collection()
    token = new_token("admin", own)
    names.drop(api.context.db, own)
    api.token = token
    assert api.call("getRecordCount").status_code == 403


def test_a_revoked_token_is_refused_within_the_freshness(api: Api) -> None:
    import time

    from app.db import tokens as table
    from app.domain.tokens import digest

    known = table.find(api.context.db, digest(api.token))
    assert known is not None
    assert api.call("getRecordCount").status_code == 200
    assert table.revoke(api.context.db, known.token_id)
    time.sleep(0.3)
    assert api.call("getRecordCount").status_code == 401


def test_no_and_unknown_collection(api: Api) -> None:
    answer = api.call("getRecordCount", collection_id="")
    assert answer.status_code == 400
    assert "collection-id" in answer.get_json()["status"]["error_description"]
    answer = api.call("getRecordCount", collection_id="nowhere")
    assert (answer.status_code, answer.get_json()["status"]["code"]) == (404, 404)


@pytest.mark.parametrize(
    ("prefix", "status"),
    [
        ("photo/search", 200),
        ("similarity/photos", 200),
        ("similarity/text/photo", 200),
        ("similarity/text/products", 400),
        ("image_matching", 400),
        ("similarity/products", 400),
        ("similarity/products-new", 400),
        ("similarity/custom", 400),
        ("similarity/fashion", 400),
        ("similarity/fashion-new", 400),
        ("similarity/colors", 400),
        ("similarity/homedecor", 400),
        ("similarity/homedecor-new", 400),
    ],
)
def test_diff_prefixes_and_wrong_service(api: Api, prefix: str, status: int) -> None:
    """A collection belongs to one service; the aliases are those that the stock client calls."""
    api.prefix = prefix
    answer = api.call("getRecordCount")
    assert answer.status_code == status
    if status == 400:
        assert "belongs to the service 'photo'" in answer.get_json()["status"]["error_description"]


def test_diff_bare_prefix_serves_any_collection(api: Api) -> None:
    headers = {"Authorization": f"Token {api.token}", "collection-id": api.collection}
    assert api.client.get("/v2/getRecordCount", headers=headers).status_code == 200


def test_diff_verbs(api: Api) -> None:
    """POST everywhere; ping and getRecordCount also GET."""
    assert api.call("visualKNN", verb="GET").status_code == 405
    assert api.call("visualKNN", verb="GET").get_json()["status"]["code"] == 405
    assert api.call("getRecordCount", verb="DELETE").status_code == 405
    assert api.call("ping", verb="GET").get_json()["status"]["code"] == 200


def test_diff_ping_needs_no_token_and_no_collection(api: Api) -> None:
    for verb in ("GET", "POST"):
        answer = api.client.open("/photo/search/v2/ping", method=verb)
        assert answer.status_code == 200
        assert answer.get_json()["info"].startswith("Lookalike ")


def test_the_root_is_read_and_not_written_to(api: Api) -> None:
    answer = api.client.post("/")
    assert answer.status_code == 405
    assert answer.get_json()["status"]["code"] == 405
    assert "GET" in answer.headers["Allow"]


@pytest.mark.parametrize("path", ["/photo/search/v2/nothing", "/photo/search/v3/ping", "/etc/passwd", "/%00"])
def test_unknown_paths_are_an_envelope(api: Api, path: str) -> None:
    answer = api.client.post(path)
    assert answer.status_code == 404
    assert answer.get_json()["status"]["code"] == 404


@pytest.mark.parametrize("prefix", ["", "/v1", "/photo", "/foto/search/v2", "/photo/search/v3", "/photos/v2", "/v2/v2"])
def test_a_wrong_prefix_is_told_apart_from_a_wrong_method(api: Api, prefix: str) -> None:
    for method in ("visualKNN", "ping"):
        answer = api.client.post(f"{prefix}/{method}")
        said = answer.get_json()["status"]["error_description"]
        assert answer.status_code == 404
        assert said.startswith(f"no service has the path {prefix or '/'}; {method} is called as /v2/{method}, /")
        assert f"/similarity/photos/v2/{method}" in said
    said = api.client.post(f"{prefix}/visualKnm").get_json()["status"]["error_description"]
    assert said.startswith("the methods are allNearDupPairs, ")


def test_a_body_over_the_limit_is_413(api: Api) -> None:
    answer = body('{"records": [{"_base64": "' + "A" * (9 * 2**20) + '"}]}', api)
    assert (answer.status_code, answer.get_json()["status"]["code"]) == (413, 413)


def test_request_ids(api: Api) -> None:
    assert api.call("ping", X_Request_ID="mine-1").get_json()["status"]["request_id"] == "mine-1"
    made = api.call("ping", X_Request_ID="<bad>").get_json()["status"]["request_id"]
    assert len(made) == 32


@pytest.mark.parametrize("method", ["get", "delete", "update"])
def test_more_records_than_the_limit(api: Api, method: str) -> None:
    answer = api.call(method, {"records": [{"_id": str(n)} for n in range(1001)]})
    assert answer.status_code == 400
    assert "1 to 1000" in answer.get_json()["status"]["error_description"]


@pytest.mark.parametrize("method", ["get", "delete", "update"])
def test_ids_that_cannot_be_are_skipped(api: Api, method: str) -> None:
    api.fill(1)
    got = api.post(method, {"records": [{"_id": 5}, "x", {"_id": "0"}]}, code=206)
    assert [skip["_reason"]["status"]["code"] for skip in got["skipped_records"]] == [402, 402]
    answer = api.call(method, {"records": [{"_id": 5}]})
    assert (answer.status_code, answer.get_json()["status"]["code"]) == (400, 402)
