"""The screen Access, as its users meet it."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from app.domain.browser import COOKIE
from app.domain.tokens import Scope
from app.services import tokens
from tests.support.waiting import eventually
from tests.ui.conftest import HOSTILE, Console, press, press_inside

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect

Opened = Callable[..., Any]
Screenshot = Callable[[Any, str], None]


def test_a_token_is_made_shown_once_and_revoked(opened: Opened, screenshot: Screenshot, console: Console) -> None:
    page = opened("access")
    press(page, "n")
    dialog = page.get_by_role("dialog", name="New token")
    dialog.get_by_label("Note").fill(HOSTILE)
    dialog.get_by_label("Write:").check()
    dialog.get_by_label("Some").check()
    dialog.get_by_role("button", name="Make the token").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Choose one collection")
    dialog.get_by_label("shop", exact=True).check()
    screenshot(page, "access-new-light")
    dialog.get_by_role("button", name="Make the token").click()
    shown = page.get_by_role("dialog", name="The new token")
    secret = shown.get_by_role("textbox").input_value()
    expect(shown.locator("pre")).to_contain_text(secret)
    principal = console.context.lookup.principal(secret)
    assert principal is not None
    assert principal.scopes == {Scope.WRITE}
    press_inside(page, "Escape")
    expect(shown).to_be_visible()
    shown.get_by_role("button", name="I have it").click()
    details = page.locator("#details")
    expect(details.locator("h2")).to_have_text(HOSTILE)
    assert secret not in page.content()
    screenshot(page, "access-details-light")
    press(page, "e")
    dialog = page.get_by_role("dialog", name="Change")
    dialog.get_by_label("Note").fill("changed")
    dialog.get_by_label("Expires").select_option("In 30 days")
    dialog.get_by_text("Limits").click()
    dialog.get_by_label("Requests a second").fill("2.5")
    dialog.get_by_label("Bytes of a request").fill("1024")
    dialog.get_by_role("button", name="Change it").click()
    expect(details.locator("h2")).to_have_text("changed")
    expect(details).to_contain_text("Requests a second")
    expect(details).to_contain_text("2.5 at most")
    old = page.url
    press(page, "r")
    dialog = page.get_by_role("dialog", name="Rotate changed?")
    dialog.get_by_label("The old one works").select_option("An hour longer")
    dialog.get_by_role("button", name="Rotate it").click()
    shown = page.get_by_role("dialog", name="The new token")
    successor = shown.get_by_role("textbox").input_value()
    shown.get_by_role("button", name="I have it").click()
    expect(details).to_contain_text("Replaces")
    made = console.context.lookup.principal(successor)
    assert made is not None
    assert (made.scopes, made.collections) == (principal.scopes, principal.collections)
    page.goto(old)
    press(page, "e")
    page.get_by_role("dialog").get_by_label("Note").fill(HOSTILE)
    page.get_by_role("dialog").get_by_label("Requests a second").fill("")
    page.get_by_role("dialog").get_by_role("button", name="Change it").click()
    expect(details.locator("h2")).to_have_text(HOSTILE)
    expect(details).not_to_contain_text("Requests a second")
    expect(details).to_contain_text("1024 at most")
    press(page, "Delete")
    page.get_by_role("dialog").get_by_role("button", name="Revoke it").click()
    expect(details.locator(".state")).to_have_text("revoked")
    eventually(lambda: console.context.lookup.principal(secret) is None)
    expect(page.locator("#rows")).to_contain_text(HOSTILE)
    press(page, "Escape")
    expect(page.locator("#details")).to_have_count(0)
    page.get_by_role("link", name="Good").click()
    expect(page.locator("#rows")).not_to_contain_text(HOSTILE)
    assert page.evaluate("window.hacked") is None


def test_a_session_that_ends_meanwhile_loses_nothing_that_was_typed(opened: Opened, console: Console) -> None:
    mine = tokens.create(console.context, [Scope.ADMIN], None, "mine")
    page = opened("access", mine.token)
    press(page, "n")
    dialog = page.get_by_role("dialog", name="New token")
    dialog.get_by_label("Note").fill("typed before it ended")
    tokens.revoke(console.context, mine.id)
    eventually(lambda: console.context.lookup.principal(mine.token) is None)
    dialog.get_by_role("button", name="Make the token").click()
    again = page.get_by_role("dialog", name="Sign in again")
    again.get_by_label("API token").fill("unknown")
    again.get_by_role("button", name="Sign in").click()
    expect(again.get_by_role("alert")).to_contain_text("not known")
    again.get_by_label("API token").fill(console.token)
    again.get_by_role("button", name="Sign in").click()
    page.get_by_role("dialog", name="The new token").get_by_role("button", name="I have it").click()
    expect(page.locator("#details h2")).to_have_text("typed before it ended")


def test_it_is_for_administrators_of_all_collections(opened: Opened, console: Console) -> None:
    everywhere = tokens.create(console.context, [Scope.WRITE], None).token
    for token in (console.new_token(Scope.ADMIN)[1], everywhere):
        page = opened("access", token)
        expect(page.get_by_role("heading", level=1)).to_contain_text("is for tokens with the scope admin")
        page.goto(f"{console.url}/console/jobs")
        expect(page.get_by_role("navigation").get_by_text("Access")).to_have_count(0)


def test_what_is_not_there_is_said(opened: Opened) -> None:
    page = opened("access?token=999999")
    expect(page.get_by_role("alert")).to_contain_text("no token of this number")
    page.goto(re.sub(r"\?.*", "?show=nonsense&token=%3Cb%3E", page.url))
    expect(page.get_by_role("link", name="Good")).to_have_attribute("aria-current", "true")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_it(opened: Opened, screenshot: Screenshot, console: Console, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    made = tokens.create(console.context, [Scope.READ], ["shop"], "for axe")
    page = opened(f"access?token={made.id}", color_scheme=scheme)
    page.locator("#new-token").click()
    page.get_by_role("dialog").get_by_label("Some").check()
    for step in ("dialog", "screen"):
        found = axe.Axe().run(page).response["violations"]
        assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == [], step
        screenshot(page, f"access-{step}-{scheme}")
        if step == "dialog":
            press_inside(page, "Escape")


def test_it_fits_narrow_screens_large_letters_and_no_scripts(opened: Opened, console: Console) -> None:
    tokens.create(console.context, [Scope.READ], ["shop"], "a-long-note-without-any-space-" * 5)
    plain = opened("access", viewport={"width": 390, "height": 844}, java_script_enabled=False)
    expect(plain.locator("#rows")).to_be_visible()
    expect(plain.locator("#new-token")).to_be_hidden()
    for width in (390, 640):  # 640: a window of 1280 at 200 %
        page = opened("access", viewport={"width": width, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.context.add_cookies([{"name": COOKIE, "value": "gone", "url": console.url}])
    page.reload()
    expect(page.get_by_label("API token")).to_be_visible()
