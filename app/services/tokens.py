"""Tokens are made here; the database only ever sees their digests."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.db import tokens as table
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

    """
    token = new_token()
    return NewToken(table.create(context.db, digest(token), scopes, collections, label), token)
