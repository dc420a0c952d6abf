"""The facets beside Search and Records: which are counted, when, and what a click leaves as it is."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from app.domain.records import Fields
from app.services.records import update
from tests.ui.conftest import PHOTOS, Console

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect
expect.set_options(timeout=60_000)

Opened = Callable[..., Any]


def fields(request: Any) -> list[str]:
    """Return the fields that a request for facets is about; none where it is another one."""
    if not request.url.endswith("/v2/facets"):
        return []
    return [facet["field"] for facet in request.post_data_json["facets"]]


def asked_of(page: Any) -> list[list[str]]:
    """Return the fields of each request for facets that the page sends from now on."""
    asked: list[list[str]] = []
    page.on("request", lambda request: asked.append(fields(request)) if fields(request) else None)
    return asked


def facet(page: Any, field: str) -> Any:
    return page.locator(f".facet[data-field={field}]")


@pytest.mark.parametrize("screen", ["search", "records"])
def test_only_open_facets_are_counted_and_a_clicked_one_last(opened: Opened, screen: str) -> None:
    page = opened("sign-in")
    asked = asked_of(page)
    page.goto(page.url.replace("sign-in", f"{screen}?c=shop"))
    expect(facet(page, "category").locator(".facet-value").first).to_be_visible()
    first = asked[0]
    closed = [
        one
        for one in page.locator(".facet[data-field]").evaluate_all("all => all.map((one) => one.dataset.field)")
        if one not in first
    ]
    assert len(first) == 6
    assert closed
    asked.clear()
    value = facet(page, "category").locator(".facet-value").first
    count = value.locator(".count").inner_text()
    with page.expect_request(lambda request: fields(request) == ["category"]):
        value.click()
        expect(facet(page, "category").locator("[aria-pressed=true]")).to_have_count(1)
        expect(page.locator("#count")).to_contain_text(count)
    assert asked == [[one for one in first if one != "category"], ["category"]]
    asked.clear()
    facet(page, closed[0]).locator("summary").click()
    expect(facet(page, closed[0]).locator("[data-value]:not(summary)").first).to_be_visible()
    assert asked == [[closed[0]]]
    facet(page, "price").locator("summary").click()
    expect(facet(page, "price").locator(".bins")).to_be_hidden()
    asked.clear()
    with page.expect_request(lambda request: fields(request) == ["category"]):
        facet(page, "category").locator("[aria-pressed=true]").click()
        expect(page.locator("#count")).to_contain_text(str(PHOTOS + 1))
    assert asked[0] == [one for one in [*first, closed[0]] if one not in {"category", "price"}]
    facet(page, "price").locator("summary").click()
    expect(facet(page, "price").locator(".bins")).to_be_visible()
    assert asked[2:] == [["price"]]


def test_a_click_tells_what_changed_in_its_own_facet_meanwhile(opened: Opened, console: Console) -> None:
    page = opened()
    values = facet(page, "category").locator(".facet-value")
    dresses = values.filter(has_text="dress").locator(".count")
    before = int(dresses.inner_text())
    update(
        console.context, console.context.lookup.collection("shop"), [{"_id": "dress-001", "category": "gown"}], Fields()
    )
    values.filter(has_text="t-shirt").click()
    expect(dresses).to_have_text(str(before - 1))
    update(
        console.context,
        console.context.lookup.collection("shop"),
        [{"_id": "dress-001", "category": "dress"}],
        Fields(),
    )
    facet(page, "category").locator("[aria-pressed=true]").click()
    expect(dresses).to_have_text(str(before))


@pytest.mark.parametrize("screen", ["search", "records"])
def test_a_facet_is_shown_whatever_the_condition_on_it(opened: Opened, screen: str) -> None:
    """A typed range, or one that only the server understands, is none of the values that are shown."""
    page = opened(f"{screen}?c=shop")
    bars = facet(page, "price").locator(".bins")
    expect(bars).to_be_visible()
    facet(page, "price").get_by_label("price from", exact=True).fill("33.3")
    facet(page, "price").get_by_label("price from", exact=True).press("Enter")
    expect(page.locator("#conditions")).to_contain_text("price ≥ 33.3")
    expect(bars).to_be_visible()
    expect(facet(page, "price").locator(".skeleton")).to_have_count(0)
    page.goto(f"{page.url.split('?', maxsplit=1)[0]}?c=shop&filter={quote(json.dumps({'category': {'$ne': 'dress'}}))}")
    expect(facet(page, "category").locator(".facet-value").first).to_be_visible()
