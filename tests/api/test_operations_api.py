"""How everything does: `/admin/v1/operations` and `audit`, the rules of what is wrong, and the console's screen."""

import copy
import html
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from psycopg import sql
from werkzeug.test import TestResponse

from app import create_app
from app.config import Settings
from app.domain.alerts import BY_NAME
from app.domain.browser import COOKIE
from app.domain.searches import Entry
from app.domain.tokens import Scope
from app.metrics import Metrics, families
from app.metrics.families import SECONDS
from app.services import operation_warnings, operations, tokens
from app.services.jobs import asking
from app.services.jobs.index_jobs import INDEX
from app.services.searchlog import SearchLog
from app.services.traffic import Traffic, quantile
from app.ui.words import ago, lasting
from tests.api.conftest import Api
from tests.support.admin import ask, said

RULES = Path(__file__).resolve().parents[2] / "docs" / "operations" / "alerts.yaml"
HOSTILE = "<img src=x onerror=alert(1)>\"'&lt;"
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
NOTE = (
    "INSERT INTO lookalike.backups (name, place, begun_at, ended_at, bytes, records, verified_at, differences)"
    " VALUES (%s, %s, now(), now(), 2048, 7, now(), %s)"
)


@pytest.fixture
def busy(api: Api) -> Iterator[Api]:
    """A collection, a failed and a queued job, a backup that differs, all with hostile text, and a logged search."""
    api.fill(3)
    collection = api.context.lookup.collection(api.collection)
    jobs = [asking.start(api.context, INDEX, collection, {})[0].id for _ in range(2)]
    log = SearchLog(api.context.db, 10)
    log.searched(Entry(NOW, 1, collection.id, "visualKNN", None, {"brand": HOSTILE}, 10, 10, 1234.5, "exact"))
    log.close()
    with api.context.db.session() as connection:
        connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier("lookalike", collection.records_table)))
        connection.execute(
            "UPDATE lookalike.jobs SET state = 'failed', error = %s, finished_at = now() WHERE id = %s",
            (HOSTILE, jobs[0]),
        )
        connection.execute(NOTE, ("20261128T110500Z", HOSTILE, [HOSTILE]))
    hostile = tokens.create(api.context, [Scope.WRITE], None, HOSTILE)
    api.call("insert", {"records": [{"_id": "x"}]}, Authorization=f"Token {hostile.token}")
    api.context.audit.flush()
    yield api
    with api.context.db.session() as connection:
        connection.execute("DELETE FROM lookalike.backups")
        connection.execute("DELETE FROM lookalike.search_log")
        connection.execute("DELETE FROM lookalike.jobs WHERE id = ANY (%s)", (jobs,))


def page(api: Api, token: str | None = None) -> TestResponse:
    client = api.client.application.test_client(use_cookies=False)
    return client.get("/console/operations", headers={"Cookie": f"{COOKIE}={token or api.token}"})


def test_it_tells_of_all_parts(busy: Api) -> None:
    told = ask(busy, "operations", {})
    assert told["database"]["revision"] == told["database"]["head"]
    assert told["database"]["postgresql"][:2].isdigit()
    assert told["database"]["shared_buffers"] > 2**20
    assert told["disks"][0]["free"] > 0
    assert told["jobs"]["counts"]["failed"] >= 1
    assert told["jobs"]["failed"][0]["error"] == HOSTILE
    assert told["jobs"]["open"][0]["kind"] == "index"
    assert told["backups"]["taken"][0]["differences"] == [HOSTILE]
    assert told["backups"]["last_at"] is not None
    assert told["replicas"] == []
    own = next(one for one in told["collections"] if one["name"] == busy.collection)
    assert (own["records"], own["recall_10"], own["index_missing"]) == (3, None, False)
    alerts = [one["alert"] for one in told["warnings"]]
    assert {"LookalikeBackupDiffers", "LookalikeJobsFail"} <= set(alerts)
    assert told["warnings"][0]["alert"] == "LookalikeBackupDiffers", "the most urgent first"
    assert all(one["advice"] == BY_NAME[one["alert"]].advice for one in told["warnings"])
    assert (told["audit"][0]["who"], told["audit"][0]["action"]) == (HOSTILE, "insert")
    assert (told["slow_searches"][0]["milliseconds"], told["logged"]) == (1234.5, False)


