"""What a job that makes a map reads and keeps: vectors in a file; neighbours and the layout in tables, to go on."""

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

import numpy as np
from numpy.typing import NDArray

from app.db import locks
from app.db.engine import Connection, Database, partition
from app.db.loader import query
from app.db.looks import raw_cursor
from app.domain.collections import Collection
from app.domain.errors import Conflict
from app.mapping.clusters import Clusters

PART = 2048
"""Records of a part, whose neighbours are kept together."""
_MARK = 8
_HEAD = 4  # bytes before the values of a halfvec
_FETCH = 2000
_ROWS = 10_000
CHANGED = "the vectors were made anew meanwhile, or another job began: ask for the map again"


@dataclass(frozen=True, slots=True)
class Laid:
    """Records of a map, in the order of their ids.

    Attributes:
        ids: the records.
        marks: 8 bytes of the MD5 of each one's vector.

    """

    ids: Sequence[str]
    marks: bytes

    def mark(self, row: int) -> bytes:
        """Return one record's mark."""
        return self.marks[_MARK * row : _MARK * (row + 1)]


class Vectors:
    """Vectors in a file: rows of unit length, zeros where a record is not stored any more, or has another vector."""

    def __init__(self, laid: Laid, matrix: NDArray[np.float16]) -> None:
        self.laid = laid
        self._matrix = matrix

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.laid.ids)

    def __call__(self, start: int, size: int) -> NDArray[np.float32]:
        """Return rows from one on, so many at most."""
        return _unit(self._matrix[start : start + size])

    def at(self, places: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return some rows."""
        return _unit(self._matrix[places])


def _unit(rows: NDArray[np.float16]) -> NDArray[np.float32]:
    single = rows.astype(np.float32)
    lengths = np.linalg.norm(single, axis=1, keepdims=True)
    return np.asarray(single / np.where(lengths == 0, 1, lengths), np.float32)


def begin(db: Database, collection: Collection, seed: int) -> None:
    """Begin to make a map.

    Raises:
        MissingRights: the role does not own the tables.

    """
    collection.refuse_distributed("a map")
    with locks.changing(db, locks.MAP, collection) as connection:
        values = {"collection_id": collection.id, "seed": seed}
        row = connection.execute(query("maps", "begin").render(), values).fetchone()
        if row is None or row["generation"] != collection.generation:
            raise Conflict(CHANGED)


@contextmanager
def vectors(db: Database, collection: Collection, laid: Laid | None, most: int, seed: int) -> Iterator[Vectors]:
    """Lend the vectors of records, as of one moment.

    Args:
        db: the database.
        collection: whose records.
        laid: which records; None: all, or `most` of them, drawn by lot, where there are more.
        most: records at most.
        seed: of the lot.

    """
    with tempfile.TemporaryFile(prefix="lookalike-map-") as file:
        found = _spooled(db, collection, file, None if laid is None else {one: n for n, one in enumerate(laid.ids)})
        shape = (len(found.ids), collection.dimensions)
        matrix = np.memmap(file, np.float16, "r", shape=shape) if found.ids else np.empty(shape, np.float16)
        if laid is not None:
            yield Vectors(laid, _matched(laid, found, matrix))
        elif len(found.ids) > most:
            chosen = np.sort(np.random.default_rng(seed).choice(len(found.ids), most, replace=False))
            marks = np.frombuffer(found.marks, np.uint8).reshape(-1, _MARK)[chosen].tobytes()
            yield Vectors(Laid([found.ids[n] for n in chosen], marks), matrix[chosen])
        else:
            yield Vectors(found, matrix)


def _spooled(db: Database, collection: Collection, file: IO[bytes], wanted: dict[str, int] | None) -> Laid:
    text = query("maps", "vectors").render(records=partition("records", collection))
    ids: list[str] = []
    marks = bytearray()
    with db.snapshot() as connection, raw_cursor(connection, "vectors") as cursor:
        cursor.itersize = _FETCH
        cursor.execute(text)
        while rows := cursor.fetchmany(_FETCH):
            kept = rows if wanted is None else [row for row in rows if row[0] in wanted]
            ids += [row[0] for row in kept]
            marks += b"".join(hashlib.md5(row[1], usedforsecurity=False).digest()[:_MARK] for row in kept)
            file.write(np.frombuffer(b"".join(row[1][_HEAD:] for row in kept), ">f2").astype(np.float16).tobytes())
    file.flush()
    return Laid(ids, bytes(marks))


def _matched(laid: Laid, found: Laid, matrix: NDArray[np.float16]) -> NDArray[np.float16]:
    """Return the vectors in the order of what was laid out before: those that are the same still."""
    there = {one: n for n, one in enumerate(found.ids)}
    rows = np.zeros((len(laid.ids), matrix.shape[1]), np.float16)
    for n, one in enumerate(laid.ids):
        at = there.get(one)
        if at is not None and found.mark(at) == laid.mark(n):
            rows[n] = matrix[at]
    return rows


def keep_parts(connection: Connection, collection: Collection, laid: Laid) -> None:
    """Keep which records a map is made of, inside a transaction."""
    connection.execute(query("maps", "forget_parts").render(), {"collection_id": collection.id})
    text = query("maps", "insert_part").render()
    for part, start in enumerate(range(0, len(laid.ids), PART)):
        ids = list(laid.ids[start : start + PART])
        marks = laid.marks[_MARK * start : _MARK * (start + PART)]
        connection.execute(text, {"collection_id": collection.id, "part": part, "ids": ids, "marks": marks})


@dataclass(frozen=True, slots=True)
class Kept:
    """What a job goes on with.

    Attributes:
        laid: the records.
        neighbours: (n, k) int32, of the parts whose neighbours are known.
        similarities: (n, k) float32.
        done: records of these parts.

    """

    laid: Laid
    neighbours: NDArray[np.int32]
    similarities: NDArray[np.float32]
    done: int


def kept(db: Database, collection: Collection, many: int) -> Kept:
    """Return what was kept of a map that is being made, with `many` neighbours of each record."""
    ids: list[str] = []
    marks = b""
    neighbours, similarities, done = [], [], 0
    with db.snapshot() as connection:
        for row in connection.execute(query("maps", "parts").render(), {"collection_id": collection.id}):
            ids += row["ids"]
            marks += row["marks"]
            if row["neighbours"] is None or done != len(ids) - len(row["ids"]):
                continue
            size = len(row["ids"]) * many * 4
            neighbours.append(np.frombuffer(row["neighbours"][:size], "<i4").reshape(-1, many))
            similarities.append(np.frombuffer(row["neighbours"][size:], "<f4").reshape(-1, many))
            done = len(ids)
    blank = np.empty((0, many))
    return Kept(
        Laid(ids, marks),
        np.concatenate([blank.astype(np.int32), *neighbours]).astype(np.int32),
        np.concatenate([blank.astype(np.float32), *similarities]).astype(np.float32),
        done,
    )


def keep_neighbours(
    connection: Connection, collection: Collection, part: int, places: NDArray[np.int32], similar: NDArray[np.float32]
) -> None:
    """Keep the neighbours of a part, inside a transaction.

    Raises:
        Conflict: another job began.

    """
    content = places.astype("<i4").tobytes() + similar.astype("<f4").tobytes()
    values = {"collection_id": collection.id, "part": part, "neighbours": content}
    if connection.execute(query("maps", "store_neighbours").render(), values).fetchone() is None:
        raise Conflict(CHANGED)


def keep_draft(connection: Connection, collection: Collection, draft: bytes) -> None:
    """Keep a layout on its way, inside a transaction.

    Raises:
        Conflict: the vectors were made anew.

    """
    values = {"collection_id": collection.id, "generation": collection.generation, "draft": draft}
    if connection.execute(query("maps", "keep_draft").render(), values).fetchone() is None:
        raise Conflict(CHANGED)


def draft(db: Database, collection: Collection) -> bytes | None:
    """Return the layout that was kept; None where none was."""
    row = db.one(query("maps", "draft").render(), {"collection_id": collection.id})
    return None if row is None or row["draft"] is None else bytes(row["draft"])


@dataclass(frozen=True, slots=True)
class Drawn:
    """A layout as it is stored.

    Attributes:
        laid: its records.
        points: (n, 2) float32.
        places: (n,) int32, each its own, from 0 on.
        apart: (n,) float32, the mean distance of the five nearest; None where they are not known.
        clusters: None where there are none yet.

    """

    laid: Laid
    points: NDArray[np.float32]
    places: NDArray[np.int32]
    apart: NDArray[np.float32] | None = None
    clusters: Clusters | None = None


def store(connection: Connection, collection: Collection, layout: str, drawn: Drawn) -> None:
    """Store a layout in place of the one that there is, inside a transaction; readers see the one or the other.

    Records that were deleted meanwhile, or got another vector, are left out.

    Raises:
        Conflict: the vectors were made anew.

    """
    locks.wait_for(connection, locks.MAP, collection)
    total = len(drawn.laid.ids)
    given = {"collection_id": collection.id, "generation": collection.generation, "layout": layout, "places": total}
    if connection.execute(query("maps", "replace").render(), given).fetchone() is None:
        raise Conflict(CHANGED)
    text = query("maps", "insert_points").render(records=partition("records", collection))
    for start in range(0, total, _ROWS):
        end = min(total, start + _ROWS)
        values = {
            "collection_id": collection.id,
            "ids": list(drawn.laid.ids[start:end]),
            "marks": [drawn.laid.mark(row).hex() for row in range(start, end)],
            "places": drawn.places[start:end].tolist(),
            "xs": drawn.points[start:end, 0].tolist(),
            "ys": drawn.points[start:end, 1].tolist(),
            "aparts": [None] * (end - start) if drawn.apart is None else drawn.apart[start:end].tolist(),
            "clusters": [-1] * (end - start) if drawn.clusters is None else drawn.clusters.of[start:end].tolist(),
        }
        connection.execute(text, values)
    if drawn.clusters is not None:
        xs, ys = drawn.clusters.summits[:, 0].tolist(), drawn.clusters.summits[:, 1].tolist()
        values = {"collection_id": collection.id, "xs": xs, "ys": ys}
        connection.execute(query("maps", "insert_clusters").render(), values)


def keep_outliers(connection: Connection, collection: Collection, drawn: int, many: int) -> None:
    """Give the farthest records places below `drawn`, in exchange with the least far ones, inside a transaction."""
    values = {"collection_id": collection.id, "drawn": drawn, "many": many}
    connection.execute(query("maps", "keep_outliers").render(), values)
    connection.execute(query("maps", "another_version").render(), {"collection_id": collection.id})


def tidy(db: Database, collection: Collection) -> None:
    """Forget what a job that is done went on with, and points of records that were deleted while it stored them."""

    def work(connection: Connection) -> None:
        locks.wait_for(connection, locks.MAP, collection)
        connection.execute(query("maps", "forget_parts").render(), {"collection_id": collection.id})
        text = query("maps", "drop_strays").render(records=partition("records", collection))
        connection.execute(text, {"collection_id": collection.id})

    db.write(work)
