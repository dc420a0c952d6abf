"""Which network addresses a `_url` may lead to."""

import ipaddress
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout

from app.domain.errors import ImageError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[[str, int], Sequence[str]]

# Addresses that carry another address: what they lead to is what counts.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_resolving = ThreadPoolExecutor(max_workers=16, thread_name_prefix="resolve")


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


def is_public(text: str) -> bool:
    """Say whether an address belongs to the public internet and to one host.

    Private, loopback, link-local (the metadata services of clouds), shared, reserved and multicast addresses do not.
    """
    address = carried(ipaddress.ip_address(text.partition("%")[0]))
    return address.is_global and not address.is_multicast and not address.is_reserved and not address.is_unspecified


def checked(host: str, port: int, *, allow_private: bool, seconds: float, resolver: Resolver = resolve) -> str:
    """Resolve a host once and return the address to connect to.

    Every address of the host must be allowed: one that is not would be the one used next time.

    Raises:
        ImageError: the host is not known, is not known in time, or has an address that is not allowed.

    """
    try:
        addresses = _resolving.submit(resolver, host, port).result(timeout=seconds)
    except FutureTimeout:
        raise ImageError(f"the address of {host} was not found in time") from None
    except (OSError, UnicodeError):
        raise ImageError(f"the host {host} is not known") from None
    if not addresses:
        raise ImageError(f"the host {host} is not known")
    if not allow_private and not all(is_public(address) for address in addresses):
        raise ImageError(f"the host {host} has a private or reserved address, which is not fetched from")
    return addresses[0]