def test_the_audit_log_is_listed_page_by_page_and_does_not_note_that(busy: Api, new_token: Callable[..., str]) -> None:
    mine = tokens.create(busy.context, [Scope.WRITE], None)
    for number in range(3):
        busy.call("insert", {"records": [{"_id": f"a{number}"}]}, Authorization=f"Token {mine.token}")
    busy.context.audit.flush()
    first = ask(busy, "audit", {"token": mine.id, "size": 2})
    rest = ask(busy, "audit", {"token": mine.id, "size": 2, "before": first["next"]})
    assert [len(one["entries"]) for one in (first, rest)] == [2, 1]
    assert {one["action"] for one in first["entries"]} == {"insert"}
    assert rest["next"] is None
    assert ask(busy, "audit", {"collection": "nowhere"})["entries"] == []
    busy.context.audit.flush()
    newest = ask(busy, "audit", {"size": 1})["entries"][0]
    ask(busy, "operations", {})
    page(busy)
    busy.context.audit.flush()
    assert ask(busy, "audit", {"size": 1})["entries"][0] == newest, "to look is no change"
    for body in ({"size": 0}, {"size": 1001}, {"before": 0}, {"token": "x"}):
        assert next(iter(body)) in said(busy, "audit", body)
    assert "U+0000" in said(busy, "audit", {"collection": "a\x00b"})


def test_the_screen_shows_all_of_it_as_text(busy: Api) -> None:
    answer = page(busy)
    assert answer.status_code == 200
    shown = answer.get_data(as_text=True)
    assert "<img src=x" not in shown
    said_text = html.unescape(re.sub(r"<[^>]+>", "", shown.replace(html.escape(HOSTILE, quote=True), "")))
    for part in (" warnings", "3", "20261128T110500Z", "1.2 s", "just now", "up to date", "Last one"):
        assert part in said_text, part
    assert html.escape(HOSTILE, quote=True).replace("&#x27;", "&#39;").replace("&quot;", "&#34;") in shown
    for family in re.findall(r"<code>(lookalike_\w+)</code>", shown):
        known = {one.full_name for one in families.FAMILIES}
        assert family in known, family
    assert "style=" not in shown


def test_it_is_for_administrators_of_all_collections(api: Api, new_token: Callable[..., str]) -> None:
    for scopes, among in (([Scope.WRITE], None), ([Scope.ADMIN], [api.collection]), ([Scope.READ], None)):
        token = tokens.create(api.context, scopes, among).token
        refused = page(api, token)
        assert refused.status_code == 403
        assert "Operations is for tokens with the scope admin for all collections" in refused.get_data(as_text=True)
        assert 'data-key="o"' not in refused.get_data(as_text=True)
    assert 'data-key="o"' in page(api).get_data(as_text=True)


