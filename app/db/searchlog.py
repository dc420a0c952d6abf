"""The log of searches: batches in, all but the latest out."""

from collections.abc import Sequence
from dataclasses import asdict

from app.db.engine import Connection, Database
from app.db.loader import query
from app.domain.jsontext import dumps
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

    db.write(work)
