"""The screen Search, as its users meet it."""

import base64
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from PIL import Image

from app.demo.catalogue import catalogue
from app.domain.records import Fields, Json
from app.domain.tokens import Scope
from app.services import collections, duplicates, tokens
from app.services.inserting import insert
from tests.support.waiting import eventually
from tests.ui.conftest import HOSTILE, PHOTOS, Console, crowded, press, press_inside

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect
expect.set_options(timeout=60_000)

Opened = Callable[..., Any]
Screenshot = Callable[[Any, str], None]
_LIKE = "search?c=shop&q=id%3At-shirt-001"


def painted(page: Any, count: int = 1) -> None:
    """Wait until pictures are there, with their pixels."""
    page.wait_for_function(
        "n => [...document.querySelectorAll('picture-grid:not(.old) img')].filter((i) => i.naturalWidth).length >= n",
        arg=count,
    )


def distances(page: Any) -> list[float]:
    return [float(text) for text in page.locator("picture-grid .note").all_inner_texts()]


def test_a_link_signs_in_and_leaves_no_token_behind(browser: Any, console: Console) -> None:
    context = browser.new_context()
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{console.url}/console/sign-in#{console.token}")
    page.wait_for_url("**/console/search*")
    painted(page)
    assert not [url for url in asked if console.token in url.split("#", maxsplit=1)[0]]
    assert page.evaluate("document.cookie") == ""
    page.go_back()
    assert console.token not in page.url
    page.goto(f"{console.url}/console/search?c=shop")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("API token")).to_be_visible()
    context.close()


def test_facets_filter_and_back_undoes(opened: Opened, screenshot: Screenshot) -> None:
    page = opened()
    painted(page)
    expect(page.locator("#count")).to_have_text(f"{PHOTOS + 1} pictures")
    screenshot(page, "search-light")
    value = page.locator(".facet[data-field=category] .facet-value").first
    name, count = value.locator(".name").inner_text(), value.locator(".count").inner_text()
    value.click()
    expect(page.locator("#count")).to_have_text(f"{count} pictures")
    expect(page.locator("#conditions")).to_contain_text(f"category: {name}")
    assert "filter=" in page.url
    bars = page.locator(".facet[data-field=price] .bin")
    inside = int(bars.nth(1).get_attribute("aria-label").split(": ")[1].split()[0])
    bars.nth(1).click()
    expect(page.locator("#conditions")).to_contain_text("price ≥")
    expect(page.locator("#count")).to_have_text(f"{inside} pictures")
    page.go_back()
    page.go_back()
    expect(page.locator("#count")).to_have_text(f"{PHOTOS + 1} pictures")
    expect(page.locator("#conditions")).to_be_empty()
    page.go_forward()
    expect(page.locator("#count")).to_have_text(f"{count} pictures")


def test_search_by_id_and_by_keys(opened: Opened, screenshot: Screenshot) -> None:
    page = opened()
    painted(page)
    press(page, "/")
    page.keyboard.type("t-shirt-001")
    press(page, "Enter")
    expect(page.locator("picture-grid .note").first).to_have_text("0.0")
    found = distances(page)
    assert found == sorted(found)
    press(page, "Escape")
    page.locator("picture-grid .pick").first.focus()
    press(page, "ArrowRight")
    second = page.evaluate("document.activeElement.title")
    press(page, "m")
    expect(page.locator("#examples")).not_to_contain_text("t-shirt-001")
    expect(page.locator("picture-grid .pick").first).to_have_attribute("title", second)
    page.locator("picture-grid .pick").nth(2).click()
    expect(page.locator("#details")).to_be_visible()
    expect(page.locator("#details .big-picture img")).to_be_visible()
    screenshot(page, "search-details-light")
    page.locator("#words").fill("dress-001")
    page.get_by_role("button", name="Add as another example").click()
    expect(page.locator("#examples .example")).to_have_count(2)
    page.get_by_role("button", name="Unlike", exact=True).click()
    expect(page.locator("#examples .unlike")).to_have_count(1)
    assert "q=-id" in page.url
    press(page, "Escape")
    expect(page.locator("#details")).to_be_hidden()
    press(page, "Control+k")
    page.keyboard.type("as json")
    press_inside(page, "Enter")
    expect(page.get_by_label("Filter as JSON")).to_be_focused()
    press(page, "Escape")
    press(page, "?")
    expect(page.get_by_role("dialog", name="Keys")).to_contain_text("more like this")


