"""Each request's end is seen here: it is counted and logged, and who changed what goes to the audit log."""

import logging
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from types import MappingProxyType
from typing import NamedTuple

from flask import Flask, Response, g, request
from werkzeug.routing import Rule

from app.api.blueprint import blueprint_name
from app.api.envelope import Enveloped
from app.api.health import PATHS
from app.api.methods import METHODS
from app.api.v2.collection import PING
from app.domain import statuses
from app.domain.audit import Act
from app.domain.browser import COOKIE
from app.domain.services import prefixes
from app.domain.statuses import Status
from app.domain.tokens import Scope
from app.metrics import Metrics, families
from app.metrics.noting import Count, Times
from app.services.context import Context

log = logging.getLogger("lookalike.request")

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_LONGEST_TARGET = 200
_NO_WORD = re.compile(r"[^a-z0-9]+")
_PAGE = "console"
_SERVICES = MappingProxyType({blueprint_name(prefix): service or "any" for prefix, service in prefixes().items()})
"""The label `service` by the name of the blueprint; that of others is the blueprint's name."""


def watch_requests(flask: Flask, context: Context) -> None:
    """Have an application tell the context of the end of each request; its blueprints are registered before."""
    _begin(flask, context.metrics)
    counting = _Counting(context.metrics)

    def ended(answer: Response) -> Response:
        if context.metrics.counting:
            counting.count(answer)
        _log(answer)
        if changes() and answer.status_code != statuses.TOO_MANY_REQUESTS.http.value:
            context.audit.note(_act(answer.status_code))
        return answer

    flask.after_request(ended)


def count_refusal(metrics: Metrics) -> None:
    """Count a request that was refused before an application saw it."""
    metrics.count(families.REFUSALS, reason_of(statuses.UNAVAILABLE))
    metrics.count(families.REQUESTS, "unknown", "unknown", "503", "503")


def changes() -> bool:
    """Say whether the request, of a known token, is one to change something: by its scope, or else by its verb.

    So one whose view says nothing of its scope is noted rather than forgotten.
    """
    if g.get("token_id") is None:
        return False
    scope: Scope | None = g.get("scope")
    return request.method not in _READING if scope is None else scope is not Scope.READ


def method_of(rule: Rule | None, verb: str) -> str:
    """Return what is asked for: the name of the API's method; where it has none, the verb and the rule of the path."""
    if rule is None:
        return "unknown"
    prefix, _, name = rule.rule.rstrip("/").rpartition("/")
    return name if prefix.endswith("/v2") else f"{'GET' if verb == 'HEAD' else verb} {rule.rule}"


def reason_of(status: Status) -> str:
    """Return the label `reason` of a status: its text in small letters, with underscores."""
    return _NO_WORD.sub("_", status.text.lower()).strip("_")


def _service_of(blueprint: str | None) -> str:
    return "unknown" if blueprint is None else _SERVICES.get(blueprint, blueprint)


def _timed(service: str, method: str) -> str:
    """Return what a request's time is told of: the API's methods each, other parts of the server as a whole."""
    return method if method in METHODS or method == PING.name else service


def _begin(flask: Flask, metrics: Metrics) -> None:
    """Let the series of all that can be asked for begin at 0, with the answer that is hoped for."""
    for status in vars(statuses).values():
        if isinstance(status, Status) and status.http.value >= 400:
            metrics.begin(families.REFUSALS, reason_of(status))
    metrics.begin(families.REFUSALS, _PAGE)
    for service, method in _asked(flask):
        for status in METHODS[method].statuses if method in METHODS else (statuses.OK,):
            metrics.begin(families.REQUESTS, service, method, str(status.http.value), str(status.code))
        metrics.begin(families.REQUEST_SECONDS, _timed(service, method))


def _asked(flask: Flask) -> Iterator[tuple[str, str]]:
    for rule in flask.url_map.iter_rules():
        for verb in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield _service_of(rule.endpoint.rpartition(".")[0] or None), method_of(rule, verb)


