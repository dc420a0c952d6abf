"""Embeddings that come along as numbers: read fast, and checked."""

import re

import numpy as np
import orjson
from numpy.typing import NDArray

from app.domain.collections import Collection
from app.domain.errors import InvalidRequest
from app.domain.jsontext import loads
from app.domain.records import Json
from app.services.given import given_embedding
from app.services.importing.entries import Record, Vector

# A quote that no backslash stands before begins a string or ends one, and no name may follow an end: so this is a key,
# wherever it stands, and its value is a list.
_LIST = rb'(?<!\\)"(vector|%s)"\s*:\s*(?=\[)'
_NUMBERS = b"-+0123456789.eE, \t\r\n"
_USUAL = re.compile(_LIST % b"_embedding")
# Shorter lists are read as fast with the rest of the line.
_WORTH_IT = 64
# The square of the length of a vector of length 1 whose numbers were rounded to half precision is so close to 1; it is
# stored as it is.
_ROUNDED = 2e-3
# The largest number of a vector lies between these; beyond them its length cannot be told.
_LEAST, _MOST = 1e-9, 1e9


def without_vector(line: bytes, field: str = "_embedding") -> tuple[Record | None, Vector | None]:
    """Read a line of JSON whose embedding takes most of it: the numbers of the vector apart, in one fast step.

    Returns the record without the numbers of its embedding, and the vector; None and None where the line is not made
    so, and is to be read as any other.

    Raises:
        InvalidRequest: the rest of the line is no JSON that can be stored.

    """
    pattern = _USUAL if field == "_embedding" else re.compile(_LIST % re.escape(field.encode()))
    found = pattern.search(line)
    if found is None:
        return None, None
    start, end = found.end(), line.find(b"]", found.end()) + 1
    if end - start < _WORTH_IT or (vector := _list(line[start:end])) is None:
        return None, None
    without = line[:start] + b"null" + line[end:]
    if without.count(b'"%s"' % found[1]) > 1:
        return None, None
    rest = loads(without, "the line")
    if not isinstance(rest, dict) or field not in rest:
        return None, None
    holder: Json = rest[field]
    if found[1] == b"vector" and isinstance(holder, dict):
        holder = holder.get("vector", 0)
    if holder is not None:
        return None, None
    return rest, vector


def _list(text: bytes) -> Vector | None:
    """Read a list of numbers; None where it is none, or holds something else."""
    if text.translate(None, _NUMBERS) != b"[]":
        return None
    try:
        return np.array(orjson.loads(text), np.float64)
    except orjson.JSONDecodeError:
        return None


def embedding_of(value: Json, vector: Vector | None, collection: Collection) -> NDArray[np.float32] | None:
    """Return the embedding of a record as it is stored: float32, of length 1, of the collection's dimension.

    Args:
        value: the record's `_embedding`: a list of numbers, which the caller says are the collection's model's, or
            `{"model": …, "revision": …, "vector": […]}`; None where there is none.
        vector: the numbers, where they were read apart.
        collection: where it is stored.

    None where there is none, or one of another model or revision.

    Raises:
        InvalidRequest: it has another form or dimension, a number that is none, or is all zeros.

    """
    if value is None and vector is None:
        return None
    if isinstance(value, dict) and (value.get("model"), value.get("revision")) != (
        collection.model,
        collection.model_revision,
    ):
        return None
    if vector is not None:
        return unit(vector, collection.dimensions)
    if isinstance(value, list):
        value = {"model": collection.model, "revision": collection.model_revision, "vector": value}
    return given_embedding(value, collection)


def unit(vector: Vector, dimensions: int) -> NDArray[np.float32]:
    """Return a vector of length 1 in float32.

    Raises:
        InvalidRequest: it has another dimension, a number that is not finite, or no direction.

    """
    if vector.shape != (dimensions,):
        raise InvalidRequest(f"_embedding has {vector.size} numbers; the collection's vectors have {dimensions}")
    with np.errstate(over="ignore"):
        square = float(vector @ vector)
    if abs(square - 1) <= _ROUNDED:  # NaN and infinite numbers are not
        return vector.astype(np.float32)
    largest = float(np.abs(vector).max())
    if not np.isfinite(largest):
        raise InvalidRequest("_embedding holds NaN or an infinite number")
    if not _LEAST <= largest <= _MOST:
        raise InvalidRequest("_embedding has no direction: its numbers are all zero, or far too small or large")
    unit: NDArray[np.float32] = (vector / np.sqrt(vector @ vector)).astype(np.float32)
    return unit


def vector_of_text(text: str) -> Vector:
    """Return the numbers of an embedding that is written as text: a list of JSON, or numbers between spaces.

    Raises:
        InvalidRequest: it is neither.

    """
    try:
        numbers = orjson.loads(text) if text.lstrip().startswith("[") else [float(part) for part in text.split()]
        vector = np.array(numbers, np.float64)
    except (ValueError, TypeError):
        raise InvalidRequest("_embedding is no list of numbers") from None
    if vector.ndim != 1:
        raise InvalidRequest("_embedding is no list of numbers")
    return vector
