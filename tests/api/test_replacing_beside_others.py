"""Loads that replace and delete: beside other callers, tried beforehand, interrupted."""

import base64
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from app.cli import cli
from app.db import replacing
from app.services import loading
from app.services.folders import scan
from app.services.loading import line_items, load
from app.services.pipeline import Pipeline
from tests.api.conftest import Api, picture
from tests.support.replacing import Json, counts, forget_digests, given, lines, own, rows, stored


def test_what_the_source_lacks_is_deleted_but_for_what_came_meanwhile(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.fill(5)
    forget_digests(api)
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
                ("update", {"records": [{**one, "touched": 1} for one in ids]}),
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
    vectors = rows(api, "embedding::text")
    for n in range(60):
        attributes = {key: value for key, value in found[str(n)].items() if key != "touched"}
        assert attributes in ({"round": 5}, {"by": "api"})
        shown = 6 if "by" in attributes else n % 7
        assert vectors[str(n)] == vectors[str(next(m for m in range(10, 20) if m % 7 == shown))], "of its own picture"


def test_the_command_says_what_it_did_and_refuses_half_an_order(api: Api, tmp_path: Path) -> None:
    file = tmp_path / "in.jsonl"
    file.write_text(json.dumps({"_id": "a", "_base64": picture(1)}) + "\n")
    environment = {"DATABASE_URL": api.context.db.url, "LOOKALIKE_HOME": str(tmp_path)}
    half = CliRunner().invoke(cli, ["load", api.collection, str(file), "--delete-missing"], env=environment)
    assert half.exit_code == 2
    assert "--delete-missing needs --replace" in half.stderr
    half = CliRunner().invoke(cli, ["load", api.collection, str(file), "--dry-run"], env=environment)
    assert half.exit_code == 2
    assert "--dry-run needs --replace" in half.stderr
    command = ["load", api.collection, str(file), "--replace", "--delete-missing"]
    api.fill(2)
    tried = CliRunner().invoke(cli, [*command, "--dry-run"], env=environment)
    assert tried.exit_code == 0, tried.output
    assert tried.stdout.splitlines() == [
        "nothing was written; this is what a load would do",
        "1 seen: 1 stored, 0 have another picture now, 0 other attributes, 0 were so already, 0 skipped, 0 passed over",
        "2 that the source does not have would be deleted",
        "  stored: a",
        "  deleted: 0, 1",
    ]
    assert sorted(stored(api)) == ["0", "1"]
    as_json = json.loads(CliRunner().invoke(cli, [*command, "--dry-run", "--json"], env=environment).stdout)
    assert as_json["dry_run"] is True
    assert (as_json["stored"], as_json["deleted"]) == (1, 2)
    assert as_json["examples"] == {"stored": ["a"], "deleted": ["0", "1"]}
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


def test_a_record_that_another_caller_put_in_the_place_of_the_compared_one_stays_whole(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = [{"_id": one, "_base64": picture(1)} for one in "abc"]
    lines(api, tmp_path, source)
    before = replacing.refresh

    def meanwhile(*given: Any) -> Any:
        api.post("delete", {"records": [{"_id": "a"}, {"_id": "b"}]}, code=220)
        api.post("insert", {"records": [{"_id": "a", "_base64": picture(6), "by": "api"}]}, code=210)
        return before(*given)

    monkeypatch.setattr(replacing, "refresh", meanwhile)
    report = lines(api, tmp_path, [{**one, "round": 2} for one in source])
    assert stored(api) == {"a": {"by": "api"}, "c": {"round": 2}}, "the last writer's picture with its attributes"
    assert report.seen == 3


def test_a_record_that_comes_and_goes_after_the_others_are_locked_is_none_that_failed(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = [{"_id": one, "_base64": picture(1)} for one in "ab"]
    lines(api, tmp_path, source)
    refresh, lock, contents = replacing.refresh, replacing._lock, replacing._contents

    def refreshing(*given: Any) -> Any:
        api.post("delete", {"records": [{"_id": "a"}]}, code=220)
        monkeypatch.setattr(replacing, "_lock", locking)
        monkeypatch.setattr(replacing, "_contents", reading)
        return refresh(*given)

    def locking(*given: Any) -> Any:
        locked = lock(*given)
        api.post("insert", {"records": [{"_id": "a", "_base64": picture(1), "by": "api"}]}, code=210)
        return locked

    def reading(*given: Any) -> Any:
        known = contents(*given)
        api.post("delete", {"records": [{"_id": "a"}]}, code=220)
        return known

    monkeypatch.setattr(replacing, "refresh", refreshing)
    report = lines(api, tmp_path, [{**one, "round": 2} for one in source])
    assert (counts(report), report.failed) == ((0, 0, 1, 1), [])
    assert stored(api) == {"b": {"round": 2}}


def test_a_record_that_comes_while_the_old_one_is_deleted_stays(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.fill(2)
    before = replacing.older

    def meanwhile(*given: Any) -> Any:
        for page in before(*given):
            api.post("delete", {"records": [{"_id": "1"}]}, code=220)
            api.post("insert", {"records": [{"_id": "1", "_base64": picture(8), "by": "api"}]}, code=210)
            yield page

    monkeypatch.setattr(replacing, "older", meanwhile)
    report = lines(api, tmp_path, [{"_id": "new", "_base64": picture(3)}], delete_missing=True)
    assert report.deleted == 1
    assert stored(api) == {"new": {}, "1": {"by": "api"}}


@pytest.mark.parametrize("kind", ["nothing", "a folder"])
def test_nothing_is_deleted_where_a_link_was_not_followed(api: Api, tmp_path: Path, kind: str) -> None:
    folder, elsewhere = tmp_path / "photos", tmp_path / "elsewhere"
    (folder / "hats").mkdir(parents=True)
    for name in ("hats/1.png", "2.png"):
        (folder / name).write_bytes(base64.b64decode(picture(1)))
    load(api.context, own(api), scan(folder))
    (folder / "hats").rename(elsewhere)
    if kind == "nothing":
        (folder / "hats").symlink_to(tmp_path / "not mounted")
    else:
        (folder / "hats").symlink_to(elsewhere)
    report = load(api.context, own(api), scan(folder), replace_stored=True, delete_missing=True)
    assert report.deleted == 0
    assert report.kept_because is not None
    assert report.kept_because.startswith(f"hats is a link to {kind}")
    assert sorted(stored(api)) == ["2.png", "hats/1.png"]
    (folder / "hats").unlink()
    report = load(api.context, own(api), scan(folder), replace_stored=True, delete_missing=True)
    assert (report.deleted, report.kept_because, sorted(stored(api))) == (1, None, ["2.png"])


def everything(api: Api) -> list[dict[str, Any]]:
    """Return all that is stored of a collection, and where on the pages of its tables."""
    with api.context.db.session() as connection:
        tables = own(api).records_table, f"thumbnails_{own(api).id}", f"originals_{own(api).id}"
        columns = "t.*::text AS whole, t.ctid::text, t.xmin::text, t.xmax::text"
        queries = [f"SELECT {columns} FROM lookalike.{name} AS t ORDER BY t.id".encode() for name in tables]
        return [row for query in queries for row in connection.execute(query)]


def test_a_dry_run_says_what_the_load_does_and_writes_nothing(
    api: Api, tmp_path: Path, embedded: list[str], new_collection: Callable[..., str]
) -> None:
    api.collection = new_collection(keep_images=True)
    lines(api, tmp_path, [{"_id": f"r{n}", "_base64": picture(n), "n": n} for n in range(9)])
    with api.context.db.session() as connection:  # as SQL and earlier versions leave records
        connection.execute(
            f"UPDATE lookalike.{own(api).records_table} SET digest = NULL WHERE id IN ('r6', 'r7')".encode()
        )
    source = [{"_id": f"r{n}", "_base64": picture(n), "n": n} for n in range(8)]
    source[0]["_base64"] = picture(40)
    source[1]["n"] = 11
    source[2]["_box"] = [0, 0, 80, 80]
    del source[3]["_base64"]
    source[3] |= {"_embedding": given(api)}
    source[7]["_base64"] = picture(47)
    source.append({"_id": "new", "_base64": picture(50)})
    before = everything(api)
    embedded.clear()
    foreseen = lines(api, tmp_path, source, delete_missing=True, dry_run=True)
    assert everything(api) == before
    assert sorted(embedded) == ["r3", "r6", "r7"], "what is known by its hash, or new, needs no model"
    assert (counts(foreseen), foreseen.deleted) == ((1, 4, 1, 3), 1)
    assert {outcome: sorted(ids) for outcome, ids in foreseen.examples.items()} == {
        "stored": ["new"],
        "replaced": ["r0", "r2", "r3", "r7"],
        "updated": ["r1"],
        "deleted": ["r8"],
    }
    done = lines(api, tmp_path, source, delete_missing=True)
    assert (counts(done), done.deleted) == (counts(foreseen), foreseen.deleted)
    again = lines(api, tmp_path, source, delete_missing=True, dry_run=True)
    assert (counts(again), again.deleted) == ((0, 0, 0, 9), 0)


def test_a_load_that_was_interrupted_ends_as_one_that_was_not(
    api: Api, tmp_path: Path, new_collection: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "_CHUNK", 10)
    before = [{"_id": f"r{n:02}", "_base64": picture(n % 5), "n": n} for n in range(90)]
    after = [{**one, "_base64": picture(5 + n % 6), "n": -n} for n, one in enumerate(before[:80])]
    ends = []
    for interrupted in (False, True):
        api.collection = new_collection(keep_images=True)
        lines(api, tmp_path, before)
        if interrupted:
            (tmp_path / "in.jsonl").write_text("".join(json.dumps(one) + "\n" for one in after))
            steps = itertools.count(1)

            def progress(_: int, steps: Iterator[int] = steps) -> None:
                if next(steps) == 3:
                    raise KeyboardInterrupt

            with pytest.raises(KeyboardInterrupt):
                load(
                    api.context,
                    own(api),
                    line_items(api.context, tmp_path / "in.jsonl"),
                    replace_stored=True,
                    delete_missing=True,
                    progress=progress,
                )
            there = stored(api)
            assert len(there) == 90, "nothing is deleted before all else is done"
            done = sum(one["n"] < 0 for one in there.values())
            assert 0 < done < 79, "what was stored is kept"
        report = lines(api, tmp_path, after, delete_missing=True)
        assert report.deleted == 10
        assert sum(counts(report)) == 80
        columns = "attributes, embedding::text, digest"
        with api.context.db.session() as connection:
            kept = connection.execute(
                f"SELECT id, md5(picture) AS picture FROM lookalike.originals_{own(api).id} ORDER BY id".encode()
            ).fetchall()
        ends.append((rows(api, columns), kept))
    assert ends[0] == ends[1]


def test_a_load_lets_go_of_what_another_caller_waits_for_before_it_waits_itself(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.post("insert", {"records": [{"_id": "a", "_base64": picture(1)}]}, code=210)
    lock = replacing._lock
    codes: list[int] = []

    def insert() -> None:
        both = [{"_id": own, "_base64": picture(3), "by": "api"} for own in "ab"]
        codes.append(api.call("insert", {"records": both}).get_json()["status"]["code"])

    caller = threading.Thread(target=insert)

    def meanwhile(*given: Any, **more: Any) -> list[str]:
        monkeypatch.setattr(replacing, "_lock", lock)
        api.post("delete", {"records": [{"_id": "a"}]}, code=220)
        caller.start()  # stores a, and waits for b, which the load has stored
        with api.context.db.session() as connection:
            while not connection.execute("SELECT FROM pg_locks WHERE NOT granted").fetchall():
                time.sleep(0.01)
        return lock(*given, **more)

    monkeypatch.setattr(replacing, "_lock", meanwhile)
    report = lines(api, tmp_path, [{"_id": own, "_base64": picture(2), "by": "load"} for own in "ab"])
    caller.join()
    assert codes == [210]
    assert (counts(report), report.failed) == ((0, 2, 0, 0), [])
    assert stored(api) == {"a": {"by": "load"}, "b": {"by": "load"}}
