"""From records to embeddings: pictures read in parallel, embedded in one batch, each only once (`VectorCache`)."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.db.replacing import Known
from app.domain.collections import Collection
from app.domain.errors import ConfigurationError, ImageError, InvalidRequest, WrongQueryRecord
from app.domain.jsontext import is_integer
from app.domain.records import IMAGE_FIELDS, Attributes, Json, Skipped
from app.embedding.models.base import Prepared
from app.embedding.models.batching import BatchedEmbedder
from app.embedding.models.vector_cache import Box, Cached, Claim, Claims, Key
from app.embedding.pictures.images import decode, thumbnail
from app.filters.values import shown
from app.services.context import Context
from app.services.extraction import NOTHING, Extract, with_colours, with_tags
from app.services.record_input import Incoming, skip

# Decoded at about twice the size that models take, so that their own resampling decides what they see.
DECODE_PIXELS = 448
_NO_PICTURES: Mapping[str, Known] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as it is stored: its embedding (float32, unit length) and its thumbnail (WebP).

    `original` is the picture as it came, None where the collection does not keep it; `box` the part of it that is the
    record's, None for all of it; `made` the attributes that were made of it; `digest` the SHA-256 of its bytes.
    """

    embedding: NDArray[np.float32]
    thumbnail: bytes | None
    digest: bytes
    original: bytes | None = None
    box: Box | None = None
    made: Attributes = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Look:
    """One picture of a request: `prepared` where this request computes its vector, `thumbnail` if it was made."""

    data: bytes
    claim: Claim
    prepared: Prepared | None = None
    thumbnail: bytes | None = None


def read_pictures(
    context: Context,
    collection: Collection,
    records: Sequence[Incoming],
    extract: Extract = NOTHING,
    known: Mapping[str, Known] = _NO_PICTURES,
) -> tuple[list[tuple[Incoming, Picture]], list[Skipped]]:
    """Return the records whose pictures could be read, with their pictures, and the others with the reason.

    What `extract` asks for is made of each picture unless its record has it already. `known` are stored pictures, by
    the ids of these records: one that comes again is neither decoded nor embedded.

    Raises:
        Unavailable: the model is too busy.

    """
    fields = [record.fields for record in records]
    sources = context.pictures.read_many(fields)
    stored = [known.get(record.id) for record in records]
    seen_ = _seen(context, collection, fields, sources, stored, thumbnails=collection.thumbnails)
    usable: list[tuple[Incoming, Picture]] = []
    skipped = []
    for record, source, looked in zip(records, sources, seen_, strict=True):
        if isinstance(source, ImageError):
            skipped.append(skip(record.fields, source))
        elif isinstance(looked, InvalidRequest):
            skipped.append(skip(record.fields, looked))
        else:
            seen, digest = looked
            box = checked_box(record.fields.get("_box"))
            made = with_colours(record.fields, decoded(context, source, box)) if extract.colours else {}
            small = seen.thumbnail if collection.thumbnails else None
            kept = source if collection.keep_images else None
            usable.append((record, Picture(seen.embedding, small, digest, kept, box, made)))
    if not extract.makes_tags(context, collection):
        return usable, skipped
    tags = with_tags(
        context, collection, [record.fields for record, _ in usable], [picture.embedding for _, picture in usable]
    )
    return [
        (record, replace(picture, made=picture.made | added))
        for (record, picture), added in zip(usable, tags, strict=True)
    ], skipped


def embed_query(context: Context, collection: Collection, record: Mapping[str, Json]) -> NDArray[np.float32]:
    """Return the embedding of a query record's picture.

    Raises:
        WrongQueryRecord: it has no picture, or one that cannot be read.
        Unavailable: the model is too busy.

    """
    if not any(record.get(field) for field in IMAGE_FIELDS):
        given_id = record.get("_id")
        lacks = "has no _id" if given_id is None else f'has the _id "{shown(str(given_id))}", which is not stored,'
        raise WrongQueryRecord(f"the query record {lacks} and no _base64, _url, _file or _text_data")
    looked = _seen(context, collection, [record], context.pictures.read_many([record]), [None], thumbnails=False)[0]
    if isinstance(looked, InvalidRequest):
        raise WrongQueryRecord(str(looked)) from looked
    return looked[0].embedding


def embed_each_once(
    context: Context, embedder: BatchedEmbedder, given: Sequence[tuple[Key, Prepared | Cached]]
) -> list[NDArray[np.float32]]:
    """Return the embeddings of pictures, prepared or seen already; what is computed of them is remembered.

    Pictures of one key are computed once, also where another thread is at it.

    Raises:
        Unavailable: the model is too busy.

    """
    with context.vector_cache.claims() as claims:
        results: list[Future[Cached] | Cached] = []
        claimed: list[tuple[Claim, Prepared]] = []
        for key, one in given:
            if isinstance(one, Cached):
                results.append(one)
                continue
            claim = claims.claim(key)
            results.append(claim.result)
            if claim.mine:
                claimed.append((claim, one))
        rows = embedder.embed([one for _, one in claimed])
        for (claim, _), row in zip(claimed, rows, strict=True):
            claims.settle(claim, Cached(row))
    return [(one if isinstance(one, Cached) else one.result()).embedding for one in results]


