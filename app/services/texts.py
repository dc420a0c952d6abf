"""Text queries: `_text_data` of a query record, in words instead of a picture."""

from collections.abc import Mapping
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from app.domain.collections import Collection
from app.domain.errors import InvalidRequest, LookalikeError, WrongQueryRecord
from app.domain.records import IMAGE_FIELDS, TEXT_FIELD, TEXT_WEIGHT, Json
from app.services.context import Context
from app.services.vectors import embedder_of

# Any text that a model reads to its end is far shorter; a longer one is not even taken apart into tokens.
MAX_CHARACTERS = 2000
_BESIDE = ("_id", *IMAGE_FIELDS)
_EVEN = 0.5


def text_of(record: Mapping[str, Json]) -> str | None:
    """Return the text of a query record, None where it has none.

    Raises:
        WrongQueryRecord: it is not a string, empty or too long, or a box stands beside it and no picture does.

    """
    text = record.get(TEXT_FIELD)
    if text is None:
        return None
    if not isinstance(text, str):
        raise WrongQueryRecord(f"{TEXT_FIELD} must be a string")
    if not text.strip():
        raise WrongQueryRecord(f"{TEXT_FIELD} is empty: write what the pictures should show")
    if len(text) > MAX_CHARACTERS:
        raise WrongQueryRecord(f"{TEXT_FIELD} may have {MAX_CHARACTERS} characters at most; it has {len(text)}")
    if record.get("_box") is not None and not _has_picture(record):
        raise WrongQueryRecord(f"_box is a part of a picture, and the query record has {TEXT_FIELD} and no picture")
    return text


def text_weight_of(record: Mapping[str, Json]) -> float | None:
    """Return how much the text of a query record counts beside its picture, 0 to 1; None where it has not both.

    Raises:
        WrongQueryRecord: the weight is no such number, or there is nothing to weigh.

    """
    weight = record.get(TEXT_WEIGHT)
    both = record.get(TEXT_FIELD) is not None and _has_picture(record)
    if weight is None:
        return _EVEN if both else None
    if isinstance(weight, bool) or not isinstance(weight, int | float | Decimal) or not 0 <= weight <= 1:
        raise WrongQueryRecord(f"{TEXT_WEIGHT} must be a number from 0 (the picture alone) to 1 (the text alone)")
    if not both:
        raise WrongQueryRecord(f"{TEXT_WEIGHT} weighs {TEXT_FIELD} against a picture; the query record has not both")
    return float(weight)


def _has_picture(record: Mapping[str, Json]) -> bool:
    return any(record.get(field) is not None for field in _BESIDE)


def knows_text(context: Context, collection: Collection) -> bool:
    """Return whether words find pictures in this collection: its model is here, and reads text as well as pictures."""
    try:
        return embedder_of(context, collection).text_scoring is not None
    except LookalikeError:
        return False


def embed_text(context: Context, collection: Collection, text: str) -> NDArray[np.float32]:
    """Return the embedding of a text query, float32 of unit length, in the space of the collection's pictures.

    Raises:
        WrongQueryRecord: the collection's model knows pictures only, or would not read the text to its end.
        Unavailable: the model is too busy.

    """
    try:
        return np.asarray(embedder_of(context, collection).embed_text([text])[0], np.float32)
    except InvalidRequest as error:
        raise WrongQueryRecord(f"{TEXT_FIELD}: {error}") from error
