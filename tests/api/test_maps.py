"""`/maps/v1/…`, jobs of the kind `map`, and `lookalike map …`: layouts, what is new, gone or made anew, bad input."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from app.api.maps_document import document
from app.cli import cli
from app.db import loads
from app.db.records import NewRecord
from app.domain.collections import Collection
from app.domain.jobs import Job, State
from app.services import collections, mapping, maps
from app.services.jobs import asking
from app.services.jobs.map_job import MAP
from app.services.jobs.reembed_job import REEMBED
from app.services.jobs.running import Running
from app.services.jobs.working import Worker
from tests.api.conftest import Api, picture
from tests.support.jobs import QUICK

Json = dict[str, Any]
DOCUMENT = document()
KINDS = 4


def vectors(count: int, seed: int = 0) -> NDArray[np.float32]:
    """Vectors of four kinds, that of number n of kind n % 4."""
    random = np.random.default_rng(seed)
    kinds = np.random.default_rng(7).normal(size=(KINDS, 256))
    found = kinds[np.arange(count) % KINDS] + 0.3 * random.normal(size=(count, 256))
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), np.float32)


def store(api: Api, rows: NDArray[np.float32], prefix: str = "r") -> Collection:
    collection = collections.get(api.context, api.collection)
    loads.copy(
        api.context.db,
        collection,
        [
            NewRecord(f"{prefix}{n:04}", f'{{"kind": "k{n % KINDS}", "n": {n}, "tags": ["t{n % 2}", "x"]}}', row)
            for n, row in enumerate(rows)
        ],
    )
    return collection


def build(api: Api, **parameters: Any) -> Job:
    collection = collections.get(api.context, api.collection)
    job, _ = asking.start(api.context, MAP, collection, parameters)
    return work(api, job)


def work(api: Api, job: Job) -> Job:
    worker = Worker(api.context, QUICK, [MAP])
    held = worker.take(job.id)
    assert held is not None
    worker.do(held)
    return asking.get(api.context, job.id)


def get(api: Api, path: str, status: int = 200, **headers: str) -> Any:
    answer = api.client.get(
        f"/maps/v1/{api.collection}/{path}", headers={"Authorization": f"Token {api.token}", **headers}
    )
    assert answer.status_code == status, answer.get_data()
    if answer.mimetype == "application/json":
        as_documented(path.partition("?")[0], "get", status, answer.get_json())
        return answer.get_json()
    return answer


def colours(api: Api, status: int = 200, **body: Any) -> Json:
    answer = api.client.post(
        f"/maps/v1/{api.collection}/colours", json=body, headers={"Authorization": f"Token {api.token}"}
    )
    assert answer.status_code == status, answer.get_data()
    as_documented("colours", "post", status, answer.get_json())
    return dict(answer.get_json())


def as_documented(path: str, verb: str, status: int, got: Json) -> None:
    described = DOCUMENT["paths"][f"/{{name}}/{path}"][verb]["responses"][str(status)]["content"]["application/json"]
    OAS31Validator(described["schema"]).validate(got)
    named = described["schema"].get("properties")
    assert named is None or got.keys() <= {*named, "status", "statistics"}


def located(api: Api) -> dict[str, tuple[float, float]]:
    where = np.frombuffer(get(api, "points").data, "<f4").reshape(-1, 2)
    ids = get(api, "ids")["ids"]
    assert len(ids) == len(where)
    return {one: (float(x), float(y)) for one, (x, y) in zip(ids, where, strict=True) if one is not None}


@pytest.fixture(scope="module")
def mapped(shared: Api) -> Api:
    """A hundred records of four kinds and a loner, on a map that no test changes."""
    rows = vectors(101)
    rows[100] = np.random.default_rng(99).normal(size=256) / 16
    store(shared, rows)
    assert build(shared).state == State.DONE
    return shared


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few steps, each kept: for what does not depend on how good a layout is."""
    monkeypatch.setattr("app.mapping.layout.STEPS", 20)
    monkeypatch.setattr("app.services.mapping.STEPS", 20)
    monkeypatch.setattr("app.services.mapping._KEEP_SECONDS", 0.0)


