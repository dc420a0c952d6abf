"""Exports in every format: nothing is lost, and readers of tables find what they expect."""

import base64
import csv
import gzip
import io
import json
import os
import resource
import tarfile
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
import zstandard
from click.testing import CliRunner
from flask.testing import FlaskClient

from app.cli import cli
from app.db import collections as table
from app.db.exporting import moment
from app.db.listing import Listing
from app.domain.errors import InvalidRequest
from app.domain.records import Fields
from app.domain.tokens import Scope
from app.services import collections, expiring, listing, tokens
from app.services.context import Context
from app.services.exporting.choice import Choice
from app.services.exporting.columns import MOST_COLUMNS
from app.services.exporting.files import appearing
from app.services.exporting.job import EXPORT
from app.services.exporting.writing import written, written_to
from app.services.jobs.working import Worker
from tests.api.conftest import Api, picture
from tests.support.exporting import exported
from tests.support.importing import run, stored
from tests.support.jobs import QUICK

RECORDS: list[dict[str, Any]] = [
    {"_id": "1", "price": 12, "name": "rot", "tags": ["a", "ä"], "sale": True, "size": {"w": 1.5, "h": None}},
    {"_id": "2", "price": 1.5, "name": "007", "tags": [], "sale": False, "mixed": 1, "big": 2**70},
    {"_id": "3", "price": 2, "name": "true", "mixed": "one", "big": 1, "note": None, "n": 2**63 - 1},
    {"_id": "4", "name": 'two\nlines, and "quotes"', "mixed": [1, "x", None], "file_name": "mine.jpg", "n": -(2**63)},
    {"_id": "a/../5", "name": "", "_attributes": {"name": "sly"}, "big": 3, "note": "x", "price": 0.1},
    {"_id": "ü 6", "name": "=1+1", "tags": ["x", ""], "note": "null", "mixed": {"k": [True]}},
    {"_id": "7"},
]


@pytest.fixture(scope="module")
def shop(app_context: tuple[FlaskClient, Context]) -> Api:
    client, context = app_context
    made = collections.create(context, "exported_shop", "photo", keep_images=True)
    shop = Api(client, context, made.name, tokens.create(context, [Scope.ADMIN], None).token)
    boxes = {"2": [0, 0, 80, 80]}
    records = [{**one, "_base64": picture(number), "_box": boxes.get(one["_id"])} for number, one in enumerate(RECORDS)]
    shop.post("insert", {"records": records}, code=210)
    return shop


def export(api: Api, choice: Choice, *, fields: list[str] | None = None, filter_: Any = None) -> bytes:
    chosen = listing.of(table.get(api.context.db, api.collection), Fields.of(fields or ["*"]), filter_)
    return exported(api.context, chosen, choice)


def cell(text: str) -> Any:
    """What a reader of CSV that goes by the looks makes of a cell."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def whole(values: dict[str, Any]) -> dict[str, Any]:
    """A record of a table's row: what `_attributes` holds is added."""
    rest = values.pop("_attributes", None) or {}
    return values | rest


def rows_of_lines(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.splitlines()]


def rows_of_csv(data: bytes) -> list[dict[str, Any]]:
    read = csv.DictReader(io.StringIO(data.decode()))
    return [whole({key: text if key == "_id" else cell(text) for key, text in row.items() if text}) for row in read]


def rows_of_parquet(data: bytes) -> list[dict[str, Any]]:
    found = import_module("pyarrow.parquet").read_table(io.BytesIO(data))
    as_json = {field.name for field in found.schema if str(field.type) == "extension<arrow.json>"}
    return [
        whole({key: json.loads(value) if key in as_json else value for key, value in row.items() if value is not None})
        for row in found.to_pylist()
    ]


def by_id(records: list[dict[str, Any]]) -> dict[str, Any]:
    return {record["_id"]: record for record in records}


def told(record: dict[str, Any]) -> dict[str, Any]:
    return {**record, "_box": [0, 0, 80, 80]} if record["_id"] == "2" else record


