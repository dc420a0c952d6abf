"""The screen Collections: their facts, their indexes, and the jobs that look after them."""

from typing import Any

from app.domain.services import SERVICES
from app.domain.tokens import Scope
from app.services import overview
from app.services.context import Context
from app.ui.page import Page, Shown

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")
_STEP = 1024.0
_FULL = 0.9


def view(context: Context, page: Page) -> Shown:
    """Return the collections that the token may use, and the one that is chosen with all that is known of it.

    Raises:
        CollectionNotFound: the chosen one was dropped a moment ago.

    """
    rows = [_row(one) for one in overview.of_all(context, page.collections)]
    chosen = overview.of(context, page.collection.name) if page.collection and "c" in page.query else None
    return {
        "rows": rows,
        "chosen": None if chosen is None else _row(chosen),
        "everywhere": Scope.ADMIN in page.principal.allowed and page.principal.collections is None,
        "services": list(SERVICES),
    }


def _row(facts: dict[str, Any]) -> dict[str, Any]:
    """Return facts with what a person reads of them: sizes with units, how full it is, the state of its index."""
    sizes = {part: facts[f"{part}_bytes"] for part in ("table", "index", "thumbnail", "original")}
    capacity, records = facts["capacity"], facts["estimated_records"]
    return {
        **facts,
        "size": size(sum(sizes.values())),
        "sizes": {part: size(number) for part, number in sizes.items()},
        "fullness": None if not capacity else min(1.0, records / capacity),
        "nearly_full": bool(capacity) and records >= _FULL * capacity,
        "index": "ready" if facts["hnsw_index_ready"] else "none",
        "build": _build(facts.get("index_build")),
    }


def _build(progress: dict[str, Any] | None) -> float | None:
    """Return the share of an index build that is done, 0 to 1; None where none runs."""
    if progress is None:
        return None
    for done, total in (("tuples_done", "tuples_total"), ("blocks_done", "blocks_total")):
        if progress[total]:
            return min(1.0, float(progress[done] / progress[total]))
    return 0.0


def size(number: float) -> str:
    """Return a size as a person reads it: `1.5 GiB`."""
    for unit in _UNITS[:-1]:
        if number < _STEP:
            return f"{number:.0f} {unit}" if unit == _UNITS[0] or number >= 100 else f"{number:.1f} {unit}"
        number /= _STEP
    return f"{number:.1f} {_UNITS[-1]}"
