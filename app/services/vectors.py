"""From records to embeddings: pictures read in parallel, embedded in one batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.domain.collections import Collection
from app.domain.errors import ConfigurationError, ImageError, InvalidRequest, WrongQueryRecord
from app.domain.jsontext import is_integer
from app.domain.records import IMAGE_FIELDS, Json, Skipped
from app.embedding.batching import BatchedEmbedder
from app.embedding.images import ImageLimits, decode, thumbnail
from app.services.context import Context
from app.services.incoming import Incoming, skip

Box = tuple[int, int, int, int]
# Decoded at about twice the size that models take, so that their own resampling decides what they see.
DECODE_PIXELS = 448


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as it is stored: its embedding (float32, unit length) and its thumbnail (WebP).

    `original` is the picture as it came, None where the collection does not keep it; `box` the part of it that is the
    record's, None for all of it.
    """

    embedding: NDArray[np.float32]
    thumbnail: bytes | None
    original: bytes | None = None
    box: Box | None = None


def read_pictures(
    context: Context, collection: Collection, records: Sequence[Incoming]
) -> tuple[list[tuple[Incoming, Picture]], list[Skipped]]:
    """Return the records whose pictures could be read, with their pictures, and the others with the reason.

    Raises:
        Unavailable: the model is too busy.

    """
    sources = context.pictures.read_many([record.fields for record in records])
    embedder = embedder_of(context, collection)
    usable = []
    skipped = []
    for record, source in zip(records, sources, strict=True):
        try:
            if isinstance(source, ImageError):
                raise source
            picture, box = decoded(context, source, record.fields.get("_box"))
            small = thumbnail(picture) if collection.thumbnails else None
            kept = source if collection.keep_images else None
            usable.append((record, embedder.prepare(picture), (small, kept, box)))
        except InvalidRequest as error:
            skipped.append(skip(record.fields, error))
    if not usable:
        return [], skipped
    embeddings = embedder.embed([prepared for _, prepared, _ in usable])
    rows = zip(usable, embeddings, strict=True)
    return [(record, Picture(embedding, *rest)) for (record, _, rest), embedding in rows], skipped


def embed_query(context: Context, collection: Collection, record: Mapping[str, Json]) -> NDArray[np.float32]:
    """Return the embedding of a query record's picture.

    Raises:
        WrongQueryRecord: it has no picture, or one that cannot be read.
        Unavailable: the model is too busy.

    """
    if not any(record.get(field) for field in IMAGE_FIELDS):
        raise WrongQueryRecord("the query record has no _id that is stored, and no _base64, _url or _file")
    source = context.pictures.read_many([record])[0]
    try:
        if isinstance(source, ImageError):
            raise source
        picture, _ = decoded(context, source, record.get("_box"))
    except InvalidRequest as error:
        raise WrongQueryRecord(str(error)) from error
    embedder = embedder_of(context, collection)
    return np.asarray(embedder.embed([embedder.prepare(picture)])[0], np.float32)


def embedder_of(context: Context, collection: Collection) -> BatchedEmbedder:
    """Return the model of a collection: the very one that made its vectors.

    Raises:
        ConfigurationError: this server has another revision of it, whose vectors must not get among those.

    """
    embedder = context.models.get(collection.model)
    facts = embedder.facts
    if (facts.revision, facts.dimensions) != (collection.model_revision, collection.dimensions):
        raise ConfigurationError(
            f"the vectors of collection {collection.name!r} were made by {collection.model} of revision"
            f" {collection.model_revision}, and this server has revision {facts.revision}: install that one, or run"
            f" lookalike collection reembed {collection.name} --model {collection.model}"
        )
    return embedder


def decoded(context: Context, data: bytes, box: Json = None) -> tuple[Image.Image, Box | None]:
    """Return a picture, or the part of it that a record's `_box` names, and that box.

    Raises:
        ImageError: it is not a picture, damaged, or too large.
        InvalidRequest: the box is not one, or reaches out of the picture.

    """
    limits = ImageLimits(max_bytes=context.settings.max_image_bytes, max_pixels=context.settings.max_image_pixels)
    if box is None:
        return decode(data, limits, target=DECODE_PIXELS), None
    picture = decode(data, limits)
    checked = _box(box, picture.size)
    return picture.crop(checked), checked


def _box(value: Json, size: tuple[int, int]) -> Box:
    if not isinstance(value, list) or len(value) != 4 or not all(is_integer(number) for number in value):
        raise InvalidRequest("_box must be [x0, y0, x1, y1], whole numbers of pixels")
    x0, y0, x1, y1 = (int(number) for number in value)  # type: ignore[arg-type]
    if not (0 <= x0 < x1 <= size[0] and 0 <= y0 < y1 <= size[1]):
        raise InvalidRequest(f"_box must lie within the picture of {size[0]} x {size[1]} pixels")
    return x0, y0, x1, y1
