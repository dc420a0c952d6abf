"""visualKNN and its kin: everything that begins with a query record."""

from typing import Annotated, Any

from pydantic import Field

from app.api.envelope import Body, query_records, ranked, skipped
from app.api.methods import Answer, Call, method
from app.api.parsing import Count, Effort, Filter, Names, Number, Parameters, QueryRecord, Text, records_within
from app.domain import statuses
from app.domain.collections import check_product_field
from app.domain.errors import WrongQueryRecord
from app.domain.ranking import Aggregation, Nearest
from app.domain.records import TEXT_FIELD, Fields
from app.domain.tokens import Scope
from app.domain.windows import Window
from app.services import ranking as rank_service
from app.services import search as service

Weight = Annotated[Number, Field(ge=0, le=1)]


class SearchParameters(Parameters):
    """What every search takes."""

    fields_to_return: Names = Field(default=["_id"])
    filter: Filter = None
    cand_set_size: Effort | None = None
    approx_param: Effort | None = None
    exact: bool = False

    def search(
        self, call: Call, window: Window, radius: float | None, product_field: str | None = None
    ) -> service.Search:
        """Return the search that is asked for."""
        return service.Search(
            call.context,
            call.collection,
            window,
            Fields.of(self.fields_to_return),
            self.filter,
            self.exact,
            self.cand_set_size or self.approx_param,
            radius,
            product_field,
        )


class KnnParameters(SearchParameters):
    """A query record, and how much of the ranking is wanted."""

    query_record: QueryRecord
    k: Count = 30
    from_: Count = Field(default=0, alias="from")
    radius: Number | None = Field(default=None, ge=0)
    product_field: Text | None = None

    def ranked(self, call: Call) -> service.Search:
        """Return the search that is asked for."""
        window = Window(self.k, self.from_)
        return self.search(call, window, self.radius, _product_field(call, self.product_field))


class MultiParameters(SearchParameters):
    """Several query records, and how their distances become one."""

    query_records: list[QueryRecord]
    k: Count = 30
    from_: Count = Field(default=0, alias="from")
    radius: Number | None = Field(default=None, ge=0)
    aggregation: Aggregation = Aggregation.MEAN

    def ranked(self, call: Call) -> service.Search:
        """Return the search that is asked for."""
        return self.search(call, Window(self.k, self.from_), self.radius)


class RangeParameters(SearchParameters):
    """A query record and a radius; `k` and `from` page through what lies within it."""

    query_record: QueryRecord
    radius: Number = Field(ge=0)
    k: Count | None = None
    from_: Count = Field(default=0, alias="from")
    product_field: Text | None = None


class NearDuplicatesParameters(SearchParameters):
    """A query record; the radius is that of near duplicates unless another is given."""

    query_record: QueryRecord
    radius: Number = Field(default=service.NEAR_DUPLICATE_RADIUS, ge=0)
    fields_to_return: Names = Field(default=["*"])


class TagsKnnParameters(KnnParameters):
    """As for visualKNN, and how much the tags weigh."""

    tags_weight: Weight = 0.5


class TagsMultiParameters(MultiParameters):
    """As for visualKNNMulti, and how much the tags weigh."""

    tags_weight: Weight = 0.5


class RankParameters(Parameters):
    """A query record, and the records to put in order."""

    query_record: QueryRecord
    records: list[Any]
    k: Count | None = None
    radius: Number | None = Field(default=None, ge=0)
    fields_to_return: Names = Field(default=["_id", "_url", "_file"])


class TagsRankParameters(RankParameters):
    """As for visualRankRecords, and how much the tags weigh."""

    tags_weight: Weight = 0.5


def _product_field(call: Call, given: str | None) -> str | None:
    """Return the request's product field: the collection's where it names none, none where it names the empty one.

    Raises:
        InvalidRequest: the request's is not the name of a top-level attribute.

    """
    if given:
        check_product_field(given)
    return (call.collection.product_field if given is None else given) or None


def _answer(found: Nearest, sent: list[dict[str, Any]]) -> Answer:
    body = ranked(found.records)
    body["query_records"] = query_records(sent)
    body["statistics"] = _statistics(found)
    return Answer(statuses.OK, body)


