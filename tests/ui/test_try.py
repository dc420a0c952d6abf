"""The screen Try it, as its users meet it."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from app.domain.tokens import Scope
from app.ui.trying import DOCUMENTS
from tests.ui.conftest import HOSTILE, Console, press

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect
expect.set_options(timeout=60_000)

Opened = Callable[..., Any]
Screenshot = Callable[[Any, str], None]


def kept(page: Any) -> str:
    return str(page.evaluate("JSON.stringify({...localStorage}) + JSON.stringify({...sessionStorage}) + location.href"))


def test_a_method_is_called_and_kept_in_the_history(opened: Opened, screenshot: Screenshot, console: Console) -> None:
    page = opened("try?c=shop&m=search:find")
    expect(page.get_by_label("collection-id *")).to_have_value("shop")
    body = page.get_by_label("Body", exact=True)
    body.fill(json.dumps({"filter": {"_id": HOSTILE}, "fields_to_return": ["*"]}))
    press(page, "Control+Enter")
    expect(page.locator("#http")).to_have_text("200 OK")
    expect(page.locator("#answer pre")).to_contain_text(json.dumps(HOSTILE))
    assert json.loads(page.locator("#answer pre").inner_text())["answer_count"] == 1
    assert len(page.locator("#request-id").inner_text()) == 32
    screenshot(page, "try-light")
    body.fill('{"filter": {"price": {"$gtt": 1}}}')
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#http")).to_have_text("400 BAD REQUEST")
    expect(page.locator("#answer pre")).to_contain_text("filter, at $.price.$gtt")
    body.fill('{"filter": nothing}')
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#body-wrong")).to_have_text("Line 1, column 12: a value is expected.")
    page.get_by_role("button", name="As it was").click()
    expect(body).to_have_value(
        json.dumps({"fields_to_return": ["_id", "_url"], "filter": {"$gte": {"price": 200}}, "limit": 3}, indent=2)
    )
    page.get_by_role("button", name="sort", exact=True).click()
    assert "sort" in json.loads(body.input_value())
    page.locator(".history button", has_text="200").click()
    expect(body).to_have_value(json.dumps({"filter": {"_id": HOSTILE}, "fields_to_return": ["*"]}, indent=2))
    page.get_by_role("button", name="Copy as curl").click()
    expect(page.get_by_text("Copied")).to_be_visible()
    page.reload()
    expect(page.locator(".history li")).to_have_count(2)
    page.get_by_role("button", name="forget all").click()
    expect(page.locator(".history")).to_have_count(0)
    assert page.evaluate("window.hacked") is None


def test_no_token_is_kept(opened: Opened, console: Console) -> None:
    page = opened("try?c=shop&m=administration:tokensCreate")
    page.get_by_label("Body", exact=True).fill(
        '{"label": "of a try", "token": "a-secret", "nested": {"password": "a-secret"}}'
    )
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#http")).to_have_text("200 OK")
    made = json.loads(page.locator("#answer pre").inner_text())["token"]
    page.get_by_role("link", name="find", exact=True).or_(page.get_by_label("Find a method")).first.click()
    held = kept(page)
    assert "of a try" in held
    for secret in (made, console.token, "a-secret"):
        assert secret not in held


def test_paths_pictures_and_links(opened: Opened, console: Console) -> None:
    page = opened("try?c=shop&m=pictures:getThumbnail")
    expect(page.get_by_label("name *")).to_have_value("shop")
    page.get_by_label("id *").fill(HOSTILE)
    page.get_by_role("button", name="Send").click()
    picture = page.get_by_role("img", name="The picture that was answered")
    expect(picture).to_be_visible()
    page.wait_for_function("document.querySelector('#answer img').naturalWidth > 0")
    page.get_by_label("Find a method").fill("record count")
    page.get_by_role("link", name="getRecordCount", exact=True).click()
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#answer pre")).to_contain_text('"answer_count": 76')
    page.go_back()
    expect(page.get_by_label("id *")).to_have_value(HOSTILE)
    page.goto(f"{console.url}/console/try?c=shop&m=no:such")
    expect(page.locator("#request")).to_contain_text("There is no such method")


def test_every_operation_has_a_form(opened: Opened, console: Console) -> None:
    page = opened("try?c=shop")
    page.get_by_label("Find a method").fill("/")
    wanted = 0
    for path in DOCUMENTS.values():
        document = page.request.get(console.url + path).json()
        ways = [(verb, one) for at in document["paths"].values() for verb, one in at.items() if verb != "head"]
        streams = [one for _, one in ways if "text/event-stream" in one["responses"]["200"].get("content", {})]
        wanted += len(ways) - len(streams)
    links = page.locator("#methods li a")
    expect(links).to_have_count(wanted)
    for link in links.all():
        link.evaluate("one => one.click()")
        expect(page.locator("#request h2")).to_have_text(link.inner_text())


def test_what_a_token_may_not_do_is_not_shown(opened: Opened, console: Console) -> None:
    _, token = console.new_token(Scope.READ)
    page = opened("try?c=shop", token)
    page.get_by_label("Find a method").fill("e")
    expect(page.locator("#methods")).to_contain_text("find")
    expect(page.get_by_role("link", name="insert", exact=True)).to_have_count(0)
    expect(page.get_by_role("link", name="tokensCreate", exact=True)).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_it(opened: Opened, screenshot: Screenshot, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    page = opened("try?c=shop&m=search:visualKNN", color_scheme=scheme)
    page.get_by_label("Body", exact=True).fill('{"query_record": {"_id": "dress-001"}, "k": 3}')
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#http")).to_have_text("200 OK")
    found = axe.Axe().run(page).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
    screenshot(page, f"try-axe-{scheme}")


def test_it_fits_narrow_screens_large_letters_and_no_scripts(opened: Opened) -> None:
    plain = opened("try?c=shop", viewport={"width": 390, "height": 844}, java_script_enabled=False)
    expect(plain.get_by_role("link", name="administration")).to_be_visible()
    for width in (390, 640):  # 640: a window of 1280 at 200 %
        page = opened("try?c=shop&m=search:find", viewport={"width": width, "height": 844})
        expect(page.get_by_label("Body", exact=True)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
