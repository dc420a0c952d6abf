"""The screens Jobs and Collections, as their users meet them."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.domain.tokens import Scope
from app.services import collections
from tests.support.importing import lines, vectors
from tests.ui.conftest import HOSTILE, Console, press, press_inside

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect

Opened = Callable[..., Any]
Screenshot = Callable[[Any, str], None]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with two records that can be stored, and one that cannot."""
    first, second, third = vectors(3)
    records = [
        {"_id": "imported-1", "price": 3, "_embedding": first},
        {"_id": "imported-2", "_embedding": second},
        {"_id": HOSTILE, "note": HOSTILE, "_embedding": third[:5]},
    ]
    return lines(tmp_path_factory.mktemp("import") / "records.jsonl", records)


@pytest.fixture
def imports(console: Console) -> Iterator[str]:
    """A collection to import into: other tests count what is in `shop`, and the first by name is shown."""
    name = collections.create(console.context, "z-imports", "products").name
    yield name
    collections.drop(console.context, name)


def test_a_file_is_imported_with_a_preview(
    opened: Opened, screenshot: Screenshot, source: Path, imports: str, workers: None
) -> None:
    page = opened("jobs")
    press(page, "i")
    dialog = page.get_by_role("dialog", name="Import")
    expect(dialog.get_by_role("button", name="Import")).to_be_disabled()
    dialog.get_by_label("Collection").select_option(imports)
    dialog.get_by_label("File").set_input_files(source)
    expect(dialog.locator("pre")).to_contain_text('{"_id":"imported-1","price":3}')
    screenshot(page, "import-light")
    dialog.get_by_role("button", name="Import").click()
    page.wait_for_url(re.compile(r"job=\d+"))
    details = page.locator("#details")
    expect(details).to_contain_text("done with rejects")
    expect(details).to_contain_text(f"{HOSTILE}_embedding has 5 numbers")
    screenshot(page, "jobs-light")
    with page.expect_download() as download:
        details.get_by_role("link", name="Download all 1").click()
    (reject,) = Path(download.value.path()).read_text().splitlines()
    assert json.loads(reject)["source"]["note"] == HOSTILE
    press(page, "Escape")
    expect(page.locator("#details")).to_have_count(0)
    assert page.evaluate("window.hacked") is None


def test_a_file_that_is_none_says_so(opened: Opened, tmp_path: Path) -> None:
    (tmp_path / "none").write_text("[1, 2]")
    page = opened("jobs")
    page.get_by_role("button", name="Import").click()
    dialog = page.get_by_role("dialog", name="Import")
    dialog.get_by_label("File").set_input_files(tmp_path / "none")
    expect(dialog.get_by_role("alert")).to_contain_text("one JSON array")
    expect(dialog.get_by_role("button", name="Import")).to_be_disabled()


def test_a_collection_is_looked_after_by_a_job(
    opened: Opened, screenshot: Screenshot, console: Console, workers: None
) -> None:
    page = opened("collections?c=shop")
    screenshot(page, "collections-light")
    page.get_by_label("Field").fill("_id")
    page.get_by_role("button", name="Index the field").click()
    expect(page.get_by_role("alert")).to_contain_text("an index is declared on a top-level attribute")
    page.get_by_label("Field").fill("brand")
    page.get_by_role("button", name="Index the field").click()
    page.wait_for_url(re.compile(r"/console/jobs\?.*job=\d+"))
    expect(page.locator("#details .state")).to_have_text("done")
    page.goto(f"{console.url}/console/collections?c=shop")  # no key: the page of a job that ends loads itself anew
    expect(page.locator("#details .chips")).to_have_text("brand")


