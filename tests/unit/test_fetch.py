import gzip
import ipaddress
import threading
import time
import zlib
from collections.abc import Sequence
from dataclasses import replace

import pytest

from app.domain.errors import ImageError
from app.domain.options import FetchPolicy
from app.embedding.fetch import downloads as fetch_module
from app.embedding.fetch.downloads import fetch
from tests.hosts import CERTIFICATE, Answer, Caller, Host, host

BODY = bytes(range(256)) * 40
OPEN = FetchPolicy(ports=frozenset(range(1, 65536)), allow_private=True, total_timeout_seconds=5)
CLOSED = replace(OPEN, allow_private=False)
HURRIED = replace(OPEN, total_timeout_seconds=0.4, connect_timeout_seconds=0.4)


def good(caller: Caller) -> None:
    caller.reply(BODY)


def at(found: Host) -> FetchPolicy:
    """A policy under which every name leads to the host, as a hostile name server would have it."""
    return replace(OPEN, resolver=lambda name, port: [found.address])


def refused(url: str, policy: FetchPolicy, message: str) -> None:
    start = time.monotonic()
    with pytest.raises(ImageError, match=message):
        fetch(url, policy)
    assert time.monotonic() - start < 3


def test_a_picture_is_fetched_with_a_plain_request() -> None:
    with host(good) as found:
        assert fetch(found.url("/a b/é.png?x=1&y=ü z#part"), OPEN) == BODY
    head = found.heads[0].decode().lower()
    assert head.startswith("get /a%20b/%c3%a9.png?x=1&y=%c3%bc%20z http/1.1\r\n")
    assert f"host: 127.0.0.1:{found.port}\r\n" in head
    assert "accept-encoding: identity\r\n" in head
    assert "user-agent: lookalike" in head
    assert "cookie" not in head


def test_already_encoded_paths_stay_as_they_are() -> None:
    with host(good) as found:
        fetch(found.url("/a%20b%2Fc?d=%26"), OPEN)
    assert found.asked == ["/a%20b%2Fc?d=%26"]


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, BODY),
        ({"Content_Length": None}, BODY),
        ({"Content_Length": None, "Transfer_Encoding": "chunked"}, b"100\r\n" + BODY[:256] + b"\r\n0\r\n\r\n"),
        ({"Content_Encoding": "identity"}, BODY),
    ],
    ids=["length", "until it closes", "chunked", "identity"],
)
def test_every_way_to_end_a_body(headers: dict[str, object], body: bytes) -> None:
    with host(lambda caller: caller.reply(body, 200, **headers)) as found:
        assert fetch(found.url(), OPEN) in {BODY, BODY[:256]}


def test_a_host_that_keeps_the_connection_open_is_not_waited_for() -> None:
    def answer(caller: Caller) -> None:
        good(caller)
        caller.silence()

    with host(answer) as found:
        start = time.monotonic()
        assert fetch(found.url(), OPEN) == BODY
        assert time.monotonic() - start < 1


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with host(good) as found:
        assert fetch(found.url(), OPEN) == BODY


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("file:///etc/passwd", "must begin with http or https"),
        ("ftp://example.com/a.png", "must begin with http or https"),
        ("gopher://example.com/a.png", "must begin with http or https"),
        ("data:image/png;base64,AAAA", "must begin with http or https"),
        ("//example.com/a.png", "must begin with http or https"),
        ("example.com/a.png", "must begin with http or https"),
        ("", "must begin with http or https"),
        ("http://", "must name a host"),
        ("http:///a.png", "must name a host"),
        ("http://user@example.com/a.png", "no user"),
        ("http://user:secret@example.com/a.png", "no user"),
        ("http://example.com:22/", "port 22"),
        ("http://example.com:8080/", "port 8080"),
        ("http://example.com:0/", "port 0"),
        ("http://example.com:99999/", "not valid"),
        ("http://example.com:x/", "not valid"),
        ("http://[::1/", "not valid"),
        ("http://" + "a" * 70 + ".com/", "not valid"),
        ("http://a..b/", "not valid"),
        ("http://example.com/" + "a" * 9000, "longer than"),
        ("http://exa\0mple.com/", "not known"),
    ],
)
def test_urls_that_are_not_allowed(url: str, message: str) -> None:
    refused(url, FetchPolicy(), message)


