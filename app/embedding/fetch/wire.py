"""HTTP over a socket whose every wait ends at one deadline.

A time limit on each read would let a host that sends a byte a second go on for ever. Here each wait (connecting, the
handshake, sending, every piece of headers or body) gets only what is left until the deadline.
"""

import functools
import http.client
import io
import socket
import ssl
import time
from typing import Any


class Wire:
    """A connected socket with a deadline (`time.monotonic()`), in the form that `http.client` expects of a socket.

    Its methods raise TimeoutError at the deadline.
    """

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self._deadline = deadline
        self.patient = True

    def extend(self, seconds: float) -> None:
        """Put the deadline so many seconds from now, if it would come sooner."""
        self._deadline = max(self._deadline, time.monotonic() + seconds)

    def wait(self) -> socket.socket:
        """Return the socket, set to wait until the deadline and no longer."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)
        return self._sock

    def sendall(self, data: bytes) -> None:
        """Send all of it."""
        self.wait().sendall(data)

    def receive(self, buffer: memoryview) -> int | None:
        """Fill a buffer with what comes next and return its length, 0 at the end; None where nothing is there yet."""
        if self.patient:
            return self.wait().recv_into(buffer)
        self._sock.settimeout(0)
        try:
            return self._sock.recv_into(buffer)
        except (BlockingIOError, ssl.SSLWantReadError):
            return None

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return the receiving side as a file."""
        return io.BufferedReader(_Reader(self), 64 * 1024)

    def close(self) -> None:
        """Do nothing: who opened the socket closes it."""


class _Reader(io.RawIOBase):
    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        return self._wire.receive(buffer)


class Connection(http.client.HTTPConnection):
    """An HTTP connection over a wire that is connected already."""

    def __init__(self, host: str, wire: Wire) -> None:
        super().__init__(host)
        self._wire: Any = wire

    def connect(self) -> None:
        """Take the wire; no name is looked up."""
        self.sock = self._wire


def secured(sock: socket.socket, host: str, ca_file: str | None) -> socket.socket:
    """Return a socket with TLS, the other side's certificate checked against the host's name.

    The handshake as a whole gets the socket's timeout.

    Raises:
        ssl.SSLCertVerificationError: the certificate is not one of this host, or not by a known authority.
        OSError: the handshake failed or took too long.

    """
    return _context(ca_file).wrap_socket(sock, server_hostname=host)


@functools.cache
def _context(ca_file: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context