def test_search_by_a_picture_and_a_part_of_it(opened: Opened) -> None:
    shirt = next(one for one in catalogue(PHOTOS) if one.id == "t-shirt-001")
    file = {"name": "shirt.webp", "mimeType": "image/webp", "buffer": shirt.data}
    page = opened()
    page.locator("#file").set_input_files(file)
    expect(page.locator("picture-grid .note").first).to_have_text("0.0")
    with page.expect_request("**/v2/visualKNN") as asked:
        page.get_by_role("button", name="Search by a part of it").click()
        box = page.locator("crop-box img").bounding_box()
        page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + box["height"] * 0.25)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + box["height"] * 0.75)
        page.mouse.up()
        page.get_by_role("button", name="Search by this part").click()
    x0, y0, x1, y1 = asked.value.post_data_json["query_record"]["_box"]
    width, height = shirt.picture().size
    assert (abs(x0 - width / 4) < 4, abs(y0 - height / 4) < 4) == (True, True)
    assert (abs(x1 - width * 3 / 4) < 4, abs(y1 - height * 3 / 4) < 4) == (True, True)
    painted(page)
    assert distances(page)[0] > 0
    page.reload()  # the picture stays in the browser
    painted(page)
    expect(page.locator("#examples .cut")).to_have_count(1)


def test_pasted_and_dropped_pictures_are_searched(opened: Opened) -> None:
    data = list(catalogue(1)[0].data)
    page = opened()
    for event in ("paste", "drop"):
        page.evaluate(
            """([kind, bytes]) => {
                const carried = new DataTransfer();
                carried.items.add(new File([new Uint8Array(bytes)], "a.webp", {type: "image/webp"}));
                dispatchEvent(kind === "paste" ? new ClipboardEvent("paste", {clipboardData: carried})
                    : new DragEvent("drop", {dataTransfer: carried}));
            }""",
            [event, data],
        )
        expect(page.locator("#examples .example")).to_have_count(1)
        expect(page.locator("picture-grid .note").first).to_have_text("0.0")
        page.locator("#clear").click()
        expect(page.locator("#examples .example")).to_have_count(0)


@pytest.mark.parametrize(
    ("example", "said"),
    [
        ("id:no-such-record", "Error 403"),
        ("url:http://127.0.0.1:1/a.png", "Error 403"),
        ("up:lost", "Drop it here again"),
    ],
)
def test_what_cannot_be_searched_says_why(opened: Opened, example: str, said: str) -> None:
    page = opened(f"search?c=shop&q={quote(example)}")
    expect(page.get_by_role("alert").filter(has_text=said)).to_be_visible()
    expect(page.locator(".facet[data-field=category]")).to_have_count(0)
    page.get_by_role("button", name=re.compile("^Remove")).first.click()
    painted(page)


def test_a_file_that_is_no_picture_says_so(opened: Opened) -> None:
    page = opened()
    page.locator("#file").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": b"%PDF-1.7 no picture"})
    expect(page.get_by_role("alert").filter(has_text="PDF")).to_be_visible()


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("large", f"The picture has {50 * 2**20} bytes; {20 * 2**20} are allowed"),
        ("wide", "too many pixels; 64000000 are allowed"),
        ("text", "picture"),
    ],
)
def test_a_picture_that_is_not_taken_says_why(opened: Opened, tmp_path: Path, kind: str, said: str) -> None:
    file = tmp_path / "a.png"
    if kind == "wide":
        Image.new("1", (30_000, 30_000)).save(file)
    else:
        file.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50 * 2**20 - 8) if kind == "large" else b"none at all")
    page = opened()
    page.locator("#file").set_input_files(file)
    alert = page.get_by_role("alert").filter(has_text=said)
    expect(alert).to_be_visible()
    expect(page.locator("#examples .example")).to_have_count(1)
    page.get_by_role("button", name="Remove your picture").click()
    painted(page)


def test_words_that_no_model_reads_say_why(opened: Opened) -> None:
    page = opened()
    expect(page.locator(".hint")).to_contain_text("knows pictures only")
    page.locator("#words").fill("red shoes")
    press(page, "Enter")
    expect(page.get_by_role("alert")).to_contain_text("There is no record red shoes. The model of this collection")
    expect(page.locator("#words")).to_have_value("red shoes")


