"""What docs/operations names there is, and what there is is named there."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from app.domain.alerts import ALERTS
from app.metrics import Metrics
from app.metrics.families import FAMILIES, Kind

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "operations"
PAGE, BOARD, RULES = FOLDER / "metrics.md", FOLDER / "grafana.json", FOLDER / "alerts.yaml"
# A metric has an underscore after the prefix; `lookalike.index_health` and `job_name: lookalike` are none.
NAME = re.compile(r"\blookalike_[a-z0-9_]+")


def known() -> set[str]:
    """Return the names of all series, those of the process included."""
    names = {family.full_name for family in FAMILIES}
    for family in FAMILIES:
        if family.kind is Kind.HISTOGRAM:
            names |= {f"{family.full_name}{end}" for end in ("_bucket", "_count", "_sum")}
    return names | {sample.name for family in Metrics().registry.collect() for sample in family.samples}


@pytest.mark.parametrize("path", [PAGE, BOARD, RULES], ids=lambda path: path.name)
def test_every_metric_that_is_named_exists(path: Path) -> None:
    assert set(NAME.findall(path.read_text("utf-8"))) - known() == set()


def test_every_metric_is_explained_and_drawn() -> None:
    page = PAGE.read_text("utf-8")
    drawn = set(NAME.findall(BOARD.read_text("utf-8")))
    for family in FAMILIES:
        row = f"| `{family.full_name}` | {family.kind} | {', '.join(f'`{label}`' for label in family.labels)} | "
        assert f"{row}{family.text}" in page, family.name
        ends = ("_bucket", "_count", "_sum") if family.kind is Kind.HISTOGRAM else ("",)
        assert {family.full_name + end for end in ends} & drawn, family.name


def test_every_alert_is_explained() -> None:
    rules = [rule for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"] for rule in group["rules"]]
    named = re.findall(r"^\| `(Lookalike\w+)` \|", PAGE.read_text("utf-8"), re.MULTILINE)
    assert sorted(named) == sorted(rule["alert"] for rule in rules)
    assert all(rule["labels"]["severity"] in {"critical", "warning"} for rule in rules)


def test_the_table_of_alerts_is_what_the_page_says() -> None:
    """The console tells what this table says; the page has links in the same sentences."""
    rows = re.findall(r"^\| `(Lookalike\w+)` \| (.*?) \| (.*) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert [tuple(re.sub(r"\[(.*?)\]\([^)]*\)", r"\1", part) for part in row) for row in rows] == [*ALERTS]


def test_the_labels_of_expressions_are_those_of_the_metrics() -> None:
    labels = {family.full_name: {*family.labels, "instance", "le"} for family in FAMILIES}
    for path in (BOARD, RULES):
        for name, given in re.findall(r"(lookalike_[a-z0-9_]+)\{([^}]*)\}", path.read_text("utf-8")):
            whole = re.sub(r"_(bucket|count|sum)$", "", name)
            used = set(re.findall(r"(\w+)=~?", given))
            assert used <= labels.get(whole, labels.get(name, {"instance"})), (path.name, name)


def test_the_board_is_whole() -> None:
    board = json.loads(BOARD.read_text("utf-8"))
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["type"] == "row" or panel["targets"] for panel in panels)
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]
    assert len(set(places)) == len(places), "no panel lies on another"


def test_prometheus_takes_the_rules() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not there: Debian's package prometheus has it")
    done = subprocess.run([promtool, "check", "rules", RULES], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_takes_what_is_exposed() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not there: Debian's package prometheus has it")
    text, _ = Metrics().exposed("")
    done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
