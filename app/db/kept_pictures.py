"""Pictures of records that are there: thumbnails by their content, and originals where they are kept."""

from collections.abc import Sequence
from typing import NamedTuple

from app.db.engine import Database, partition
from app.db.loader import query
from app.domain.collections import Collection


class Kept(NamedTuple):
    """A picture of a stored record: its bytes, None where none is kept, and a version that its content makes."""

    data: bytes | None
    version: str | None = None


def versions(db: Database, collection: Collection, ids: Sequence[str]) -> dict[str, str]:
    """Return the versions of the thumbnails of these records, by id; those without a thumbnail are left out."""
    text = query("records", "thumbnail_versions").render(
        records=partition("records", collection), thumbnails=partition("thumbnails", collection)
    )
    values = {"collection_id": collection.id, "ids": list(ids)}
    return {row["id"]: row["version"] for row in db.all(text, values)}


def thumbnail(db: Database, collection: Collection, record_id: str) -> Kept | None:
    """Return a record's thumbnail (WebP), None where there is no such record."""
    text = query("records", "thumbnail_of").render(
        records=partition("records", collection), thumbnails=partition("thumbnails", collection)
    )
    row = db.one(text, {"collection_id": collection.id, "id": record_id})
    return None if row is None else Kept(row["webp"] and bytes(row["webp"]), row["version"])


def trashed(db: Database, collection: Collection, number: int) -> Kept | None:
    """Return the thumbnail (WebP) of a record in the trash, None where nothing of this number is in it."""
    values = {"collection_id": collection.id, "number": number}
    row = db.one(query("duplicates", "trashed_thumbnail").render(), values)
    return None if row is None else Kept(row["thumbnail"] and bytes(row["thumbnail"]))


def original(db: Database, collection: Collection, record_id: str) -> Kept | None:
    """Return a record's picture as it came, None where there is no such record."""
    text = query("records", "original_of").render(
        records=partition("records", collection), originals=partition("originals", collection)
    )
    row = db.one(text, {"collection_id": collection.id, "id": record_id})
    return None if row is None else Kept(row["picture"] and bytes(row["picture"]))