def test_a_collection_is_made_changed_named_and_dropped(
    opened: Opened, screenshot: Screenshot, console: Console
) -> None:
    page = opened("collections")
    press(page, "n")
    dialog = page.get_by_role("dialog", name="New collection")
    dialog.get_by_label("Name").fill("shop")
    dialog.get_by_label("Service").select_option("products")
    expect(dialog.get_by_label("Model").locator("option", has_text="phash")).to_have_count(1)
    dialog.get_by_label("Product field").fill("sku")
    dialog.get_by_role("button", name="Make the collection").click()
    expect(dialog.get_by_role("alert")).to_contain_text("a collection of this name exists already")
    screenshot(page, "collections-new-light")
    dialog.get_by_label("Name").fill("z-made")
    dialog.get_by_role("button", name="Make the collection").click()
    details = page.locator("#details")
    expect(details).to_contain_text("sku")
    page.wait_for_load_state()  # keys and buttons are bound by then
    press(page, "e")
    dialog = page.get_by_role("dialog", name="Settings of z-made")
    dialog.get_by_label("Capacity").fill("7")
    dialog.get_by_label("Product field").fill("")
    dialog.get_by_label("Recall").fill("0.5")
    dialog.get_by_role("button", name="Change").click()
    expect(details).to_contain_text("0 of 7")
    expect(details).to_contain_text("50.0 % of the true neighbours")
    expect(details).not_to_contain_text("sku")
    page.wait_for_load_state()
    page.get_by_role("button", name="Measure recall").click()
    expect(details.get_by_role("alert")).to_contain_text("no record")
    page.get_by_role("button", name="Which index would help?").click()
    expect(details).to_contain_text("Searches are not logged: LOOKALIKE_LOG_SEARCHES=true")
    press(page, "a")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Alias").fill("no alias")
    dialog.get_by_role("button", name="Set the alias").click()
    expect(dialog.get_by_role("alert")).to_contain_text("an alias has 1 to 128")
    dialog.get_by_label("Alias").fill("live")
    dialog.get_by_role("button", name="Set the alias").click()
    chip = page.locator("#aliases li")
    expect(chip).to_contain_text("live")
    page.wait_for_load_state()
    press(page, "Delete")
    dialog = page.get_by_role("dialog", name="Drop z-made?")
    drop = dialog.get_by_role("button", name="Drop it")
    dialog.get_by_label("Its name").fill("z-mad")
    expect(drop).to_be_disabled()
    dialog.get_by_label("Its name").fill("z-made")
    screenshot(page, "collections-drop-light")
    drop.click()
    expect(dialog.get_by_role("alert")).to_contain_text("aliases lead to the collection 'z-made': live")
    press_inside(page, "Escape")
    page.get_by_role("button", name="Delete the alias live").click()
    expect(chip).to_be_hidden()
    page.wait_for_load_state()
    page.get_by_role("button", name="Undo").click()
    expect(chip).to_be_visible()
    page.wait_for_load_state()
    page.get_by_role("button", name="Delete the alias live").click()
    expect(chip).to_be_hidden()
    page.wait_for_load_state()
    page.get_by_role("button", name="Drop", exact=True).click()
    page.get_by_role("dialog").get_by_label("Its name").fill("z-made")
    page.get_by_role("dialog").get_by_role("button", name="Drop it").click()
    expect(page.locator("#details")).to_have_count(0)
    assert "z-made" not in collections.names(console.context)


def test_another_model_is_estimated_before_it_is_begun(
    opened: Opened, screenshot: Screenshot, console: Console, workers: None
) -> None:
    page = opened("collections?c=shop")
    page.get_by_role("button", name="Measure recall").click()
    expect(page.locator("#findings")).to_contain_text("of the true nearest 20")
    page.get_by_role("button", name="Re-embed with another model").click()
    dialog = page.get_by_role("dialog", name="Re-embed shop")
    dialog.get_by_label("Model").select_option("phash")
    expect(dialog).to_contain_text("76 records take about")
    screenshot(page, "collections-reembed-light")
    press_inside(page, "Escape")
    assert collections.get(console.context, "shop").model != "phash"


def test_who_administers_one_collection_makes_no_others(opened: Opened, console: Console) -> None:
    _, token = console.new_token(Scope.ADMIN)
    page = opened("collections?c=shop", token)
    expect(page.locator("#settings")).to_be_visible()
    expect(page.locator("#drop")).to_be_visible()
    expect(page.locator("#new-collection, #new-alias")).to_have_count(0)


def test_who_may_only_read_sees_no_button(opened: Opened, console: Console) -> None:
    _, token = console.new_token(Scope.READ)
    page = opened("collections?c=shop", token)
    expect(page.locator("#details")).to_be_visible()
    expect(page.locator("#actions, #new-import")).to_have_count(0)
    page.goto(f"{console.url}/console/jobs")
    expect(page.locator("#new-import")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["jobs", "collections?c=shop"])
def test_everybody_can_use_them(opened: Opened, screenshot: Screenshot, scheme: str, path: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    page = opened(path, color_scheme=scheme)
    found = axe.Axe().run(page).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
    screenshot(page, f"{path.split('?', maxsplit=1)[0]}-{scheme}")


@pytest.mark.parametrize("path", ["jobs", "collections?c=shop"])
def test_they_fit_narrow_screens_and_need_no_scripts(opened: Opened, path: str) -> None:
    page = opened(path, viewport={"width": 390, "height": 844}, java_script_enabled=False)
    expect(page.locator("#rows, .empty").first).to_be_visible()
    width = opened(path, viewport={"width": 390, "height": 844})
    assert width.evaluate("document.documentElement.scrollWidth") <= 390
