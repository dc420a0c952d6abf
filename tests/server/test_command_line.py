"""The command line as a user types it: in a process of its own where a process is what is tested."""

import json
import re
import signal
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest
import requests

from app.db import collections, loads, searchlog
from app.db.engine import Database
from app.db.records import NewRecord
from app.domain.browser import COOKIE
from app.domain.searches import Entry
from tests.api.conftest import drawing
from tests.db.vectors import random_vectors
from tests.server.conftest import LOOKALIKE, Server, clean_environment
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def shell(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Server:
    home = tmp_path_factory.mktemp("shell")
    return Server(clean_environment(LOOKALIKE_HOME=str(home), DATABASE_URL=module_database_url), home / "log")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for kind in ("shoes", "hats"):
        (tmp_path / kind).mkdir()
    for number in range(12):
        drawing(number).save(tmp_path / ("shoes", "hats")[number % 2] / f"{number}.png")
    (tmp_path / "hats" / "broken.jpg").write_text("this is no picture")
    (tmp_path / "notes.txt").write_text("not a picture at all")
    return tmp_path


def test_collections_are_created_listed_shown_and_dropped(shell: Server) -> None:
    made = shell.json("collection", "create", "one", "--service", "products", "--capacity", "5")
    assert made["name"] == "one"
    assert made["service"] == "products"
    assert made["model"] == "efficientnet-lite0"
    assert made["capacity"] == 5
    assert "one" in {row["name"] for row in shell.json("collection", "list")}
    assert shell.json("collection", "show", "one")["records"] == 0
    assert "served by the index" in shell.command("collection", "index", "one", "price").stdout
    assert shell.json("collection", "show", "one")["indexed_fields"] == ["price"]
    shell.command("collection", "drop", "one", "--yes")
    assert "one" not in {row["name"] for row in shell.json("collection", "list")}


def test_a_collection_says_whether_it_keeps_pictures_and_what_a_product_is(shell: Server) -> None:
    arguments = ("--service", "photo", "--keep-images", "--product-field", "product")
    made = shell.json("collection", "create", "kept", *arguments)
    assert (made["keep_images"], made["product_field"]) == (True, "product")
    for given, field in (("--product-field=sku", "sku"), ("--no-product-field", None)):
        shell.command("collection", "set", "kept", given)
        shown = shell.json("collection", "show", "kept")
        assert (shown["keep_images"], shown["product_field"]) == (True, field)
    assert shown["original_bytes"] >= 0
    assert "keep_images          True" in shell.command("collection", "show", "kept").stdout
    assert shell.command("collection", "set", "kept", check=False).returncode == 2
    assert "aim at a recall of 0.9" in shell.command("collection", "set", "kept", "--recall-target", "0.9").stdout
    shown = shell.json("collection", "show", "kept")
    assert (shown["recall_target"], shown["recall"]) == (0.9, None)
    assert "the capacity is 5 records" in shell.command("collection", "set", "kept", "--capacity", "5").stdout
    assert "no capacity" in shell.command("collection", "set", "kept", "--no-capacity").stdout
    assert shell.command("collection", "set", "kept", "--recall-target", "nan", check=False).returncode == 1
    assert shell.command("collection", "set", "kept", "--product-field", "$x", check=False).returncode == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("collection", "create", "bad name", "--service", "photo"), "letters, digits"),
        (("collection", "create", "x", "--service", "photo", "--model", "nothing"), "there is no model 'nothing'"),
        (("collection", "show", "nowhere"), "there is no collection 'nowhere'"),
        (("token", "create", "--collection", "nowhere"), "there is no collection 'nowhere'"),
        (("token", "revoke", "9999"), "there is no token 9999"),
        (("load", "nowhere", "."), "there is no collection 'nowhere'"),
        (("collection", "index", "nowhere", "price"), "there is no collection 'nowhere'"),
        (("collection", "index", "nowhere", "kind", "--each-value"), "there is no collection 'nowhere'"),
        (("collection", "set", "nowhere", "--product-field", "x"), "there is no collection 'nowhere'"),
        (("collection", "reindex", "nowhere"), "there is no collection 'nowhere'"),
        (("collection", "advise", "nowhere"), "there is no collection 'nowhere'"),
        (("collection", "recall", "nowhere"), "there is no collection 'nowhere'"),
    ],
)
def test_errors_are_one_line_without_a_trace(shell: Server, arguments: tuple[str, ...], said: str) -> None:
    done = shell.command(*arguments, check=False)
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stdout == ""


