"""What all tests keep to: what they share lies in tests/support, and keys are pressed once the page listens."""

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]


def imported(source: str) -> Iterator[str]:
    """The full names that a module imports, anywhere in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def from_tests(source: str) -> list[str]:
    """Those of them that are a module of tests, or in one."""
    return [name for name in imported(source) if any(part.startswith("test_") for part in name.split(".")[1:])]


def test_no_module_imports_from_a_module_of_tests() -> None:
    sources = {file.relative_to(TESTS): file.read_text(encoding="utf-8") for file in TESTS.rglob("*.py")}
    assert len(sources) > 200
    assert {str(file): found for file, source in sources.items() if (found := from_tests(source))} == {}


def test_every_form_of_such_an_import_is_seen() -> None:
    assert from_tests("from tests.api.test_listing import ids") == ["tests.api.test_listing.ids"]
    assert from_tests("def f():\n    from tests.api import test_listing as listing") == ["tests.api.test_listing"]
    assert from_tests("import tests.db.test_search") == ["tests.db.test_search"]
    assert from_tests("from tests.support.waiting import eventually") == []


def test_keys_are_pressed_once_the_page_listens() -> None:
    """A key that is pressed while a page or the answer to a dialog is under way is lost: `press` waits for both."""
    modules = list((TESTS / "ui").glob("test_*.py"))
    assert len(modules) >= 8
    assert [file.name for file in modules if ".keyboard.press(" in file.read_text(encoding="utf-8")] == []