def test_a_map_from_end_to_end(mapped: Api) -> None:
    state = get(mapped, "state")
    assert (state["layout"], state["points"], state["placed"], state["unplaced"]) == ("neighbours", 101, 0, 0)
    assert (state["outdated"], state["drawn"]) == (False, 101)
    where = located(mapped)
    assert set(where) == {f"r{n:04}" for n in range(101)}
    # Of each record, the three nearest on the map are of its kind.
    names, points = sorted(where)[:100], np.array([where[one] for one in sorted(where)[:100]])
    apart = np.hypot(*(points[:, None] - points[None]).T)
    nearest = np.argsort(apart, axis=1)[:, 1:4]
    kinds = np.array([int(one[1:]) % KINDS for one in names])
    assert (kinds[nearest] == kinds[:, None]).mean() > 0.99
    assert get(mapped, "outliers?k=3")["outliers"][0]["id"] == "r0100"
    found = get(mapped, "clusters")["clusters"]
    assert {int(one["id"][1:]) % KINDS for one in found[:KINDS]} == set(range(KINDS))
    assert sum(one["size"] for one in found) <= 101


def test_colours_go_by_place(mapped: Api) -> None:
    ids = get(mapped, "ids")["ids"]
    got = colours(mapped, field="kind")
    assert (got["kind"], next(one["value"] for one in got["legend"])) == ("values", "k0")
    codes = base64.b64decode(got["codes"])
    legend = [one["value"] for one in got["legend"]]
    assert [legend[code] for code in codes] == [f"k{int(one[1:]) % KINDS}" for one in ids]
    numbers = colours(mapped, field="n")
    shade = dict(zip(ids, base64.b64decode(numbers["codes"]), strict=True))
    assert numbers["kind"] == "numbers"
    assert shade["r0000"] == 0
    assert shade["r0100"] == numbers["shades"] - 1
    assert shade["r0020"] < shade["r0050"] < shade["r0080"]
    assert {one["value"] for one in colours(mapped, field="tags")["legend"]} == {"t0", "t1"}
    assert set(base64.b64decode(colours(mapped, field="not there")["codes"])) == {255}
    near = dict(zip(ids, base64.b64decode(colours(mapped, query_record={"_id": "r0005"})["codes"]), strict=True))
    assert near["r0005"] == 0
    assert near["r0009"] < near["r0006"]
    assert len(set(base64.b64decode(colours(mapped, clusters=True)["codes"]))) >= KINDS


def test_an_answer_is_kept_by_its_etag(mapped: Api) -> None:
    first = get(mapped, "points")
    assert first.headers["Map-Points"] == "101"
    assert first.headers["Map-Version"] == get(mapped, "state")["version"]
    assert len(first.data) == 101 * 8
    again = get(mapped, "points", 304, If_None_Match=first.headers["ETag"])
    assert again.data == b""
    assert {"Authorization", "Cookie"} <= set(first.vary)


def test_the_same_seed_makes_the_same_map(api: Api, quick: None) -> None:
    store(api, vectors(40))
    build(api)
    first, version = located(api), get(api, "state")["version"]
    build(api, anew=True)
    assert located(api) == first
    assert get(api, "state")["version"] != version
    # What goes by places is of one layout: a page that has another one is told.
    assert colours(api, 409, field="kind", version=version)["status"]["code"] == 409
    get(api, f"ids?version={version}", 409)
    build(api, anew=True, seed=2)
    assert get(api, "state")["seed"] == 2
    assert located(api) != first


