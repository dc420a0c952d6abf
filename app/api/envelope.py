"""The answer's shape: status, statistics, and what the method adds."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson
from flask import Response

from app.domain.errors import LookalikeError
from app.domain.records import Found, Json, Skipped
from app.domain.statuses import Status

Body = dict[str, Any]
_JSON = "application/json;charset=UTF-8"


class Enveloped(Response):
    """An answer in an envelope; `told` is the status that the envelope says."""

    told: Status


def status_of(status: Status, description: str | None = None) -> Body:
    """Return the `status` map; `error_description` only where there is something to say."""
    body: Body = {"code": status.code, "text": status.text}
    if description is not None:
        body["error_description"] = description
    return body


def skipped(item: Skipped) -> Body:
    """Return one record of `skipped_records`, with its reason."""
    reason: Body = {"status": status_of(item.status, item.description)}
    if item.near_duplicates is not None:
        reason |= ranked(item.near_duplicates)
    return {"_id": item.record_id, "_reason": reason}


def listed(records: Sequence[Found]) -> Body:
    """Return the fields of every listing answer."""
    written = [
        {"_id": found.id} if found.attributes is None and found.id else orjson.Fragment(found.json())
        for found in records
    ]
    return {"answer_records": written, "answer_count": len(records)}


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
    answer = Enveloped(written, status.http.value, {"X-Request-ID": request_id}, content_type=_JSON)
    answer.told = status
    return answer


def streamed(status: Status, body: Body, pieces: Iterator[list[bytes]], request_id: str, started: float) -> Response:
    """Write an answer whose records are sent while they are read; status and statistics come last.

    An error in the middle breaks the connection off, so that the caller sees a broken answer and never a short one.
    The first piece is read before anything is sent: an error there is still answered in full.
    """
    first = next(pieces, None)
    more = body.pop("statistics", {})

    def parts() -> Iterator[bytes]:
        yield b'{"answer_records":['
        if first is not None:
            yield b",".join(first)
            for piece in pieces:
                yield b"," + b",".join(piece)
        statistics = {"OperationTime": round((time.perf_counter() - started) * 1000), **more}
        rest = {"status": {**status_of(status), "request_id": request_id}, "statistics": statistics, **body}
        yield b"]," + orjson.dumps(rest, default=_write)[1:]

    answer = Enveloped(parts(), status.http.value, {"X-Request-ID": request_id}, content_type=_JSON)
    answer.told = status
    return answer


def failure(error: LookalikeError, request_id: str, started: float) -> Response:
    """Write the answer to a request that failed."""
    answer = response(error.status, {}, request_id, started, str(error))
    if error.retry_after_seconds is not None:
        answer.headers["Retry-After"] = str(error.retry_after_seconds)
    return answer


def _write(value: object) -> orjson.Fragment:
    """Write a Decimal with all its digits; orjson asks for nothing else."""
    return orjson.Fragment(str(value))
