"""Each request's end is seen here: who changed what goes to the audit log."""

from datetime import UTC, datetime

from flask import Flask, Response, g, request

from app.domain.audit import Act
from app.domain.tokens import Scope
from app.services.context import Context

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_LONGEST_TARGET = 200


def watch_requests(flask: Flask, context: Context) -> None:
    """Have an application tell the context of the end of each request."""

    def ended(answer: Response) -> Response:
        if changes():
            context.audit.note(_act(answer.status_code))
        return answer

    flask.after_request(ended)


def changes() -> bool:
    """Say whether the request, of a known token, is one to change something: by its scope, or else by its verb.

    So one whose view says nothing of its scope is noted rather than forgotten.
    """
    if g.get("token_id") is None:
        return False
    scope: Scope | None = g.get("scope")
    return request.method not in _READING if scope is None else scope is not Scope.READ


def method_of() -> str:
    """Return what is asked for: the name of the API's method; where it has none, the verb and the rule of the path."""
    rule = request.url_rule
    if rule is None:
        return "unknown"
    if rule.rule.rstrip("/").rpartition("/")[0].endswith("/v2"):
        return rule.rule.rstrip("/").rpartition("/")[2]
    return f"{request.method} {rule.rule}"


def _act(code: int) -> Act:
    named = [g.target] if g.get("target") else []
    named += (str(value) for value in (request.view_args or {}).values() if isinstance(value, str | int))
    return Act(
        at=datetime.now(UTC),
        action=method_of(),
        code=code,
        token_id=g.token_id,
        collection=g.get("collection"),
        target=" ".join(named)[:_LONGEST_TARGET].replace("\x00", "") or None,
        request_id=g.request_id,
    )
