"""Vectors and hashes of many records are read without an object for each."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from psycopg import Cursor, ServerCursor
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.pq import Format
from psycopg.rows import tuple_row

from app.db.engine import Connection
from app.db.evidence import HASH_BYTES, Looks

_HEAD = 4
"""Bytes before the values of a halfvec: the number of dimensions, and two that are not used."""


class _Bytes(Loader):
    format = Format.BINARY

    def load(self, data: Buffer) -> bytes:
        return bytes(data)


@contextmanager
def raw_cursor(connection: Connection, name: str = "") -> Iterator[Any]:
    """Lend a cursor whose rows are tuples, with halfvec as the bytes that PostgreSQL sends; named: on the server."""
    made: Cursor[Any] | ServerCursor[Any]
    if name:
        made = connection.cursor(name, binary=True, row_factory=tuple_row)
    else:
        made = connection.cursor(binary=True, row_factory=tuple_row)
    with made as cursor:
        known = cursor.adapters.types.get("halfvec")
        if known is not None:
            cursor.adapters.register_loader(known.oid, _Bytes)
        yield cursor


def looks_of(rows: Sequence[tuple[str, bytes, bytes | None]], dimensions: int) -> Looks:
    """Return what records look like: rows of id, vector as it was sent, and hash."""
    whole = np.frombuffer(b"".join(row[1] for row in rows), np.uint8).reshape(len(rows), _HEAD + 2 * dimensions)
    matrix = np.ascontiguousarray(whole[:, _HEAD:]).view(">f2").astype(np.float16)
    hashed = np.array([row[2] is not None for row in rows], np.bool_)
    blank = bytes(HASH_BYTES)
    hashes = np.frombuffer(b"".join(row[2] or blank for row in rows), np.uint8).reshape(len(rows), HASH_BYTES)
    return Looks([row[0] for row in rows], matrix, hashes, hashed)
