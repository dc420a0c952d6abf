"""Imports that somebody made mistakes with: rejects that come back as they were, and reasons before a job is made."""

import errno
import json
import os
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from app import create_context
from app.config import Settings
from app.domain.collections import Collection
from app.domain.errors import ImageError, InTheWay, InvalidRequest
from app.domain.jobs import State
from app.services import collections
from app.services.context import Context
from app.services.folders import picture_of
from app.services.importing.archives import zip_pictures
from app.services.importing.entries import Reading
from app.services.importing.job import IMPORT
from app.services.jobs import asking
from app.services.jobs.working import Worker
from tests.support import commands
from tests.support.importing import ARCHIVES, VECTORS, lines, picture_bytes, ready, run, stored, write_table
from tests.support.jobs import QUICK


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


def test_rejects_of_a_table_come_back_as_they_were(context: Context, collection: Collection, tmp_path: Path) -> None:
    good, bad = (" ".join(map(repr, VECTORS[0][:size])) for size in (256, 255))
    rest = '"{""size"": {""w"": 5}}"'
    (tmp_path / "source").write_text(
        "sku,price,many,gone,tags,note,_attributes,_embedding\n"
        f'1,1.50,3,true,"[""a""]","one\ntwo",{rest},{good}\n'
        "\n"
        f'2,1.50,3,true,"[""a""]","one\ntwo",{rest},{bad}\n'
        f"3,1.50,3,true,,,,{good},more\n"
        "4,1.50,3,true,,\n"
    )
    _, rejects = run(context, collection, tmp_path / "source", map={"id": "sku"})
    assert [(one.line, one.id) for one in rejects] == [(5, "2"), (7, "3"), (8, "4")]
    record = json.loads(str(rejects[0].source))
    assert len(record["_embedding"]) == 255
    assert json.loads(str(rejects[1].source))["$field 9"] == "more"
    assert json.loads(str(rejects[2].source))["$missing"] == ["_attributes", "_embedding"]
    (tmp_path / "again").write_text("\n".join(str(one.source) for one in rejects[1:]))
    ragged, refused = run(context, collection, tmp_path / "again", map={"id": "sku"})
    assert (ragged.state, [one.id for one in refused]) == (State.DONE_WITH_REJECTS, ["3", "4"])
    assert all("begins with $" in one.reason for one in refused)
    record["_embedding"] = VECTORS[1]
    job, again = run(context, collection, lines(tmp_path / "mended", [record]), map={"id": "sku"})
    assert (job.state, again) == (State.DONE, [])
    found = stored(context, collection)
    assert found["2"] == found["1"]
    assert found["1"] == {
        "price": 1.5, "many": 3, "gone": True, "tags": ["a"], "note": "one\ntwo", "size": {"w": 5},
    }  # fmt: skip


@pytest.mark.parametrize("place", ["n", "_id"])
def test_a_zero_byte_in_a_table_spoils_its_row_alone(
    place: str, context: Context, collection: Collection, tmp_path: Path
) -> None:
    rows = [f"{one['_id']},{one['n']},{' '.join(map(repr, one['_embedding']))}" for one in map(ready, range(3))]
    rows[1] = rows[1].replace("r1,1", "r1,\0" if place == "n" else "r\0,1")
    (tmp_path / "source").write_text("\n".join(["_id,n,_embedding", *rows]))
    job, rejects = run(context, collection, tmp_path / "source")
    assert (job.state, [one.line for one in rejects]) == (State.DONE_WITH_REJECTS, [3]), job.error
    assert "U+0000" in rejects[0].reason
    assert stored(context, collection) == {"r0": {"n": 0}, "r2": {"n": 2}}


METADATA = {
    "metadata.jsonl": '{"file_name": "0.png", "n": 0}\n{"file_name": "1.png", "_attributes": 7}\n{\n{"n": 3}\n',
    "metadata.csv": "file_name,n\n0.png,0\n1.png,1,2\n\0.png,5\n,3\n",
}


