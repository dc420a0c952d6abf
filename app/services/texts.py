"""Text queries: `_text_data` of a query record, in words instead of a picture."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from app.domain.collections import Collection
from app.domain.errors import InvalidRequest, WrongQueryRecord
from app.domain.records import IMAGE_FIELDS, TEXT_FIELD, Json
from app.services.context import Context
from app.services.vectors import embedder_of

# Any text that a model reads to its end is far shorter; a longer one is not even taken apart into tokens.
MAX_CHARACTERS = 2000
_INSTEAD_OF = ("_id", *IMAGE_FIELDS, "_box")


def text_of(record: Mapping[str, Json]) -> str | None:
    """Return the text of a query record, None where it has none.

    Raises:
        WrongQueryRecord: it is not a string, empty, too long, or stands beside a picture or an `_id`.

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
    others = [field for field in _INSTEAD_OF if record.get(field) is not None]
    if others:
        raise WrongQueryRecord(f"a query record is a text or a picture: it has {TEXT_FIELD} and {', '.join(others)}")
    return text


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
