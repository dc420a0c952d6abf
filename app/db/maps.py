"""Maps as they are stored: what is drawn of one, and what keeps it up to date. `app.db.map_making` makes one."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.db import locks
from app.db.engine import Connection, Database, partition
from app.db.loader import query
from app.db.looks import raw_cursor
from app.domain.collections import Collection
from app.domain.facets import path_of
from app.filters.by_field import value_at
from app.search.request import Vector, half

_BUDGET = 100  # nearest records that the index is asked for, so that enough of them were laid out
_IN_GRAPH = "r.crowd IS NULL"
_POINT = np.dtype([("place", ">i4"), ("x", ">f4"), ("y", ">f4")])


@dataclass(frozen=True, slots=True)
class Version:
    """Which layout there is.

    Attributes:
        layout: `none` as long as a job has made nothing, `principal` or `neighbours`.
        generation: that of the vectors that were laid out.
        version: another one with each layout.
        places: how many places were given, those of deleted records included.

    """

    layout: str
    generation: int
    version: int
    places: int


@dataclass(frozen=True, slots=True)
class MapState:
    """How far a map is.

    Attributes:
        layout: as that of a `Version`.
        generation: likewise.
        version: likewise.
        places: likewise.
        seed: of what was drawn by lot.
        made_at: when the layout was stored.
        points: records that lie on the map.
        placed: those of them that were put beside their neighbours afterwards.
        records: all records of the collection.

    """

    layout: str
    generation: int
    version: int
    places: int
    seed: int
    made_at: datetime | None
    points: int
    placed: int
    records: int


@dataclass(frozen=True, slots=True)
class Outlier:
    """A record, its place and point on the map, and the mean distance of its five nearest neighbours."""

    id: str
    place: int
    x: float
    y: float
    distance: float


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster by its number: its size, the record that stands for it, that one's place, and where it is densest."""

    cluster: int
    size: int
    id: str
    place: int
    x: float
    y: float


def state(db: Database, collection: Collection) -> MapState | None:
    """Return how far the map of a collection is; None where it has none. Counts records."""
    text = query("maps", "state").render(records=partition("records", collection))
    row = db.one(text, {"collection_id": collection.id})
    return None if row is None else MapState(**row)


def version(db: Database, collection: Collection) -> Version | None:
    """Return which layout a collection has; None where it has no map."""
    row = db.one(query("maps", "version").render(), {"collection_id": collection.id})
    return None if row is None else Version(**row)


def points(db: Database, collection: Collection, most: int) -> NDArray[np.void]:
    """Return where the records of the first `most` places lie: fields `place`, `x`, `y`, in no order."""
    row = db.one(
        query("maps", "points").render(records=partition("records", collection)),
        {"collection_id": collection.id, "most": most},
    )
    return np.frombuffer(b"" if row is None else bytes(row["points"]), _POINT)


def ids(db: Database, collection: Collection, most: int) -> list[tuple[int, str]]:
    """Return the first places and the ids of their records."""
    return _rows(db, collection, "ids", most)


def values(db: Database, collection: Collection, field: str, most: int) -> list[tuple[int, str | None]]:
    """Return the first places and what a field of their records holds, as JSON; of a list its first element.

    Raises:
        InvalidRequest: the field is none.

    """
    fragment, given = value_at(path_of(field, "field"), "path")
    return _rows(db, collection, "values", most, {"path": given}, field=fragment)


def groups(db: Database, collection: Collection, most: int) -> list[tuple[int, str | None]]:
    """Return the first places and the numbers of their records' clusters, as JSON."""
    return _rows(db, collection, "groups", most)


def distances(db: Database, collection: Collection, vector: Vector, most: int) -> list[tuple[int, float]]:
    """Return the first places and how far their records are from a vector, on the API's scale."""
    given = {"query": half(vector), "scale": collection.distance_scale}
    return _rows(db, collection, "distances", most, given, vector=f"halfvec({collection.dimensions:d})")


def _rows(
    db: Database, collection: Collection, name: str, most: int, given: dict[str, object] | None = None, **spans: str
) -> list[tuple[int, Any]]:
    text = query("maps", name).render(records=partition("records", collection), **spans)

    def work(connection: Connection) -> list[tuple[int, Any]]:
        with raw_cursor(connection) as cursor:
            cursor.execute(text, {"collection_id": collection.id, "most": most, **(given or {})})
            return list(cursor.fetchall())

    return db.read(work)


def outliers(db: Database, collection: Collection, limit: int) -> list[Outlier]:
    """Return the records that are farthest from their neighbours, the farthest first."""
    text = query("maps", "outliers").render(records=partition("records", collection), limit=f"{limit:d}")
    return [Outlier(**row) for row in db.all(text, {"collection_id": collection.id})]


def clusters(db: Database, collection: Collection) -> list[Cluster]:
    """Return the clusters by number: the largest was the first when the layout was made."""
    text = query("maps", "clusters").render(records=partition("records", collection))
    return [Cluster(**row) for row in db.all(text, {"collection_id": collection.id})]


def place(db: Database, collection: Collection, most: int) -> int:
    """Put up to `most` records that lie nowhere yet beside their neighbours, in one transaction; return their number.

    0 where all lie somewhere, or where there is no layout by neighbours of the present vectors.
    """

    def work(connection: Connection) -> int:
        locks.wait_for(connection, locks.MAP, collection)
        given = {"collection_id": collection.id, "generation": collection.generation}
        row = connection.execute(query("maps", "lock").render(), given).fetchone()
        if row is None:
            return 0
        records = partition("records", collection)
        text = query("maps", "unplaced").render(records=records, limit=f"{most:d}")
        wanted = [one["id"] for one in connection.execute(text, given).fetchall()]
        done = _beside(connection, collection, wanted, row["places"], f"{_BUDGET:d}")
        # None of the nearest was laid out, as where many that look alike are new: then all are compared.
        left = sorted(set(wanted) - done)
        done |= _beside(connection, collection, left, row["places"] + len(done), "ALL")
        connection.execute(query("maps", "give_places").render(), {**given, "given": len(done)})
        return len(done)

    return db.write(work)


def _beside(connection: Connection, collection: Collection, wanted: list[str], places: int, budget: str) -> set[str]:
    if not wanted:
        return set()
    text = query("maps", "beside").render(
        records=partition("records", collection),
        vector=f"halfvec({collection.dimensions:d})",
        part=_IN_GRAPH if collection.crowded and budget != "ALL" else "TRUE",
        budget=budget,
    )
    values = {"collection_id": collection.id, "ids": wanted, "places": places, "scale": collection.distance_scale}
    return {row["id"] for row in connection.execute(text, values).fetchall()}


def forget(db: Database, collection: Collection) -> bool:
    """Forget the map of a collection; return whether there was one.

    Raises:
        MissingRights: the role does not own the tables.

    """
    with locks.changing(db, locks.MAP, collection) as connection:
        row = connection.execute(query("maps", "forget").render(), {"collection_id": collection.id}).fetchone()
    return bool(row and row["forgotten"])
