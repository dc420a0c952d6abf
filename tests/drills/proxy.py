"""A TCP proxy in front of the database's Unix socket, that can be cut."""

import contextlib
import ctypes
import select
import socket
import struct
import threading
from pathlib import Path

_ATTACH_FILTER, _DETACH_FILTER = 26, 27
# A filter of BPF that returns 0: the kernel drops what comes, and acknowledges nothing.
_DROP_ALL = struct.pack("HBBI", 0x06, 0, 0, 0)
_PIECE = 2**16


class Proxy:
    """Listens on a port of this machine and passes everything on to a socket, each connection on a thread."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self._whole = threading.Event()
        self._whole.set()
        self.port = 0
        self._listen()

    def _listen(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(128)
        self.port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(str(self._target))
            except OSError:
                client.close()
                continue
            pair = (client, server)
            with self._lock:
                self._pairs.add(pair)
            threading.Thread(target=self._pass_on, args=(pair, self._whole), daemon=True).start()

    def _pass_on(self, pair: tuple[socket.socket, socket.socket], whole: threading.Event) -> None:
        other = {pair[0]: pair[1], pair[1]: pair[0]}
        with contextlib.suppress(OSError, ValueError):  # one side is gone, or was closed by `reset`
            while True:
                for one in select.select(pair, [], [])[0]:
                    whole.wait()
                    data = one.recv(_PIECE)
                    if not data:
                        raise OSError
                    other[one].sendall(data)
        with self._lock:
            self._pairs.discard(pair)
        for one in pair:
            one.close()

    def reset(self) -> None:
        """Break every connection off with a reset, and refuse new ones."""
        self.close()
        with self._lock:
            pairs, self._pairs = self._pairs, set()
        for client, server in pairs:
            with contextlib.suppress(OSError):  # it has ended by itself
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.close()
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        """Lose every packet from now on, those of new connections included: nobody is told anything."""
        self._whole.clear()
        program = ctypes.create_string_buffer(_DROP_ALL)
        given = struct.pack("HP", 1, ctypes.addressof(program))
        for one in self._all():
            one.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, given)

    def mend(self, *, forget: bool = False) -> None:
        """Let packets through again; `forget`: new connections only, as a firewall that lost its table does."""
        if forget:
            self._whole = threading.Event()  # the threads of earlier connections wait for the other for good
        self._whole.set()
        for one in self._all():
            if not forget or one is self._listener:
                one.setsockopt(socket.SOL_SOCKET, _DETACH_FILTER, 0)

    def restore(self) -> None:
        """Listen again after `reset`."""
        self._listen()

    def close(self) -> None:
        """Listen no more."""
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)  # or `accept` would go on waiting
            self._listener.close()
            self._listener = None

    def _all(self) -> list[socket.socket]:
        with self._lock:
            clients = [client for client, _ in self._pairs]
        return [*clients, self._listener] if self._listener is not None else clients
