"""Imports of every format, as jobs on a real database, and every kind of bad input."""

import gzip
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard

from app import create_context
from app.config import Settings
from app.domain.collections import Collection
from app.domain.errors import InvalidRequest
from app.domain.jobs import State
from app.services import collections
from app.services.context import Context
from app.services.importing.archives import zip_pictures
from app.services.importing.entries import Reading
from app.services.importing.lines import json_lines
from app.services.importing.writing import Writer
from tests.support.importing import ARCHIVES, VECTORS, lines, picture_bytes, ready, run, stored, write_table


@pytest.fixture(scope="module")
def context(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    files = tmp_path_factory.mktemp("files")
    made = create_context(Settings(home=tmp_path_factory.mktemp("home"), files_root=files), module_database_url)
    made.open()
    yield made
    made.close()


@pytest.fixture
def collection(context: Context, request: pytest.FixtureRequest) -> Collection:
    return collections.create(context, f"c{abs(hash(request.node.name))}", "photo")


def write_lines(path: Path) -> None:
    lines(path, [ready(number) for number in range(4)])


def write_parquet(path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {
        "_id": [f"r{number}" for number in range(4)],
        "n": list(range(4)),
        "_embedding": pa.array(VECTORS[:4], pa.list_(pa.float32(), 256)),
    }
    pq.write_table(pa.table(columns), path, row_group_size=3)


def compressed(write: Callable[[Path], None], with_: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def written(path: Path) -> None:
        write(path)
        path.write_bytes(with_(path.read_bytes()))

    return written


WRITTEN: dict[str, Callable[[Path], None]] = {
    "jsonl": write_lines,
    "jsonl.gz": compressed(write_lines, gzip.compress),
    "jsonl.zst": compressed(write_lines, zstandard.compress),
    "csv": write_table,
    "tsv": lambda path: write_table(path, delimiter="\t"),
    "csv, semicolons, Windows": lambda path: write_table(path, "cp1252", "\r\n", ";"),
    "csv, UTF-8 with a mark": lambda path: write_table(path, "utf-8", "\r\n", mark="\ufeff"),
    "csv, UTF-16 with a mark": lambda path: write_table(path, "utf-16"),
    "csv, UTF-16 without": lambda path: write_table(path, "utf-16-le", "\r\n"),
    "csv.zst": compressed(write_table, zstandard.compress),
    "parquet": write_parquet,
}


@pytest.mark.parametrize("name", WRITTEN)
def test_ready_embeddings_of_every_format(name: str, context: Context, collection: Collection, tmp_path: Path) -> None:
    path = tmp_path / "source"
    WRITTEN[name](path)
    job, rejects = run(context, collection, path)
    assert (job.state, rejects) == (State.DONE, []), job.error
    assert job.outcome["stored"] == 4  # type: ignore[call-overload, index]
    assert (job.progress.done, job.progress.total) == (4, 4)
    found = stored(context, collection)
    assert {record_id: one["n"] for record_id, one in found.items()} == {f"r{number}": number for number in range(4)}
    if "csv" in name:
        assert found["r1"] == {"n": 1, "name": "Schöne Jacke", "price": 1.5, "gone": True, "tags": ["a", "b"]}
    again, _ = run(context, collection, path)
    assert again.outcome["present"] == 4  # type: ignore[call-overload, index]


@pytest.mark.parametrize("name", ARCHIVES)
def test_pictures_of_every_archive(name: str, context: Context, collection: Collection, tmp_path: Path) -> None:
    members = {f"shoes/{number}.png": picture_bytes(number) for number in range(3)}
    members |= {"readme.txt": b"no picture", "shoes/bad.jpg": b"\xff\xd8\xff broken", "__MACOSX/x.png": b""}
    if name != "folder":
        facts = [{"file_name": f"shoes/{number}.png", "price": number} for number in range(3)]
        members["metadata.jsonl"] = "".join(json.dumps(one) + "\n" for one in facts).encode()
        members["../out.png"] = picture_bytes(7)
        members["/absolute.png"] = picture_bytes(7)
    ARCHIVES[name](tmp_path / "source", members)
    job, rejects = run(context, collection, tmp_path / "source")
    reasons = [one.reason for one in rejects]
    assert job.state == State.DONE_WITH_REJECTS, job.error
    found = stored(context, collection)
    assert sorted(found) == [f"shoes/{number}.png" for number in range(3)]
    if name == "folder":
        assert len(reasons) == 2
    else:
        assert found["shoes/2.png"] == {"_file": "shoes/2.png", "category": "shoes", "price": 2}
        assert sum("leads out" in reason for reason in reasons) == 2
        assert len(reasons) == 3


BAD: list[tuple[str, Any, str]] = [
    ("dimension", {"_id": "x", "_embedding": VECTORS[0][:-1]}, "255 numbers"),
    ("not a number", '{{"_id": "x", "_embedding": [NaN, {}]}}'.format(", ".join(["0.5"] * 255)), "NaN"),
    ("beyond a float", '{{"_id": "x", "_embedding": [1e999, {}]}}'.format(", ".join(["0.5"] * 255)), "out of range"),
    ("a truth value", '{{"_id": "x", "_embedding": [true, {}]}}'.format(", ".join(["0.5"] * 255)), "no number"),
    ("text among numbers", '{{"_id": "x", "_embedding": ["]", {}]}}'.format(", ".join(["0.5"] * 255)), "no number"),
    ("too large", {"_id": "x", "_embedding": [1e308] * 256}, "no direction"),
    ("no direction", {"_id": "x", "_embedding": [0.0] * 256}, "no direction"),
    ("text", {"_id": "x", "_embedding": "text"}, "_embedding"),
    ("no id", {"_embedding": VECTORS[0]}, "_id"),
    ("a number as id", {"_id": 7, "_embedding": VECTORS[0]}, "_id must be a string"),
    ("nothing to see", {"_id": "x"}, "no picture and no embedding"),
    ("another model", {"_id": "x", "_embedding": {"model": "o", "revision": "1", "vector": VECTORS[0]}}, "no picture"),
    ("no object", "[1, 2]", "JSON object"),
    ("no JSON", "{", "is not JSON"),
    ("twice", ready(0), "further above"),
    ("an operator", ready(3, **{"$set": 1}), "operators"),
    ("U+0000", {"_id": "x", "a": "\0", "_embedding": VECTORS[0]}, "U+0000"),
    ("no picture in base64", {"_id": "x", "_base64": "AAAA"}, "picture"),
    ("a private URL", {"_id": "y", "_url": "http://127.0.0.1/a.png"}, "private"),
]  # fmt: skip


def test_each_bad_line_is_a_reject_and_the_others_are_stored(
    context: Context, collection: Collection, tmp_path: Path
) -> None:
    path = lines(tmp_path / "source", [ready(0), *(line for _, line, _ in BAD), ready(1)])
    job, rejects = run(context, collection, path)
    assert job.state == State.DONE_WITH_REJECTS, job.error
    assert sorted(stored(context, collection)) == ["r0", "r1"]
    assert [one.line for one in rejects] == list(range(2, len(BAD) + 2))
    for (name, line, reason), reject in zip(BAD, rejects, strict=True):
        assert reason in reject.reason, (name, reject.reason)
        assert reject.source == (line if isinstance(line, str) else json.dumps(line)), name
    assert job.progress.rejected == len(BAD)
    # Mended and sent again, they are stored.
    mended = [json.dumps(ready(2)) if one.line == 2 else one.source for one in rejects]
    run(context, collection, lines(tmp_path / "mended", mended))
    assert sorted(stored(context, collection)) == ["r0", "r1", "r2"]


def test_rows_that_are_ragged_or_of_another_type_are_rejected(
    context: Context, collection: Collection, tmp_path: Path
) -> None:
    numbers = " ".join(map(repr, VECTORS[0]))
    rows = ["sku,size,_embedding", f"a,1,{numbers}", f"b,{numbers}", f"c,2,{numbers},more", "", f'd,"3\n4",{numbers}']
    (tmp_path / "source").write_text("\n".join(rows))
    _job, rejects = run(context, collection, tmp_path / "source", map={"id": "sku"}, types={"size": "integer"})
    assert [one.reason for one in rejects] == [
        "the row has 2 fields; the header has 3",
        "the row has 4 fields; the header has 3",
        "size: '3\\n4' is no whole number",
    ]
    assert stored(context, collection) == {"a": {"size": 1}}


WHOLE: dict[str, tuple[bytes, dict[str, Any], str]] = {
    "empty": (b"", {}, "is empty"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(100), {}, "is a picture"),
    "an array": (b'[{"_id": "a"}]', {}, "one JSON array"),
    "no Parquet": (b"_id,a\n1,2\n", {"format": "parquet"}, "not what it says"),
    "no table": (json.dumps(ready(0)).encode(), {"format": "csv"}, "it is no csv, but jsonl"),
    "a broken Parquet": (b"PAR1" + bytes(100), {}, "damaged"),
    "a broken ZIP": (b"PK\x03\x04" + bytes(100), {}, "damaged"),
    "a cut gzip": (gzip.compress(json.dumps(ready(0)).encode() * 50)[:-200], {}, "cut short"),
    "binary": (bytes(range(256)) * 4, {}, "in none of the formats"),
    "no header": (b"a,,b\n1,2,3\n", {}, "column 2 has no name"),
    "a header twice": (b"a,b,a\n1,2,3\n", {}, "twice"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_file_that_is_not_what_it_says_fails_with_the_reason(
    name: str, context: Context, collection: Collection, tmp_path: Path
) -> None:
    data, given, reason = WHOLE[name]
    (tmp_path / "source").write_bytes(data)
    job, _ = run(context, collection, tmp_path / "source", **given)
    assert job.state == State.FAILED
    assert reason in str(job.error)
    assert stored(context, collection) == {}


def test_modes_and_near_duplicates(context: Context, collection: Collection, tmp_path: Path) -> None:
    run(context, collection, lines(tmp_path / "a", [ready(0), ready(1)]))
    twin = {"_id": "twin", "_embedding": VECTORS[0]}
    job, rejects = run(context, collection, lines(tmp_path / "b", [twin, ready(2)]), near_duplicates="skip")
    assert [(one.line, one.code) for one in rejects] == [(1, 211)]
    assert "near duplicate of r0" in rejects[0].reason
    job, _ = run(context, collection, lines(tmp_path / "c", [twin]), near_duplicates="report")
    assert job.outcome["near_duplicates_named"] == [{"_id": "twin", "near": "r0", "distance": 0.0}]  # type: ignore[call-overload, index]
    # Without a picture the stored record's attributes change alone; what is not stored is told.
    some = [{"_id": "r0", "price": 7}, {"_id": "none", "price": 7}]
    job, rejects = run(context, collection, lines(tmp_path / "d", some), mode="update_only")
    assert (job.outcome["updated"], [(one.line, one.code) for one in rejects]) == (1, [(2, 404)])  # type: ignore[call-overload, index]
    run(context, collection, lines(tmp_path / "e", [{**ready(1), "n": "new"}, ready(4)]), mode="upsert")
    found = stored(context, collection)
    assert (found["r0"], found["r1"], sorted(found)) == ({"price": 7}, {"n": "new"}, ["r0", "r1", "r2", "r4", "twin"])


def test_too_many_rejects_fail_the_job(context: Context, collection: Collection, tmp_path: Path) -> None:
    path = lines(tmp_path / "a", ["{", "{", ready(0)])
    job, rejects = run(context, collection, path, max_rejects=1)
    assert (job.state, job.error) == (State.FAILED, "2 records were rejected, and 1 may be: see the job's rejects")
    assert len(rejects) == 2
    job, _ = run(context, collection, path, max_reject_share=0.5)
    assert job.state == State.FAILED


def test_a_collection_that_is_dropped_in_the_middle_fails_the_job(
    context: Context, collection: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = lines(tmp_path / "a", [ready(number) for number in range(4)])
    before = Writer.write

    def write(self: Writer, chunk: Any) -> None:
        collections.drop(context, collection.name)
        before(self, chunk)

    monkeypatch.setattr(Writer, "write", write)
    job, _ = run(context, collection, path)
    assert job.state == State.FAILED
    assert "dropped" in str(job.error)


def test_a_long_line_and_a_bomb_are_refused_while_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "long"
    path.write_bytes(b'{"_id": "' + b"a" * 5000 + b'"}\n{"_id": "b"}\n')
    found = list(json_lines(path, Reading(1000, 1000)))
    assert isinstance(found[0].record, InvalidRequest)
    assert found[1].record == {"_id": "b"}
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(5 * 2**20))
    entry = next(zip_pictures(tmp_path / "bomb.zip", Reading(1000, 2**24)))
    assert "unpacks to more than 200 times" in str(entry.record)