@pytest.mark.parametrize(
    "name",
    [
        "127.0.0.1", "127.1", "0x7f000001", "2130706433", "017700000001", "0.0.0.0", "[::]", "[::1]",
        "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "localhost", "localhost.",
        "LOCALHOST", "169.254.169.254", "10.0.0.1", "[fd00:ec2::254]", "[fe80::1%25lo]", "255.255.255.255",
    ],
)  # fmt: skip
def test_no_spelling_of_a_private_host_is_connected_to(name: str) -> None:
    with host(good) as found, pytest.raises(ImageError, match=r"private or reserved|not known"):
        fetch(f"http://{name}:{found.port}/", CLOSED)
    assert found.asked == []


def test_the_name_is_looked_up_once_and_its_address_connected_to() -> None:
    asked: list[str] = []

    def rebinding(name: str, port: int) -> Sequence[str]:
        asked.append(name)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.9"]

    with host(good) as found:
        url = f"http://Pictures.Example:{found.port}/"
        assert fetch(url, replace(OPEN, resolver=rebinding)) == BODY
    assert asked == ["pictures.example"]
    assert f"Host: pictures.example:{found.port}".encode() in found.heads[0]


def test_the_next_address_is_tried_where_one_does_not_answer() -> None:
    with host(good) as found:
        policy = replace(OPEN, resolver=lambda name, port: ["127.0.0.77", "::1", "127.0.0.1"])
        assert fetch(f"http://pictures.example:{found.port}/", policy) == BODY


def test_a_slow_name_server_is_not_waited_for() -> None:
    released = threading.Event()

    def slow(name: str, port: int) -> Sequence[str]:
        released.wait(20)
        return ["127.0.0.1"]

    refused("http://pictures.example/", replace(HURRIED, resolver=slow), "not found in time")
    released.set()


@pytest.mark.parametrize("addresses", [[], ["not an address"]])
def test_a_name_without_an_address(addresses: list[str]) -> None:
    refused("http://pictures.example/", replace(OPEN, resolver=lambda name, port: addresses), "not known")


def test_a_name_that_the_resolver_does_not_know() -> None:
    def unknown(name: str, port: int) -> Sequence[str]:
        raise OSError("no such host")

    refused("http://pictures.example/", replace(OPEN, resolver=unknown), "host pictures.example is not known")