@pytest.fixture
def rack(console: Console) -> Iterator[str]:
    """A collection of eight records, for tests that change them."""
    made = collections.create(console.context, "z-rack", "photo", "phash", keep_images=True)
    records: list[Json] = [
        {"_id": f"n-{n}", "name": f"Number {n}", "season": "winter", "_base64": base64.b64encode(one.data).decode()}
        for n, one in enumerate(catalogue(8))
    ]
    insert(console.context, made, records, Fields())
    yield made.name
    collections.drop(console.context, made.name)


def test_records_are_selected_changed_removed_and_back(
    opened: Opened, console: Console, rack: str, screenshot: Screenshot
) -> None:
    collection = collections.get(console.context, rack)

    def seasons() -> list[Any]:
        found = duplicates.members(console.context, collection, [f"n-{n}" for n in range(8)], Fields(names=("season",)))
        return [json.loads(found[one].json())["season"] for one in sorted(found)]

    page = opened(f"search?c={rack}")
    painted(page)
    page.locator("picture-grid .pick").nth(1).focus()
    press(page, "x")
    expect(page.locator("#picked")).to_contain_text("1 selected")
    press(page, "Shift+ArrowRight")
    press(page, "Shift+ArrowRight")
    expect(page.locator("#picked")).to_contain_text("3 selected")
    assert page.url.count("picked=") == 3
    screenshot(page, "search-selected-light")
    press(page, "e")
    dialog = page.get_by_role("dialog", name="Edit 3 records")
    dialog.get_by_role("textbox").fill('{"season": "any"}')
    expect(dialog).to_contain_text("3 records change")
    dialog.get_by_role("button", name="Change 3 records").click()
    expect(page.locator("#toasts")).to_contain_text("3 changed")
    assert sorted(seasons()) == ["any"] * 3 + ["winter"] * 5
    page.locator("picture-grid .pick").first.focus()
    press(page, "u")
    expect(page.locator("#toasts")).to_contain_text("3 as before")
    assert seasons() == ["winter"] * 8
    painted(page)
    expect(page.locator("#picked")).to_contain_text("3 selected")
    page.locator("picture-grid .pick").first.focus()
    press(page, "Delete")
    dialog = page.get_by_role("dialog", name="Remove 3 records?")
    expect(dialog.locator("img")).to_have_count(3)
    dialog.get_by_role("button", name="Remove them").click()
    expect(page.locator("#count")).to_have_text("5 pictures")
    expect(page.locator("#picked")).to_be_hidden()
    assert len(seasons()) == 5
    press(page, "Delete")  # one goes at once
    expect(page.locator("#count")).to_have_text("4 pictures")
    press(page, "u")
    expect(page.locator("#count")).to_have_text("5 pictures")
    press(page, "u")
    expect(page.locator("#count")).to_have_text("8 pictures")
    page.locator("picture-grid .pick").nth(0).click(modifiers=["Control"])
    page.locator("picture-grid .pick").nth(4).click(modifiers=["Shift"])
    expect(page.locator("#picked")).to_contain_text("5 selected")
    press(page, "Escape")
    expect(page.locator("#picked")).to_be_hidden()
    page.locator("picture-grid .pick").nth(0).focus()
    press(page, "x")
    press(page, "ArrowRight")
    press(page, "x")
    press(page, "m")
    expect(page.locator("#examples .example")).to_have_count(2)
    _, reader = console.new_token(Scope.READ)
    page = opened("search?c=shop&picked=t-shirt-001", reader)
    expect(page.locator("#picked")).to_contain_text("1 selected")
    expect(page.locator("#picked .danger")).to_have_count(0)


def test_filters_as_json_both_ways(opened: Opened) -> None:
    page = opened('search?c=shop&filter={"season":"summer"}')
    painted(page)
    press(page, "f")
    field = page.get_by_label("Filter as JSON")
    assert json.loads(field.input_value()) == {"season": "summer"}
    apply = page.get_by_role("button", name="Apply")
    field.fill('{"season": ')
    apply.click()
    expect(page.locator("#json-wrong")).to_contain_text("This is no filter")
    field.fill('{"price": {"$gtx": 3}}')
    apply.click()
    expect(page.locator("#json-wrong")).to_contain_text("$.price.$gtx")
    expect(page.get_by_role("alert").filter(has_text="Error 402").locator("code")).to_have_text(
        re.compile("^[0-9a-f]{32}$")
    )
    field.fill('{"price": {"$gte": 20, "$lt": 60}, "season": {"$in": ["summer", "winter"]}}')
    apply.click()
    expect(page.locator("#conditions")).to_contain_text("season: summer or winter")
    expect(page.locator("#conditions")).to_contain_text("price ≥ 20 and < 60")