def test_new_records_are_placed_and_deleted_ones_are_gone(api: Api, quick: None) -> None:
    collection = store(api, vectors(40))
    build(api)
    before = located(api)
    store(api, vectors(8, seed=5), prefix="new")
    assert get(api, "state")["unplaced"] == 8
    after = located(api)
    assert {one: after[one] for one in before} == before
    state = get(api, "state")
    assert (state["points"], state["placed"], state["unplaced"]) == (48, 8, 0)
    # Each lies at the median of its five nearest neighbours.
    nearest = np.argsort(-vectors(8, seed=5) @ vectors(40).T, axis=1)[:, :5]
    points = np.array([before[f"r{n:04}"] for n in range(40)])
    wanted = np.median(points[nearest], axis=1)
    assert np.allclose([after[f"new{n:04}"] for n in range(8)], wanted, atol=1e-5)
    api.post("delete", {"records": [{"_id": "r0003"}, {"_id": "new0001"}]})
    assert set(located(api)) == {*before, *(f"new{n:04}" for n in range(8))} - {"r0003", "new0001"}
    stored = "SELECT count(*) FROM lookalike.map_points WHERE collection_id = %s"
    with psycopg.connect(api.context.db.url) as connection:
        row = connection.execute(stored, [collection.id]).fetchone()
        assert row == (46,)
    # A map of which a fifth at most is new is not made anew, but for somebody who wants that.
    version = get(api, "state")["version"]
    assert build(api).outcome == {"records": 46, "placed": 0, "clusters": len(get(api, "clusters")["clusters"])}
    assert get(api, "state")["version"] == version
    store(api, vectors(30, seed=6), prefix="more")
    build(api)
    assert (get(api, "state")["placed"], get(api, "state")["points"]) == (0, 76)


def test_a_record_with_another_picture_is_placed_anew(api: Api, quick: None) -> None:
    api.fill(12)
    build(api)
    assert get(api, "state")["points"] == 12
    answer = api.post("update", {"records": [{"_id": "3", "price": 7}]})
    assert answer["status"]["code"] == 205
    assert get(api, "state")["unplaced"] == 0  # attributes do not move it
    api.post("delete", {"records": [{"_id": "3"}]})
    api.post("insert", {"records": [{"_id": "3", "_base64": picture(40)}]}, code=210)
    assert get(api, "state")["unplaced"] == 1
    assert "3" in located(api)
    assert get(api, "state")["placed"] == 1


def test_a_reembedded_collection_has_no_map_until_another_is_made(
    api: Api, quick: None, new_collection: Callable[..., str]
) -> None:
    api.collection = new_collection(keep_images=True)
    api.fill(8)
    build(api)
    job, _ = asking.start(api.context, REEMBED, collections.get(api.context, api.collection), {"model": "phash"})
    worker = Worker(api.context, QUICK, [REEMBED])
    held = worker.take(job.id)
    assert held is not None
    worker.do(held)
    assert asking.get(api.context, job.id).state == State.DONE, asking.get(api.context, job.id)
    api.context.lookup.forget(api.collection)
    assert get(api, "state")["outdated"] is True
    for path in ("points", "ids", "clusters", "outliers"):
        assert get(api, path, 409)["status"]["code"] == 409
    colours(api, 409, field="n")
    build(api)
    assert (get(api, "state")["outdated"], len(located(api))) == (False, 8)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5])
def test_the_smallest_collections_have_maps(api: Api, quick: None, count: int) -> None:
    store(api, vectors(5)[:count]) if count else None
    assert build(api).state == State.DONE
    assert len(located(api)) == count
    assert len(get(api, "outliers")["outliers"]) == (count if count >= 3 else 0)
    assert np.isfinite(list(located(api).values())).all()


def test_copies_of_one_picture_lie_together(api: Api, quick: None) -> None:
    rows = vectors(60)
    rows[20:] = rows[0]
    store(api, rows)
    assert build(api).state == State.DONE
    assert np.isfinite(list(located(api).values())).all()


def killed(api: Api, job: Job, after: int) -> None:
    """Do a job up to a safe point, and no further: its worker says nothing more, as one that was killed."""
    held = Worker(api.context, QUICK, [MAP]).take(job.id)
    assert held is not None
    running = Running(api.context, held, asking.get(api.context, job.id))
    left = iter(range(after))

    def safe_point() -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt

    running.safe_point = safe_point  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        MAP.run(api.context, running)


