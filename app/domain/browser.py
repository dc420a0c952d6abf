"""What a browser says of its requests: whose session it is in, and which page sent it."""

from collections.abc import Callable
from urllib.parse import urlsplit

COOKIE = "lookalike_console"
"""The cookie holds the API token of whoever signed in to the console."""

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def is_own_request(verb: str, header: Callable[[str], str | None], host: str, public_url: str | None = None) -> bool:
    """Return whether a request that carries the cookie was sent by a page of this server, or typed by its user.

    A browser sends a cookie whoever's page asks; only this keeps a foreign page from using the session. Browsers say it
    in `Sec-Fetch-Site`; where that is left out (a plain http:// address that is not localhost) a write must carry an
    `Origin` of this host. Reads without either pass: their answers cannot be read by foreign pages.

    Args:
        verb: the HTTP verb in capitals.
        header: returns a header of the request by its name.
        host: host and port that the request was sent to.
        public_url: the address that clients use, where a proxy stands in between.

    """
    site = header("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin" or (site == "none" and verb in _SAFE)
    origin = header("Origin")
    if origin is None:
        return verb in _SAFE
    own = {host} if public_url is None else {host, urlsplit(public_url).netloc}
    return urlsplit(origin).netloc in own