@pytest.mark.parametrize(
    ("choice", "read"),
    [
        (Choice("jsonl"), rows_of_lines),
        (Choice("csv"), rows_of_csv),
        (Choice("parquet"), rows_of_parquet),
    ],
    ids=["jsonl", "csv", "parquet"],
)
def test_no_format_loses_a_value(shop: Api, choice: Choice, read: Callable[[bytes], list[dict[str, Any]]]) -> None:
    assert by_id(read(export(shop, choice))) == {one["_id"]: told(one) for one in RECORDS}


def test_columns_have_the_types_of_their_values(shop: Api) -> None:
    schema = import_module("pyarrow.parquet").read_schema(io.BytesIO(export(shop, Choice("parquet", embeddings=True))))
    types = {field.name: str(field.type) for field in schema}
    as_json = "extension<arrow.json>"
    assert types == {
        "_id": "string",
        "big": "double",
        "file_name": "string",
        "mixed": as_json,
        "n": "int64",
        "name": "string",
        "note": "string",
        "price": "double",
        "sale": "bool",
        "size": as_json,
        "tags": "list<element: string>",
        "_box": "list<element: int32>",
        "_attributes": as_json,
        "_embedding": "fixed_size_list<element: float>[256]",
    }
    assert schema.metadata[b"lookalike.model"] == b"efficientnet-lite0"


def test_vectors_are_the_same_bits_in_every_format(shop: Api) -> None:
    own = table.get(shop.context.db, shop.collection)
    with psycopg.connect(shop.context.db.url) as connection:
        text = f"SELECT id, embedding::text FROM lookalike.{own.records_table}"
        stored = {row[0]: np.array(json.loads(row[1]), np.float32) for row in connection.execute(text)}
    from_lines = [json.loads(line) for line in export(shop, Choice("jsonl", embeddings=True)).splitlines()]
    for read in (
        {one["_id"]: one["_embedding"]["vector"] for one in from_lines},
        {one["_id"]: one["_embedding"]["vector"] for one in rows_of_csv(export(shop, Choice("csv", embeddings=True)))},
        {one["_id"]: one["_embedding"] for one in rows_of_parquet(export(shop, Choice("parquet", embeddings=True)))},
    ):
        assert set(read) == set(stored)
        assert all(np.array(read[key], np.float32).tobytes() == vector.tobytes() for key, vector in stored.items())


@pytest.mark.parametrize("format_", ["jsonl", "csv", "parquet"])
def test_fields_and_a_filter_choose(shop: Api, format_: Any) -> None:
    data = export(shop, Choice(format_), fields=["price", "nowhere"], filter_={"price": {"$lt": 5}})
    found = {"jsonl": rows_of_lines, "csv": rows_of_csv, "parquet": rows_of_parquet}[format_](data)
    prices = {one["_id"]: {key: value for key, value in one.items() if key != "_box"} for one in found}
    assert prices == {
        "2": {"_id": "2", "price": 1.5},
        "3": {"_id": "3", "price": 2},
        "a/../5": {"_id": "a/../5", "price": 0.1},
    }


@pytest.mark.parametrize("format_", ["jsonl", "csv", "parquet", "tar"])
def test_an_export_of_nothing_is_a_whole_file(shop: Api, format_: Any) -> None:
    data = export(shop, Choice(format_), filter_={"price": -1})
    if format_ == "tar":
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            assert tar.getnames() == ["metadata.jsonl"]
    elif format_ == "parquet":
        assert rows_of_parquet(data) == []
    else:
        assert data.decode().splitlines() == ["_id,_box,_attributes"] * (format_ == "csv")


@pytest.mark.parametrize("kind", ["thumbnails", "originals"])
def test_a_tar_is_an_image_folder(shop: Api, kind: Any) -> None:
    with tarfile.open(fileobj=io.BytesIO(export(shop, Choice("tar", pictures=kind)))) as tar:
        members = {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]
    lines = [json.loads(line) for line in members.pop("metadata.jsonl").splitlines()]
    assert [line["file_name"] for line in lines] == list(members)
    back = [whole(one) for one in lines]
    names = {one["_id"]: one["file_name"] for one in lines}
    # A thumbnail shows the part that the box names.
    expected = [told(one) if kind == "originals" else one for one in RECORDS]
    for one in back:
        if one["file_name"] == names[one["_id"]]:
            del one["file_name"]
    assert by_id(back) == by_id(expected)
    if kind == "originals":
        pictures = {one["_id"]: base64.b64decode(picture(number)) for number, one in enumerate(RECORDS)}
        assert {key: members[name] for key, name in names.items()} == pictures
        assert all(name.endswith(".png") for name in members)
    else:
        assert all(name.endswith(".webp") and data[8:12] == b"WEBP" for name, data in members.items())


