"""What the fault drills count: a loss is seen, and what is not one is not."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.drills.ledger import GONE, Ledger
from tests.drills.proxy import Proxy


def ledger() -> Ledger:
    """Two records are stored, one of them changed without an answer; a third is deleted; a fourth never answered."""
    made = Ledger()
    for ids, version in ((["a", "b", "c"], 0), (["c"], GONE)):
        made.sent(ids, version)
        made.answered(ids, version)
    made.sent(["b"], 5)
    made.sent(["d"], 0)
    return made


@pytest.mark.parametrize(
    "rows",
    [
        [("a", 0), ("b", 0)],
        [("a", 0), ("b", 5), ("d", 0)],
    ],
)
def test_what_was_never_answered_may_be_there_or_not(rows: list[tuple[str, int]]) -> None:
    assert ledger().judge(rows).examples == []
    assert (ledger().judge(rows).lost, ledger().judge(rows).doubled, ledger().judge(rows).acknowledged) == (0, 0, 4)


@pytest.mark.parametrize(
    ("rows", "lost", "doubled"),
    [
        ([("b", 0)], 1, 0),
        ([("a", 3), ("b", 0)], 1, 0),
        ([("a", 0), ("b", 0), ("c", 0)], 1, 0),
        ([("a", 0), ("b", 0), ("b", 0)], 0, 1),
        ([("a", 0), ("b", 0), ("e", 0)], 0, 1),
        ([], 2, 0),
    ],
)
def test_what_is_missing_old_back_or_twice_is_counted(rows: list[tuple[str, int]], lost: int, doubled: int) -> None:
    verdict = ledger().judge(rows)
    assert (verdict.lost, verdict.doubled) == (lost, doubled)
    assert len(verdict.examples) == max(1, lost) if lost else True


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    """A proxy in front of a server that sends back what it gets."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.socket(socket.AF_UNIX))
        server.bind(str(tmp_path / "s"))
        server.listen()

        def answer(one: socket.socket) -> None:
            with one:
                while data := one.recv(100):
                    one.sendall(data)

        def serve() -> None:
            with suppress(OSError):
                while True:
                    threading.Thread(target=answer, args=(server.accept()[0],), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        made = Proxy(tmp_path / "s")
        yield made
        made.reset()
        server.shutdown(socket.SHUT_RDWR)


def echoed(client: socket.socket) -> bytes:
    client.sendall(b"hello")
    return client.recv(100)


def anew(proxy: Proxy) -> bytes:
    with connected(proxy) as client:
        return echoed(client)


def connected(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=0.3)


def test_the_proxy_passes_on_is_cut_and_mended(proxy: Proxy) -> None:
    with connected(proxy) as client:
        assert echoed(client) == b"hello"
        proxy.cut()
        with pytest.raises(TimeoutError):
            echoed(client)
        with pytest.raises(TimeoutError):
            connected(proxy)
        proxy.mend(forget=True)
        assert anew(proxy) == b"hello"
        with pytest.raises(TimeoutError):
            echoed(client)
        proxy.reset()
    with pytest.raises(ConnectionRefusedError):
        connected(proxy)
    proxy.restore()
    assert anew(proxy) == b"hello"
