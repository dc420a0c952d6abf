"""Parquet: rows in batches, lists of numbers as embeddings. Needs the extra `parquet` (pyarrow)."""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np

from app.domain.errors import InvalidRequest
from app.domain.jsontext import dumps, loads
from app.domain.records import Json
from app.services.importing.entries import Entry, Reading, Record, Vector, line_of, spread

_BATCH = 256
_BUFFER = 2**20
# Columns of this type of Arrow hold JSON as text.
_JSON = "extension<arrow.json>"


def parquet(path: Path, reading: Reading, after: Json = None) -> Iterator[Entry]:
    """Yield the rows of a Parquet file; a null is absent.

    A column of lists of numbers that is named as the embedding is one. A column of `{"bytes": …, "path": …}`, as
    `datasets` writes pictures, is the picture.

    Raises:
        InvalidRequest: it is no Parquet file, is damaged, or pyarrow is not installed.

    """
    try:
        import pyarrow as pa  # noqa: PLC0415  (an extra)
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ImportError:
        raise InvalidRequest(
            "Parquet takes the extra `parquet` (pyarrow), which is not installed: pip install 'lookalike[parquet]'"
        ) from None
    try:
        with pq.ParquetFile(path, buffer_size=_BUFFER, pre_buffer=False) as file:
            reading.total(file.metadata.num_rows)
            yield from _rows(file, reading, line_of(after))
    except (pa.ArrowException, OSError) as error:
        raise InvalidRequest(f"the Parquet file is damaged, or none: {str(error).splitlines()[0][:200]}") from None


def _rows(file: Any, reading: Reading, done: int) -> Iterator[Entry]:
    groups, before = _groups_after(file.metadata, done)
    model = _model(file.schema_arrow.metadata or {})
    number = before
    for batch in file.iter_batches(batch_size=_BATCH, row_groups=groups):
        if number + batch.num_rows <= done:
            number += batch.num_rows
            continue
        vectors = _vectors(batch, reading.vector_field)
        plain = [name for name in batch.schema.names if vectors is None or name != reading.vector_field]
        as_json = [name for name in plain if str(batch.schema.field(name).type) == _JSON]
        share = batch.nbytes // max(1, batch.num_rows)
        for place, row in enumerate(batch.select(plain).to_pylist()):
            number += 1
            if number > done:
                vector = None if vectors is None else vectors[place]
                if vector is not None and model is not None:
                    row[reading.vector_field] = model
                yield _entry(number, row, as_json, vector, share)


def _groups_after(metadata: Any, done: int) -> tuple[list[int], int]:
    """Return the row groups that hold a row after the first `done`, and how many rows lie before them."""
    before, first = 0, 0
    while first < metadata.num_row_groups and before + metadata.row_group(first).num_rows <= done:
        before += metadata.row_group(first).num_rows
        first += 1
    return list(range(first, metadata.num_row_groups)), before


def _model(metadata: Mapping[bytes, bytes]) -> dict[str, object] | None:
    """Return the model of the embeddings as an export names it, without the numbers; None where none is named."""
    if (name := metadata.get(b"lookalike.model")) is None:
        return None
    revision = metadata.get(b"lookalike.revision", b"")
    return {"model": name.decode("utf-8", "replace"), "revision": revision.decode("utf-8", "replace")}


def _entry(number: int, row: Mapping[str, object], as_json: Sequence[str], vector: Vector | None, size: int) -> Entry:
    picture = None
    rest: dict[str, object] = {}
    place: Json = {"line": number}
    for name, value in row.items():
        if isinstance(value, dict) and set(value) == {"bytes", "path"} and isinstance(value["bytes"], bytes):
            picture = value["bytes"]
            if isinstance(value["path"], str) and value["path"]:
                rest[name] = value["path"]
        elif value is not None:
            rest[name] = value
    try:
        record: Record = {name: plain(value, name) for name, value in rest.items()}
        record |= {name: loads(text, name) for name in as_json if isinstance(text := record.get(name), str)}
        record = spread(record)
    except InvalidRequest as error:
        return Entry(number, place, error, partial(_shown, rest), size)
    read = None if picture is None else partial(_given, picture)
    return Entry(number, place, record, partial(_shown, rest), size, vector=vector, picture=read)


def _given(picture: bytes) -> bytes:
    return picture


def _shown(row: Mapping[str, object]) -> str:
    """Return a row as JSON text; what JSON does not have is written as text."""
    return dumps({name: _or_text(value) for name, value in row.items()})


def _or_text(value: object) -> Json:
    try:
        return plain(value, "")
    except InvalidRequest:
        return str(value)[:1000]


def plain(value: object, name: str) -> Json:
    """Return a value of Arrow as JSON: dates and times as ISO 8601 text.

    Raises:
        InvalidRequest: JSON has no such value: NaN, an infinite number, bytes.

    """
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidRequest(f"{name}: {value} is no number that can be stored")
    if value is None or isinstance(value, bool | int | float | str | Decimal):
        return cast("Json", value)
    if isinstance(value, list):
        return [plain(one, name) for one in value]
    if isinstance(value, dict):
        return {str(key): plain(one, name) for key, one in value.items()}
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    raise InvalidRequest(f"{name}: a value of the type {type(value).__name__} cannot be stored")


def _vectors(batch: Any, field: str) -> list[Vector | None] | None:
    """Return the embeddings of a batch, as numbers; None where there is no such column of lists of numbers."""
    import pyarrow.compute as pc  # noqa: PLC0415
    import pyarrow.types as kinds  # noqa: PLC0415

    if field not in batch.schema.names:
        return None
    column = batch.column(batch.schema.get_field_index(field))
    lists = kinds.is_list(column.type) or kinds.is_large_list(column.type) or kinds.is_fixed_size_list(column.type)
    if not lists or not (kinds.is_floating(column.type.value_type) or kinds.is_integer(column.type.value_type)):
        return None
    # A null among the numbers becomes NaN, and is refused as such; a list that is null has none of them.
    numbers = np.asarray(column.flatten().to_numpy(zero_copy_only=False), np.float64)
    ends = np.cumsum(pc.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False))
    parts = np.split(numbers, ends[:-1])
    return [part if there else None for part, there in zip(parts, column.is_valid().to_pylist(), strict=True)]
