"""Pictures from URLs, safe by construction.

The host is resolved once, its addresses are checked, and the connection goes to the very address that was checked: a
name that changes its address in between (DNS rebinding) gains nothing. Redirects are followed by hand, each checked
like the first URL. No proxy of the environment is used. One deadline covers everything, size is bounded while reading.
"""

import contextlib
import errno
import http.client
import ipaddress
import socket
import ssl
import string
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, TypeVar
from urllib.parse import quote, urljoin, urlsplit

import idna

from app.domain.errors import ImageError
from app.domain.fetching import Fetched, Validators, place_of
from app.domain.options import FetchPolicy
from app.embedding.fetch.addresses import Address, carried, checked, is_public, resolve
from app.embedding.fetch.answers import AGAIN, Transient, retry_after, validators_of
from app.embedding.fetch.encodings import plain
from app.embedding.fetch.wire import Connection, Wire, secured

T = TypeVar("T")
# Makes something of an answer: of the response, the wire that it comes by, and the URL that answered.
Take = Callable[[http.client.HTTPResponse, Wire, str], T]

_DEFAULT_PORTS = {"http": 80, "https": 443}
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NOT_MODIFIED = 304
_PIECE = 64 * 1024
_LARGE_PIECE = 2**20
_MAX_URL = 8192
_SAFE = "%/:=&?~+!$,;'@()*[]"  # what stays as it is in a path and a query; everything else is percent-encoded


@dataclass(frozen=True, slots=True)
class _Target:
    url: str
    scheme: str
    host: str
    port: int
    path: str

    @property
    def host_header(self) -> str:
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == _DEFAULT_PORTS.get(self.scheme) else f"{name}:{self.port}"


def fetch(url: str, policy: FetchPolicy) -> bytes:
    """Return what lies at a URL.

    Raises:
        ImageError: the URL is not allowed, cannot be reached, answers with another status than 200, takes too long,
            is too large, or sends more or fewer bytes than it announced. It is `Transient` where another try may help.

    """
    return fetch_if_changed(url, policy, None).data or b""


def check_url(url: str, policy: FetchPolicy) -> None:
    """Check what can be known of a URL before it is fetched: its form, and its address where its host is one.

    Raises:
        ImageError: it is never fetched.

    """
    target = _target("", url, policy)
    try:
        address = ipaddress.ip_address(target.host)
    except ValueError:
        return
    if not _allowed(policy, address):
        raise ImageError(f"the host {target.host} has a private or reserved address, which is not fetched from")


def _allowed(policy: FetchPolicy, address: Address) -> bool:
    named = any(carried(address) in network for network in policy.allowed_networks)
    return policy.allow_private or named or is_public(address)


def fetch_if_changed(url: str, policy: FetchPolicy, known: Validators | None) -> Fetched:
    """Return what lies at a URL, unless it is what it was when its host gave these validators.

    Raises:
        ImageError: as `fetch` says.

    """

    def read(response: http.client.HTTPResponse, wire: Wire, place: str) -> Fetched:
        if response.status == _NOT_MODIFIED:
            return Fetched(None, validators_of(response.headers, place) or known)
        encodings = ", ".join(response.headers.get_all("Content-Encoding", []))
        data = plain(_body(response, wire, policy.max_bytes), encodings, policy.max_bytes)
        return Fetched(data, validators_of(response.headers, place))

    return _followed(url, policy, read, known)


def download(url: str, policy: FetchPolicy, path: Path, max_bytes: int, pulse: Callable[[], None]) -> None:
    """Write what lies at a URL to a file, which is there only as a whole.

    The policy's time limit is one for each piece: a large file may take long.

    Args:
        url: where it lies.
        policy: what may be fetched.
        path: the file.
        max_bytes: of the file.
        pulse: is called for each piece; what it raises ends the download.

    Raises:
        ImageError: as `fetch` says.
        OSError: the file cannot be written.

    """
    part = path.with_name(f"{path.name}.part")

    def save(response: http.client.HTTPResponse, wire: Wire, _: str) -> bool:
        def go_on() -> None:
            pulse()
            wire.extend(policy.total_timeout_seconds)

        with part.open("wb") as file:
            _save(response, file, max_bytes, go_on)
        return True

    try:
        _followed(url, policy, save)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _followed(url: str, policy: FetchPolicy, take: Take[T], known: Validators | None = None) -> T:
    """Return what `take` makes of the answer at a URL, redirects followed."""
    deadline = time.monotonic() + policy.total_timeout_seconds
    base = ""
    for _ in range(policy.max_redirects + 1):
        target = _target(base, url, policy)
        answer = _get(target, policy, deadline, take, known)
        if not isinstance(answer, str):
            return answer
        base, url = target.url, answer
    raise ImageError(f"the URL redirects more than {policy.max_redirects} times")


