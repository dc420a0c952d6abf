"""Stored pairs of near duplicates: a scan that goes on where it stopped, and what keeps them up to date afterwards.

A scan compares every record with every other, block by block, and stores the pairs of each block in one transaction
with how far it is. What is written meanwhile, and ever after, is noted by a trigger (`sql/functions/507_…`), and
compared when somebody asks: a search for near duplicates at every insert would cost more than the insert.

Thousands of records may have one vector ("no picture yet"): their pairs would be millions. One of them stands for all,
its `first`; the others are its copies, and have its pairs.
"""

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from app.db import locks
from app.db.engine import Connection, Database, partition
from app.db.loader import query
from app.db.pairs import BLOCK, Vectors, crossed, exact, exact_between, near_blocks
from app.domain.collections import Collection
from app.domain.errors import InvalidRequest

_FETCH = 2000
_CHANGES = 1000
_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class ScanState:
    """Stored pairs are this far.

    Attributes:
        radius: within which pairs are stored, on the API's scale.
        generation: that of the vectors that were compared.
        compared_to: the pairs of records up to this id are stored; None before the first.
        begun_at: when the scan began.
        completed_at: when every record had been compared; None: not yet.
        pending: records that were written since, and are to be compared yet.
        noted_to: the latest note of one of them; 0 where there is none.

    """

    radius: float
    generation: int
    compared_to: str | None
    begun_at: datetime
    completed_at: datetime | None
    pending: int
    noted_to: int


def state(db: Database, collection: Collection) -> ScanState | None:
    """Return how far the stored pairs of a collection are; None where none are stored."""
    row = db.one(query("duplicates", "state").render(), {"collection_id": collection.id})
    return None if row is None else ScanState(**row)


def begin(db: Database, collection: Collection, radius: float) -> None:
    """Begin to store pairs: forget those that are stored, and have what is written noted from now on.

    Raises:
        MissingRights: the role does not own the tables.

    """
    with db.session() as connection, connection.transaction():
        connection.execute("SET LOCAL lock_timeout = '30s'")
        locks.wait_for(connection, locks.DUPLICATES, collection)
        connection.execute(query("duplicates", "begin").render(), {"collection_id": collection.id, "radius": radius})


def forget(db: Database, collection: Collection) -> bool:
    """Forget the stored pairs and note changes no more; return whether there were any.

    Raises:
        MissingRights: the role does not own the tables.

    """
    with db.session() as connection, connection.transaction():
        connection.execute("SET LOCAL lock_timeout = '30s'")
        locks.wait_for(connection, locks.DUPLICATES, collection)
        row = connection.execute(query("duplicates", "forget").render(), {"collection_id": collection.id}).fetchone()
    return bool(row and row["forgotten"])


