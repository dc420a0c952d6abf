"""`/metrics`: what Prometheus reads."""

import gzip

from cachetools import LRUCache
from flask import Blueprint, Response, abort, request

from app.api.auth import principal_of
from app.domain.errors import Unavailable
from app.domain.tokens import Scope, digest
from app.services.context import Context

PATH = "/metrics"


class _Scrapers:
    """Who may read the metrics: a token of the scope admin for all collections."""

    def __init__(self, context: Context) -> None:
        self._context = context
        # Those that were allowed, so that they are allowed also while the database, which knows tokens, is away.
        self._known: LRUCache[bytes, bool] = LRUCache(16)

    def check(self) -> None:
        """Check that the caller may.

        Raises:
            Unauthorized: it sent no good token.
            Forbidden: its token is for something else.
            Unavailable: the database is away, and the token is not one that was allowed before.

        """
        key = digest(request.headers.get("Authorization", ""))
        try:
            principal = principal_of(request, self._context.lookup)
            self._known.pop(key, None)
            principal.check_scope(Scope.ADMIN, changes=False)
            principal.check_everywhere()
            self._known[key] = True
        except Unavailable:
            if key not in self._known:
                raise


def metrics(context: Context) -> Blueprint:
    """Return the blueprint of the metrics."""
    made = Blueprint("metrics", __name__)
    scrapers = _Scrapers(context)

    @made.get(PATH)
    def exposed() -> Response:
        settings = context.settings
        if settings.metrics == "off" or settings.metrics_port is not None:
            abort(404)
        if settings.metrics == "token":
            scrapers.check()
        text, media_type = context.metrics.exposed(request.headers.get("Accept", ""))
        answer = Response(text, content_type=media_type, headers={"Vary": "Accept-Encoding"})
        if request.accept_encodings.quality("gzip") > 0:
            answer.data = gzip.compress(text, 1)
            answer.headers["Content-Encoding"] = "gzip"
        return answer

    return made
