"""Links in answers begin with the address that clients reach this server by."""

from flask import Request

from app.api.proxies import BELIEVED

# Each of them says that a proxy is in between. What else it says may be anybody's invention, and is not read.
_OF_PROXIES = (
    "Forwarded",
    "Via",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Port",
    "X-Forwarded-Prefix",
    "X-Forwarded-Proto",
    "X-Forwarded-Server",
    "X-Original-URI",
    "X-Real-IP",
)


def own_url(request: Request, public_url: str | None) -> str:
    """Return the URL of a request, without its query, as the client can call it again.

    It begins with the setting `public_url` where there is one. Else it is the URL that was asked for, also through a
    proxy that is trusted and says so. Through another one, of whose host and path the server knows nothing, it is
    empty: a relative link, which leads there again.
    """
    if public_url is not None:
        return public_url.rstrip("/") + request.path
    believed = BELIEVED in request.environ and "X-Forwarded-Prefix" not in request.headers
    if not believed and any(name in request.headers for name in _OF_PROXIES):
        return ""
    return request.base_url
