"""The blueprint of one path prefix: every method of the table, under `/<prefix>/v2/<method>`."""

import logging
import re
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from itertools import chain

from flask import Blueprint, Response, request
from werkzeug.exceptions import ClientDisconnected, HTTPException

from app.api import envelope
from app.api.auth import collection_of, principal_of
from app.api.methods import METHODS, Answer, Call, Method
from app.api.parsing import body_of, parse
from app.api.searchnote import entry_of
from app.api.unknown import refuse, unknown
from app.api.v2.collection import PING  # and with it the package, which registers the methods
from app.domain import statuses
from app.domain.collections import SERVICES, Collection
from app.domain.errors import BodyTooLarge, CollectionNotFound, LookalikeError
from app.services.context import Context

log = logging.getLogger(__name__)

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
UNEXPECTED = "an error that the server did not expect; its log has the details under this request_id"


class PathError(LookalikeError):
    """A path that names no method (404)."""

    status = statuses.METHOD_NOT_FOUND


class VerbError(LookalikeError):
    """A method that is called with another HTTP verb than its own (405)."""

    status = statuses.VERB_NOT_ALLOWED

    def __init__(self, verbs: tuple[str, ...]) -> None:
        super().__init__(f"this path is called with {' or '.join(verbs)}")
        self.verbs = verbs


def failed(error: LookalikeError, own: str, started: float) -> Response:
    """Answer a request that failed; a wrong verb is told the right ones, as RFC 9110 asks."""
    answer = envelope.failure(error, own, started)
    if isinstance(error, VerbError):
        answer.headers["Allow"] = ", ".join(error.verbs)
    return answer


def prefixes() -> dict[str, str | None]:
    """Return every path prefix with its service; the bare prefix serves any collection."""
    return {"": None} | {prefix: service for service, own in SERVICES.items() for prefix in own}


def blueprint(context: Context, prefix: str, service: str | None) -> Blueprint:
    """Return the blueprint of one prefix; `service` is None for the bare one."""
    name = prefix.replace("/", "_").replace("-", "_") or "any_service"
    made = Blueprint(name, __name__, url_prefix=f"/{prefix}/v2" if prefix else "/v2")
    for entry in METHODS.values():
        made.add_url_rule(
            f"/{entry.name}",
            entry.name,
            _view(context, entry, service),
            methods=list(entry.verbs),
            strict_slashes=False,
        )
    made.add_url_rule("/ping", "ping", _guarded(PING.view), methods=list(PING.verbs), strict_slashes=False)
    return made


def request_id() -> str:
    """Return the id of this request: the caller's `X-Request-ID` where it is a plain one, else a new one."""
    return own_id(request.headers.get("X-Request-ID", ""))


def own_id(given: str) -> str:
    """Return a request's id: the one that the caller gave where it is a plain one, else a new one."""
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def _view(context: Context, entry: Method, service: str | None) -> Callable[[], Response]:
    def run() -> Answer:
        principal = principal_of(request, context.lookup)
        collection = collection_of(request, context.lookup, principal, entry.scope, service)
        body = body_of(request)
        # Nearly no request has a query string, and Flask parses an empty one as well.
        query = request.args.to_dict() if request.query_string else {}
        ignored = unknown(entry, body, query)
        if context.settings.unknown_parameters == "refuse":
            refuse(entry, ignored)
        parameters = parse(entry.parameters, body)

        def call(target: Collection) -> Answer:
            started = time.perf_counter()
            answer = _begun(entry.view(Call(context, principal, target, query), parameters))
            if ignored:
                answer.body.setdefault("statistics", {})["ignored"] = ignored
            if context.searches is not None:
                spent = time.perf_counter() - started
                noted = entry_of(entry, principal, target, parameters, answer, spent)
                if noted is not None:
                    context.searches.note(noted)
            return answer

        try:
            return call(collection)
        except CollectionNotFound:
            # Since it was looked up it was dropped, and perhaps created again under its name, or was given another
            # model, and with it other tables: look once more, and do it all anew, from the picture to the answer.
            context.lookup.forget(collection.name)
            again = collection_of(request, context.lookup, principal, entry.scope, service)
            if again.records_table == collection.records_table:
                raise
            return call(again)

    return _guarded(run)


def _begun(answer: Answer) -> Answer:
    """Read the first piece of a stream, so that an error there is met before anything is sent."""
    if answer.stream is None:
        return answer
    first = next(answer.stream, None)
    return replace(answer, stream=answer.stream if first is None else chain((first,), answer.stream))


def _guarded(run: Callable[[], Answer]) -> Callable[[], Response]:
    """Answer every outcome of a call with an envelope."""

    def view() -> Response:
        started = time.perf_counter()
        own = request_id()
        try:
            answer = run()
        except LookalikeError as error:
            return failed(error, own, started)
        except HTTPException as error:
            return http_failure(error, own, started)
        if answer.stream is not None:
            return envelope.streamed(answer.status, answer.body, answer.stream, own, started)
        return envelope.response(answer.status, answer.body, own, started)

    return view


def http_failure(error: HTTPException, own: str, started: float) -> Response:
    """Answer an error of the HTTP layer itself: no such path, body too large, broken request."""
    if error.code == 413:
        return envelope.failure(BodyTooLarge("the request body is larger than the server takes"), own, started)
    if isinstance(error, ClientDisconnected):
        return envelope.response(
            statuses.ABORTED, {}, own, started, "the request broke off: its body was not sent whole"
        )
    if error.code == 404:
        return envelope.failure(PathError(_right_path(request.path)), own, started)
    if error.code == 405:
        return failed(VerbError(tuple(sorted(getattr(error, "valid_methods", None) or ()))), own, started)
    return envelope.response(statuses.ABORTED, {}, own, started, error.description or error.name)


def _right_path(path: str) -> str:
    """Return what is wrong with a path: its prefix, where the method at its end is one, else the method."""
    prefix, _, method = path.rstrip("/").rpartition("/")
    names = sorted([*METHODS, PING.name])
    if method not in names:
        return f"the methods are {', '.join(names)}"
    known = ", ".join(f"/{one}/v2/{method}" if one else f"/v2/{method}" for one in prefixes())
    return f"no service has the path {prefix[:60] or '/'}; {method} is called as {known}"


def unexpected(error: Exception) -> Response:
    """Answer an error that nobody expected; what it was goes to the log, not to the caller."""
    own = request_id()
    log.error("request %s failed", own, exc_info=error)
    return envelope.response(statuses.UNKNOWN_ERROR, {}, own, time.perf_counter(), UNEXPECTED)
