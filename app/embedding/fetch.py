"""Pictures from URLs, safe by construction.

The host is resolved once, its addresses are checked, and the connection goes to the very address that was checked: a
name that changes its address in between (DNS rebinding) gains nothing. Redirects are followed by hand, each checked
like the first URL. One deadline covers everything, also slow headers and bodies that drip: at the deadline the socket
is shut down, whatever the code is waiting for.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import SplitResult, urljoin, urlsplit

import urllib3
from urllib3.connection import HTTPConnection
from urllib3.util import Timeout

from app.domain.errors import ImageError
from app.embedding.addresses import Resolver, checked, resolve

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PIECE = 64 * 1024


@dataclass(frozen=True, slots=True)
class FetchPolicy:
    """What may be fetched, from where, and how long and large it may be."""

    schemes: frozenset[str] = frozenset({"http", "https"})
    ports: frozenset[int] = frozenset({80, 443})
    allow_private: bool = False
    connect_timeout_seconds: float = 5.0
    total_timeout_seconds: float = 20.0
    max_bytes: int = 20 * 2**20
    max_redirects: int = 3
    user_agent: str = "Lookalike"
    resolver: Resolver = field(default=resolve)


def fetch(url: str, policy: FetchPolicy) -> bytes:
    """Return what lies at a URL.

    Raises:
        ImageError: the URL is not allowed, cannot be reached, answers with another status than 200, takes too long,
            is too large, or sends fewer bytes than it announced.

    """
    deadline = time.monotonic() + policy.total_timeout_seconds
    for _ in range(policy.max_redirects + 1):
        target = _target(url, policy)
        answer = _get(target, policy, deadline)
        if isinstance(answer, bytes):
            return answer
        url = urljoin(url, answer)
    raise ImageError(f"the URL redirects more than {policy.max_redirects} times")


def _target(url: str, policy: FetchPolicy) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = _port(parts)
    except ValueError:
        raise ImageError("the URL is not valid") from None
    if parts.scheme not in policy.schemes:
        raise ImageError(f"a URL must begin with {' or '.join(sorted(policy.schemes))}")
    if not parts.hostname or "@" in parts.netloc:
        raise ImageError("a URL must name a host, and no user")
    if port not in policy.ports:
        raise ImageError(f"the port {port} is not one of the allowed ports {sorted(policy.ports)}")
    return parts


def _port(parts: SplitResult) -> int:
    return parts.port if parts.port is not None else (443 if parts.scheme == "https" else 80)


def _get(target: SplitResult, policy: FetchPolicy, deadline: float) -> bytes | str:
    """Return the body at a URL, or the place that it redirects to."""
    host = str(target.hostname)
    left = deadline - time.monotonic()
    if left <= 0:
        raise ImageError("the download took too long")
    address = checked(
        host,
        _port(target),
        allow_private=policy.allow_private,
        seconds=min(left, policy.connect_timeout_seconds),
        resolver=policy.resolver,
    )
    timeout = Timeout(connect=min(left, policy.connect_timeout_seconds), read=left)
    late = threading.Event()
    try:
        with _pool(target, address, timeout) as pool, _watched(pool, deadline, late):
            return _read(pool, target, policy)
    except ImageError:
        if late.is_set():
            raise ImageError("the download took too long") from None
        raise
    except (urllib3.exceptions.HTTPError, OSError, ValueError, AttributeError) as error:
        # AttributeError: urllib3 reads from a socket that the deadline has just taken away.
        if late.is_set() or isinstance(error, urllib3.exceptions.ReadTimeoutError | TimeoutError):
            raise ImageError("the download took too long") from None
        raise ImageError(f"the host {host} cannot be reached or broke off") from None


def _pool(target: SplitResult, address: str, timeout: Timeout) -> urllib3.HTTPConnectionPool:
    """Return a pool of one connection to the checked address, which speaks to the host by its name."""
    if target.scheme == "https":
        return urllib3.HTTPSConnectionPool(
            address,
            _port(target),
            maxsize=1,
            timeout=timeout,
            retries=False,
            server_hostname=target.hostname,
            assert_hostname=target.hostname,
        )
    return urllib3.HTTPConnectionPool(address, _port(target), maxsize=1, timeout=timeout, retries=False)


@contextlib.contextmanager
def _watched(pool: urllib3.HTTPConnectionPool, deadline: float, late: threading.Event) -> Iterator[None]:
    """Shut the pool's sockets down at the deadline, and end the watch with the block."""
    opened: list[HTTPConnection] = []
    make = pool._new_conn

    def remember() -> HTTPConnection:
        connection = cast("HTTPConnection", make())
        opened.append(connection)
        return connection

    def end() -> None:
        late.set()
        for connection in opened:
            sock = connection.sock
            if sock is not None:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

    pool._new_conn = remember  # type: ignore[method-assign, assignment]
    timer = threading.Timer(max(0.0, deadline - time.monotonic()), end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _read(pool: urllib3.HTTPConnectionPool, target: SplitResult, policy: FetchPolicy) -> bytes | str:
    path = (target.path or "/") + (f"?{target.query}" if target.query else "")
    headers = {
        "Host": _host_header(target),
        "User-Agent": policy.user_agent,
        "Accept": "image/*",
        "Accept-Encoding": "identity",
    }
    response = pool.urlopen(
        "GET",
        path,
        headers=headers,
        redirect=False,
        preload_content=False,
        decode_content=False,
        assert_same_host=False,
    )
    try:
        if response.status in _REDIRECTS and (place := response.headers.get("Location")):
            return str(place)
        if response.status != 200:
            raise ImageError(f"the URL answers with the status {response.status}")
        return _body(response, policy.max_bytes)
    finally:
        response.close()


def _host_header(target: SplitResult) -> str:
    host = f"[{target.hostname}]" if ":" in str(target.hostname) else str(target.hostname)
    return host if target.port is None else f"{host}:{target.port}"


def _body(response: urllib3.BaseHTTPResponse, max_bytes: int) -> bytes:
    announced = response.headers.get("Content-Length", "")
    if announced.isdigit() and int(announced) > max_bytes:
        raise ImageError(f"the picture has {announced} bytes; {max_bytes} are allowed")
    pieces = []
    size = 0
    while piece := response.read1(_PIECE):
        pieces.append(piece)
        size += len(piece)
        if size > max_bytes:
            raise ImageError(f"the picture has more than the {max_bytes} bytes that are allowed")
    if announced.isdigit() and size != int(announced):
        raise ImageError(f"the host announced {announced} bytes and sent {size}")
    return b"".join(pieces)
