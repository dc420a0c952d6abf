"""Connections that are kept alive: each answer arrives whole, and says whether the next request may follow."""

import http.client
import json
import socket
from collections.abc import Iterator

import pytest

from app.api.headers import COMMON
from tests.server.conftest import Server, clean_environment

_MOST = 4 * 2**20


@pytest.fixture(scope="module")
def small(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str]]:
    """A server that takes bodies of 4 MiB, and a token."""
    home = tmp_path_factory.mktemp("small")
    environment = clean_environment(
        LOOKALIKE_HOME=str(home), DATABASE_URL=module_database_url, LOOKALIKE_MAX_BODY_BYTES=str(_MOST)
    )
    server = Server(environment, home / "log")
    server.json("collection", "create", "c", "--service", "photo")
    token = str(server.json("token", "create", "--scope", "admin")["token"])
    server.start()
    yield server, token
    assert server.stop() == 0
    assert "Traceback" not in server.log.read_text()


def _pieces(body: bytes) -> Iterator[bytes]:
    return (body[start : start + 65536] for start in range(0, len(body), 65536))


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunks"])
@pytest.mark.parametrize("size", [100, 100_000, _MOST - 1000, _MOST, _MOST + 1, 3 * _MOST])
@pytest.mark.parametrize("wrong", ["method", "token", "collection", "nothing"])
def test_an_answer_before_the_body_was_read_leaves_a_connection_that_works_or_says_that_it_ends(
    small: tuple[Server, str], wrong: str, size: int, *, chunked: bool
) -> None:
    server, token = small
    body = b'{"filter": {}, "pad": "' + b"x" * (size - 25) + b'"}'
    assert len(body) == size
    path = "/v2/nothing" if wrong == "method" else "/v2/find"
    headers = {"Authorization": "Token no" if wrong == "token" else f"Token {token}"}
    headers["collection-id"] = "none" if wrong == "collection" else "c"
    expected = {"method": 404, "token": 401, "collection": 404, "nothing": 200}[wrong]
    if wrong == "nothing" and size > _MOST:
        expected = 413
    connection = http.client.HTTPConnection("localhost", server.port, timeout=20)
    try:
        if chunked:
            connection.request("POST", path, _pieces(body), headers, encode_chunked=True)
        else:
            connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        assert json.loads(answer.read())["status"]["code"] == expected
        ends = answer.headers["Connection"] == "close"
        read = {200: size, 413: _MOST + 1 if chunked else 0}.get(expected, 0)
        assert ends is (size - read > 2**20), answer.headers
        if not ends:
            assert connection.sock is not None
            connection.auto_open = 0  # the same connection, or an error
            connection.request("POST", "/v2/ping", b"{}")
            assert json.loads(connection.getresponse().read())["status"]["code"] == 200
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"POST /v2/ping HTTP/9.9\r\n\r\n", 400),
        (b"POST /v2/ping HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", 400),
        (b"POST /v2/ping HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
        (b"POST /v2/find HTTP/1.1\r\nHost: a\r\n%s\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n{}\r\n0\r\n\r\n", 400),
        (b"POST /v2/find HTTP/1.1\r\nHost: a\r\n%s\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}xx0\r\n\r\n", 400),
    ],
)
def test_what_is_no_http_is_answered_with_an_envelope_and_the_connection_ends(
    small: tuple[Server, str], raw: bytes, status: int
) -> None:
    server, token = small
    own = f"Authorization: Token {token}\r\ncollection-id: c".encode()
    with socket.create_connection(("localhost", server.port), timeout=10) as client:
        client.sendall(raw.replace(b"%s", own))
        said = b"".join(iter(lambda: client.recv(65536), b""))
    head, _, body = said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert json.loads(body)["status"]["code"] == 402
    lines = head.decode().lower().splitlines()
    assert "connection: close" in lines
    for name, value in COMMON.items():
        assert f"{name}: {value}".lower() in lines


def test_clients_that_do_not_hang_up_hold_nobody_up(small: tuple[Server, str]) -> None:
    """Their answers said that the connection ends; they wait on, and others are served at once."""
    server, _ = small
    lingering = []
    for _ in range(20):
        one = socket.create_connection(("localhost", server.port), timeout=10)
        one.sendall(b"POST /v2/ping HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        assert one.recv(20).startswith(b"HTTP/1.1 200")
        lingering.append(one)
    connection = http.client.HTTPConnection("localhost", server.port, timeout=1)
    connection.request("POST", "/v2/ping")
    assert connection.getresponse().status == 200
    connection.close()
    for one in lingering:
        while one.recv(65536):
            pass
        one.close()
