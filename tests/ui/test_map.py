"""The screen Map, as its users meet it."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from app.domain.jobs import Job, State
from app.domain.tokens import Scope
from app.services import collections
from app.services.jobs import asking
from app.services.jobs.map_job import MAP
from app.services.jobs.working import Worker
from tests.support.jobs import QUICK
from tests.ui.conftest import HOSTILE, PHOTOS, Console, press

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect
expect.set_options(timeout=60_000)

Opened = Callable[..., Any]
Screenshot = Callable[[Any, str], None]
_READY = (
    "() => document.querySelector('picture-map').dataset.ready && document.querySelector('#legend').childElementCount"
)


@pytest.fixture(scope="module")
def mapped(console: Console) -> Console:
    """The collection of the console with a map."""
    job, _ = asking.start(console.context, MAP, collections.get(console.context, console.collection), {})
    do(console, job)
    return console


def do(console: Console, job: Job) -> None:
    """Do a job, as a worker would: the console's server here has none."""
    worker = Worker(console.context, QUICK, [MAP])
    held = worker.take(job.id)
    assert held is not None
    worker.do(held)
    assert asking.get(console.context, job.id).state == State.DONE


def ready(page: Any) -> None:
    page.wait_for_function(_READY)
    page.wait_for_function("() => document.querySelectorAll('#clusters button').length > 0")


def on_screen(page: Any, place: int) -> dict[str, float]:
    """Return where a point is drawn, in pixels of the page."""
    found: dict[str, float] = page.evaluate(
        "n => { const map = document.querySelector('picture-map'), box = map.getBoundingClientRect();"
        " const at = map.pixels(map.points[2 * n], map.points[2 * n + 1]);"
        " return { x: box.left + at.x, y: box.top + at.y } }",
        place,
    )
    return found


def test_a_map_is_looked_at(mapped: Console, opened: Opened, screenshot: Screenshot) -> None:
    page = opened("map?c=shop")
    ready(page)
    assert page.evaluate("document.querySelector('picture-map').dataset.by") in {"webgl2", "2d"}
    expect(page.locator("#count")).to_have_text(f"{PHOTOS + 1} pictures")
    # Hover shows the picture under the pointer, a click its details; the URL says which.
    at = on_screen(page, 0)
    page.mouse.move(at["x"], at["y"])
    expect(page.locator("#hint img")).to_be_visible()
    named = page.locator("#hint span").inner_text()
    screenshot(page, "map-light")
    page.mouse.click(at["x"], at["y"])
    expect(page.locator("#details .facts dd").first).to_have_text(named)
    assert parse_qs(urlsplit(page.url).query)["chosen"] == [named]
    # Colour by an attribute; a value of the legend stands out.
    page.locator("#by").select_option("field:category")
    expect(page.locator("#legend .facet-value").first).to_contain_text("shoes")
    page.locator("#legend .facet-value").first.click()
    lit = page.evaluate("[...document.querySelector('picture-map').lit].filter((one) => one).length")
    assert 0 < lit < PHOTOS
    # By the distance to the picture, on a key.
    press(page, "n")
    expect(page.locator("#legend .scale")).to_be_visible()
    assert f"by=like%3A{named}" in page.url
    page.go_back()
    expect(page.locator("#legend .facet-value").first).to_contain_text("shoes")


def test_the_wheel_and_the_keys_move_it(mapped: Console, opened: Opened) -> None:
    page = opened("map?c=shop")
    ready(page)
    view = "document.querySelector('picture-map').view"
    whole = page.evaluate(view)
    page.locator("picture-map canvas").focus()
    for key in ("+", "ArrowRight", "ArrowUp"):
        press(page, key)
    moved = page.evaluate(view)
    assert moved["zoom"] > whole["zoom"]
    assert (moved["x"] > whole["x"], moved["y"] > whole["y"]) == (True, True)
    page.wait_for_url("**at=*")
    url = page.url
    page.reload()
    ready(page)
    again = page.evaluate(view)
    assert (again["x"], again["zoom"]) == (pytest.approx(moved["x"], rel=1e-2), pytest.approx(moved["zoom"], rel=1e-2))
    assert page.url == url
    page.get_by_role("button", name="Whole").click()
    assert page.evaluate(view)["zoom"] == 1
    box = page.locator("picture-map").bounding_box()
    page.mouse.move(box["x"] + 200, box["y"] + 200)
    page.mouse.wheel(0, -300)
    page.wait_for_function(f"() => {view}.zoom > 1.2")


