"""Two headers say who calls and which collection is meant: `Authorization` and `collection-id`.

The console's pages call with the cookie of their session instead of the first: docs/adr/0020-the-console.md.
"""

from flask import Request, g

from app.api.limits import admit
from app.domain.browser import COOKIE, is_own_request
from app.domain.collections import Collection
from app.domain.errors import Forbidden, InvalidRequest, Unauthorized
from app.domain.tokens import NO_LIMITS, Principal, Scope
from app.services.context import Lookup

# The stock client writes "Token", or "JWT" where a token is long; "Bearer" is what everyone else writes.
_SCHEMES = frozenset({"token", "jwt", "bearer"})


def principal_of(request: Request, lookup: Lookup) -> Principal:
    """Return the holder of the request's token.

    Raises:
        Unauthorized: there is no token, or it is unknown or revoked.
        Forbidden: it is that of a browser's session, and another site's page sent the request.
        TooManyRequests: its limits allow no further request now.

    """
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if not scheme and (held := request.cookies.get(COOKIE)):
        if not is_own_request(request.method, request.headers.get, request.host, lookup.public_url):
            raise Forbidden("a browser's session counts only for requests of this server's own pages")
        scheme, token = "token", held
    if scheme.lower() not in _SCHEMES or not token.strip():
        raise Unauthorized("send your API token in the header 'Authorization: Token <your token>'")
    principal = lookup.principal(token.strip())
    if principal is None:
        raise Unauthorized("this API token is not known, was revoked or has expired")
    g.token_id = principal.token_id
    if principal.limits is not NO_LIMITS:
        admit(request, principal, lookup.limiter)
    return principal


def collection_of(
    request: Request,
    lookup: Lookup,
    principal: Principal,
    scope: Scope,
    service: str | None,
    *,
    anew: bool = False,
) -> Collection:
    """Return the collection that the request names, also by an alias, if its holder may use it in this way.

    With `anew` nothing that is remembered of it counts.

    Raises:
        InvalidRequest: no collection is named, or it belongs to another service than the path's.
        CollectionNotFound: there is no such collection.
        Forbidden: the token may not do this here.

    """
    name = request.headers.get("collection-id", "").strip()
    if not name:
        raise InvalidRequest("name your collection in the header 'collection-id: <its name>'")
    collection = lookup.collection(name, anew=anew)
    g.scope, g.collection = scope, collection.name
    principal.require(scope, collection.id)
    if service is not None and service != collection.service:
        raise InvalidRequest(
            f"the collection {name!r} belongs to the service {collection.service!r}; this path is that of {service!r}"
        )
    return collection
