"""Searches by likeness: one query record or several, by rank, by radius, by product, with tags."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from app.db.search import Stored, find, stored
from app.domain.collections import Collection
from app.domain.errors import InvalidRequest, WrongQueryRecord
from app.domain.jsontext import loads_stored
from app.domain.ranking import Aggregation, Nearest
from app.domain.records import TEXT_FIELD, TEXT_WEIGHT, Fields, Json, QueryRecord
from app.domain.refinement import NOTHING, Refinement
from app.domain.services import SERVICES
from app.domain.tags import tags_of
from app.domain.windows import Window
from app.filters import NO_FILTER, Where, fields_taken
from app.search.request import Point, Query, Several, Vector, combined, several
from app.services import qualified
from app.services.context import Context
from app.services.examples import Examples
from app.services.extraction import made_tags, tags_are_made
from app.services.filtering import condition, filled, in_boost
from app.services.record_input import checked_id
from app.services.texts import embed_text, text_of, text_weight_of
from app.services.vectors import embed_query

NEAR_DUPLICATE_RADIUS = 5.0


@dataclass(frozen=True, slots=True)
class Search:
    """A search is given these facts beside its query records.

    Attributes:
        context: the parts that services work with.
        collection: where is searched.
        window: ranks that are answered, counted in products where `product_field` is set.
        fields: what of the records is answered.
        filter: which records may be answered; None: all.
        exact: compare every record that matches.
        effort: HNSW search effort (1..1000); None: the server's default.
        radius: largest distance of an answer record, inclusive, on the API's scale; None: no limit.
        product_field: attribute of which at most one record a value is answered; None: every record.
        refinement: what is asked beside the nearest records.
        recall_target: share of the true neighbours that it aims at, above 0 and at most 1; None: the collection's.

    """

    context: Context
    collection: Collection
    window: Window
    fields: Fields
    filter: Json = None
    exact: bool = False
    effort: int | None = None
    radius: float | None = None
    product_field: str | None = None
    refinement: Refinement = NOTHING
    recall_target: float | None = None

    @property
    def taken(self) -> frozenset[str]:
        """The fields that the filter and those of the boosts take from the query records."""
        taken = frozenset() if self.filter is None else fields_taken(self.filter)
        for number, boost in enumerate(self.refinement.boosts):
            if boost.filter is not None:
                with in_boost(number):
                    taken |= fields_taken(boost.filter)
        return taken

    def query(self, where: Where, asked: tuple[str, ...] = ()) -> Query:
        """Return the query, without what it looks for."""
        return Query(
            self.collection,
            self.window,
            self.fields,
            where,
            effort=self.effort,
            exact=self.exact,
            recall_target=self.recall_target,
            radius=self.radius,
            product_field=self.product_field,
            asked=asked,
        )


@dataclass(frozen=True, slots=True)
class QueryRecords:
    """The query records of a request, with what is stored of them: it is read once.

    Attributes:
        context: the parts that services work with.
        collection: where they are looked up.
        records: as they were sent.
        stored: those of them that are stored, by id.
        name: the parameter that they came in, for errors.

    """

    context: Context
    collection: Collection
    records: Sequence[QueryRecord]
    stored: Mapping[str, Stored]
    name: str = "query_records"

    def vectors(self) -> list[Vector]:
        """Return their vectors: that of a text, the stored one of an `_id`, or that of a picture.

        Raises:
            WrongQueryRecord: one has none of them; of several, the message says which.

        """
        if len(self.records) == 1 and self.name == "query_records":
            return [self._vector(self.records[0])]
        return [self._numbered(position, record) for position, record in enumerate(self.records)]

    def tags(self, vectors: Sequence[Vector]) -> list[list[str]]:
        """Return their tags: their own, those of the stored record with their `_id`, or made of the picture's vector.

        Raises:
            Unavailable: the model is too busy.

        """
        field = SERVICES[self.collection.service].tags_field
        return [self._tags(record, vector, field) for record, vector in zip(self.records, vectors, strict=True)]

    def values(self) -> list[Mapping[str, object]]:
        """Return their fields: first their own, then what was read of the stored records with their ids."""
        return [{**self._attributes(record), **record} for record in self.records]

    def _numbered(self, position: int, record: QueryRecord) -> Vector:
        try:
            return self._vector(record)
        except (WrongQueryRecord, InvalidRequest) as error:
            raise WrongQueryRecord(f"{self.name}[{position}]: {error}") from error

    def _vector(self, record: QueryRecord) -> Vector:
        text = text_of(record)
        weight = text_weight_of(record)
        if text is None or weight is None:
            return self._picture(record) if text is None else embed_text(self.context, self.collection, text)
        both = combined([embed_text(self.context, self.collection, text), self._picture(record)], [weight, 1 - weight])
        if both is None:
            raise WrongQueryRecord(f"{TEXT_FIELD} and the picture cancel each other out; give another {TEXT_WEIGHT}")
        return both

    def _picture(self, record: QueryRecord) -> Vector:
        if record.get("_id") is not None and (known := self.stored.get(checked_id(record["_id"]))) is not None:
            return known.vector
        return embed_query(self.context, self.collection, record)

    def _tags(self, record: QueryRecord, vector: Vector, field: str) -> list[str]:
        if record.get(field) is not None:
            return tags_of(record, field)
        if isinstance(record_id := record.get("_id"), str) and record_id in self.stored:
            return tags_of(self._attributes(record), field)
        if record.get(TEXT_FIELD) is not None or not tags_are_made(self.context, self.collection):
            return []
        return made_tags(self.context, self.collection, [vector])[0]

    def _attributes(self, record: QueryRecord) -> dict[str, Json]:
        record_id = record.get("_id")
        known = self.stored.get(record_id) if isinstance(record_id, str) else None
        return object_of(known.attributes) if known is not None else {}


def visual_knn(given: Search, record: QueryRecord) -> Nearest:
    """Return the records whose pictures look most like the query record's, nearest first.

    Raises:
        WrongQueryRecord: its `_id` is not stored and it has no picture that can be read, and no text.
        FilterError: the filter is not one.
        InvalidRequest: `from` + `k` is more than the server looks through.

    """
    worded = any(record.get(field) is not None for field in (TEXT_FIELD, TEXT_WEIGHT))
    if record.get("_id") is None or worded or given.taken or given.refinement.asked:
        given, query, queries = _read(given, [record])
        return _find(given, query.near(queries.vectors()[0]))
    # The database looks the stored record up by itself.
    check_window(given.context, given.window)
    query = given.query(condition(given.collection, given.filter))
    nearest = find(given.context.db, query.near(checked_id(record["_id"])))
    if nearest is not None:
        return nearest
    return _find(given, query.near(embed_query(given.context, given.collection, record)))


def within(given: Search, record: QueryRecord) -> Nearest:
    """Return every record within the radius of the query record, nearest first, or the nearest of each product.

    Every matching record is compared: hits vary from none to most of a collection at one radius, so that no number of
    candidates from an index would be surely enough.

    Raises:
        WrongQueryRecord: the query record is neither stored nor has a picture that can be read.
        FilterError: the filter is not one.

    """
    return visual_knn(replace(given, exact=True), record)


def visual_knn_multi(given: Search, records: Sequence[QueryRecord], aggregation: Aggregation) -> Nearest:
    """Return the records nearest to several query records, by the mean, least or greatest of their distances.

    Raises:
        WrongQueryRecord: one of them is neither stored nor has a picture that can be read; the message says which.
        FilterError: the filter is not one.

    """
    given, query, queries = _read(given, records)
    return _find(given, query.near(several(queries.vectors(), aggregation)))


def by_examples(
    given: Search, records: Sequence[QueryRecord], negatives: Sequence[QueryRecord], examples: Examples
) -> Nearest:
    """Return the records most like some examples and least like others.

    Raises:
        WrongQueryRecord: one of them is neither stored nor has a picture that can be read; the message says which.
        FilterError: the filter is not one.
        InvalidRequest: the weighted examples cancel each other out.

    """
    given, query, queries = _read(given, [*records, *negatives], repelling=len(negatives))
    vectors = replace(queries, records=records).vectors()
    if negatives:
        vectors += replace(queries, records=negatives, name="negative_records").vectors()
    return _find(given, query.near(examples.looked_for(vectors)))


def tags_knn(
    given: Search, records: Sequence[QueryRecord], weight: float, aggregation: Aggregation = Aggregation.MEAN
) -> Nearest:
    """Return the records nearest by `(1 - weight) x looks + weight x tags`, tags by Jaccard on the same scale.

    A query picture without tags gets those that an insert would make of it; a query that has none then, or is a text,
    is compared by its looks alone.

    Raises:
        WrongQueryRecord: a query record is neither stored nor has a picture that can be read.
        FilterError: the filter is not one.

    """
    field = SERVICES[given.collection.service].tags_field
    given, query, queries = _read(given, records, field)
    vectors = queries.vectors()
    tagged = zip(vectors, queries.tags(vectors), strict=True)
    points = [Point(vector, tags, weight if tags else 0.0) for vector, tags in tagged]
    return _find(given, query.near(Several(points, aggregation, field)))


def read_queries(
    context: Context,
    collection: Collection,
    records: Sequence[QueryRecord],
    names: Sequence[str] = (),
    where: Where = NO_FILTER,
) -> QueryRecords:
    """Read what is stored of query records: vectors, the attributes of these names, whether they match."""
    ids = [
        record_id for record in records if isinstance(record_id := record.get("_id"), str) and "\x00" not in record_id
    ]
    known = stored(context.db, collection, ids, Fields(names=tuple(names)), where) if ids else {}
    return QueryRecords(context, collection, records, known)


def check_window(context: Context, window: Window) -> None:
    """Refuse a window that reaches further than the server looks.

    Raises:
        InvalidRequest: `from` + `k` is too large.

    """
    if window.offset + (window.k or 0) > context.settings.max_k:
        raise InvalidRequest(f"from + k may be at most {context.settings.max_k}")


def object_of(text: str | None) -> dict[str, Json]:
    """Return attributes as they are stored as an object; an empty one where there is no text."""
    value = loads_stored(text) if text else {}
    return value if isinstance(value, dict) else {}


def _read(
    given: Search, records: Sequence[QueryRecord], *names: str, repelling: int = 0
) -> tuple[Search, Query, QueryRecords]:
    """Return a query, and its query records read with these attributes and those that filters take from them.

    The search comes back with the filters in which these are filled in. From the last records, as many as repel,
    nothing is taken.
    """
    check_window(given.context, given.window)
    given.refinement.check(
        likeness=True,
        radius=given.radius is not None,
        product_field=given.product_field,
        window=given.window,
        most=given.context.settings.max_k,
    )
    taken = given.taken
    where = NO_FILTER if taken else condition(given.collection, given.filter)
    wanted = sorted({*names, *(field.split(".")[0] for field in taken)})
    queries = read_queries(given.context, given.collection, records, wanted, where)
    if taken:
        given = _filled(given, queries.values()[: len(records) - repelling])
        where = condition(given.collection, given.filter)
    return (
        given,
        given.query(where, tuple(record_id for record_id, one in queries.stored.items() if one.matches)),
        queries,
    )


def _filled(given: Search, values: Sequence[Mapping[str, object]]) -> Search:
    """Return the search with what its filters take from the query records in its place."""
    boosts = []
    for number, boost in enumerate(given.refinement.boosts):
        with in_boost(number):
            boosts.append(replace(boost, filter=filled(boost.filter, values)))
    refinement = replace(given.refinement, boosts=tuple(boosts))
    return replace(given, filter=filled(given.filter, values), refinement=refinement)


def _find(given: Search, query: Query) -> Nearest:
    if given.refinement.asked:
        return qualified.search(given.context, query, given.refinement, given.filter)
    return qualified.nearest_to(given.context, query)
