"""Attributes are made of pictures: tags (`_tags_simple`, in fashion) and colours (`_colors`)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.domain.collections import Collection
from app.domain.records import Attributes, Json
from app.domain.services import SERVICES
from app.embedding.tags.colour_names import dominant_colours
from app.search.request import Vector
from app.services.context import Context

COLOURS_FIELD = "_colors"


@dataclass(frozen=True, slots=True)
class Extract:
    """An insert makes these attributes of its pictures. `tags` None: where the collection's service and model can."""

    tags: bool | None = None
    colours: bool = False

    def makes_tags(self, context: Context, collection: Collection) -> bool:
        """Say whether tags are made: in fashion, with a model that knows texts, unless they are not wanted."""
        return self.tags is not False and tags_are_made(context, collection)

    def note(self, context: Context, collection: Collection) -> str | None:
        """Return why no tags are made although they are asked for; None where they are, or are not asked for."""
        if not self.tags or tags_are_made(context, collection):
            return None
        if not SERVICES[collection.service].makes_tags:
            tagged = " or ".join(repr(service.name) for service in SERVICES.values() if service.makes_tags)
            return f"no tags were made: they are in collections of the service {tagged} alone"
        return f"no tags were made: the model {collection.model!r} knows pictures only, no texts"


NOTHING = Extract(tags=False)


def tags_are_made(context: Context, collection: Collection) -> bool:
    """Say whether tags are made of the pictures of a collection."""
    return SERVICES[collection.service].makes_tags and context.tagger.knows(collection.model)


def made_fields(context: Context, collection: Collection) -> list[str]:
    """Return the attributes that are made of the pictures of a collection: they belong to the picture."""
    return [COLOURS_FIELD, *([SERVICES[collection.service].tags_field] if tags_are_made(context, collection) else [])]


def made_tags(context: Context, collection: Collection, vectors: Sequence[Vector]) -> list[list[str]]:
    """Return the tags of pictures by their embeddings, of a collection of which tags are made.

    Raises:
        ConfigurationError: the model would not read a sentence of the taxonomy to its end.
        Unavailable: the model is too busy.

    """
    if not vectors:
        return []
    rows = np.stack([_row(vector) for vector in vectors])
    return [[tag.name for tag in tags] for tags in context.tagger.tags(collection.model, rows)]


def with_tags(
    context: Context, collection: Collection, records: Sequence[Mapping[str, Json]], vectors: Sequence[Vector]
) -> list[Attributes]:
    """Return for each record the tags to store with it: none where it has its own, an empty list included."""
    field = SERVICES[collection.service].tags_field
    bare = [place for place, record in enumerate(records) if record.get(field) is None]
    added: list[Attributes] = [{} for _ in records]
    for place, tags in zip(bare, made_tags(context, collection, [vectors[place] for place in bare]), strict=True):
        added[place] = {field: list(tags)}
    return added


def with_colours(record: Mapping[str, Json], picture: Image.Image) -> Attributes:
    """Return the colours of a picture to store with its record: none where it has its own.

    `_colors` is a list of `{"name": …, "hex": "#rrggbb", "share": 0 … 1}`, the largest share first.
    """
    if record.get(COLOURS_FIELD) is not None:
        return {}
    found: list[Json] = [
        {"name": colour.name, "hex": colour.hex, "share": colour.share} for colour in dominant_colours(picture)
    ]
    return {COLOURS_FIELD: found}


def _row(vector: Vector) -> NDArray[np.float32]:
    row = np.asarray(vector if isinstance(vector, np.ndarray) else vector.to_numpy(), np.float32)
    return row / np.linalg.norm(row)  # stored ones are rounded
