"""The one table of answer statuses: envelope code, envelope text, HTTP status."""

from dataclasses import dataclass
from http import HTTPStatus


@dataclass(frozen=True, slots=True)
class Status:
    """One row of the table: what the envelope says and which HTTP status carries it."""

    code: int
    text: str
    http: HTTPStatus


OK = Status(200, "OK", HTTPStatus.OK)
RECORDS_FOUND = Status(205, "records found", HTTPStatus.OK)
SOME_NOT_FOUND = Status(206, "some of the records not found", HTTPStatus.OK)
RECORDS_INSERTED = Status(210, "records inserted", HTTPStatus.OK)
SOME_INSERTED = Status(211, "some records inserted", HTTPStatus.OK)
SOME_NOT_RANKED = Status(213, "some of the records not found", HTTPStatus.OK)
RECORDS_DELETED = Status(220, "records deleted", HTTPStatus.OK)

ABORTED = Status(402, "aborted by error", HTTPStatus.BAD_REQUEST)
UNAUTHORIZED = Status(401, "unauthorized", HTTPStatus.UNAUTHORIZED)
FORBIDDEN = Status(403, "forbidden", HTTPStatus.FORBIDDEN)
WRONG_QUERY_RECORD = Status(403, "wrong query record", HTTPStatus.UNPROCESSABLE_ENTITY)
RECORDS_NOT_FOUND = Status(404, "records not found", HTTPStatus.NOT_FOUND)
COLLECTION_NOT_FOUND = Status(404, "collection not found", HTTPStatus.NOT_FOUND)
JOB_NOT_FOUND = Status(404, "job not found", HTTPStatus.NOT_FOUND)
METHOD_NOT_FOUND = Status(404, "method not found", HTTPStatus.NOT_FOUND)
NOT_FOUND = Status(404, "not found", HTTPStatus.NOT_FOUND)
VERB_NOT_ALLOWED = Status(405, "HTTP verb not allowed", HTTPStatus.METHOD_NOT_ALLOWED)
RECORD_DUPLICATE = Status(411, "record duplicate", HTTPStatus.CONFLICT)
CAPACITY_EXCEEDED = Status(412, "hard capacity exceeded", HTTPStatus.CONFLICT)
CONFLICT = Status(409, "conflict", HTTPStatus.CONFLICT)
BODY_TOO_LARGE = Status(413, "request body too large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
TOO_MANY_REQUESTS = Status(429, "too many requests", HTTPStatus.TOO_MANY_REQUESTS)
UNKNOWN_ERROR = Status(500, "unknown error", HTTPStatus.INTERNAL_SERVER_ERROR)
UNAVAILABLE = Status(503, "service unavailable", HTTPStatus.SERVICE_UNAVAILABLE)
STORAGE_FULL = Status(507, "storage full", HTTPStatus.INSUFFICIENT_STORAGE)

# Statuses that stand only in the `_reason` of a skipped record, never on the envelope itself.
SKIPPED_DUPLICATE = Status(211, "record(s) duplicate", HTTPStatus.OK)
SKIPPED_NOT_FOUND = Status(404, "records not found", HTTPStatus.OK)
SKIPPED_ERROR = Status(402, "aborted by error", HTTPStatus.OK)
