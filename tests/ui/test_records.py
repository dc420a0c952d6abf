"""The screen Records, as its users meet it, in a collection of the module's own."""

import base64
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.demo.catalogue import catalogue
from app.domain.records import Fields, Json
from app.domain.tokens import Scope
from app.services import collections, records, tokens
from app.services.inserting import insert
from app.services.jobs.working import Workers
from tests.support.jobs import QUICK
from tests.ui.conftest import HOSTILE, Console, press

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect
expect.set_options(timeout=60_000)

Opened = Callable[..., Any]
Screenshot = Callable[[Any, str], None]
NAME = "z-records"
COUNT = 61
LARGE = 12345678901234567890


@pytest.fixture(scope="module")
def shelf(console: Console) -> Iterator[str]:
    """61 records: two pages; the first has HTML wherever there is text, and a number beyond 2^53."""
    made = collections.create(console.context, NAME, "products")
    pictures = [base64.b64encode(one.data).decode() for one in catalogue(4)]
    rows: list[Json] = [
        {"_id": f"r{n:03}", "n": n, "season": "old" if n % 2 else "new", "_base64": pictures[n % 4]}
        for n in range(COUNT - 1)
    ]
    rows.append({"_id": HOSTILE, HOSTILE: HOSTILE, "n": 1000, "large": LARGE, "_base64": pictures[0]})
    insert(console.context, made, rows, Fields())
    yield NAME
    collections.drop(console.context, NAME)


def stored(console: Console, record_id: str) -> Any:
    found = records.get(console.context, collections.get(console.context, NAME), [{"_id": record_id}], Fields.of(["*"]))
    return json.loads(found.records[0].json())


def ids(page: Any) -> list[str]:
    return [str(one) for one in page.locator("#rows [data-id]").evaluate_all("all => all.map((one) => one.dataset.id)")]


def test_pages_orders_filters_and_columns(opened: Opened, screenshot: Screenshot, shelf: str) -> None:
    page = opened(f"records?c={shelf}")
    expect(page.locator("#count")).to_have_text(f"{COUNT} records")
    expect(page.locator("#page-said")).to_have_text("Page 1 of 2")
    first = ids(page)
    assert (len(first), first[0]) == (50, HOSTILE)
    expect(page.locator("#rows")).to_contain_text(HOSTILE)
    expect(page.locator("#rows")).to_contain_text(str(LARGE))
    screenshot(page, "records-light")
    press(page, "]")
    expect(page.locator("#page-said")).to_have_text("Page 2 of 2")
    expect(page.locator("#rows [data-id]")).to_have_count(COUNT - 50)
    second = ids(page)
    assert first + second == sorted([*first, *second])
    page.reload()
    expect(page.locator("#page-said")).to_have_text("Page 2 of 2")
    press(page, "[")
    expect(page.locator("#page-said")).to_have_text("Page 1 of 2")
    page.get_by_role("button", name="n", exact=True).click()
    expect(page.locator("th[aria-sort=ascending]")).to_have_text("n ↑")
    page.get_by_role("button", name="n ↑").click()
    expect(page.locator("#rows [data-id]").first).to_have_attribute("data-id", HOSTILE)
    page.locator(".facet[data-field=season] .facet-value", has_text="old").click()
    expect(page.locator("#count")).to_have_text("30 match")
    expect(page.locator("#rows [data-id]").first).to_have_attribute("data-id", "r059")
    page.get_by_role("button", name="Remove season: old").click()
    expect(page.locator("#count")).to_have_text(f"{COUNT} records")
    page.locator("#columns-menu summary").click()
    page.locator("#columns").get_by_label("season").uncheck()
    expect(page.get_by_role("columnheader", name="season")).to_have_count(0)
    assert "col=n" in page.url
    press(page, "v")
    expect(page.locator(".cards li")).to_have_count(50)
    screenshot(page, "records-pictures-light")
    press(page, "f")
    page.get_by_label("Filter as JSON").fill('{"n": {"$gtt": 4}}')
    page.get_by_role("button", name="Apply").click()
    expect(page.locator("#json-wrong")).to_contain_text("filter, at $.n.$gtt")
    page.get_by_label("Filter as JSON").fill('{"n": -1}')
    page.get_by_role("button", name="Apply").click()
    expect(page.locator("#messages")).to_contain_text(f"Without “n: -1” {COUNT} records")
    assert page.evaluate("window.hacked") is None


