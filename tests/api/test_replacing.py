"""Loads that replace: what is stored is brought up to date with its source, and nothing else is touched."""

import base64
import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from app.cli import cli
from app.db import collections as table
from app.db import records
from app.services import collections, reembedding
from app.services.folders import scan
from app.services.loading import Report, line_items, load
from app.services.pipeline import Pipeline
from tests.api.conftest import Api, picture

Json = dict[str, Any]


def lines(api: Api, folder: Path, records_: list[Json], *, delete_missing: bool = False) -> Report:
    """Load records as JSON lines, in the place of stored ones."""
    (folder / "in.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records_))
    items = line_items(api.context, folder / "in.jsonl")
    report = load(api.context, own(api), items, replace_stored=True, delete_missing=delete_missing)
    assert report.seen == len(records_)
    return report


def own(api: Api) -> Any:
    return table.get(api.context.db, api.collection)


def given(api: Api) -> Json:
    """Return a vector as an export writes it."""
    vector = np.eye(1, own(api).dimensions)[0].tolist()
    return {"model": own(api).model, "revision": own(api).model_revision, "vector": vector}


def counts(report: Report) -> tuple[int, int, int, int]:
    return report.stored, report.replaced, report.updated, report.present


def stored(api: Api) -> dict[str, Json]:
    got = api.post("allRecords", {"fields_to_return": ["*"]})["answer_records"]
    return {one.pop("_id"): one for one in got}


def rows(api: Api, columns: str) -> dict[str, tuple[Any, ...]]:
    with api.context.db.session() as connection:
        found = connection.execute(f"SELECT id, {columns} FROM lookalike.{own(api).records_table}".encode()).fetchall()
    return {row.pop("id"): tuple(row.values()) for row in found}


@pytest.fixture
def embedded(api: Api, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of all records whose pictures are embedded, as it happens."""
    seen: list[str] = []
    before = Pipeline.embed

    def embed(self: Pipeline, batch: Any) -> Any:
        seen.extend(one.item.id for one in batch)
        return before(self, batch)

    monkeypatch.setattr(Pipeline, "embed", embed)
    return seen


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


def test_what_the_api_inserted_is_compared_by_its_vector_once(api: Api, tmp_path: Path, embedded: list[str]) -> None:
    api.fill(4)
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


def test_what_the_source_lacks_is_deleted_but_for_what_came_meanwhile(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.fill(5)
    source = [{"_id": str(n), "_base64": picture(n), "n": n, "price": n * 10} for n in (1, 3)]
    before = Pipeline.embed

    def meanwhile(self: Pipeline, batch: Any) -> Any:
        api.post("insert", {"records": [{"_id": "late", "_base64": picture(70)}]}, code=210)
        monkeypatch.setattr(Pipeline, "embed", before)
        return before(self, batch)

    monkeypatch.setattr(Pipeline, "embed", meanwhile)
    report = lines(api, tmp_path, source, delete_missing=True)
    assert (counts(report), report.deleted, report.kept_because) == ((0, 0, 0, 2), 3, None)
    assert sorted(stored(api)) == ["1", "3", "late"]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ([{"_id": "1", "_base64": "AAAA"}], "1 of the source could not be used"),
        ([{"_id": "1", "_base64": picture(1)}, {"_base64": picture(2)}], "1 of the source could not be used"),
        ([], "the source has no record"),
    ],
)
def test_nothing_is_deleted_where_the_source_may_not_be_whole(
    api: Api, tmp_path: Path, source: list[Json], reason: str
) -> None:
    api.fill(3)
    report = lines(api, tmp_path, source, delete_missing=True)
    assert report.deleted == 0
    assert reason in str(report.kept_because)
    assert len(stored(api)) == 3


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


def test_callers_that_insert_and_delete_the_same_ids_lose_nothing(api: Api, tmp_path: Path) -> None:
    source = [{"_id": str(n), "_base64": picture(n % 7), "round": 1} for n in range(60)]
    lines(api, tmp_path, source)
    stop = threading.Event()
    wrong: list[object] = []

    def disturb(number: int) -> None:
        while not stop.is_set():
            ids = [{"_id": str(n)} for n in range(number * 20, number * 20 + 10)]
            for method, body in (
                ("delete", {"records": ids}),
                ("insert", {"records": [{**one, "_base64": picture(6), "by": "api"} for one in ids]}),
            ):
                code = api.call(method, body).get_json()["status"]["code"]
                if code >= 500:
                    wrong.append((method, code))

    callers = [threading.Thread(target=disturb, args=(n,)) for n in range(3)]
    for caller in callers:
        caller.start()
    for number in range(2, 6):
        report = lines(api, tmp_path, [{**one, "round": number} for one in source])
        assert report.failed == []
    stop.set()
    for caller in callers:
        caller.join()
    assert wrong == []
    found = stored(api)
    assert len(found) == 60
    assert all(found[str(n)] == {"round": 5} for n in range(60) if n % 20 >= 10)
    assert all(found[str(n)] in ({"round": 5}, {"by": "api"}) for n in range(60))


def test_a_change_of_the_model_under_way_makes_the_new_picture_s_vector(api: Api, tmp_path: Path) -> None:
    kept = collections.create(api.context, f"{api.collection}r", "photo", keep_images=True)
    api.collection = kept.name
    lines(api, tmp_path, [{"_id": "a", "_base64": picture(1)}, {"_id": "b", "_base64": picture(2)}])
    assert reembedding.start(api.context, own(api), "phash") is not None
    lines(api, tmp_path, [{"_id": "a", "_base64": picture(5)}, {"_id": "b", "_base64": picture(2), "n": 1}])
    with api.context.db.session() as connection:
        notes = connection.execute(
            "SELECT id, bool_or(new_picture) AS new FROM lookalike.reembedding_changes"
            " WHERE collection_id = %s GROUP BY id",
            (kept.id,),
        ).fetchall()
    assert {row["id"]: row["new"] for row in notes} == {"a": True, "b": False}


def test_the_command_says_what_it_did_and_refuses_half_an_order(api: Api, tmp_path: Path) -> None:
    file = tmp_path / "in.jsonl"
    file.write_text(json.dumps({"_id": "a", "_base64": picture(1)}) + "\n")
    environment = {"DATABASE_URL": api.context.db.url, "LOOKALIKE_HOME": str(tmp_path)}
    half = CliRunner().invoke(cli, ["load", api.collection, str(file), "--delete-missing"], env=environment)
    assert half.exit_code == 2
    assert "--delete-missing needs --replace" in half.stderr
    command = ["load", api.collection, str(file), "--replace", "--delete-missing"]
    api.fill(2)
    done = CliRunner().invoke(cli, command, env=environment)
    assert done.exit_code == 0, done.output
    assert (
        "1 seen: 1 stored, 0 have another picture now, 0 other attributes, 0 were so already, 0 skipped" in done.stdout
    )
    assert "2 that the source does not have were deleted" in done.stdout
    file.write_text("no line\n")
    broken = CliRunner().invoke(cli, command, env=environment)
    assert broken.exit_code == 1
    assert "nothing was deleted: 1 of the source could not be used" in broken.stderr
    assert sorted(stored(api)) == ["a"]
