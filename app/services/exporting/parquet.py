"""Parquet, by pyarrow, the extra `parquet`."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, BinaryIO

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from app.db.exporting import Whole
from app.domain.collections import Collection
from app.domain.errors import InvalidRequest
from app.domain.jsontext import dumps
from app.domain.records import Json
from app.services.exporting.columns import Column, split
from app.services.exporting.writers import attributes
from app.services.importing.entries import REST

# Rows of a row group at most, and their bytes: memory holds one of them.
_GROUP_ROWS = 20_000
_GROUP_BYTES = 16 * 2**20

_TYPES: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "integer": (pa.int64(), int),
    "number": (pa.float64(), float),
    "boolean": (pa.bool_(), bool),
    "string": (pa.string(), str),
    "strings": (pa.list_(pa.string()), list),
    # Readers that know no JSON in Parquet see text.
    "json": (pa.json_(), dumps),
}


class ParquetWriter:
    """Writes one table: `_id`, a column for each attribute, `_attributes`, and the vectors as float32 of a fixed size.

    The file's metadata name the model and its revision, so that a collection of that model takes the vectors as they
    are.
    """

    def __init__(
        self, stream: BinaryIO, collection: Collection, columns: Sequence[Column], *, boxed: bool, embeddings: bool
    ) -> None:
        self._columns = columns
        self._dimensions = collection.dimensions
        fields = [pa.field("_id", pa.string(), nullable=False)]
        fields += [pa.field(column.name, _TYPES[column.type][0]) for column in columns]
        if boxed:
            fields.append(pa.field("_box", pa.list_(pa.int32())))
        fields.append(pa.field(REST, pa.json_()))
        if embeddings:
            fields.append(pa.field("_embedding", pa.list_(pa.float32(), collection.dimensions), nullable=False))
        metadata = {"lookalike.model": collection.model, "lookalike.revision": collection.model_revision}
        self._schema = pa.schema(fields, metadata)
        self._boxed, self._embeddings = boxed, embeddings
        self._records: list[Whole] = []
        self._bytes = 0
        # A dictionary of vectors would be as large as they are.
        plain = [field.name for field in fields if field.name != "_embedding"]
        self._file = pq.ParquetWriter(stream, self._schema, compression="zstd", use_dictionary=plain)

    def write(self, records: Sequence[Whole]) -> None:
        """Take records; they are written a row group at a time."""
        for whole in records:
            self._records.append(whole)
            self._bytes += len(whole.found.attributes or "") + (4 * self._dimensions if self._embeddings else 0)
            if len(self._records) >= _GROUP_ROWS or self._bytes >= _GROUP_BYTES:
                self._write_group()

    def finish(self) -> None:
        """Write the last rows and the footer."""
        if self._records:
            self._write_group()
        self._file.close()

    def close(self) -> None:
        """Let go of the file, which is none where it is not finished."""
        with suppress(OSError, InvalidRequest, pa.ArrowException):
            self._file.close()

    def _write_group(self) -> None:
        records, self._records, self._bytes = self._records, [], 0
        cells: list[list[Any]] = [[] for _ in self._columns]
        rests: list[str | None] = []
        for whole in records:
            values, rest = split(attributes(whole), self._columns)
            for column, cell, value in zip(self._columns, cells, values, strict=True):
                cell.append(_cell(column, value))
            rests.append(dumps(rest) if rest else None)
        arrays = [pa.array([whole.found.id for whole in records], pa.string())]
        arrays += [_array(cell, _TYPES[column.type][0]) for column, cell in zip(self._columns, cells, strict=True)]
        if self._boxed:
            arrays.append(pa.array([whole.box for whole in records], pa.list_(pa.int32())))
        arrays.append(_array(rests, pa.json_()))
        if self._embeddings:
            numbers = np.array([orjson.loads(whole.embedding or "[]") for whole in records], np.float32)
            arrays.append(pa.FixedSizeListArray.from_arrays(pa.array(numbers.ravel()), self._dimensions))
        self._file.write_batch(pa.record_batch(arrays, schema=self._schema))


def _cell(column: Column, value: Json) -> Any:
    return None if value is None else _TYPES[column.type][1](value)


def _array(values: list[Any], kind: Any) -> Any:
    if isinstance(kind, pa.JsonType):
        return pa.ExtensionArray.from_storage(kind, pa.array(values, kind.storage_type))
    return pa.array(values, kind)
