"""A client's connection: how long it may be silent, what of a request is still unread, and how it is closed."""

import errno
import socket
import struct
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from gunicorn.http.body import Body
from gunicorn.http.errors import ParseException

# So much of a body that nobody wanted is read for the sake of the connection; for more, a new one costs less.
_DRAINED_BYTES = 2**20
_PIECE = 2**16
_Error = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]


class ClientSocket(socket.socket):
    """A client's connection: lost, as if the client had closed it, once nothing has come or gone for so many seconds.

    Else a client that vanished in the middle of its request, or of its answer, would hold a thread for ever.
    """

    def __init__(self, accepted: socket.socket, seconds: float) -> None:
        super().__init__(fileno=accepted.detach())
        # The system's own limits: Python's would cost a poll before each call, and gunicorn takes them off again.
        limit = struct.pack("@ll", int(seconds), int(seconds % 1 * 1_000_000))
        self.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        self.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """Return what has come.

        Raises:
            ConnectionResetError: nothing came in time.

        """
        try:
            return super().recv(size, flags)
        except BlockingIOError as error:
            if flags & socket.MSG_DONTWAIT:
                raise
            raise _lost() from error

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """Send it all.

        Raises:
            ConnectionResetError: the client took nothing in time.

        """
        try:
            super().sendall(data, flags)
        except BlockingIOError as error:
            raise _lost() from error


def _lost() -> ConnectionResetError:
    return ConnectionResetError(errno.ECONNRESET, "the client has neither sent nor taken anything for too long")


class _Input:
    """A request's body, whose chunks may be broken: that is an error of reading, as it is where the client vanished."""

    def __init__(self, body: Body) -> None:
        self._body = body

    def read(self, size: int = -1) -> bytes:
        try:
            data: bytes = self._body.read(size)
        except ParseException as error:
            raise OSError(errno.EBADMSG, "the chunks of the request body cannot be read") from error
        return data


def whole_requests(application: WSGIApplication, ends: Callable[[], bool] = lambda: False) -> WSGIApplication:
    """Return the application, before whose answers the rest of the request is read, or the connection given up.

    An answer that comes before the body was read, as for a wrong token, would leave the rest of it on the connection.
    A small rest is read and thrown away; with a larger one the answer says `Connection: close`, and so it does where
    `ends` says that the server is about to stop: the client's next request goes to another one.
    """

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body = environ["wsgi.input"]
        response = start_response.__self__  # type: ignore[attr-defined]  # gunicorn's, which says whether to close
        environ["wsgi.input"] = _Input(body)

        def start(status: str, headers: list[tuple[str, str]], error: _Error | None = None, /) -> Any:
            if not _drained(body, environ.get("CONTENT_LENGTH")) or ends():
                response.force_close()
            return start_response(status, headers, error)

        return application(environ, start)

    return answer


def _drained(body: Body, length: str | None) -> bool:
    """Read what is left of a body; False where that is too much, or is not to be had."""
    if body.failed or (length and getattr(body.reader, "length", 0) > _DRAINED_BYTES):
        return False
    drained = 0
    try:
        while piece := body.read(_PIECE):
            drained += len(piece)
            if drained > _DRAINED_BYTES:
                return False
    except (OSError, ParseException):
        return False
    return True
