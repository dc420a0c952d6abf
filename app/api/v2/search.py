"""visualKNN and its kin: everything that begins with a query record."""

from collections.abc import Mapping, Sequence

from pydantic import Field

from app.api.envelope import Body, query_records, ranked, skipped
from app.api.methods import Answer, Call, Example, example_of_search, method
from app.api.parsing import (
    Effort,
    FieldsToReturn,
    Filter,
    From,
    Parameters,
    ProductField,
    QueryRecord,
    QueryRecords,
    Radius,
    RadiusOrNone,
    Records,
    TagsWeight,
    Wanted,
    WantedOrAll,
    records_within,
)
from app.api.shapes import RankedAnswer, RankedRecordsAnswer
from app.domain import statuses
from app.domain.collections import check_product_field
from app.domain.errors import WrongQueryRecord
from app.domain.ranking import Aggregation, Nearest
from app.domain.records import TEXT_FIELD, Fields, Json
from app.domain.searches import Searched
from app.domain.tokens import Scope
from app.domain.windows import Window
from app.services import ranking as rank_service
from app.services import search as service

RANKED = (statuses.OK, statuses.WRONG_QUERY_RECORD)
_GIVEN_RANKED = (*RANKED, statuses.SOME_NOT_RANKED, statuses.RECORDS_NOT_FOUND)


class SearchParameters(Parameters):
    """What every search takes."""

    fields_to_return: FieldsToReturn = Field(default=["_id"])
    filter: Filter = None
    cand_set_size: Effort = None
    approx_param: Effort = None
    exact: bool = Field(
        default=False,
        description="Compare every record that matches, whatever it costs: nothing is missed. Left out, the way is "
        "chosen, and `statistics.search` says which.",
    )

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
    k: Wanted = 30
    from_: From = 0
    radius: RadiusOrNone = None
    product_field: ProductField = None

    def ranked(self, call: Call) -> service.Search:
        """Return the search that is asked for."""
        window = Window(self.k, self.from_)
        return self.search(call, window, self.radius, _product_field(call, self.product_field))


class MultiParameters(SearchParameters):
    """Several query records, and how their distances become one."""

    query_records: QueryRecords
    k: Wanted = 30
    from_: From = 0
    radius: RadiusOrNone = None
    aggregation: Aggregation = Field(
        default=Aggregation.MEAN,
        description="How the distances to several query records become one: their mean, the least, the greatest.",
    )

    def ranked(self, call: Call) -> service.Search:
        """Return the search that is asked for."""
        return self.search(call, Window(self.k, self.from_), self.radius)


class RangeParameters(SearchParameters):
    """A query record and a radius; `k` and `from` page through what lies within it."""

    query_record: QueryRecord
    radius: Radius
    k: WantedOrAll = None
    from_: From = 0
    product_field: ProductField = None


class TagsKnnParameters(KnnParameters):
    """As for visualKNN, and how much the tags weigh."""

    tags_weight: TagsWeight = 0.5


class TagsMultiParameters(MultiParameters):
    """As for visualKNNMulti, and how much the tags weigh."""

    tags_weight: TagsWeight = 0.5


class RankParameters(Parameters):
    """A query record, and the records to put in order."""

    query_record: QueryRecord
    records: Records = Field(
        description="The records to rank: stored ones by `_id`, or pictures, mixed; nothing is stored."
    )
    k: WantedOrAll = None
    radius: RadiusOrNone = None
    fields_to_return: FieldsToReturn = Field(default=["_id", "_url", "_file"])


class TagsRankParameters(RankParameters):
    """As for visualRankRecords, and how much the tags weigh."""

    tags_weight: TagsWeight = 0.5


def _product_field(call: Call, given: str | None) -> str | None:
    """Return the request's product field: the collection's where it names none, none where it names the empty one.

    Raises:
        InvalidRequest: the request's is not the name of a top-level attribute.

    """
    if given:
        check_product_field(given)
    return (call.collection.product_field if given is None else given) or None


def ranked_answer(
    parameters: SearchParameters, found: Nearest, sent: Sequence[Mapping[str, Json]], k: int | None = None
) -> Answer:
    """Return the answer of a search; `sent` are its query records, `k` is how many were asked for, None: all."""
    body = ranked(found.records)
    body["query_records"] = query_records(sent)
    body["statistics"] = _statistics(found)
    search = Searched(_stored_id(sent[0]), parameters.filter, k, len(found.records), found.way)
    return Answer(statuses.OK, body, search=search)


def _stored_id(query_record: Mapping[str, Json]) -> str | None:
    record_id = query_record.get("_id")
    return record_id if isinstance(record_id, str) else None


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


_KNN_EXAMPLE = example_of_search(
    {
        "cand_set_size": 1000,
        "fields_to_return": ["_id"],
        "filter": {"$gte": {"price": 200}},
        "from": 0,
        "k": 3,
        "product_field": "product_id",
        "query_record": {"_url": "http://mydomain.com/my-image.png"},
    },
    [40.0, 50.0, 60.0],
)
_MULTI_EXAMPLE = example_of_search(
    {
        "cand_set_size": 1000,
        "fields_to_return": ["_id"],
        "filter": {"$gte": {"price": 200}},
        "from": 0,
        "k": 3,
        "query_records": [{"_id": "10"}, {"_id": "11"}],
    },
    [40.0, 50.0, 60.0],
    milliseconds=5,
)
_RANK_EXAMPLE = Example(
    {
        "fields_to_return": ["_id"],
        "k": 3,
        "query_record": {"_url": "http://mydomain.com/my-image.png"},
        "radius": 5.0,
        "records": [
            {"_url": "http://mydomain.com/img.png"},
            {"_base64": "...", "_file": "local_file_uri"},
            {"_id": "3"},
        ],
    },
    {
        "answer_records": [{"_id": "1"}, {"_id": "2"}, {"_id": "3"}],
        "answer_distances": [40.0, 50.0, 60.0],
        "query_records": [{"_url": "http://mydomain.com/my-image.png"}],
        "skipped_records": [{"_id": "3", "_reason": {"status": {"code": 404, "text": "records not found"}}}],
        "answer_count": 3,
    },
    statuses.SOME_NOT_RANKED,
    milliseconds=3,
)