class _Series(NamedTuple):
    """What one kind of request and answer adds to."""

    requests: Count
    refusals: Count | None
    seconds: Times


class _Counting:
    """Counts requests; which series are meant is looked for once for each kind of request and answer."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._known: dict[tuple[str, str, str, int, int, str], _Series] = {}

    def count(self, answer: Response) -> None:
        """Count a request with its answer, and how long it took, to the end of a stream."""
        rule, started = request.url_rule, g.started
        told = answer.told if isinstance(answer, Enveloped) else None
        # A verb of which no rule is may be any word.
        asked = ("", "", "") if rule is None else (rule.rule, rule.endpoint, request.method)
        key = (*asked, answer.status_code, *((0, "") if told is None else (told.code, told.text)))
        if (series := self._known.get(key)) is None:
            series = self._known[key] = self._series(rule, asked[2], answer.status_code, told)
        series.requests.note(1)
        if series.refusals is not None:
            series.refusals.note(1)
            if (reason := _auth_failure(answer, told)) is not None:
                self._metrics.count(families.AUTH_FAILURES, reason)
        if answer.is_streamed:
            answer.call_on_close(lambda: series.seconds.note(time.perf_counter() - started))
        else:
            series.seconds.note(time.perf_counter() - started)

    def _series(self, rule: Rule | None, verb: str, status: int, told: Status | None) -> _Series:
        metrics, method, service = self._metrics, method_of(rule, verb), _service_of(request.blueprint)
        code = status if told is None else told.code
        reason = _PAGE if told is None else reason_of(told)
        return _Series(
            metrics.counter(families.REQUESTS, service, method, str(status), str(code)),
            metrics.counter(families.REFUSALS, reason) if status >= HTTPStatus.BAD_REQUEST else None,
            metrics.times(families.REQUEST_SECONDS, _timed(service, method)),
        )


def _log(answer: Response) -> None:
    """Write a line of the request: what, for whom, with what outcome, how long; no token, picture, filter or value."""
    if g.get("trace") is not None:
        answer.headers["traceparent"] = g.trace.header
    level = logging.DEBUG if request.path in PATHS else logging.INFO
    if not log.isEnabledFor(level):
        return
    told = answer.told.code if isinstance(answer, Enveloped) else answer.status_code
    fields = {
        "request_id": g.request_id,
        "trace_id": None if g.get("trace") is None else g.trace.trace_id,
        "span_id": None if g.get("trace") is None else g.trace.span_id,
        "service": _service_of(request.blueprint),
        "method": method_of(request.url_rule, request.method),
        "status": answer.status_code,
        "code": told,
        "milliseconds": round((time.perf_counter() - g.started) * 1000, 2),
        "address": request.remote_addr,
        "token_id": g.get("token_id"),
        "collection": g.get("collection"),
        "way": g.get("way"),
        "results": g.get("results"),
    }
    known = {name: value for name, value in fields.items() if value is not None}
    log.log(level, " ".join(f"{name}={value}" for name, value in known.items()), extra={"fields": known})


def _auth_failure(answer: Response, told: Status | None) -> str | None:
    if answer.status_code == 401:
        sent = "Authorization" in request.headers or COOKIE in request.cookies or request.form.get("token")
        return "unknown" if sent else "missing"
    refused = answer.status_code == 403 if told is None else told is statuses.FORBIDDEN
    return "forbidden" if refused else None


def _act(code: int) -> Act:
    named = [g.target] if g.get("target") else []
    named += (str(value) for value in (request.view_args or {}).values() if isinstance(value, str | int))
    return Act(
        at=datetime.now(UTC),
        action=method_of(request.url_rule, request.method),
        code=code,
        token_id=g.token_id,
        collection=g.get("collection"),
        target=" ".join(named)[:_LONGEST_TARGET].replace("\x00", "") or None,
        request_id=g.request_id,
    )
