"""What happens elsewhere while somebody works: in another tab, or to the collection itself."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from app.db import loads
from app.db.records import NewRecord
from app.domain.errors import CollectionNotFound
from app.domain.records import Fields
from app.services import collections, records
from tests.db.vectors import random_vectors
from tests.ui.conftest import Console, press

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect
expect.set_options(timeout=60_000)

Opened = Callable[..., Any]
NAME = "z-meanwhile"


@pytest.fixture
def meanwhile(console: Console) -> Iterator[str]:
    """A collection of two records without pictures, which a test may drop."""
    made = collections.create(console.context, NAME, "photo")
    vectors = random_vectors(2, made.dimensions)
    loads.copy(
        console.context.db, made, [NewRecord(f"r{n}", f'{{"n": {n}}}', vector) for n, vector in enumerate(vectors)]
    )
    yield NAME
    with suppress(CollectionNotFound):  # the test has dropped it
        collections.drop(console.context, NAME)


def gone(console: Console) -> None:
    collections.drop(console.context, NAME)
    console.context.lookup.forget(NAME)


def test_two_tabs_change_one_record_and_both_changes_stay(opened: Opened, console: Console, meanwhile: str) -> None:
    """Only what differs is sent: the second tab does not write back what the first one has changed."""
    first = opened(f"records?c={meanwhile}")
    second = first.context.new_page()
    second.goto(first.url)
    for page in (first, second):
        page.locator("#rows a", has_text="r0").click()
        expect(page.get_by_label("Attributes", exact=True)).to_have_value(json.dumps({"n": 0}, indent=2))
    for page, change in ((first, {"n": 0, "one": 1}), (second, {"n": 7})):
        page.get_by_label("Attributes", exact=True).fill(json.dumps(change))
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("Saved")).to_be_visible()
    found = records.get(console.context, collections.get(console.context, NAME), [{"_id": "r0"}], Fields.of(["*"]))
    assert json.loads(found.records[0].json()) == {"_id": "r0", "n": 7, "one": 1}


def test_signing_out_in_one_tab_loses_nothing_in_the_other(opened: Opened, console: Console, meanwhile: str) -> None:
    first = opened(f"records?c={meanwhile}")
    first.locator("#rows a", has_text="r0").click()
    field = first.get_by_label("Attributes", exact=True)
    field.fill('{"n": 5}')
    second = first.context.new_page()
    second.goto(f"{console.url}/console/search?c=shop")
    second.get_by_role("button", name="Sign out").click()
    expect(second.get_by_label("API token")).to_be_visible()
    first.get_by_role("button", name="Save").click()
    again = first.get_by_role("dialog", name="Sign in again")
    again.get_by_label("API token").fill(console.token)
    again.get_by_role("button", name="Sign in").click()
    expect(first.get_by_text("Saved")).to_be_visible()
    second.goto(f"{console.url}/console/search?c=shop")
    expect(second.get_by_role("button", name="Sign out")).to_be_visible()  # one session for all tabs


@pytest.mark.parametrize(
    ("path", "act"),
    [
        ("records", lambda page: page.get_by_role("button", name="n", exact=True).click()),
        ("duplicates", lambda page: page.get_by_role("button", name="Look for duplicates").click()),
        ("map", lambda page: page.get_by_role("button", name="Make the map").click()),
        ("collections", lambda page: page.get_by_role("button", name="Measure recall").click()),
        ("try", lambda page: press(page, "Control+Enter")),
    ],
)
def test_a_collection_that_is_dropped_meanwhile_is_said_to_be_gone(
    opened: Opened, console: Console, meanwhile: str, path: str, act: Callable[[Any], None]
) -> None:
    page = opened(f"{path}?c={meanwhile}")
    page.wait_for_load_state("networkidle")
    gone(console)
    act(page)
    expect(page.get_by_role("main")).to_contain_text("404")
    page.reload()
    expect(page.get_by_role("main")).to_contain_text("404")
