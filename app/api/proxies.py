"""What a proxy says of the client counts where the proxy is one that the setting `trusted_proxies` names.

werkzeug's ProxyFix counts proxies and asks of none who it is: whoever reaches the server past them could say anything.
"""

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from wsgiref.types import StartResponse, WSGIEnvironment

from flask import Flask

BELIEVED = "lookalike.proxy"
"""The key of the environment that is there where a trusted proxy has said what the client sees of the server."""

_HOST = re.compile(r"([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:\d{1,5})?")
_PORT = re.compile(r"(?P<bare>\[[^\]]+\]|[^:]+)(:\d{1,5})?")
_SCHEMES = frozenset({"http", "https"})


class Proxies:
    """The proxies that are believed.

    Of `X-Forwarded-For` the last address counts that is no trusted proxy's: what stands before it, the client may have
    sent itself. Of `X-Forwarded-Proto` and `-Host` the last value counts. `Forwarded` (RFC 7239) is not read: a proxy
    that sets one kind of header passes the other on as the client sent it.

    Args:
        networks: their addresses and networks; none: nothing is believed.

    """

    def __init__(self, networks: Sequence[str]) -> None:
        self._networks = [ip_network(one) for one in networks]

    def believe(self, environ: WSGIEnvironment) -> None:
        """Put the client's address, scheme and host in the place of a trusted proxy's."""
        if not self._networks or not self._trusts(address_of(environ.get("REMOTE_ADDR", ""))):
            return
        environ["REMOTE_ADDR"] = self._client_of(environ)
        host = _last(environ, "HOST")
        if _HOST.fullmatch(host):
            environ["HTTP_HOST"] = host
        scheme = _last(environ, "PROTO").lower()
        if scheme in _SCHEMES:
            environ["wsgi.url_scheme"] = scheme
            environ[BELIEVED] = True

    def _trusts(self, address: IPv4Address | IPv6Address | None) -> bool:
        return address is not None and any(address in network for network in self._networks)

    def _client_of(self, environ: WSGIEnvironment) -> str:
        found = str(environ["REMOTE_ADDR"])
        for text in reversed(environ.get("HTTP_X_FORWARDED_FOR", "").split(",")):
            address = address_of(text)
            if address is None:
                break
            found = str(address)
            if not self._trusts(address):
                break
        return found


class Application(Flask):
    """Flask, behind proxies."""

    def __init__(self, name: str, proxies: Proxies) -> None:
        super().__init__(name, static_folder=None)
        self._proxies = proxies

    def wsgi_app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        self._proxies.believe(environ)
        return super().wsgi_app(environ, start_response)


def address_of(text: str) -> IPv4Address | IPv6Address | None:
    """Return an address that may have a port behind it; None where it is none."""
    text = text.strip()
    try:
        address = ip_address(text)
    except ValueError:
        bare = _PORT.fullmatch(text)
        if bare is None:
            return None
        try:
            address = ip_address(bare["bare"].strip("[]"))
        except ValueError:
            return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _last(environ: WSGIEnvironment, name: str) -> str:
    return str(environ.get(f"HTTP_X_FORWARDED_{name}", "")).rpartition(",")[2].strip()
