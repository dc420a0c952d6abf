"""Collections that keep each picture as it came: every way in, every way out."""

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest

from app.db import collections as table
from app.db import records
from app.services import loading
from app.services.folders import folder_items
from tests.api.conftest import Api, drawing, encoded, picture


@pytest.fixture
def keeping(api: Api, new_collection: Callable[..., str]) -> Api:
    api.collection = new_collection(keep_images=True)
    return api


def data(number: int) -> bytes:
    return base64.b64decode(picture(number))


def originals(api: Api) -> dict[str, tuple[bytes | None, list[int] | None]]:
    with psycopg.connect(api.context.db.url) as connection:
        rows = connection.execute(
            "SELECT o.id, o.picture, o.box FROM lookalike.originals AS o"
            " JOIN lookalike.collections AS c ON c.id = o.collection_id WHERE c.name = %s",
            (api.collection,),
        ).fetchall()
    return {own: (stored, box) for own, stored, box in rows}


def test_insert_keeps_the_bytes_that_were_sent(keeping: Api, app_context: Any) -> None:
    root = keeping.context.settings.files_root
    assert root is not None
    (root / "kept.png").write_bytes(data(2))
    keeping.post(
        "insert",
        {
            "records": [
                {"_id": "sent", "_base64": picture(1)},
                {"_id": "file", "_file": "kept.png"},
                {"_id": "cut", "_base64": picture(3), "_box": [10, 20, 90, 100]},
                {"_id": "bad", "_base64": "AAAA"},
            ]
        },
        code=211,
    )
    kept = {"sent": (data(1), None), "file": (data(2), None), "cut": (data(3), [10, 20, 90, 100])}
    assert originals(keeping) == kept
    assert records.original(keeping.context.db, table.get(keeping.context.db, keeping.collection), "sent") == data(1)
    # A second insert of a taken id changes nothing.
    keeping.post("insert", {"records": [{"_id": "sent", "_base64": picture(9)}]}, code=411)
    assert originals(keeping) == kept
    # Another picture is refused in an update, so the kept one stays that of the vector.
    keeping.post("update", {"records": [{"_id": "sent", "_base64": picture(9)}]}, code=402)
    keeping.post("update", {"records": [{"_id": "sent", "price": 3}]}, code=205)
    assert originals(keeping) == kept


def test_without_keep_images_only_a_box_is_kept(api: Api) -> None:
    records_ = [{"_id": "1", "_base64": picture(1)}, {"_id": "2", "_base64": picture(2), "_box": [0, 0, 50, 50]}]
    api.post("insert", {"records": records_}, code=210)
    assert originals(api) == {"2": (None, [0, 0, 50, 50])}


def test_near_dups_insert_keeps_those_that_it_stores(keeping: Api) -> None:
    records_ = [{"_id": "one", "_base64": picture(1)}, {"_id": "twin", "_base64": picture(1)}]
    keeping.post("nearDupsInsert", {"records": records_}, code=211)
    assert originals(keeping) == {"one": (data(1), None)}


def test_what_is_refused_keeps_nothing(keeping: Api, new_collection: Callable[..., str]) -> None:
    keeping.collection = new_collection(keep_images=True, capacity=2)
    records_ = [{"_id": str(number), "_base64": picture(number)} for number in range(3)]
    keeping.post("insert", {"records": records_}, code=412)
    assert originals(keeping) == {}


def test_deletes_leave_nothing_behind(keeping: Api) -> None:
    keeping.fill(6)
    keeping.post("delete", {"records": [{"_id": "0"}]}, code=220)
    keeping.post("deleteByFilter", {"filter": {"n": 1}}, code=200)
    with psycopg.connect(keeping.context.db.url) as connection:
        connection.execute("DELETE FROM lookalike.records WHERE id = '2'")
    assert set(originals(keeping)) == {"3", "4", "5"}
    own = table.get(keeping.context.db, keeping.collection)
    table.drop(keeping.context.db, keeping.collection)
    with psycopg.connect(keeping.context.db.url) as connection:
        left = connection.execute("SELECT count(*) FROM lookalike.originals WHERE collection_id = %s", (own.id,))
        assert left.fetchone() == (0,)
        assert connection.execute("SELECT to_regclass(%s)", (f"lookalike.originals_{own.id}",)).fetchone() == (None,)


def test_load_keeps_folders_lines_and_boxes(keeping: Api, tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(data(number))
    own = table.get(keeping.context.db, keeping.collection)
    assert loading.load(keeping.context, own, folder_items(tmp_path)).stored == 3
    lines = [
        {"_id": "cut", "_file": "1.png", "_box": [20, 20, 120, 120]},
        {"_id": "out", "_file": "1.png", "_box": [0, 0, 999, 10]},
    ]
    (tmp_path / "lines.jsonl").write_bytes(b"\n".join(map(orjson.dumps, lines)))
    report = loading.load(keeping.context, own, loading.line_items(keeping.context, tmp_path / "lines.jsonl"))
    assert report.stored == 1
    assert [one.id for one in report.failed if "_box must lie within" in one.reason] == ["out"]
    assert originals(keeping) == {
        **{f"{number}.png": (data(number), None) for number in range(3)},
        "cut": (data(1), [20, 20, 120, 120]),
    }
    # The part in the box was embedded, not the whole picture.
    part = encoded(drawing(1).crop((20, 20, 120, 120)))
    nearest = keeping.post("visualKNN", {"query_record": {"_base64": part}, "k": 1}, code=200)
    assert nearest["answer_records"] == [{"_id": "cut"}]
    assert nearest["answer_distances"][0] < 0.2


def test_pictures_are_not_compressed_again(keeping: Api) -> None:
    flat = io.BytesIO()
    drawing(1).save(flat, "BMP")  # 77 kB that would compress to a tenth
    sent = base64.b64encode(flat.getvalue()).decode()
    keeping.post("insert", {"records": [{"_id": "flat", "_base64": sent}]}, code=210)
    with psycopg.connect(keeping.context.db.url) as connection:
        row = connection.execute(
            "SELECT pg_column_compression(picture), pg_column_size(picture) FROM lookalike.originals WHERE id = 'flat'"
        ).fetchone()
    assert row is not None
    assert row[0] is None
    assert row[1] == pytest.approx(len(flat.getvalue()), abs=100)


def test_a_model_of_another_revision_is_refused_in_words(api: Api) -> None:
    with psycopg.connect(api.context.db.url) as connection:
        connection.execute(
            "UPDATE lookalike.collections SET model_revision = 'older' WHERE name = %s", (api.collection,)
        )
    answer = api.call("insert", {"records": [{"_id": "1", "_base64": picture(1)}]})
    assert answer.status_code == 500
    assert "revision older" in answer.get_json()["status"]["error_description"]
    assert "collection reembed" in answer.get_json()["status"]["error_description"]
    assert api.post("getRecordCount")["answer_count"] == 0
