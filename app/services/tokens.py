"""Tokens are made here; the database only ever sees their digests."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from app.db import tokens as token_table
from app.domain.errors import InvalidRequest
from app.domain.jsontext import check
from app.domain.tokens import NO_LIMITS, Limits, Scope, digest, new_token
from app.services.context import Context

GRACE = timedelta(days=1)
"""How long a token that was replaced works on, where nothing else is said."""
_LONGEST_GRACE = timedelta(days=366)
_LONGEST_LABEL = 200
_CHANGES = frozenset({"label", "expires_at", *asdict(NO_LIMITS)})


@dataclass(frozen=True, slots=True)
class NewToken:
    """A fresh token, in the clear: shown once and never stored. `expires_at` None: it never does."""

    id: int
    token: str
    expires_at: datetime | None = None


def create(
    context: Context,
    scopes: Sequence[Scope],
    collections: Sequence[str] | None,
    label: str = "",
    *,
    expires_at: datetime | None = None,
    limits: Limits = NO_LIMITS,
) -> NewToken:
    """Create a token; `collections` are names, None for all, also those to come.

    Raises:
        CollectionNotFound: one of the collections does not exist.
        InvalidRequest: one is an alias: a token works through an alias where it may use its collection; or the label
            or a limit is not one.

    """
    _check_label(label)
    limits.check()
    token = new_token()
    made = token_table.create(context.db, digest(token), scopes, collections, label, expires_at, limits)
    return NewToken(made, token, expires_at)


def listed(context: Context) -> list[dict[str, Any]]:
    """Return what is kept of each token: everything but the token. `state` is good, expired or revoked."""
    return token_table.list_all(context.db)


def change(context: Context, token_id: int, changes: Mapping[str, Any]) -> None:
    """Change a token's `label`, `expires_at` or limits; what is None has no such limit.

    Raises:
        InvalidRequest: there is none of this id that is not revoked, a value is not allowed, or nothing is to change.

    """
    if not changes or not changes.keys() <= _CHANGES:
        raise InvalidRequest(f"name what is to change of the token: {', '.join(sorted(_CHANGES))}")
    _check_label(changes.get("label", ""))
    replace(NO_LIMITS, **{name: value for name, value in changes.items() if hasattr(NO_LIMITS, name)}).check()
    if not token_table.change(context.db, token_id, changes):
        raise InvalidRequest(f"there is no token {token_id} that is not revoked already")
    context.lookup.changed_tokens()


def rotate(context: Context, token_id: int, grace: timedelta = GRACE, expires_at: datetime | None = None) -> NewToken:
    """Make a token in the place of another, with all that it may do; that one works on for the grace.

    Args:
        context: the services.
        token_id: the one to replace.
        grace: how long that one works on, at most a year; none: it is revoked at once.
        expires_at: when the new one expires; None: it lives as long as the other was made to.

    Raises:
        InvalidRequest: there is none of this id that is good, or the grace is too long.

    """
    if not timedelta() <= grace <= _LONGEST_GRACE:
        raise InvalidRequest("grace: a token that is replaced works on for a year at most")
    token = new_token()
    made = token_table.replace(context.db, token_id, digest(token), grace.total_seconds(), expires_at)
    if made is None:
        raise InvalidRequest(f"there is no token {token_id} that is neither revoked nor expired")
    context.lookup.changed_tokens()
    return NewToken(made[0], token, made[1])


def revoke(context: Context, token_id: int) -> None:
    """Revoke a token; servers that hear of changes refuse it at once, others within `auth_cache_seconds`.

    Raises:
        InvalidRequest: there is none of this id that is not revoked already.

    """
    if not token_table.revoke(context.db, token_id):
        raise InvalidRequest(f"there is no token {token_id} that is not revoked already")
    context.lookup.changed_tokens()


def _check_label(label: object) -> None:
    if not isinstance(label, str) or len(label) > _LONGEST_LABEL or not all(map(str.isprintable, label)):
        raise InvalidRequest(f"label: it is a text of at most {_LONGEST_LABEL} characters on one line")
    check(label, "label")
