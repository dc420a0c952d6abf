"""Loads that replace: what is stored is brought up to date with its source, and nothing else is touched."""

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from app.db import records
from app.domain.records import Fields
from app.services import collections, listing, reembedding
from app.services.folders import scan
from app.services.loading import load
from tests.api.conftest import Api, drawing, encoded, picture
from tests.support.exporting import lines as exported
from tests.support.replacing import counts, forget_digests, given, lines, noted, own, rows, stored


def test_only_what_changed_is_written_and_only_other_pictures_are_embedded(
    api: Api, tmp_path: Path, embedded: list[str]
) -> None:
    first = [{"_id": f"r{n}", "_base64": picture(n), "n": n, "tags": ["a"]} for n in range(6)]
    assert counts(lines(api, tmp_path, first)) == (6, 0, 0, 0)
    before = rows(api, "embedding::text, updated_at, digest")
    embedded.clear()
    second = [dict(one) for one in first]
    second[1]["_base64"] = picture(91)
    second[2]["n"] = 22
    second[3] = {"_id": "r3", "_base64": picture(93), "colour": "red"}
    del second[4]["tags"]
    second.append({"_id": "new", "_base64": picture(50)})
    assert counts(lines(api, tmp_path, second)) == (1, 2, 2, 2)
    assert sorted(embedded) == ["new", "r1", "r3"]
    assert stored(api) == {one["_id"]: {k: v for k, v in one.items() if k not in ("_id", "_base64")} for one in second}
    after = rows(api, "embedding::text, updated_at, digest")
    assert [after[i][0] == before[i][0] for i in ("r0", "r1", "r2", "r3", "r4", "r5")] == [
        True,
        False,
        True,
        False,
        True,
        True,
    ]
    assert [after[i][1] == before[i][1] for i in ("r0", "r1", "r2", "r3", "r4", "r5")] == [
        True,
        False,
        False,
        False,
        False,
        True,
    ]
    nearest = api.post("visualKNN", {"query_record": {"_base64": picture(91)}, "k": 1})
    assert nearest["answer_records"] == [{"_id": "r1"}]
    embedded.clear()
    assert counts(lines(api, tmp_path, second)) == (0, 0, 0, 7)
    assert embedded == []
    assert rows(api, "updated_at") == {one: (after[one][1],) for one in after}


def test_what_the_api_inserted_is_not_embedded_again(api: Api, tmp_path: Path, embedded: list[str]) -> None:
    api.fill(2)
    near = api.post("nearDupsInsert", {"records": [{"_id": "near", "_base64": picture(50)}]}, code=210)
    assert near["answer_count"] == 1
    source = [{"_id": str(n), "_base64": picture(n), "n": n, "price": n * 10} for n in range(2)]
    assert counts(lines(api, tmp_path, [*source, {"_id": "near", "_base64": picture(50)}])) == (0, 0, 0, 3)
    assert embedded == []


def test_a_picture_of_no_known_hash_is_compared_by_its_vector_once(
    api: Api, tmp_path: Path, embedded: list[str]
) -> None:
    api.fill(4)
    forget_digests(api)
    same = [{"_id": str(n), "_base64": picture(n), "n": n, "price": n * 10} for n in range(4)]
    same[3]["price"] = 1
    assert counts(lines(api, tmp_path, same)) == (0, 0, 1, 3)
    assert sorted(embedded) == ["0", "1", "2", "3"]
    embedded.clear()
    assert counts(lines(api, tmp_path, same)) == (0, 0, 0, 4)
    assert embedded == []


def test_pictures_boxes_and_thumbnails_follow(api: Api, tmp_path: Path) -> None:
    kept = collections.create(api.context, f"{api.collection}k", "photo", keep_images=True, thumbnails=True)
    api.collection = kept.name
    first = {"_id": "a", "_base64": picture(1), "_box": [0, 0, 80, 80]}
    lines(api, tmp_path, [first])
    thumbnail = records.thumbnail(api.context.db, own(api), "a")
    assert counts(lines(api, tmp_path, [first])) == (0, 0, 0, 1)
    assert counts(lines(api, tmp_path, [{"_id": "a", "_base64": picture(1)}])) == (0, 1, 0, 0), "another part of it"
    assert counts(lines(api, tmp_path, [{"_id": "a", "_base64": picture(2)}])) == (0, 1, 0, 0)
    assert records.original(api.context.db, own(api), "a") == base64.b64decode(picture(2))
    assert records.thumbnail(api.context.db, own(api), "a") not in (None, thumbnail)
    vector = given(api)
    assert counts(lines(api, tmp_path, [{"_id": "a", "_embedding": vector}])) == (0, 1, 0, 0)
    assert records.original(api.context.db, own(api), "a") is None, "the picture of another vector is gone"
    assert records.thumbnail(api.context.db, own(api), "a") is None
    assert counts(lines(api, tmp_path, [{"_id": "a", "_embedding": vector, "n": 1}])) == (0, 0, 1, 0)
    near = api.post("nearDupsInsert", {"records": [{"_id": "b", "_base64": picture(3)}]})
    assert near["status"]["code"] == 210


