"""`load`, `update` and `collection build` as jobs: interrupted, left to a worker, or done by their command."""

import json
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from app.cli import cli
from app.db import jobs as job_table
from app.domain.errors import Unavailable
from app.domain.jobs import Job, State
from app.services import records, updating
from app.services.jobs import asking
from app.services.jobs.bulk_jobs import LOAD, UPDATE, run_load
from app.services.jobs.kind import Kind
from app.services.jobs.running import Running
from app.services.jobs.working import Worker, host
from tests.api.conftest import Api, picture
from tests.support.importing import vectors
from tests.support.jobs import QUICK
from tests.support.replacing import own, stored


@pytest.fixture
def root(api: Api) -> Path:
    """The files root, with a folder of the test's own."""
    files = api.context.settings.files_root
    assert files is not None
    made = files / api.collection
    made.mkdir()
    return made


def lines(path: Path, records: list[Any]) -> str:
    path.write_text("".join(f"{one if isinstance(one, str) else json.dumps(one)}\n" for one in records))
    return f"{path.parent.name}/{path.name}"


def ready(api: Api, count: int) -> list[dict[str, Any]]:
    model = {"model": own(api).model, "revision": own(api).model_revision}
    return [{"_id": f"r{n}", "_embedding": {**model, "vector": one}, "n": n} for n, one in enumerate(vectors(count))]


def do(api: Api, kind: Kind, given: dict[str, Any], **options: Any) -> Job:
    job = asking.start(api.context, kind, own(api), given, **options)[0]
    return go_on(api, kind, job)


def go_on(api: Api, kind: Kind, job: Job) -> Job:
    worker = Worker(api.context, QUICK, [kind], "tests")
    held = worker.take(job.id)
    assert held is not None
    worker.do(held)
    return asking.get(api.context, job.id)


def command(api: Api, *arguments: str, home: Path) -> Result:
    environment = {"DATABASE_URL": api.context.db.url, "LOOKALIKE_HOME": str(home)}
    return CliRunner().invoke(cli, list(arguments), env=environment)


def jobs_of(api: Api, kind: str) -> list[Job]:
    return asking.listed(api.context, kinds=[kind], collection_id=own(api).id)


def test_a_load_is_asked_for_over_http_and_done_by_a_worker(api: Api, root: Path) -> None:
    name = lines(root / "in.jsonl", [*ready(api, 3), "no json", {"_id": "bare"}])
    sent = {"Authorization": f"Token {api.token}", "collection-id": api.collection}
    made = api.client.post("/jobs/v1/load", json={"path": name}, headers=sent).get_json()
    assert (made["kind"], made["state"]) == ("load", "queued")
    done = go_on(api, LOAD, asking.get(api.context, int(made["id"])))
    assert (done.state, done.error) == (State.DONE_WITH_REJECTS, None)
    assert done.outcome == {
        "stored": 3, "replaced": 0, "updated": 0, "present": 0, "deleted": 0, "rejected": 2, "passed_over": 0,
        "kept_because": None, "index_built": False,
    }  # fmt: skip
    assert (done.progress.done, done.progress.total, done.progress.rejected) == (5, 5, 2)
    told = {one.line: (one.id, one.reason) for one in asking.rejects(api.context, done.id)}
    assert told[4] == (None, "line 4: the line is not JSON: Expecting value, at character 0")
    assert (told[5][0], set(told)) == ("bare", {4, 5})
    sources = {one.line: one.source for one in asking.rejects(api.context, done.id)}
    assert sources == {4: "no json", 5: '{"_id": "bare"}'}
    assert sorted(stored(api)) == ["r0", "r1", "r2"]


