"""Many records at once: attributes changed from a file of lines, pictures loaded beside an index."""

import base64
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import psycopg
import pytest

from app.db import collections as table
from app.db import indexes, loads
from app.db.records import NewRecord
from app.services.folders import folder_items
from app.services.loading import load
from app.services.updating import update_from_lines
from tests.api.conftest import Api, picture

RECORDS = 2100  # more than two transactions


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"[1]", "a record must be a JSON object"),
        (b'{"price": 1}', "_id must be a string"),
        (b'{"_id": 5, "price": 1}', "_id must be a string"),
        (b'{"_id": "a", ', "is not JSON"),
        (b'{"_id": "a", "x": NaN}', "NaN"),
        (b'{"_id": "\xff"}', "UTF-8"),
    ],
)
def test_a_bad_line_is_named_and_the_others_are_done(api: Api, tmp_path: Path, line: bytes, told: str) -> None:
    api.post("insert", {"records": [{"_id": "a", "_base64": picture(1), "price": 1}]}, code=210)
    (tmp_path / "bad.jsonl").write_bytes(
        b'\xef\xbb\xbf{"_id": "a", "price": 7}\r\n\r\n' + line + b'\n{"_id": "a", "x": 2}'
    )
    report = update_from_lines(api.context, table.get(api.context.db, api.collection), tmp_path / "bad.jsonl")
    assert (report.seen, report.changed) == (3, 2)
    assert [one.place for one in report.skipped] == ["line 3"]
    assert told in report.skipped[0].reason
    got = api.post("get", {"records": [{"_id": "a"}], "fields_to_return": ["*"]})["answer_records"]
    assert got == [{"_id": "a", "price": 7, "x": 2}]


def test_what_cannot_be_stored_is_skipped_with_its_reason(api: Api, tmp_path: Path) -> None:
    api.post("insert", {"records": [{"_id": own, "_base64": picture(1)} for own in ("a", "b")]}, code=210)
    lines = [{"_id": "a", "$x": 1}, {"_id": "b", "ok": True}, {"_id": "b", "_base64": picture(2)}, {"_id": "c"}]
    (tmp_path / "lines").write_text("\n".join(map(json.dumps, lines)))
    report = update_from_lines(api.context, table.get(api.context.db, api.collection), tmp_path / "lines")
    assert report.changed == 1  # lines of one record are done one after the other
    reasons = {one.id: one.reason for one in report.skipped}
    assert "begins with $" in reasons["a"]
    assert "_base64 cannot be changed" in reasons["b"]
    assert reasons["c"] == "no such record"


@pytest.mark.parametrize("rebuild", [False, True])
def test_the_index_serves_afterwards(api: Api, tmp_path: Path, rebuild: bool) -> None:
    records = [{"_id": f"r{number}", "_base64": picture(number)} for number in range(10)]
    api.post("insert", {"records": records}, code=210)
    indexes.build_hnsw(api.context.db, table.get(api.context.db, api.collection))
    before = _index(api)
    (tmp_path / "lines").write_text("".join(f'{{"_id": "r{number}", "n": {number}}}\n' for number in range(10)))
    outgrown = replace(api.context, settings=api.context.settings.model_copy(update={"index_rows": 5}))
    collection = table.get(api.context.db, api.collection)
    report = update_from_lines(outgrown, collection, tmp_path / "lines", rebuild=rebuild)
    assert (report.changed, report.index_built) == (10, rebuild)
    assert (_index(api) != before) is rebuild
    got = api.post("visualKNN", {"query_record": {"_id": "r3"}, "k": 1, "fields_to_return": ["n"]}, code=200)
    assert got["answer_records"] == [{"_id": "r3", "n": 3}]


def test_a_load_leaves_the_index_in_place(api: Api, tmp_path: Path) -> None:
    api.post("insert", {"records": [{"_id": "r", "_base64": picture(1)}]}, code=210)
    collection = table.get(api.context.db, api.collection)
    indexes.build_hnsw(api.context.db, collection)
    before = _index(api)
    for number in range(20):
        (tmp_path / f"{number}.png").write_bytes(base64.b64decode(picture(number)))
    report = load(api.context, table.get(api.context.db, api.collection), folder_items(tmp_path))
    assert (report.stored, _index(api)) == (20, before)


def _index(api: Api) -> object:
    """Return what PostgreSQL calls the HNSW index of the collection: another number once it is another one."""
    own = table.get(api.context.db, api.collection)
    values = (f"lookalike.{own.records_table}_hnsw",)
    with psycopg.connect(api.context.db.url.replace("postgresql+psycopg", "postgresql")) as connection:
        row = connection.execute("SELECT to_regclass(%s)::oid", values).fetchone()
    assert row is not None
    assert row[0] is not None
    return row[0]


def test_many_lines_are_many_transactions(api: Api, tmp_path: Path) -> None:
    collection = table.get(api.context.db, api.collection)
    vector = np.eye(1, collection.dimensions, dtype=np.float32)[0]
    loads.copy(api.context.db, collection, [NewRecord(f"r{number}", "{}", vector) for number in range(RECORDS)])
    (tmp_path / "lines").write_text("".join(f'{{"_id": "r{number}", "n": {number}}}\n' for number in range(RECORDS)))
    told: list[int] = []
    report = update_from_lines(api.context, collection, tmp_path / "lines", told.append)
    assert (report.changed, report.skipped, told) == (RECORDS, [], [1000, 1000, 100])
    got = api.post("get", {"records": [{"_id": f"r{number}"} for number in (0, 1000, 2099)], "fields_to_return": ["n"]})
    assert [one["n"] for one in got["answer_records"]] == [0, 1000, 2099]
