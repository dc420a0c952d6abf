"""A session is an API token in a cookie that no script can read."""

from typing import TypeVar
from urllib.parse import urlsplit

from flask import g, request
from werkzeug.wrappers import Response

from app.domain.browser import COOKIE, is_own_request
from app.domain.errors import Forbidden, Unauthorized
from app.domain.tokens import NO_LIMITS, Principal
from app.services.context import Context

_SECONDS = 30 * 24 * 3600

Answer = TypeVar("Answer", bound=Response)


def principal(context: Context) -> Principal:
    """Return who is signed in.

    Raises:
        Unauthorized: nobody is, or the token is no longer good.
        TooManyRequests: its limits allow no further request now.

    """
    known: Principal | None = g.get("principal")
    if known is None:
        token = request.cookies.get(COOKIE)
        known = context.lookup.principal(token) if token else None
        if known is None:
            raise Unauthorized("sign in with an API token" if not token else "this API token was revoked")
        g.principal = known
        if known.limits is not NO_LIMITS:
            limiter = context.lookup.limiter
            g.limited = known, limiter
            limiter.request(known)
    return known


def check_origin(context: Context) -> None:
    """Refuse a request that changes something where another site's page sent it.

    Raises:
        Forbidden: it did.

    """
    if not is_own_request(request.method, request.headers.get, request.host, context.settings.public_url):
        raise Forbidden("this request came from a page of another site")


def begin(context: Context, answer: Answer, token: str, root: str) -> Answer:
    """Give the browser the cookie of a session."""
    answer.set_cookie(
        COOKIE,
        token,
        max_age=_SECONDS,
        path=root or "/",
        httponly=True,
        samesite="Lax",
        secure=_is_encrypted(context),
    )
    return answer


def end(answer: Answer, root: str) -> Answer:
    """Take the cookie of a session away."""
    answer.delete_cookie(COOKIE, path=root or "/", httponly=True, samesite="Lax")
    return answer


def target(wanted: str, root: str) -> str:
    """Return where to go after signing in: a page of the console, never another site."""
    parts = urlsplit(wanted)
    own = not parts.scheme and not parts.netloc and parts.path.startswith(f"{root}/console/") and "\\" not in wanted
    return wanted if own else f"{root}/console/"


def _is_encrypted(context: Context) -> bool:
    public = context.settings.public_url
    return request.is_secure if public is None else public.startswith("https:")