def test_an_empty_database_says_what_to_do(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is there, nothing is wrong but that there is no backup."""
    told = operations.state(api.context)
    empty = {
        **told,
        "collections": [],
        "audit": [],
        "indexes": [],
        "recall": [],
        "disks": [],
        "models": [],
        "slow_searches": [],
        "traffic": None,
        "jobs": {"counts": {}, "oldest_queued_seconds": 0.0, "workers": 0, "failed": [], "open": []},
        "backups": {**told["backups"], "taken": [], "last_at": None, "verified_at": None, "differences": 0},
        "warnings": [],
    }
    monkeypatch.setattr(operations, "state", lambda *_: empty)
    shown = page(api).get_data(as_text=True)
    for part in (
        "Nothing is wrong",
        "There is no collection yet",
        "None was taken yet",
        "None was measured yet",
        "No other server streams",
        "Nothing was noted yet",
        "none waits",
        "All indexes are valid",
    ):
        assert part in shown, part


# What is wrong.


@pytest.fixture(scope="module")
def well() -> dict[str, Any]:
    """A state in which nothing is wrong."""
    return {
        "read_at": NOW,
        "server": {"threads": 8, "threads_busy": 8, "requests_waiting": 0, "audit_lost": 0},
        "traffic": {"answered": 1000, "refusals": {"service_unavailable": 10, "unauthorized": 500}, "p95": 1.0},
        "database": {
            "connections": 90, "connections_most": 100, "pool": {"waiting": 0}, "index_bytes": 5, "shared_buffers": 5,
        },
        "collections": [
            {"name": "a", "records": 90, "capacity": 100, "index_missing": True, "build_share": 0.0, "recall_10": 0.95},
            {"name": "b", "records": 9, "capacity": None, "index_missing": 0, "build_share": None, "recall_10": None},
        ],
        "jobs": {
            "oldest_queued_seconds": 900.0, "workers": 1, "counts": {"queued": 1},
            "failed": [{"kind": "import", "id": "7", "error": "x", "finished_at": "2026-11-27T11:59:00+00:00"}],
        },
        "backups": {"last_at": NOW - timedelta(days=2), "verified_at": NOW - timedelta(days=8), "differences": 0},
        "replicas": [{"name": "r", "lag_seconds": 60.0, "lag_bytes": 2**28}],
        "disks": [{"folder": "home", "bytes": 100, "free": 10}],
    }  # fmt: skip


WRONG: list[tuple[str, str, dict[str, Any], str]] = [
    ("backups", "LookalikeBackupOld", {"last_at": None, "verified_at": None}, "No backup was ever taken."),
    ("backups", "LookalikeBackupOld", {"last_at": NOW - timedelta(days=3)}, "The last backup is 3 days old."),
    ("backups", "LookalikeBackupUnverified", {"verified_at": None}, "No backup was ever restored"),
    ("backups", "LookalikeBackupUnverified", {"verified_at": NOW - timedelta(days=9)}, "verified last 9 days ago"),
    ("backups", "LookalikeBackupDiffers", {"differences": 1}, "has 1 difference."),
    ("database", "LookalikeDatabaseConnections", {"connections": 91}, "91 of 100"),
    ("database", "LookalikeConnectionsShort", {"pool": {"waiting": 1}}, "1 request now waiting for one of 8"),
    ("database", "LookalikeIndexOutgrowsMemory", {"index_bytes": 2**31, "shared_buffers": 2**30}, "2,048 MiB of HNSW"),
    ("traffic", "LookalikeRefuses", {"refusals": {"service_unavailable": 11}}, "11 of the last 1,000 requests"),
    ("traffic", "LookalikeErrors", {"refusals": {"unknown_error": 1}}, "Lately 1 request ended in an error"),
    ("traffic", "LookalikeSlow", {"p95": 2.0}, "2.0 s or more"),
    ("server", "LookalikeThreadsBusy", {"requests_waiting": 2}, "All 8 threads are busy; waiting: 2 requests."),
    ("server", "LookalikeAuditLost", {"audit_lost": 2}, "lacks 2 entries"),
    ("jobs", "LookalikeJobsWait", {"oldest_queued_seconds": 1800.0}, "30 minutes for a worker; there are 1."),
    ("jobs", "LookalikeJobsWait", {"workers": 0}, "1 job queued, and no worker is there."),
    (
        "jobs",
        "LookalikeJobsFail",
        {"failed": [{"kind": "import", "id": "7", "error": "why", "finished_at": "2026-11-28T11:00:00+00:00"}]},
        "The job import 7 failed: why",
    ),
    ("collections", "LookalikeCollectionFull", {"records": 91}, "The collection a holds 91 of 100 records."),
    ("collections", "LookalikeIndexMissing", {"build_share": None}, "The collection a has no HNSW index."),
    ("collections", "LookalikeRecallLow", {"recall_10": 0.9}, "find 90.0 % of the true ten nearest"),
    ("replicas", "LookalikeReplicaBehind", {"lag_seconds": 61.0}, "The replica r is 61 s and 256 MiB behind."),
    ("replicas", "LookalikeReplicaBehind", {"lag_bytes": 2**29}, "The replica r is 60 s and 512 MiB behind."),
    ("disks", "LookalikeDiskFull", {"free": 9}, "The disk of the folder home"),
]


def test_nothing_is_wrong_up_to_the_bounds(well: dict[str, Any]) -> None:
    assert operation_warnings.of(well, Settings()) == []


@pytest.mark.parametrize(("part", "alert", "change", "sentence"), WRONG)
def test_what_is_wrong_is_said_with_its_figures(
    well: dict[str, Any], part: str, alert: str, change: dict[str, Any], sentence: str
) -> None:
    told = copy.deepcopy(well)
    changed = told[part][0] if isinstance(told[part], list) else told[part]
    changed.update(change)
    found = operation_warnings.of(told, Settings())
    assert [one.alert for one in found] == [alert]
    assert sentence in found[0].sentence


def test_urgent_are_those_that_prometheus_calls_critical() -> None:
    rules = [rule for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"] for rule in group["rules"]]
    critical = {rule["alert"] for rule in rules if rule["labels"]["severity"] == "critical"}
    told = {alert for _, alert, _, _ in WRONG}
    assert critical & told == operation_warnings.URGENT


# Traffic, and words.


def test_a_server_that_only_reads_tells_its_traffic(
    settings: Callable[..., Settings], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.traffic._LEAST_SECONDS", 1e-9)
    context = create_app(settings(read_only=True), database_url).extensions["lookalike"]
    try:
        assert context.traffic.told() is not None
    finally:
        context.close()


def test_traffic_is_what_was_counted_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("app.services.traffic.time.monotonic", lambda: now[0])
    metrics = Metrics()
    traffic = Traffic(metrics)
    metrics.count(families.REQUESTS, "photo", "insert", "200", "210", amount=1000)
    traffic.note()
    assert traffic.told() is None, "no time has passed"
    for step in range(1, 40):
        now[0] = 10.0 * step
        for _ in range(20):
            metrics.count(families.REQUESTS, "photo", "visualKNN", "200", "200")
            metrics.observe(families.REQUEST_SECONDS, 0.004 if step % 2 else 0.2, "visualKNN")
        metrics.count(families.SEARCHES, "index", amount=10)
        metrics.observe(families.REQUEST_SECONDS, 20.0, "insert")
        traffic.note()
    metrics.count(families.REFUSALS, "not_found", amount=3)
    told = traffic.told()
    assert told is not None
    assert (told.seconds, told.requests, told.searches, told.answered) == (300, 2, 1, 600)
    assert told.refusals == {"not_found": 3}
    assert told.p50 is not None
    assert told.p95 is not None
    assert 0.0025 <= told.p50 <= 0.005
    assert 0.1 <= told.p95 <= 0.25, "inserts are none of the searches"
    assert len(told.points) == 39
    assert told.points[-1].requests == 2
    assert Traffic(Metrics(counting=False)).told() is None


def test_quantiles_are_reckoned_within_buckets() -> None:
    counts = [0.0] * (len(SECONDS) + 1)
    assert quantile(counts, 0.5) is None
    assert quantile([10.0] * len(counts), 0.5) == pytest.approx(SECONDS[0] / 2)
    beyond = [*([0.0] * len(SECONDS)), 4.0]
    assert quantile(beyond, 0.5) == SECONDS[-1]


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "just now"), (59, "just now"), (60, "a minute ago"), (120, "2 minutes ago"), (7199, "119 minutes ago"),
     (7200, "2 hours ago"), (2 * 86_400, "2 days ago")],
)  # fmt: skip
def test_moments(seconds: float, told: str) -> None:
    assert ago(NOW - timedelta(seconds=seconds), NOW) == told


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.0002, "200 µs"),
        (0.0034, "3.4 ms"),
        (0.123, "123 ms"),
        (3.21, "3.2 s"),
        (300, "5 minutes"),
        (9000, "2.5 hours"),
    ],
)
def test_durations(seconds: float, told: str) -> None:
    assert lasting(seconds) == told
