"""What an export writes, a load stores again: attributes, boxes, kept pictures, and the very vectors."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest

from app.db import collections as table
from app.domain.records import Fields
from app.services import listing
from app.services.loading import LoadReport, line_items, load
from tests.api.conftest import Api, picture
from tests.support.exporting import lines


def _exported(api: Api, name: str, filter_: Any = None, **parts: Any) -> list[dict[str, Any]]:
    chosen = listing.of(table.get(api.context.db, name), Fields(everything=True), filter_)
    return [json.loads(line) for line in lines(api.context, chosen, **parts)]


def _load(api: Api, name: str, folder: Path, records: list[dict[str, Any]]) -> LoadReport:
    (folder / "in.jsonl").write_text("\n".join(map(json.dumps, records)))
    return load(api.context, table.get(api.context.db, name), line_items(api.context, folder / "in.jsonl"))


def _rows(api: Api, name: str) -> list[tuple[Any, ...]]:
    own = table.get(api.context.db, name)
    with psycopg.connect(api.context.db.url) as connection:
        return connection.execute(
            "SELECT r.id, r.attributes, r.embedding::text, o.picture, o.box, t.webp"
            f" FROM lookalike.{own.records_table} AS r LEFT JOIN lookalike.originals_{own.id} AS o USING (id)"
            f" LEFT JOIN lookalike.thumbnails_{own.id} AS t USING (id) ORDER BY r.id"
        ).fetchall()


@pytest.fixture
def source(api: Api, new_collection: Callable[..., str]) -> str:
    api.collection = new_collection(keep_images=True)
    records = [
        {"_id": "plain", "_base64": picture(1), "price": 1.5, "tags": ["a", "ä"], "o": {"p": None}},
        {"_id": "cut", "_base64": picture(2), "_box": [10, 20, 90, 100], "n": 2},
        {"_id": "no attributes", "_base64": picture(3)},
    ]
    api.post("insert", {"records": records}, code=210)
    return api.collection


def test_a_collection_that_keeps_its_pictures_is_made_again_whole(
    api: Api, source: str, tmp_path: Path, new_collection: Callable[..., str]
) -> None:
    copy = new_collection(keep_images=True)
    report = _load(api, copy, tmp_path, _exported(api, source))
    assert (report.stored, report.seen) == (3, 3)
    assert _rows(api, copy) == _rows(api, source)
    assert _exported(api, copy) == _exported(api, source)


def test_without_pictures_the_vectors_are_taken_as_they_are(
    api: Api, source: str, tmp_path: Path, new_collection: Callable[..., str]
) -> None:
    copy = new_collection()
    exported = _exported(api, source, pictures="none")
    assert not any("_base64" in record for record in exported)
    exported[0]["_url"] = "http://nowhere.invalid/1.jpg"  # which is not asked for
    assert _load(api, copy, tmp_path, exported).stored == 3
    assert [row[2] for row in _rows(api, copy)] == [row[2] for row in _rows(api, source)]
    assert [row[4] for row in _rows(api, copy)] == [[10, 20, 90, 100], None, None]


def test_another_model_makes_vectors_of_its_own(
    api: Api, source: str, tmp_path: Path, new_collection: Callable[..., str]
) -> None:
    other = new_collection(model="pixels")
    assert _load(api, other, tmp_path, _exported(api, source)).stored == 3
    missing = _load(api, new_collection(model="pixels"), tmp_path, _exported(api, source, pictures="none"))
    assert missing.stored == 0
    assert "no picture" in missing.failed[0].reason
    assert "_embedding is of another model" in missing.failed[0].reason


def test_an_export_may_leave_out_vectors_and_other_records(api: Api, source: str) -> None:
    (record,) = _exported(api, source, {"n": 2}, embeddings=False)
    assert record == {"_id": "cut", "n": 2, "_box": [10, 20, 90, 100], "_base64": picture(2)}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"vector": [1.0] * 255}, "has 255 numbers; the collection's vectors have 256"),
        ({"vector": []}, "has 0 numbers"),
        ({"vector": [0] * 256}, "no direction"),
        ({"vector": [1e300] * 256}, "no direction"),
        ({"vector": [True] + [0] * 255}, "no number"),
        ({"vector": ["1"] + [0] * 255}, "no number"),
        ({"vector": None}, "must be"),
        ({"vector": {"0": 1}}, "must be"),
    ],
    ids=range(8),
)
def test_a_vector_that_is_none_is_refused(
    api: Api, source: str, tmp_path: Path, new_collection: Callable[..., str], change: dict[str, Any], reason: str
) -> None:
    good = _exported(api, source)[0]
    bad = {**good, "_id": "bad", "_embedding": {**good["_embedding"], **change}}
    report = _load(api, new_collection(), tmp_path, [bad, {**good, "_id": "list", "_embedding": [1, 2]}, good])
    assert report.stored == 1
    assert [one.place for one in report.failed] == ["line 1", "line 2"]
    assert reason in report.failed[0].reason


def test_a_vector_is_brought_to_length_1(
    api: Api, source: str, tmp_path: Path, new_collection: Callable[..., str]
) -> None:
    good = _exported(api, source, pictures="none")[0]
    good["_embedding"]["vector"] = [3 * number for number in good["_embedding"]["vector"]]
    copy = new_collection()
    assert _load(api, copy, tmp_path, [good]).stored == 1
    vector = np.array(json.loads(_rows(api, copy)[0][2]))
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-3)


def test_an_insert_does_not_store_the_vector_as_an_attribute(api: Api, source: str) -> None:
    record = {**_exported(api, source)[0], "_id": "new"}
    api.post("insert", {"records": [record]}, code=210)
    (got,) = api.post("get", {"records": [{"_id": "new"}], "fields_to_return": ["*"]})["answer_records"]
    assert not {"_embedding", "_box", "_base64"} & set(got)
    assert base64.b64encode({row[0]: row[3] for row in _rows(api, source)}["new"]).decode() == record["_base64"]