def test_cutoff_variety_order_and_every_picture(opened: Opened) -> None:
    page = opened(_LIKE)
    painted(page)
    with page.expect_request(lambda request: "visualKNN" in request.url and '"radius":40' in request.post_data):
        page.locator("#within").fill("40")
    expect(page.locator("#count")).to_contain_text("within 40")
    assert max(distances(page)) <= 40
    with page.expect_response(
        lambda answer: "visualKNN" in answer.url and '"diversity":0.5' in answer.request.post_data
    ):
        page.locator("#variety").fill("0.5")
    with page.expect_response(lambda answer: '"sort":[{"price":-1}]' in (answer.request.post_data or "")) as answered:
        page.locator("#sort").select_option("-price")
    prices = [one["price"] for one in answered.value.json()["answer_records"] if "price" in one]
    assert prices == sorted(prices, reverse=True)
    with page.expect_response(lambda answer: '"product_field":""' in (answer.request.post_data or "")) as answered:
        page.get_by_label("Every picture").check()
    assert answered.value.json()["status"]["code"] == 200
    assert "every=1" in page.url


def test_nothing_found_names_each_condition(opened: Opened, screenshot: Screenshot) -> None:
    page = opened('search?c=shop&filter={"season":"summer","price":{"$lt":0}}')
    expect(page.get_by_role("heading", name="Nothing matches all of this")).to_be_visible()
    button = page.get_by_role("button", name=re.compile("Without “price < 0”"))
    expect(button).to_contain_text("pictures")
    screenshot(page, "search-nothing-light")
    button.click()
    painted(page)


def test_scrolling_shows_all_and_holds_few(opened: Opened) -> None:
    page = opened(f"{_LIKE}&every=1")
    painted(page)
    page.wait_for_function(
        """n => { scrollTo(0, document.body.scrollHeight); const grid = document.querySelector("picture-grid");
            return grid.cells.length === n && grid.total === n; }""",
        arg=PHOTOS + 1,
    )
    ids = page.evaluate("document.querySelector('picture-grid').cells.map((one) => one.id)")
    assert len(set(ids)) == PHOTOS + 1
    assert page.locator("picture-grid li").count() <= 60


def test_hostile_texts_show_as_texts(opened: Opened) -> None:
    filter_ = quote(json.dumps({"brand": HOSTILE}))
    page = opened(f"search?c=shop&q={quote('id:' + HOSTILE)}&chosen={quote(HOSTILE)}&filter={filter_}")
    painted(page)
    expect(page.locator("#details h2")).to_have_text(HOSTILE)
    expect(page.locator("#details .facts dt").filter(has_text="onerror")).to_have_text(HOSTILE)
    expect(page.locator("picture-grid .name").first).to_have_text(HOSTILE)
    expect(page.locator("#conditions")).to_contain_text(HOSTILE)
    assert page.evaluate("typeof hacked") == "undefined"
    plain = opened(f"search?c=shop&plain=1&words={quote(HOSTILE)}", java_script_enabled=False)
    expect(plain.locator(".plain-grid .name").first).to_have_text(HOSTILE)


def test_a_token_that_ends_loses_nothing(opened: Opened, console: Console) -> None:
    number, token = console.new_token()
    page = opened(_LIKE, token=token)
    painted(page)
    expect(page.locator(".facet[data-field=category]")).to_be_visible()  # nothing is under way
    tokens.revoke(console.context, number)
    eventually(lambda: console.context.lookup.principal(token) is None)
    page.locator("#words").fill("dress-001")
    press(page, "Enter")
    dialog = page.get_by_role("dialog", name="Sign in again")
    dialog.get_by_label("API token").fill("wrong")
    press_inside(page, "Enter")
    expect(dialog.get_by_role("alert")).to_contain_text("not known")
    dialog.get_by_label("API token").fill(console.new_token()[1])
    press_inside(page, "Enter")
    expect(page.locator("#examples")).to_contain_text("dress-001")
    expect(page.locator("picture-grid .note").first).to_have_text("0.0")


