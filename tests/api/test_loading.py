"""Loads: what becomes of each file and line, and that all are counted."""

import base64
import json
import string
from collections.abc import Iterator
from pathlib import Path
from random import Random

import psycopg
import pytest

from app.db import collections as table
from app.db import indexes
from app.services.folders import scan
from app.services.loading import LoadReport, line_items, load
from app.services.pipeline import Item, Pipeline
from app.services.updating import update_from_lines
from app.services.vectors import embedder_of
from tests.api.conftest import Api, picture

# Longer than an index takes, and not to be compressed.
_LONG = "".join(Random(2).choices(string.ascii_letters + string.digits + string.punctuation, k=9000))


def _data(number: int) -> bytes:
    return base64.b64decode(picture(number))


def _load_folder(api: Api, folder: Path) -> LoadReport:
    return load(api.context, table.get(api.context.db, api.collection), scan(folder))


def _load_lines(api: Api, folder: Path, lines: list[bytes | dict[str, object]]) -> LoadReport:
    text = b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)
    (folder / "in.jsonl").write_bytes(text)
    report = load(api.context, table.get(api.context.db, api.collection), line_items(api.context, folder / "in.jsonl"))
    assert report.seen == len(lines)
    return report


def _ids(api: Api) -> list[str]:
    return [one["_id"] for one in api.post("allRecords", {"fields_to_return": ["_id"]})["answer_records"]]


@pytest.mark.parametrize(
    ("bad", "own", "reason"),
    [
        ({"_id": 7, "_base64": picture(1)}, None, '_id must be a string, as in "7"'),
        ({"_base64": picture(1)}, None, "the record has no _id"),
        ({"_id": "", "_base64": picture(1)}, "", "1 to 1024 bytes"),
        ({"_id": "x", "_base64": picture(1), "name": "a\0b"}, "x", "U+0000"),
        ({"_id": "x", "_base64": picture(1), "$x": 1}, "x", "begins with $"),
        ({"_id": "x"}, "x", "the record has no picture"),
        ({"_id": "x", "_base64": "AAAA"}, "x", "not a picture"),
        ({"_id": "x", "_file": "a\0b"}, "x", "U+0000"),
        ({"_id": "g0", "_base64": picture(1)}, "g0", "the _id stands in line 1 already"),
        (b'{"_id": "x", "_base64": ', None, "the line is not JSON"),
        (b'{"_id": "b\xe4r"}', None, "the line is not UTF-8"),
    ],
    ids=range(11),
)
def test_a_bad_line_is_named_and_the_others_are_stored(
    api: Api, tmp_path: Path, bad: bytes | dict[str, object], own: str | None, reason: str
) -> None:
    good: list[bytes | dict[str, object]] = [{"_id": f"g{number}", "_base64": picture(number)} for number in range(3)]
    report = _load_lines(api, tmp_path, [*good[:2], bad, good[2]])
    assert [(one.place, one.id) for one in report.failed] == [("line 3", own)]
    assert reason in report.failed[0].reason
    assert (report.stored, _ids(api)) == (3, ["g0", "g1", "g2"])


def test_a_record_that_the_database_refuses_costs_only_itself(api: Api, tmp_path: Path) -> None:
    own = table.get(api.context.db, api.collection)
    indexes.declare_field(api.context.db, own, "text")
    with psycopg.connect(api.context.db.url) as connection:
        connection.execute(f"ALTER TABLE lookalike.{own.records_table} ADD CHECK (attributes ->> 'n' <> '5')")
    records: list[dict[str, object]] = [
        {"_base64": picture(number), "n": number, "text": _LONG if number == 2 else "short"} for number in range(8)
    ]
    refused = {"2": "may take 2,700 bytes at most", "5": "a rule of your own"}

    inserted = api.post("insert", {"records": [{"_id": f"i{one['n']}", **one} for one in records]}, code=211)
    assert [one["_id"] for one in inserted["answer_records"]] == ["i0", "i1", "i3", "i4", "i6", "i7"]
    told = {one["_id"]: one["_reason"]["status"] for one in inserted["skipped_records"]}
    assert {own: status["code"] for own, status in told.items()} == {"i2": 402, "i5": 402}
    assert all(reason in told[f"i{number}"]["error_description"] for number, reason in refused.items())

    report = _load_lines(api, tmp_path, [{"_id": f"l{one['n']}", **one} for one in records])
    assert report.stored == 6
    assert {one.id: one.place for one in report.failed} == {"l2": "line 3", "l5": "line 6"}
    assert all(refused[str(one.id)[1:]] in one.reason for one in report.failed)

    twin = api.post("nearDupsInsert", {"records": [{**records[2], "_id": "d2"}], "radius": 0}, code=402)
    assert refused["2"] in twin["skipped_records"][0]["_reason"]["status"]["error_description"]


