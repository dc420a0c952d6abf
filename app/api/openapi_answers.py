"""What each method answers with: the statuses, and the schemas of envelopes and records, each written once."""

from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from itertools import groupby
from typing import Any

from app.domain import statuses
from app.domain.statuses import Status

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Facts:
    """What the document says of a method beside its parameters: the group, the answer's schema, its own statuses."""

    tag: str
    answer: str
    statuses: tuple[Status, ...]


TAGS = {
    "Records": "Put records in, take them out, change them; each named by its `_id`.",
    "Search": "Rank records by their likeness to a picture, to several, or to words.",
    "Near duplicates": "Find records that show the same picture.",
    "Listing": "Records by their attributes, at random, or all of them.",
    "Collection": "About the collection and the server.",
}

_INSERTED = (
    statuses.RECORDS_INSERTED,
    statuses.SOME_INSERTED,
    statuses.RECORD_DUPLICATE,
    statuses.CAPACITY_EXCEEDED,
)
_FOUND = (statuses.RECORDS_FOUND, statuses.SOME_NOT_FOUND, statuses.RECORDS_NOT_FOUND)
_DELETED = (statuses.RECORDS_DELETED, statuses.SOME_NOT_FOUND, statuses.RECORDS_NOT_FOUND)
_LISTED = (statuses.OK,)
_RANKED = (statuses.OK, statuses.WRONG_QUERY_RECORD)
_GIVEN_RANKED = (*_RANKED, statuses.SOME_NOT_RANKED, statuses.RECORDS_NOT_FOUND)

FACTS = {
    "insert": Facts("Records", "ProcessedAnswer", _INSERTED),
    "get": Facts("Records", "ProcessedAnswer", _FOUND),
    "update": Facts("Records", "ProcessedAnswer", _FOUND),
    "delete": Facts("Records", "ProcessedAnswer", _DELETED),
    "visualKNN": Facts("Search", "RankedAnswer", _RANKED),
    "text": Facts("Search", "RankedAnswer", _RANKED),
    "visualKNNMulti": Facts("Search", "RankedAnswer", _RANKED),
    "visualTagsKNN": Facts("Search", "RankedAnswer", _RANKED),
    "visualTagsKNNMulti": Facts("Search", "RankedAnswer", _RANKED),
    "visualRankRecords": Facts("Search", "RankedRecordsAnswer", _GIVEN_RANKED),
    "visualTagsRankRecords": Facts("Search", "RankedRecordsAnswer", _GIVEN_RANKED),
    "range": Facts("Search", "RankedAnswer", _RANKED),
    "nearDuplicates": Facts("Near duplicates", "RankedAnswer", _RANKED),
    "nearDupsInsert": Facts("Near duplicates", "ProcessedAnswer", _INSERTED),
    "allNearDupPairs": Facts("Near duplicates", "PairsAnswer", _LISTED),
    "find": Facts("Listing", "FoundAnswer", _LISTED),
    "facets": Facts("Listing", "FacetsAnswer", _LISTED),
    "random": Facts("Listing", "ListingAnswer", _LISTED),
    "allRecords": Facts("Listing", "AllRecordsAnswer", _LISTED),
    "deleteByFilter": Facts("Listing", "ListingAnswer", _LISTED),
    "getRecordCount": Facts("Collection", "CountAnswer", _LISTED),
    "ping": Facts("Collection", "PingAnswer", _LISTED),
}

# What any call may be answered with; `ping` looks at no token, collection, body or database.
COMMON = (
    statuses.ABORTED,
    statuses.UNAUTHORIZED,
    statuses.FORBIDDEN,
    statuses.COLLECTION_NOT_FOUND,
    statuses.BODY_TOO_LARGE,
    statuses.TOO_MANY_REQUESTS,
    statuses.UNKNOWN_ERROR,
    statuses.UNAVAILABLE,
)
COMMON_OF_PING = (statuses.UNKNOWN_ERROR,)


