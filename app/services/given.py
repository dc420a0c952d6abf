"""Vectors that come with a record, as an export wrote them."""

from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from app.domain.collections import Collection
from app.domain.errors import InvalidRequest
from app.domain.records import Json

# A vector of length 1 whose numbers were rounded to half precision is so close to it; it is stored as it is.
_ROUNDED = 1e-3
# The largest number of a vector lies between these; beyond them its length cannot be told.
_LEAST, _MOST = 1e-9, 1e9


def given_embedding(value: Json, collection: Collection) -> NDArray[np.float32] | None:
    """Return the vector of a record's `_embedding`: `{"model": …, "revision": …, "vector": […]}`.

    None where there is none, or one of another model or revision than the collection's, which says nothing there.
    Another length than 1 is brought to it, as vectors from SQL are.

    Raises:
        InvalidRequest: it has another form or dimension, a number that is none, or is all zeros.

    """
    if value is None:
        return None
    if not isinstance(value, dict) or not isinstance(numbers := value.get("vector"), list):
        raise InvalidRequest('_embedding must be {"model": …, "revision": …, "vector": [numbers]}')
    if (value.get("model"), value.get("revision")) != (collection.model, collection.model_revision):
        return None
    if len(numbers) != collection.dimensions:
        raise InvalidRequest(
            f"_embedding has {len(numbers)} numbers; the collection's vectors have {collection.dimensions}"
        )
    if not all(isinstance(number, int | float | Decimal) and not isinstance(number, bool) for number in numbers):
        raise InvalidRequest("_embedding holds something that is no number")
    vector = np.array([float(number) for number in numbers])  # type: ignore[arg-type]
    largest = float(np.abs(vector).max())
    if not _LEAST <= largest <= _MOST:
        raise InvalidRequest("_embedding has no direction: its numbers are all zero, or far too small or large")
    length = float(np.linalg.norm(vector))
    if abs(length - 1) > _ROUNDED:
        vector /= length
    return vector.astype(np.float32)