@pytest.mark.parametrize(
    ("url", "header"),
    [
        ("http://Pictures.Example:{port}/", "pictures.example"),
        ("http://[2606:4700::1111]:{port}/", "[2606:4700::1111]"),
    ],
)
def test_the_host_header_names_the_port_unless_it_is_the_schemes_own(
    url: str, header: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with host(good) as found:
        fetch(url.format(port=found.port), at(found))
        monkeypatch.setattr(fetch_module, "_DEFAULT_PORTS", {"http": found.port})
        fetch(url.format(port=found.port), at(found))
    assert f"\r\nHost: {header}:{found.port}\r\n".encode() in found.heads[0]
    assert f"\r\nHost: {header}\r\n".encode() in found.heads[1]


@pytest.mark.parametrize(
    "rest",
    [
        "/a\r\nX-Evil: 1",
        "/a?b\r\nX-Evil: 1\r\n\r\nGET /c",
        "/a\nX-Evil: 1",
        "/a\0X-Evil: 1",
        "/#\r\nX-Evil: 1",
        "/\u2028X-Evil: 1",
        "/\x85X-Evil: 1\x0b\x0c",
        "/a b HTTP/1.0",
    ],
    ids=range(8),
)
def test_nothing_in_a_url_becomes_a_header_or_a_second_request(rest: str) -> None:
    with host(good) as found:
        fetch(f"http://pictures.example:{found.port}{rest}", at(found))
    lines = found.heads[0].split(b"\r\n")
    names = [line.split(b":")[0] for line in lines[1:] if line]
    assert names == [b"Host", b"User-Agent", b"Accept", b"Accept-Encoding", b"Connection"]
    assert lines[0].startswith(b"GET /")
    assert lines[0].endswith(b" HTTP/1.1")
    assert lines[0].count(b" ") == 2
    assert found.heads[0].isascii()
    assert found.heads[0].count(b"\n") == found.heads[0].count(b"\r\n")
    assert len(found.heads) == 1


@pytest.mark.parametrize("name", ["pictures.example\r\nX-Evil: 1", "pictures.ex ample", "pictures.example\\@b"])
def test_no_host_of_a_strange_name_is_sent_a_request(name: str) -> None:
    with host(good) as found, pytest.raises(ImageError, match=r"not valid|cannot be reached|no user|not known"):
        fetch(f"http://{name}:{found.port}/", at(found))
    assert b"".join(found.heads) == b""


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(status: int) -> None:
    def answer(caller: Caller) -> None:
        if caller.path == "/a/picture":
            caller.reply(status=status, Location="../b?c")
        else:
            good(caller)

    with host(answer) as found:
        assert fetch(found.url("/a/picture"), OPEN) == BODY
    assert found.asked == ["/a/picture", "/b?c"]


@pytest.mark.parametrize(
    ("place", "asked"),
    [
        ("/größe.jpg".encode(), "/gr%C3%B6%C3%9Fe.jpg"),
        ("/Å…/日本.jpg?q=ü".encode(), "/%C3%85%E2%80%A6/%E6%97%A5%E6%9C%AC.jpg?q=%C3%BC"),
        ("/größe.jpg".encode("latin-1"), "/gr%F6%DFe.jpg"),
        (b"/a b.jpg", "/a%20b.jpg"),
        (b"c.jpg#part", "/a/c.jpg"),
        (b"?x=1", "/a/picture?x=1"),
        (b"  /padded.jpg\t ", "/padded.jpg"),
        (b"/a%20b%2Fc", "/a%20b%2Fc"),
        ("//größe.example:{port}/x.jpg".encode(), "/x.jpg"),
        ("HTTP://größe.example:{port}?x".encode(), "/?x"),
    ],
    ids=range(10),
)
def test_a_location_is_read_as_browsers_read_it(place: bytes, asked: str) -> None:
    def answer(caller: Caller) -> None:
        if caller.path == "/a/picture":
            where = place.replace(b"{port}", str(found.port).encode())
            caller.send(b"HTTP/1.1 301 Moved\r\nLocation: " + where + b"\r\nContent-Length: 0\r\n\r\n")
        else:
            good(caller)

    with host(answer) as found:
        assert fetch(found.url("/a/picture"), at(found)) == BODY
    assert found.asked == ["/a/picture", asked]


def test_a_host_in_other_letters_is_looked_up_as_browsers_do() -> None:
    names: list[str] = []

    def resolver(name: str, port: int) -> Sequence[str]:
        names.append(name)
        return [found.address]

    with host(good) as found:
        for name in ("straße.example", "BÜCHER.example", "日本.example", "my_bucket.example"):
            fetch(f"http://{name}:{found.port}/", replace(OPEN, resolver=resolver))
    assert names == ["xn--strae-oqa.example", "xn--bcher-kva.example", "xn--wgv71a.example", "my_bucket.example"]


def _raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


PICTURE = b"\x89PNG\r\n\x1a\n" + BODY


@pytest.mark.parametrize(
    "name", ["", "identity", "none", "UTF-8", "binary", "aws-chunked", "x-odd", "br", "gzip", "deflate"]
)
def test_the_bytes_of_a_picture_are_taken_whatever_they_are_called(name: str) -> None:
    with host(lambda caller: caller.reply(PICTURE, Content_Encoding=name)) as found:
        assert fetch(found.url(), OPEN) == PICTURE


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("gzip", gzip.compress(PICTURE)),
        ("x-gzip", gzip.compress(PICTURE)),
        ("GZIP", gzip.compress(PICTURE)),
        ("aws-chunked,gzip", gzip.compress(PICTURE)),
        ("utf-8", gzip.compress(PICTURE)),
        ("gzip, gzip", gzip.compress(gzip.compress(PICTURE))),
        ("gzip", gzip.compress(PICTURE[:99]) + gzip.compress(PICTURE[99:])),
        ("deflate", zlib.compress(PICTURE)),
        ("deflate", _raw_deflate(PICTURE)),
        ("deflate, gzip", gzip.compress(zlib.compress(PICTURE))),
    ],
    ids=range(10),
)
def test_compression_is_undone(name: str, body: bytes) -> None:
    with host(lambda caller: caller.reply(body, Content_Encoding=name)) as found:
        assert fetch(found.url(), OPEN) == PICTURE