def test_a_killed_worker_s_map_goes_on_where_it_was(api: Api, quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.db.map_making.PART", 16)
    collection = store(api, vectors(40))
    build(api)
    whole = located(api)
    maps.forget(api.context, collection)
    job, _ = asking.start(api.context, MAP, collection, {})
    shown = [0]
    for after, layout in ((0, "none"), (4, "principal"), (4, "principal"), (9, "principal")):
        killed(api, job, after)
        state = get(api, "state")
        assert state["layout"] == layout
        shown.append(asking.get(api.context, job.id).progress.done)
        asking.let_go(api.context, asking.get(api.context, job.id))
    # The components are a map at once; what is deleted meanwhile is on none.
    assert state["points"] == 40
    api.post("delete", {"records": [{"_id": "r0007"}]})
    done = work(api, job)
    assert done.state == State.DONE
    assert shown == sorted(shown)
    assert shown[-1] > 0
    assert located(api) == {one: point for one, point in whole.items() if one != "r0007"}


def test_a_cancelled_job_leaves_the_map_that_was_there(api: Api, quick: None) -> None:
    collection = store(api, vectors(20))
    build(api)
    before = located(api)
    job, _ = asking.start(api.context, MAP, collection, {"anew": True})
    worker = Worker(api.context, QUICK, [MAP])
    held = worker.take(job.id)
    assert held is not None
    asking.cancel(api.context, job.id)
    worker.do(held)
    assert asking.get(api.context, job.id).state == State.CANCELLED
    assert located(api) == before


def test_of_too_many_records_a_sample_is_drawn_that_has_the_outliers(
    api: Api, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapping, "LAID_OUT", 30)
    monkeypatch.setattr(maps, "DRAWN", 30)
    monkeypatch.setattr(maps, "OUTLIERS", 5)
    rows = vectors(50)
    rows[::10] = np.random.default_rng(99).normal(size=(5, 256)) / 16
    store(api, rows)
    assert build(api).outcome == {"records": 50, "placed": 20, "clusters": len(get(api, "clusters")["clusters"])}
    state = get(api, "state")
    assert (state["points"], state["placed"], state["drawn"]) == (50, 20, 30)
    assert get(api, "points").headers["Map-Points"] == "50"
    shown = located(api)
    assert len(shown) == 30
    assert {one["id"] for one in get(api, "outliers?k=5")["outliers"]} <= set(shown)
    assert len(base64.b64decode(colours(api, field="kind")["codes"])) == 30


def test_analyses_read_maps_in_sql(mapped: Api) -> None:
    name = mapped.collection
    with psycopg.connect(mapped.context.db.url) as connection:
        states = connection.execute(
            "SELECT layout, records, placed, outdated FROM lookalike.map_states WHERE collection = %s", [name]
        ).fetchall()
        rows = connection.execute(
            "SELECT attributes ->> 'kind', count(*), count(DISTINCT cluster) FROM lookalike.map_records"
            " WHERE collection = %s GROUP BY 1 ORDER BY 1",
            [name],
        ).fetchall()
    assert states == [("neighbours", 101, 0, False)]
    assert [row[:2] for row in rows] == [("k0", 26), ("k1", 25), ("k2", 25), ("k3", 25)]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("state?x=1", "x: there is no such parameter here; it takes none"),
        ("points?version=1", "version: there is no such parameter"),
        ("ids?version=-1", "version: it is a whole number"),
        ("ids?version=٣", "version: it is a whole number"),
        ("ids?v=1", "v: there is no such parameter here; it takes version"),
        ("outliers?k=0", "k is a whole number, 1 to 1000"),
        ("outliers?k=1001", "k is a whole number, 1 to 1000"),
        ("outliers?k=1.5", "k: it is a whole number"),
    ],
)
def test_what_cannot_be_asked_for_is_named(mapped: Api, path: str, said: str) -> None:
    status = get(mapped, path, 400)["status"]
    assert (status["code"], status["error_description"][: len(said)]) == (402, said)


