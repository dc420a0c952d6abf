"""visualTagsKNN, visualTagsKNNMulti, visualTagsRankRecords: looks and tags together."""

from collections.abc import Mapping, Sequence

from app.db import records as table
from app.db import tagged
from app.db.tagged import TaggedQuery
from app.db.target import Nearest, Vector
from app.domain.collections import Collection
from app.domain.errors import InvalidRequest
from app.domain.jsontext import loads_stored
from app.domain.ranking import Aggregation, Ranking
from app.domain.records import TEXT_FIELD, Fields, Json
from app.domain.tags import field_of, tags_of
from app.services.context import Context
from app.services.extraction import made_tags, tags_are_made
from app.services.search import Search, cut, timed, vectors_of_queries


def search(
    given: Search,
    query_records: Sequence[Mapping[str, Json]],
    ranking: Ranking,
    weight: float,
    aggregation: Aggregation = Aggregation.MEAN,
) -> Nearest:
    """Return the records nearest by `(1 - weight) x looks + weight x tags`, tags by Jaccard on the same scale.

    A query picture without tags gets those that an insert would make of it; a query that has none then, or is a text,
    is compared by its looks alone.

    Raises:
        WrongQueryRecord: a query record is neither stored nor has a picture that can be read.
        FilterError: the filter is not one.

    """
    target = given.target(ranking, query_records)
    field = field_of(given.collection.service)
    vectors = vectors_of_queries(given, query_records)
    queries = []
    for record, vector in zip(query_records, vectors, strict=True):
        tags = query_tags(given.context, given.collection, record, vector)
        queries.append(TaggedQuery(vector, tags, weight if tags else 0.0))
    db, product_field = given.context.db, ranking.product_field
    return cut(timed(lambda: tagged.search(db, target, queries, field, aggregation, product_field)), ranking)


def query_tags(context: Context, collection: Collection, record: Mapping[str, Json], vector: Vector) -> list[str]:
    """Return the tags of a query record: its own, those of the stored record with its `_id`, or made of its picture.

    Args:
        context: the parts that services work with.
        collection: where is searched.
        record: the query record.
        vector: its vector.

    Raises:
        Unavailable: the model is too busy.

    """
    field = field_of(collection.service)
    if record.get(field) is not None:
        return tags_of(record, field)
    own = record.get("_id")
    if isinstance(own, str):
        stored = stored_tags(context, collection, [own], field)
        if own in stored:
            return stored[own]
    if record.get(TEXT_FIELD) is not None or not tags_are_made(context, collection):
        return []
    return made_tags(context, collection, [vector])[0]


def stored_tags(context: Context, collection: Collection, ids: Sequence[str], field: str) -> dict[str, list[str]]:
    """Return the tags of stored records, by id."""
    found = table.get(context.db, collection, ids, Fields(names=(field,)))
    return {own: tags_of(_object(record.attributes), field) for own, record in found.items()}


def _object(text: str | None) -> dict[str, Json]:
    value = loads_stored(text) if text else {}
    if not isinstance(value, dict):
        raise InvalidRequest("a record's attributes are not an object")
    return value
