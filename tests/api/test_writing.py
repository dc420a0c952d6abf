"""insert with a mode, and upsert: what is stored afterwards, what is refused, and callers beside each other."""

import itertools
import random
import threading
from collections.abc import Callable
from typing import Any

import pytest

from app.embedding.models.batching import BatchedEmbedder
from app.services import inserting, vectors
from tests.api.conftest import Api, picture
from tests.support.replacing import own, rows, stored

Json = dict[str, Any]
_COLUMNS = "attributes, embedding::text, digest"


def written(got: Json) -> tuple[int, int, int, int]:
    """Return how many records of an answer were inserted, replaced, updated, and so already."""
    told = got["statistics"]["written"]
    return told["inserted"], told["replaced"], told["updated"], told["unchanged"]


def whole(api: Api) -> dict[str, tuple[Any, ...]]:
    """Return everything that is stored of each record but its times."""
    kept: dict[str, list[Any]] = {own_: list(row) for own_, row in rows(api, _COLUMNS).items()}
    with api.context.db.session() as connection:
        for name, columns in (("thumbnails", "md5(webp)"), ("originals", "concat_ws(' ', md5(picture), box::text)")):
            found = connection.execute(f"SELECT id, {columns} AS it FROM lookalike.{name}_{own(api).id}".encode())
            there = {row["id"]: row["it"] for row in found}
            assert there.keys() <= kept.keys()
            for record_id, row in kept.items():
                row.append(there.get(record_id))
    return {record_id: tuple(row) for record_id, row in kept.items()}


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pictures went through a model, call by call."""
    calls: list[int] = []
    before = BatchedEmbedder.embed

    def embed(self: BatchedEmbedder, pictures: Any) -> Any:
        calls.extend([len(pictures)] if pictures else [])
        return before(self, pictures)

    monkeypatch.setattr(BatchedEmbedder, "embed", embed)
    return calls


@pytest.mark.parametrize(("method", "more"), [("upsert", {}), ("insert", {"mode": "upsert"})])
def test_a_record_is_as_if_it_had_been_inserted_so(
    api: Api, new_collection: Callable[..., str], method: str, more: Json
) -> None:
    fresh = [
        {"_id": "a", "_base64": picture(21), "price": 5, "_box": [0, 0, 90, 90]},
        {"_id": "b", "_base64": picture(22), "tags": ["x"]},
        {"_id": "c", "_base64": picture(3)},
        {"_id": "new", "_base64": picture(24), "n": 4},
    ]
    api.collection = new_collection(keep_images=True)
    api.post("insert", {"records": fresh}, code=210)
    wanted = whole(api)
    api.collection = new_collection(keep_images=True)
    before = [
        {"_id": "a", "_base64": picture(1), "old": 1},
        {"_id": "b", "_base64": picture(2), "_box": [0, 0, 50, 50]},
        {"_id": "c", "_base64": picture(3), "old": 3},
    ]
    api.post("insert", {"records": before}, code=210)
    times = rows(api, "created_at, updated_at")
    got = api.post(method, {"records": fresh, "fields_to_return": ["*"], **more}, code=210)
    assert whole(api) == wanted
    assert written(got) == (1, 2, 1, 0)
    assert [one["_id"] for one in got["answer_records"]] == ["a", "b", "c", "new"]
    assert got["answer_records"][0] == {"_id": "a", "price": 5}
    now = rows(api, "created_at, updated_at")
    assert all(now[one][0] == times[one][0] for one in times)
    assert all(now[one][1] > times[one][1] for one in times)
    nearest = api.post("visualKNN", {"query_record": {"_base64": picture(22)}, "k": 1})
    assert (nearest["answer_records"], nearest["answer_distances"]) == ([{"_id": "b"}], [0.0])
    assert written(api.post(method, {"records": fresh, **more}, code=210)) == (0, 0, 0, 4)
    assert rows(api, "updated_at") == {one: (row[1],) for one, row in now.items()}


def test_a_picture_that_is_stored_already_goes_through_no_model(api: Api, seen: list[int]) -> None:
    records = [{"_id": str(n), "_base64": picture(30 + n), "n": n} for n in range(3)]
    api.post("upsert", {"records": records}, code=210)
    api.context.vector_cache._stored.clear()
    seen.clear()
    records[2] |= {"_box": [0, 0, 70, 70]}
    got = api.post("upsert", {"records": [{**one, "n": 9} for one in records]}, code=210)
    assert written(got) == (0, 1, 2, 0)
    assert seen == [1]


def test_what_was_made_of_a_picture_stays_while_the_picture_does(api: Api) -> None:
    record: Json = {"_id": "a", "_base64": picture(1), "n": 1}
    api.post("upsert", {"records": [record], "extract_colors": True}, code=210)
    colours = stored(api)["a"]["_colors"]
    got = api.post("upsert", {"records": [record | {"n": 2}], "fields_to_return": ["*"]}, code=210)
    assert got["answer_records"] == [{"_id": "a", "n": 2, "_colors": colours}], "as it is stored"
    api.post("upsert", {"records": [record | {"_base64": picture(2)}]}, code=210)
    assert stored(api) == {"a": {"n": 1}}


def test_update_replaces_what_is_there_and_skips_what_is_not(api: Api) -> None:
    api.fill(2)
    records = [{"_id": "1", "_base64": picture(9)}, {"_id": "nobody", "_base64": picture(8)}]
    got = api.post("insert", {"records": records, "mode": "update"}, code=211)
    assert (got["answer_records"], written(got)) == ([{"_id": "1"}], (0, 1, 0, 0))
    assert got["skipped_records"] == [
        {"_id": "nobody", "_reason": {"status": {"code": 404, "text": "records not found"}}}
    ]
    assert stored(api) == {"0": {"n": 0, "price": 0}, "1": {}}
    answer = api.call("insert", {"records": records[1:], "mode": "update"})
    assert (answer.status_code, answer.get_json()["status"]["code"]) == (404, 404)


def test_update_of_a_record_that_is_deleted_meanwhile_stores_nothing(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.fill(1)
    before = vectors.read_pictures

    def meanwhile(*given: Any) -> Any:
        api.post("delete", {"records": [{"_id": "0"}]}, code=220)
        return before(*given)

    monkeypatch.setattr(inserting, "read_pictures", meanwhile)
    body = {"records": [{"_id": "0", "_base64": picture(0)}], "mode": "update"}
    assert api.post("insert", body, code=404)["statistics"]["written"]["unchanged"] == 0
    assert stored(api) == {}


@pytest.mark.parametrize("mode", ["replace", "Upsert", "", 1, True, ["upsert"], {}])
def test_another_mode_is_refused(api: Api, mode: object) -> None:
    api.fill(1)
    for method in ("insert", "nearDupsInsert"):
        got = api.post(method, {"records": [{"_id": "0", "_base64": picture(5)}], "mode": mode}, code=402)
        assert got["status"]["error_description"] == "mode: input should be 'insert', 'update' or 'upsert'"
    assert stored(api) == {"0": {"n": 0, "price": 0}}


@pytest.mark.parametrize("mode", [None, "insert"])
def test_insert_is_the_mode_where_none_is_given(api: Api, mode: str | None) -> None:
    api.fill(1)
    got = api.post("insert", {"records": [{"_id": "0", "_base64": picture(5)}], "mode": mode}, code=411)
    assert "written" not in got["statistics"]
    assert stored(api) == {"0": {"n": 0, "price": 0}}


_BAD: list[tuple[Any, str]] = [
    ({"_id": "0"}, "_base64"),
    ({"_id": "0", "_base64": "AAAA"}, "not a picture"),
    ({"_id": "0", "_base64": picture(1), "$set": {"n": 1}}, "begins with $"),
    ({"_id": "0", "_base64": picture(1), "a.b": 1}, "dot"),
    ({"_id": "0", "_base64": picture(1), "_box": [0, 0, 9999, 9]}, "_box"),
    ({"_id": "0", "_base64": picture(1), "_text_data": "red"}, "_text_data"),
    ({"_id": "", "_base64": picture(1)}, "_id"),
    ({"_id": 7, "_base64": picture(1)}, "_id"),
    ([], "JSON object"),
]


@pytest.mark.parametrize(("bad", "word"), _BAD)
def test_a_record_that_cannot_be_used_leaves_the_stored_one(api: Api, bad: Any, word: str) -> None:
    api.fill(2)
    before = whole(api)
    good = {"_id": "1", "_base64": picture(1), "n": 1, "price": 10}
    got = api.post("upsert", {"records": [bad, good]}, code=211)
    (skipped,) = got["skipped_records"]
    assert skipped["_reason"]["status"]["code"] == 402
    assert word in skipped["_reason"]["status"]["error_description"]
    assert written(got) == (0, 0, 0, 1)
    assert whole(api) == before
    api.post("upsert", {"records": [bad]}, code=402)


def test_an_id_twice_in_a_request_is_written_once(api: Api) -> None:
    api.fill(1)
    records = [{"_id": "0", "_base64": picture(1), "n": n} for n in (1, 2)]
    got = api.post("upsert", {"records": records}, code=211)
    assert [one["_reason"]["status"]["code"] for one in got["skipped_records"]] == [211]
    assert (stored(api), written(got)) == ({"0": {"n": 1}}, (0, 1, 0, 0))


def test_a_record_without_an_id_gets_one(api: Api) -> None:
    got = api.post("upsert", {"records": [{"_base64": picture(1)}, {"_base64": picture(1)}]}, code=210)
    assert len({one["_id"] for one in got["answer_records"]} | stored(api).keys()) == 2


@pytest.mark.parametrize("number", [0, 11])
def test_a_request_has_one_to_ten_records(api: Api, number: int) -> None:
    got = api.post("upsert", {"records": [{"_id": str(n), "_base64": picture(1)} for n in range(number)]}, code=402)
    assert "1 to 10 records" in got["status"]["error_description"]
    assert stored(api) == {}


def test_a_full_collection_takes_replacements_and_nothing_new(api: Api, new_collection: Callable[..., str]) -> None:
    api.collection = new_collection(capacity=2)
    api.fill(2)
    before = whole(api)
    records = [{"_id": one, "_base64": picture(7)} for one in ("1", "2")]
    api.post("upsert", {"records": records}, code=412)
    assert whole(api) == before
    assert written(api.post("upsert", {"records": records[:1]}, code=210)) == (0, 1, 0, 0)


def test_what_the_database_refuses_is_skipped_alone(api: Api) -> None:
    api.fill(4)
    refuse_minus_one(api)
    records = [{"_id": str(n), "_base64": picture(n), "n": -1 if n in (1, 4) else n + 10} for n in range(6)]
    got = api.post("upsert", {"records": records}, code=211)
    assert sorted(one["_id"] for one in got["skipped_records"]) == ["1", "4"]
    assert {one["_reason"]["status"]["code"] for one in got["skipped_records"]} == {402}
    assert written(got) == (1, 0, 3, 0)
    assert {one: there["n"] for one, there in stored(api).items()} == {"0": 10, "1": 1, "2": 12, "3": 13, "5": 15}


def test_attributes_and_what_was_made_of_the_picture_have_a_limit_together(api: Api) -> None:
    limit = api.context.settings.max_attributes_bytes
    record = {"_id": "a", "_base64": picture(1)}
    api.post("upsert", {"records": [record], "extract_colors": True}, code=210)
    before = stored(api)
    got = api.post("upsert", {"records": [record | {"text": "x" * (limit - 20)}]}, code=402)
    assert f"more than {limit} bytes together" in got["skipped_records"][0]["_reason"]["status"]["error_description"]
    assert stored(api) == before


def test_near_duplicates_are_refused_but_for_the_record_itself(api: Api) -> None:
    first = [{"_id": "a", "_base64": picture(1)}, {"_id": "b", "_base64": picture(2)}]
    api.post("nearDupsInsert", {"records": first, "mode": "upsert"}, code=210)
    again = api.post("nearDupsInsert", {"records": [first[0] | {"n": 1}], "mode": "upsert"}, code=210)
    assert written(again) == (0, 0, 1, 0)
    got = api.post("nearDupsInsert", {"records": [{"_id": "b", "_base64": picture(1)}], "mode": "upsert"}, code=411)
    (skipped,) = got["skipped_records"]
    assert [one["_id"] for one in skipped["_reason"]["answer_records"]] == ["a"]
    # The picture of a goes to b: a shows another by then, but only if it comes first.
    swap = [{"_id": "a", "_base64": picture(3)}, {"_id": "b", "_base64": picture(1)}]
    turned = api.post("nearDupsInsert", {"records": swap[::-1], "mode": "upsert"}, code=211)
    assert [one["_id"] for one in turned["skipped_records"]] == ["b"]
    assert written(api.post("nearDupsInsert", {"records": swap, "mode": "upsert"}, code=210)) == (0, 1, 0, 1)
    missing = {"records": [{"_id": "c", "_base64": picture(5)}], "mode": "update"}
    api.post("nearDupsInsert", missing, code=404)
    assert sorted(stored(api)) == ["a", "b"]


def test_a_near_duplicate_of_what_the_database_did_not_let_go_is_refused(api: Api) -> None:
    api.post("insert", {"records": [{"_id": "a", "_base64": picture(1), "n": 1}]}, code=210)
    refuse_minus_one(api)
    records = [{"_id": "a", "_base64": picture(3), "n": -1}, {"_id": "b", "_base64": picture(1)}]
    got = api.post("nearDupsInsert", {"records": records, "mode": "upsert"}, code=402)
    assert {one["_id"]: one["_reason"]["status"]["code"] for one in got["skipped_records"]} == {"a": 402, "b": 211}
    assert stored(api) == {"a": {"n": 1}}


def test_a_token_to_read_may_not_upsert(api: Api, new_token: Callable[..., str]) -> None:
    answer = api.call("upsert", {"records": [{"_base64": picture(1)}]}, Authorization=f"Token {new_token('read')}")
    assert (answer.status_code, stored(api)) == (403, {})


def refuse_minus_one(api: Api) -> None:
    """Have the database refuse records whose n is -1."""
    with api.context.db.session() as connection:
        connection.execute(
            f"ALTER TABLE lookalike.{own(api).records_table} ADD CHECK (attributes->>'n' <> '-1')".encode()
        )


_SHARED = [f"s{n}" for n in range(8)]


def upserting(api: Api, number: int, problems: list[object]) -> None:
    """Write shared records in any order with one of the caller's own, which must be there once it is told so."""
    turn = random.Random(number)
    for step in range(15):
        mine = {"_id": f"m{number}-{step % 3}", "_base64": picture(60 + number), "by": number, "step": step}
        shared: Json = {"_base64": picture(50 + number), "by": number}
        others = [{"_id": one, "n": -1 if turn.random() < 0.1 else step, **shared} for one in turn.sample(_SHARED, 5)]
        body: Json = {"records": [mine, *others], "mode": "upsert"}
        turn.shuffle(body["records"])
        if step % 5 == 4:
            body = {"records": [mine], "mode": "upsert", "radius": 0.0}
        got = api.post("nearDupsInsert" if "radius" in body else "insert", body)
        refused = {one["_id"] for one in got.get("skipped_records", [])}
        if refused != {one["_id"] for one in body["records"] if one.get("n") == -1} and "radius" not in body:
            problems.append(got)
        if got["status"]["code"] not in (210, 211):
            problems.extend([] if "radius" in body and got["status"]["code"] == 411 else [got])
            continue
        there = api.post("get", {"records": [{"_id": mine["_id"]}]})["answer_records"]
        if there != [{"_id": mine["_id"], "by": number, "step": step}]:
            problems.append((there, mine["_id"], step))


