"""What lives on between calls has an owner: `Context` or `Database`. A module keeps no state of its own.

A test that leaves something behind in a module changes the next one, and a process that opens two contexts shares what
it should not. Constants, loggers and context variables are no state; the few exceptions stand in `EXCEPTIONS`.
"""

import ast
import dataclasses
import enum
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import app

ROOT = Path(app.__file__).parent
EXCEPTIONS = {
    "app.api.methods.METHODS": "the table of methods: views add themselves while their modules are imported",
    "app.embedding.hub.quiet.quiet": "transformers has one verbosity a process, so those who lower it are counted once",
    # Caches of pure functions: what they answer depends on their arguments, or on files of the package, alone.
    "app.db.loader._parts": "the spans of a text",
    "app.db.loader.area": "queries of a file of the package, which nobody changes while it runs",
    "app.db.schema.revisions": "names of files of the package, which nobody changes while it runs",
    "app.db.search.statements._text": "a statement's text, made of its arguments",
    "app.embedding.fetch.wire._context": "TLS settings of a file of certificates, which are read from disk",
    "app.embedding.pictures.colour_profiles._transform": "the transform of a colour profile",
    "app.embedding.pictures.formats._add_heic": "a plug-in that Pillow, which has one table a process, is given once",
    "app.embedding.pictures.images._adobe_rgb": "a constant that takes a while to make",
    "app.embedding.pictures.verification._views": "grids of a thumbnail",
    "app.embedding.pictures.verification._whole": "a grid of a thumbnail",
    "app.ui.assets.assets": "files of the package, which nobody changes while it runs",
    "app.ui.assets.version": "files of the package, which nobody changes while it runs",
}
# A module's object of one of these, or of what is made from them, changes while the program runs.
STATEFUL = {
    "_thread.RLock",
    "_thread._local",
    "_thread.lock",
    "collections.Counter",
    "collections.OrderedDict",
    "collections.defaultdict",
    "collections.deque",
    "itertools.count",
    "itertools.cycle",
    "random.Random",
    "queue.Queue",
    "queue.SimpleQueue",
    "_queue.SimpleQueue",
    "threading.Condition",
    "threading.Event",
    "threading.Semaphore",
    "threading.BoundedSemaphore",
    "threading.Thread",
    "concurrent.futures.thread.ThreadPoolExecutor",
    "cachetools.Cache",
    "weakref.WeakKeyDictionary",
    "weakref.WeakValueDictionary",
}
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
CHANGING = {
    *("add", "append", "appendleft", "clear", "difference_update", "discard", "extend", "insert", "pop", "popitem"),
    *("remove", "setdefault", "sort", "update"),
}


def state_of(source: str, name: str, values: dict[str, Any]) -> list[str]:
    """Return what a module keeps, a line each; `values` are its names with what they stand for."""
    tree = ast.parse(source)
    assigned = {target.id for node in tree.body for target in _targets(node) if isinstance(target, ast.Name)}
    found = dict.fromkeys(assigned & set(_changed(tree)), "is changed by a function")
    found |= {one: "is `global`" for node in ast.walk(tree) if isinstance(node, ast.Global) for one in node.names}
    found |= {one: f"is a {type(values[one]).__name__}" for one in assigned if one in values and _lives(values[one])}
    found |= {node.name: "is cached" for node in ast.walk(tree) if isinstance(node, _FUNCTIONS) and _is_cached(node)}
    return [f"{name}.{one} {reason}" for one, reason in sorted(found.items()) if f"{name}.{one}" not in EXCEPTIONS]


def _targets(node: ast.stmt) -> list[ast.expr]:
    if isinstance(node, ast.Assign):
        return [one for target in node.targets for one in getattr(target, "elts", [target])]
    return [node.target] if isinstance(node, ast.AnnAssign | ast.AugAssign) else []