@pytest.mark.parametrize("name", METADATA)
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_bad_row_of_metadata_is_one_reject(
    kind: str, name: str, context: Context, collection: Collection, tmp_path: Path
) -> None:
    members = {name: METADATA[name].encode()} | {f"{number}.png": picture_bytes(number) for number in range(3)}
    ARCHIVES[kind](tmp_path / "source", members)
    job, rejects = run(context, collection, tmp_path / "source")
    assert job.state == State.DONE_WITH_REJECTS, job.error
    assert [(one.line, one.reason[: len(name) + 8]) for one in rejects] == [
        (3, f"{name}, line {2 + name.endswith('csv')}"),
        (5, f"{name}, line {3 + name.endswith('csv')}"),
        (6, f"{name}, line {4 + name.endswith('csv')}"),
    ]
    assert json.loads(str(rejects[0].source))["file_name"] == "1.png"
    assert stored(context, collection) == {"0.png": {"_file": "0.png", "n": 0}, "2.png": {"_file": "2.png"}}
    assert job.progress.done == 6


def test_rows_in_another_encoding_than_is_said_are_rejected(
    context: Context, collection: Collection, tmp_path: Path
) -> None:
    write_table(tmp_path / "source", "cp1252")
    job, rejects = run(context, collection, tmp_path / "source", encoding="utf8")
    assert (job.state, len(rejects)) == (State.DONE_WITH_REJECTS, 4)
    assert "is not utf-8" in rejects[0].reason


def test_a_drop_that_a_job_is_in_the_way_of_names_the_job(
    context: Context, collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.db.collections._DROP_ATTEMPTS", 2)
    job = asking.start(context, IMPORT, collection, {"source": {"path": "none"}}, local=True, reserved="tests")[0]
    assert Worker(context, QUICK, [IMPORT], "tests").take(job.id) is not None
    with psycopg.connect(context.db.url) as building:
        building.execute(f"LOCK TABLE lookalike.records_{collection.id} IN SHARE MODE")  # as CREATE INDEX does
        with pytest.raises(InTheWay, match=rf"in use by the job {job.id} \(import, just begun\)") as error:
            collections.drop(context, collection.name)
    assert f"`lookalike job cancel {job.id}`" in str(error.value)
    asking.end(context, asking.get(context, job.id))
    collections.drop(context, collection.name)


def test_a_disk_that_is_full_fails_the_job_with_the_reason(
    context: Context, collection: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("app.services.importing.sources.download", full)
    job, _ = run(context, collection, tmp_path, source={"url": "http://pictures.example/a"})
    assert (job.state, "is full" in str(job.error)) == (State.FAILED, True)


def test_a_picture_that_is_not_beside_the_source_is_named(context: Context, tmp_path: Path) -> None:
    without = replace(context, settings=context.settings.model_copy(update={"files_root": None}))
    for name in ("none.png", "../none.png"):
        with pytest.raises(ImageError, match=f"there is no file '{name}' beside the source"):
            picture_of(without, {"_file": name}, tmp_path)


def test_a_detached_import_names_its_file_as_a_worker_finds_it(
    context: Context, collection: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = context.settings.files_root
    assert root is not None
    lines(root / "here.jsonl", [ready(0)])
    monkeypatch.chdir(root)
    environment = {"DATABASE_URL": context.db.url, "LOOKALIKE_HOME": str(tmp_path)}
    rooted = environment | {"LOOKALIKE_FILES_ROOT": str(root)}
    for source in ("here.jsonl", "./here.jsonl", str(root / "here.jsonl")):
        done = commands.run(["import", collection.name, source, "--detach", "--json"], rooted)
        job = asking.get(context, int(json.loads(done.stdout)["id"]))
        assert (job.parameters["source"], job.local) == ({"path": "here.jsonl"}, False)
        asking.cancel(context, job.id)
    outside = lines(tmp_path / "outside.jsonl", [ready(0)])
    for source, given, said in (
        ("none.jsonl", rooted, "there is no file or folder 'none.jsonl' below"),
        (str(outside), rooted, "does not lie below the files root"),
        ("here.jsonl", environment, "LOOKALIKE_FILES_ROOT"),
    ):
        done = commands.run(["import", collection.name, source, "--detach"], given)
        assert (done.returncode, said in done.stderr) == (1, True), done.stderr
    done = commands.run(["import", collection.name, "none.jsonl"], environment)
    assert (done.returncode, "there is no file or folder 'none.jsonl'" in done.stderr) == (1, True), done.stderr
    assert asking.listed(context, collection_id=collection.id, states=[State.QUEUED, State.FAILED]) == []


def test_an_archive_that_unpacks_to_too_much_is_read_no_further(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.importing.archives._TOTAL_SPARE", 2**20)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(3):
            archive.writestr(f"{number}.png", bytes(2**20))
    with pytest.raises(InvalidRequest, match="more than 100 times its bytes"):
        list(zip_pictures(tmp_path / "bomb.zip", Reading(1000, 2**24)))