@method(
    "visualKNN", Scope.READ, KnnParameters, tag="Search", answer=RankedAnswer, example=_KNN_EXAMPLE, own_statuses=RANKED
)
def visual_knn(call: Call, parameters: KnnParameters) -> Answer:
    """Find the records that look most like the query record."""
    record = parameters.query_record
    return ranked_answer(parameters, service.visual_knn(parameters.ranked(call), record), [record], parameters.k)


@method(
    "text",
    Scope.READ,
    KnnParameters,
    tag="Search",
    answer=RankedAnswer,
    example=example_of_search(
        {"fields_to_return": ["_id"], "k": 3, "query_record": {"_text_data": "red summer dress"}},
        [44.0, 45.5, 46.0],
        milliseconds=9,
    ),
    own_statuses=RANKED,
)
def text(call: Call, parameters: KnnParameters) -> Answer:
    """Find the records whose pictures fit the words of the query record best: visualKNN, for `_text_data` alone."""
    if parameters.query_record.get(TEXT_FIELD) is None:
        raise WrongQueryRecord(f"the query record has no {TEXT_FIELD}; visualKNN searches by pictures")
    return visual_knn(call, parameters)


@method(
    "visualKNNMulti",
    Scope.READ,
    MultiParameters,
    tag="Search",
    answer=RankedAnswer,
    example=_MULTI_EXAMPLE,
    own_statuses=RANKED,
)
def visual_knn_multi(call: Call, parameters: MultiParameters) -> Answer:
    """Find the records that look most like several query records."""
    records = records_within(parameters.query_records, call.context.settings.max_queries, "query_records")
    found = service.visual_knn_multi(parameters.ranked(call), records, parameters.aggregation)
    return ranked_answer(parameters, found, records, parameters.k)


@method(
    "visualTagsKNN",
    Scope.READ,
    TagsKnnParameters,
    tag="Search",
    answer=RankedAnswer,
    example=_KNN_EXAMPLE,
    own_statuses=RANKED,
)
def visual_tags_knn(call: Call, parameters: TagsKnnParameters) -> Answer:
    """Find the records that look most like the query record and share its tags."""
    records = [parameters.query_record]
    found = service.tags_knn(parameters.ranked(call), records, parameters.tags_weight)
    return ranked_answer(parameters, found, records, parameters.k)


@method(
    "visualTagsKNNMulti",
    Scope.READ,
    TagsMultiParameters,
    tag="Search",
    answer=RankedAnswer,
    example=_MULTI_EXAMPLE,
    own_statuses=RANKED,
)
def visual_tags_knn_multi(call: Call, parameters: TagsMultiParameters) -> Answer:
    """Find the records that look most like several query records and share their tags."""
    records = records_within(parameters.query_records, call.context.settings.max_queries, "query_records")
    weight, aggregation = parameters.tags_weight, parameters.aggregation
    found = service.tags_knn(parameters.ranked(call), records, weight, aggregation)
    return ranked_answer(parameters, found, records, parameters.k)


@method(
    "visualRankRecords",
    Scope.READ,
    RankParameters,
    tag="Search",
    answer=RankedRecordsAnswer,
    example=_RANK_EXAMPLE,
    own_statuses=_GIVEN_RANKED,
)
def visual_rank_records(call: Call, parameters: RankParameters) -> Answer:
    """Put given records in the order of their likeness to the query record."""
    return _rank(call, parameters, 0.0)


@method(
    "visualTagsRankRecords",
    Scope.READ,
    TagsRankParameters,
    tag="Search",
    answer=RankedRecordsAnswer,
    example=_RANK_EXAMPLE,
    own_statuses=_GIVEN_RANKED,
)
def visual_tags_rank_records(call: Call, parameters: TagsRankParameters) -> Answer:
    """Put given records in the order of their likeness and tags."""
    return _rank(call, parameters, parameters.tags_weight)


@method(
    "range",
    Scope.READ,
    RangeParameters,
    tag="Search",
    answer=RankedAnswer,
    example=example_of_search(
        {
            "cand_set_size": 1000,
            "fields_to_return": ["_id"],
            "filter": {"$gte": {"price": 200}},
            "product_field": "product_id",
            "query_record": {"_url": "http://mydomain.com/my-image.png"},
            "radius": 100,
        },
        [40.0, 50.0, 60.0],
    ),
    own_statuses=RANKED,
)
def range_(call: Call, parameters: RangeParameters) -> Answer:
    """Find every record within a radius of the query record."""
    product_field = _product_field(call, parameters.product_field)
    given = parameters.search(call, Window(parameters.k, parameters.from_), parameters.radius, product_field)
    found = service.within(given, parameters.query_record)
    return ranked_answer(parameters, found, [parameters.query_record], parameters.k)


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
    search = Searched(_stored_id(parameters.query_record), None, parameters.k, len(outcome.records), "exact")
    return Answer(outcome.status, body, search=search)