def test_ids_of_files_are_their_paths_and_those_of_earlier_versions_stay(api: Api, tmp_path: Path) -> None:
    for number, name in enumerate(("shirts/1.png", "shirts/2.png", "top.png")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(_data(number))
    # As they were once: the name alone, where no other sub-folder had it.
    api.post("insert", {"records": [{"_id": "1.png", "_base64": picture(0)}, {"_id": "2.png", "_base64": picture(9)}]})
    api.post("update", {"records": [{"_id": "1.png", "size": 3}]}, code=205)
    with psycopg.connect(api.context.db.url) as connection:
        text = (
            """UPDATE lookalike.records SET attributes = attributes || '{"_file": "shirts/1.png"}' WHERE id = '1.png'"""
        )
        connection.execute(text)
    report = _load_folder(api, tmp_path)
    assert (report.seen, report.stored, report.present) == (3, 2, 1)
    (tmp_path / "shoes").mkdir()
    (tmp_path / "shoes" / "1.png").write_bytes(_data(5))
    report = _load_folder(api, tmp_path)
    assert (report.seen, report.stored, report.present) == (4, 1, 3)
    assert _ids(api) == ["1.png", "2.png", "shirts/2.png", "shoes/1.png", "top.png"]


def test_all_that_is_in_a_folder_is_counted(api: Api, tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(_data(1))
    (tmp_path / "2.jfif").write_bytes(_data(2))
    (tmp_path / "bad.heic").write_bytes(b"no picture")
    (tmp_path / "notes.txt").write_bytes(b"no picture")
    report = _load_folder(api, tmp_path)
    assert (report.seen, report.stored, [one.place for one in report.failed]) == (4, 2, ["bad.heic"])
    assert [one.place for one in report.passed_over] == ["notes.txt"]


def test_an_id_that_comes_again_much_later_is_counted(api: Api, tmp_path: Path) -> None:
    # Beyond what is asked for and written at once.
    lines: list[bytes | dict[str, object]] = [
        {"_id": f"r{number % 510}", "_base64": picture(1)} for number in range(520)
    ]
    report = _load_lines(api, tmp_path, lines)
    assert report.stored == 510
    assert report.present + len(report.failed) == 10


def test_pictures_are_read_ahead_by_their_bytes(api: Api) -> None:
    drawn: list[int] = []

    def items() -> Iterator[Item]:
        for number in range(40):
            drawn.append(number)
            yield Item(str(number), {}, lambda: _data(1), size=4 * 2**20)

    collection = table.get(api.context.db, api.collection)
    pipeline = Pipeline(api.context, collection, embedder_of(api.context, collection), lambda _item, _reason: None)
    prepared = pipeline.prepared(items())
    for done in range(1, 41):
        assert next(prepared).item.id == str(done - 1)
        assert len(drawn) <= done + 6
    pipeline.close()


def _size(api: Api, own: str) -> int:
    with psycopg.connect(api.context.db.url) as connection:
        row = connection.execute(
            "SELECT octet_length(r.attributes::text) FROM lookalike.records AS r"
            " JOIN lookalike.collections AS c ON c.id = r.collection_id WHERE c.name = %s AND r.id = %s",
            (api.collection, own),
        ).fetchone()
    assert row is not None
    return int(row[0])


def test_no_record_grows_beyond_what_an_insert_may_bring(api: Api, tmp_path: Path) -> None:
    most = api.context.settings.max_attributes_bytes
    api.post("insert", {"records": [{"_id": own, "_base64": picture(1)} for own in ("a", "b")]}, code=210)
    for number in range(3):
        changes = [{"_id": "a", f"part{number}": "x" * 100_000}, {"_id": "b", "n": number}]
        got = api.post("update", {"records": changes}, code=205 if number < 2 else 206)
    assert got["answer_records"] == [{"_id": "b", "n": 2}]
    skipped = got["skipped_records"][0]
    assert (skipped["_id"], skipped["_reason"]["status"]["code"]) == ("a", 402)
    assert f"more than {most} bytes" in skipped["_reason"]["status"]["error_description"]
    # A field that goes makes room for the one that comes.
    api.post("update", {"records": [{"_id": "a", "part0": None, "part2": "x" * 100_000}]}, code=205)
    # What SQL made larger may shrink, and not grow.
    with psycopg.connect(api.context.db.url) as connection:
        text = (
            """UPDATE lookalike.records SET attributes = attributes || jsonb_build_object('big', repeat('y', 300000))"""
        )
        own = table.get(api.context.db, api.collection).id
        connection.execute(f"{text} WHERE collection_id = %s AND id = 'a'", (own,))
    api.post("update", {"records": [{"_id": "a", "z": 1}]}, code=402)
    api.post("update", {"records": [{"_id": "a", "part1": None}]}, code=205)
    api.post("update", {"records": [{"_id": "a", "big": None}]}, code=205)
    assert _size(api, "a") < most
    # By lines, too.
    (tmp_path / "lines").write_text(f'{{"_id": "a", "again": "{"x" * 200_000}"}}\n{{"_id": "b", "n": 9}}\n')
    report = update_from_lines(api.context, table.get(api.context.db, api.collection), tmp_path / "lines")
    assert (report.changed, [one.place for one in report.skipped]) == (1, ["line 1"])


def test_numbers_count_as_they_are_exported(api: Api) -> None:
    numbers = [1e300] * 1000  # 5 bytes each, and 301 when they are given back
    got = api.post("insert", {"records": [{"_id": "a", "_base64": picture(1), "numbers": numbers}]}, code=402)
    assert "more than" in got["skipped_records"][0]["_reason"]["status"]["error_description"]


def test_a_change_that_the_database_refuses_costs_only_itself(api: Api) -> None:
    indexes.declare_field(api.context.db, table.get(api.context.db, api.collection), "text")
    api.fill(6)
    changes = [{"_id": str(number), "text": _LONG if number == 2 else "short"} for number in range(6)]
    got = api.post("update", {"records": changes}, code=206)
    assert sorted(one["_id"] for one in got["answer_records"]) == ["0", "1", "3", "4", "5"]
    assert [one["_id"] for one in got["skipped_records"]] == ["2"]
    found = api.post("find", {"filter": {"text": "short"}, "limit": 20})["answer_records"]
    assert len(found) == 5