def test_a_record_that_came_as_a_vector_has_no_thumbnail_and_everything_else(api: Api, tmp_path: Path) -> None:
    assert counts(lines(api, tmp_path, [{"_id": "v", "_embedding": given(api), "n": 1}])) == (1, 0, 0, 0)
    assert records.thumbnail(api.context.db, own(api), "v") is None
    assert api.post("visualKNN", {"query_record": {"_id": "v"}, "k": 1})["answer_distances"] == [0.0]
    assert api.post("get", {"records": [{"_id": "v"}], "fields_to_return": ["*"]})["answer_records"] == [
        {"_id": "v", "n": 1}
    ]
    chosen = listing.of(own(api), Fields(everything=True), None)
    (line,) = map(json.loads, exported(api.context, chosen))
    assert (line["n"], line["_embedding"]["vector"], "_base64" in line) == (1, given(api)["vector"], False)


def test_the_model_alone_decides_on_a_near_duplicate_of_a_vector(
    api: Api, tmp_path: Path, new_collection: Callable[..., str]
) -> None:
    api.post("insert", {"records": [{"_id": "p", "_base64": picture(1)}]}, code=210)
    chosen = listing.of(own(api), Fields(everything=True), None)
    (line,) = map(json.loads, exported(api.context, chosen))
    api.collection = new_collection()
    lines(api, tmp_path, [line])
    assert records.thumbnail(api.context.db, own(api), "p") is None
    near = api.post("nearDupsInsert", {"records": [{"_id": "q", "_base64": picture(1)}]}, code=411)
    assert [one["_id"] for one in near["skipped_records"]] == ["q"]
    assert sorted(stored(api)) == ["p"]
    api.post("nearDupsInsert", {"records": [{"_id": "r", "_base64": picture(9)}]}, code=210)


