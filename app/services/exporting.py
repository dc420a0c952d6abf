"""Whole records as lines of JSON, from which `lookalike load` makes the same records again."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass

from app.db import listing as listing_table
from app.db.listing import Listing
from app.domain.jsontext import dumps
from app.services.context import Context


@dataclass(frozen=True, slots=True)
class Parts:
    """An export also writes kept pictures as `_base64` and vectors as `_embedding`, if these are set."""

    pictures: bool = True
    embeddings: bool = True


def lines(context: Context, listing: Listing, parts: Parts) -> Iterator[bytes]:
    """Yield a line for each record of a listing, in the order of the ids, as of one moment.

    Memory holds a thousand records and one picture.
    """
    model = dumps({"model": listing.collection.model, "revision": listing.collection.model_revision}).encode()
    for whole in listing_table.stream_whole(context.db, listing, pictures=parts.pictures):
        line = whole.found.json()[:-1]
        if whole.box is not None:
            line += b',"_box":' + dumps(whole.box).encode()
        if whole.picture is not None:
            line += b',"_base64":"' + base64.b64encode(whole.picture) + b'"'
        if parts.embeddings:
            line += b',"_embedding":' + model[:-1] + b',"vector":' + whole.embedding.encode() + b"}"
        yield line + b"}\n"
