"""The screen Operations: how everything does, what is wrong first, and what to do about it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from app.domain.jsontext import dumps
from app.services import operations
from app.services.context import Context
from app.ui.collections import size
from app.ui.page import Page, Shown
from app.ui.words import ago, lasting

_WIDTH, _HEIGHT = 180, 36
"""Of the drawing of a quarter of an hour, in its own units."""


def view(context: Context, page: Page) -> Shown:
    """Return the state of everything, with what a person reads of it.

    Raises:
        Unavailable: the database is away.

    """
    told = operations.state(context, page.principal)
    now: datetime = told["read_at"]
    return {
        "told": told,
        "lines": _lines(told["traffic"]),
        "warnings": [{**one, "advice": _parts(one["advice"])} for one in told["warnings"]],
        "size": size,
        "lasting": lasting,
        "ago": lambda at: "never" if at is None else ago(_moment(at), now),
        "json": dumps,
        "names": page.collections,
    }


def _moment(at: datetime | str) -> datetime:
    return datetime.fromisoformat(at) if isinstance(at, str) else at


def _parts(text: str) -> list[tuple[str, bool]]:
    """Return the parts of a text, and whether each stood between backquotes."""
    return [(part, bool(place % 2)) for place, part in enumerate(text.split("`")) if part]


def _lines(traffic: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Return what is drawn of a quarter of an hour: requests and searches a second, and the slowest twentieth."""
    points = traffic["points"] if traffic else []
    if len(points) < 2:
        return []
    named = {"requests": "Requests a second", "searches": "Searches a second", "p95": "Slow searches"}
    lines = {key: [one[key] for one in points] for key in named}
    return [_line(key, named[key], values) for key, values in lines.items() if any(values)]


def _line(key: str, title: str, values: Sequence[float | None]) -> dict[str, Any]:
    most = max((one for one in values if one is not None), default=0.0)
    step = _WIDTH / (len(values) - 1)
    drawn = [
        f"{place * step:.1f},{_HEIGHT - 2 - (value / most if most else 0) * (_HEIGHT - 4):.1f}"
        for place, value in enumerate(values)
        if value is not None
    ]
    said = lasting(most) if key == "p95" else f"{most:,.1f}"
    return {"title": title, "points": " ".join(drawn), "most": said, "box": f"0 0 {_WIDTH} {_HEIGHT}"}