def test_one_record_is_edited_and_taken_back(
    opened: Opened, screenshot: Screenshot, console: Console, shelf: str
) -> None:
    page = opened(f"records?c={shelf}")
    page.locator("#rows a").first.click()
    field = page.get_by_label("Attributes", exact=True)
    expect(field).to_have_value(re.compile(str(LARGE)))
    field.fill('{"n": 1000,\n "large": oops}')
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#attributes-wrong")).to_contain_text("Line 2, column 11")
    assert field.evaluate("one => one.value[one.selectionStart]") == "o"
    field.fill(json.dumps({HOSTILE: HOSTILE, "large": LARGE, "n": 1, "new": [LARGE, None]}))
    page.locator("#rows a", has_text="r000").click()
    expect(page.locator("#details h2")).to_have_text("r000")
    page.locator("#rows a").first.click()
    expect(field).to_have_value(re.compile('"new"'))
    screenshot(page, "records-details-light")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved")).to_be_visible()
    assert stored(console, HOSTILE) == {"_id": HOSTILE, HOSTILE: HOSTILE, "large": LARGE, "n": 1, "new": [LARGE, None]}
    expect(field).to_have_value(re.compile('"new"'))
    field.fill('{"_id": "other"}')
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#attributes-wrong")).to_contain_text("The _id of a record stays")
    field.fill('{"_expires_at": "soon"}')
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#attributes-wrong")).to_contain_text("_expires_at")
    page.get_by_role("button", name="As it was").click()
    page.locator("#details h2").click()
    press(page, "u")
    expect(page.get_by_text("As it was before")).to_be_visible()
    assert stored(console, HOSTILE) == {"_id": HOSTILE, HOSTILE: HOSTILE, "large": LARGE, "n": 1000}


def test_many_are_edited_with_a_preview_and_taken_back(
    opened: Opened, screenshot: Screenshot, console: Console, shelf: str
) -> None:
    page = opened(f"records?c={shelf}&filter=%7B%22season%22%3A%22old%22%7D")
    expect(page.locator("#count")).to_have_text("30 match")
    press(page, "j")
    press(page, "x")
    press(page, "j")
    press(page, "j")
    press(page, "X")
    expect(page.locator("#picked")).to_contain_text("3 selected")
    assert page.url.count("&s=") == 3
    page.get_by_role("button", name="Select all 30 that match").click()
    press(page, "e")
    dialog = page.get_by_role("dialog", name="Edit 30 records")
    patch = dialog.get_by_label("Attributes that they get")
    patch.fill('{"season": }')
    expect(dialog.get_by_role("alert")).to_contain_text("Line 1, column 12")
    patch.fill('{"season": "sold", "n": null, "$x": 1}')
    dialog.get_by_role("button", name="Change 30 records").click()
    expect(dialog.locator(".error")).to_contain_text("$x")
    assert stored(console, "r001")["season"] == "old"
    patch.fill('{"season": "sold", "n": null}')
    expect(dialog.locator(".changes")).to_contain_text('season: "old" → "sold"')
    screenshot(page, "records-edit-many-light")
    dialog.get_by_role("button", name="Change 30 records").click()
    expect(page.get_by_text("30 changed")).to_be_visible()
    assert stored(console, "r059") == {"_id": "r059", "season": "sold"}
    expect(page.locator("#messages")).to_contain_text("Nothing matches all of this")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("30 as before")).to_be_visible()
    assert stored(console, "r059") == {"_id": "r059", "n": 59, "season": "old"}
    expect(page.locator("#count")).to_have_text("30 match")


def test_records_go_into_the_trash_and_come_back(opened: Opened, console: Console, shelf: str) -> None:
    page = opened(f"records?c={shelf}")
    page.locator("#rows [data-id=r003] a").focus()
    press(page, "Delete")
    expect(page.get_by_text("r003 is removed")).to_be_visible()
    expect(page.locator("#count")).to_have_text(f"{COUNT - 1} records")
    press(page, "u")
    expect(page.get_by_text("1 restored")).to_be_visible()
    expect(page.locator("#count")).to_have_text(f"{COUNT} records")
    for one in (HOSTILE, "r001"):
        page.get_by_role("checkbox", name=f"Select {one}", exact=True).check()
    page.get_by_role("button", name="Remove", exact=True).click()
    dialog = page.get_by_role("dialog", name="Remove 2 records?")
    expect(dialog.locator("img")).to_have_count(2)
    dialog.get_by_role("button", name="Remove them").click()
    expect(page.locator("#count")).to_have_text(f"{COUNT - 2} records")
    press(page, "t")
    page.wait_for_url("**/console/duplicates?*tab=trash*")
    expect(page.get_by_role("main")).to_contain_text(HOSTILE)
    page.get_by_label("Choose all that are shown").check()
    page.get_by_role("button", name="Restore").first.click()
    expect(page.get_by_text("2 are back")).to_be_visible()
    assert stored(console, HOSTILE)["large"] == LARGE
    assert page.evaluate("window.hacked") is None


