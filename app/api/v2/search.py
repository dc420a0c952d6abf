"""visualKNN and its kin: everything that begins with a query record."""

from app.api.answers import RankedAnswer, RankedRecordsAnswer
from app.api.envelope import Body, query_records, ranked, skipped
from app.api.methods import Answer, Call, Example, example_of_search, method
from app.api.parsing import (
    records_within,
)
from app.api.v2.ranked import (
    GIVEN_RANKED,
    RANKED,
    ExampleParameters,
    KnnParameters,
    RangeParameters,
    RankParameters,
    TagsKnnParameters,
    TagsMultiParameters,
    TagsRankParameters,
    ranked_answer,
    stored_id,
)
from app.domain import statuses
from app.domain.errors import InvalidRequest, WrongQueryRecord
from app.domain.records import TEXT_FIELD, Fields
from app.domain.searches import Searched
from app.domain.tokens import Scope
from app.domain.windows import Window
from app.services import ranking as rank_service
from app.services import search as service
from app.services.examples import check_unweighted, examples_of

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
    check_unweighted([record])
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
    ExampleParameters,
    tag="Search",
    answer=RankedAnswer,
    example=_MULTI_EXAMPLE,
    own_statuses=RANKED,
)
def visual_knn_multi(call: Call, parameters: ExampleParameters) -> Answer:
    """Find the records that look most like several query records."""
    records = records_within(parameters.query_records, call.context.settings.max_queries, "query_records")
    negatives = parameters.negative_records
    if negatives:
        records_within(negatives, call.context.settings.max_queries, "negative_records")
    examples = examples_of(records, negatives, parameters.strategy)
    if examples is not None:
        if "aggregation" in parameters.model_fields_set:
            raise InvalidRequest(
                "aggregation: goes without strategy, negative_records and weights, which say themselves how the"
                " distances become one"
            )
        found = service.by_examples(parameters.ranked(call), records, negatives, examples)
    else:
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
    check_unweighted(records)
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
    check_unweighted(records)
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
    own_statuses=GIVEN_RANKED,
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
    own_statuses=GIVEN_RANKED,
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
    given = parameters.search(call, Window(parameters.k, parameters.from_), parameters.radius)
    check_unweighted([parameters.query_record])
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
    search = Searched(stored_id(parameters.query_record), None, parameters.k, len(outcome.records), "exact")
    return Answer(outcome.status, body, search=search)