def test_records_without_a_picture_are_told_of(shop: Api, new_collection: Callable[..., str]) -> None:
    bare = replace(shop, collection=new_collection(thumbnails=False))
    bare.post("insert", {"records": [{"_id": "1", "_base64": picture(1), "a": 1}]}, code=210)
    with tarfile.open(fileobj=io.BytesIO(export(bare, Choice("tar")))) as tar:
        assert tar.getnames() == ["metadata.jsonl", "others.jsonl"]
        others = tar.extractfile("others.jsonl")
        assert others is not None
        assert json.load(others) == {"_id": "1", "a": 1}


def test_what_is_compressed_is_the_same(shop: Api) -> None:
    for format_ in ("jsonl", "csv"):
        plain = export(shop, Choice(format_))
        assert gzip.decompress(export(shop, Choice(format_, "gzip"))) == plain
        packed = export(shop, Choice(format_, "zstd"))
        assert zstandard.ZstdDecompressor().stream_reader(io.BytesIO(packed)).read() == plain


def test_rare_attributes_beyond_the_most_columns_are_kept(shop: Api, new_collection: Callable[..., str]) -> None:
    wide = replace(shop, collection=new_collection())
    record = {f"a{number:03}": number for number in range(MOST_COLUMNS + 20)}
    wide.post("insert", {"records": [{"_id": "1", "_base64": picture(1), **record}]}, code=210)
    assert rows_of_parquet(export(wide, Choice("parquet")))[0] == {"_id": "1", **record}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("x.jsonl", Choice("jsonl")),
        ("X.CSV.GZ", Choice("csv", "gzip")),
        ("x.tgz", Choice("tar", "gzip")),
        ("x.ndjson.zst", Choice("jsonl", "zstd")),
        ("x.parquet", Choice("parquet")),
        ("x.tar", Choice("tar")),
        ("-", Choice("jsonl")),
    ],
)
def test_a_name_says_the_format(name: str, expected: Choice) -> None:
    assert Choice.named(name) == expected


@pytest.mark.parametrize(
    ("choice", "reason"),
    [
        (Choice("csv", pictures="originals"), "csv holds no pictures"),
        (Choice("parquet", pictures="thumbnails"), "parquet holds no pictures"),
        (Choice("parquet", "gzip"), "compressed within"),
    ],
)
def test_what_does_not_go_together_is_refused(choice: Choice, reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason):
        choice.checked()


def to_file(context: Context, chosen: Listing, choice: Choice, path: Path) -> None:
    with appearing(path) as file:
        list(written_to(context, chosen, choice.checked(), file))
        file.flush()


