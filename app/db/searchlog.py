"""The log of searches: batches in, all but the latest out."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from app.db.engine import Connection, Database
from app.db.loader import query
from app.domain.collections import Collection
from app.domain.jsontext import dumps, loads_stored
from app.domain.records import Json
from app.domain.searches import Entry


def add(db: Database, entries: Sequence[Entry], keep: int) -> None:
    """Note searches and forget all but the latest `keep`.

    Raises:
        Unavailable: the database is away; nothing was noted.

    """
    written = dumps([asdict(entry) for entry in entries])

    def work(connection: Connection) -> None:
        connection.execute(query("searchlog", "add").render(), {"entries": written})
        connection.execute(query("searchlog", "trim").render(), {"rows": keep})

    db.write(work, aside=True)


@dataclass(frozen=True, slots=True)
class Logged:
    """The searches of a collection with one filter that were done one way: how many, and their milliseconds in all."""

    filter: Json
    way: str
    searches: int
    milliseconds: float


def filters(db: Database, collection: Collection, most: int) -> list[Logged]:
    """Return the filters of a collection's logged searches, at most so many, those that took longest first."""
    rows = db.all(query("searchlog", "filters").render(), {"id": collection.id, "most": most})
    return [Logged(**{**row, "filter": loads_stored(row["filter"])}) for row in rows]


def filtered(db: Database, least: int) -> list[str]:
    """Return the names of the collections with at least so many logged searches with a filter."""
    return [row["name"] for row in db.all(query("searchlog", "filtered").render(), {"least": least})]


def slowest(db: Database, most: int) -> list[dict[str, Any]]:
    """Return the slowest of the logged searches; `filter` is JSON text, or None."""
    return db.all(query("searchlog", "slowest").render(), {"most": most})