def test_a_bad_taxonomy_is_refused_before_anything_starts(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('templates = ["a {}"]\n[[groups]]\nname = "kind"\nchoose = "one"\nlabels = []\n')
    home = tmp_path / "home"
    environment = clean_environment(LOOKALIKE_HOME=str(home), LOOKALIKE_FASHION_TAXONOMY=str(path))
    done = Server(environment, tmp_path / "log").command("serve", check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"lookalike: the fashion taxonomy '{path}': at groups[0].thresholds: field required\n"
    assert not home.exists()


def test_what_an_index_needs_is_said(shell: Server) -> None:
    shell.json("collection", "create", "small", "--service", "photo")
    assert shell.json("collection", "show", "small")["index_build"] is None
    refused = shell.command("collection", "reindex", "small", check=False)
    assert "has no index" in refused.stderr
    said = shell.command("collection", "advise", "small", "--apply").stdout
    assert said == "small: no search with a filter is in the log, which the server keeps with LOOKALIKE_LOG_SEARCHES\n"
    nothing = {"searches": 0, "milliseconds": 0, "advice": [], "applied": False}
    assert shell.json("collection", "advise", "small") == nothing
    refused = shell.command("collection", "recall", "small", check=False)
    assert "nothing to measure" in refused.stderr
    refused = shell.command("collection", "recall", "small", "--filter", '{"n": ', check=False)
    assert "--filter is not JSON" in refused.stderr
    refused = shell.command("collection", "index", "small", "kind", "--each-value", check=False)
    assert "small has no index: it gets one beyond 10000 records" in refused.stderr
    shell.command("collection", "drop", "small", "--yes")


def test_an_index_of_each_value(shell: Server, module_database_url: str) -> None:
    shell.json("collection", "create", "valued", "--service", "photo")
    db = Database(module_database_url)
    db.open()
    rows = [
        NewRecord(f"r{n}", f'{{"kind": "{"boots" if n % 5 else "hats"}", "n": {n}}}', vector)
        for n, vector in enumerate(random_vectors(3000, 256))
    ]
    loads.copy(db, collections.get(db, "valued"), rows)
    note = Entry(
        datetime.now(UTC), 1, collections.get(db, "valued").id, "m", None, {"kind": "boots"}, 9, 9, 5.0, "exact"
    )
    searchlog.add(db, [note] * 10, 1000)
    db.close()
    few = replace(shell, environment={**shell.environment, "LOOKALIKE_INDEX_ROWS": "1000"})
    assert few.command("collection", "build", "valued").stdout == "valued: built\n"
    said = few.command("collection", "advise", "valued").stdout
    assert re.fullmatch(
        r"valued: an HNSW index of each frequent value of kind \([\d.]+ MiB\) would spare 10 searches \d+ ms:"
        r" \d+\.\d ms now, about \d+\.\d ms with it; lookalike collection index valued kind --each-value\n",
        said,
    ), said
    assert few.json("collection", "show", "valued")["partial_indexes"] == {}
    assert few.command("collection", "advise", "valued", "--apply").stdout == f"{said}valued: built\n"
    told = few.json("collection", "advise", "valued")
    assert (told["searches"], told["advice"]) == (10, [])
    again = few.command("collection", "index", "valued", "kind", "--each-value").stdout
    assert again == 'valued: kind "boots": 2,400 records, has its index\n'
    assert few.json("collection", "show", "valued")["partial_indexes"] == {"kind": ["boots"]}
    none = few.command("collection", "index", "valued", "n", "--each-value").stdout
    assert none == "valued: no value of n is that of 2000 records or more\n"
    refused = few.command("collection", "index", "valued", "a.b", "--each-value", check=False)
    assert refused.stderr == "lookalike: an index is declared on a top-level attribute, by its name\n"
    dropped = few.command("collection", "index", "valued", "kind", "--no-each-value").stdout
    assert dropped == "valued: indexes of values of kind that were dropped: 1\n"
    assert few.json("collection", "show", "valued")["partial_indexes"] == {}
    shell.command("collection", "drop", "valued", "--yes")


def test_a_name_that_is_taken_is_refused(shell: Server) -> None:
    shell.json("collection", "create", "taken", "--service", "photo")
    done = shell.command("collection", "create", "taken", "--service", "photo", check=False)
    assert "exists already" in done.stderr


def test_tokens(shell: Server) -> None:
    shell.json("collection", "create", "own", "--service", "photo")
    made = shell.json("token", "create", "--scope", "read", "--scope", "write", "--collection", "own")
    assert len(made["token"]) < 70
    rows = {row["id"]: row for row in shell.json("token", "list")}
    assert rows[made["id"]]["scopes"] == ["read", "write"]
    assert rows[made["id"]]["collections"] == ["own"]
    assert made["token"] not in json.dumps(list(rows.values()))
    shell.command("token", "revoke", str(made["id"]))
    assert next(row for row in shell.json("token", "list") if row["id"] == made["id"])["revoked_at"]


def test_load_skips_bad_files_and_goes_on_where_it_stopped(shell: Server, folder: Path) -> None:
    shell.json("collection", "create", "loaded", "--service", "photo")
    first = shell.json("load", "loaded", str(folder))
    assert (first["stored"], first["present"]) == (12, 0)
    assert [failure["_id"] for failure in first["failed"]] == ["hats/broken.jpg"]
    assert [passed["place"] for passed in first["passed_over"]] == ["notes.txt"]
    assert first["seen"] == 14
    drawing(50).save(folder / "shoes" / "50.png")
    second = shell.json("load", "loaded", str(folder))
    assert (second["stored"], second["present"]) == (1, 12)
    assert shell.json("collection", "show", "loaded")["records"] == 13
    query = "SELECT attributes FROM lookalike.records WHERE id = 'hats/3.png'"
    told = shell.process_of("db", "psql", "-At", "-c", query).stdout  # psql writes by itself
    assert json.loads(told) == {"_file": "hats/3.png", "category": "hats"}


def test_a_killed_load_is_resumed(shell: Server, folder: Path) -> None:
    """It is killed while it waits in the middle of a chunk, after others were stored."""
    for number in range(700):
        drawing(number, 64).save(folder / "shoes" / f"more{number}.png")
    shell.json("collection", "create", "killed", "--service", "photo", "--model", "pixels")
    with psycopg.connect(shell.environment["DATABASE_URL"]) as connection:
        connection.execute(
            "CREATE FUNCTION wait_here() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NEW; END'"
        )
        row = connection.execute("SELECT id FROM lookalike.collections WHERE name = 'killed'").fetchone()
        assert row is not None
        connection.execute(
            f"CREATE TRIGGER wait_here BEFORE INSERT ON lookalike.records_{row[0]} FOR EACH ROW"
            " WHEN (NEW.id = 'shoes/more99.png') EXECUTE FUNCTION wait_here()"
        )
    process = subprocess.Popen(
        [LOOKALIKE, "load", "killed", str(folder)],
        env=shell.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    waiting = "FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database()"
    with psycopg.connect(shell.environment["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(7)")
        eventually(lambda: process.poll() is not None or connection.execute(f"SELECT {waiting}").fetchall())
        assert process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        connection.execute(f"SELECT pg_terminate_backend(pid) {waiting}")
        connection.execute(f"DROP TRIGGER wait_here ON lookalike.records_{row[0]}")
    before = shell.json("collection", "show", "killed")["records"]
    assert 0 < before < 712
    done = shell.json("load", "killed", str(folder))
    assert done["present"] == before
    assert done["stored"] == 712 - before
    assert shell.json("collection", "show", "killed")["records"] == 712


def test_lines_are_loaded_with_their_attributes(shell: Server, tmp_path: Path) -> None:
    drawing(1).save(tmp_path / "1.png")
    lines: list[Any] = [{"_id": "a", "_file": "1.png", "price": 3.50, "tags": ["x"]}, {"_id": "b", "_file": "none.png"}]
    (tmp_path / "lines.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    shell.json("collection", "create", "lines", "--service", "photo")
    done = shell.json("load", "lines", str(tmp_path / "lines.jsonl"))
    assert done["stored"] == 1
    assert [failure["_id"] for failure in done["failed"]] == ["b"]
    (tmp_path / "bad.jsonl").write_text('{"_id": "c"}\nnot json\n')
    skipped = tmp_path / "skipped.jsonl"
    failed = shell.command("load", "lines", str(tmp_path / "bad.jsonl"), "--skipped-to", str(skipped), check=False)
    assert failed.returncode == 1
    assert failed.stdout == "2 seen: 0 stored, 0 were there already, 2 skipped, 0 passed over\n"
    assert "skipped: line 2: the line is not JSON" in failed.stderr
    assert {json.loads(line)["place"] for line in skipped.read_text().splitlines()} == {"line 1", "line 2"}


@pytest.mark.parametrize("source", ["-", "/dev/stdin"])
def test_lines_come_through_a_pipe(shell: Server, source: str, tmp_path: Path) -> None:
    name = f"piped{len(source)}"
    shell.json("collection", "create", name, "--service", "photo", "--model", "pixels")
    drawing(1).save(tmp_path / "1.png")
    lines = "".join(f'{{"_id": "{own}", "_file": "1.png"}}\n' for own in "ab")
    for command, given, expected in (
        ("load", lines, {"seen": 2, "stored": 2}),
        ("update", '{"_id": "a", "price": 5}', {"seen": 1, "changed": 1}),
    ):
        done = subprocess.run(
            [LOOKALIKE, command, name, source, "--json"],
            env=shell.environment, cwd=tmp_path, input=given, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert json.loads(done.stdout).items() >= expected.items()


def test_what_is_exported_can_be_loaded_again(shell: Server, folder: Path) -> None:
    shell.json("collection", "create", "source", "--service", "photo")
    shell.json("load", "source", str(folder))
    lines = shell.command("export", "source", "--filter", '{"category": "hats"}').stdout
    assert {json.loads(line)["category"] for line in lines.splitlines()} == {"hats"}
    assert len(lines.splitlines()) == 6
    (folder / "again.jsonl").write_text(lines)
    shell.json("collection", "create", "copy", "--service", "photo")
    assert shell.json("load", "copy", str(folder / "again.jsonl"))["stored"] == 6
    assert shell.command("export", "copy").stdout == lines
    bad = shell.command("export", "copy", "--filter", '{"$x": 1}', check=False)
    assert "$x" in bad.stderr


def test_lines_change_attributes_and_nothing_else(shell: Server, folder: Path, tmp_path: Path) -> None:
    shell.json("collection", "create", "priced", "--service", "photo")
    shell.json("load", "priced", str(folder))
    before = {one["_id"]: one for one in map(json.loads, shell.command("export", "priced").stdout.splitlines())}
    lines = tmp_path / "prices.jsonl"
    changes = [
        {"_id": own, "price": number, "category": None}
        for number, own in enumerate(sorted(before))
        if own != "hats/3.png"
    ]
    refused = {**before["hats/3.png"], "_file": "elsewhere.png"}
    lines.write_text("\n".join(map(json.dumps, [*changes, {"_id": "nobody", "price": 1}, refused])) + "\n\n")
    expected = {own: {**record, "price": number} for number, (own, record) in enumerate(sorted(before.items()))}
    expected["hats/3.png"] = before["hats/3.png"]
    for own in changes:
        del expected[str(own["_id"])]["category"]
    for _ in range(2):  # the second run changes nothing
        done = shell.json("update", "priced", str(lines))
        assert done["changed"] == len(changes)
        assert {one["_id"]: one["reason"] for one in done["skipped"]} == {
            "nobody": "no such record",
            "hats/3.png": "_file cannot be changed: delete the record and insert it again",
        }
        after = {one["_id"]: one for one in map(json.loads, shell.command("export", "priced").stdout.splitlines())}
        assert after == expected
    (tmp_path / "bad.jsonl").write_text('{"_id": "nobody", "price": 7}\n[1]')
    failed = shell.command("update", "priced", str(tmp_path / "bad.jsonl"), check=False)
    assert failed.returncode == 1
    assert failed.stdout == "2 lines: 0 changed, 2 skipped\n"
    assert "skipped: line 2: a record must be a JSON object" in failed.stderr


def test_duplicates_are_found(shell: Server, folder: Path) -> None:
    drawing(3).save(folder / "copy-of-3.png")
    shell.json("collection", "create", "twins", "--service", "photo")
    shell.json("load", "twins", str(folder))
    lines = [json.loads(line) for line in shell.command("duplicates", "twins", "--radius", "0.01").stdout.splitlines()]
    assert [line["records"] for line in lines] == [["copy-of-3.png", "hats/3.png"]]
    assert lines[0]["distance"] == pytest.approx(0, abs=1e-4)


def test_the_database_commands(shell: Server) -> None:
    assert "schema at revision" in shell.command("db", "upgrade").stdout
    assert "ready to be served" in shell.command("db", "check").stdout
    assert shell.command("db", "url").stdout.strip() == shell.environment["DATABASE_URL"]
    assert shell.command("sql", "apply").stdout == ""
    assert [row["dimensions"] for row in shell.json("db", "calibrate", "--dimensions", "16")] == [16]
    printed = shell.command("sql", "print").stdout
    assert "CREATE OR REPLACE FUNCTION lookalike.create_collection" in printed
    psql = subprocess.run(
        [LOOKALIKE, "db", "psql", "-v", "ON_ERROR_STOP=1", "-q"],
        env=shell.environment,
        input=printed,
        text=True,
        capture_output=True,
        check=False,
    )
    assert psql.returncode == 0, psql.stderr


def test_the_demo_answers_the_curl_line_that_it_prints(tmp_path: Path) -> None:
    server = Server(clean_environment(LOOKALIKE_HOME=str(tmp_path / "home")), tmp_path / "log")
    with (tmp_path / "out").open("wb") as out, server.log.open("wb") as log:
        process = subprocess.Popen(
            [LOOKALIKE, "demo", "--port", str(server.port)], env=server.environment, stdout=out, stderr=log
        )
    try:
        server.process = process
        server.wait_ready()
        said = server.log.read_text()
        assert "2 copies of dress-002 added" in said
        assert "collection 'demo': 402 pictures" in said
        printed = (tmp_path / "out").read_text()
        line = printed[printed.index("curl ") :]
        answer = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True, timeout=200)
        got = json.loads(answer.stdout)
        assert got["status"]["code"] == 200
        assert got["answer_count"] == 5
        query = got["answer_records"][0]
        assert f"Find what looks like {query['_id']}:" in printed
        assert query["category"] in {record["category"] for record in got["answer_records"][1:]}
        assert requests.get(f"{server.url}/healthz", timeout=5).status_code == 200
        headers = {"Authorization": "Token " + re.findall(r"Your token: (\S+)", printed)[0], "collection-id": "demo"}
        told = requests.post(f"{server.url}/duplicates/v1/groups", json={"k": 1000}, headers=headers, timeout=60).json()
        planted = next(group for group in told["groups"] if "dress-002" in group["members"])
        assert planted["members"] == ["dress-002", "dress-002-close-up", "dress-002-cropped"]
        assert not planted["complete"]
        link = re.findall(r"/console/sign-in#(\S+)", printed)[0]
        assert "Keep it to\nyourself" in printed
        cookies = {COOKIE: link}
        for screen in ("access", "operations"):
            assert requests.get(f"{server.url}/console/{screen}", cookies=cookies, timeout=60).status_code == 200
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(200)
    assert "was sent SIG" not in server.log.read_text()


def test_jobs_are_left_to_workers_told_of_and_changed(shell: Server) -> None:
    shell.json("collection", "create", "worked", "--service", "photo", "--model", "phash")
    left = shell.command("collection", "reembed", "worked", "--model", "color-palette", "--detach", "--json")
    made = orjson.loads(left.stdout)
    assert (made["kind"], made["state"], made["collection"]) == ("reembed", "queued", "worked")
    assert "no worker is there to do it" in left.stderr
    number = made["id"]
    assert f"job {int(number) + 1} is queued" in shell.command("collection", "index", "worked", "n", "--detach").stdout
    listed = shell.json("job", "list", "--collection", "worked", "--state", "queued")
    assert [job["kind"] for job in listed] == ["field-index", "reembed"]
    assert shell.json("job", "pause", number)["state"] == "paused"
    assert "phase" in shell.command("job", "show", number).stdout
    watched = shell.command("job", "watch", number, check=False)
    assert (watched.returncode, "paused" in watched.stdout) == (1, True)
    assert shell.command("job", "rejects", number).stdout == ""
    done = shell.json(
        "collection", "reembed", "worked", "--model", "color-palette"
    )  # in place of the one that was left
    assert (done["switched"], done["model"]) == (True, "color-palette")
    assert shell.json("job", "show", number)["state"] == "cancelled"
    last = shell.json("job", "list", "--kind", "reembed", "--limit", "1")[0]
    assert shell.json("job", "watch", last["id"])["state"] == "done"
    refused = shell.command("job", "resume", last["id"], check=False)
    assert (refused.returncode, "is done: it cannot be resumed" in refused.stderr) == (1, True)
    unknown = shell.command("job", "show", "999999", check=False)
    assert (unknown.returncode, "there is no job 999999" in unknown.stderr) == (1, True)


def test_every_command_explains_itself(shell: Server) -> None:
    listed = shell.command("--help").stdout
    for name in (
        "serve",
        "demo",
        "collection",
        "token",
        "audit",
        "load",
        "update",
        "export",
        "map",
        "duplicates",
        "db",
        "sql",
        "job",
        "worker",
    ):
        assert name in listed
        assert len(shell.command(name, "--help").stdout) > 60