def scan(
    db: Database,
    collection: Collection,
    begun: ScanState,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> None:
    """Compare what is not compared yet, and store the pairs; it goes on from where an earlier one stopped.

    Vectors are kept in a temporary file, so that memory is flat whatever their number.

    Args:
        db: the database.
        collection: whose records are compared.
        begun: the scan.
        progress: is called with the number of records done with, and of all, after each block; what it raises ends the
            scan, which can go on later.

    Raises:
        InvalidRequest: another scan of the collection began meanwhile.

    """
    with tempfile.TemporaryFile(prefix="lookalike-vectors-") as file:
        vectors = _spooled(db, collection, file)
        firsts, copies = _distinct(vectors)
        ids = [vectors.ids[place] for place in firsts]
        start = (
            0 if begun.compared_to is None else int(np.searchsorted(np.array(ids, object), begun.compared_to, "right"))
        )
        total = len(vectors.ids)
        matrix = vectors.matrix if len(firsts) == total else vectors.matrix[firsts]
        block = _Block(db, collection, begun, ids, copies)
        progress(start, total)
        waiting: list[NDArray[np.float64]] = []
        for row, found in near_blocks(matrix, collection.distance_scale, begun.radius, start):
            if len(found):
                places = found[:, 1:].astype(np.int64)
                distances = exact(matrix, places, collection.distance_scale)
                kept = distances <= begun.radius
                waiting.append(np.column_stack((distances[kept], places[kept])))
            if row is not None:
                end = min(row + BLOCK, len(ids))
                block.store(waiting, start, end)
                waiting, start = [], end
                progress(int(firsts[end]) if end < len(ids) else total, total)
    block.advance(None)


@dataclass(frozen=True, slots=True)
class _Block:
    """The pairs of some records are stored in one transaction, with the note that they are."""

    db: Database
    collection: Collection
    begun: ScanState
    ids: Sequence[str]
    copies: dict[int, list[str]]

    def store(self, found: Sequence[NDArray[np.float64]], start: int, end: int) -> None:
        def work(connection: Connection) -> None:
            locks.wait_for(connection, locks.DUPLICATES, self.collection)
            self._note(connection, self.ids[end - 1])
            for part in found:
                pairs = [(self.ids[int(one)], self.ids[int(other)], distance) for distance, one, other in part]
                _insert_pairs(connection, self.collection, pairs)
            _insert_copies(
                connection,
                self.collection,
                [(copy, self.ids[place]) for place in range(start, end) for copy in self.copies.get(place, ())],
            )

        self.db.write(work)

    def advance(self, compared_to: str | None) -> None:
        self.db.write(lambda connection: self._note(connection, compared_to))

    def _note(self, connection: Connection, compared_to: str | None) -> None:
        values = {
            "collection_id": self.collection.id,
            "generation": self.begun.generation,
            "radius": self.begun.radius,
            "compared_to": compared_to,
        }
        if connection.execute(query("duplicates", "advance").render(), values).fetchone() is None:
            raise InvalidRequest("another scan of this collection's duplicates began, or its vectors were made anew")


def _spooled(db: Database, collection: Collection, file: IO[bytes]) -> Vectors:
    """Return the vectors of all records as of one moment, in a file."""
    ids: list[str] = []
    with db.snapshot() as connection, connection.cursor("vectors", binary=True) as cursor:
        cursor.itersize = _FETCH
        cursor.execute(query("duplicates", "all_vectors").render(records=partition("records", collection)))
        while rows := cursor.fetchmany(_FETCH):
            ids += [row["id"] for row in rows]
            file.write(_vectors(rows).matrix.tobytes())
    file.flush()
    shape = (len(ids), collection.dimensions)
    matrix = np.memmap(file, np.float16, "r", shape=shape) if ids else np.empty(shape, np.float16)
    return Vectors(ids, matrix)


def _distinct(vectors: Vectors) -> tuple[NDArray[np.int64], dict[int, list[str]]]:
    """Return the places of the first records of each vector, ascending, and the copies of those that have some."""
    if not vectors.ids:
        return np.empty(0, np.int64), {}
    rows = np.ascontiguousarray(vectors.matrix).view(np.dtype((np.void, vectors.matrix.shape[1] * 2))).ravel()
    _, first_of, group_of = np.unique(rows, return_index=True, return_inverse=True)
    firsts = np.sort(first_of)
    place_of = np.searchsorted(firsts, first_of)
    copies: dict[int, list[str]] = {}
    for row in np.flatnonzero(first_of[group_of] != np.arange(len(rows))):
        copies.setdefault(int(place_of[group_of[row]]), []).append(vectors.ids[row])
    return firsts, copies


def _insert_pairs(connection: Connection, collection: Collection, pairs: Sequence[tuple[str, str, float]]) -> None:
    text = query("duplicates", "insert_pairs").render()
    for start in range(0, len(pairs), _ROWS):
        ones, others, distances = zip(*pairs[start : start + _ROWS], strict=True)
        connection.execute(
            text,
            {"collection_id": collection.id, "ones": list(ones), "others": list(others), "distances": list(distances)},
        )


def _insert_copies(connection: Connection, collection: Collection, copies: Iterable[tuple[str, str]]) -> None:
    given = list(copies)
    if given:
        ids, firsts = zip(*given, strict=True)
        values = {"collection_id": collection.id, "ids": list(ids), "firsts": list(firsts)}
        connection.execute(query("duplicates", "insert_copies").render(), values)


def refresh(db: Database, collection: Collection, begun: ScanState) -> int:
    """Compare up to 1,000 records that were written since, in one transaction; return how many notes were settled.

    Args:
        db: the database.
        collection: whose records were written.
        begun: the scan; what is noted later than it knows is left, so that others who write cannot keep this busy.

    Returns:
        0 once all is up to date as of the moment when `begun` was read.

    """
    return db.write(lambda connection: _Refresh(connection, collection, begun.radius).run(begun.noted_to))


@dataclass(frozen=True, slots=True)
class _Refresh:
    """One transaction that makes the pairs of changed records anew."""

    connection: Connection
    collection: Collection
    radius: float

    def run(self, up_to: int) -> int:
        locks.wait_for(self.connection, locks.DUPLICATES, self.collection)
        text = query("duplicates", "changes").render(limit=f"{_CHANGES:d}")
        values = {"collection_id": self.collection.id, "up_to": up_to}
        notes = self.connection.execute(text, values).fetchall()
        if not notes:
            return 0
        changed = {row["id"] for row in notes}
        # What was a copy of a changed record needs another first.
        changed |= {row["id"] for row in self._rows("copies_of", sorted(changed))}
        self._execute("forget_pairs", sorted(changed))
        vectors = self._rows("vectors", sorted(changed), records=partition("records", self.collection))
        if vectors:
            self._compare(_vectors(vectors))
        self.connection.execute(
            query("duplicates", "settle").render(),
            {"collection_id": self.collection.id, "sequences": [row["sequence"] for row in notes]},
        )
        return len(notes)

    def _rows(self, name: str, ids: Sequence[str], **spans: str) -> list[dict[str, Any]]:
        with self.connection.cursor(binary=True) as cursor:
            values = {"collection_id": self.collection.id, "ids": list(ids)}
            return list(cursor.execute(query("duplicates", name).render(**spans), values).fetchall())

    def _execute(self, name: str, ids: Sequence[str]) -> None:
        self.connection.execute(
            query("duplicates", name).render(), {"collection_id": self.collection.id, "ids": list(ids)}
        )

    def _compare(self, changed: Vectors) -> None:
        """Store the pairs of changed records with all others and with each other."""
        firsts, copies = _distinct(changed)
        matrix = changed.matrix[firsts]
        near, same = self._others(changed, matrix)
        outside = {row["id"]: row["first"] for row in self._rows("firsts", sorted({one for _, one, _ in near}))}
        equals = {row["id"]: row["first"] for row in self._rows("firsts", sorted(set(same.values())))}
        new_copies = []
        new_firsts = []
        for place, row in enumerate(firsts):
            ids = [changed.ids[int(row)], *copies.get(place, ())]
            if place in same:
                first = equals.get(same[place], same[place])
                new_copies += [(one, first) for one in ids]
            else:
                new_copies += [(one, ids[0]) for one in ids[1:]]
                new_firsts.append(place)
        name = {place: changed.ids[int(firsts[place])] for place in new_firsts}
        pairs = [(name[place], one, apart) for place, one, apart in near if place in name and one not in outside]
        pairs += [(name[one], name[other], apart) for one, other, apart in self._among(matrix, new_firsts)]
        _insert_copies(self.connection, self.collection, new_copies)
        _insert_pairs(self.connection, self.collection, pairs)

    def _others(
        self, changed: Vectors, matrix: NDArray[np.float16]
    ) -> tuple[list[tuple[int, str, float]], dict[int, str]]:
        """Return which other records lie within the radius of which row, and for rows that have one, an equal one."""
        mine = set(changed.ids)
        near: list[tuple[int, str, float]] = []
        same: dict[int, str] = {}
        scale = self.collection.distance_scale
        with self.connection.cursor("vectors", binary=True) as cursor:
            cursor.itersize = _FETCH
            cursor.execute(query("duplicates", "all_vectors").render(records=partition("records", self.collection)))
            while rows := cursor.fetchmany(_FETCH):
                others = _vectors([row for row in rows if row["id"] not in mine])
                if not others.ids:
                    continue
                places = crossed(matrix, others.matrix, scale, self.radius)
                distances = exact_between(matrix, others.matrix, places, scale)
                equal = (matrix[places[:, 0]] == others.matrix[places[:, 1]]).all(axis=1)
                for (one, other), apart, is_same in zip(places, distances, equal, strict=True):
                    if is_same:
                        same[int(one)] = others.ids[int(other)]
                    elif apart <= self.radius:
                        near.append((int(one), others.ids[int(other)], float(apart)))
        return near, same

    def _among(self, matrix: NDArray[np.float16], places: Sequence[int]) -> list[tuple[int, int, float]]:
        """Return the pairs of some rows within the radius."""
        some = matrix[list(places)]
        found = []
        for _, block in near_blocks(some, self.collection.distance_scale, self.radius):
            pairs = block[:, 1:].astype(np.int64)
            for (one, other), apart in zip(pairs, exact(some, pairs, self.collection.distance_scale), strict=True):
                if apart <= self.radius:
                    found.append((places[int(one)], places[int(other)], float(apart)))
        return found


def _vectors(rows: Sequence[Mapping[str, Any]]) -> Vectors:
    """Return rows of ids and embeddings as vectors."""
    parts = [row["embedding"].to_numpy() for row in rows]
    return Vectors(
        [row["id"] for row in rows], np.stack(parts).astype(np.float16) if parts else np.empty((0, 0), np.float16)
    )
