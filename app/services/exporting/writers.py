"""Writers of records, a class for each format: each writes to a stream that is never read or sought."""

import csv
import gzip
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import BinaryIO, Protocol, cast

from app.db.exporting import Moment, Whole
from app.domain.collections import Collection
from app.domain.jsontext import dumps, loads_stored
from app.domain.records import Json
from app.services.exporting.choice import Choice, Compression
from app.services.exporting.columns import Column, columns_of, split
from app.services.exporting.lines import embedding_head, line
from app.services.importing.entries import REST

# Text that a reader of CSV takes for something else than text: a number, a JSON value, or nothing.
_LOOKS_TYPED = re.compile(
    r"\s*(|[-+]?\.?\d[\d.,_xXa-fA-F+-]*|[\[{\"].*|(?i:true|false|null|nan|none|[-+]?inf(inity)?))\s*", re.DOTALL
)
_COMPRESSION_LEVEL = 6


class Writer(Protocol):
    """A writer takes records in order, and is told when there are no more."""

    def write(self, records: Sequence[Whole]) -> None:
        """Write records."""
        ...

    def finish(self) -> None:
        """Write what stands at the end."""
        ...

    def close(self) -> None:
        """Let go of what it holds, whether it is finished or not."""
        ...


class LineWriter:
    """Writes JSON lines, as an import reads them."""

    def __init__(self, stream: BinaryIO, collection: Collection) -> None:
        self._stream = stream
        self._head = embedding_head(collection)

    def write(self, records: Sequence[Whole]) -> None:
        """Write a line each."""
        self._stream.write(b"".join(line(whole, self._head) for whole in records))

    def finish(self) -> None:
        """Write nothing."""

    def close(self) -> None:
        """Hold nothing."""


class CsvWriter:
    """Writes CSV in UTF-8: a column for each attribute, lists and objects as JSON, and `_attributes` for the rest.

    Text that reads like a number, like JSON or like nothing stands in `_attributes`, too, where its type is plain.
    """

    def __init__(
        self, stream: BinaryIO, collection: Collection, columns: Sequence[Column], *, boxed: bool, embeddings: bool
    ) -> None:
        self._stream = stream
        self._columns = columns
        self._head = embedding_head(collection)
        self._boxed, self._embeddings = boxed, embeddings

    def head(self) -> None:
        """Write the line with the names of the columns."""
        names = ["_id", *(column.name for column in self._columns)]
        names += ["_box"] * self._boxed + [REST] + ["_embedding"] * self._embeddings
        self._rows([names])

    def write(self, records: Sequence[Whole]) -> None:
        """Write a row each."""
        self._rows(map(self._row, records))

    def finish(self) -> None:
        """Write nothing."""

    def close(self) -> None:
        """Hold nothing."""

    def _rows(self, rows: Iterable[list[str]]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        self._stream.write(text.getvalue().encode())

    def _row(self, whole: Whole) -> list[str]:
        values, rest = split(attributes(whole), self._columns)
        cells = [whole.found.id]
        for column, value in zip(self._columns, values, strict=True):
            # What reads a table gives a column one type: anything but lists and objects would make all of it text.
            out_of_place = column.type == "json" and value is not None and not isinstance(value, list | dict)
            if out_of_place or (isinstance(value, str) and _LOOKS_TYPED.fullmatch(value)):
                rest[column.name] = value
            if value is None or out_of_place:
                cells.append("")
            else:
                cells.append(value if isinstance(value, str) else dumps(value))
        if self._boxed:
            cells.append("" if whole.box is None else dumps(whole.box))
        cells.append(dumps(rest) if rest else "")
        if self._embeddings:
            cells.append(f"{self._head.decode()}{whole.embedding}}}")
        return cells


@contextmanager
def compressed(stream: BinaryIO, compression: Compression) -> Iterator[BinaryIO]:
    """Give a stream whose bytes reach another compressed; at the end it is whole."""
    if compression == "none":
        yield stream
    elif compression == "gzip":
        with gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=_COMPRESSION_LEVEL, mtime=0, filename="") as packed:
            yield cast("BinaryIO", packed)
    else:
        compressor = import_module("zstandard").ZstdCompressor()  # an extra
        with compressor.stream_writer(stream, closefd=False) as packed:
            yield packed


def attributes(whole: Whole) -> dict[str, Json]:
    """Return a record's attributes."""
    return cast("dict[str, Json]", loads_stored(whole.found.attributes)) if whole.found.attributes else {}


def writer_for(stream: BinaryIO, records: Moment, choice: Choice) -> Writer:
    """Return the writer for a choice; a CSV file has its head when this returns."""
    collection = records.listing.collection
    if choice.format == "jsonl":
        return LineWriter(stream, collection)
    if choice.format == "tar":
        from app.services.exporting.pictures import TarWriter  # noqa: PLC0415  (a temporary file is made)

        return TarWriter(stream, collection)
    found = columns_of(records.kinds())
    if choice.format == "csv":
        writer = CsvWriter(stream, collection, found, boxed=records.boxed(), embeddings=choice.embeddings)
        writer.head()
        return writer
    from app.services.exporting.parquet import ParquetWriter  # noqa: PLC0415  (imports pyarrow, an extra)

    return ParquetWriter(stream, collection, found, boxed=records.boxed(), embeddings=choice.embeddings)