def test_a_folder_is_followed_and_ids_of_earlier_versions_stay(api: Api, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    (folder / "hats").mkdir(parents=True)
    for n in range(3):
        (folder / "hats" / f"{n}.png").write_bytes(base64.b64decode(picture(n)))
    assert load(api.context, own(api), scan(folder)).stored == 3
    (folder / "hats" / "0.png").write_bytes(base64.b64decode(picture(40)))
    (folder / "hats" / "1.png").unlink()
    report = load(api.context, own(api), scan(folder), replace_stored=True, delete_missing=True)
    assert (counts(report), report.deleted) == ((0, 1, 0, 1), 1)
    assert sorted(stored(api)) == ["hats/0.png", "hats/2.png"]


def test_an_id_that_stands_twice_far_apart_is_told(api: Api, tmp_path: Path) -> None:
    source = [{"_id": f"r{n}", "_base64": picture(1)} for n in range(600)] + [{"_id": "r5", "_base64": picture(2)}]
    report = lines(api, tmp_path, source)
    assert (report.stored, [(one.place, one.reason) for one in report.failed]) == (
        600,
        [("line 601", "a record of this _id stands further above")],
    )


@pytest.mark.usefixtures("on_the_coordinator")
def test_a_change_of_the_model_under_way_makes_the_new_picture_s_vector(api: Api, tmp_path: Path) -> None:
    kept = collections.create(api.context, f"{api.collection}r", "photo", keep_images=True)
    api.collection = kept.name
    lines(api, tmp_path, [{"_id": "a", "_base64": picture(1)}, {"_id": "b", "_base64": picture(2)}])
    assert reembedding.start(api.context, own(api), "phash") is not None
    lines(api, tmp_path, [{"_id": "a", "_base64": picture(5)}, {"_id": "b", "_base64": picture(2), "n": 1}])
    assert noted(api) == {"a": True, "b": False}


def test_a_picture_that_a_vector_took_the_place_of_is_embedded_again(
    api: Api, tmp_path: Path, embedded: list[str]
) -> None:
    lines(api, tmp_path, [{"_id": "a", "_base64": picture(2)}])
    vector = rows(api, "embedding::text")
    assert counts(lines(api, tmp_path, [{"_id": "a", "_embedding": given(api)}])) == (0, 1, 0, 0)
    assert rows(api, "digest") == {"a": (None,)}, "the hash is that of the picture that the vector was made of"
    embedded.clear()
    assert counts(lines(api, tmp_path, [{"_id": "a", "_base64": picture(2)}])) == (0, 1, 0, 0)
    assert embedded == ["a"]
    assert rows(api, "embedding::text") == vector


@pytest.mark.usefixtures("on_the_coordinator")
def test_another_picture_of_the_same_vector_is_another_picture(
    api: Api, tmp_path: Path, new_collection: Callable[..., str]
) -> None:
    api.collection = new_collection(model="phash", keep_images=True)
    first, second = (encoded(drawing(1), kind) for kind in ("PNG", "BMP"))
    lines(api, tmp_path, [{"_id": "a", "_base64": first}])
    vector = rows(api, "embedding::text")
    assert reembedding.start(api.context, own(api), "efficientnet-lite0") is not None
    assert counts(lines(api, tmp_path, [{"_id": "a", "_base64": second}])) == (0, 1, 0, 0)
    assert rows(api, "embedding::text") == vector
    assert records.original(api.context.db, own(api), "a") == base64.b64decode(second)
    assert noted(api) == {"a": True}


def test_attributes_that_grow_too_long_with_what_was_made_are_told(api: Api, tmp_path: Path) -> None:
    api.post("insert", {"records": [{"_id": "a", "_base64": picture(1)}], "extract_colors": True}, code=210)
    lines(api, tmp_path, [{"_id": "a", "_base64": picture(1)}])
    before = stored(api)
    most = api.context.settings.max_attributes_bytes
    report = lines(api, tmp_path, [{"_id": "a", "_base64": picture(1), "n": "x" * (most - 30)}])
    assert counts(report) == (0, 0, 0, 0)
    assert [(one.place, one.id) for one in report.failed] == [("line 1", "a")]
    assert f"{most}" in report.failed[0].reason
    assert stored(api) == before


def test_a_vector_alone_takes_no_picture_from_the_record_whose_vector_it_is(
    api: Api, tmp_path: Path, new_collection: Callable[..., str]
) -> None:
    api.collection = new_collection(keep_images=True)
    lines(api, tmp_path, [{"_id": "a", "_base64": picture(1), "_box": [0, 0, 80, 80]}])
    chosen = listing.of(own(api), Fields(everything=True), None)
    line = json.loads(next(iter(exported(api.context, chosen, pictures="none"))))
    assert "_base64" not in line
    thumbnail = records.thumbnail(api.context.db, own(api), "a")
    assert counts(lines(api, tmp_path, [{**line, "n": 1}])) == (0, 0, 1, 0)
    assert records.original(api.context.db, own(api), "a") == base64.b64decode(picture(1))
    assert records.thumbnail(api.context.db, own(api), "a") == thumbnail
    assert counts(lines(api, tmp_path, [{"_id": "a", "_base64": picture(1), "_box": [0, 0, 80, 80], "n": 1}])) == (
        0, 0, 0, 1,
    )  # fmt: skip


@pytest.mark.parametrize("known", [True, False])
def test_what_was_made_of_a_picture_stays_while_it_stays(api: Api, tmp_path: Path, *, known: bool) -> None:
    api.post("insert", {"records": [{"_id": "a", "_base64": picture(1)}], "extract_colors": True}, code=210)
    if not known:
        forget_digests(api)
    colours = stored(api)["a"]["_colors"]
    assert counts(lines(api, tmp_path, [{"_id": "a", "_base64": picture(1), "n": 1}])) == (0, 0, 1, 0)
    assert stored(api) == {"a": {"n": 1, "_colors": colours}}
    assert counts(lines(api, tmp_path, [{"_id": "a", "_base64": picture(2), "n": 1}])) == (0, 1, 0, 0)
    assert stored(api) == {"a": {"n": 1}}
