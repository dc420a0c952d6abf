"""Every error becomes an answer here: a class of errors, and what answers it.

Flask looks an error's class up along its method resolution order, first in the blueprint of the request, then in these
handlers of the whole application. A blueprint that answers otherwise, such as one of pages, registers its own.
"""

import logging
import re
import time
import uuid

from flask import Flask, Response, g, request
from werkzeug.exceptions import ClientDisconnected, HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge

from app.api import envelope
from app.api.limits import too_large
from app.api.methods import METHODS
from app.api.tracing import trace_of
from app.api.v2.collection import PING
from app.domain import statuses
from app.domain.errors import BodyTooLarge, InvalidRequest, LookalikeError, Unavailable
from app.domain.services import prefixes

log = logging.getLogger(__name__)

UNEXPECTED = "an error that the server did not expect; its log has the details under this request_id"
_NO_MEMORY_SECONDS = 3
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


class PathError(LookalikeError):
    """A path that names no method (404)."""

    status = statuses.METHOD_NOT_FOUND


class VerbError(LookalikeError):
    """A method that is called with another HTTP verb than its own (405)."""

    status = statuses.VERB_NOT_ALLOWED


def register(app: Flask) -> None:
    """Have an application note when each request began and its id, and answer every error with an envelope."""
    app.before_request(_begin)
    app.register_error_handler(LookalikeError, failed)
    app.register_error_handler(NotFound, lambda _: failed(PathError(_right_path(request.path))))
    app.register_error_handler(MethodNotAllowed, _wrong_verb)
    app.register_error_handler(RequestEntityTooLarge, _too_large)
    app.register_error_handler(ClientDisconnected, _broken_off)
    app.register_error_handler(HTTPException, _http_failure)
    app.register_error_handler(MemoryError, _no_memory)
    app.register_error_handler(Exception, _unexpected)


def request_id_of(given: str) -> str:
    """Return a request's id: the one that the caller gave where it is a plain one, else a new one."""
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def _begin() -> None:
    g.started = time.perf_counter()
    g.request_id = request_id_of(request.headers.get("X-Request-ID", ""))
    given = request.headers.get("traceparent")
    g.trace = None if given is None else trace_of(given)


def failed(error: LookalikeError) -> Response:
    """Answer a request that failed with the status and the sentence of its error."""
    return envelope.failure(error, g.request_id, g.started)


def _wrong_verb(error: MethodNotAllowed) -> Response:
    """Name the right verbs, as RFC 9110 asks."""
    verbs = sorted(error.valid_methods or ())
    answer = failed(VerbError(f"this path is called with {' or '.join(verbs)}"))
    answer.headers["Allow"] = ", ".join(verbs)
    return answer


def _too_large(_: RequestEntityTooLarge) -> Response:
    return failed(BodyTooLarge(too_large()))


def _broken_off(_: ClientDisconnected) -> Response:
    return failed(InvalidRequest("the request broke off: its body was not sent whole"))


def _http_failure(error: HTTPException) -> Response:
    """Answer any other error of the HTTP layer itself, such as a broken request."""
    return failed(InvalidRequest(error.description or error.name))


def _unexpected(error: Exception) -> Response:
    """Answer an error that nobody expected; what it was goes to the log, not to the caller."""
    log.error("request %s failed", g.request_id, exc_info=error, extra={"fields": {"request_id": g.request_id}})
    return failed(LookalikeError(UNEXPECTED))


def _no_memory(_: MemoryError) -> Response:
    log.error("request %s was given up: there is no memory left", g.request_id)
    return failed(Unavailable("the server has no memory left; try again in a moment", _NO_MEMORY_SECONDS))


def _right_path(path: str) -> str:
    """Return what is wrong with a path: its prefix, where the method at its end is one, else the method."""
    prefix, _, method = path.rstrip("/").rpartition("/")
    names = sorted([*METHODS, PING.name])
    if method not in names:
        return f"the methods are {', '.join(names)}"
    known = ", ".join(f"/{one}/v2/{method}" if one else f"/v2/{method}" for one in prefixes())
    return f"no service has the path {prefix[:60] or '/'}; {method} is called as {known}"
