"""An export is written: a moment's records, chunk by chunk, through a writer of the chosen format."""

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from typing import BinaryIO

from app.db.exporting import Moment, Whole, moment
from app.db.listing import Listing
from app.services.chunking import chunks
from app.services.context import Context
from app.services.exporting.choice import Choice
from app.services.exporting.writers import compressed, writer_for

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Chunk:
    """So many records were written; `bare` of them had no picture where one was asked for."""

    records: int
    bare: int = 0


def written(records: Moment, choice: Choice, stream: BinaryIO) -> Generator[Chunk]:
    """Write the records, and yield after each chunk of them.

    Memory holds a chunk, with Parquet a group of rows. What is compressed reaches the stream whole at the end alone.

    Args:
        records: what to write.
        choice: the format and its parts, checked.
        stream: where to.

    """
    with compressed(stream, choice.compression) as packed, closing(writer_for(packed, records, choice)) as writer:
        found = records.records(choice.pictures, embeddings=choice.embeddings)
        for chunk in chunks(found, _CHUNK, _size):
            writer.write(chunk)
            bare = sum(whole.picture is None for whole in chunk) if choice.pictures != "none" else 0
            yield Chunk(len(chunk), bare)
        writer.finish()


def written_to(context: Context, listing: Listing, choice: Choice, stream: BinaryIO) -> Generator[Chunk]:
    """Write the records of a listing as they are now; `written` says the rest."""
    with moment(context.db, listing) as records, closing(written(records, choice, stream)) as parts:
        yield from parts


def _size(whole: Whole) -> int:
    return len(whole.picture or b"") + len(whole.found.attributes or "")