@pytest.mark.parametrize(
    ("body", "said", "http"),
    [
        ({}, 'name either a "field"', 400),
        ({"field": "n", "clusters": True}, 'name either a "field"', 400),
        ({"field": 7}, "field: must be a string", 400),
        ({"field": ""}, "field", 400),
        ({"clusters": "yes"}, "clusters", 400),
        ({"field": "n", "version": "x"}, "version: it is a whole number", 400),
        ({"query_record": 3}, "query_record: must be a JSON object", 400),
        ({"query_record": {"_id": "nobody"}}, "the query record has the _id", 422),
        ({"query_record": {"_base64": "AAAA"}}, "", 422),
    ],
)
def test_colours_that_cannot_be_had_are_named(mapped: Api, body: Json, said: str, http: int) -> None:
    assert said in colours(mapped, http, **body)["status"]["error_description"]


@pytest.mark.parametrize(("given", "said"), [({"k": 5}, "parameters.k"), ({"seed": -1}, "seed"), ({"anew": 1}, "anew")])
def test_a_job_with_wrong_parameters_is_refused(mapped: Api, given: Json, said: str) -> None:
    sent = {"Authorization": f"Token {mapped.token}", "collection-id": mapped.collection}
    answer = mapped.client.post("/jobs/v1/map", json=given, headers=sent).get_json()
    assert answer["status"]["code"] == 402
    assert said in answer["status"]["error_description"]


def test_tokens_see_the_maps_of_their_collections(
    mapped: Api, new_token: Callable[..., str], new_collection: Callable[..., str]
) -> None:
    paths = ("state", "points", "ids", "clusters", "outliers")
    other, here = new_token("read", new_collection()), new_token("read", mapped.collection)
    for path in paths:
        assert mapped.client.get(f"/maps/v1/{mapped.collection}/{path}").status_code == 401
        get(mapped, path, 403, Authorization=f"Token {other}")
        get(mapped, path, Authorization=f"Token {here}")
    started = {"Authorization": f"Token {here}", "collection-id": mapped.collection}
    assert mapped.client.post("/jobs/v1/map", json={}, headers=started).status_code == 403
    assert mapped.client.get("/maps/v1/nobody/state", headers=started).status_code == 404
    assert mapped.client.get(f"/maps/v1/{mapped.collection}/nothing", headers=started).status_code == 404


def test_a_collection_without_a_map_says_so(api: Api) -> None:
    assert get(api, "state")["layout"] == "none"
    assert "start a job of the kind map" in get(api, "points", 409)["status"]["error_description"]


def test_the_document_is_valid_and_names_every_path(api: Api) -> None:
    told = api.client.get("/maps/v1/openapi.json").get_json()
    assert told == DOCUMENT
    OpenAPIV31SpecValidator(told).validate()
    rules = {rule.rule for rule in api.client.application.url_map.iter_rules() if rule.endpoint.startswith("maps.")}
    named = {f"/maps/v1{path.replace('{name}', '<name>')}" for path in told["paths"]}
    assert named == rules - {"/maps/v1/openapi.json"}


def test_the_command_builds_shows_and_exports(
    api: Api, quick: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    store(api, vectors(20))
    monkeypatch.setenv("DATABASE_URL", api.context.db.url)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(cli, ["map", *arguments])

    assert run("export", api.collection).exit_code == 1
    built = run("build", api.collection, "--seed", "3")
    assert (built.exit_code, built.stdout[: len(api.collection)]) == (0, api.collection), built.output
    shown = json.loads(run("show", api.collection, "--json").stdout)
    assert (shown["layout"], shown["points"], shown["seed"]) == ("neighbours", 20, 3)
    assert run("export", api.collection, str(tmp_path / "map.csv")).exit_code == 0
    lines = (tmp_path / "map.csv").read_text().splitlines()
    assert lines[0] == "_id,x,y"
    assert {line.split(",")[0] for line in lines[1:]} == {f"r{n:04}" for n in range(20)}
    assert run("build", api.collection, "--seed", "-1").exit_code == 2
    assert run("show", "nobody").exit_code == 1
