"""allNearDupPairs: complete against brute force, paged, filtered."""

import base64
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from app.cli import cli
from app.db import collections, loads, pairs
from app.db.engine import Database
from app.db.listing import Listing
from app.db.records import NewRecord
from app.demo.catalogue import catalogue
from app.domain.collections import NewCollection
from app.domain.errors import InvalidRequest
from app.domain.records import Fields
from app.domain.windows import Window
from app.services import duplicates
from app.services.pairs import near_duplicate_pairs
from tests.api.conftest import Api
from tests.db.vectors import random_vectors


def jpeg(number: int, quality: int) -> str:
    buffer = io.BytesIO()
    catalogue(number + 1)[number].picture().save(buffer, "JPEG", quality=quality)
    return base64.b64encode(buffer.getvalue()).decode()


@pytest.fixture
def twins(api: Api) -> Api:
    for number in range(3):
        records = [
            {"_id": f"{number}-{quality}", "_base64": jpeg(number, quality), "n": number} for quality in (95, 70, 50)
        ]
        api.post("insert", {"records": records}, code=210)
    return api


def test_each_pair_once_nearest_first(twins: Api) -> None:
    got = twins.post("allNearDupPairs", code=200)
    found = [tuple(record["_id"] for record in pair) for pair in got["answer_records"]]
    wanted = {(f"{n}-50", f"{n}-70") for n in range(3)} | {(f"{n}-{q}", f"{n}-95") for n in range(3) for q in (50, 70)}
    assert set(found) == wanted
    assert len(found) == 9 == got["answer_count"]
    assert got["answer_distances"] == sorted(got["answer_distances"])
    assert 0 < got["answer_distances"][0] <= got["answer_distances"][-1] <= 5.0


def test_pages_filter_fields_and_radius(twins: Api) -> None:
    whole = twins.post("allNearDupPairs", {"fields_to_return": ["n"]}, code=200)
    assert whole["answer_records"][0][0].keys() == {"_id", "n"}
    pages: list[Any] = []
    for start in (0, 4, 8):
        pages += twins.post("allNearDupPairs", {"k": 4, "from": start, "fields_to_return": ["n"]})["answer_records"]
    assert pages == whole["answer_records"]
    only = twins.post("allNearDupPairs", {"filter": {"n": 1}}, code=200)
    assert only["answer_count"] == 3
    assert twins.post("allNearDupPairs", {"radius": 0})["answer_count"] == 0
    for wide in (1000, 1e39, 1e307):
        assert twins.post("allNearDupPairs", {"radius": wide}, code=200)["answer_count"] == 36
    for bad in ({"radius": -1}, {"radius": "5"}, {"k": -1}, {"filter": {"$x": 1}}):
        assert twins.call("allNearDupPairs", bad).status_code == 400


@pytest.mark.usefixtures("on_the_coordinator")
def test_stored_pairs_are_the_same_answer_as_long_as_they_are_current(twins: Api) -> None:
    own = collections.get(twins.context.db, twins.collection)
    asked: list[dict[str, Any]] = [
        {"fields_to_return": ["n"]},
        {"k": 4, "from": 3},
        {"filter": {"n": {"$lte": 1}}, "radius": 3.0},
        {"filter": {"n": 7}},
        {"radius": 0},
        {"k": 0},
    ]

    def answers(pairs: str) -> list[dict[str, Any]]:
        found = [twins.post("allNearDupPairs", body, code=200) for body in asked]
        assert {answer.pop("statistics")["pairs"] for answer in found} == {pairs}
        return [{key: value for key, value in answer.items() if key != "status"} for answer in found]

    for change in (None, "insert", "delete"):
        if change == "insert":  # a copy of one, and a copy of the copy
            records = [{"_id": one, "_base64": jpeg(1, 70), "n": 1} for one in ("0-1", "9-9")]
            twins.post("insert", {"records": records}, code=210)
        if change == "delete":
            twins.post("delete", {"records": [{"_id": one} for one in ("1-70", "2-95")]}, code=220)
        duplicates.forget(twins.context, own)
        compared = answers("compared")
        assert compared[0]["answer_count"] == {None: 9, "insert": 16, "delete": 10}[change]
        duplicates.scan(twins.context, own, 5.0)
        assert answers("stored") == compared
    # What is written now counts at once; what the scan does not reach is compared.
    twins.post("insert", {"records": [{"_id": "new", "_base64": jpeg(0, 95)}]}, code=210)
    assert answers("stored")[0]["answer_count"] == 13
    assert twins.post("allNearDupPairs", {"radius": 5.1})["statistics"]["pairs"] == "compared"
    with twins.context.db.session() as connection:
        connection.execute("UPDATE lookalike.duplicate_scans SET completed_at = NULL")
    answers("compared")
    with twins.context.db.session() as connection:
        connection.execute("UPDATE lookalike.duplicate_scans SET completed_at = now(), generation = 7")
    answers("compared")


