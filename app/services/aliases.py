"""Aliases: names that lead to collections and are switched at once, so that callers never learn of it."""

from collections.abc import Mapping
from typing import Any

from app.db import aliases as table
from app.db.aliases import Switch
from app.domain.errors import InvalidRequest
from app.services.context import Context


def set_all(context: Context, targets: Mapping[str, str]) -> list[Switch]:
    """Make names lead to collections, all in one transaction; servers follow within `auth_cache_seconds`.

    Raises:
        CollectionNotFound: one of the collections does not exist; nothing is changed.
        InvalidRequest: a name is not allowed or a collection's own, or an alias leads to another service's collection.

    """
    done = table.set_all(context.db, targets)
    for alias in targets:
        context.lookup.forget(alias)
    return done


def listed(context: Context) -> list[dict[str, Any]]:
    """Return every alias with its `collection`, that one's `service`, and when it was set, by name."""
    return table.list_all(context.db)


def drop(context: Context, alias: str) -> None:
    """Remove an alias; its collection stays. Servers follow within `auth_cache_seconds`.

    Raises:
        InvalidRequest: there is none of this name.

    """
    if not table.drop(context.db, alias):
        raise InvalidRequest(f"there is no alias {alias!r}")
    context.lookup.forget(alias)