def _statistics(found: Nearest) -> Body:
    """Return how a search was done; what is not known is left out."""
    figures = {
        "search": found.way,
        "SearchTime": round(found.milliseconds, 2),
        "matches": found.matches,
        "matches_more_than": found.more_than,
        "candidates": found.candidates,
    }
    return {name: figure for name, figure in figures.items() if figure is not None}


@method("visualKNN", Scope.READ, KnnParameters)
def visual_knn(call: Call, parameters: KnnParameters) -> Answer:
    """Find the records that look most like the query record."""
    return _answer(service.visual_knn(parameters.ranked(call), parameters.query_record), [parameters.query_record])


@method("text", Scope.READ, KnnParameters)
def text(call: Call, parameters: KnnParameters) -> Answer:
    """Find the records whose pictures fit the words of the query record best: visualKNN, for `_text_data` alone."""
    if parameters.query_record.get(TEXT_FIELD) is None:
        raise WrongQueryRecord(f"the query record has no {TEXT_FIELD}; visualKNN searches by pictures")
    return visual_knn(call, parameters)


@method("visualKNNMulti", Scope.READ, MultiParameters)
def visual_knn_multi(call: Call, parameters: MultiParameters) -> Answer:
    """Find the records that look most like several query records."""
    records = records_within(parameters.query_records, call.context.settings.max_queries, "query_records")
    return _answer(service.visual_knn_multi(parameters.ranked(call), records, parameters.aggregation), records)


@method("range", Scope.READ, RangeParameters)
def range_(call: Call, parameters: RangeParameters) -> Answer:
    """Find every record within a radius of the query record."""
    product_field = _product_field(call, parameters.product_field)
    given = parameters.search(call, Window(parameters.k, parameters.from_), parameters.radius, product_field)
    return _answer(service.within(given, parameters.query_record), [parameters.query_record])


@method("nearDuplicates", Scope.READ, NearDuplicatesParameters)
def near_duplicates(call: Call, parameters: NearDuplicatesParameters) -> Answer:
    """Find the records that show the same picture as the query record."""
    given = parameters.search(call, Window(None), parameters.radius)
    return _answer(service.within(given, parameters.query_record), [parameters.query_record])


@method("visualRankRecords", Scope.READ, RankParameters)
def visual_rank_records(call: Call, parameters: RankParameters) -> Answer:
    """Put given records in the order of their likeness to the query record."""
    return _rank(call, parameters, 0.0)


@method("visualTagsRankRecords", Scope.READ, TagsRankParameters)
def visual_tags_rank_records(call: Call, parameters: TagsRankParameters) -> Answer:
    """Put given records in the order of their likeness and tags."""
    return _rank(call, parameters, parameters.tags_weight)


@method("visualTagsKNN", Scope.READ, TagsKnnParameters)
def visual_tags_knn(call: Call, parameters: TagsKnnParameters) -> Answer:
    """Find the records that look most like the query record and share its tags."""
    records = [parameters.query_record]
    return _answer(service.tags_knn(parameters.ranked(call), records, parameters.tags_weight), records)


@method("visualTagsKNNMulti", Scope.READ, TagsMultiParameters)
def visual_tags_knn_multi(call: Call, parameters: TagsMultiParameters) -> Answer:
    """Find the records that look most like several query records and share their tags."""
    records = records_within(parameters.query_records, call.context.settings.max_queries, "query_records")
    weight, aggregation = parameters.tags_weight, parameters.aggregation
    return _answer(service.tags_knn(parameters.ranked(call), records, weight, aggregation), records)


def _rank(call: Call, parameters: RankParameters, tags_weight: float) -> Answer:
    records = records_within(parameters.records, call.context.settings.max_records)
    fields = Fields.of(parameters.fields_to_return)
    outcome = rank_service.rank(
        call.context,
        call.collection,
        parameters.query_record,
        records,
        fields,
        parameters.k,
        parameters.radius,
        tags_weight,
    )
    body: Body = {**ranked(outcome.records), "query_records": query_records([parameters.query_record])}
    body["statistics"] = {"search": "exact"}
    if outcome.skipped:
        body["skipped_records"] = [skipped(item) for item in outcome.skipped]
    return Answer(outcome.status, body)
