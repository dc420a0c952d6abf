"""The docs are complete: settings, decisions, commands."""

import re
from pathlib import Path

import pytest

from app.config import Settings
from app.domain.services import SERVICES
from app.embedding.models import registry
from tests.support.places import ROOT


def test_every_setting_is_documented_with_its_sentence() -> None:
    text = (ROOT / "docs" / "settings.md").read_text()
    for name, field in Settings.model_fields.items():
        assert f"`LOOKALIKE_{name.upper()}`" in text or name == "database_url", name
        assert field.description, name
        assert field.description in text, name


def test_every_decision_has_a_test_and_every_diff_test_a_decision() -> None:
    text = (ROOT / "docs" / "compatibility.md").read_text()
    named = set(re.findall(r"`(test_diff_\w+)`", text))
    written = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_diff_\w+)", path.read_text(), re.MULTILINE)
    }
    assert named == written


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "adr").glob("*.md")), ids=lambda path: path.name)
def test_every_decision_record_has_its_parts(path: Path) -> None:
    text = path.read_text()
    assert text.startswith(f"# {int(path.name[:4])}. ")
    assert list(path.parent.glob(f"{path.name[:5]}*.md")) == [path], "two records have one number"
    for part in ("Status", "## Context", "## Decision", "## Consequence"):
        assert part in text


@pytest.mark.parametrize("entry", registry.MODELS.values(), ids=lambda entry: entry.facts.name)
def test_every_model_has_its_row(entry: registry.Entry) -> None:
    rows = (ROOT / "docs" / "models.md").read_text().splitlines()
    row = next(row for row in rows if row.startswith(f"| `{entry.facts.name}`"))
    cells = [cell.strip() for cell in row.split("|")]
    facts = entry.facts
    assert cells[4:7] == [str(facts.dimensions), str(2 * facts.dimensions + 8), facts.licence]
    defaults = [service.name for service in SERVICES.values() if service.model == facts.name]
    assert sorted(filter(None, cells[3].split(", "))) == sorted(defaults)


def test_modules_are_small() -> None:
    sizes = sorted(len(path.read_text().splitlines()) for path in (ROOT / "app").rglob("*.py"))
    assert sizes[-1] <= 400
    assert sizes[len(sizes) // 2] <= 150


def test_the_index_of_the_docs_leads_to_every_page_and_every_link_to_a_file() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert pages == set(re.findall(r"\]\((\w[\w-]*\.md)\)", index))
    written = [*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")]
    links = [(path, link) for path in written for link in re.findall(r"\]\(([^)\s]+?)(?:#[\w-]*)?\)", path.read_text())]
    broken = [
        (str(path.relative_to(ROOT)), link)
        for path, link in links
        if not link.startswith("#") and "://" not in link and not (path.parent / link).exists()
    ]
    assert broken == []
