"""Which index would help: asked for and built on Operations and on Collections, by a log of searches of before."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from app.db import collections, indexes, loads, searchlog
from app.db.records import NewRecord
from app.domain.collections import Collection, NewCollection
from app.domain.records import Json
from app.domain.searches import Entry
from tests.db.vectors import random_vectors
from tests.support.waiting import eventually
from tests.ui.conftest import Console, press

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect
expect.set_options(timeout=60_000)

Opened = Callable[..., Any]
NAME = "advised"
DIMENSIONS = 31  # of no other collection: costs are by dimensions
ROWS = 6000


@pytest.fixture(scope="module")
def advised(console: Console) -> Iterator[Collection]:
    """A collection in whose searches a B-tree of the price would have helped."""
    db = console.context.db
    made = collections.create(db, NewCollection(NAME, "photo", "m", "1", DIMENSIONS, 62.5))
    vectors = random_vectors(ROWS, DIMENSIONS)
    rows = [NewRecord(f"r{n}", json.dumps({"price": n % 100}), vector) for n, vector in enumerate(np.asarray(vectors))]
    loads.copy(db, made, rows)
    assert indexes.build_hnsw(db, made)
    with db.session() as connection:
        connection.execute(
            "INSERT INTO lookalike.search_costs (dimensions, distance_us, match_us, candidate_us)"
            " VALUES (%s, 1, 50, 5)",
            (DIMENSIONS,),
        )
    filter_: Json = {"price": {"$lt": 2}}
    note = Entry(datetime.now(UTC), 1, made.id, "visualKNN", None, filter_, 20, 20, 120.0, "exact")
    searchlog.add(db, [note] * 20, 1000)
    yield made
    collections.drop(db, NAME)
    with db.session() as connection:
        connection.execute("DELETE FROM lookalike.search_costs WHERE dimensions = %s", (DIMENSIONS,))
        connection.execute("DELETE FROM lookalike.search_log")


def test_an_index_is_advised_and_built(opened: Opened, console: Console, advised: Collection, workers: None) -> None:
    page = opened(f"collections?c={NAME}")
    page.get_by_role("button", name="Which index would help?").click()
    details = page.locator("#details")
    expect(details).to_contain_text("The field price: 20 searches, 120 ms each now")
    expect(details).to_contain_text("This is by 20 searches with a filter in the log")
    page.goto(f"{console.url}/console/operations")
    expect(page.locator("#advice")).to_contain_text("Searches are not logged now, but some of before are in the log")
    press(page, "a")
    line = page.locator("#advised li").filter(has_text=NAME)
    expect(line).to_contain_text("advised: an index of price20 searches")
    expect(page.locator("#advised")).to_contain_text("Searches are not logged now: these are of before.")
    line.get_by_role("button", name="Build it").click()
    page.wait_for_url("**/console/jobs?*job=*")
    eventually(lambda: collections.get(console.context.db, NAME).indexed_fields == {"price"})
    expect(page.locator("#details")).to_contain_text("done")
    page.goto(f"{console.url}/console/operations")
    page.get_by_role("button", name="Ask").click()
    expect(page.locator("#advised")).to_contain_text("no other index would help much")
    expect(page.locator("#advised li")).to_have_count(0)
