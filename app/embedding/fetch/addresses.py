"""A `_url` may lead to some network addresses only."""

import ipaddress
import queue
import socket
import threading
from collections.abc import Callable, Sequence

from app.domain.errors import ImageError
from app.domain.options import Resolver
from app.embedding.fetch.answers import Transient

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# What `ipaddress` calls global, or did in some versions, and no public picture has.
_NEVER = tuple(
    ipaddress.ip_network(text)
    for text in (
        "168.63.129.16/32",  # metadata and agents of Azure
        "192.0.0.0/24",  # protocol assignments; metadata of Oracle
        "192.88.99.0/24",  # relays of 6to4
        "64:ff9b:1::/48",  # NAT64 within a network (RFC 8215)
        "3fff::/20",  # documentation (RFC 9637)
        "fec0::/10",  # site-local (RFC 3879)
    )
)


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host, as the system's resolver gives them.

    Raises:
        OSError: it has none.

    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def carried(address: Address) -> Address:
    """Return the address that another one carries (IPv4-mapped, 6to4, Teredo, NAT64), or itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def is_public(address: Address) -> bool:
    """Say whether an address belongs to the public internet and to one host.

    Private, loopback, link-local (the metadata services of clouds), shared, reserved and multicast addresses do not,
    nor do those that carry one of them.
    """
    real = carried(address)
    return (
        real.is_global
        and not (real.is_multicast or real.is_reserved or real.is_unspecified)
        and not any(real in network for network in _NEVER)
    )


def checked(
    host: str, port: int, *, allow: Callable[[Address], bool], seconds: float, resolver: Resolver = resolve
) -> list[str]:
    """Resolve a host once and return the addresses to connect to, best first.

    Every address of the host must be allowed: one that is not would be the one connected to next time.

    Raises:
        ImageError: the host is not known, is not known in time, or has an address that is not allowed.

    """
    try:
        texts = _in_time(lambda: resolver(host, port), seconds)
        addresses = [ipaddress.ip_address(text) for text in texts]
    except TimeoutError:
        raise Transient(f"the address of the host {host} was not found in time") from None
    except (OSError, ValueError) as error:
        if isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN:
            raise Transient(f"the address of the host {host} cannot be found now") from None
        raise ImageError(f"the host {host} is not known") from None
    if not addresses:
        raise ImageError(f"the host {host} is not known")
    if not all(allow(address) for address in addresses):
        raise ImageError(f"the host {host} has a private or reserved address, which is not fetched from")
    return [str(address) for address in addresses]


def _in_time(call: Callable[[], Sequence[str]], seconds: float) -> Sequence[str]:
    """Return a call's result, or raise TimeoutError: the system's resolver itself takes no limit.

    The thread is a daemon and ends with its lookup: a name server that is away holds up neither others nor an exit.
    """
    answers: queue.SimpleQueue[Sequence[str] | Exception] = queue.SimpleQueue()

    def work() -> None:
        try:
            answers.put(call())
        except (OSError, ValueError) as error:
            answers.put(error)

    threading.Thread(target=work, name="resolve", daemon=True).start()
    try:
        answer = answers.get(timeout=max(0.0, seconds))
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(answer, Exception):
        raise answer
    return answer
