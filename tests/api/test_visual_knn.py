"""visualKNN: by id, by picture, windows, fields, and what it says when it cannot."""

import pytest

from tests.api.conftest import Api, picture


def test_by_id_begins_with_itself_at_zero(api: Api) -> None:
    api.fill(8)
    got = api.post("visualKNN", {"query_record": {"_id": "3"}, "k": 4}, code=200)
    assert got["answer_records"][0] == {"_id": "3"}
    assert got["answer_distances"][0] == 0.0
    assert got["answer_distances"] == sorted(got["answer_distances"])
    assert got["answer_count"] == len(got["answer_records"]) == len(got["answer_distances"]) == 4
    assert got["query_records"] == [{"_id": "3"}]


def test_by_picture_finds_the_picture(api: Api) -> None:
    api.fill(8)
    got = api.post("visualKNN", {"query_record": {"_base64": picture(6)}, "k": 2}, code=200)
    assert got["answer_records"][0] == {"_id": "6"}
    assert got["answer_distances"][0] < 0.1
    assert got["query_records"] == [{}]


def test_an_unknown_id_with_a_picture_uses_the_picture(api: Api) -> None:
    api.fill(8)
    got = api.post("visualKNN", {"query_record": {"_id": "zz", "_base64": picture(2)}, "k": 1}, code=200)
    assert got["answer_records"] == [{"_id": "2"}]


def test_from_and_k_walk_the_ranking(api: Api) -> None:
    api.fill(8)
    whole = api.post("visualKNN", {"query_record": {"_id": "3"}, "k": 8})["answer_records"]
    walked = [
        record
        for start in (0, 3, 6, 9)
        for record in api.post("visualKNN", {"query_record": {"_id": "3"}, "k": 3, "from": start})["answer_records"]
    ]
    assert walked == whole
    assert len(whole) == 8


def test_diff_default_k_is_30(api: Api) -> None:
    """The parameter list of the specification says 20, the table of the method 30."""
    api.fill(32)
    assert api.post("visualKNN", {"query_record": {"_id": "0"}})["answer_count"] == 30


def test_k_zero_and_k_beyond_the_collection(api: Api) -> None:
    api.fill(2)
    assert api.post("visualKNN", {"query_record": {"_id": "0"}, "k": 0}, code=200)["answer_count"] == 0
    assert api.post("visualKNN", {"query_record": {"_id": "0"}, "k": 100_000}, code=200)["answer_count"] == 2


def test_fields(api: Api) -> None:
    api.fill(2)
    got = api.post("visualKNN", {"query_record": {"_id": "1"}, "k": 1, "fields_to_return": ["*"]})
    assert got["answer_records"] == [{"_id": "1", "n": 1, "price": 10}]
    got = api.post("visualKNN", {"query_record": {"_id": "1"}, "k": 1, "fields_to_return": ["price"]})
    assert got["answer_records"] == [{"_id": "1", "price": 10}]


_NO_PICTURE = "and no _base64, _url, _file or _text_data"


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ({"_id": "nobody"}, f'the query record has the _id "nobody", which is not stored, {_NO_PICTURE}'),
        ({}, f"the query record has no _id {_NO_PICTURE}"),
        ({"_url": ""}, f"the query record has no _id {_NO_PICTURE}"),
        ({"_base64": "AAAA"}, "this is not a picture in one of the formats"),
        ({"_url": "http://127.0.0.1/x.png"}, "the host 127.0.0.1 has a private or reserved address"),
    ],
)
def test_wrong_query_record_is_403_and_http_422(api: Api, query: dict[str, str], reason: str) -> None:
    answer = api.call("visualKNN", {"query_record": query})
    assert answer.status_code == 422
    status = answer.get_json()["status"]
    assert (status["code"], status["text"]) == (403, "wrong query record")
    assert status["error_description"].startswith(reason)


def test_an_empty_collection_has_nothing_near(api: Api) -> None:
    got = api.post("visualKNN", {"query_record": {"_base64": picture(1)}}, code=200)
    assert (got["answer_count"], got["answer_records"]) == (0, [])


def test_a_box_crops_the_query(api: Api) -> None:
    api.fill(3)
    got = api.post("visualKNN", {"query_record": {"_base64": picture(1), "_box": [0, 0, 160, 160]}, "k": 1}, code=200)
    assert got["answer_records"] == [{"_id": "1"}]
    assert (
        api.post("visualKNN", {"query_record": {"_base64": picture(1), "_box": [0, 0, 999, 999]}})["status"]["code"]
        == 403
    )


def test_exact_and_the_statistics_of_a_search(api: Api) -> None:
    api.fill(5)
    body = {"query_record": {"_id": "1"}, "k": 3, "exact": True, "filter": {"n": {"$gte": 1}}}
    got = api.post("visualKNN", body, code=200)
    assert got["statistics"]["search"] == "exact"
    assert got["statistics"]["SearchTime"] >= 0
    plain = api.post("visualKNN", {**body, "exact": None}, code=200)
    assert plain["answer_records"] == got["answer_records"]
    ranked = {"query_record": {"_id": "1"}, "records": [{"_id": "2"}]}
    assert api.post("visualRankRecords", ranked, code=200)["statistics"]["search"] == "exact"
    for method in ("range", "nearDuplicates", "visualTagsKNN"):
        answer = api.post(method, {"query_record": {"_id": "1"}, "radius": 10, "exact": True}, code=200)
        assert {"search", "SearchTime", "OperationTime"} <= set(answer["statistics"])


def test_exact_must_be_true_or_false(api: Api) -> None:
    api.fill(2)
    got = api.post("visualKNN", {"query_record": {"_id": "1"}, "exact": "perhaps"}, code=402)
    assert "exact" in got["status"]["error_description"]