def ref(name: str) -> Schema:
    """Return a reference to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def _list(items: Schema, description: str) -> Schema:
    return {"type": "array", "items": items, "description": description}


def _object(description: str, properties: Schema, required: Iterable[str]) -> Schema:
    return {"type": "object", "description": description, "properties": properties, "required": list(required)}


_STATUS: Schema = {
    "code": {"type": "integer", "description": "What became of the request."},
    "text": {"type": "string", "description": "The code in words."},
    "error_description": {"type": "string", "description": "What was wrong, in a sentence."},
}
_ENVELOPE: Schema = {"status": ref("Status"), "statistics": ref("Statistics")}
_COUNT: Schema = {"type": "integer", "minimum": 0, "description": "Number of records in the answer."}
_LISTING: Schema = {
    "answer_records": _list(ref("AnswerRecord"), "The records, with the fields that were asked for."),
    "answer_count": _COUNT,
}
_DISTANCES = _list(
    {"type": "number", "minimum": 0},
    "Distance of each record of `answer_records` to the query record; smaller is more alike, 0 is the same.",
)
_SKIPPED = _list(ref("SkippedRecord"), "The records that were not processed, each with its reason.")
_RANKED_FIELDS: Schema = {
    **_LISTING,
    "answer_distances": _DISTANCES,
    "query_records": _list({"type": "object"}, "The query records as they were sent, without `_base64`."),
}
_RANKED_REQUIRED = ("answer_records", "answer_count", "answer_distances", "query_records")


def _answer(description: str, own: Schema, required: Iterable[str]) -> Schema:
    return _object(description, {**_ENVELOPE, **own}, ("status", "statistics", *required))


_COUNTED: Schema = {
    "total_count": {"type": "integer", "minimum": 0, "description": "Number of records that match the filter."},
    "facets": {
        "type": "object",
        "additionalProperties": ref("Facet"),
        "description": "The facets that were asked for, by their names.",
    },
}

_ALL_RECORDS: Schema = {
    **_LISTING,
    "answer_count": {"type": "integer", "minimum": 0, "description": "Number of records in the whole collection."},
    "next": {"type": "string", "description": "Link to the next page, where there is one and `size` was given."},
    "previous": {"type": "string", "description": "Link to the page before, where there is one."},
    "output_file_name": {"type": "string", "description": "Name of the file, as it was asked for."},
}

_PAIRS: Schema = {
    "answer_records": _list(
        {"type": "array", "items": ref("AnswerRecord"), "minItems": 2, "maxItems": 2},
        "The pairs, nearest first; each pair stands once.",
    ),
    "answer_distances": _list({"type": "number", "minimum": 0}, "Distance between the two records of each pair."),
    "answer_count": {"type": "integer", "minimum": 0, "description": "Number of pairs in the answer."},
}

SCHEMAS: dict[str, Schema] = {
    "Status": _object(
        "The outcome of a call.",
        {**_STATUS, "request_id": {"type": "string", "description": "Id of this request, as in the server's log."}},
        ("code", "text", "request_id"),
    ),
    "Statistics": _object(
        "Figures about the processing; searches add which way was taken.",
        {
            "OperationTime": {"type": "integer", "minimum": 0, "description": "Milliseconds."},
            "search": {
                "type": "string",
                "enum": ["exact", "index", "index, then exact"],
                "description": "How a search was done: by comparing every record that matches, through the index, or "
                "both, where the index alone could not be trusted to have found all.",
            },
            "SearchTime": {
                "type": "number",
                "minimum": 0,
                "description": "Milliseconds of the search itself, without pictures and model.",
            },
            "ignored": {
                "type": "object",
                "additionalProperties": {"type": ["string", "null"]},
                "description": "Parameters of the request that the method does not know, each with the name that was "
                "probably meant; `?` before it: in the query string.",
            },
            "tags": {"type": "string", "description": "Why no tags were made although they were asked for."},
            "matches": {"type": "integer", "minimum": 0, "description": "Records that match the filter, if counted."},
            "matches_more_than": {
                "type": "integer",
                "minimum": 0,
                "description": "The number at which the count of matches was given up.",
            },
            "candidates": {"type": "integer", "minimum": 0, "description": "Records that were compared, if known."},
        },
        ("OperationTime",),
    ),
    "AnswerRecord": _object(
        "A record, with its `_id` and the fields that were asked for.",
        {"_id": {"type": "string"}},
        (),
    ),
    "SkippedRecord": _object(
        "A record that was not processed.",
        {
            "_id": {"type": ["string", "null"], "description": "Null where the record has none that can be read."},
            "_reason": _object(
                "Why. A near duplicate comes with the stored records that it looks like.",
                {
                    "status": _object("The reason.", _STATUS, ("code", "text")),
                    **_LISTING,
                    "answer_distances": _DISTANCES,
                },
                ("status",),
            ),
        },
        ("_id", "_reason"),
    ),
    "PingAnswer": _answer("The server is there.", {"info": {"type": "string"}}, ("info",)),
    "CountAnswer": _answer("A number of records.", {"answer_count": _COUNT}, ("answer_count",)),
    "ListingAnswer": _answer("A list of records.", _LISTING, ("answer_records", "answer_count")),
    "FoundAnswer": _answer("A list of records.", {**_LISTING, **_COUNTED}, ("answer_records", "answer_count")),
    "FacetsAnswer": _answer("Counts of the values of fields.", _COUNTED, ("total_count", "facets")),
    "Facet": _object(
        "How many of the records have which values of a field. A list counts once for each value in it.",
        {
            "values": _list(
                _object(
                    "A value, or a range of numbers as the condition that a filter takes.",
                    {
                        "value": {"description": "The value; of a range its bounds, as `$gte`, `$lt`, `$lte`."},
                        "count": {"type": "integer", "minimum": 0, "description": "Records that have it."},
                        "selected": {
                            "type": "boolean",
                            "description": "Whether the filter asks something of the field, and this value meets it.",
                        },
                    },
                    ("value", "count", "selected"),
                ),
                "Single values by their count, the greatest first; ranges in their order.",
            ),
            "missing": {"type": "integer", "minimum": 0, "description": "Records without a value in the field."},
            "other": {
                "type": "integer",
                "minimum": 0,
                "description": "Of single values: the sum of the counts of those that are not listed. Of ranges: the "
                "records whose values are no numbers.",
            },
            "distinct": {"type": "integer", "minimum": 0, "description": "Number of different single values."},
            "exact": {"type": "boolean", "description": "Whether every record was counted."},
        },
        ("values", "missing", "other", "exact"),
    ),
    "AllRecordsAnswer": _answer("Records of a collection.", _ALL_RECORDS, ("answer_records", "answer_count")),
    "ProcessedAnswer": _answer(
        "What became of each record.", {**_LISTING, "skipped_records": _SKIPPED}, ("answer_records", "answer_count")
    ),
    "RankedAnswer": _answer("Records in order, nearest first.", _RANKED_FIELDS, _RANKED_REQUIRED),
    "RankedRecordsAnswer": _answer(
        "The given records in order, nearest first.",
        {**_RANKED_FIELDS, "skipped_records": _SKIPPED},
        _RANKED_REQUIRED,
    ),
    "PairsAnswer": _answer("Pairs of records.", _PAIRS, ("answer_records", "answer_distances", "answer_count")),
    "Failure": _answer(
        "A call that did not do what it was asked; where records were refused one by one, it says which and why.",
        {**_LISTING, "answer_distances": _DISTANCES, "skipped_records": _SKIPPED},
        (),
    ),
}

_HEADERS: Schema = {"X-Request-ID": {"$ref": "#/components/headers/RequestId"}}


def responses(answer: str, own: Iterable[Status], example: Schema | None) -> dict[str, Schema]:
    """Return the responses of a method, by HTTP status: which codes each carries, and in which schema."""

    def http(status: Status) -> HTTPStatus:
        return status.http

    made: dict[str, Schema] = {}
    for carrier, group in groupby(sorted(own, key=lambda status: (status.http, status.code)), http):
        together = list(group)
        ok = carrier is HTTPStatus.OK
        media: Schema = {"schema": _of_codes(answer if ok else "Failure", together)}
        if ok and example is not None:
            media["examples"] = {"specification": {"summary": "The specification's example", "value": example}}
        headers = dict(_HEADERS)
        if carrier is HTTPStatus.SERVICE_UNAVAILABLE:
            headers["Retry-After"] = {"$ref": "#/components/headers/RetryAfter"}
        said = "; ".join(f"{status.code} {status.text}" for status in together)
        made[str(carrier.value)] = {"description": said, "headers": headers, "content": {"application/json": media}}
    return made


def _of_codes(answer: str, together: list[Status]) -> Schema:
    """Return the schema of an answer whose status is one of these."""
    status = {
        "code": {"enum": sorted({status.code for status in together})},
        "text": {"enum": [status.text for status in together]},
    }
    return {"allOf": [ref(answer), {"properties": {"status": {"properties": status}}}]}
