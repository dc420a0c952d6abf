"""The blueprint of one path prefix: every method of the table, under `/<prefix>/v2/<method>`."""

import time
from collections.abc import Callable
from dataclasses import replace
from itertools import chain

from flask import Blueprint, Response, g, request

from app.api import envelope
from app.api.auth import collection_of, principal_of
from app.api.limits import within
from app.api.methods import METHODS, Answer, Call, Method
from app.api.parsing import body_of, parse
from app.api.searchnote import tell
from app.api.unknown import refuse, unknown
from app.api.v2.collection import PING  # and with it the package, which registers the methods
from app.domain.collections import Collection
from app.domain.errors import CollectionNotFound
from app.domain.freshness import HEADER, Asked, asking, position_in
from app.domain.tokens import Scope
from app.services import expiring
from app.services.context import Context

# A request is done anew only where its collection was really changed under it, so that a busy server whose aliases are
# switched again and again may meet that several times in one request.
_TRIES = 6


def blueprint(context: Context, prefix: str, service: str | None) -> Blueprint:
    """Return the blueprint of one prefix; `service` is None for the bare one."""
    made = Blueprint(blueprint_name(prefix), __name__, url_prefix=f"/{prefix}/v2" if prefix else "/v2")
    for entry in METHODS.values():
        made.add_url_rule(
            f"/{entry.name}",
            entry.name,
            _view(context, entry, service),
            methods=list(entry.verbs),
            strict_slashes=False,
        )
    made.add_url_rule("/ping", "ping", lambda: _answered(PING.view()), methods=list(PING.verbs), strict_slashes=False)
    return made


def blueprint_name(prefix: str) -> str:
    """Return the name of the blueprint of a prefix."""
    return prefix.replace("/", "_").replace("-", "_") or "any_service"


def _view(context: Context, entry: Method, service: str | None) -> Callable[[], Response]:
    def view() -> Response:
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
            made = Call(context, principal, target, query)
            answer = _begun(entry.view(made, parameters))
            if ignored:
                answer.body.setdefault("statistics", {})["ignored"] = ignored
            if answer.search is not None:
                g.way, g.results = answer.search.way, answer.search.results
                tell(made, entry.name, answer.search, time.perf_counter() - started)
            expiring.tidy(context, target)
            return answer

        reads, position = entry.scope is Scope.READ, position_in(request.headers.get(HEADER))
        with within(context.lookup.limiter, principal, entry, body):
            for last in (*[False] * (_TRIES - 1), True):
                try:
                    with asking(Asked(collection.id, reads, position)):
                        return _marked(_answered(call(collection)), None if reads else context.written(collection.id))
                except CollectionNotFound:
                    # Since it was looked up it was dropped, and perhaps created again under its name, its alias was
                    # switched, or it was given another model, and with it other tables: look once more, and do it all
                    # anew, from the picture to the answer.
                    context.lookup.forget(collection.name)
                    again = collection_of(request, context.lookup, principal, entry.scope, service, anew=True)
                    if last or again.records_table == collection.records_table:
                        raise
                    collection = again
            raise AssertionError("unreachable")

    return view


def _marked(answer: Response, written: str | None) -> Response:
    """Return the answer to a write with what a read must have seen to know of it."""
    if written is not None:
        answer.headers[HEADER] = written
    return answer


def _answered(answer: Answer) -> Response:
    """Put an answer into its envelope. An error on the way there is answered by `app.api.errors`."""
    if answer.stream is not None:
        return envelope.streamed(answer.status, answer.body, answer.stream, g.request_id, g.started)
    return envelope.response(answer.status, answer.body, g.request_id, g.started)


def _begun(answer: Answer) -> Answer:
    """Read the first piece of a stream, so that an error there is met before anything is sent."""
    if answer.stream is None:
        return answer
    first = next(answer.stream, None)
    return replace(answer, stream=answer.stream if first is None else chain((first,), answer.stream))