def test_a_lasso_selects(mapped: Console, opened: Opened, screenshot: Screenshot) -> None:
    page = opened("map?c=shop")
    ready(page)
    box = page.locator("picture-map").bounding_box()
    press(page, "l")
    expect(page.locator("#lasso")).to_have_attribute("aria-pressed", "true")
    left, top = box["x"] + 8, box["y"] + 8
    right, bottom = box["x"] + box["width"] / 2, box["y"] + box["height"] - 8
    page.mouse.move(left, top)
    page.mouse.down()
    for x, y in ((right, top), (right, bottom), (left, bottom), (left, top + 20)):
        page.mouse.move(x, y, steps=4)
    page.mouse.up()
    expect(page.locator("#selected")).to_contain_text("selected")
    count = int(page.locator("#selected").inner_text().split()[0])
    assert 0 < count < PHOTOS + 1
    page.locator("#selection").scroll_into_view_if_needed()
    expect(page.locator("picture-grid .pick").first).to_be_visible()
    screenshot(page, "map-lasso-light")
    # A link shows a colleague the same selection; and it opens in Search.
    other = opened(page.url.split("/console/", 1)[1])
    ready(other)
    expect(other.locator("#selected")).to_have_text(f"{count} selected")
    chosen = json.loads(parse_qs(urlsplit(other.locator("#in-search").get_attribute("href")).query)["filter"][0])
    assert len(chosen["_id"]["$in"]) == count
    other.get_by_role("button", name="Clear").click()
    expect(other.locator("#selection")).to_be_hidden()


def test_without_webgl_it_is_drawn_all_the_same(mapped: Console, opened: Opened) -> None:
    page = opened("search?c=shop")
    page.add_init_script(
        "const get = HTMLCanvasElement.prototype.getContext;"
        "HTMLCanvasElement.prototype.getContext = function (kind, ...more) {"
        " return kind === 'webgl2' ? null : get.call(this, kind, ...more) }"
    )
    page.goto(page.url.replace("search?", "map?"))
    ready(page)
    assert page.evaluate("document.querySelector('picture-map').dataset.by") == "2d"
    page.wait_for_function(
        "() => { const c = document.querySelector('picture-map canvas');"
        " return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((one) => one) }"
    )


def test_a_collection_without_a_map_gets_one(opened: Opened, console: Console, screenshot: Screenshot) -> None:
    made = collections.create(console.context, "unmapped", "photo")
    try:
        reader = opened("map?c=unmapped", token=console.new_token(Scope.READ)[1])
        expect(reader.get_by_role("main")).to_contain_text("404")  # the token is for another collection
        page = opened("map?c=unmapped")
        expect(page.get_by_role("heading", name="No map yet")).to_be_visible()
        screenshot(page, "map-empty-light")
        page.get_by_role("button", name="Make the map").click()
        expect(page.locator(".notice progress")).to_be_visible()
        do(console, asking.listed(console.context, collection_id=made.id)[0])
        expect(page.locator("#count")).to_have_text("0 pictures")
        expect(page.locator("#outliers")).to_contain_text("There are none")
    finally:
        collections.drop(console.context, "unmapped")


def test_hostile_values_are_text(mapped: Console, opened: Opened) -> None:
    page = opened("map?c=shop&by=field%3Abrand")
    ready(page)
    expect(page.locator("#legend")).to_be_visible()
    page.goto(f"{mapped.url}/console/map?c=shop&by=field:name&chosen={quote(HOSTILE)}")
    ready(page)
    expect(page.locator("#details h2")).to_have_text(HOSTILE)
    assert page.evaluate("window.hacked") is None


def test_without_javascript_there_are_lists(mapped: Console, opened: Opened) -> None:
    page = opened("map?c=shop", java_script_enabled=False)
    page.goto(f"{mapped.url}/console/map?c=shop&plain=1")
    expect(page.get_by_role("heading", name="Outliers")).to_be_visible()
    assert page.locator(".plain-grid a").count() > PHOTOS / 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_it(mapped: Console, opened: Opened, screenshot: Screenshot, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    page = opened("map?c=shop&by=field%3Acategory&chosen=t-shirt-001", color_scheme=scheme)
    ready(page)
    expect(page.locator("#details .facts dt").first).to_be_visible()
    screenshot(page, f"map-details-{scheme}")
    found = axe.Axe().run(page).response["violations"]
    assert not [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in found]


def test_it_fits_narrow_screens(mapped: Console, opened: Opened, screenshot: Screenshot) -> None:
    page = opened("map?c=shop", viewport={"width": 390, "height": 844})
    ready(page)
    screenshot(page, "map-narrow")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