@pytest.mark.parametrize(
    ("name", "body", "message"),
    [
        ("gzip", gzip.compress(bytes(10_000_000)), "more than the 50000 bytes"),
        ("deflate", zlib.compress(bytes(10_000_000)), "more than the 50000 bytes"),
        ("gzip", gzip.compress(gzip.compress(bytes(10_000_000))), "more than the 50000 bytes"),
        ("gzip", b"".join(gzip.compress(bytes(20_000)) for _ in range(9)), "more than the 50000 bytes"),
        ("gzip", gzip.compress(PICTURE)[:-9], "not to its end"),
        ("gzip", gzip.compress(PICTURE)[:-8] + b"\xff" * 8, "damaged"),
        ("deflate", b"no deflate", "damaged"),
        ("br", b"\x1b\x00\x01", "compressed by br"),
        ("zstd", b"\x28\xb5\x2f\xfd\x04", "compressed by zstd"),
    ],
    ids=range(9),
)
def test_compression_that_is_too_much_or_damaged_or_unknown(name: str, body: bytes, message: str) -> None:
    with host(lambda caller: caller.reply(body, Content_Encoding=name)) as found:
        refused(found.url(), replace(OPEN, max_bytes=50_000), message)


def test_a_redirect_to_a_private_address_is_refused() -> None:
    # The first host counts as public here; what it redirects to does not.
    with host(good) as inner:
        with host(lambda caller: caller.reply(status=302, Location=inner.url()), address="127.0.0.2") as outer:
            policy = replace(CLOSED, allowed_networks=(ipaddress.ip_network("127.0.0.2/32"),))
            refused(outer.url(), policy, "host 127.0.0.1 has a private or reserved address")
        assert outer.asked == ["/picture"]
        assert inner.asked == []


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("file:///etc/passwd", "must begin with"),
        ("http://example.com:22/", "port 22"),
        ("http://user@127.0.0.1/", "no user"),
        ("http://[broken/", "not valid"),
        ("/picture", "redirects more than 3 times"),
    ],
)
def test_every_redirect_is_checked_like_the_first_url(place: str, message: str) -> None:
    with host(lambda caller: caller.reply(status=302, Location=place)) as found:
        refused(found.url(), replace(OPEN, ports=frozenset({found.port, 80})), message)
    assert len(found.asked) == (4 if place == "/picture" else 1)


@pytest.mark.parametrize("status", [204, 206, 304, 400, 401, 403, 404, 500, 503])
def test_other_statuses_are_named(status: int) -> None:
    with host(lambda caller: caller.reply(status=status)) as found:
        refused(found.url(), OPEN, f"answers with the status {status}")


def test_a_redirect_to_nowhere_is_named_by_its_status() -> None:
    with host(lambda caller: caller.reply(status=302)) as found:
        refused(found.url(), OPEN, "answers with the status 302")


def endless(caller: Caller) -> None:
    caller.reply(Content_Length=None)
    while True:
        caller.send(BODY)


