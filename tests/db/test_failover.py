"""A primary and its standby: what a server that is read only answers, and what becomes of one whose primary is lost."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from app import create_app
from app.cli import cli
from app.config import Settings
from app.db import backup, schema
from app.db.conninfo import reach
from app.domain.tokens import Scope
from app.services import collections, tokens
from tests.api.conftest import Api, picture
from tests.support.clusters import Pair, pair
from tests.support.waiting import eventually

_READING = {
    "visualKNN": {"query_record": {"_id": "1"}, "k": 3},
    "get": {"records": [{"_id": "1"}]},
    "find": {"filter": {"n": {"$gte": 2}}},
    "getRecordCount": {},
    "allRecords": {},
    "allNearDupPairs": {},
}


@pytest.fixture(scope="module")
def servers(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    made = pair(module_database_url, tmp_path_factory.mktemp("pair"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def filled(servers: Pair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server at the primary, and a collection of five records that the standby has, too."""
    home = tmp_path_factory.mktemp("primary-home")
    application = create_app(Settings(home=home, recall_seconds=0, job_workers=0), servers.url(servers.primary))
    context = application.extensions["lookalike"]
    collections.create(context, "five", "photo", "phash")
    api = Api(application.test_client(), context, "five", tokens.create(context, [Scope.ADMIN], None).token)
    api.fill(5)
    text = "SELECT count(*) FROM lookalike.records AS r JOIN lookalike.collections AS c ON c.id = r.collection_id"
    eventually(lambda: servers.run(servers.standby, f"{text} WHERE c.name = 'five'"), lambda found: found == 5)
    yield api
    context.close()


def test_on_a_standby_reads_are_served_alone(
    servers: Pair, filled: Api, settings: Callable[..., Settings], caplog: pytest.LogCaptureFixture
) -> None:
    chosen = settings(read_only=True, log_searches=True)
    application = create_app(chosen, reach(servers.url(servers.standby), writes=False))
    context = application.extensions["lookalike"]
    api = replace(filled, client=application.test_client(), context=context)
    eventually(lambda: api.client.get("/readyz").status_code, lambda code: code == 200)
    for method, body in _READING.items():
        here, there = (one.post(method, body) for one in (api, filled))
        assert here["status"]["code"] == there["status"]["code"] < 300, (method, here)
        assert {**here, "status": 0, "statistics": 0} == {**there, "status": 0, "statistics": 0}
    before = context.vector_cache.figures()
    record = {"_id": "new", "_base64": picture(8)}
    for method, body in {
        "insert": {"records": [record]},
        "nearDupsInsert": {"records": [record]},
        "update": {"records": [{"_id": "1", "n": 2}]},
        "delete": {"records": [{"_id": "1"}]},
        "deleteByFilter": {"filter": {}},
    }.items():
        answer = api.call(method, body)
        assert answer.status_code == 503, method
        assert answer.get_json()["status"]["error_description"].startswith("this server only reads")
        assert int(answer.headers["Retry-After"]) >= 1
    assert context.vector_cache.figures() == before  # no picture was looked at
    reader = tokens.create(filled.context, [Scope.READ], None).token
    eventually(lambda: replace(api, token=reader).call("getRecordCount").status_code, lambda code: code == 200)
    assert replace(api, token=reader).call("delete", {"records": [{"_id": "1"}]}).status_code == 403
    assert [one.getMessage() for one in caplog.records if one.levelname in {"WARNING", "ERROR"}] == []
    context.close()


def test_reads_go_to_the_standby_and_see_what_was_written_before(
    servers: Pair, filled: Api, settings: Callable[..., Settings]
) -> None:
    chosen = settings(read_database_url=servers.url(servers.standby), read_wait_ms=50, job_workers=0)
    servers_of_one = []
    for _ in range(2):
        application = create_app(chosen, servers.url(servers.primary))
        context = application.extensions["lookalike"]
        servers_of_one.append(replace(filled, client=application.test_client(), context=context))
    here, there = servers_of_one

    def count(api: Api, **headers: str) -> int:
        return int((api.call("getRecordCount", {}, **headers).get_json() or {})["answer_count"])

    assert [count(here), count(there)] == [5, 5]
    servers.run(servers.standby, "SELECT pg_wal_replay_pause()")
    written = here.call("insert", {"records": [{"_id": "late", "_base64": picture(9)}]})
    version = written.headers["lookalike-version"]
    assert count(here) == 6  # it remembers what it wrote
    assert count(there) == 5  # and is answered by the standby
    assert count(there, lookalike_version=version) == 6
    assert there.call("getRecordCount", {}, lookalike_version="soon").status_code == 400
    servers.run(servers.standby, "SELECT pg_wal_replay_resume()")
    eventually(lambda: count(there), lambda found: found == 6)
    assert count(there, lookalike_version=version) == 6
    servers.run(
        servers.standby,
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'lookalike'",
    )
    assert [count(here), count(there)] == [6, 6]
    assert here.call("delete", {"records": [{"_id": "late"}]}).status_code == 200
    assert count(here) == 5
    for one in servers_of_one:
        one.context.close()


def test_check_tells_how_a_standby_stands(servers: Pair, filled: Api) -> None:
    del filled
    environment = {"DATABASE_URL": servers.url(servers.standby)}
    refused = CliRunner().invoke(cli, ["db", "check"], env=environment)
    assert refused.exit_code == 1
    assert "this server is a standby, which takes no writes" in refused.output
    servers.run(servers.standby, "SELECT pg_wal_replay_pause()")
    told = CliRunner().invoke(cli, ["db", "check"], env={**environment, "LOOKALIKE_READ_ONLY": "true"})
    assert told.exit_code == 0, told.output
    assert "this server is a standby: its receiver is streaming" in told.output
    assert "since replay is paused" in told.output
    assert "hot_standby_feedback is off" in told.output
    servers.run(servers.standby, "SELECT pg_wal_replay_resume()")


def test_when_the_primary_is_lost_the_promoted_standby_serves(
    servers: Pair, filled: Api, settings: Callable[..., Settings], tmp_path: Path
) -> None:
    """By one list of hosts for all that connects: requests, LISTEN, upgrades, dumps; nothing is started anew."""
    filled.context.close()
    url = reach(servers.url(servers.standby, servers.primary))
    schema.ensure(url)
    application = create_app(settings(pool_timeout_seconds=1), url)
    context = application.extensions["lookalike"]
    collections.create(context, "c", "photo", "phash")
    api = Api(application.test_client(), context, "c", tokens.create(context, [Scope.ADMIN], None).token)
    api.fill(3)
    eventually(lambda: context.bell.listens)
    eventually(lambda: servers.run(servers.standby, "SELECT count(*) FROM lookalike.records"), lambda found: found == 8)
    servers.primary.kill()
    refused = api.call("delete", {"records": [{"_id": "1"}]})
    assert (refused.status_code, refused.get_json()["status"]["code"]) == (503, 503)
    assert int(refused.headers["Retry-After"]) >= 1
    servers.run(servers.standby, "SELECT pg_promote()")
    eventually(lambda: api.call("delete", {"records": [{"_id": "1"}]}).status_code, lambda code: code == 200)
    assert api.post("getRecordCount", {}, code=200)["answer_count"] == 2
    eventually(lambda: context.bell.listens)
    assert api.client.get("/readyz").status_code == 200
    assert schema.problems(url) == []
    backup.dump(url, tmp_path / "dump")
    context.close()
