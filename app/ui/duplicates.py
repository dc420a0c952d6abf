"""The screen Duplicates: groups of records that look alike, their review, what was decided, the trash."""

from typing import Any
from urllib.parse import urlencode

from app.domain.collections import Collection
from app.domain.errors import LookalikeError
from app.services import duplicates as service
from app.services import kept_pictures
from app.services.context import Context
from app.services.duplicates import Asked, Group, Order
from app.ui.page import Page, Shown

TABS = ("open", "dismissed", "resolved", "trash")
ORDERS: dict[str, tuple[Order, str]] = {
    "size": ("size", "Largest first"),
    "nearness": ("nearness", "Nearest first"),
    "age": ("age", "Newest first"),
}
"""The orders of groups, by the parameter `order`, with their names."""
_PAGE = 20
_PICTURES = 6
_DECISIONS = 100


def view(context: Context, page: Page) -> Shown:
    """Return what the page shows before its island asks for more; without JavaScript, the groups themselves."""
    tab = page.query.get("tab", "open")
    order = page.query.get("order", "size")
    shown: dict[str, Any] = {
        "tabs": TABS,
        "tab": tab if tab in TABS else "open",
        "orders": {key: name for key, (_, name) in ORDERS.items()},
        "order": order if order in ORDERS else "size",
        "plain": page.query.get("plain") == "1",
        "query": {key: value for key, value in page.query.items() if key in {"tab", "order"}},
    }
    if page.collection is None or not shown["plain"]:
        return shown
    try:
        return {**shown, "wrong": "", **_LISTS[shown["tab"]](context, page, page.collection, shown)}
    except LookalikeError as error:
        return {**shown, "wrong": str(error)}


def _groups(context: Context, page: Page, collection: Collection, shown: Shown) -> Shown:
    order, _ = ORDERS[shown["order"]]
    state: Any = shown["tab"]
    found = service.groups(context, collection, Asked(state=state, order=order, limit=_PAGE))
    ids = [one for group in found.groups for one in group.members[:_PICTURES]]
    versions = kept_pictures.versions(context, collection, ids)
    return {"groups": [_row(page, collection, one, versions) for one in found.groups], "total": found.total}


def _row(page: Page, collection: Collection, group: Group, versions: dict[str, str]) -> dict[str, Any]:
    return {
        "members": [(one, _picture(page, collection, one, versions)) for one in group.members[:_PICTURES]],
        "size": len(group.members),
        "weakest": group.weakest,
        "chain": not group.complete,
    }


def _picture(page: Page, collection: Collection, record_id: str, versions: dict[str, str]) -> str:
    version = versions.get(record_id)
    asked = urlencode({"id": record_id, "v": version})
    return f"{page.root}/pictures/v1/{collection.name}/thumbnail?{asked}" if version else ""


def _decisions(context: Context, _: Page, collection: Collection, __: Shown) -> Shown:
    return {"decisions": service.history(context, collection, _DECISIONS)}


def _trash(context: Context, _: Page, collection: Collection, __: Shown) -> Shown:
    records, total = service.trashed(context, collection, _DECISIONS)
    return {"trashed": records, "total": total}


_LISTS = {"open": _groups, "dismissed": _groups, "resolved": _decisions, "trash": _trash}
