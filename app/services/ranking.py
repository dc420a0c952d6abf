"""visualRankRecords: given records, ordered by their likeness to a query record; nothing is stored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from app.db import records as record_table
from app.db.search import Stored, distances
from app.domain import statuses
from app.domain.collections import Collection
from app.domain.errors import InvalidRequest
from app.domain.jsontext import check, dumps
from app.domain.records import IMAGE_FIELDS, TEXT_FIELD, Fields, Found, Json, Processed, Skipped
from app.domain.services import SERVICES
from app.domain.statuses import Status
from app.domain.tags import jaccard_distance, tags_of
from app.search.request import Vector
from app.services.context import Context
from app.services.extraction import made_tags, tags_are_made
from app.services.record_input import Incoming, checked_id, read_each
from app.services.search import object_of, read_queries
from app.services.vectors import read_pictures

# Pictures decoded and embedded at a time, so that a thousand of them take neither the memory nor the whole queue.
_PICTURES = 64


@dataclass(frozen=True, slots=True)
class Given:
    """One record of the request: its `_id`, if it has one, and all that was sent with it."""

    id: str | None
    fields: Mapping[str, Json]
    place: int


def rank(
    context: Context,
    collection: Collection,
    query_record: Mapping[str, Json],
    records: Sequence[Json],
    fields: Fields,
    k: int | None,
    radius: float | None,
    tags_weight: float = 0.0,
) -> Processed:
    """Return the records nearest first; at most `k`, within the radius, both unlimited where None.

    With a weight, the distance is `(1 - weight) x looks + weight x tags`; without tags in the query, looks alone.

    A record is a stored one by `_id`, or a picture. One that is neither is skipped with a reason.

    Raises:
        WrongQueryRecord: the query record is neither stored nor has a picture that can be read.

    """
    given, skipped = _read(records)
    tags_field = (SERVICES[collection.service].tags_field,) if tags_weight > 0 else ()
    read = read_queries(context, collection, [query_record, *(record.fields for record in given)], tags_field)
    query = replace(read, records=[query_record])
    [vector] = query.vectors()
    vectors, more = _vectors(context, collection, given, read.stored)
    skipped += more
    usable = [(record, one) for record, one in zip(given, vectors, strict=True) if one is not None]
    values = distances(context.db, collection, vector, [one for _, one in usable]) if usable else []
    if tags_weight > 0 and (wanted := query.tags([vector])[0]):
        tags = _tags(context, collection, usable, read.stored)
        values = _with_tags(collection, wanted, tags, values, tags_weight)
    order = sorted((value, place) for place, value in enumerate(values) if radius is None or value <= radius)[:k]
    chosen = [(usable[place][0], distance) for distance, place in order]
    return Processed(_status(bool(usable), bool(skipped)), _answers(context, collection, chosen, fields), skipped)


def _with_tags(
    collection: Collection,
    wanted: Sequence[str],
    others: Sequence[Sequence[str]],
    values: Sequence[float],
    weight: float,
) -> list[float]:
    combined = []
    for tags, value in zip(others, values, strict=True):
        far = collection.distance_scale * jaccard_distance(wanted, tags)
        combined.append((1 - weight) * value + weight * far)
    return combined


def _tags(
    context: Context,
    collection: Collection,
    usable: Sequence[tuple[Given, Vector]],
    stored: Mapping[str, Stored],
) -> list[list[str]]:
    """Return the tags of each record: its own, those of the stored record with its `_id`, or made of its picture."""
    field = SERVICES[collection.service].tags_field
    found: list[list[str]] = []
    bare = []
    for place, (record, _) in enumerate(usable):
        known = stored.get(record.id) if record.id is not None else None
        if record.fields.get(field) is not None:
            found.append(tags_of(record.fields, field))
        elif known is not None:
            found.append(tags_of(object_of(known.attributes), field))
        else:
            found.append([])
            bare.append(place)
    if bare and tags_are_made(context, collection):
        made = made_tags(context, collection, [usable[place][1] for place in bare])
        for place, tags in zip(bare, made, strict=True):
            found[place] = tags
    return found


def _status(ranked_any: bool, skipped_any: bool) -> Status:
    if not skipped_any:
        return statuses.OK
    return statuses.SOME_NOT_RANKED if ranked_any else statuses.RECORDS_NOT_FOUND


def _read(records: Sequence[Json]) -> tuple[list[Given], list[Skipped]]:
    def read(record: dict[str, Json], place: int) -> Given:
        if record.get(TEXT_FIELD) is not None:
            raise InvalidRequest(f"{TEXT_FIELD} is for the query record; a record to rank is a picture")
        check({key: value for key, value in record.items() if key != "_base64"}, "a record")
        given_id = record.get("_id")
        return Given(None if given_id is None else checked_id(given_id), record, place)

    return read_each(records, read)


def _vectors(
    context: Context, collection: Collection, given: Sequence[Given], stored: Mapping[str, Stored]
) -> tuple[list[Vector | None], list[Skipped]]:
    known = [stored.get(record.id) if record.id is not None else None for record in given]
    vectors: list[Vector | None] = [None if one is None else one.vector for one in known]
    skipped = []
    pictures = []
    for place, record in enumerate(given):
        if vectors[place] is not None:
            continue
        if any(record.fields.get(field) for field in IMAGE_FIELDS):
            pictures.append(place)
        elif record.id is None:
            skipped.append(Skipped(None, statuses.SKIPPED_ERROR, "the record has neither an _id nor a picture"))
        else:
            skipped.append(Skipped(record.id, statuses.SKIPPED_NOT_FOUND))
    plain = replace(collection, thumbnails=False, keep_images=False)
    for start in range(0, len(pictures), _PICTURES):
        # The place stands in for the `_id`, which a picture need not have.
        batch = [Incoming(str(place), dict(given[place].fields), "") for place in pictures[start : start + _PICTURES]]
        read, unreadable = read_pictures(context, plain, batch)
        skipped += unreadable
        for incoming, picture in read:
            vectors[int(incoming.id)] = picture.embedding
    return vectors, skipped


def _answers(
    context: Context, collection: Collection, chosen: Sequence[tuple[Given, float]], fields: Fields
) -> list[Found]:
    ids = [record.id for record, _ in chosen if record.id is not None]
    stored = record_table.get(context.db, collection, ids, fields) if ids and not fields.only_id else {}
    answers = []
    for record, distance in chosen:
        known = stored.get(record.id) if record.id is not None else None
        text = known.attributes if known is not None else _sent(record, fields)
        answers.append(Found(record.id or "", text, distance))
    return answers


def _sent(record: Given, fields: Fields) -> str | None:
    """Return what was sent of a record that is not stored."""
    if fields.only_id:
        return None if record.id is not None else _position(record)
    attributes = {key: value for key, value in record.fields.items() if key not in ("_id", "_base64")}
    told = attributes if fields.everything else {name: attributes[name] for name in fields.names if name in attributes}
    return dumps(told) if told or record.id is not None else _position(record)


def _position(record: Given) -> str:
    """Return what a record without an `_id` is known by if it has none of the fields that are asked for."""
    return dumps({"_position": record.place})