def _changed(tree: ast.Module) -> Iterator[str]:
    """Yield the names whose objects functions of the module change."""
    for function in (node for node in ast.walk(tree) if isinstance(node, _FUNCTIONS)):
        own = {node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        own |= {argument.arg for argument in ast.walk(function) if isinstance(argument, ast.arg)}
        for node in ast.walk(function):
            if isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
                kept: ast.expr = node.value
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CHANGING:
                kept = node.func.value
            else:
                continue
            if isinstance(kept, ast.Name) and kept.id not in own:
                yield kept.id


def _is_cached(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(
        "cache" in ast.unparse(one).partition("(")[0].replace("cached_property", "") for one in node.decorator_list
    )


def _lives(value: object) -> bool:
    """Say whether an object is made to change: an empty container, a lock, a cache, an object of a class with state."""
    kind = type(value)
    if kind in (dict, list, set):
        return not value
    names = {f"{one.__module__}.{one.__qualname__}" for one in kind.__mro__}
    if names & STATEFUL or inspect.isgenerator(value):
        return True
    if not kind.__module__.startswith(("app.", "tests.")) or isinstance(value, type | enum.Enum | tuple):
        return False
    if dataclasses.is_dataclass(value):
        return not kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    return bool(getattr(value, "__dict__", None))


def modules() -> list[str]:
    files = (path.relative_to(ROOT.parent).with_suffix("") for path in ROOT.rglob("*.py") if "_data" not in path.parts)
    return sorted(".".join(path.parts).removesuffix(".__init__") for path in files)


def test_no_module_keeps_state() -> None:
    found = []
    for name in modules():
        module = importlib.import_module(name)
        found += state_of(Path(str(module.__file__)).read_text("utf-8"), name, vars(module))
    assert found == []


def test_each_exception_is_still_one() -> None:
    for name in EXCEPTIONS:
        module, _, own = name.rpartition(".")
        assert hasattr(importlib.import_module(module), own), name


class Box:
    def __init__(self) -> None:
        self.content = 1


@dataclasses.dataclass(frozen=True)
class Constant:
    content: int


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("N = 0\ndef f():\n    global N\n    N += 1", "m.N is `global`"),
        ("KNOWN = {}\ndef f(x): KNOWN[x] = 1", "m.KNOWN is a dict"),
        ("KNOWN = {1: 2}\ndef f(x): KNOWN[x] = 1", "m.KNOWN is changed by a function"),
        ("KNOWN = {1: 2}\ndef f(x): del KNOWN[x]", "m.KNOWN is changed by a function"),
        ("ROWS = [1]\ndef f(x): ROWS.append(x)", "m.ROWS is changed by a function"),
        ("class A: pass\nTHE = A\ndef f(x): THE.y = x", "m.THE is changed by a function"),
        ("import threading\nHERE = threading.local()", "m.HERE is a _local"),
        ("import threading\nLOCK: object = threading.Lock()", "m.LOCK is a lock"),
        ("from cachetools import TTLCache\nKNOWN = TTLCache(1, 1)", "m.KNOWN is a TTLCache"),
        ("import functools\n@functools.lru_cache(maxsize=3)\ndef f(x): return x", "m.f is cached"),
        ("from functools import cache\nclass A:\n    @cache\n    def f(self): return 1", "m.f is cached"),
        ("from tests.unit.test_module_state import Box\nBOX = Box()", "m.BOX is a Box"),
    ],
)
def test_state_is_found(source: str, expected: str) -> None:
    values: dict[str, Any] = {}
    exec(source, values)
    assert state_of(source, "m", values) == [expected]


@pytest.mark.parametrize(
    "source",
    [
        "ROWS = [1]\ndef f(x):\n    ROWS = []\n    ROWS.append(x)",
        "TABLE = {1: 2}\ndef f(x): return TABLE[x]",
        "import logging\nlog = logging.getLogger('a')",
        "from contextvars import ContextVar\nHERE = ContextVar('here')",
        "from functools import cached_property\nclass A:\n    @cached_property\n    def f(self): return 1",
        "from tests.unit.test_module_state import Constant\nONE = Constant(1)",
    ],
)
def test_what_is_no_state_is_not_found(source: str) -> None:
    values: dict[str, Any] = {}
    exec(source, values)
    assert state_of(source, "m", values) == []
