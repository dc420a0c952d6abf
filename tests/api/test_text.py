"""Text queries: `_text_data` in every method that takes a query record, and the method `text`."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from app.domain.tags import jaccard_distance
from app.services.context import Context
from app.services.texts import MAX_CHARACTERS
from tests.api.conftest import Api, drawing, picture, with_collection
from tests.support.answers import ids
from tests.textmodels import FAMILIES, SCALE, ByHand, save

Json = dict[str, Any]
RECORDS = 12
CLOSE: Any = {"abs": 0.03}  # stored vectors are of half precision
RED = {"_text_data": "a red summer dress"}
BLUE = {"_text_data": "blue shoe"}
SEARCHES: dict[str, Callable[[Json], Json]] = {
    "visualKNN": lambda record: {"query_record": record},
    "text": lambda record: {"query_record": record},
    "visualTagsKNN": lambda record: {"query_record": record},
    "range": lambda record: {"query_record": record, "radius": 1000},
    "nearDuplicates": lambda record: {"query_record": record, "radius": 1000},
    "visualKNNMulti": lambda record: {"query_records": [record]},
    "visualTagsKNNMulti": lambda record: {"query_records": [record]},
    "visualRankRecords": lambda record: {"query_record": record, "records": [{"_id": str(n)} for n in range(RECORDS)]},
    "visualTagsRankRecords": lambda record: {
        "query_record": record,
        "records": [{"_id": str(n)} for n in range(RECORDS)],
    },
}


@pytest.fixture(scope="session", params=FAMILIES)
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ByHand]:
    folder = save(tmp_path_factory.mktemp("model"), request.param)
    return folder, ByHand(folder, request.param)


def fill(api: Api) -> Api:
    """Insert twelve pictures."""
    for start in range(0, RECORDS, 10):
        records = [
            {"_id": str(n), "_base64": picture(n), "n": n, "product": n % 4, "tags": [["red", "blue"][n % 2]]}
            for n in range(start, min(start + 10, RECORDS))
        ]
        api.post("insert", {"records": records}, code=210)
    return api


@pytest.fixture(scope="session")
def worded(app_context: tuple[FlaskClient, Context], checkpoint: tuple[Path, ByHand]) -> Api:
    """A collection whose model knows texts, with twelve pictures, for tests that only read."""
    return fill(with_collection(app_context, str(checkpoint[0])))


@pytest.fixture
def written(api: Api, new_collection: Callable[..., str], checkpoint: tuple[Path, ByHand]) -> Api:
    """The same, for a test that writes."""
    api.collection = new_collection(model=str(checkpoint[0]))
    return fill(api)


@pytest.fixture(scope="session")
def far(checkpoint: tuple[Path, ByHand]) -> Callable[[str], dict[str, float]]:
    """The distance of each record to a text, computed with transformers alone."""
    hand = checkpoint[1]
    rows = hand.pictures(*(drawing(n) for n in range(RECORDS)))
    return lambda text: {str(n): SCALE * (1 - float(rows[n] @ hand.texts(text)[0])) for n in range(RECORDS)}


def agree(got: Json, wanted: dict[str, float]) -> None:
    assert got["answer_distances"] == pytest.approx(sorted(wanted.values())[: len(ids(got))], **CLOSE)
    assert [wanted[own] for own in ids(got)] == pytest.approx(got["answer_distances"], **CLOSE)


@pytest.mark.parametrize("method", SEARCHES)
def test_the_distances_are_those_of_transformers_by_hand(
    worded: Api, far: Callable[[str], dict[str, float]], method: str
) -> None:
    for query in (RED, BLUE):
        wanted = far(query["_text_data"])
        got = worded.post(method, SEARCHES[method](query), code=200)
        assert got["answer_count"] == RECORDS
        assert got["query_records"] == [query]
        agree(got, wanted)
    assert max(wanted.values()) - min(wanted.values()) > 1, "the model tells the pictures apart"


def test_windows_radii_filters_and_products(worded: Api, far: Callable[[str], dict[str, float]]) -> None:
    wanted = far(RED["_text_data"])
    order = sorted(wanted, key=lambda own: wanted[own])
    got = worded.post("text", {"query_record": RED, "k": 3, "from": 2, "fields_to_return": ["n"]}, code=200)
    assert [record["n"] for record in got["answer_records"]] == [int(own) for own in order[2:5]]
    radius = wanted[order[4]] + 0.05
    for method in ("visualKNN", "range"):
        assert set(order[:5]) <= set(ids(worded.post(method, {"query_record": RED, "radius": radius}, code=200)))
    got = worded.post("text", {"query_record": RED, "filter": {"n": {"$gte": 6}}}, code=200)
    agree(got, {own: value for own, value in wanted.items() if int(own) >= 6})
    got = worded.post("text", {"query_record": RED, "product_field": "product"}, code=200)
    nearest = [min(range(product, RECORDS, 4), key=lambda n: wanted[str(n)]) for product in range(4)]
    agree(got, {str(n): wanted[str(n)] for n in nearest})
    assert sorted(ids(got)) == sorted(str(n) for n in nearest)
    query = {**RED, "n": 3}
    taken = worded.post("visualKNN", {"query_record": query, "filter": {"n": "{TAKE_FROM_QUERY}"}}, code=200)
    assert ids(taken) == ["3"]


@pytest.mark.parametrize("method", SEARCHES)
def test_a_text_and_a_picture_are_one_query(worded: Api, checkpoint: tuple[Path, ByHand], method: str) -> None:
    rows = checkpoint[1].pictures(*(drawing(n) for n in range(RECORDS)))
    words = checkpoint[1].texts(RED["_text_data"])[0]
    for weight, beside, own in ((None, {"_id": "3"}, 3), (0.8, {"_base64": picture(5)}, 5), (0, {"_id": "3"}, 3)):
        share = 0.5 if weight is None else weight
        both = share * words + (1 - share) * rows[own]
        wanted = {str(n): SCALE * (1 - float(rows[n] @ both) / float(np.linalg.norm(both))) for n in range(RECORDS)}
        body = {
            **SEARCHES[method]({**RED, **beside, "_text_weight": weight}),
            **({"tags_weight": 0} if "Tags" in method else {}),
        }
        agree(worded.post(method, body, code=200), wanted)


@pytest.mark.parametrize(("name", "function"), [("mean", np.mean), ("min", np.min), ("max", np.max)])
def test_texts_pictures_and_ids_mixed(
    worded: Api, checkpoint: tuple[Path, ByHand], far: Callable[[str], dict[str, float]], name: str, function: Any
) -> None:
    rows = checkpoint[1].pictures(*(drawing(n) for n in range(RECORDS)))
    to = [far(RED["_text_data"]), far(BLUE["_text_data"])]
    to += [{str(n): SCALE * (1 - float(rows[n] @ rows[own])) for n in range(RECORDS)} for own in (3, 5)]
    wanted = {own: float(function([one[own] for one in to])) for own in to[0]}
    queries = [RED, BLUE, {"_id": "3"}, {"_base64": picture(5)}]
    got = worded.post("visualKNNMulti", {"query_records": queries, "aggregation": name}, code=200)
    agree(got, wanted)


def test_a_text_with_tags(worded: Api, far: Callable[[str], dict[str, float]]) -> None:
    looks = far(RED["_text_data"])
    wanted = {
        own: 0.6 * value + 0.4 * SCALE * jaccard_distance(["red"], [["red", "blue"][int(own) % 2]])
        for own, value in looks.items()
    }
    for method in ("visualTagsKNN", "visualTagsRankRecords"):
        body = {**SEARCHES[method]({**RED, "tags": ["red"]}), "tags_weight": 0.4}
        agree(worded.post(method, body, code=200), wanted)


def test_text_and_pictures_at_once_get_their_own_answers(worded: Api) -> None:
    queries = [RED, BLUE, {"_base64": picture(4)}, {"_text_data": "a photo of a plain striped leather shoe"}]
    alone = [worded.post("visualKNN", {"query_record": query}, code=200)["answer_distances"] for query in queries]
    applications = worded.client.application

    def ask(number: int) -> list[float]:
        own = Api(applications.test_client(), worded.context, worded.collection, worded.token)
        answer = own.post("visualKNN", {"query_record": queries[number % 4]}, code=200)
        return list(answer["answer_distances"])

    with ThreadPoolExecutor(8) as pool:
        for number, distances in enumerate(pool.map(ask, range(64))):
            assert distances == pytest.approx(alone[number % 4], abs=1e-3)


WRONG: dict[str, tuple[Json, str]] = {
    "empty": ({"_text_data": ""}, "empty"),
    "blank": ({"_text_data": " \t\n"}, "empty"),
    "number": ({"_text_data": 5}, "must be a string"),
    "list": ({"_text_data": ["red dress"]}, "must be a string"),
    "false": ({"_text_data": False}, "must be a string"),
    "too many characters": ({"_text_data": "red " * 600}, f"{MAX_CHARACTERS} characters at most; it has 2400"),
    "too many tokens": ({"_text_data": "red " * 30}, "has 32 tokens"),
    "with an id that is not stored": ({**RED, "_id": "none"}, "none"),
    "with a broken picture": ({**RED, "_base64": "AAAA"}, "this is not a picture"),
    "with a box": ({**RED, "_box": [0, 0, 1, 1]}, "_box is a part of a picture"),
    "a weight and no picture": ({**RED, "_text_weight": 0.5}, "_text_weight weighs _text_data against a picture"),
    "a weight and no text": ({"_id": "1", "_text_weight": 0.5}, "_text_data"),
    "a weight beyond 1": ({**RED, "_id": "1", "_text_weight": 1.5}, "_text_weight must be a number from 0"),
    "a weight in words": ({**RED, "_id": "1", "_text_weight": "half"}, "_text_weight must be a number from 0"),
}


@pytest.mark.parametrize("method", SEARCHES)
def test_diff_a_text_that_cannot_be_used_is_a_wrong_query_record(worded: Api, method: str) -> None:
    for record, said in WRONG.values():
        answer = worded.call(method, SEARCHES[method](record))
        status = answer.get_json()["status"]
        assert (answer.status_code, status["code"], status["text"]) == (422, 403, "wrong query record"), record
        assert said in status["error_description"]
    assert worded.post(method, SEARCHES[method]({**RED, "_id": None, "_url": None}), code=200)["answer_count"] > 0


def test_the_bad_text_of_several_is_named(worded: Api) -> None:
    got = worded.post("visualKNNMulti", {"query_records": [RED, {"_text_data": ""}]}, code=403)
    assert got["status"]["error_description"].startswith("query_records[1]: _text_data is empty")


@pytest.mark.parametrize("text", ["half\ud800", "nul\x00"])
def test_a_text_of_no_characters_is_refused(api: Api, text: str) -> None:
    answer = api.call("visualKNN", {"query_record": {"_text_data": text}})
    assert (answer.status_code, answer.get_json()["status"]["code"]) == (400, 402)


@pytest.mark.parametrize("text", ["<eos> <pad> <bos>", "'; DROP TABLE lookalike.records; --", "🧥 ünïcode", "%s"])
def test_odd_texts_are_texts(worded: Api, text: str) -> None:
    assert worded.post("text", {"query_record": {"_text_data": text}}, code=200)["answer_count"] == RECORDS


@pytest.mark.parametrize("method", SEARCHES)
def test_diff_a_model_of_pictures_says_so_and_which_would_know_texts(api: Api, method: str) -> None:
    api.fill(2)
    got = api.post(method, SEARCHES[method](RED), code=403)
    said = got["status"]["error_description"]
    assert "the model 'efficientnet-lite0' knows pictures only" in said
    assert "CLIP, SigLIP" in said
    api.post("visualKNN", {"query_record": {"_id": "0"}}, code=200)


def test_the_method_text_wants_a_text(worded: Api) -> None:
    for record in ({"_id": "1"}, {"_base64": picture(1)}, {}, {"_text_data": None}):
        got = worded.post("text", {"query_record": record}, code=403)
        assert "_text_data" in got["status"]["error_description"]
    assert "query_record" in worded.post("text", {"_text_data": "red"}, code=402)["status"]["error_description"]


@pytest.mark.parametrize("service", ["photo", "products", "fashion", "homedecor"])
def test_diff_the_method_text_answers_under_its_path_and_the_services_own(
    api: Api, new_collection: Callable[..., str], checkpoint: tuple[Path, ByHand], service: str
) -> None:
    api.collection = new_collection(service=service, model=str(checkpoint[0]))
    api.prefix = f"similarity/text/{service}"
    api.post("insert", {"records": [{"_id": "1", "_base64": picture(1)}]}, code=210)
    wanted = api.post("text", {"query_record": RED}, code=200)
    assert ids(wanted) == ["1"]
    headers = {"Authorization": f"Token {api.token}", "collection-id": api.collection}
    bare = api.client.post("/v2/text", json={"query_record": RED}, headers=headers).get_json()
    assert bare["answer_distances"] == wanted["answer_distances"]
    api.prefix = "similarity/text/photo" if service != "photo" else "similarity/text/fashion"
    answer = api.call("text", {"query_record": RED})
    assert answer.status_code == 400
    assert "belongs to the service" in answer.get_json()["status"]["error_description"]


@pytest.mark.parametrize("method", ["insert", "nearDupsInsert"])
def test_diff_a_record_with_a_text_is_not_stored(written: Api, method: str) -> None:
    records = [{"_id": "written", **RED}, {"_id": "both", "_base64": picture(70), **RED}]
    got = written.post(method, {"records": [*records, {"_id": "good", "_base64": picture(71), "_text_data": None}]})
    assert got["status"]["code"] == 211
    assert ids(got) == ["good"]
    assert "_text_data" not in written.post("get", {"records": [{"_id": "good"}]}, code=205)["answer_records"][0]
    for skipped in got["skipped_records"]:
        assert skipped["_reason"]["status"]["code"] == 402
        assert "_text_data is for query records" in skipped["_reason"]["status"]["error_description"]


def test_a_text_is_no_attribute_and_nothing_to_rank(written: Api) -> None:
    got = written.post("update", {"records": [{"_id": "1", **RED}, {"_id": "2", "seen": True}]}, code=206)
    assert ids(got) == ["2"]
    assert "_text_data" in got["skipped_records"][0]["_reason"]["status"]["error_description"]
    got = written.post("visualRankRecords", {"query_record": RED, "records": [BLUE, {"_id": "2"}]}, code=213)
    assert ids(got) == ["2"]
    assert "_text_data is for the query record" in got["skipped_records"][0]["_reason"]["status"]["error_description"]
