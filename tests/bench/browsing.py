"""The console's pages in headless Chromium, on a server as users start it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from app.db import tokens as tokens_table
from app.domain.browser import COOKIE
from app.domain.collections import Collection
from app.domain.errors import ConfigurationError
from app.domain.tokens import Scope
from app.services import tokens
from tests.bench.server import running
from tests.bench.setup import Setup

_WIDTH, _HEIGHT = 1280, 800


@contextmanager
def page_of(setup: Setup, collection: Collection) -> Iterator[tuple[Any, str]]:
    """Start a server and a browser, signed in; give a page that shows nothing yet, and the console's URL.

    Raises:
        ConfigurationError: there is no Chromium, or Playwright is not installed.

    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise ConfigurationError("playwright is not installed") from None
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        raise ConfigurationError("no Chromium here: apt-get install chromium, or CHROMIUM=path")
    token = tokens.create(setup.context, [Scope.READ], [collection.name], "bench")
    try:
        with running(setup.environment, setup.home / "server.log") as port, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
            url = f"http://localhost:{port}"
            context = browser.new_context(viewport={"width": _WIDTH, "height": _HEIGHT})
            context.add_cookies([{"name": COOKIE, "value": token.token, "url": url}])
            page = context.new_page()
            page.set_default_timeout(60_000)
            yield page, f"{url}/console"
            browser.close()
    finally:
        tokens_table.revoke(setup.context.db, token.id)
