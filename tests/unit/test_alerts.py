"""Each alert fires on what it is about alone, and none on a server that is well, as Prometheus itself reckons."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

RULES = Path(__file__).parents[2] / "docs" / "operations" / "alerts.yaml"
HOURS, MINUTES = 3, 180
_NOW = HOURS * 3600


def steady(value: float) -> str:
    return f"{value:g}x{MINUTES}"


def growing(a_minute: float) -> str:
    return f"0+{a_minute:g}x{MINUTES}"


def later(before: float, after: float, minutes: int = 30) -> str:
    return f"{before:g}x{MINUTES - minutes} {after:g}x{minutes}"


WELL = {
    'up{job="lookalike"}': steady(1),
    "lookalike_database_up": steady(1),
    'lookalike_refusals_total{reason="unknown_error"}': steady(0),
    'lookalike_refusals_total{reason="service_unavailable"}': steady(3),
    'lookalike_requests_total{method="visualKNN"}': growing(600),
    'lookalike_request_seconds_bucket{method="visualKNN",le="1"}': growing(600),
    'lookalike_request_seconds_bucket{method="visualKNN",le="5"}': growing(600),
    'lookalike_request_seconds_bucket{method="visualKNN",le="+Inf"}': growing(600),
    "lookalike_threads_busy": steady(2),
    "lookalike_threads": steady(8),
    "lookalike_pool_errors_total": steady(4),
    "lookalike_database_connections": steady(20),
    "lookalike_database_connections_most": steady(100),
    "lookalike_database_read_timestamp_seconds": growing(60),
    'lookalike_records{collection="c"}': steady(50),
    'lookalike_capacity{collection="c"}': steady(100),
    'lookalike_index_missing{collection="c"}': steady(0),
    "lookalike_index_outgrows_memory": steady(0),
    'lookalike_index_blocks_total{collection="c",source="memory"}': growing(1000),
    'lookalike_index_blocks_total{collection="c",source="disk"}': growing(1),
    'lookalike_recall{collection="c",neighbours="10"}': steady(0.99),
    "lookalike_job_oldest_queued_seconds": steady(0),
    'lookalike_jobs{kind="import",state="failed"}': steady(2),
    'lookalike_fetches_total{outcome="ok"}': growing(100),
    'lookalike_fetches_total{outcome="failed"}': growing(1),
    'lookalike_auth_failures_total{reason="unknown"}': growing(1),
    'lookalike_disk_free_bytes{folder="home"}': steady(50),
    'lookalike_disk_bytes{folder="home"}': steady(100),
    "lookalike_audit_lost_total": steady(0),
    "lookalike_backup_timestamp_seconds": steady(_NOW - 3600),
    "lookalike_backup_verified_timestamp_seconds": steady(_NOW - 3600),
    "lookalike_backup_differences": steady(0),
    'lookalike_replica_lag_seconds{replica="r"}': steady(1),
    'lookalike_replica_lag_bytes{replica="r"}': steady(1000),
    "lookalike_replicas": steady(1),
}
ILL = {
    "LookalikeDown": {'up{job="lookalike"}': later(1, 0)},
    "LookalikeDatabaseAway": {"lookalike_database_up": later(1, 0)},
    "LookalikeErrors": {'lookalike_refusals_total{reason="unknown_error"}': later(0, 1, minutes=5)},
    "LookalikeRefuses": {'lookalike_refusals_total{reason="service_unavailable"}': growing(30)},
    "LookalikeSlow": {'lookalike_request_seconds_bucket{method="visualKNN",le="1"}': growing(500)},
    "LookalikeThreadsBusy": {"lookalike_threads_busy": steady(8)},
    "LookalikeConnectionsShort": {"lookalike_pool_errors_total": later(4, 5, minutes=5)},
    "LookalikeDatabaseConnections": {"lookalike_database_connections": steady(95)},
    "LookalikeFiguresOld": {"lookalike_database_read_timestamp_seconds": steady(_NOW - 600)},
    "LookalikeCollectionFull": {'lookalike_records{collection="c"}': steady(95)},
    "LookalikeIndexMissing": {'lookalike_index_missing{collection="c"}': later(0, 1, minutes=90)},
    "LookalikeIndexOutgrowsMemory": {"lookalike_index_outgrows_memory": later(0, 1, minutes=90)},
    "LookalikeIndexReadFromDisk": {'lookalike_index_blocks_total{collection="c",source="disk"}': growing(500)},
    "LookalikeRecallLow": {'lookalike_recall{collection="c",neighbours="10"}': steady(0.9)},
    "LookalikeJobsWait": {"lookalike_job_oldest_queued_seconds": steady(1000)},
    "LookalikeJobsFail": {'lookalike_jobs{kind="import",state="failed"}': later(2, 3)},
    "LookalikeFetchesFail": {'lookalike_fetches_total{outcome="failed"}': growing(200)},
    "LookalikeAuthFailures": {'lookalike_auth_failures_total{reason="unknown"}': growing(120)},
    "LookalikeDiskFull": {'lookalike_disk_free_bytes{folder="home"}': steady(5)},
    "LookalikeAuditLost": {"lookalike_audit_lost_total": later(0, 1)},
    "LookalikeBackupOld": {"lookalike_backup_timestamp_seconds": steady(_NOW - 3 * 86_400)},
    "LookalikeBackupUnverified": {"lookalike_backup_verified_timestamp_seconds": steady(_NOW - 9 * 86_400)},
    "LookalikeBackupDiffers": {"lookalike_backup_differences": steady(1)},
    "LookalikeReplicaBehind": {'lookalike_replica_lag_seconds{replica="r"}': steady(90)},
    "LookalikeReplicaLost": {"lookalike_replicas": later(1, 0)},
}


def test_every_alert_is_tried() -> None:
    assert list(ILL) == re.findall(r"- alert: (\w+)", RULES.read_text("utf-8"))


def test_each_fires_on_what_it_is_about_alone(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not there: Debian's package prometheus has it")
    whole = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1m",
        "tests": [case({}, []), *(case(changed, [name]) for name, changed in ILL.items())],
    }
    file = tmp_path / "tests.json"  # JSON is YAML
    file.write_text(json.dumps(whole))
    done = subprocess.run([promtool, "test", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def case(changed: dict[str, str], firing: list[str]) -> dict[str, Any]:
    assert changed.keys() <= WELL.keys()
    asked = {
        "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
        "eval_time": f"{HOURS}h",
        "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in firing],
    }
    series = [{"series": name, "values": values} for name, values in (WELL | changed).items()]
    return {"interval": "1m", "input_series": series, "promql_expr_test": [asked]}
