"""A primary and its standby: what a server that is read only answers, and what becomes of one whose primary is lost."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from app import create_app
from app.cli import cli
from app.config import Settings
from app.db import audit, backup, jobs, schema, standbys
from app.db import tokens as token_table
from app.db.conninfo import reach
from app.db.embedded import EmbeddedDatabase
from app.db.engine import Connection, connect
from app.db.errors import UNCONFIRMED, TookTooLong
from app.db.standbys import Identity
from app.domain.audit import Act
from app.domain.freshness import Asked, Positions, asking, newest
from app.domain.tokens import Scope
from app.metrics import families
from app.services import collections, tokens
from app.services.sharing import Sharing
from tests.api.conftest import Api, picture
from tests.server.conftest import Server, clean_environment
from tests.support.clusters import BREAKS_READS_OFF, Pair
from tests.support.waiting import eventually

_CAUGHT_UP = """
    SELECT count(*) FILTER (WHERE pg_wal_lsn_diff(pg_current_wal_flush_lsn(), replay_lsn) > 0) = 0 AND count(*) > 0
    FROM pg_stat_replication
"""
_READING = {
    "visualKNN": {"query_record": {"_id": "1"}, "k": 3},
    "get": {"records": [{"_id": "1"}]},
    "find": {"filter": {"n": {"$gte": 2}}},
    "getRecordCount": {},
    "allRecords": {},
    "allNearDupPairs": {},
}


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
    # What a request asks to see is waited for, and no older answer given.
    servers.run(servers.standby, "SELECT pg_wal_replay_pause()")
    new = str(servers.run(servers.primary, "SELECT pg_logical_emit_message(false, 'a', 'b', true)"))
    for method, body in {"getRecordCount": {}, "allRecords": {}}.items():
        assert api.call(method, body).status_code == 200
        late = api.call(method, body, lookalike_version=new)
        assert late.status_code == 503
        assert "has not replayed what is to be read" in late.get_json()["status"]["error_description"]
    servers.run(servers.standby, "SELECT pg_wal_replay_resume()")
    eventually(lambda: api.call("allRecords", {}, lookalike_version=new).status_code, lambda code: code == 200)
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
    outcomes = [one.context.metrics.totals(families.REPLICA_READS) for one in servers_of_one]
    assert all(found["answered",] > 0 for found in outcomes)
    assert all(found["behind",] > 0 for found in outcomes)
    for one in servers_of_one:
        one.context.close()


@contextmanager
def _reading(servers: Pair, filled: Api, chosen: Settings, sharing: Sharing | None = None) -> Iterator[Api]:
    """Start another server at the primary; it reads from the standby where the settings say so."""
    application = create_app(chosen, servers.url(servers.primary), sharing)
    context = application.extensions["lookalike"]
    yield replace(filled, client=application.test_client(), context=context)
    context.close()


def test_what_is_noted_beside_the_records_sends_no_read_to_the_primary(
    servers: Pair, filled: Api, settings: Callable[..., Settings]
) -> None:
    """A standby that lags would else be of no use: workers and tokens leave notes all the time."""
    chosen = settings(read_database_url=servers.url(servers.standby), read_wait_ms=50, job_workers=0)
    with _reading(servers, filled, chosen) as api:
        before = api.post("getRecordCount", {}, code=200)["answer_count"]
        servers.run(servers.standby, "SELECT pg_wal_replay_pause()")
        filled.post("insert", {"records": [{"_id": "beside", "_base64": picture(8)}]}, code=210)
        db, moment = api.context.db, datetime.now(UTC)
        jobs.seen(db, "worker")
        token_table.used(db, {1: moment})
        audit.add(db, [Act(moment, "tokens/revoke", 200)])
        assert api.context.written(api.context.lookup.collection("five").id) is None
        assert api.post("getRecordCount", {}, code=200)["answer_count"] == before
        servers.run(servers.standby, "SELECT pg_wal_replay_resume()")
    filled.post("delete", {"records": [{"_id": "beside"}]}, code=220)


def test_processes_of_one_server_know_of_each_others_writes(
    servers: Pair, filled: Api, settings: Callable[..., Settings]
) -> None:
    chosen = settings(read_database_url=servers.url(servers.standby), read_wait_ms=50, job_workers=0)
    positions = Positions(2)
    with (
        _reading(servers, filled, chosen, Sharing(0, positions=positions)) as here,
        _reading(servers, filled, chosen, Sharing(1, positions=positions)) as there,
    ):
        before = there.post("getRecordCount", {}, code=200)["answer_count"]
        servers.run(servers.standby, "SELECT pg_wal_replay_pause()")
        here.post("insert", {"records": [{"_id": "shared", "_base64": picture(7)}]}, code=210)
        assert there.post("getRecordCount", {}, code=200)["answer_count"] == before + 1
        servers.run(servers.standby, "SELECT pg_wal_replay_resume()")
        there.post("delete", {"records": [{"_id": "shared"}]}, code=220)
        assert here.post("getRecordCount", {}, code=200)["answer_count"] == before


def test_a_read_that_a_vacuum_breaks_off_is_done_once_more_on_the_primary(
    servers: Pair, filled: Api, settings: Callable[..., Settings]
) -> None:
    chosen = settings(read_database_url=servers.url(servers.standby), read_wait_ms=20_000, job_workers=0)
    servers.tell(servers.standby, *BREAKS_READS_OFF)
    asked: list[bool] = []

    def work(connection: Connection) -> None:
        row = connection.execute("SELECT pg_is_in_recovery() AS on_standby").fetchone()
        asked.append(bool(row and row["on_standby"]))
        if asked == [True]:
            connection.execute("SELECT pg_sleep(25)")

    with _reading(servers, filled, chosen) as api, ThreadPoolExecutor(1) as pool:

        def read() -> None:
            with asking(Asked(0, reads=True)):
                api.context.db.read(work)

        reading = pool.submit(read)
        eventually(
            lambda: servers.run(servers.standby, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
        )
        servers.tell(
            servers.primary,
            "INSERT INTO lookalike.aliases (name, collection_id) SELECT 'a', min(id) FROM lookalike.collections",
            "DELETE FROM lookalike.aliases",
            "VACUUM lookalike.aliases",
        )
        reading.result()
        assert asked == [True, False]


def test_a_read_that_takes_too_long_on_a_standby_is_not_begun_again_on_the_primary(
    servers: Pair, filled: Api, settings: Callable[..., Settings]
) -> None:
    chosen = settings(
        read_database_url=servers.url(servers.standby), read_wait_ms=20_000, statement_timeout_ms=100, job_workers=0
    )
    with _reading(servers, filled, chosen) as api:
        tried: list[int] = []

        def work(connection: Connection) -> None:
            tried.append(1)
            connection.execute("SELECT pg_sleep(5)")

        with asking(Asked(0, reads=True)), pytest.raises(TookTooLong):
            api.context.db.read(work)
        assert tried == [1]


@contextmanager
def _synchronous(servers: Pair, commit: str, standbys: str = "") -> Iterator[None]:
    servers.tell(
        servers.primary,
        f"ALTER DATABASE {servers.database} SET synchronous_commit = {commit}",
        f"ALTER SYSTEM SET synchronous_standby_names = '{standbys}'",
        "SELECT pg_reload_conf()",
    )
    try:
        yield
    finally:
        servers.run(servers.standby, "SELECT pg_wal_replay_resume()")
        servers.tell(
            servers.primary,
            "SET synchronous_commit = local",
            f"ALTER DATABASE {servers.database} RESET synchronous_commit",
            "ALTER SYSTEM RESET synchronous_standby_names",
            "SELECT pg_reload_conf()",
        )


def test_what_no_standby_has_confirmed_is_not_answered_as_stored_on_two_machines(
    servers: Pair, filled: Api, settings: Callable[..., Settings]
) -> None:
    """Where the wait is broken off, PostgreSQL commits as if all were well, and only warns."""
    chosen = settings(job_workers=0)
    waits = "SELECT current_setting('synchronous_standby_names') = '*'"
    with _synchronous(servers, "remote_apply", "*"):
        eventually(lambda: servers.run(servers.primary, waits))
        with _reading(servers, filled, chosen) as api, ThreadPoolExecutor(1) as pool:
            servers.run(servers.standby, "SELECT pg_wal_replay_pause()")
            record = {"_id": "alone", "_base64": picture(6)}
            inserting = pool.submit(api.call, "insert", {"records": [record]})
            text = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
            eventually(lambda: servers.run(servers.primary, text))
            answer = inserting.result()
            assert answer.status_code == 503
            assert answer.get_json()["status"]["error_description"] == UNCONFIRMED
            api.post("get", {"records": [{"_id": "alone"}]}, code=205)  # it is written, and read where it is
            servers.run(servers.standby, "SELECT pg_wal_replay_resume()")
            api.post("delete", {"records": [{"_id": "alone"}]}, code=220)


def test_a_commit_that_does_not_wait_for_the_disk_is_waited_for_by_reads(
    servers: Pair, filled: Api, settings: Callable[..., Settings]
) -> None:
    chosen = settings(read_database_url=servers.url(servers.standby), read_wait_ms=20_000, job_workers=0)
    with _synchronous(servers, "off"), _reading(servers, filled, chosen) as api:
        for number in range(5):
            before = str(servers.run(servers.primary, "SELECT pg_current_wal_insert_lsn()"))
            written = api.call("insert", {"records": [{"_id": f"off{number}", "_base64": picture(number)}]})
            assert written.headers["lookalike-version"] == newest(written.headers["lookalike-version"], before)
            assert written.headers["lookalike-version"] != before
            api.post("get", {"records": [{"_id": f"off{number}"}]}, code=205)
            api.post("delete", {"records": [{"_id": f"off{number}"}]}, code=220)


def test_check_tells_how_a_standby_stands(servers: Pair, filled: Api, tmp_path: Path) -> None:
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
    # By a login that may see neither how the receiver stands nor the cluster's identifier.
    hidden = "FUNCTION pg_catalog.pg_control_system()"
    servers.tell(servers.primary, 'CREATE ROLE "a-login"', f"REVOKE EXECUTE ON {hidden} FROM PUBLIC")
    servers.run(servers.standby, "SELECT pg_wal_replay_resume()")
    eventually(lambda: servers.run(servers.primary, _CAUGHT_UP))
    with connect(servers.url(servers.standby, more="&options=-crole%3Da-login")) as connection:
        stands, database = standbys.standing(connection), Identity.of(connection)
    assert 'its receiver runs, but this login may not see how (GRANT pg_read_all_stats TO "a-login")' in stands[0]
    assert (database.system, database.name) == (None, servers.database)
    servers.tell(servers.primary, f"GRANT EXECUTE ON {hidden} TO PUBLIC", 'DROP ROLE "a-login"')
    # And on the primary, of each server that reads go to.
    nowhere = servers.url(servers.standby, replace(servers.standby, port=1))
    environment = {"DATABASE_URL": servers.url(servers.primary), "LOOKALIKE_READ_DATABASE_URL": nowhere}
    told = CliRunner().invoke(cli, ["db", "check"], env=environment)
    assert told.exit_code == 0, told.output
    assert f"{servers.standby.folder}:5602, which reads go to: hot_standby_feedback is off" in told.output
    assert f"{servers.standby.folder}:1, which reads go to, cannot be reached" in told.output
    embedded = EmbeddedDatabase(tmp_path)
    elsewhere = CliRunner().invoke(
        cli, ["db", "check"], env={**environment, "LOOKALIKE_READ_DATABASE_URL": embedded.start()}
    )
    embedded.stop()
    assert elsewhere.exit_code == 1
    assert "is no standby of DATABASE_URL, but another database" in elsewhere.output
    servers.run(servers.standby, "SELECT pg_wal_replay_resume()")


def test_reads_never_go_to_another_database_of_the_cluster(
    servers: Pair, filled: Api, settings: Callable[..., Settings], tmp_path: Path
) -> None:
    """It has a schema and a collection of the same numbers, so that its answers look right."""
    other = replace(servers, database="elsewhere")
    servers.tell(servers.primary, "CREATE DATABASE elsewhere")
    schema.upgrade(other.url(servers.primary))
    there = create_app(settings(recall_seconds=0, job_workers=0), other.url(servers.primary)).extensions["lookalike"]
    collections.create(there, "five", "photo", "phash")
    there.close()
    eventually(lambda: servers.run(servers.primary, _CAUGHT_UP))
    read = other.url(servers.standby)
    environment = {"DATABASE_URL": servers.url(servers.primary), "LOOKALIKE_READ_DATABASE_URL": read}
    refusal = f"leads to the database elsewhere, and DATABASE_URL to {servers.database}: name the same database in both"
    checked = CliRunner().invoke(cli, ["db", "check"], env=environment)
    assert (checked.exit_code, refusal in checked.output) == (1, True), checked.output
    started = Server(clean_environment(**environment, LOOKALIKE_HOME=str(tmp_path)), tmp_path / "log")
    assert refusal in started.command("serve", "--port", str(started.port), check=False).stderr
    # Where a server runs already, no connection to it is used.
    with _reading(servers, filled, settings(read_database_url=read, read_wait_ms=2000, job_workers=0)) as api:
        for _ in range(3):
            api.post("get", {"records": [{"_id": "1"}]}, code=205)
        outcomes = api.context.metrics.totals(families.REPLICA_READS)
        assert (outcomes["answered",], outcomes["away",] > 0) == (0, True)


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
    # Another server reads from the standby, and remembers no token: nothing of a read needs the primary.
    chosen = settings(
        read_database_url=servers.url(servers.standby), auth_cache_seconds=0, pool_timeout_seconds=1, job_workers=0
    )
    reading = create_app(chosen, servers.url(servers.primary))
    eventually(lambda: reading.test_client().get("/readyz").status_code, lambda code: code == 200)
    servers.primary.kill()
    other = replace(api, client=reading.test_client(), context=reading.extensions["lookalike"])
    assert other.post("getRecordCount", {}, code=200)["answer_count"] == 3
    assert other.client.get("/readyz").status_code == 200
    away = other.call("delete", {"records": [{"_id": "1"}]})
    assert away.status_code == 503
    assert int(away.headers["Retry-After"]) >= 1
    assert replace(other, token="unknown").call("getRecordCount", {}).status_code == 503  # it may be a new one
    other.context.close()
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
