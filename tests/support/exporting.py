"""Exports for tests: the lines of a listing, as `lookalike export` writes them."""

import io

from app.db.exporting import Pictures, moment
from app.db.listing import Listing
from app.services.context import Context
from app.services.exporting.choice import Choice
from app.services.exporting.writing import written


def exported(context: Context, listing: Listing, choice: Choice) -> bytes:
    """Return an export as a file's bytes."""
    stream = io.BytesIO()
    with moment(context.db, listing) as records:
        list(written(records, choice.checked(), stream))
    return stream.getvalue()


def lines(
    context: Context, listing: Listing, *, pictures: Pictures = "originals", embeddings: bool = True
) -> list[bytes]:
    """Return an export as lines of JSON."""
    return exported(context, listing, Choice("jsonl", embeddings=embeddings, pictures=pictures)).splitlines(
        keepends=True
    )
