"""The answer's shape: status, statistics, and what the method adds."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from flask import Response

from app.domain.errors import LookalikeError
from app.domain.records import Found, Json, Skipped
from app.domain.statuses import Status

Body = dict[str, Any]


def status_of(status: Status, description: str | None = None) -> Body:
    """Return the `status` map; `error_description` only where there is something to say."""
    body: Body = {"code": status.code, "text": status.text}
    if description is not None:
        body["error_description"] = description
    return body


def record(found: Found) -> orjson.Fragment:
    """Return one answer record. The attributes' JSON text is passed through as the database wrote it."""
    own = orjson.dumps({"_id": found.id})
    if found.attributes is None or found.attributes == "{}":
        return orjson.Fragment(own)
    return orjson.Fragment(own[:-1] + b"," + found.attributes[1:].encode())


def skipped(item: Skipped) -> Body:
    """Return one record of `skipped_records`, with its reason."""
    reason: Body = {"status": status_of(item.status, item.description)}
    if item.near_duplicates is not None:
        reason |= ranked(item.near_duplicates)
    return {"_id": item.record_id, "_reason": reason}


def listed(records: Sequence[Found]) -> Body:
    """Return the fields of every listing answer."""
    return {"answer_records": [record(found) for found in records], "answer_count": len(records)}


def ranked(records: Sequence[Found]) -> Body:
    """Return the fields of every ranked answer."""
    return {**listed(records), "answer_distances": [found.distance for found in records]}


def query_records(records: Sequence[Mapping[str, Json]]) -> list[Body]:
    """Return query records as they were sent, without the bytes of their pictures."""
    return [{key: value for key, value in one.items() if key != "_base64"} for one in records]


def response(status: Status, body: Body, request_id: str, started: float, description: str | None = None) -> Response:
    """Write an answer. `started` is the `time.perf_counter()` at which the request came in."""
    statistics = {"OperationTime": round((time.perf_counter() - started) * 1000), **body.pop("statistics", {})}
    envelope = {
        "status": {**status_of(status, description), "request_id": request_id},
        "statistics": statistics,
        **body,
    }
    written = orjson.dumps(envelope, default=_write)
    return Response(
        written, status.http.value, {"X-Request-ID": request_id}, content_type="application/json;charset=UTF-8"
    )


def failure(error: LookalikeError, request_id: str, started: float) -> Response:
    """Write the answer to a request that failed."""
    answer = response(error.status, {}, request_id, started, str(error))
    if error.retry_after_seconds is not None:
        answer.headers["Retry-After"] = str(error.retry_after_seconds)
    return answer


def _write(value: object) -> orjson.Fragment:
    """Write a Decimal with all its digits; orjson asks for nothing else."""
    return orjson.Fragment(str(value))
