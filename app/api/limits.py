"""A request is held against the limits of its token before anything is done for it; `app.services.limiting` counts."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext

from flask import Request, Response, g

from app.api.methods import Method
from app.domain.errors import InvalidRequest
from app.domain.records import IMAGE_FIELDS, TEXT_FIELD, Json
from app.domain.tokens import NO_LIMITS, Principal
from app.services.limiting import Limiter

_SEARCHES = frozenset({"Search", "Near duplicates"})
"""The groups of methods of which a token may call so many at the same time."""
_BY_ID = frozenset({"get", "delete"})
"""Methods that look at no picture, whatever the records bring along."""
_LISTS = ("records", "query_records", "negative_records")
_MODEL_FIELDS = (*IMAGE_FIELDS, TEXT_FIELD)
_FREE = nullcontext()


def admit(request: Request, principal: Principal, limiter: Limiter) -> None:
    """Let a request of a token with limits in; its body is read up to the token's own limit.

    Raises:
        TooManyRequests: the token has sent too many.

    """
    g.limited = principal, limiter
    most = principal.limits.body_bytes
    if most is not None:
        request.max_content_length = min(most, request.max_content_length or most)
    limiter.request(principal)


def within(
    limiter: Limiter, principal: Principal, entry: Method, body: Mapping[str, Json]
) -> AbstractContextManager[None]:
    """Return what counts a call of a method while it runs; nothing does for tokens without limits.

    Raises:
        InvalidRequest: it has more records than the token may send.
        TooManyRequests: the token has sent too many pictures. On entering: as many of its searches run as may.

    """
    limits = principal.limits
    if limits is NO_LIMITS:
        return _FREE
    for name in _LISTS:
        given = body.get(name)
        if limits.batch_records is not None and isinstance(given, list) and len(given) > limits.batch_records:
            limiter.refused("batch")
            raise InvalidRequest(
                f"{name} must hold {limits.batch_records} records at most with this token; there are {len(given)}"
            )
    if limits.pictures_per_second is not None and entry.name not in _BY_ID:
        limiter.pictures(principal, brought(body))
    if limits.concurrent_searches is None or entry.tag not in _SEARCHES:
        return _FREE
    return limiter.searching(principal)


def brought(body: Mapping[str, Json]) -> int:
    """Return the number of records in a body that bring a picture or a text along, which a model is to look at."""
    records = [body.get("query_record")]
    for name in _LISTS:
        given = body.get(name)
        records += given if isinstance(given, list) else []
    return sum(isinstance(one, dict) and any(one.get(name) for name in _MODEL_FIELDS) for one in records)


def too_large() -> str:
    """Return what is said of a body that is too large, and count it where it is the token's limit that says so."""
    limited: tuple[Principal, Limiter] | None = g.get("limited")
    if limited is None or limited[0].limits.body_bytes is None:
        return "the request body is larger than the server takes"
    principal, limiter = limited
    limiter.refused("body")
    return f"the request body is larger than the {principal.limits.body_bytes:,} bytes that this token may send"


def tell(answer: Response) -> Response:
    """Tell in the headers what is left of the token's quotas, where it has any."""
    limited: tuple[Principal, Limiter] | None = g.get("limited")
    if limited is not None:
        principal, limiter = limited
        answer.headers.update(limiter.headers(principal))
    return answer