def test_a_full_disk_leaves_nothing_behind(shop: Api, tmp_path: Path) -> None:
    """The system itself refuses to write more than so many bytes to a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    chosen = listing.of(table.get(shop.context.db, shop.collection), Fields(everything=True), None)
    for format_ in ("jsonl", "csv", "parquet", "tar"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (300, hard))
        try:
            with pytest.raises(InvalidRequest, match="no room left on the disk for out"):
                to_file(shop.context, chosen, Choice(format_), tmp_path / "out")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert list(tmp_path.iterdir()) == []


def test_all_of_an_export_is_of_one_moment(shop: Api, new_collection: Callable[..., str]) -> None:
    """Columns, records and kept pictures are those of the moment when it began."""
    own = replace(shop, collection=new_collection(keep_images=True))
    records = [{"_id": str(number), "_base64": picture(number), "a": 1} for number in range(3)]
    own.post("insert", {"records": records}, code=210)
    chosen = listing.of(table.get(own.context.db, own.collection), Fields(everything=True), None)
    stream = io.BytesIO()
    with moment(own.context.db, chosen) as held:
        assert held.count() == 3
        own.post("delete", {"records": [{"_id": "1"}]}, code=220)
        own.post("update", {"records": [{"_id": "2", "b": "new"}]})
        own.post("insert", {"records": [{"_id": "9", "_base64": picture(9)}]}, code=210)
        list(written(held, Choice("jsonl", pictures="originals"), stream))
    assert [json.loads(line) for line in stream.getvalue().splitlines()] == records


@pytest.mark.parametrize(
    "choice",
    [
        Choice("jsonl", embeddings=True),
        Choice("jsonl", pictures="originals"),
        Choice("jsonl", "gzip", embeddings=True, pictures="originals"),
        Choice("csv", embeddings=True),
        Choice("csv", "zstd", embeddings=True),
        Choice("parquet", embeddings=True),
        Choice("tar", pictures="originals"),
        Choice("tar", "gzip", embeddings=True, pictures="originals"),
    ],
    ids=lambda choice: f"{choice.ending[1:]}, embeddings {choice.embeddings}, pictures {choice.pictures}",
)
def test_an_import_of_an_export_is_the_same_collection(
    shop: Api, new_collection: Callable[..., str], tmp_path: Path, choice: Choice
) -> None:
    path = tmp_path / f"export{choice.ending}"
    path.write_bytes(export(shop, choice))
    db = shop.context.db
    source, copy = table.get(db, shop.collection), table.get(db, new_collection(keep_images=True))
    job, rejects = run(shop.context, copy, path)
    assert (job.state, [(one.id, one.reason) for one in rejects]) == ("done", []), job.error
    assert stored(shop.context, copy) == stored(shop.context, source)
    text = "SELECT id, embedding::text AS vector FROM lookalike.records_{} ORDER BY id"
    vectors = [
        {row["id"]: np.array(json.loads(row["vector"]), np.float32) for row in db.all(text.format(one.id))}
        for one in (source, copy)
    ]
    for key, vector in vectors[0].items():
        if choice.embeddings:
            assert vector.tobytes() == vectors[1][key].tobytes()
        else:
            assert float(vector @ vectors[1][key]) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("choice", [Choice("csv", embeddings=True), Choice("parquet", embeddings=True)])
def test_vectors_of_another_model_are_not_taken(
    shop: Api, new_collection: Callable[..., str], tmp_path: Path, choice: Choice
) -> None:
    path = tmp_path / "export"
    path.write_bytes(export(shop, choice))
    job, rejects = run(shop.context, table.get(shop.context.db, new_collection(model="pixels")), path)
    assert job.state == "done_with_rejects"
    assert {one.reason for one in rejects} == {"the record has no picture and no embedding of the collection's model"}
    assert len(rejects) == len(RECORDS)


def job_of(api: Api, path: str, body: Any = None, **headers: str) -> Any:
    sent = {"Authorization": f"Token {api.token}", "collection-id": api.collection, **headers}
    return api.client.open(
        f"/jobs/v1/{path}", method="GET" if body is None else "POST", json=body, headers=sent, buffered=True
    )


def test_a_job_makes_a_file_that_is_downloaded(shop: Api) -> None:
    asked = {"format": "csv", "compression": "gzip", "fields": ["price"], "filter": {"price": {"$lt": 5}}}
    made = job_of(shop, "export", asked).get_json()
    assert (made["kind"], made["state"]) == ("export", "queued")
    early = job_of(shop, f"jobs/{made['id']}/result")
    assert (early.get_json()["status"]["code"], "is queued" in early.text) == (402, True)
    worker = Worker(shop.context, QUICK, [EXPORT])
    held = worker.take(int(made["id"]))
    assert held is not None
    worker.do(held)
    done = job_of(shop, f"jobs/{made['id']}").get_json()
    assert (done["state"], done["error"]) == ("done", None)
    assert (done["progress"]["done"], done["progress"]["total"], done["outcome"]["records"]) == (3, 3, 3)
    assert done["outcome"]["file"] == f"{shop.collection}/job-{made['id']}.csv.gz"
    sent = job_of(shop, f"jobs/{made['id']}/result")
    assert (sent.status_code, sent.content_type) == (200, "application/gzip")
    assert len(sent.data) == done["outcome"]["bytes"]
    prices = {one["_id"]: one["price"] for one in rows_of_csv(gzip.decompress(sent.data))}
    assert prices == {"2": 1.5, "3": 2, "a/../5": 0.1}
    rest = job_of(shop, f"jobs/{made['id']}/result", Range="bytes=10-")
    assert (rest.status_code, rest.data) == (206, sent.data[10:])
    (root,) = (shop.context.settings.home / "exports" / shop.collection).glob("job-*")
    left = root.with_name(f".{root.name}.x.partial")  # by a process that was killed
    theirs = root.with_name("job-list.jsonl")  # by allRecords
    late = 30 * 24 * 60 * 60 + 60
    for file in (left, theirs):
        file.touch()
    expiring.sweep(shop.context)
    assert root.exists()
    for file in (root, left, theirs):
        os.utime(file, (file.stat().st_mtime - late,) * 2)
    expiring.sweep(shop.context)
    assert (root.exists(), left.exists(), theirs.exists()) == (False, False, True)
    gone = job_of(shop, f"jobs/{made['id']}/result")
    assert (gone.status_code, "is not in the export folder" in gone.text) == (404, True)


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"format": "xml"}, "format must be one of"),
        ({"compression": "rar"}, "compression must be one of"),
        ({"pictures": "all"}, "pictures must be one of"),
        ({"format": "csv", "pictures": "originals"}, "csv holds no pictures"),
        ({"format": "parquet", "compression": "gzip"}, "compressed within"),
        ({"fields": "price"}, "parameters.fields"),
        ({"fields": [""]}, "parameters.fields"),
        ({"filter": {"$x": 1}}, "$x"),
        ({"embeddings": 1}, "parameters.embeddings"),
        ({"name": "x"}, "no such parameter"),
    ],
)
def test_a_job_that_cannot_be_done_is_not_made(shop: Api, asked: dict[str, Any], reason: str) -> None:
    before = job_of(shop, "jobs").get_json()["jobs"]
    refused = job_of(shop, "export", asked).get_json()["status"]
    assert (refused["code"], reason in refused["error_description"]) == (402, True), refused
    assert job_of(shop, "jobs").get_json()["jobs"] == before


def test_the_command_writes_a_file_at_once_or_none(shop: Api, tmp_path: Path) -> None:
    environment = {"DATABASE_URL": shop.context.db.url, "LOOKALIKE_HOME": str(tmp_path / "home")}
    out = tmp_path / "shop.csv"

    def run_it(*arguments: str) -> Any:
        return CliRunner().invoke(cli, ["export", shop.collection, *arguments], env=environment)

    done = run_it(str(out), "--fields", "price,name", "--filter", '{"price": 12}', "--no-embeddings")
    assert (done.exit_code, rows_of_csv(out.read_bytes())) == (0, [{"_id": "1", "price": 12, "name": "rot"}])
    job = job_of(shop, "jobs?kind=export&size=1").get_json()["jobs"][0]
    assert (job["state"], job["progress"]["done"]) == ("done", 1)
    outcome = job_of(shop, f"jobs/{job['id']}").get_json()["outcome"]
    assert set(outcome) == {"media_type", "records", "bytes"}
    assert "done by a command" in job_of(shop, f"jobs/{job['id']}/result").text
    before = out.read_bytes()
    refused = run_it(str(out), "--filter", '{"$x": 1}')
    assert isinstance(refused.exception, InvalidRequest)
    assert out.read_bytes() == before
    nowhere = run_it(str(tmp_path / "nowhere" / "x.csv"))
    assert isinstance(nowhere.exception, InvalidRequest)
    assert [path.name for path in tmp_path.iterdir() if path.name != "home"] == ["shop.csv"]
    packed = run_it(str(tmp_path / "shop.tar.gz"), "--pictures", "originals")
    assert packed.exit_code == 0, packed.output
    with tarfile.open(tmp_path / "shop.tar.gz") as tar:
        assert len(tar.getnames()) == len(RECORDS) + 1
    plain = run_it("--no-pictures", "--no-embeddings")
    assert by_id([json.loads(one) for one in plain.stdout.splitlines()]) == {one["_id"]: told(one) for one in RECORDS}
    for arguments in (("--no-pictures", "--pictures", "originals"), (str(out), "--detach"), ("--format", "xml")):
        assert run_it(*arguments).exit_code == 2
