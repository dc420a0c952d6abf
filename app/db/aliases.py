"""Aliases: names that lead to collections. They are set, listed, dropped; `collections.get` follows them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import errors

from app.db.engine import Connection, Database
from app.db.loader import query
from app.domain.errors import CollectionNotFound, InvalidRequest


@dataclass(frozen=True, slots=True)
class Switch:
    """An alias, the collection that it leads to, and the one that it led to before, None where it is new.

    `locked_out` are the tokens that may use the collection before and not this one.
    """

    name: str
    collection: str
    before: str | None
    locked_out: tuple[int, ...]


def set_all(db: Database, targets: Mapping[str, str]) -> list[Switch]:
    """Make names lead to collections, all in one transaction.

    Raises:
        CollectionNotFound: one of the collections does not exist; nothing is changed.
        InvalidRequest: a name is not allowed or a collection's own, or an alias leads to another service's collection.

    """

    def work(connection: Connection) -> list[Switch]:
        return [_set(connection, alias, targets[alias]) for alias in sorted(targets)]  # two callers lock in one order

    return db.write(work)


def _set(connection: Connection, alias: str, collection: str) -> Switch:
    try:
        row = connection.execute(
            query("aliases", "set").render(), {"alias": alias, "collection": collection}
        ).fetchone()
    except errors.NoDataFound as error:
        raise CollectionNotFound(f"there is no collection {collection!r}") from error
    except errors.ObjectNotInPrerequisiteState as error:
        raise InvalidRequest(
            f"{alias!r} leads to a collection of another service than that of {collection!r}, and callers use the paths"
            f" of its service: lookalike alias delete {alias}"
        ) from error
    before = (row or {})["before"]
    values = {"before": before, "now": collection}
    rows = connection.execute(query("aliases", "locked_out").render(), values).fetchall()
    return Switch(alias, collection, before, tuple(row["id"] for row in rows))


def drop(db: Database, alias: str) -> bool:
    """Remove an alias; return whether there was one."""
    text = query("aliases", "drop").render()
    row = db.write(lambda connection: connection.execute(text, {"alias": alias}).fetchone())
    return bool(row and row["dropped"])


def list_all(db: Database) -> list[dict[str, Any]]:
    """Return every alias with its `collection`, that one's `service`, and when it was set, by name."""
    return db.all(query("aliases", "list").render())


def of(db: Database, collection_id: int) -> list[str]:
    """Return the aliases of a collection, by name."""
    return [row["name"] for row in db.all(query("aliases", "of").render(), {"id": collection_id})]


def target(db: Database, alias: str) -> str | None:
    """Return the name of the collection that an alias leads to; None where it is no alias."""
    row = db.one(query("aliases", "find").render(), {"alias": alias})
    return None if row is None else str(row["name"])
