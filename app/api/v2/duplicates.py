"""nearDuplicates, nearDupsInsert, allNearDupPairs: pictures that show the same."""

import orjson
from pydantic import Field

from app.api.answers import PairsAnswer, ProcessedAnswer, RankedAnswer
from app.api.envelope import Body
from app.api.methods import Answer, Call, Example, example_of_search, method
from app.api.parsing import (
    DuplicateRadius,
    FieldsToReturn,
    Filter,
    From,
    Parameters,
    QueryRecord,
    Radius,
    Wanted,
    records_within,
)
from app.api.v2.ranked import RANKED, SearchParameters, ranked_answer
from app.api.v2.records import INSERTED, InsertParameters, processed_answer
from app.domain import statuses
from app.domain.records import Fields
from app.domain.tokens import Scope
from app.domain.windows import Window
from app.services import inserting
from app.services import listing as listing_service
from app.services import pairs as pair_service
from app.services import search as service


class NearDuplicatesParameters(SearchParameters):
    """A query record; the radius is that of near duplicates unless another is given."""

    query_record: QueryRecord
    radius: DuplicateRadius = service.NEAR_DUPLICATE_RADIUS
    fields_to_return: FieldsToReturn = Field(default=["*"])


class NearDupsInsertParameters(InsertParameters):
    """`records` as for insert; those that look like a stored one within the radius are skipped."""

    fields_to_return: FieldsToReturn = Field(default=["*"])
    radius: DuplicateRadius = service.NEAR_DUPLICATE_RADIUS


class AllNearDupPairsParameters(Parameters):
    """A radius, and which part of the pairs is wanted."""

    radius: Radius = service.NEAR_DUPLICATE_RADIUS
    filter: Filter = None
    k: Wanted = 1000
    from_: From = 0
    fields_to_return: FieldsToReturn = Field(default=["_id"])


@method(
    "nearDuplicates",
    Scope.READ,
    NearDuplicatesParameters,
    tag="Near duplicates",
    answer=RankedAnswer,
    example=example_of_search(
        {
            "cand_set_size": 1000,
            "fields_to_return": ["_id"],
            "filter": {"$gte": {"price": 200}},
            "query_record": {"_url": "http://mydomain.com/my-image.png"},
            "radius": 5.0,
        },
        [10.0, 20.0],
        milliseconds=6,
    ),
    own_statuses=RANKED,
)
def near_duplicates(call: Call, parameters: NearDuplicatesParameters) -> Answer:
    """Find the records that show the same picture as the query record."""
    given = parameters.search(call, Window(None), parameters.radius)
    return ranked_answer(parameters, service.within(given, parameters.query_record), [parameters.query_record])


@method(
    "nearDupsInsert",
    Scope.WRITE,
    NearDupsInsertParameters,
    tag="Near duplicates",
    answer=ProcessedAnswer,
    example=Example(
        {
            "cand_set_size": 1000,
            "fields_to_return": ["_id"],
            "radius": 5.0,
            "records": [
                {"_id": "1", "_url": "http://mydomain.com/img.png"},
                {"_base64": "...", "_id": "2"},
                {"_id": "3", "_url": "http://mydomain.com/another_image.jpg"},
            ],
        },
        {
            "answer_records": [{"_id": "1"}],
            "skipped_records": [
                {
                    "_id": "3",
                    "_reason": {
                        "status": {"code": 211, "text": "record(s) duplicate"},
                        "answer_records": [{"_id": "10"}],
                        "answer_distances": [3.0],
                    },
                },
                {"_id": "2", "_reason": {"status": {"code": 211, "text": "record(s) duplicate"}}},
            ],
            "answer_count": 1,
        },
        statuses.SOME_INSERTED,
        milliseconds=4,
    ),
    own_statuses=INSERTED,
)
def near_dups_insert(call: Call, parameters: NearDupsInsertParameters) -> Answer:
    """Insert records that show no picture that is stored already."""
    records = records_within(parameters.records, call.context.settings.max_batch)
    fields = Fields.of(parameters.fields_to_return)
    condition = inserting.without_near_duplicates(call.collection, parameters.radius, fields)
    outcome = inserting.insert(
        call.context, call.collection, records, fields, condition, parameters.extract, parameters.mode
    )
    return processed_answer(outcome)


@method(
    "allNearDupPairs",
    Scope.READ,
    AllNearDupPairsParameters,
    tag="Near duplicates",
    answer=PairsAnswer,
    example=Example(
        {"fields_to_return": ["_id"], "k": 1000, "radius": 5.0},
        {"answer_records": [[{"_id": "1"}, {"_id": "2"}]], "answer_distances": [3.0], "answer_count": 1},
        milliseconds=6,
    ),
)
def all_near_dup_pairs(call: Call, parameters: AllNearDupPairsParameters) -> Answer:
    """Find all pairs of records that show the same picture, nearest first.

    Where all within the radius are stored (`lookalike duplicates scan`), those are the answer, up to date; else every
    pair is compared. `statistics.pairs` says which.
    """
    fields = Fields.of(parameters.fields_to_return)
    listing = listing_service.of(call.collection, fields, parameters.filter)
    window = Window(parameters.k, parameters.from_)
    pairs = pair_service.near_duplicate_pairs(call.context, listing, parameters.radius, window)
    body: Body = {
        "answer_records": [[orjson.Fragment(one.json()) for one in pair.records] for pair in pairs.found],
        "answer_distances": [pair.distance for pair in pairs.found],
        "answer_count": len(pairs.found),
        "statistics": {"pairs": "stored" if pairs.stored else "compared"},
    }
    return Answer(statuses.OK, body)