def test_an_empty_collection_has_no_pairs(api: Api) -> None:
    assert api.post("allNearDupPairs", code=200)["answer_records"] == []


def test_too_many_records_for_one_request_are_refused_and_the_command_takes_them(twins: Api, tmp_path: Path) -> None:
    settings = twins.context.settings.model_copy(update={"max_pair_records": 8})
    narrow = replace(twins.context, settings=settings)
    own = collections.get(narrow.db, twins.collection)
    with pytest.raises(InvalidRequest, match=r"more than 8 records match.*`lookalike duplicates`"):
        near_duplicate_pairs(narrow, Listing(own, Fields()), 5.0, Window(100))
    environment = {
        "DATABASE_URL": narrow.db.url,
        "LOOKALIKE_HOME": str(tmp_path),
        "LOOKALIKE_MAX_PAIR_RECORDS": "8",
    }
    run = CliRunner().invoke(cli, ["duplicates", twins.collection], env=environment)
    assert run.exit_code == 0, run.output
    pairs_found = [json.loads(line) for line in run.stdout.splitlines()]
    assert len(pairs_found) == 9 == twins.post("allNearDupPairs")["answer_count"]
    assert [pair["distance"] for pair in pairs_found] == sorted(pair["distance"] for pair in pairs_found)
    assert "comparing 9 records" in run.stderr


def test_complete_against_brute_force_over_many_blocks(db: Database) -> None:
    own = collections.create(db, NewCollection("c", "photo", "m", "1", 32, 62.5))
    vectors = random_vectors(5000, 32, clusters=400)
    rows = [NewRecord(f"r{number:05}", "{}", vector) for number, vector in enumerate(vectors)]
    loads.copy(db, own, rows)
    read = pairs.read_vectors(db, Listing(own, Fields()), 5000)
    assert read is not None
    assert pairs.read_vectors(db, Listing(own, Fields()), 4999) is None
    wide = read.matrix.astype(np.float64)
    wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    distance = 62.5 * (1 - wide @ wide.T)
    one, other = np.nonzero(np.triu(distance <= 6.0, k=1))
    true = sorted(distance[one, other])
    assert len(true) > 1000
    done: list[int] = []
    found = pairs.nearest_pairs(read, 62.5, 6.0, 10**6, done.append)
    assert sum(done) == 5000
    assert len(found) == pytest.approx(len(true), abs=2), "pairs at the very edge may fall on either side"
    assert [value for _, _, value in found[:1000]] == pytest.approx(true[:1000], abs=1e-3)
    assert all(first < second for first, second, _ in found)
    assert pairs.nearest_pairs(read, 62.5, 6.0, 50) == found[:50]


def test_equal_vectors_lie_at_no_distance_at_all_and_the_radius_divides_exactly() -> None:
    generator = np.random.default_rng(5)
    one = generator.normal(size=(40, 256)).astype(np.float16)
    matrix = np.concatenate([one, one, one * np.float16(0.5)])  # as long, and half as long: the direction counts
    read = pairs.Vectors([str(n) for n in range(len(matrix))], matrix)
    found = pairs.nearest_pairs(read, 62.5, 0.0, 10**6)
    assert {(a, b) for a, b, _ in found} >= {(n, n + 40) for n in range(40)}
    assert {distance for _, _, distance in found} == {0.0}
    unit = matrix.astype(np.float64) / np.linalg.norm(matrix.astype(np.float64), axis=1, keepdims=True)
    true = 62.5 * (1.0 - unit @ unit.T)
    everything = {(a, b): distance for a, b, distance in pairs.nearest_pairs(read, 62.5, 200.0, 10**6)}
    assert len(everything) == 120 * 119 // 2
    assert all(abs(distance - true[place]) < 1e-9 for place, distance in everything.items())
    radius = sorted(everything.values())[2000]
    assert len(pairs.nearest_pairs(read, 62.5, radius, 10**6)) == sum(d <= radius for d in everything.values())
