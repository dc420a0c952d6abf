"""Collections: create, find, list, drop."""

import time
from collections.abc import Iterable, Mapping
from typing import Any

from psycopg.types.json import Jsonb

from app.db import recall
from app.db.engine import Connection, Database
from app.db.loader import query
from app.domain.collections import Collection, Layout, NewCollection, PartialIndex, SearchCosts, check_settings
from app.domain.errors import CollectionNotFound, InTheWay

_DROP_ATTEMPTS = 30


def create(db: Database, new: NewCollection) -> Collection:
    """Create a collection and its partitions, in one transaction.

    Raises:
        InvalidRequest: the name is taken, or a value is out of range.

    """
    values = {
        "name": new.name,
        "service": new.service,
        "model": new.model,
        "model_revision": new.model_revision,
        "dimensions": new.dimensions,
        "distance_scale": new.distance_scale,
        "capacity": new.capacity,
        "settings": Jsonb(
            {
                "thumbnails": new.thumbnails,
                "keep_images": new.keep_images,
                "product_field": new.product_field,
                "recall_target": new.recall_target,
            }
        ),
    }
    db.write(lambda connection: connection.execute(query("collections", "create").render(), values))
    return get(db, new.name)


def get(db: Database, name: str) -> Collection:
    """Return a collection by name.

    Raises:
        CollectionNotFound: there is none of this name.

    """
    text = query("collections", "find").render()
    row = db.one(text, {"name": name})
    if row is None:
        raise CollectionNotFound(f"there is no collection {name!r}")
    costs = SearchCosts(*row["costs"]) if row["costs"] else None
    partial = tuple(
        PartialIndex(condition, rows, recall.read(found)) for condition, rows, found in row["partial_indexes"]
    )
    own = {
        "indexed_fields": frozenset(row["indexed_fields"]),
        "costs": costs,
        "partial_indexes": partial,
        "recall": recall.read(row["recall"]),
        "layout": Layout(row["layout"]),
    }
    return Collection(**{**row, **own})


def list_all(db: Database) -> list[dict[str, Any]]:
    """Return the rows of the view `collection_stats`, with capacity, scale and revision, by name."""
    return db.all(query("collections", "list").render())


def names(db: Database, ids: Iterable[int] | None) -> list[str]:
    """Return the names of the collections with these ids, of all of them for None, in order."""
    values = {"ids": None if ids is None else sorted(ids)}
    return [row["name"] for row in db.all(query("collections", "names").render(), values)]


def expiring(db: Database) -> list[str]:
    """Return the names of the collections of which a record ever had an `_expires_at`."""
    return [row["name"] for row in db.all(query("collections", "expiring").render())]


def models(db: Database) -> list[tuple[str, str]]:
    """Return name and revision of the models that collections use, and of those that they are being given."""
    rows = db.all(query("collections", "models").render())
    return [(row["model"], row["revision"]) for row in rows]


def change(db: Database, name: str, settings: Mapping[str, Any]) -> None:
    """Set `capacity`, `product_field` or `recall_target` of a collection, all that are given at once.

    None: no capacity, no product field, and the recall that the server is set up for.

    Raises:
        CollectionNotFound: there is no collection of this name.
        InvalidRequest: one of them is not allowed; nothing is changed.

    """
    check_settings(settings)
    values = {
        "name": name,
        "settings": Jsonb({key: value for key, value in settings.items() if key != "capacity"}),
        "sets_capacity": "capacity" in settings,
        "capacity": settings.get("capacity"),
    }
    text = query("collections", "change").render()
    if db.write(lambda connection: connection.execute(text, values).fetchone()) is None:
        raise CollectionNotFound(f"there is no collection {name!r}")


def drop(db: Database, name: str) -> None:
    """Drop a collection with all its records.

    A drop needs the parents for a moment. It waits for them no longer than 0.3 seconds at a time, so that a long query
    through a parent never makes others queue behind the drop, and tries again. Where a writer of another collection
    waits for the drop, too, PostgreSQL would give the writer up after a second: the drop gives way before.

    Raises:
        CollectionNotFound: there is none of this name.
        InTheWay: the tables stayed in use.

    """
    collection = get(db, name)

    def work(connection: Connection) -> bool:
        connection.execute("SET LOCAL lock_timeout = '300ms'")
        row = connection.execute(query("collections", "drop").render(), {"id": collection.id}).fetchone()
        return bool(row and row["dropped"])

    for attempt in range(_DROP_ATTEMPTS):
        try:
            if not db.write(work):
                raise CollectionNotFound(f"there is no collection {name!r}")
        except InTheWay:
            if attempt == _DROP_ATTEMPTS - 1:
                raise
            time.sleep(0.2)
        else:
            return