def test_a_server_that_is_away_is_asked_again(opened: Opened, shelf: str) -> None:
    page = opened(f"records?c={shelf}&view=pictures")
    expect(page.locator(".cards li")).to_have_count(50)
    page.route("**/v2/find", lambda route: route.abort())
    press(page, "]")
    expect(page.get_by_role("alert").first).to_contain_text("The server cannot be reached")
    page.unroute("**/v2/find")
    page.get_by_role("button", name="Try again").first.click()
    expect(page.locator(".cards li")).to_have_count(COUNT - 50)
    busy = {"status": {"code": 503, "text": "service unavailable", "error_description": "too busy"}}
    page.route("**/v2/find", lambda route: route.fulfill(status=503, json=busy, headers={"Retry-After": "1"}))
    press(page, "[")
    expect(page.get_by_role("alert").first).to_contain_text("Trying again in")
    page.unroute("**/v2/find")
    expect(page.locator(".cards li")).to_have_count(50)


def test_records_are_pasted_and_seen_before_they_are_imported(opened: Opened, console: Console) -> None:
    made = collections.create(console.context, "z-pasted", "products")
    workers = Workers(console.context, 1, QUICK)
    workers.start()
    try:
        page = opened(f"records?c={made.name}")
        page.get_by_role("button", name="Add records").click()
        dialog = page.get_by_role("dialog", name="Import")
        picture = base64.b64encode(catalogue(1)[0].data).decode()
        dialog.get_by_label("Or paste").fill("{no JSON")
        expect(dialog.get_by_role("alert").or_(dialog.locator("pre"))).to_be_visible()
        dialog.get_by_label("Or paste").fill(json.dumps({"_id": "pasted", "_base64": picture, "n": 7}))
        expect(dialog.locator("pre")).to_contain_text('"n":7')
        dialog.get_by_role("button", name="Import").click()
        page.wait_for_url(re.compile(r"job=\d+"))
        expect(page.locator("#details .state")).to_have_text("done")
        page.goto(f"{console.url}/console/records?c={made.name}&record=pasted")
        expect(page.get_by_label("Attributes", exact=True)).to_have_value(re.compile('"n": 7'))
    finally:
        workers.stop(10)
        workers.join()
        collections.drop(console.context, made.name)


def test_who_may_only_read_changes_nothing(opened: Opened, console: Console, shelf: str) -> None:
    token = tokens.create(console.context, [Scope.READ], [shelf]).token
    page = opened(f"records?c={shelf}&record=r001", token)
    expect(page.locator("#details pre")).to_contain_text('"n": 1')
    expect(page.locator("#add, #trash, #attributes, .tick")).to_have_count(0)
    press(page, "Delete")
    page.goto(f"{console.url}/console/records?c=shop")
    expect(page.get_by_role("heading", level=1)).to_contain_text("that your token may use")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_it(opened: Opened, screenshot: Screenshot, shelf: str, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    page = opened(f"records?c={shelf}&record=r001&s=r001&s=r002", color_scheme=scheme)
    expect(page.get_by_label("Attributes", exact=True)).to_be_visible()
    expect(page.locator("#picked")).to_contain_text("2 selected")
    expect(page.locator("#count")).to_have_text(f"{COUNT} records")
    for step in ("table", "pictures", "dialog"):
        found = axe.Axe().run(page).response["violations"]
        assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == [], step
        screenshot(page, f"records-{step}-{scheme}")
        if step != "dialog":
            press(page, "v" if step == "table" else "e")


def test_it_fits_narrow_screens_large_letters_and_no_scripts(opened: Opened, shelf: str) -> None:
    plain = opened(f"records?c={shelf}", viewport={"width": 390, "height": 844}, java_script_enabled=False)
    expect(plain.locator("tbody tr")).to_have_count(50)
    expect(plain.locator("tbody")).to_contain_text(HOSTILE)
    plain.get_by_role("link", name="Next page").click()
    expect(plain.locator("tbody tr")).to_have_count(COUNT - 50)
    plain.get_by_label("Filter as JSON").fill("{")
    plain.get_by_role("button", name="Filter").click()
    expect(plain.get_by_role("alert")).to_contain_text("filter")
    for width in (390, 640):  # 640: a window of 1280 at 200 %
        page = opened(f"records?c={shelf}&record=r001", viewport={"width": width, "height": 844})
        expect(page.get_by_label("Attributes", exact=True)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