def test_errors_leave_the_page_and_try_again(opened: Opened, console: Console) -> None:
    page = opened(_LIKE)
    painted(page)
    page.wait_for_load_state("networkidle")  # or pictures wait for connections, too
    with crowded(console.context):
        page.locator("#every").check()
        alert = page.get_by_role("alert").filter(has_text="Error 503")
        expect(alert).to_contain_text("Trying again in 1 s")
    expect(alert).to_have_count(0)  # by itself, when the time is over
    painted(page)
    page.context.set_offline(True)
    page.locator("#every").uncheck()
    box = page.get_by_role("alert").filter(has_text="cannot be reached")
    expect(box).to_be_visible()
    page.context.set_offline(False)
    box.get_by_role("button", name="Try again").click()
    painted(page)
    collections.create(console.context, "soon-gone", "photo", "phash")
    page.goto(f"{console.url}/console/search?c=soon-gone")
    expect(page.get_by_role("heading", name="No pictures yet")).to_be_visible()
    collections.drop(console.context, "soon-gone")
    console.context.lookup.forget("soon-gone")
    page.locator("#words").fill("1")
    press(page, "Enter")
    expect(page.get_by_role("alert").filter(has_text="Error 404")).to_be_visible()


def test_the_search_is_taken_elsewhere(opened: Opened, console: Console) -> None:
    page = opened(f"{_LIKE}&chosen=t-shirt-001", permissions=["clipboard-read", "clipboard-write"])
    for name, part in (
        ("curl", "/v2/visualKNN"),
        ("Python", "requests.post"),
        ("SQL", "lookalike.knn('shop', 't-shirt-001', 60"),
    ):
        page.get_by_role("button", name=name, exact=True).click()
        page.wait_for_function("async (part) => (await navigator.clipboard.readText()).includes(part)", arg=part)
    code = page.evaluate("navigator.clipboard.readText()")
    assert console.token not in code
    assert len(console.context.db.all(code.rstrip(";").replace("%", "%%"))) == 60


def test_without_javascript_pages_are_readable(opened: Opened) -> None:
    page = opened(_LIKE, java_script_enabled=False)
    page.wait_for_url("**plain=1*")
    expect(page.get_by_role("heading", name="Like t-shirt-001")).to_be_visible()
    assert page.locator(".plain-grid li").count() == 60
    page.locator(".plain-grid a").nth(1).click()
    expect(page.locator(".plain-grid .note").first).to_have_text("0.0")
    page.get_by_label("Filter as JSON").fill('{"price": {"$gtx": 1}}')
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_role("alert")).to_contain_text("$.price.$gtx")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_it(opened: Opened, screenshot: Screenshot, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    page = opened("sign-in", color_scheme=scheme)
    found = axe.Axe().run(page).response["violations"]
    page.goto(page.url.replace("sign-in", f"{_LIKE}&chosen=t-shirt-001&within=70&picked=t-shirt-001"))
    painted(page)
    expect(page.locator("#details .facts dt").first).to_be_visible()
    expect(page.locator(".facet[data-field=category] .facet-value").first).to_be_visible()
    screenshot(page, f"search-like-{scheme}")
    found += axe.Axe().run(page).response["violations"]
    assert not [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in found]


@pytest.mark.parametrize(("name", "width", "height"), [("narrow", 390, 844), ("zoomed", 640, 400)])
def test_it_fits_narrow_screens_and_200_percent(
    opened: Opened, screenshot: Screenshot, name: str, width: int, height: int
) -> None:
    page = opened(_LIKE, viewport={"width": width, "height": height})
    painted(page)
    screenshot(page, f"search-{name}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("button", name="Filter", exact=True).click()
    expect(page.locator(".facet[data-field=category]")).to_be_visible()
    page.locator("picture-grid .pick").first.click()
    expect(page.locator("#details .big-picture img")).to_be_visible()
    page.get_by_role("button", name="Close the details").click()
    expect(page.locator("#details")).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_first_screen_is_light(opened: Opened) -> None:
    page = opened("sign-in")
    sizes: dict[str, int] = {}

    def note(request: Any) -> None:
        told = request.sizes()
        if "/pictures/v1/shop/" not in request.url:
            sizes[request.url] = told["responseBodySize"] + told["responseHeadersSize"]

    page.on("requestfinished", note)
    page.goto(page.url.replace("sign-in", "search?c=shop"))
    painted(page)
    expect(page.locator(".facet[data-field=category] .facet-value").first).to_be_visible()
    assert len(sizes) >= 12
    assert sum(sizes.values()) <= 150 * 1024, sizes
