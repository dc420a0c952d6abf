"""Whole records for an export, as of one moment, and the columns that a table of them needs."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from app.db.engine import Connection, Database, partition
from app.db.listing import Listing
from app.db.loader import query
from app.domain.records import Found

_STREAM_ROWS = 1000
_KINDS_AT_MOST = 5000

Pictures = Literal["none", "thumbnails", "originals"]


@dataclass(frozen=True, slots=True)
class Whole:
    """A record with what an export asks for.

    `embedding` is the vector in pgvector's text form, None where it is not asked for; `box` the part of the picture
    that is the record's, None beside a thumbnail, which shows that part alone; `picture` the kept picture or the
    thumbnail, None where there is none or it is not asked for.
    """

    found: Found
    embedding: str | None = None
    box: list[int] | None = None
    picture: bytes | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """So many values of one kind stand under a key; see the query `columns` for the kinds."""

    key: str
    kind: str
    count: int


@dataclass(frozen=True, slots=True)
class Moment:
    """The records of a listing as of one moment."""

    connection: Connection
    listing: Listing

    def count(self) -> int:
        """Return the number of records."""
        text = self.listing.render(query("exporting", "count"))
        row = self.connection.execute(text, self.listing.values()).fetchone()
        return int(row["n"]) if row else 0

    def boxed(self) -> bool:
        """Say whether a record of the collection is a part of its picture."""
        text = query("exporting", "boxed").render(originals=partition("originals", self.listing.collection))
        row = self.connection.execute(text).fetchone()
        return bool(row and row["boxed"])

    def kinds(self) -> list[Kind]:
        """Return the kinds of values of all attributes, the commonest attributes first; a bounded number of them."""
        text = self.listing.render(query("exporting", "columns"), limit=f"{_KINDS_AT_MOST:d}")
        rows = self.connection.execute(text, self.listing.values()).fetchall()
        return [Kind(row["key"], row["kind"], row["n"]) for row in rows]

    def records(self, pictures: Pictures = "none", *, embeddings: bool = False) -> Iterator[Whole]:
        """Yield the records, in the order of their ids; pictures are read one by one."""
        text = self.listing.render(
            query("exporting", "stream"), originals=partition("originals", self.listing.collection)
        )
        with self.connection.cursor("stream") as cursor:
            cursor.itersize = _STREAM_ROWS
            cursor.execute(text, self.listing.values(embeddings=embeddings))
            while rows := cursor.fetchmany(_STREAM_ROWS):
                for row in rows:
                    picture = None
                    if pictures == "thumbnails" or (pictures == "originals" and row["kept"]):
                        picture = self._picture(pictures, row["id"])
                    box = None if pictures == "thumbnails" else row["box"]
                    yield Whole(Found(row["id"], row["attributes"]), row["embedding"], box, picture)

    def _picture(self, kind: Literal["thumbnails", "originals"], record_id: str) -> bytes | None:
        tables = {kind: partition(kind, self.listing.collection)}
        text = query("records", "thumbnail" if kind == "thumbnails" else "original").render(**tables)
        row = self.connection.execute(text, {"collection_id": self.listing.collection.id, "id": record_id}).fetchone()
        picture = row["webp" if kind == "thumbnails" else "picture"] if row is not None else None
        return None if picture is None else bytes(picture)


@contextmanager
def moment(db: Database, listing: Listing) -> Iterator[Moment]:
    """Hold the records of a listing as they are now; what is written meanwhile does not show.

    A transaction is open all the while, so vacuum keeps what is deleted or changed meanwhile.
    """
    with db.snapshot() as connection:
        yield Moment(connection, listing)
