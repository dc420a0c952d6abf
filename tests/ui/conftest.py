"""The console in Chromium, on the application with the real model and real photographs of the sample catalogue.

One server and one browser serve all tests; a test gets a context of its own, signed in. Screenshots go to
`build/screens`, for people to look at.
"""

import base64
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import make_server

from app import create_app
from app.config import Settings
from app.demo.catalogue import Product, catalogue
from app.domain.browser import COOKIE
from app.domain.records import Fields, Json
from app.domain.tokens import Scope
from app.services import collections, tokens
from app.services.context import Context
from app.services.inserting import insert
from app.services.jobs.working import Workers
from tests.support.databases import Databases
from tests.support.jobs import QUICK

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
SCREENS = Path(__file__).resolve().parents[2] / "build" / "screens"
PHOTOS = 75
# The first is the same engine without windows, tabs and extensions: a page takes it half the time.
_PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser")
HOSTILE = "<img src=x onerror=hacked=1>\"'`&lt;"


@dataclass
class Console:
    """A server with a collection `shop`, and a token for everything."""

    url: str
    context: Context
    token: str
    collection: str = "shop"

    def new_token(self, scope: Scope = Scope.READ) -> tuple[int, str]:
        made = tokens.create(self.context, [scope], [self.collection])
        return made.id, made.token


@pytest.fixture(scope="session")
def console(databases: Databases, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    settings = Settings(home=tmp_path_factory.mktemp("console"), auth_cache_seconds=0.1)
    with databases.copy(template) as url:
        application = create_app(settings, url)
        context: Context = application.extensions["lookalike"]
        made = collections.create(context, "shop", "products", keep_images=True, product_field="product_id")
        products = catalogue(PHOTOS)
        hostile: dict[str, Json] = {"name": HOSTILE, "brand": HOSTILE, HOSTILE: HOSTILE, "product_id": HOSTILE}
        products.append(Product(HOSTILE, hostile, products[0].data))
        records: list[Json] = [
            {**one.attributes, "_id": one.id, "_base64": base64.b64encode(one.data).decode()} for one in products
        ]
        assert len(insert(context, made, records, Fields()).records) == PHOTOS + 1
        server = make_server("127.0.0.1", 0, application, threaded=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        token = tokens.create(context, [Scope.ADMIN], None).token
        yield Console(f"http://localhost:{server.port}", context, token)
        server.shutdown()
        thread.join()
        server.server_close()
        context.close()


@pytest.fixture(scope="module")
def workers(console: Console) -> Iterator[None]:
    """A worker that does the jobs that the tests of one module ask for."""
    made = Workers(console.context, 1, QUICK)
    made.start()
    yield
    made.stop(10)
    made.join()


@contextmanager
def crowded(context: Context) -> Iterator[None]:
    """Hold every connection of the pool: who asks meanwhile waits for one in vain, and is answered with 503."""
    taken, released = threading.Semaphore(0), threading.Event()

    def hold(_: object) -> None:
        taken.release()
        released.wait(60)

    holders = [threading.Thread(target=context.db.read, args=(hold,)) for _ in range(context.settings.pool_connections)]
    for one in holders:
        one.start()
    for _ in holders:
        assert taken.acquire(timeout=60)
    try:
        yield
    finally:
        released.set()
        for one in holders:
            one.join()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if path is None:
        pytest.skip("no Chromium here: apt-get install chromium-headless-shell, or CHROMIUM=path")
    with sync_api.sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield made
        made.close()


@pytest.fixture
def opened(browser: Any, console: Console) -> Iterator[Callable[..., Any]]:
    """Open a page of the console, signed in; whatever goes wrong in its scripts fails the test."""
    contexts, wrong = [], []

    def open_(path: str = "search?c=shop", token: str | None = None, **given: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **given})
        contexts.append(context)
        context.add_cookies([{"name": COOKIE, "value": token or console.token, "url": console.url}])
        page = context.new_page()
        page.set_default_timeout(60_000)  # against hanging only
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if "Content Security Policy" in said.text else None)
        page.goto(f"{console.url}/console/{path}")
        return page

    yield open_
    for context in contexts:
        context.close()
    assert not wrong


def press(page: Any, key: str) -> None:
    """Press a key of the page, once its scripts listen and no dialog takes it: one whose form is sent closes when that
    is answered. What the server has drawn is there before the scripts are, and tells nothing about them.
    """
    page.wait_for_load_state()
    page.locator("dialog[open]").wait_for(state="detached")
    page.keyboard.press(key)


def press_inside(page: Any, key: str) -> None:
    """Press a key of the open dialog, once there is one."""
    page.locator("dialog[open]").wait_for()
    page.keyboard.press(key)


@pytest.fixture(scope="session")
def screenshot() -> Callable[[Any, str], None]:
    """Keep a picture of a page, for people."""
    SCREENS.mkdir(parents=True, exist_ok=True)
    return lambda page, name: page.screenshot(path=SCREENS / f"{name}.png")
