"""Collections for the review of duplicates: few records in known places, and what is stored of them."""

import itertools
import json
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.db import collections, loads, records
from app.db.engine import Database
from app.domain.collections import Collection, NewCollection
from app.domain.records import Fields
from app.services import duplicates
from app.services.context import Context
from app.services.duplicates import Asked
from tests.db.vectors import random_vectors

DIMENSIONS = 8
SCALE = 62.5
RADIUS = 1.0
_numbers = itertools.count()


def made(context: Context, capacity: int | None = None) -> Collection:
    name = f"duplicates-{next(_numbers)}"
    collections.create(
        context.db, NewCollection(name, "photo", "some-model", "1", DIMENSIONS, SCALE, capacity, keep_images=True)
    )
    return collections.get(context.db, name)


def put(
    db: Database, collection: Collection, vectors: NDArray[np.float32], ids: Iterable[str], **attributes: Any
) -> None:
    rows = [
        records.NewRecord(one, json.dumps({**attributes, "n": n}), vector, b"thumbnail", b"picture %d" % n, None, b"d")
        for n, (one, vector) in enumerate(zip(ids, vectors, strict=True))
    ]
    loads.copy(db, collection, rows)


def near(count: int, seed: int = 0, copies: int = 0) -> NDArray[np.float32]:
    """Vectors with many pairs within the radius; the last ones are copies of the first."""
    vectors = random_vectors(count - copies, DIMENSIONS, seed, clusters=max(4, count // 4))
    return np.concatenate((vectors, vectors[:1].repeat(copies, axis=0)))


def chain(context: Context) -> Collection:
    """A collection of a chain a ~ b ~ c, where a is not like c, of two copies x, y, and of one record alone."""
    collection = made(context)
    angles = {"a": 0.0, "b": 0.15, "c": 0.30, "x": 1.5, "y": 1.5, "z": 3.0}
    vectors = np.zeros((len(angles), DIMENSIONS), np.float32)
    vectors[:, 0], vectors[:, 1] = np.cos(list(angles.values())), np.sin(list(angles.values()))
    put(context.db, collection, vectors, angles, shop="one")
    duplicates.scan(context, collection, RADIUS)
    return collection


def groups_of(context: Context, collection: Collection, **asked: Any) -> list[list[str]]:
    return [group.members for group in duplicates.groups(context, collection, Asked(**asked)).groups]


def stored(context: Context, collection: Collection) -> set[str]:
    return records.existing(context.db, collection, ["a", "b", "c", "x", "y", "z"])


def attributes(context: Context, collection: Collection, record_id: str) -> Any:
    text = records.get(context.db, collection, [record_id], Fields(everything=True))[record_id].attributes
    return json.loads(text or "null")
