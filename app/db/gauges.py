"""Figures of the database for metrics, read from its catalogue and statistics by one statement."""

from typing import NamedTuple

from app.db.engine import Database
from app.db.loader import query

_WAIT_SECONDS = 1.0


class Figure(NamedTuple):
    """One figure: which one, of which collection or kind (empty: of the whole database), and its value."""

    gauge: str
    label: str
    value: float


def read(db: Database, most: int, index_rows: int) -> list[Figure]:
    """Return every figure; the collections with the most records have their own, so many, the others one together.

    Raises:
        Unavailable: the database is away, or no connection came free within a second.

    """
    text, values = query("gauges", "now").render(), {"most": most, "index_rows": index_rows}
    rows = db.read(lambda connection: connection.execute(text, values).fetchall(), _WAIT_SECONDS)
    return [Figure(row["gauge"], row["label"] or "", float(row["value"])) for row in rows]
