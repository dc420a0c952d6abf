"""`/duplicates/v1/…` and `lookalike duplicates …`: groups of real pictures, decisions, rights, bad input."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from PIL import Image, ImageFilter

from app.api.duplicates import VIEWS
from app.api.duplicates_document import document
from app.cli import cli
from app.demo.catalogue import catalogue
from app.domain.errors import InvalidRequest
from app.domain.jobs import Job, State
from app.domain.tokens import Scope
from app.services import collections, duplicates, tokens
from app.services.jobs import asking
from app.services.jobs.working import Worker
from tests.api.conftest import Api, picture
from tests.support.jobs import QUICK

Json = dict[str, Any]
DOCUMENT = document(VIEWS)


def ask(api: Api, path: str, body: Any = None, status: int = 200, **headers: str) -> Json:
    sent = {"Authorization": f"Token {api.token}", "collection-id": api.collection}
    sent.update({key.replace("_", "-"): value for key, value in headers.items()})
    answer = api.client.post(f"/duplicates/v1/{path}", json=body, headers=sent)
    got = answer.get_json()
    assert answer.status_code == status, got
    as_documented(path, status, got)
    return dict(got)


def as_documented(path: str, status: int, got: Json) -> None:
    """An answer is as the OpenAPI document says, and has no field that it does not name."""
    described = DOCUMENT["paths"][f"/{path}"]["post"]["responses"][str(status)]["content"]["application/json"]["schema"]
    OAS31Validator({**described, "components": DOCUMENT["components"]}).validate(got)
    named = DOCUMENT["components"]["schemas"][described["$ref"].rsplit("/", 1)[1]]["properties"]
    assert got.keys() <= named.keys()


def test_the_document_is_valid_and_names_every_path_and_parameter(api: Api) -> None:
    told = api.client.get("/duplicates/v1/openapi.json").get_json()
    assert told == DOCUMENT
    OpenAPIV31SpecValidator(told).validate()
    rules = {rule.rule for rule in api.client.application.url_map.iter_rules() if rule.endpoint.startswith("duplic")}
    assert {f"/duplicates/v1{path}" for path in told["paths"]} == rules - {"/duplicates/v1/openapi.json"}
    for path, ways in told["paths"].items():
        body = ways["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
        for name, schema in told["components"]["schemas"][body].get("properties", {}).items():
            assert schema["description"], (path, name)


@pytest.fixture
def twins(api: Api) -> Api:
    """Records 0 to 5; 10 and 11 show the picture of 0, 20 that of 1."""
    api.fill(6)
    copies = {"10": 0, "11": 0, "20": 1}
    records = [{"_id": one, "_base64": picture(n), "n": n, "tags": [f"of {one}"]} for one, n in copies.items()]
    api.post("insert", {"records": records}, code=210)
    duplicates.scan(api.context, collections.get(api.context, api.collection), 0.5)
    return api


def test_groups_are_reviewed_from_end_to_end(twins: Api) -> None:
    assert ask(twins, "state")["complete"] is True
    got = ask(twins, "groups", {"fields_to_return": ["n"], "rules": ["most_attributes", "oldest"]})
    assert [group["members"] for group in got["groups"]] == [["0", "10", "11"], ["1", "20"]]
    assert (got["group_count"], got["record_count"]) == (2, 5)
    first = got["groups"][0]
    assert first["records"] == [{"_id": "0", "n": 0}, {"_id": "10", "n": 0}, {"_id": "11", "n": 0}]
    assert (first["complete"], first["weakest"], first["suggestion"], first["reason"]) == (True, 0, "0", "oldest")
    assert {(pair["one"], pair["other"], pair["same_file"]) for pair in first["pairs"]} == {
        ("0", "10", True),
        ("0", "11", True),
        ("10", "11", True),
    }
    merged = {"n": 0, "price": 0, "tags": ["of 10", "of 11"]}
    shown = ask(twins, "preview", {"keep": "0", "remove": ["10", "11"]})
    assert (shown["before"], shown["after"]) == ({"n": 0, "price": 0}, merged)
    body = {"keep": ["0"], "remove": ["10", "11"], "merge": {}, "reason": "the same shoe"}
    decision = ask(twins, "resolve", body)["decision"]
    assert twins.post("getRecordCount")["answer_count"] == 7
    assert twins.post("get", {"records": [{"_id": "0"}], "fields_to_return": ["*"]})["answer_records"] == [
        {"_id": "0", **merged}
    ]
    trash = ask(twins, "trash")
    assert [one["id"] for one in trash["records"]] == ["11", "10"]
    assert trash["records"][0]["attributes"] == {"n": 0, "tags": ["of 11"]}
    (made,) = ask(twins, "decisions")["decisions"]
    assert (made["decision"], made["reason"], made["made_by"][:6]) == (decision, "the same shoe", "token ")
    assert made["trashed"] == {one["id"]: one["number"] for one in trash["records"]}
    assert ask(twins, "resolve", body, 409)["status"]["error_description"].startswith("the record '10' is not stored")
    assert ask(twins, "undo", {"decision": decision})["outcomes"] == {"10": "restored", "11": "restored"}
    assert ask(twins, "undo", {"decision": decision}, 409)["status"]["code"] == 409
    assert ask(twins, "decisions")["decisions"][0]["trashed"] == {}
    assert twins.post("visualKNN", {"query_record": {"_id": "10"}, "k": 3})["answer_distances"][:3] == [0, 0, 0]
    dismissed = ask(twins, "dismiss", {"records": ["1", "20"]})["decision"]
    assert ask(twins, "groups")["group_count"] == 1
    assert ask(twins, "groups", {"state": "dismissed"})["groups"][0]["decision"] == dismissed
    late = ask(twins, "resolve", {"keep": ["1"], "remove": ["20"], "open": True}, 409)["status"]["error_description"]
    assert late.startswith(f"decision {dismissed} by token ")
    assert twins.post("getRecordCount")["answer_count"] == 9
    planned = ask(twins, "apply", {"rules": ["newest"]})
    assert (planned["dry_run"], planned["group_count"], planned["removed_count"]) == (True, 1, 2)
    assert ask(twins, "apply", {"rules": [{"prefix": "11"}], "dry_run": False})["groups"][0]["keep"] == "11"
    assert ask(twins, "groups", {"k": 1})["group_count"] == 0


def test_the_trash_by_its_paths(twins: Api) -> None:
    assert ask(twins, "trash/remove", {"records": ["3", "4", "nobody"]})["removed"] == ["3", "4"]
    assert ask(twins, "trash/restore", {"records": ["3", "5", "nobody"]})["outcomes"] == {
        "3": "restored",
        "5": "stored",
        "nobody": "absent",
    }
    assert ask(twins, "trash/purge", {"records": ["4"]})["purged"] == 1
    assert ask(twins, "trash")["record_count"] == 0
    ask(twins, "trash/purge", {"all": True})


def test_copies_that_the_model_does_not_see_are_found_by_hash(api: Api) -> None:
    """Blurred and grey copies of a product are beyond the radius of the model; a plain picture is like no other."""
    products = [product.picture() for product in catalogue(3)]
    shown = {
        "0": products[0],
        "0-grey": products[0].convert("L").convert("RGB"),
        "0-blurred": products[0].filter(ImageFilter.GaussianBlur(5)),
        "1": products[1],
        "red": Image.new("RGB", (300, 300), (200, 30, 30)),
        "blue": Image.new("RGB", (300, 300), (30, 30, 220)),
    }
    records = [{"_id": one, "_base64": encoded(picture)} for one, picture in shown.items()]
    api.post("insert", {"records": records}, code=210)
    collection = collections.get(api.context, api.collection)
    duplicates.scan(api.context, collection, 5.0, model_alone=True)
    alone = {tuple(group["members"]) for group in ask(api, "groups")["groups"]}
    duplicates.scan(api.context, collection, 5.0)
    group = next(one for one in ask(api, "groups")["groups"] if "0" in one["members"])
    assert group["members"] == ["0", "0-blurred", "0-grey"]
    assert tuple(group["members"]) not in alone
    by_hash = [pair for pair in group["pairs"] if pair["distance"] > 5]
    assert by_hash
    assert all(pair["hash_distance"] <= 5 for pair in by_hash)
    assert group["widest"] <= 5
    # allNearDupPairs keeps its meaning: the model's distance.
    stored = api.post("allNearDupPairs", {"radius": 5.0})
    assert stored["statistics"]["pairs"] == "stored"
    duplicates.forget(api.context, collection)
    compared = api.post("allNearDupPairs", {"radius": 5.0})
    assert (stored["answer_records"], stored["answer_distances"]) == (
        compared["answer_records"],
        compared["answer_distances"],
    )
    # What comes later is compared by hash, too, and a replaced picture by that of its new thumbnail.
    duplicates.scan(api.context, collection, 5.0)
    later = {"1-grey": products[1].convert("L").convert("RGB"), "0-grey": products[2]}
    records = [{"_id": one, "_base64": encoded(picture)} for one, picture in later.items()]
    api.post("upsert", {"records": records}, code=210)
    groups = {tuple(group["members"]) for group in ask(api, "groups")["groups"]}
    assert {("0", "0-blurred"), ("1", "1-grey")} <= groups
    with api.context.db.session() as connection:
        rows = connection.execute(
            "SELECT id, other_id, evidence, hash_distance <= 5 AS near FROM lookalike.duplicates WHERE collection = %s",
            (api.collection,),
        ).fetchall()
    assert {"id": "0", "other_id": "0-blurred", "evidence": ["hash"], "near": True} in rows


def encoded(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


WRONG: list[tuple[str, Any, str]] = [
    ("groups", {"radius": 0.6}, "beyond 0.5"),
    ("groups", {"radius": -1}, "radius"),
    ("groups", {"radius": "wide"}, "radius"),
    ("groups", {"state": "new"}, "state"),
    ("groups", {"order": "price"}, "order"),
    ("groups", {"k": 0}, "k:"),
    ("groups", {"k": 1001}, "k:"),
    ("groups", {"from": -1}, "from"),
    ("groups", {"rules": "oldest"}, "rules"),
    ("groups", {"rules": ["best"]}, "rules[0]"),
    ("groups", {"rules": ["oldest", {"lowest": 3}]}, "rules[1]"),
    ("groups", [1], "JSON object"),
    ("resolve", {"keep": ["0"]}, "remove is missing"),
    ("resolve", {"keep": [], "remove": ["10"]}, "keep"),
    ("resolve", {"keep": ["0"], "remove": ["0"]}, "not both"),
    ("resolve", {"keep": ["0"], "remove": ["10"], "days": 1e9}, "days"),
    ("resolve", {"keep": ["0"], "remove": ["10"], "merge": {"a": "add"}}, "'add'"),
    ("resolve", {"keep": ["0"], "remove": ["10"], "merge": ["a"]}, "merge"),
    ("resolve", {"keep": [0], "remove": ["10"]}, "keep"),
    ("resolve", {"keep": ["0\0"], "remove": ["10"]}, "U+0000"),
    ("dismiss", {"records": ["0"]}, "at least two"),
    ("undo", {"decision": 2**31}, "decision"),
    ("undo", {"decision": 0}, "no decision 0"),
    ("apply", {"rules": {"a": 1}}, "rules"),
    ("apply", {}, "rules is missing"),
    ("apply", {"rules": None}, "rules"),
    ("apply", {"dry_run": False}, "rules is missing"),
    ("apply", {"rules": [], "dry_run": "false"}, "dry_run"),
    ("apply", {"rules": [], "dry_run": 0}, "dry_run"),
    ("apply", {"rules": [], "chains": "yes"}, "chains"),
    ("apply", {"rules": [], "merge": {"a": "zz"}}, "'zz'"),
    ("groups", {"rules": ["oldest"] * 51}, "at most 50"),
    ("preview", {"keep": "0", "remove": ["0"]}, "not both"),
    ("trash/purge", {"all": "true"}, "all"),
    ("trash/remove", {"records": []}, "records"),
    ("trash/purge", {}, "all"),
    ("trash/purge", {"all": True, "records": ["1"]}, "all"),
]


def test_what_is_wrong_is_named_and_changes_nothing(twins: Api) -> None:
    for path, body, place in WRONG:
        said = ask(twins, path, body, 400)["status"]
        assert said["code"] == 402, (path, body)
        assert place in said["error_description"], (path, body, said)
    assert twins.post("getRecordCount")["answer_count"] == 9
    assert ask(twins, "decisions")["decisions"] == []


def test_rights_and_a_collection_without_stored_pairs(twins: Api, new_collection: Any) -> None:
    empty = new_collection()
    assert ask(twins, "state", collection_id=empty)["stored"] is False
    assert (
        "lookalike duplicates scan" in ask(twins, "groups", {}, 409, collection_id=empty)["status"]["error_description"]
    )
    ask(twins, "groups", {}, 404, collection_id="nowhere")
    ask(twins, "groups", {}, 401, Authorization="Token none")
    reader = f"Token {tokens.create(twins.context, [Scope.READ], [twins.collection]).token}"
    ask(twins, "groups", {}, Authorization=reader)
    ask(twins, "resolve", {"keep": ["0"], "remove": ["10"]}, 403, Authorization=reader)
    ask(twins, "groups", {}, 403, Authorization=reader, collection_id=empty)


def done(api: Api, kind: str, parameters: Json) -> Job:
    """Have a job done and return it."""
    collection = collections.get(api.context, api.collection)
    job, _ = asking.start(api.context, asking.kind_of(kind), collection, parameters)
    worker = Worker(api.context, QUICK)
    held = worker.take(job.id)
    assert held is not None
    worker.do(held)
    return asking.get(api.context, job.id)


def test_a_scan_and_a_bulk_decision_are_jobs(twins: Api) -> None:
    job = done(twins, "duplicate-scan", {"radius": 0.4, "anew": True})
    assert (job.state, job.progress.done, job.progress.total) == (State.DONE, 9, 9)
    assert ask(twins, "state")["radius"] == 0.4
    assert done(twins, "duplicate-apply", {"rules": ["oldest"]}).state == State.DONE
    assert ask(twins, "groups")["group_count"] == 0
    assert ask(twins, "trash")["record_count"] == 3
    wrong: list[tuple[str, Json]] = [
        ("duplicate-scan", {"radius": -1}),
        ("duplicate-scan", {"wide": 1}),
        ("duplicate-apply", {}),
        ("duplicate-apply", {"rules": [], "merge": 1}),
    ]
    for kind, parameters in wrong:
        with pytest.raises(InvalidRequest, match=r"parameters\."):
            done(twins, kind, parameters)
    # What cannot be decided is refused when it is asked for, not hours later.
    collection = collections.get(twins.context, twins.collection)
    plans: list[tuple[Json, str]] = [
        ({"rules": ["best"]}, r"parameters: rules\[0\]"),
        ({"rules": ["oldest"] * 51}, "parameters: rules are at most 50"),
        ({"rules": [], "merge": {"a": "zz"}}, "parameters: the rule of a"),
        ({"rules": [], "radius": 0.5}, r"parameters: the radius is beyond 0\.4"),
    ]
    for parameters, place in plans:
        with pytest.raises(InvalidRequest, match=place):
            asking.start(twins.context, asking.kind_of("duplicate-apply"), collection, parameters)


def test_a_radius_is_chosen_by_what_people_judge(twins: Api, run: Any, tmp_path: Path) -> None:
    name = twins.collection
    empty = ask(twins, "tune/report")
    assert (empty["pair_count"], empty["judged_count"], empty["suggested"]) == (3, 0, None)
    drawn = ask(twins, "tune/pairs", {"k": 2})["pairs"]
    assert len(drawn) == 2
    # Copies are pairs with the first of them.
    stored = [{"one": "0", "other": "10"}, {"one": "0", "other": "11"}, {"one": "1", "other": "20"}]
    assert all(pair in stored for pair in drawn)
    wrong: list[tuple[Any, str]] = [
        ([{"one": "0", "other": "5", "same": True}], "judgements[0]"),
        ([{"one": "10", "other": "0", "same": True}, {"one": "0", "other": "0", "same": True}], "judgements[1]"),
        ([{"one": "0", "other": "10", "same": "yes"}], "judgements.0.same"),
        ([{"one": "0", "same": True}], "judgements.0.other"),
        ([], "judgements"),
    ]
    for body, place in wrong:
        assert place in ask(twins, "tune/judge", {"judgements": body}, 400)["status"]["error_description"]
    for bad in (0, 1.5, "much"):
        ask(twins, "tune/report", {"precision": bad}, 400)
    assert ask(twins, "tune/report")["judged_count"] == 0
    reader = f"Token {tokens.create(twins.context, [Scope.READ], [name]).token}"
    same = [{**pair, "same": True} for pair in drawn]
    ask(twins, "tune/judge", {"judgements": same}, 403, Authorization=reader)
    assert ask(twins, "tune/judge", {"judgements": same})["judged"] == 2
    left = ask(twins, "tune/pairs", Authorization=reader)["pairs"]
    assert left == [pair for pair in stored if pair not in drawn]
    # The same in the terminal: a picture each, an answer, and what it says.
    asked = run("tune", name, "--thumbnails", str(tmp_path / "shown"), input="n\n")
    assert f"do {left[0]['one']} and {left[0]['other']} show the same picture?" in asked.stderr
    assert len(list((tmp_path / "shown").glob("001-?.webp"))) == 2
    assert "3 of 3 pairs judged" in asked.stdout
    assert "no radius is known to have a precision of 0.95" in asked.stdout
    told = json.loads(run("tune", name, "--pairs", "0", "--precision", "0.6", "--json").stdout)
    (only,) = told["candidates"]
    assert only["precision"] == pytest.approx({"value": 2 / 3, "low": 2 / 3, "high": 2 / 3})
    assert only["recall"] == {"value": 1, "low": 1, "high": 1}
    assert told["suggested"] == only["radius"] == 0.5
    answers = tmp_path / "answers.jsonl"
    answers.write_text("".join(json.dumps({**pair, "same": True}) + "\n\n" for pair in stored))
    assert json.loads(run("tune", name, "--answers", str(answers), "--json").stdout)["suggested"] == 0.5
    assert "every pair was judged" in run("tune", name).stderr
    for line, place in (("{", "line 1"), ("[1]", "line 1"), ('{"one": "0", "other": "5"}', "line 1: it has")):
        answers.write_text(line)
        assert place in str(run("tune", name, "--answers", str(answers), code=1).exception)
    # A judgement counts as long as the pair lies where it was judged.
    twins.post("delete", {"records": [{"_id": "20"}]})
    assert ask(twins, "tune/report")["judged_count"] == 2


@pytest.fixture
def run(twins: Api, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("DATABASE_URL", twins.context.db.url)

    def call(*arguments: str, code: int = 0, input: str | None = None) -> Result:  # noqa: A002
        done = CliRunner().invoke(cli, ["duplicates", *arguments], input=input)
        assert done.exit_code == code, (arguments, done.output, done.exception)
        return done

    return call


def test_no_id_steers_the_terminal(twins: Api, run: Any) -> None:
    name, hostile = twins.collection, "20\x1b[2J\u009b31m\u202e\n4"
    twins.post("insert", {"records": [{"_id": hostile, "_base64": picture(1), "n": "\x1b]0;x\x07"}]}, code=210)
    said = [run("groups", name).output, run("resolve", name, "--keep", "1", "--remove", hostile).output]
    said += [
        run(*command, name).output for command in (["trash"], ["history"], ["trash", "--json"], ["history", "--json"])
    ]
    said += [run("restore", name, hostile).output, run("pairs", name).output, run("dismiss", name, "1", hostile).output]
    said += [run("resolve", name, "--keep", "1", "--remove", hostile, "--merge", "{}", "--dry-run").output]
    said += [run("resolve", name, "--keep", hostile, "--remove", "1", "--merge", "{}", "--dry-run").output]
    said += [run("tune", name, "--pairs", "4", input="s\ns\ns\ns\ns\n").output]
    for text in said:
        assert not set(text) & set("\x1b\x07\u009b\u202e"), text
    assert sum(r"20\u001b[2J\u009b31m\u202e\u000a4" in text for text in said) >= 5
    assert json.loads(said[4])["records"][0]["id"] == hostile


def test_the_command_line_has_the_same_workflow(twins: Api, run: Any, tmp_path: Path) -> None:
    name = twins.collection
    state = json.loads(run("scan", name, "--radius", "0.5", "--json").stdout)
    assert state["pending"] == 0
    assert "2 groups of 5 records" in run("groups", name, "--rules", '["oldest"]').stdout
    listed = run("groups", name, "--rules", '[{"prefix": "q"}]').stdout
    assert " size   weakest  members\n" in listed
    assert "keep 1 (no rule decided: the first id)" in listed
    assert "4 pairs within 0.5 by the model" in run("pairs", name, "--radius", "0.5").stderr
    untold = run("tune", name, "--pairs", "0").stdout
    assert "0 of " in untold
    assert "(" not in untold
    found = json.loads(run("groups", name, "--json", "--record", "20").stdout)
    assert [group["members"] for group in found["groups"]] == [["1", "20"]]
    shown = json.loads(run("resolve", name, "--keep", "1", "--remove", "20", "--merge", "{}", "--dry-run").stdout)
    assert shown["after"] == {"n": 1, "price": 10, "tags": ["of 20"]}
    decision = json.loads(run("resolve", name, "--keep", "1", "--remove", "20", "--json").stdout)["decision"]
    assert "20 " in run("trash", name).stdout
    assert "command line, " in run("history", name).stdout
    assert json.loads(run("undo", name, str(decision), "--json").stdout) == {"20": "restored"}
    run("dismiss", name, "1", "20")
    planned = [json.loads(line) for line in run("apply", name, "--rules", '["oldest"]').stdout.splitlines()]
    assert [(one["members"], one["decision"]) for one in planned] == [(["0", "10", "11"], None)]
    run("apply", name, "--rules", '["oldest"]', "--yes")
    assert run("restore", name, "10", "5").stdout == ("10: restored\n5: stored already; it is not in the trash\n")
    assert run("restore", name, "nobody", code=1).stdout == "nobody: absent: neither in the trash nor stored\n"
    run("purge", name, code=2)
    assert "none of these is in the trash" in run("purge", name, "nobody", code=1).stderr
    assert "not a valid integer." in run("undo", name, "x", code=2).output
    assert "rules" in str(run("apply", name, code=1).exception)
    run("undo", name, "99999999999999999999", code=2)
    run("scan", name, "--radius", "nan", code=1)
    assert "1 record for good" in run("purge", name, "--all").stdout
    pairs = [json.loads(line)["records"] for line in run(name, "--radius", "0.5").stdout.splitlines()]
    assert sorted(pairs) == [["0", "10"], ["1", "20"]]
    run("forget", name)
    # A collection may be called as a command is.
    assert "lookalike duplicates pairs groups" in run("groups", code=2).output
    assert "lookalike duplicates pairs scan" in run("scan", "--radius", "3", code=2).output
    run("dismiss", name, code=2)
