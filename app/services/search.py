"""Searches by likeness: one query record or several, by rank, by radius, by product."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

from app.db import ranked, search
from app.db.target import EXACT, Nearest, Target, Vector
from app.domain.collections import Collection
from app.domain.errors import InvalidRequest, WrongQueryRecord
from app.domain.ranking import Aggregation, Ranking
from app.domain.records import Fields, Json
from app.domain.windows import Window
from app.services.context import Context
from app.services.filtering import condition
from app.services.incoming import record_id
from app.services.texts import embed_text, text_of
from app.services.vectors import embed_query

NEAR_DUPLICATE_RADIUS = 5.0


@dataclass(frozen=True, slots=True)
class Search:
    """What every search is given: where, what of the records is wanted, and which may be answered."""

    context: Context
    collection: Collection
    fields: Fields
    filter: Json = None
    exact: bool = False

    def target(self, ranking: Ranking, query_records: Sequence[Mapping[str, Json]]) -> Target:
        """Return the database's view of it.

        Raises:
            FilterError: the filter is not one.
            InvalidRequest: `from` + `k` is more than the server looks through.

        """
        check_window(self.context, ranking.window)
        where = condition(self.context, self.collection, self.filter, query_records)
        asked = tuple(own for record in query_records if isinstance(own := record.get("_id"), str))
        return Target(self.collection, ranking.window, self.fields, where, ranking.effort, self.exact, asked)


def visual_knn(given: Search, query_record: Mapping[str, Json], ranking: Ranking) -> Nearest:
    """Return the records whose pictures look most like the query record's, nearest first.

    Raises:
        WrongQueryRecord: its `_id` is not stored and it has no picture that can be read, and no text.
        FilterError: the filter is not one.
        InvalidRequest: `from` + `k` is more than the server looks through.

    """
    target = given.target(ranking, [query_record])
    db = given.context.db
    if ranking.product_field is not None:
        vector = vector_of(given.context, given.collection, query_record)
        field = ranking.product_field
        return cut(timed(lambda: ranked.products(db, target, vector, field)), ranking)
    text = text_of(query_record)
    if text is not None:
        embedding = embed_text(given.context, given.collection, text)
        return cut(timed(lambda: search.knn_by_vector(db, target, embedding)), ranking)
    own = query_record.get("_id")
    if own is not None:
        started = perf_counter()
        nearest = search.knn_by_id(db, target, record_id(own))
        if nearest is not None:
            return cut(replace(nearest, milliseconds=(perf_counter() - started) * 1000), ranking)
        target = replace(target, asked=())
    embedding = embed_query(given.context, given.collection, query_record)
    return cut(timed(lambda: search.knn_by_vector(db, target, embedding)), ranking)


def visual_knn_multi(
    given: Search, query_records: Sequence[Mapping[str, Json]], ranking: Ranking, aggregation: Aggregation
) -> Nearest:
    """Return the records nearest to several query records, by the mean, least or greatest of their distances.

    Raises:
        WrongQueryRecord: one of them is neither stored nor has a picture that can be read; the message says which.
        FilterError: the filter is not one.

    """
    target = given.target(ranking, query_records)
    vectors = vectors_of_queries(given, query_records)
    return cut(timed(lambda: ranked.multi(given.context.db, target, vectors, aggregation)), ranking)


def within(given: Search, query_record: Mapping[str, Json], ranking: Ranking, k: int | None) -> Nearest:
    """Return every record within a radius of the query record, nearest first; at most `k` of them, None for all.

    With a product field, the nearest record of every product within the radius.

    Raises:
        WrongQueryRecord: the query record is neither stored nor has a picture that can be read.
        FilterError: the filter is not one.

    """
    target = given.target(ranking, [query_record])
    vector = vector_of(given.context, given.collection, query_record)
    radius = ranking.radius if ranking.radius is not None else NEAR_DUPLICATE_RADIUS
    db, field = given.context.db, ranking.product_field
    return timed(lambda: Nearest(ranked.within(db, target, vector, radius, k, field), EXACT))


def timed(find: Callable[[], Nearest]) -> Nearest:
    """Search, and note how long it took."""
    started = perf_counter()
    return replace(find(), milliseconds=(perf_counter() - started) * 1000)


def vector_of(context: Context, collection: Collection, record: Mapping[str, Json]) -> Vector:
    """Return the vector of a query record: that of its text, the stored one of its `_id`, or that of its picture.

    Raises:
        WrongQueryRecord: there is none of them.

    """
    text = text_of(record)
    if text is not None:
        return embed_text(context, collection, text)
    own = record.get("_id")
    if own is not None:
        stored = search.vector(context.db, collection, record_id(own))
        if stored is not None:
            return stored
    return embed_query(context, collection, record)


def check_window(context: Context, window: Window) -> None:
    """Refuse a window that reaches further than the server looks.

    Raises:
        InvalidRequest: `from` + `k` is too large.

    """
    if window.end > context.settings.max_k:
        raise InvalidRequest(f"from + k may be at most {context.settings.max_k}")


def cut(nearest: Nearest, ranking: Ranking) -> Nearest:
    """Return what lies within the radius; beyond it nothing is nearer, so nothing is missed."""
    if ranking.radius is None:
        return nearest
    radius = ranking.radius
    kept = [found for found in nearest.records if found.distance is not None and found.distance <= radius]
    return replace(nearest, records=kept)


def vectors_of_queries(given: Search, query_records: Sequence[Mapping[str, Json]]) -> list[Vector]:
    """Return the vectors of query records.

    Raises:
        WrongQueryRecord: one of them has none; the message says which.

    """
    if len(query_records) == 1:
        return [vector_of(given.context, given.collection, query_records[0])]
    return [_numbered(given, position, record) for position, record in enumerate(query_records)]


def _numbered(given: Search, position: int, record: Mapping[str, Json]) -> Vector:
    try:
        return vector_of(given.context, given.collection, record)
    except (WrongQueryRecord, InvalidRequest) as error:
        raise WrongQueryRecord(f"query_records[{position}]: {error}") from error
