"""What was measured of the recall of indexes is kept in the table `index_recall`, for every server."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from app.db.engine import Database
from app.db.loader import query
from app.domain.collections import Collection
from app.domain.recall import Curve, Depth, Efforts, Point, Recall

_CLAIM_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Due:
    """The state of an index, and whether its recall should be measured.

    Attributes:
        due: it was not measured since it was built, or a tenth of its records was written since.
        rows: records in it.
        writes: records that were ever inserted, updated or deleted.
        build: the file that it is in.
        target: what the stored efforts reach; None: nothing is stored.

    """

    due: bool
    rows: int
    writes: int
    build: int
    target: float | None


def due(db: Database, collection: Collection, index_name: str) -> Due | None:
    """Return whether an index should be measured; None where it is not there."""
    text = query("recall", "due").render()
    row = db.one(text, {"index_name": index_name, "records_table": f"lookalike.{collection.records_table}"})
    if row is None or row["build"] is None:
        return None
    return Due(row["due"], max(0, row["rows"]), row["writes"], row["build"], row["target"])


def claim(db: Database, collection: Collection, index_name: str, work: float) -> bool:
    """Say whether this process may measure an index now: no other is at it; then call `store` or `release`.

    A claim ends by itself: after ten minutes, or three times the seconds of work that are allowed.
    """
    values = {
        "index_name": index_name,
        "collection_id": collection.id,
        "generation": collection.generation,
        "seconds": max(_CLAIM_SECONDS, 3 * work),
    }
    text = query("recall", "claim").render()
    return db.write(lambda connection: connection.execute(text, values).fetchone(), aside=True) is not None


def release(db: Database, index_name: str) -> None:
    """Give up a claim; what was measured before stays."""
    text = query("recall", "release").render()
    db.write(lambda connection: connection.execute(text, {"index_name": index_name}), aside=True)


def store(db: Database, index_name: str, state: Due, measured: Recall, recalls: tuple[float, float]) -> None:
    """Store what was measured of an index; `recalls` are those of the nearest 10 and 100 at its efforts."""
    values = {
        **_efforts(index_name, measured, recalls),
        "build": state.build,
        "writes": state.writes,
        "queries": measured.queries,
        "rows": measured.rows,
        "seconds": measured.seconds,
        "curves": Jsonb(_plain(measured.curves)),
    }
    text = query("recall", "store").render()
    db.write(lambda connection: connection.execute(text, values), aside=True)


def retarget(db: Database, index_name: str, measured: Recall, recalls: tuple[float, float]) -> None:
    """Store the efforts of another target."""
    text = query("recall", "retarget").render()
    db.write(lambda connection: connection.execute(text, _efforts(index_name, measured, recalls)), aside=True)


def forget(db: Database, collection: Collection) -> None:
    """Forget what was measured of a collection's indexes that are gone."""
    text = query("recall", "forget").render()
    db.write(lambda connection: connection.execute(text, {"collection_id": collection.id}), aside=True)


def read(row: Mapping[str, Any] | None) -> Recall | None:
    """Return a row of the table, as JSON, as what was measured; None where nothing was."""
    if row is None or row["curves"] is None:
        return None
    curves: dict[Depth, Curve] = {
        Depth(name): tuple(Point(*one) for one in points) for name, points in row["curves"].items()
    }
    chosen = Efforts(row["effort"], row["effort_deep"], row["effort_matches"])
    at = datetime.fromisoformat(row["measured_at"])
    return Recall(curves, row["target"], chosen, row["queries"], row["rows"], row["seconds"], at)


def _efforts(index_name: str, measured: Recall, recalls: tuple[float, float]) -> dict[str, object]:
    return {
        "index_name": index_name,
        "target": measured.target,
        "effort": measured.efforts.nearest,
        "effort_deep": measured.efforts.deep,
        "effort_matches": measured.efforts.matches,
        "recall_10": recalls[0],
        "recall_100": recalls[1],
    }


def _plain(curves: Mapping[Depth, Curve]) -> dict[str, list[list[float]]]:
    return {
        depth.value: [[one.effort, round(one.recall, 6), round(one.low, 6)] for one in points]
        for depth, points in curves.items()
    }


def listed(db: Database, most: int) -> list[dict[str, Any]]:
    """Return what was measured of indexes, the lowest recall first, as the view `search_recall` has it."""
    return db.all(query("recall", "listed").render(), {"most": most})
