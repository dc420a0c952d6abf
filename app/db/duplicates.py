"""Stored pairs of near duplicates: a scan that goes on where it stopped, and what keeps them up to date afterwards.

A scan compares every record with every other, block by block, and stores the pairs of each block in one transaction
with how far it is. What is written meanwhile, and ever after, is noted by a trigger (`sql/functions/507_…`), and
compared when somebody asks: a search for near duplicates at every insert would cost more than the insert.

What two pictures have in common is told by two kinds of evidence (`app.db.evidence`): the vectors, and hashes of the
thumbnails, which are made when they are first needed and kept.

Thousands of records may have one vector ("no picture yet"): their pairs would be millions. One of them stands for all,
its `first`; the others are its copies, and have its pairs.
"""

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from app.db import hashes, locks
from app.db.engine import Connection, Database, partition
from app.db.evidence import Between, Hasher, Looks, Near, within
from app.db.loader import query
from app.db.looks import looks_of, raw_cursor
from app.db.pairs import BLOCK
from app.domain.collections import Collection
from app.domain.errors import InvalidRequest

_FETCH = 2000
_CHANGES = 1000
_ROWS = 10_000
_DIGEST = 16


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
        hashes: whether pairs by hash are stored, too.

    """

    radius: float
    generation: int
    compared_to: str | None
    begun_at: datetime
    completed_at: datetime | None
    pending: int
    noted_to: int
    hashes: bool


def state(db: Database, collection: Collection) -> ScanState | None:
    """Return how far the stored pairs of a collection are; None where none are stored."""
    row = db.one(query("duplicates", "state").render(), {"collection_id": collection.id})
    return None if row is None else ScanState(**row)


def begin(db: Database, collection: Collection, radius: float, *, hashes: bool) -> None:
    """Begin to store pairs: forget those that are stored, and have what is written noted from now on.

    Args:
        db: the database.
        collection: whose pairs are stored.
        radius: within which, on the API's scale.
        hashes: whether pairs by hash are stored, too.

    Raises:
        MissingRights: the role does not own the tables.

    """
    collection.refuse_distributed("to store pairs of duplicates")
    with locks.changing(db, locks.DUPLICATES, collection) as connection:
        values = {"collection_id": collection.id, "radius": radius, "hashes": hashes}
        connection.execute(query("duplicates", "begin").render(), values)
        connection.execute(query("duplicates", "choose").render(), values)


def forget(db: Database, collection: Collection) -> bool:
    """Forget the stored pairs and note changes no more; return whether there were any.

    Raises:
        MissingRights: the role does not own the tables.

    """
    with locks.changing(db, locks.DUPLICATES, collection) as connection:
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
    with _vectors_file() as file, _vectors_file() as other:
        everything = _spooled(db, collection, file)
        firsts, copies = _distinct(everything)
        total = len(everything)
        looks = everything if len(firsts) == total else _taken(everything, firsts, other)
        ids = looks.ids
        start = (
            0 if begun.compared_to is None else int(np.searchsorted(np.array(ids, object), begun.compared_to, "right"))
        )
        block = _Block(db, collection, begun, ids, copies)
        progress(start, total)
        waiting: list[Near] = []
        for row, near in within(looks, collection.distance_scale, begun.radius, hashes=begun.hashes, start=start):
            if len(near.places):
                waiting.append(near)
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

    def store(self, found: Sequence[Near], start: int, end: int) -> None:
        def work(connection: Connection) -> None:
            locks.wait_for(connection, locks.DUPLICATES, self.collection)
            self._note(connection, self.ids[end - 1])
            for near in found:
                _insert_pairs(connection, self.collection, _named(near, self.ids, self.ids))
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


def _spooled(db: Database, collection: Collection, file: IO[bytes]) -> Looks:
    """Return what all records look like as of one moment; the vectors are in a file, so that memory stays flat."""
    parts = []
    with db.snapshot() as connection:
        for part in _all_looks(connection, collection):
            file.write(part.matrix.tobytes())
            parts.append(replace(part, matrix=part.matrix[:0]))
    if not parts:
        return looks_of([], collection.dimensions)
    ids = [record_id for part in parts for record_id in part.ids]
    hashes = np.concatenate([part.hashes for part in parts])
    return Looks(ids, _mapped(file, collection.dimensions), hashes, np.concatenate([part.hashed for part in parts]))


def _taken(looks: Looks, places: NDArray[np.int64], file: IO[bytes]) -> Looks:
    """Return some of the records, one at least, with their vectors in a file."""
    for start in range(0, len(places), _FETCH):
        file.write(looks.matrix[places[start : start + _FETCH]].tobytes())
    ids = [looks.ids[place] for place in places]
    return Looks(ids, _mapped(file, looks.matrix.shape[1]), looks.hashes[places], looks.hashed[places])


def _vectors_file() -> IO[bytes]:
    return tempfile.TemporaryFile(prefix="lookalike-vectors-")


def _mapped(file: IO[bytes], dimensions: int) -> NDArray[np.float16]:
    file.flush()
    return np.memmap(file, np.float16, "r").reshape(-1, dimensions)


def _all_looks(connection: Connection, collection: Collection) -> Iterator[Looks]:
    """Yield what all records look like, some thousands at a time, inside a transaction."""
    text = query("duplicates", "all_looks").render(records=partition("records", collection))
    with raw_cursor(connection, "looks") as cursor:
        cursor.itersize = _FETCH
        cursor.execute(text, {"collection_id": collection.id})
        while rows := cursor.fetchmany(_FETCH):
            yield looks_of(rows, collection.dimensions)


def _distinct(vectors: Looks) -> tuple[NDArray[np.int64], dict[int, list[str]]]:
    """Return the places of the first records of each vector, ascending, and the copies of those that have some."""
    if not vectors.ids:
        return np.empty(0, np.int64), {}
    # Digests take a thirtieth of the memory that sorting the vectors does.
    digests = [hashlib.blake2b(row.data, digest_size=_DIGEST).digest() for row in vectors.matrix]
    rows = np.frombuffer(b"".join(digests), np.dtype((np.void, _DIGEST)))
    _, first_of, group_of = np.unique(rows, return_index=True, return_inverse=True)
    firsts = np.sort(first_of)
    place_of = np.searchsorted(firsts, first_of)
    copies: dict[int, list[str]] = {}
    for row in np.flatnonzero(first_of[group_of] != np.arange(len(rows))):
        copies.setdefault(int(place_of[group_of[row]]), []).append(vectors.ids[row])
    return firsts, copies


_Pair = tuple[str, str, float, float | None]


def _named(near: Near, ids: Sequence[str], others: Sequence[str]) -> list[_Pair]:
    """Return pairs by the ids of their records; a distance by hash that there is none of is None."""
    return [
        (ids[int(one)], others[int(other)], float(apart), None if np.isnan(by_hash) else float(by_hash))
        for (one, other), apart, by_hash in zip(near.places, near.distances, near.by_hash, strict=True)
    ]


def _insert_pairs(connection: Connection, collection: Collection, pairs: Sequence[_Pair]) -> None:
    text = query("duplicates", "insert_pairs").render()
    for start in range(0, len(pairs), _ROWS):
        ones, others, distances, by_hash = (list(column) for column in zip(*pairs[start : start + _ROWS], strict=True))
        values = {"ones": ones, "others": others, "distances": distances, "by_hash": by_hash}
        connection.execute(text, {"collection_id": collection.id, **values})


def _insert_copies(connection: Connection, collection: Collection, copies: Iterable[tuple[str, str]]) -> None:
    given = list(copies)
    if given:
        ids, firsts = zip(*given, strict=True)
        values = {"collection_id": collection.id, "ids": list(ids), "firsts": list(firsts)}
        connection.execute(query("duplicates", "insert_copies").render(), values)


def refresh(db: Database, collection: Collection, begun: ScanState, hasher: Hasher | None) -> int:
    """Compare up to 1,000 records that were written since, in one transaction; return how many notes were settled.

    Args:
        db: the database.
        collection: whose records were written.
        begun: the scan; what is noted later than it knows is left, so that others who write cannot keep this busy.
        hasher: makes the hashes, where pairs by hash are stored.

    Returns:
        0 once all is up to date as of the moment when `begun` was read.

    """
    return db.write(lambda connection: _Refresh(connection, collection, begun).run(hasher))


@dataclass(frozen=True, slots=True)
class _Refresh:
    """One transaction that makes the pairs of changed records anew."""

    connection: Connection
    collection: Collection
    begun: ScanState

    def run(self, hasher: Hasher | None) -> int:
        locks.wait_for(self.connection, locks.DUPLICATES, self.collection)
        text = query("duplicates", "changes").render(limit=f"{_CHANGES:d}")
        values = {"collection_id": self.collection.id, "up_to": self.begun.noted_to}
        notes = self.connection.execute(text, values).fetchall()
        if not notes:
            return 0
        changed = {row["id"] for row in notes}
        # What was a copy of a changed record needs another first.
        changed |= {row["id"] for row in self._rows("copies_of", sorted(changed))}
        self._execute("forget_pairs", sorted(changed))
        if self.begun.hashes and hasher is not None:
            hashes.make(self.connection, self.collection, hasher, sorted(changed))
        looks = self._looks(sorted(changed))
        if len(looks):
            self._compare(looks)
        self.connection.execute(
            query("duplicates", "settle").render(),
            {"collection_id": self.collection.id, "sequences": [row["sequence"] for row in notes]},
        )
        return len(notes)

    def _looks(self, ids: Sequence[str]) -> Looks:
        text = query("duplicates", "looks").render(records=partition("records", self.collection))
        with raw_cursor(self.connection) as cursor:
            cursor.execute(text, {"collection_id": self.collection.id, "ids": list(ids)})
            return looks_of(cursor.fetchall(), self.collection.dimensions)

    def _rows(self, name: str, ids: Sequence[str]) -> list[dict[str, Any]]:
        values = {"collection_id": self.collection.id, "ids": list(ids)}
        return list(self.connection.execute(query("duplicates", name).render(), values).fetchall())

    def _execute(self, name: str, ids: Sequence[str]) -> None:
        self.connection.execute(
            query("duplicates", name).render(), {"collection_id": self.collection.id, "ids": list(ids)}
        )

    def _compare(self, changed: Looks) -> None:
        """Store the pairs of changed records with all others and with each other."""
        firsts, copies = _distinct(changed)
        looks = changed.take(firsts)
        near, same = self._others(changed, looks)
        outside = {row["id"] for row in self._rows("firsts", sorted({pair[1] for pair in near}))}
        equals = {row["id"]: row["first"] for row in self._rows("firsts", sorted(set(same.values())))}
        new_copies = []
        new_firsts = []
        for place, record_id in enumerate(looks.ids):
            ids = [record_id, *copies.get(place, ())]
            if record_id in same:
                first = equals.get(same[record_id], same[record_id])
                new_copies += [(one, first) for one in ids]
            else:
                new_copies += [(one, record_id) for one in ids[1:]]
                new_firsts.append(place)
        stay = looks.take(new_firsts)
        known = set(stay.ids)
        pairs = [pair for pair in near if pair[0] in known and pair[1] not in outside]
        for _, found in within(stay, self.collection.distance_scale, self.begun.radius, hashes=self.begun.hashes):
            pairs += _named(found, stay.ids, stay.ids)
        _insert_copies(self.connection, self.collection, new_copies)
        _insert_pairs(self.connection, self.collection, pairs)

    def _others(self, changed: Looks, looks: Looks) -> tuple[list[_Pair], dict[str, str]]:
        """Return the pairs with records that did not change, and for records that have one, one of the same vector."""
        mine = set(changed.ids)
        between = Between(looks, self.collection.distance_scale, self.begun.radius, hashes=self.begun.hashes)
        near: list[_Pair] = []
        same: dict[str, str] = {}
        for part in _all_looks(self.connection, self.collection):
            others = part.take([place for place, record_id in enumerate(part.ids) if record_id not in mine])
            if not len(others):
                continue
            found = between.near(others)
            equal = found.distances == 0
            equal[equal] = (looks.matrix[found.places[equal, 0]] == others.matrix[found.places[equal, 1]]).all(axis=1)
            same |= {looks.ids[int(one)]: others.ids[int(other)] for one, other in found.places[equal]}
            apart = Near(found.places[~equal], found.distances[~equal], found.by_hash[~equal])
            near += _named(apart, looks.ids, others.ids)
        return near, same
