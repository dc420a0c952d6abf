"""Nearest-neighbour search in one collection."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector

from app.db.engine import Connection, Database, partition
from app.db.loader import query
from app.db.records import fields_sql
from app.domain.collections import Collection
from app.domain.records import Fields, Found
from app.domain.windows import Window

# Beyond this many candidates the graph is walked so far that comparing every record is as fast, and complete.
_INDEX_CANDIDATES = 1000
_EF_SEARCH_MAX = 1000


@dataclass(frozen=True, slots=True)
class Nearest:
    """The records found, nearest first; `way` is `index` or `exact`."""

    records: list[Found]
    way: str


def knn_by_id(db: Database, collection: Collection, record_id: str, window: Window, fields: Fields) -> Nearest | None:
    """Return the records nearest to a stored one (itself first, at distance 0.0); None where it is not stored."""
    if not _through_index(collection, window):
        stored = vector(db, collection, record_id)
        return None if stored is None else exact(db, collection, stored, window, fields)
    values: dict[str, object] = {"collection_id": collection.id, "id": record_id}
    found = _run(db, collection, "knn_by_id", values, window, fields)
    if found and found[0].distance is None:
        return None  # the sub-select found no vector to compare with
    if len(found) < window.k:
        stored = vector(db, collection, record_id)
        return None if stored is None else exact(db, collection, stored, window, fields)
    return Nearest(found, "index")


def knn_by_vector(
    db: Database, collection: Collection, query_vector: NDArray[np.float32] | HalfVector, window: Window, fields: Fields
) -> Nearest:
    """Return the records nearest to a vector of the collection's dimension."""
    if _through_index(collection, window):
        found = _run(db, collection, "knn_by_vector", {"query": _half(query_vector)}, window, fields)
        if len(found) == window.k:
            return Nearest(found, "index")
    # A short page is complete only if every record was looked at.
    return exact(db, collection, query_vector, window, fields)


def exact(
    db: Database, collection: Collection, query_vector: NDArray[np.float32] | HalfVector, window: Window, fields: Fields
) -> Nearest:
    """Return the records nearest to a vector, compared with every record."""
    found = _run(db, collection, "exact_by_vector", {"query": _half(query_vector)}, window, fields)
    return Nearest(found, "exact")


def vector(db: Database, collection: Collection, record_id: str) -> HalfVector | None:
    """Return the stored vector of a record; None where there is no such record."""
    text = query("search", "vector").render(records=partition("records", collection.id))
    values = {"collection_id": collection.id, "id": record_id}
    row = db.read(lambda connection: connection.execute(text, values).fetchone())
    return None if row is None else row["embedding"]


def _half(query_vector: NDArray[np.float32] | HalfVector) -> HalfVector:
    return query_vector if isinstance(query_vector, HalfVector) else HalfVector(query_vector)


def _through_index(collection: Collection, window: Window) -> bool:
    return collection.indexed and window.end <= _INDEX_CANDIDATES


def knn_statement(collection: Collection, name: str, window: Window, fields: Fields) -> str:
    """Return the text of one of the nearest-neighbour queries, for this collection and window."""
    return query("search", name).render(
        records=partition("records", collection.id),
        vector=f"halfvec({collection.dimensions:d})",
        fields=fields_sql(fields),
        filter="TRUE",
        candidates=f"{window.end:d}",
        limit=f"{window.k:d}",
        offset=f"{window.offset:d}",
    )


def _run(
    db: Database,
    collection: Collection,
    name: str,
    values: dict[str, object],
    window: Window,
    fields: Fields,
) -> list[Found]:
    text = knn_statement(collection, name, window, fields)
    values = {**values, "scale": collection.distance_scale}
    if fields.names:
        values["fields"] = list(fields.names)

    def work(connection: Connection) -> list[Found]:
        effort = min(_EF_SEARCH_MAX, window.end)
        if name.startswith("knn") and effort > db.ef_search:
            # More neighbours than the default effort keeps: raise it for this transaction only.
            with connection.transaction():
                connection.execute("SELECT set_config('hnsw.ef_search', %s, true)", (str(effort),))
                rows = connection.execute(text, values, binary=True).fetchall()
        else:
            rows = connection.execute(text, values, binary=True).fetchall()
        return [Found(row["id"], row["attributes"], row["distance"]) for row in rows]

    return db.read(work)
