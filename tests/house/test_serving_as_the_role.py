"""The whole server as `lookalike_app`: everything the API does, and what it leaves to the schema's owner."""

import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.api.conftest import picture
from tests.house.conftest import House
from tests.server.conftest import Server, clean_environment
from tests.support.waiting import eventually


def shell(house: House, home: Path, url: str, **more: str) -> Server:
    environment = clean_environment(
        LOOKALIKE_HOME=str(home),
        DATABASE_URL=url,
        LOOKALIKE_INDEX_ROWS="15",
        LOOKALIKE_AUTH_CACHE_SECONDS="0.1",
        **more,
    )
    return Server(environment, home / "log")


@pytest.fixture
def owner(settled: House, tmp_path: Path) -> Server:
    return shell(settled, tmp_path, settled.owner)


@pytest.fixture
def server(settled: House, tmp_path: Path) -> Iterator[Server]:
    made = shell(settled, tmp_path, settled.server)
    made.start()
    yield made
    assert made.stop() == 0


def caller(server: Server, token: str, collection: str) -> Any:
    headers = {"Authorization": f"Token {token}", "collection-id": collection}

    def call(method: str, **body: Any) -> Any:
        url = f"{server.url}/photo/search/v2/{method}"
        return requests.post(url, json=body, headers=headers, timeout=60).json()

    call.headers = headers  # type: ignore[attr-defined]
    return call


def some(*numbers: int) -> list[dict[str, Any]]:
    return [{"_id": str(number), "_base64": picture(number), "n": number, "tags": ["x"]} for number in numbers]


def test_everything_the_api_does(owner: Server, server: Server) -> None:
    owner.json("collection", "create", "all", "--service", "photo", "--capacity", "100")
    call = caller(server, owner.json("token", "create", "--scope", "admin")["token"], "all")
    assert call("insert", records=some(*range(10)))["status"]["code"] == 210
    assert call("nearDupsInsert", records=some(30))["status"]["code"] == 210
    for method in ("visualKNN", "visualTagsKNN", "nearDuplicates"):
        assert call(method, query_record={"_id": "3"}, k=3)["answer_records"][0]["_id"] == "3", method
    found = call("visualKNN", query_record={"_base64": picture(4)}, filter={"n": {"$gte": 4}}, k=2)
    assert found["answer_records"][0]["_id"] == "4"
    assert call("update", records=[{"_id": "3", "n": 33}])["status"]["code"] == 205
    assert call("get", records=[{"_id": "3"}])["answer_records"][0]["n"] == 33
    assert len(call("random", count=2)["answer_records"]) == 2
    assert len(call("allRecords")["answer_records"]) == 11
    assert call("allNearDupPairs")["status"]["code"] == 200
    assert call("delete", records=[{"_id": "3"}])["status"]["code"] == 220
    assert len(call("deleteByFilter", filter={"n": {"$lt": 5}})["answer_records"]) == 4
    assert call("getRecordCount")["answer_count"] == 6
    assert requests.get(f"{server.url}/readyz", timeout=5).json() == {"status": "ready"}
    for path, body in (
        ("tokens/create", {}),
        ("collection/set", {"capacity": 7}),
        ("aliases/set", {"aliases": {"x": "all"}}),
    ):
        refused = requests.post(f"{server.url}/admin/v1/{path}", json=body, headers=call.headers, timeout=60)
        assert (refused.status_code, "may not do this" in refused.json()["status"]["error_description"]) == (403, True)


def test_an_index_that_it_may_not_build_is_named_with_the_command(owner: Server, server: Server) -> None:
    owner.json("collection", "create", "grown", "--service", "photo")
    call = caller(server, owner.json("token", "create", "--scope", "admin")["token"], "grown")
    for first in (0, 10):
        assert call("insert", records=some(*range(first, first + 10)))["status"]["code"] == 210
    inserted_until(call, lambda: "lookalike collection build grown" in server.log.read_text())
    assert "grown: built" in owner.command("collection", "build", "grown").stdout
    assert owner.json("collection", "list")[-1]["hnsw_index_ready"]
    assert call("visualKNN", query_record={"_id": "3"}, k=3)["answer_records"][0]["_id"] == "3"
    assert call("insert", records=some(31))["status"]["code"] == 210
    assert "nothing to build" in owner.command("collection", "build").stdout


def test_a_server_with_the_owners_url_builds_by_itself(settled: House, owner: Server, tmp_path: Path) -> None:
    owner.json("collection", "create", "own", "--service", "photo")
    token = owner.json("token", "create", "--scope", "admin")["token"]
    server = shell(settled, tmp_path, settled.server, LOOKALIKE_ADMIN_DATABASE_URL=settled.owner)
    server.start()
    try:
        call = caller(server, token, "own")
        for first in (0, 10):
            call("insert", records=some(*range(first, first + 10)))
        inserted_until(call, lambda: owner.json("collection", "show", "own")["hnsw_index_ready"])
    finally:
        server.stop()


def test_what_the_role_may_not_do_is_refused_in_one_line(settled: House, tmp_path: Path, house: House) -> None:
    app = shell(settled, tmp_path, settled.server)
    for arguments in (
        ("collection", "create", "x", "--service", "photo"),
        ("collection", "drop", "first", "--yes"),
        ("collection", "index", "first", "price"),
        ("token", "create"),
    ):
        done = app.command(*arguments, check=False)
        assert done.returncode == 2, arguments
        assert "LOOKALIKE_ADMIN_DATABASE_URL" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
    assert "ready to be served" in app.command("db", "check").stdout
    nothing_there = shell(house, tmp_path, house.server).command("serve", check=False)
    assert nothing_there.returncode == 2
    assert "CREATE SCHEMA lookalike AUTHORIZATION house_server" in nothing_there.stderr


def inserted_until(call: Any, condition: Callable[[], bool]) -> None:
    """Insert records one by one: a collection is looked at after an insert, at most every five seconds."""
    numbers = itertools.count(100)

    def inserted() -> bool:
        assert call("insert", records=some(next(numbers)))["status"]["code"] == 210
        time.sleep(0.2)
        return condition()

    eventually(inserted)
