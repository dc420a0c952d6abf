"""The screen Access: tokens, what each may do, and how it is made and revoked."""

from typing import Any

from app.services import tokens
from app.services.context import Context
from app.ui.page import Page, Shown

LIMITS = {
    "requests_per_second": "Requests a second",
    "pictures_per_second": "Pictures a second",
    "concurrent_searches": "Searches at the same time",
    "body_bytes": "Bytes of a request",
    "batch_records": "Records in a request",
}
"""The limits of a token by their names in the API, as a person reads them."""
GROUPS = ("good", "ended", "all")


def view(context: Context, page: Page) -> Shown:
    """Return the tokens, and the one that is chosen."""
    group = page.query.get("show", GROUPS[0])
    group = group if group in GROUPS else GROUPS[0]
    rows = [_row(one, page.principal.token_id) for one in tokens.listed(context)]
    number = page.query.get("token", "")
    return {
        "groups": GROUPS,
        "group": group,
        "rows": [one for one in rows if group == "all" or (one["state"] == "good") == (group == "good")],
        "chosen": next((one for one in rows if str(one["id"]) == number), None),
        "missing": bool(number) and all(str(one["id"]) != number for one in rows),
        "seconds": context.settings.auth_cache_seconds,
        "limits": LIMITS,
    }


def _row(facts: dict[str, Any], own: int) -> dict[str, Any]:
    """Return what is kept of a token with what a person reads of it."""
    return {
        **facts,
        "own": facts["id"] == own,
        "title": facts["label"] or f"Token {facts['id']}",
        "where": "all collections" if facts["all_collections"] else ", ".join(facts["collections"]) or "no collection",
        "limits": {name: facts[name] for name in LIMITS if facts[name] is not None},
    }
