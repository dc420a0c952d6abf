"""Pictures of stored records: thumbnails by their content, and originals where the collection keeps them."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.db import kept_pictures
from app.domain.collections import Collection
from app.domain.errors import NotFound
from app.embedding.pictures.formats import MEDIA_TYPES, suffix_of
from app.services.context import Context
from app.services.record_input import MAX_ID_BYTES

MOST_VERSIONS = 1000
MOST_NUMBER = 2**63 - 1


@dataclass(frozen=True, slots=True)
class KeptPicture:
    """A picture with its media type; `version` are 32 hexadecimal digits that its content makes."""

    data: bytes
    media_type: str
    version: str | None = None


def versions(context: Context, collection: Collection, ids: Sequence[str]) -> dict[str, str]:
    """Return the versions of the thumbnails of these records, by id; those without one are left out."""
    return kept_pictures.versions(context.db, collection, [one for one in ids if _is_id(one)])


def thumbnail(context: Context, collection: Collection, record_id: str) -> KeptPicture:
    """Return a record's thumbnail.

    Raises:
        NotFound: there is no such record, or it has none.

    """
    found = kept_pictures.thumbnail(context.db, collection, record_id) if _is_id(record_id) else None
    if found is None:
        raise NotFound(f"there is no record {record_id[:40]!r}")
    if found.data is None:
        raise NotFound(f"the record {record_id[:40]!r} has no thumbnail: its collection keeps none")
    return KeptPicture(found.data, "image/webp", found.version)


def trashed(context: Context, collection: Collection, number: int) -> KeptPicture:
    """Return the thumbnail of a record in the trash, by its number there.

    Raises:
        NotFound: nothing of this number is in the trash of the collection, or it has no thumbnail.

    """
    found = kept_pictures.trashed(context.db, collection, number) if number <= MOST_NUMBER else None
    if found is None:
        raise NotFound(f"there is no record {number} in the trash")
    if found.data is None:
        raise NotFound(f"the record {number} in the trash has no thumbnail: its collection keeps none")
    return KeptPicture(found.data, "image/webp")


def original(context: Context, collection: Collection, record_id: str) -> KeptPicture:
    """Return a record's picture as it came.

    Raises:
        NotFound: there is no such record, or its picture was not kept.

    """
    found = kept_pictures.original(context.db, collection, record_id) if _is_id(record_id) else None
    if found is None:
        raise NotFound(f"there is no record {record_id[:40]!r}")
    if found.data is None:
        raise NotFound(f"the picture of record {record_id[:40]!r} was not kept as it came")
    return KeptPicture(found.data, MEDIA_TYPES.get(suffix_of(found.data), "application/octet-stream"))


def _is_id(text: str) -> bool:
    return "\x00" not in text and 0 < len(text.encode("utf-8", "surrogatepass")) <= MAX_ID_BYTES
