"""Tokens: create, find, list, revoke. Only a digest is ever stored."""

from collections.abc import Sequence
from typing import Any

from app.db import aliases
from app.db.engine import Connection, Database
from app.db.loader import query
from app.domain.errors import CollectionNotFound, InvalidRequest, LookalikeError
from app.domain.tokens import Principal, Scope


def create(db: Database, digest: bytes, scopes: Sequence[Scope], collections: Sequence[str] | None, label: str) -> int:
    """Store a token; `collections` are names, None for all. Return its id.

    Raises:
        CollectionNotFound: one of the collections does not exist; nothing is stored.
        InvalidRequest: one is an alias.

    """

    def work(connection: Connection) -> int:
        values = {
            "label": label,
            "digest": digest,
            "scopes": [str(scope) for scope in scopes],
            "all_collections": collections is None,
        }
        row = connection.execute(query("tokens", "create").render(), values).fetchone()
        assert row is not None  # noqa: S101  (an INSERT … RETURNING of one row)
        token_id = int(row["id"])
        if collections is not None:
            granted = connection.execute(
                query("tokens", "grant").render(), {"token_id": token_id, "names": list(collections)}
            ).fetchall()
            if missing := set(collections) - {row["name"] for row in granted}:
                raise _missing(db, min(missing))
        return token_id

    return db.write(work)


def _missing(db: Database, name: str) -> LookalikeError:
    target = aliases.target(db, name)
    if target is None:
        return CollectionNotFound(f"there is no collection {name!r}")
    return InvalidRequest(f"{name!r} is an alias, and tokens are given collections: {target!r} is the one it leads to")


def find(db: Database, digest: bytes) -> Principal | None:
    """Return what the holder of a token may do; None where the token is unknown or revoked."""
    text = query("tokens", "find").render()
    row = db.one(text, {"digest": digest})
    if row is None:
        return None
    collections = None if row["collections"] is None else frozenset(row["collections"])
    return Principal(row["id"], frozenset(map(Scope, row["scopes"])), collections)


def list_all(db: Database) -> list[dict[str, Any]]:
    """Return every token, without anything that could be used in its place."""
    return db.all(query("tokens", "list").render())


def revoke(db: Database, token_id: int) -> bool:
    """Revoke a token; return whether there was one to revoke."""
    text = query("tokens", "revoke").render()
    return db.write(lambda connection: connection.execute(text, {"id": token_id}).fetchone()) is not None
