"""Make the pictures of the console in `docs/images` from the demo: `python -m tools.make_console_screenshots`.

It starts `lookalike demo` in a home of its own, and takes pictures with Chromium; both are gone at the end.
"""

import io
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
PORT = 8123
PAGES = {
    "console-search": "search?c=demo&q=id%3At-shirt-001&chosen=t-shirt-001&within=60",
    "console-review": "duplicates?c=demo&review=dress-002",
}
# A function, as the pages' policy evaluates no text.
_PAINTED = (
    "() => { const some = [...document.images].filter((one) => one.loading !== 'lazy');"
    " return some.length > 2 && some.every((one) => one.complete); }"
)


def main() -> None:
    """Write a WebP file for each page."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        command = [str(Path(sys.executable).with_name("lookalike")), "demo", "--port", str(PORT)]
        server = subprocess.Popen(command, env={**os.environ, "LOOKALIKE_HOME": folder})  # noqa: S603  (our own program)
        try:
            _wait(f"http://localhost:{PORT}/readyz")
            token = (home / "console.token").read_text("utf-8").strip()
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
                page = browser.new_page(viewport={"width": 1360, "height": 850})
                page.goto(f"http://localhost:{PORT}/console/sign-in#{token}")
                page.wait_for_url("**/console/search*")
                for name, path in PAGES.items():
                    page.goto(f"http://localhost:{PORT}/console/{path}")
                    page.wait_for_load_state("networkidle")
                    page.wait_for_function(_PAINTED)
                    with Image.open(io.BytesIO(page.screenshot())) as taken:
                        taken.convert("RGB").save(IMAGES / f"{name}.webp", quality=82, method=6)
                browser.close()
        finally:
            server.terminate()
            server.wait(60)


def _wait(url: str) -> None:
    for _ in range(600):
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310  (localhost)
                return
        except OSError:
            time.sleep(0.2)
    raise SystemExit(f"{url} did not answer")


if __name__ == "__main__":
    main()
