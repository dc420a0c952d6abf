"""find, random, allRecords, deleteByFilter."""

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app.db import listing as table
from app.db.listing import Listing
from app.domain.collections import Collection
from app.domain.errors import InvalidRequest
from app.domain.ranking import Nearest
from app.domain.records import Fields, Found, Json
from app.domain.refinement import Refinement
from app.domain.windows import Window
from app.search.request import Query
from app.services import qualified
from app.services.context import Context
from app.services.exporting.files import appearing, room_for
from app.services.filtering import condition
from app.services.indexing import maintain


def of(collection: Collection, fields: Fields, filter_: Json) -> Listing:
    """Return the listing that a request asks for.

    Raises:
        FilterError: the filter is not one.

    """
    return Listing(collection, fields, condition(collection, filter_))


def find(context: Context, listing: Listing, limit: int) -> list[Found]:
    """Return up to `limit` matching records, in no particular order."""
    _within(context, limit, "limit")
    return table.find(context.db, listing, limit)


def ordered(
    context: Context, collection: Collection, fields: Fields, filter_: Json, limit: int, refinement: Refinement
) -> Nearest:
    """Return up to `limit` matching records in an order, or from the page token on in that of their ids.

    Raises:
        FilterError: the filter is not one.
        InvalidRequest: the page token belongs to another search.

    """
    _within(context, limit, "limit")
    window = Window(limit)
    refinement.check(likeness=False, radius=False, product_field=None, window=window, most=context.settings.max_k)
    query = Query(collection, window, fields, condition(collection, filter_))
    return qualified.search(context, query, refinement, filter_)


def random(context: Context, listing: Listing, count: int) -> list[Found]:
    """Return `count` random matching records, uniformly chosen; all of them where there are fewer."""
    _within(context, count, "count")
    return table.random(context.db, listing, count)


def delete(context: Context, listing: Listing) -> list[Found]:
    """Delete all matching records and return them as they were; they are gone from disk."""
    deleted = table.delete(context.db, listing)
    maintain(context, listing.collection)
    return deleted


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in the order of the ids: the page after it, or the one before it."""

    id: str
    backwards: bool = False

    def __str__(self) -> str:
        """Return the cursor as a link carries it."""
        return ("b" if self.backwards else "a") + base64.urlsafe_b64encode(self.id.encode()).decode().rstrip("=")

    @classmethod
    def read(cls, text: str) -> "Cursor":
        """Read a cursor from a link.

        Raises:
            InvalidRequest: it was not made by this server.

        """
        try:
            record_id = base64.b64decode(text[1:] + "=" * (-len(text[1:]) % 4), b"-_", validate=True).decode()
        except (binascii.Error, ValueError):
            raise InvalidRequest("the cursor is not one that this server gave") from None
        if text[:1] not in {"a", "b"} or "\x00" in record_id:
            raise InvalidRequest("the cursor is not one that this server gave")
        return cls(record_id, text[0] == "b")


@dataclass(frozen=True, slots=True)
class Page:
    """A page of all records; `after` and `before` are None where there is nothing more on that side."""

    records: list[Found]
    before: Cursor | None
    after: Cursor | None


def page(context: Context, listing: Listing, size: int, number: int, cursor: Cursor | None) -> Page:
    """Return one page of all records, in the order of their ids.

    With a cursor it costs the same at any depth; by its number alone all pages before it are counted through.
    """
    _within(context, size, "size")
    if cursor is not None and cursor.backwards:
        found = table.page_before(context.db, listing, cursor.id, size + 1)
        return _page(found[-size:], more_before=len(found) > size, more_after=True)
    offset = 0 if cursor is not None else (number - 1) * size
    if offset > 2**40:
        raise InvalidRequest("page is too large")
    found = table.page_after(context.db, listing, cursor.id if cursor else "", size + 1, offset)
    return _page(found[:size], more_before=number > 1, more_after=len(found) > size)


def _page(records: list[Found], *, more_before: bool, more_after: bool) -> Page:
    if not records:
        return Page([], None, None)
    return Page(
        records,
        Cursor(records[0].id, backwards=True) if more_before else None,
        Cursor(records[-1].id) if more_after else None,
    )


def stream(context: Context, listing: Listing) -> Iterator[list[Found]]:
    """Yield all matching records in the order of their ids, in pieces, as of one moment."""
    return table.stream(context.db, listing)


def export(context: Context, listing: Listing, path: Path) -> int:
    """Write all matching records to a file, a line each, and return their number; the file appears when it is whole.

    Raises:
        InvalidRequest: the export folder would hold more files, or more bytes, than the settings allow, or the file
            cannot be written.

    """
    number = 0
    with appearing(path, room_for(context, path)) as file:
        for records in table.stream(context.db, listing):
            file.write(b"".join(found.json() + b"\n" for found in records))
            number += len(records)
    return number


def _within(context: Context, number: int, name: str) -> None:
    if number > context.settings.max_k:
        raise InvalidRequest(f"{name} may be at most {context.settings.max_k}")
