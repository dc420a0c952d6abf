"""The log of who changed what: batches in, what is too old out."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from app.db.engine import Database
from app.db.loader import query
from app.domain.audit import Act
from app.domain.jsontext import dumps


def add(db: Database, acts: Sequence[Act]) -> None:
    """Note acts, in their order.

    Raises:
        Unavailable: the database is away; whether they were noted is unknown.

    """
    written = dumps([asdict(act) for act in acts])
    text = query("audit", "add").render()
    db.write(lambda connection: connection.execute(text, {"entries": written}), aside=True)


def trim(db: Database, days: int) -> int:
    """Forget what is older than so many days; return the number of entries."""
    text = query("audit", "trim").render()
    return db.write(lambda connection: connection.execute(text, {"days": days}).rowcount, aside=True)


def entries(
    db: Database,
    *,
    token_id: int | None = None,
    collection: str | None = None,
    since: datetime | None = None,
    before: int | None = None,
    most: int = 100,
) -> list[dict[str, Any]]:
    """Return the latest entries, newest first, with the label of their token or their user as `who`."""
    values = {"token_id": token_id, "collection": collection, "since": since, "before": before, "most": most}
    return db.all(query("audit", "list").render(), values)
