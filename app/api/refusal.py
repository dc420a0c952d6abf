"""Too many requests at once: what is answered to those that the server has no time for.

The server hands such requests to threads that are marked here. On them the health checks and the metrics are answered
as always, and everything else is refused with the envelope's 503, before any of it is looked at.
"""

import time
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from app.api import envelope
from app.api.errors import UNEXPECTED, request_id_of
from app.api.headers import completed
from app.api.health import PATHS
from app.domain.errors import InvalidRequest, LookalikeError, Unavailable

_RETRY_SECONDS = 1

# A thread begins with a context of its own, so what is set there holds for this thread alone.
_refuses: ContextVar[bool] = ContextVar("refuses", default=False)


def refuse_on_this_thread() -> None:
    """Mark the calling thread, for as long as it lives."""
    _refuses.set(True)


def refusing(application: WSGIApplication, refused: Callable[[], None] = lambda: None) -> WSGIApplication:
    """Return the application, which refuses on marked threads all but the health checks and the metrics.

    `refused` is called for each request that was.
    """

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if not _refuses.get() or environ["PATH_INFO"] in PATHS:
            return application(environ, start_response)
        refused()
        error = Unavailable("the server has more requests than it can serve now; try again in a moment", _RETRY_SECONDS)
        refusal = envelope.failure(error, request_id_of(environ.get("HTTP_X_REQUEST_ID", "")), time.perf_counter())
        return completed(refusal)(environ, start_response)

    return answer


def refusal_of_no_http(*, broken: bool) -> bytes:
    """Return the whole answer, as it is sent, to what reaches no application.

    Args:
        broken: it is no HTTP request that can be understood; else the server failed.

    """
    error = InvalidRequest("this is no HTTP request that the server can read") if broken else LookalikeError(UNEXPECTED)
    answer = completed(envelope.failure(error, request_id_of(""), time.perf_counter()))
    answer.headers["Connection"] = "close"
    return f"HTTP/1.1 {answer.status}\r\n{answer.headers}".encode("latin-1") + answer.get_data()
