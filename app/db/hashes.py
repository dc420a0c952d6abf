"""Perceptual hashes of thumbnails: made when they are first needed, kept, and made anew for another thumbnail."""

from collections.abc import Callable, Sequence

from app.db.engine import Connection, Database, partition
from app.db.evidence import Hasher
from app.db.loader import query
from app.domain.collections import Collection

_PICTURES = 500


def make_all(
    db: Database, collection: Collection, hasher: Hasher, progress: Callable[[int], None] = lambda _: None
) -> None:
    """Make the hashes that are missing, of all records, in transactions of 500; forget those of records that are gone.

    `progress` is called with the number that was made since the last call; what it raises ends the work.
    """
    text = query("duplicates", "unhashed").render(
        thumbnails=partition("thumbnails", collection), limit=f"{_PICTURES:d}"
    )
    after = ""
    while rows := db.all(text, {"collection_id": collection.id, "after": after}):
        made = [(row["id"], hasher(bytes(row["webp"])), row["of"]) for row in rows]
        db.write(lambda connection, made=made: _store(connection, collection, made))  # type: ignore[misc]
        after = rows[-1]["id"]
        progress(len(rows))
    db.write(
        lambda connection: connection.execute(
            query("duplicates", "forget_hashes").render(thumbnails=partition("thumbnails", collection)),
            {"collection_id": collection.id},
        )
    )


def make(connection: Connection, collection: Collection, hasher: Hasher, ids: Sequence[str]) -> None:
    """Make the hashes of some records that are missing, inside a transaction."""
    text = query("duplicates", "unhashed_of").render(thumbnails=partition("thumbnails", collection))
    rows = connection.execute(text, {"collection_id": collection.id, "ids": list(ids)}).fetchall()
    _store(connection, collection, [(row["id"], hasher(bytes(row["webp"])), row["of"]) for row in rows])


def _store(connection: Connection, collection: Collection, made: Sequence[tuple[str, bytes | None, bytes]]) -> None:
    if made:
        ids, hashes, of = (list(column) for column in zip(*made, strict=True))
        values = {"collection_id": collection.id, "ids": ids, "hashes": hashes, "of": of}
        connection.execute(query("duplicates", "store_hashes").render(), values)