def _target(base: str, url: str, policy: FetchPolicy) -> _Target:
    """Return what a URL, which may be relative to the one that redirected here, leads to."""
    if len(url) > _MAX_URL:
        raise ImageError(f"the URL is longer than {_MAX_URL} characters")
    try:
        url = urljoin(base, url.strip())
        parts = urlsplit(url)
        port = parts.port
        host = _ascii(parts.hostname or "")
        path = quote(parts.path or "/", _SAFE) + (f"?{quote(parts.query, _SAFE)}" if parts.query else "")
    except ValueError:
        raise ImageError("the URL is not valid") from None
    if parts.scheme not in policy.schemes:
        raise ImageError(f"a URL must begin with {' or '.join(sorted(policy.schemes))}")
    if not host or "@" in parts.netloc:
        raise ImageError("a URL must name a host, and no user")
    if port is None:
        port = _DEFAULT_PORTS.get(parts.scheme, 0)
    if port not in policy.ports:
        raise ImageError(f"the port {port} is not one of the allowed ports {sorted(policy.ports)}")
    return _Target(url, parts.scheme, host, port, path)


def _ascii(host: str) -> str:
    """Return a host's name as name servers know it; raise ValueError where it is none.

    A name in other letters is mapped as browsers map it (UTS 46): `straße.example` is not `strasse.example`.
    """
    if host.isascii():
        return host.encode("idna").decode("ascii")
    return idna.encode(host, uts46=True).decode("ascii")


def _get(target: _Target, policy: FetchPolicy, deadline: float, take: Take[T], known: Validators | None) -> T | str:
    """Return what is made of the answer at a URL, or the place that it redirects to."""
    try:
        with _connected(target, policy, deadline) as sock:
            return _answer(target, policy, Wire(sock, deadline), take, known)
    except TimeoutError:
        raise Transient(f"the download from the host {target.host} took too long") from None
    except ssl.SSLCertVerificationError:
        raise ImageError(f"the host {target.host} has no valid certificate") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise Transient(f"the host {target.host} cannot be reached, broke off, or does not speak HTTP") from None


@contextlib.contextmanager
def _connected(target: _Target, policy: FetchPolicy, deadline: float) -> Iterator[socket.socket]:
    """Connect to the host's first address that answers; with TLS where the scheme wants it."""

    def seconds() -> float:
        return max(0.001, min(policy.connect_timeout_seconds, deadline - time.monotonic()))

    resolver = policy.resolver or resolve
    addresses = checked(target.host, target.port, allow=partial(_allowed, policy), seconds=seconds(), resolver=resolver)
    for number, address in enumerate(addresses, 1):
        try:
            sock = socket.create_connection((address, target.port), seconds())
            break
        except OSError:
            if number == len(addresses) or time.monotonic() >= deadline:
                raise
    with sock:
        if target.scheme != "https":
            yield sock
            return
        sock.settimeout(seconds())
        with secured(sock, target.host, policy.ca_file) as safe:
            yield safe


def _answer(target: _Target, policy: FetchPolicy, wire: Wire, take: Take[T], known: Validators | None) -> T | str:
    connection = Connection(target.host, wire)
    headers = {
        "Host": target.host_header,
        "User-Agent": policy.user_agent,
        "Accept": "image/*",
        "Accept-Encoding": "identity",
        "Connection": "close",
    }
    conditions = known.headers if known is not None and known.place == place_of(target.url) else {}
    connection.request("GET", target.path, headers=headers | conditions)
    with connection.getresponse() as response:
        if response.status in _REDIRECTS and (place := response.headers.get("Location")):
            return _place(str(place))
        if response.status in AGAIN:
            raise Transient(f"the URL answers with the status {response.status}", retry_after(response.headers))
        if response.status != 200 and not (response.status == _NOT_MODIFIED and conditions):
            raise ImageError(f"the URL answers with the status {response.status}")
        return take(response, wire, target.url)


def _place(header: str) -> str:
    """Return where a Location leads, as browsers read it: UTF-8, or else byte by byte."""
    raw = header.encode("latin-1")  # as http.client decoded it
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return quote(raw, safe=string.printable)


def _body(response: http.client.HTTPResponse, wire: Wire, max_bytes: int) -> bytes:
    header = response.headers.get("Content-Length")
    announced = None if header is None or response.chunked else int(header)
    if announced is not None and announced > max_bytes:
        raise ImageError(f"the picture has {announced} bytes; {max_bytes} are allowed")
    response.length = None  # or the response would end at the announced length, and hide that more was sent
    body = bytearray()
    while (announced is None or len(body) < announced) and (piece := response.read1(_PIECE)):
        body += piece
        if len(body) > max_bytes:
            raise ImageError(f"the picture has more than the {max_bytes} bytes that are allowed")
    if announced is not None:
        wire.patient = False  # whether there is more is asked, not waited for: the host may keep the connection open
        body += response.read1(1)
        if len(body) != announced:
            if len(body) > announced:
                raise ImageError(f"the host announced {announced} bytes and sent more")
            raise Transient(f"the host announced {announced} bytes and sent only {len(body)}")
    return bytes(body)


def _save(response: http.client.HTTPResponse, file: BinaryIO, max_bytes: int, pulse: Callable[[], None]) -> None:
    header = response.headers.get("Content-Length")
    announced = None if header is None or response.chunked else int(header)
    size = 0
    while piece := response.read1(_LARGE_PIECE):
        size += len(piece)
        if max(size, announced or 0) > max_bytes:
            raise ImageError(f"the file has more than the {max_bytes} bytes that are allowed")
        file.write(piece)
        pulse()
    if announced is not None and size != announced:
        raise Transient(f"the host announced {announced} bytes and sent only {size}")
