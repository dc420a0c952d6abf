"""Which other sites' pages may call the API from a browser (Fetch standard, section 3.2, "CORS protocol").

flask-cors was looked at: it takes origins with brackets, as `http://[::1]:8080`, for regular expressions, and compares
them without regard to case. What is needed here is a set of strings.
"""

from collections.abc import Sequence

from flask import Flask, Response, request

_OWN = frozenset({"console", "metrics"})
"""Blueprints that other sites' pages never get to read."""
_VERBS = "GET, HEAD, POST, PATCH"
_SENT = (
    "Authorization, Content-Type, collection-id, Idempotency-Key, lookalike-version, traceparent, Upload-Offset,"
    " X-Request-ID"
)
_SHOWN = "lookalike-version, RateLimit, RateLimit-Policy, Retry-After, traceparent, Upload-Offset, X-Request-ID"
_SECONDS = "7200"  # the most that Chromium remembers


def allow(flask: Flask, origins: Sequence[str]) -> None:
    """Let pages of these origins call the API, with a token: cookies are never allowed. `*` is every origin.

    Flask itself answers OPTIONS, without a view and so without a token.
    """
    if not origins:
        return
    known = frozenset(origins)

    def completed(answer: Response) -> Response:
        if request.blueprint in _OWN:
            return answer
        origin = request.headers.get("Origin")
        if "*" not in known:
            answer.vary.add("Origin")
        if origin is None or not known & {"*", origin}:
            return answer
        answer.headers["Access-Control-Allow-Origin"] = "*" if "*" in known else origin
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            answer.headers["Access-Control-Allow-Methods"] = _VERBS
            answer.headers["Access-Control-Allow-Headers"] = _SENT
            answer.headers["Access-Control-Max-Age"] = _SECONDS
        else:
            answer.headers["Access-Control-Expose-Headers"] = _SHOWN
        return answer

    flask.after_request(completed)
