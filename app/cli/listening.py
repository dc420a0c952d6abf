"""The address that the server listens on, tried before any work is done."""

import errno
import socket
from collections.abc import Callable
from ipaddress import ip_address

from app.config import Settings
from app.domain.errors import ConfigurationError
from app.metrics import Metrics

_PORT_ADVICE = "choose another with LOOKALIKE_PORT or --port (make demo: PORT=)"


def address_of(settings: Settings) -> str:
    """Return the host's first address as a number, IPv4 before IPv6; brackets around an IPv6 address may be given.

    Raises:
        ConfigurationError: the host is no address or name of this machine.

    """
    host = settings.host.strip().removeprefix("[").removesuffix("]")
    try:
        found = socket.getaddrinfo(host or None, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise ConfigurationError(
            f"LOOKALIKE_HOST (or --host) is {settings.host!r}, which is no address or name that can be found: it takes"
            " an address of this machine, as 127.0.0.1, ::1, or 0.0.0.0 and :: for all of them"
        ) from None
    return str(min(found, key=lambda entry: entry[0] != socket.AF_INET)[4][0])


def here_alone(settings: Settings) -> bool:
    """Say whether the server listens on an address that only this machine reaches."""
    return ip_address(address_of(settings)).is_loopback


def netloc(address: str, port: int) -> str:
    """Return an address and a port as URLs have them: an IPv6 address in brackets."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def url_of(settings: Settings) -> str:
    """Return the URL of the server for somebody on this machine."""
    address = address_of(settings)
    here = address in {"127.0.0.1", "0.0.0.0", "::"}  # noqa: S104  (compared, not listened on)
    return f"http://{netloc('localhost' if here else address, settings.port)}"


def check_free(settings: Settings, port: int | None = None, advice: str = _PORT_ADVICE) -> None:
    """Check that the server can listen: that the address is of this machine, and the port free.

    Args:
        settings: they name the address.
        port: where it listens; None: on the port of the settings.
        advice: how to choose another port.

    Raises:
        ConfigurationError: it cannot; the message names the setting to change.

    """
    address, port = address_of(settings), port or settings.port
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address, port))
            probe.listen(1)
    except OSError as error:
        raise ConfigurationError(_refused(settings, error, port, advice)) from None


def serve_metrics(settings: Settings, metrics: Metrics, port: int | None) -> Callable[[], None]:
    """Serve the metrics on a port of their own, where there is one; return what ends that."""
    if port is None or not metrics.counting:
        return lambda: None
    return metrics.serve(address_of(settings), port)


def _refused(settings: Settings, error: OSError, port: int, advice: str) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"the port {port} is in use by another program: {advice}"
    if error.errno in {errno.EACCES, errno.EPERM}:
        return f"this user may not listen on the port {port}: {advice}"
    return (
        f"the server cannot listen on {settings.host!r} ({error.strerror}): LOOKALIKE_HOST (or --host) takes an address"
        " of this machine, as 127.0.0.1, ::1, or 0.0.0.0 and :: for all of them"
    )
