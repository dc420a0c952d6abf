"""Tokens: create, find, list, change, replace, revoke. Only a digest is ever stored."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from app.db import aliases
from app.db.engine import Connection, Database
from app.db.loader import query
from app.domain.errors import CollectionNotFound, InvalidRequest, LookalikeError
from app.domain.tokens import NO_LIMITS, Limits, Principal, Scope


def create(
    db: Database,
    digest: bytes,
    scopes: Sequence[Scope],
    collections: Sequence[str] | None,
    label: str,
    expires_at: datetime | None = None,
    limits: Limits = NO_LIMITS,
) -> int:
    """Store a token; `collections` are names, None for all; `expires_at` None: never. Return its id.

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
            "expires_at": expires_at,
            **asdict(limits),
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
    """Return what the holder of a token may do; None where the token is unknown, revoked or has expired."""
    text = query("tokens", "find").render()
    row = db.one(text, {"digest": digest})
    if row is None:
        return None
    collections = None if row["collections"] is None else frozenset(row["collections"])
    limits = Limits(**{name: row[name] for name in asdict(NO_LIMITS)})
    # One without limits has this very object, so that nothing but a comparison of two addresses is done for it.
    limits = NO_LIMITS if limits == NO_LIMITS else limits
    return Principal(row["id"], frozenset(map(Scope, row["scopes"])), collections, limits)


def list_all(db: Database) -> list[dict[str, Any]]:
    """Return every token, without anything that could be used in its place."""
    return db.all(query("tokens", "list").render())


def revoke(db: Database, token_id: int) -> bool:
    """Revoke a token; return whether there was one to revoke."""
    text = query("tokens", "revoke").render()
    return db.write(lambda connection: connection.execute(text, {"id": token_id}).fetchone()) is not None


def replace(
    db: Database, token_id: int, digest: bytes, grace_seconds: float, expires_at: datetime | None
) -> tuple[int, datetime | None] | None:
    """Store a token in the place of a good one, which works for so many seconds more.

    Return its id and when it expires; None where there is no good one.
    """

    def work(connection: Connection) -> tuple[int, datetime | None] | None:
        values = {"id": token_id, "digest": digest, "expires_at": expires_at}
        row = connection.execute(query("tokens", "replace").render(), values).fetchone()
        if row is None:
            return None
        connection.execute(query("tokens", "regrant").render(), {"token_id": row["id"], "id": token_id})
        connection.execute(query("tokens", "fade").render(), {"id": token_id, "seconds": grace_seconds})
        return int(row["id"]), row["expires_at"]

    return db.write(work)


def change(db: Database, token_id: int, changes: Mapping[str, object]) -> bool:
    """Change a token's label, expiry or limits, by their columns' names; return whether there was one to change."""
    columns = ("label", "expires_at", *asdict(NO_LIMITS))
    values = {"id": token_id, "names": list(changes)} | dict.fromkeys(columns) | dict(changes)
    text = query("tokens", "change").render()
    return db.write(lambda connection: connection.execute(text, values).fetchone()) is not None


def used(db: Database, moments: Mapping[int, datetime]) -> None:
    """Note when tokens were used, by their ids.

    Raises:
        Unavailable: the database is away; nothing was noted.

    """
    values = {"ids": list(moments), "moments": list(moments.values())}
    db.write(lambda connection: connection.execute(query("tokens", "used").render(), values), aside=True)
