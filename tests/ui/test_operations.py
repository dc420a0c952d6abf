"""The screen Operations, as an administrator meets it; tests/api/test_operations_api.py has what needs no browser."""

import re
from collections.abc import Callable, Iterator
from typing import Any, LiteralString

import pytest
from psycopg import sql

from app.domain.browser import COOKIE
from app.domain.tokens import Scope
from app.services import tokens
from app.services.jobs import asking
from tests.support.waiting import eventually
from tests.ui.conftest import HOSTILE, Console, crowded, press

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect
expect.set_options(timeout=60_000)

Opened = Callable[..., Any]
Screenshot = Callable[[Any, str], None]


ROWS: list[LiteralString] = [
    """
    INSERT INTO lookalike.backups (name, place, begun_at, ended_at, bytes, records, verified_at, differences)
    VALUES ('20261117T010000Z', %(hostile)s, now() - interval '11 days', now() - interval '10 days', 52428800, 75,
            now() - interval '10 days', '{}'),
           ('20261124T010000Z', %(hostile)s, now() - interval '4 days', now() - interval '3 days', 52428800, 75, now(),
            ARRAY[%(hostile)s])
    """,
    """
    INSERT INTO lookalike.index_recall (index_name, collection_id, generation, target, effort, effort_deep,
        effort_matches, recall_10, recall_100, queries, rows, seconds, measured_at)
    SELECT lookalike.records_table(id, generation) || '_hnsw', id, generation, 0.99, 60, 90, 120, 0.931, 0.92, 200, 75,
           3.5, now()
    FROM lookalike.collections WHERE name = 'shop'
    """,
    """
    INSERT INTO lookalike.search_log (at, token_id, collection_id, method, filter, k, results, milliseconds, way)
    SELECT now(), 1, id, 'visualKNN', jsonb_build_object('brand', %(hostile)s::text), 30, 30, 1840, 'index'
    FROM lookalike.collections WHERE name = 'shop'
    """,
    """
    INSERT INTO lookalike.jobs (kind, state, error, finished_at) VALUES ('import', 'failed', %(hostile)s, now())
    """,
]
WRONG = ("BackupOld", "BackupDiffers", "BackupUnverified", "RecallLow", "JobsFail")


@pytest.fixture
def busy(console: Console) -> Iterator[None]:
    """Rows in each of the tables of the screen, with hostile text."""
    with console.context.db.session() as connection:
        for text in ROWS:
            connection.execute(text, {"hostile": HOSTILE})
    yield
    with console.context.db.session() as connection:
        for table in ("backups", "index_recall", "search_log"):
            connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier("lookalike", table)))
        connection.execute("DELETE FROM lookalike.jobs WHERE error = %s", (HOSTILE,))


def test_an_administrator_sees_what_is_wrong_and_takes_a_backup(opened: Opened, console: Console) -> None:
    """It follows what changes, outlasts a database that is away and a token that ends, and begins a job."""
    mine = tokens.create(console.context, [Scope.ADMIN], None, HOSTILE)
    page = opened("operations", mine.token)
    warnings = page.locator("#warnings")
    expect(warnings).to_contain_text("No backup was ever taken.")
    expect(warnings).to_contain_text("LOOKALIKE_BACKUP_HOURS")
    label = page.locator(".rail [aria-current] span")  # the widest: bold, while its screen is shown
    assert label.evaluate("(one) => one.getBoundingClientRect().width + 8 <= one.parentElement.clientWidth")
    page.wait_for_load_state()
    with crowded(console.context):
        press(page, "r")
        trouble = page.locator("#trouble")
        expect(trouble).to_contain_text("Error 503")
        expect(trouble).to_contain_text("Trying again in")
        expect(page.locator("#database")).to_contain_text("pgvector")
    expect(trouble).to_be_empty()
    press(page, "j")
    expect(warnings).to_be_focused()
    press(page, "j")
    expect(page.locator("#traffic")).to_be_focused()
    tokens.revoke(console.context, mine.id)
    eventually(lambda: console.context.lookup.principal(mine.token) is None)
    press(page, "r")
    again = page.get_by_role("dialog", name="Sign in again")
    again.get_by_label("API token").fill(console.token)
    again.get_by_role("button", name="Sign in").click()
    expect(page.locator("#audit")).to_be_visible()
    press(page, "b")
    dialog = page.get_by_role("dialog", name="Take a backup?")
    dialog.get_by_label("Restore it").uncheck()
    dialog.get_by_role("button", name="Take it").click()
    page.wait_for_url(re.compile(r"/console/jobs\?.*job=\d+"))
    title = page.locator("#details h2")
    expect(title).to_contain_text("backup")
    asking.cancel(console.context, int(title.inner_text().split()[-1]))  # workers of other tests would do it
    assert page.evaluate("window.hacked") is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_it(
    opened: Opened, screenshot: Screenshot, console: Console, busy: None, scheme: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    page = opened("operations", color_scheme=scheme)
    for alert in WRONG:
        expect(page.locator("#warnings li").filter(has_text=f"Lookalike{alert}").first).to_be_visible()
    expect(page.locator("#backups tbody tr")).to_have_count(2)
    assert page.evaluate("window.hacked") is None
    found = axe.Axe().run(page).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
    page.set_viewport_size({"width": 1280, "height": 2600})
    screenshot(page, f"operations-{scheme}")
    if scheme == "dark":
        return
    for width in (390, 640):  # 640: a window of 1280 at 200 %
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        screenshot(page, f"operations-{width}")


def test_it_needs_no_scripts_and_a_session(opened: Opened, console: Console) -> None:
    plain = opened("operations", viewport={"width": 390, "height": 844}, java_script_enabled=False)
    expect(plain.locator("#backups")).to_be_visible()
    expect(plain.locator("#backup")).to_be_hidden()
    plain.context.add_cookies([{"name": COOKIE, "value": "gone", "url": console.url}])
    plain.reload()
    expect(plain.get_by_label("API token")).to_be_visible()