def disturbing(api: Api, number: int, problems: list[object]) -> None:
    """Delete shared records, and insert them again."""
    turn = random.Random(number)
    for _ in range(30):
        ids = [{"_id": one} for one in turn.sample(_SHARED, 5)]
        code = api.post("delete", {"records": ids})["status"]["code"]
        again = [{**one, "_base64": picture(49), "by": -1} for one in ids]
        codes = code, api.post("insert", {"records": again})["status"]["code"]
        if max(codes) >= 500:
            problems.append(codes)


def at_once(work: Callable[..., None], *arguments: tuple[Any, ...]) -> list[threading.Thread]:
    threads = [threading.Thread(target=work, args=given) for given in arguments]
    for thread in threads:
        thread.start()
    return threads


def test_callers_that_upsert_and_delete_the_same_ids_lose_nothing(api: Api) -> None:
    refuse_minus_one(api)
    problems: list[object] = []
    threads = at_once(upserting, *((api, number, problems) for number in range(3)))
    threads += at_once(disturbing, *((api, number, problems) for number in range(2)))
    for thread in threads:
        thread.join()
    assert problems == []
    vectors_ = rows(api, "embedding::text, digest")
    pictures: dict[int, set[Any]] = {}
    for record_id, attributes in stored(api).items():
        if record_id in _SHARED:
            pictures.setdefault(attributes["by"], set()).add(vectors_[record_id])
    assert all(len(found) == 1 for found in pictures.values()), "attributes and picture are of one writer"
    last = [{"_id": one, "_base64": picture(70)} for one in _SHARED]
    api.post("upsert", {"records": last}, code=210)
    assert all(stored(api)[one] == {} for one in _SHARED)


def test_two_that_lock_in_opposite_orders_wait_for_nobody(api: Api) -> None:
    """One inserts what the other has locked, and the other way round, with records that the database refuses."""
    refuse_minus_one(api)
    codes: list[int] = []
    rounds = itertools.count()

    def upsert(part: int) -> None:
        for _ in range(12):
            step = next(rounds)
            ids = [f"x{n}" for n in range(8)]
            records = [{"_id": one, "_base64": picture(1 + part), "n": step} for one in ids]
            records[step % 8]["n"] = -1
            codes.append(api.post("upsert", {"records": records})["status"]["code"])
            api.post("delete", {"records": [{"_id": one} for one in ids[part::2]]})

    for thread in at_once(upsert, (0,), (1,)):
        thread.join()
    assert set(codes) == {211}, codes