def test_a_folder_s_rejects_are_named_by_their_paths(api: Api, root: Path) -> None:
    (root / "hats").mkdir()
    (root / "hats" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (root / "notes.txt").write_text("no picture")
    done = do(api, LOAD, {"path": root.name})
    assert isinstance(done.outcome, dict)
    assert (done.state, done.outcome["rejected"], done.outcome["passed_over"]) == (State.DONE_WITH_REJECTS, 1, 1)
    (told,) = asking.rejects(api.context, done.id)
    assert (told.line, told.id, told.reason.startswith("hats/broken.png: ")) == (1, "hats/broken.png", True)


@pytest.mark.parametrize(
    ("kind", "given", "said"),
    [
        ("load", {"path": "../etc"}, "below the files root"),
        ("load", {"path": "-"}, "below the files root"),
        ("update", {"path": "nowhere.jsonl"}, "below the files root"),
    ],
)
def test_what_is_not_below_the_files_root_fails(api: Api, kind: str, given: dict[str, Any], said: str) -> None:
    done = do(api, {"load": LOAD, "update": UPDATE}[kind], given)
    assert (done.state, said in str(done.error)) == (State.FAILED, True)


@pytest.mark.parametrize(
    ("kind", "given", "said"),
    [
        ("load", {}, "parameters.path"),
        ("load", {"path": 5}, "parameters.path"),
        ("load", {"path": "x", "replace": 1}, "parameters.replace"),
        ("load", {"path": "x", "delete_missing": True}, "parameters.delete_missing"),
        ("load", {"path": "x", "dry_run": True}, "no such parameter"),
        ("update", {"path": "\0"}, "parameters.path"),
        ("update", {"path": "x", "rebuild_index": "yes"}, "parameters.rebuild_index"),
    ],
)
def test_what_cannot_be_asked_for_is_named(api: Api, kind: str, given: dict[str, Any], said: str) -> None:
    sent = {"Authorization": f"Token {api.token}", "collection-id": api.collection}
    got = api.client.post(f"/jobs/v1/{kind}", json=given, headers=sent).get_json()["status"]
    assert (got["code"], said in got["error_description"]) == (402, True), got
    assert jobs_of(api, kind) == []


def _away_once(run: Callable[..., Any], after: int) -> Callable[..., Any]:
    """A run that loses the database once, when so much is done."""
    tries: list[int] = []

    def lost(context: Any, job: Running) -> Any:
        tries.append(job.progress.done)
        if len(tries) > 1:
            return run(context, job)
        safe, calls = job.safe_point, iter(range(10**6))

        def away() -> None:
            safe()
            if next(calls) >= after:
                raise Unavailable("the database is away")

        job.safe_point = away  # type: ignore[method-assign]
        return run(context, job)

    return lost


def test_an_update_goes_on_behind_what_it_has_done(api: Api, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(updating, "_CHUNK", 4)
    lines(root / "in.jsonl", ready(api, 20))
    assert do(api, LOAD, {"path": f"{root.name}/in.jsonl"}).state == State.DONE
    changes: list[Any] = [{"_id": f"r{n}", "n": 100 + n} for n in range(20)]
    changes[2:2] = ["[1]", {"_id": "nobody", "n": 1}]
    name = lines(root / "changes.jsonl", changes)
    met: list[list[str]] = []
    update = records.update

    def noted(context: Any, collection: Any, some: list[dict[str, Any]], fields: Any) -> Any:
        met.append([one["_id"] for one in some])
        return update(context, collection, some, fields)

    monkeypatch.setattr(records, "update", noted)
    done = do(api, replace(UPDATE, run=_away_once(UPDATE.run, 1)), {"path": name})
    assert done.outcome == {"changed": 20, "rejected": 2, "index_built": False}
    assert (done.state, done.progress.done, done.progress.total) == (State.DONE_WITH_REJECTS, 22, 22)
    assert [each for chunk in met for each in chunk] == [one["_id"] for one in changes if isinstance(one, dict)]
    told = [(one.line, one.code, one.id, one.source) for one in asking.rejects(api.context, done.id)]
    assert told == [(3, 402, None, None), (4, 404, "nobody", '{"_id":"nobody","n":1}')]
    assert {key: one["n"] for key, one in stored(api).items()} == {f"r{n}": 100 + n for n in range(20)}


def test_a_load_that_is_begun_anew_deletes_nothing_that_came_meanwhile(api: Api, root: Path) -> None:
    api.fill(2)
    name = lines(root / "in.jsonl", ready(api, 30))
    first = replace(LOAD, run=_away_once(LOAD.run, 20))

    def run(context: Any, job: Running) -> Any:
        if job.position is not None:
            api.post("insert", {"records": [{"_id": "late", "_base64": picture(7)}]}, code=210)
        return first.run(context, job)

    done = do(api, replace(LOAD, run=run), {"path": name, "replace": True, "delete_missing": True})
    assert isinstance(done.outcome, dict)
    assert (done.state, done.outcome["deleted"]) == (State.DONE, 2)
    assert sorted(stored(api)) == sorted(["late", *(f"r{n}" for n in range(30))])


def test_a_pipe_that_was_read_once_is_not_read_on(api: Api, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    text = "".join(json.dumps(one) + "\n" for one in ready(api, 9))
    writer = threading.Thread(target=pipe.write_text, args=(text,))
    writer.start()
    kind = replace(LOAD, run=_away_once(LOAD.run, 4))
    done = do(api, kind, {"path": str(pipe)}, local=True, reserved="tests")
    writer.join()
    assert (done.state, "what it read from a pipe is not there any more" in str(done.error)) == (State.FAILED, True)


def test_commands_do_the_jobs_that_they_make(api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "in.jsonl"
    lines(file, [*ready(api, 4), "x"])
    loaded = command(api, "load", api.collection, str(file), "--json", home=tmp_path)
    assert loaded.exit_code == 0, loaded.output
    assert json.loads(loaded.stdout)["stored"] == 4
    (job,) = jobs_of(api, "load")
    assert (job.state, job.progress.done, job.progress.total, job.local) == (State.DONE_WITH_REJECTS, 5, 5, True)
    assert job.parameters == {"path": str(file), "replace": False, "delete_missing": False}
    lines(tmp_path / "changes", [{"_id": "r1", "n": 7}, {"_id": "no", "n": 7}])
    changed = command(api, "update", api.collection, str(tmp_path / "changes"), home=tmp_path)
    assert (changed.exit_code, changed.stdout) == (0, "2 lines: 1 changed, 1 skipped\n"), changed.output
    assert "skipped: line 2 (_id no): no such record" in changed.stderr
    assert jobs_of(api, "update")[0].outcome == {"changed": 1, "rejected": 1, "index_built": False}
    assert "nothing to build" in command(api, "collection", "build", api.collection, home=tmp_path).stdout
    assert jobs_of(api, "index") == []
    monkeypatch.setenv("LOOKALIKE_INDEX_ROWS", "0")
    left = command(api, "collection", "build", api.collection, "--detach", home=tmp_path)
    assert (left.exit_code, "is queued" in left.stdout) == (0, True)
    built = command(api, "collection", "build", api.collection, home=tmp_path)
    assert (built.exit_code, built.stdout) == (0, f"{api.collection}: built\n"), built.output
    assert [one.state for one in jobs_of(api, "index")] == [State.DONE, State.CANCELLED]


@pytest.mark.parametrize("name", ["load", "update"])
def test_commands_leave_their_jobs_to_workers(api: Api, root: Path, tmp_path: Path, name: str) -> None:
    there = lines(root / "in.jsonl", ready(api, 2))
    left = command(api, name, api.collection, there, "--detach", "--json", home=tmp_path)
    assert (left.exit_code, json.loads(left.stdout)["state"]) == (0, "queued"), left.output
    (job,) = jobs_of(api, name)
    assert (job.local, job.parameters["path"]) == (False, there)
    asking.cancel(api.context, job.id)
    for more in (["-", "--detach"], [there, "--detach", "--skipped-to", str(tmp_path / "x")], [str(root / "none")]):
        refused = command(api, name, api.collection, *more, home=tmp_path)
        assert refused.exit_code == 2, refused.output
    assert len(jobs_of(api, name)) == 1


def test_a_command_takes_the_place_of_one_that_was_killed(api: Api, tmp_path: Path) -> None:
    """Also that of another source holds nothing up; it pauses, and goes on with its own command."""
    gone = f"{host()}/{2**22 + 1}/abc"  # no process has such a number
    files = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    for file in files:
        lines(file, ready(api, 3))
    killed = []
    for file in files:
        given = {"path": str(file)}
        job = asking.start(api.context, LOAD, own(api), given, reserved=gone, local=True)[0]
        killed.append(job.id)
        if file == files[0]:
            assert job_table.claim(api.context.db, gone, ["load"], 60, job.id) is not None
    done = command(api, "load", api.collection, str(files[1]), home=tmp_path)
    assert done.exit_code == 0, done.output
    assert [asking.get(api.context, one).state for one in killed] == [State.PAUSED, State.CANCELLED]
    done = command(api, "load", api.collection, str(files[0]), home=tmp_path)
    assert "3 were there already" in done.stdout
    assert asking.get(api.context, killed[0]).state == State.CANCELLED


def test_an_interrupted_command_pauses_its_job(api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    file = tmp_path / "in.jsonl"
    lines(file, ready(api, 3))
    monkeypatch.setattr("app.services.jobs.bulk_jobs.load", interrupted)
    stopped = command(api, "load", api.collection, str(file), home=tmp_path)
    assert (stopped.exit_code, "is paused: the same command goes on with it\n" in stopped.stderr) == (130, True)
    (job,) = jobs_of(api, "load")
    assert job.state == State.PAUSED
    monkeypatch.undo()
    assert run_load is LOAD.run
    assert command(api, "load", api.collection, str(file), home=tmp_path).exit_code == 0
    assert sorted(stored(api)) == ["r0", "r1", "r2"]