def dripping_chunks(caller: Caller) -> None:
    caller.reply(Content_Length=None, Transfer_Encoding="chunked")
    caller.drip(b"1\r\nx\r\n")


def dripping_body(caller: Caller) -> None:
    caller.reply(Content_Length=10**6)
    caller.drip(b"x")


def silent_body(caller: Caller) -> None:
    caller.reply(Content_Length=9)
    caller.silence()


def dripping_header(caller: Caller) -> None:
    caller.send(b"HTTP/1.1 200 OK\r\nX: ")
    caller.drip(b"x")


LATE: dict[str, Answer] = {
    "silence": Caller.silence,
    "headers that drip": dripping_header,
    "a status line that drips": lambda caller: caller.drip(b"H"),
    "interim answers for ever": lambda caller: caller.drip(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a body that drips": dripping_body,
    "chunks that drip": dripping_chunks,
    "silence after the headers": silent_body,
}


@pytest.mark.parametrize("name", LATE)
def test_one_deadline_ends_every_kind_of_slowness(name: str) -> None:
    with host(LATE[name]) as found:
        start = time.monotonic()
        refused(found.url(), HURRIED, "took too long")
        assert 0.35 < time.monotonic() - start < 1.2


@pytest.mark.parametrize("answer", [Caller.silence, lambda caller: caller.drip(b"\x16\x03\x01\x40\0")])
def test_the_deadline_holds_in_the_tls_handshake(answer: Answer) -> None:
    with host(answer, listens=False) as found:
        refused(found.url().replace("http", "https"), HURRIED, "took too long|cannot be reached")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (endless, "more than the 50000 bytes"),
        (lambda caller: caller.reply(Content_Length=50_001), "50001 bytes; 50000 are allowed"),
        (lambda caller: caller.reply(Content_Length=10**30), "bytes; 50000 are allowed"),
        (lambda caller: caller.reply(BODY, Content_Length=len(BODY) + 1), "announced 10241 bytes and sent only 10240"),
        (lambda caller: caller.reply(BODY, Content_Length=len(BODY) - 1), "announced 10239 bytes and sent more"),
        (lambda caller: caller.reply(BODY, Content_Length=0), "announced 0 bytes and sent more"),
        (lambda caller: caller.reply(BODY, Content_Length=-1), "announced -1 bytes"),
        (lambda caller: caller.reply(BODY, Content_Length="many"), "cannot be reached, broke off, or does not speak"),
        (lambda caller: caller.reply(b"5\r\nab", Content_Length=None, Transfer_Encoding="chunked"), "broke off"),
        (lambda caller: caller.reply(b"zz\r\n", Content_Length=None, Transfer_Encoding="chunked"), "broke off"),
        (lambda caller: caller.reply(BODY, Content_Encoding="gzip"), "compressed"),
        (lambda caller: caller.send(b"SSH-2.0-OpenSSH_9.9\r\n"), "does not speak HTTP"),
        (lambda caller: caller.send(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500), "does not speak HTTP"),
        (lambda caller: caller.send(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000), "does not speak HTTP"),
        (lambda caller: None, "broke off"),
    ],
    ids=range(15),
)
def test_answers_that_lie_or_break_off(answer: Answer, message: str) -> None:
    with host(answer) as found:
        refused(found.url(), replace(OPEN, max_bytes=50_000), message)


def test_nobody_listens() -> None:
    with host(good) as found:
        pass
    refused(found.url(), OPEN, "cannot be reached")


def test_https_checks_the_certificate_against_the_name() -> None:
    with host(good, tls=True) as found:
        trusting = replace(at(found), ca_file=str(CERTIFICATE))
        assert fetch(f"https://pictures.example:{found.port}/", trusting) == BODY
        refused(f"https://other.example:{found.port}/", trusting, "no valid certificate")
        refused(f"https://pictures.example:{found.port}/", at(found), "no valid certificate")
    assert found.asked == ["/"]
