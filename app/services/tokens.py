"""Tokens are made here; the database only ever sees their digests."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.db import tokens as token_table
from app.domain.errors import InvalidRequest
from app.domain.tokens import Scope, digest, new_token
from app.services.context import Context


@dataclass(frozen=True, slots=True)
class NewToken:
    """A fresh token, in the clear: shown once and never stored."""

    id: int
    token: str


def create(context: Context, scopes: Sequence[Scope], collections: Sequence[str] | None, label: str = "") -> NewToken:
    """Create a token; `collections` are names, None for all, also those to come.

    Raises:
        CollectionNotFound: one of the collections does not exist.
        InvalidRequest: one is an alias: a token works through an alias where it may use its collection.

    """
    token = new_token()
    return NewToken(token_table.create(context.db, digest(token), scopes, collections, label), token)


def listed(context: Context) -> list[dict[str, Any]]:
    """Return what is kept of each token: everything but the token."""
    return token_table.list_all(context.db)


def revoke(context: Context, token_id: int) -> None:
    """Revoke a token; servers refuse it within `auth_cache_seconds`.

    Raises:
        InvalidRequest: there is none of this id that is not revoked already.

    """
    if not token_table.revoke(context.db, token_id):
        raise InvalidRequest(f"there is no token {token_id} that is not revoked already")
