"""A host on this machine that answers as badly as a test wants, over a real socket."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

CERTIFICATE = Path(__file__).with_name("pictures.example.pem")  # of the host pictures.example
Answer = Callable[["Caller"], None]


class Caller:
    """One connection, its request read: `path`, `head` (the whole request), and ways to answer."""

    def __init__(self, sock: socket.socket, stopped: threading.Event) -> None:
        self._sock = sock
        self._stopped = stopped
        self.head = b""

    def listen(self) -> None:
        while b"\r\n\r\n" not in self.head and (piece := self._sock.recv(65536)):
            self.head += piece

    @property
    def path(self) -> str:
        return self.head.split(b" ")[1].decode()

    def send(self, data: bytes) -> None:
        self._sock.sendall(data)

    def reply(self, body: bytes = b"", status: int = 200, **headers: object) -> None:
        """Send a whole answer; headers that are given replace those that are true, None leaves one out."""
        given: dict[str, object] = {"Content_Length": len(body), **headers}
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in given.items() if value is not None)
        self.send(f"HTTP/1.1 {status} So\r\n{lines}\r\n".encode() + body)

    def drip(self, data: bytes, every_seconds: float = 0.02) -> None:
        """Send the same bytes over and over, slowly, until the test is over or the other side has gone."""
        while not self._stopped.wait(every_seconds):
            self.send(data)

    def silence(self) -> None:
        self._stopped.wait(30)


class Host:
    """What a test knows of its host: where it is, the paths that it was asked for, and the whole requests."""

    def __init__(self, address: str, port: int) -> None:
        self.address = address
        self.port = port
        self.asked: list[str] = []
        self.heads: list[bytes] = []

    def url(self, path: str = "/picture") -> str:
        return f"http://{self.address}:{self.port}{path}"


@contextlib.contextmanager
def host(answer: Answer, *, address: str = "127.0.0.1", tls: bool = False, listens: bool = True) -> Iterator[Host]:
    """Serve on a free port until the block ends; one thread a connection, which is closed after its answer.

    With `listens=False` the answer begins before any request is read.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if tls else None
    if context is not None:
        context.load_cert_chain(CERTIFICATE)
    stopped = threading.Event()
    threads: list[threading.Thread] = []
    with socket.create_server((address, 0)) as server:
        found = Host(address, server.getsockname()[1])

        def talk(sock: socket.socket) -> None:
            # The other side may go away at any time: that is what many tests are about.
            with contextlib.suppress(OSError), sock:
                own = context.wrap_socket(sock, server_side=True) if context is not None else sock
                with own:
                    caller = Caller(own, stopped)
                    if listens:
                        caller.listen()
                    found.heads.append(caller.head)
                    found.asked.append(caller.path if caller.head else "")
                    answer(caller)

        def serve() -> None:
            with contextlib.suppress(OSError):
                while not stopped.is_set():
                    sock, _ = server.accept()
                    thread = threading.Thread(target=talk, args=(sock,), daemon=True)
                    threads.append(thread)
                    thread.start()

        accepting = threading.Thread(target=serve, daemon=True)
        accepting.start()
        try:
            yield found
        finally:
            stopped.set()
            server.shutdown(socket.SHUT_RDWR)
            accepting.join(5)
            for thread in threads:
                thread.join(5)