def embedder_of(context: Context, collection: Collection) -> BatchedEmbedder:
    """Return the model of a collection: the very one that made its vectors.

    Raises:
        ConfigurationError: this server has another revision of it, whose vectors must not get among those.

    """
    embedder = context.models.get(collection.model, collection.model_revision)
    facts = embedder.facts
    if (facts.revision, facts.dimensions) != (collection.model_revision, collection.dimensions):
        raise ConfigurationError(
            f"the vectors of collection {collection.name!r} were made by {collection.model} of revision"
            f" {collection.model_revision}, and this server has revision {facts.revision}: install that one, or run"
            f" lookalike collection reembed {collection.name} --model {collection.model}"
        )
    return embedder


def _seen(
    context: Context,
    collection: Collection,
    records: Sequence[Mapping[str, Json]],
    sources: Sequence[bytes | ImageError],
    known: Sequence[Known | None],
    *,
    thumbnails: bool,
) -> list[tuple[Cached, bytes] | InvalidRequest]:
    """Return what is seen of each record's picture and its digest, or why it cannot be read, in order."""
    embedder = embedder_of(context, collection)
    looks: list[_Look | InvalidRequest] = []
    with context.vector_cache.claims() as claims:
        for record, source, stored in zip(records, sources, known, strict=True):
            try:
                if isinstance(source, ImageError):
                    raise source
                key = Key.of(source, checked_box(record.get("_box")), embedder.facts)
                if stored is not None and _is(stored, key, thumbnails=thumbnails):
                    looks.append(_Look(source, Claim.done(key, Cached(stored.embedding, stored.thumbnail))))
                else:
                    looks.append(_look(context, embedder, claims, source, key, thumbnails=thumbnails))
            except InvalidRequest as error:
                looks.append(error)
        to_embed = [look for look in looks if isinstance(look, _Look) and look.prepared is not None]
        rows = embedder.embed([look.prepared for look in to_embed if look.prepared is not None])
        for look, row in zip(to_embed, rows, strict=True):
            claims.settle(look.claim, Cached(row, look.thumbnail))
    return [_result(context, look, thumbnails=thumbnails) if isinstance(look, _Look) else look for look in looks]


def _is(stored: Known, key: Key, *, thumbnails: bool) -> bool:
    """Say whether a stored picture is the one of a key, and comes with all that is wanted of it."""
    return stored.content == (key.digest, key.box) and (stored.thumbnail is not None or not thumbnails)


def _look(
    context: Context,
    embedder: BatchedEmbedder,
    claims: Claims,
    data: bytes,
    key: Key,
    *,
    thumbnails: bool,
) -> _Look:
    """Claim a picture; decode and prepare it, if it is neither remembered nor being computed by another request."""
    claim = claims.claim(key)
    if not claim.mine:
        return _Look(data, claim)
    try:
        picture = decoded(context, data, claim.key.box)
        return _Look(data, claim, embedder.prepare(picture), thumbnail(picture) if thumbnails else None)
    except InvalidRequest as error:
        claims.fail(claim, error)
        raise


def _result(context: Context, look: _Look, *, thumbnails: bool) -> tuple[Cached, bytes] | InvalidRequest:
    """Return what was computed, waiting for another request that does it, with a thumbnail where one is wanted.

    Beside it stands the digest of the picture.
    """
    try:
        seen = look.claim.result.result()
    except InvalidRequest as error:
        return error
    if thumbnails and seen.thumbnail is None:  # it was a query first
        small = thumbnail(decoded(context, look.data, look.claim.key.box))
        seen = Cached(seen.embedding, small)
        context.vector_cache.put(look.claim.key, seen)
    return seen, look.claim.key.digest


def decoded(context: Context, data: bytes, box: Box | None = None) -> Image.Image:
    """Return a picture, or the part of it that a record's box names.

    Raises:
        ImageError: it is not a picture, damaged, or too large.
        InvalidRequest: the box reaches out of the picture.

    """
    limits = context.settings.images
    with context.metrics.timed("decode"):
        picture = decode(data, limits, target=DECODE_PIXELS) if box is None else decode(data, limits)
    if box is None:
        return picture
    x0, y0, x1, y1 = box
    if not (0 <= x0 < x1 <= picture.width and 0 <= y0 < y1 <= picture.height):
        raise InvalidRequest(f"_box must lie within the picture of {picture.width} x {picture.height} pixels")
    return picture.crop(box)


def checked_box(value: Json) -> Box | None:
    """Return the box that a record's `_box` names, None where it names none.

    Raises:
        InvalidRequest: it is not one.

    """
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 4 or not all(is_integer(number) for number in value):
        raise InvalidRequest("_box must be [x0, y0, x1, y1], whole numbers of pixels")
    x0, y0, x1, y1 = (int(number) for number in value)  # type: ignore[arg-type]
    return x0, y0, x1, y1
