import base64
import ipaddress
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from app.domain.errors import ImageError
from app.domain.options import FetchPolicy, ImageLimits
from app.embedding.fetch.sources import PictureSource, from_base64
from app.embedding.fetch.turns import host_of
from tests.hosts import Caller, host
from tests.support.waiting import eventually

LIMITS = ImageLimits(max_bytes=1000)
DATA = bytes(range(256))
TEXT = base64.b64encode(DATA).decode()
POLICY = FetchPolicy(ports=frozenset(range(1, 65536)), allow_private=True, total_timeout_seconds=5, max_bytes=1000)

Make = Callable[..., PictureSource]


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Make]:
    made: list[PictureSource] = []

    def make(
        root: Path | None = tmp_path, policy: FetchPolicy = POLICY, workers: int = 8, limits: ImageLimits = LIMITS
    ) -> PictureSource:
        made.append(PictureSource(root, limits, policy, workers))
        return made[-1]

    yield make
    for one in made:
        one.close()


def answers(got: list[bytes | ImageError]) -> list[bytes | str]:
    return [str(one) if isinstance(one, ImageError) else one for one in got]


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        TEXT.rstrip("="),
        base64.urlsafe_b64encode(DATA).decode(),
        base64.encodebytes(DATA).decode(),
        f"  {TEXT}\r\n",
        f"data:image/png;base64,{TEXT}",
        f"data:;base64,{TEXT}",
        f"DATA:image/jpeg;charset=utf-8;name=a.jpg;base64,{TEXT}",
        f"\n data:image/png;base64,\n{TEXT}",
    ],
    ids=range(9),
)
def test_base64_bare_or_as_a_data_uri(text: str) -> None:
    assert from_base64(text, 1000) == DATA


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (TEXT[:-5] + "*" + TEXT[-4:], "not valid base64"),
        ("a", "not valid base64"),
        ("AAAA=AAA", "not valid base64"),
        ("é" * 8, "not valid base64"),
        ("\ud800", "not valid base64"),
        ("data:image/svg+xml,%3Csvg/%3E", "not valid base64"),
        ("http://example.com/a.png", "not valid base64"),
        ("A" * 2000, "larger than the 1000 bytes"),
        (5, "must be a string"),
        ([TEXT], "must be a string"),
        ({"$gt": 1}, "must be a string"),
        (True, "must be a string"),
    ],
)
def test_what_is_not_base64(value: object, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        from_base64(value, 1000)


def test_the_order_is_base64_url_file(source: Make, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"file")
    with host(lambda caller: caller.reply(b"url")) as found:
        got = source().read_many(
            [
                {"_base64": TEXT, "_url": found.url("/no"), "_file": "a.png"},
                {"_url": found.url("/yes"), "_file": "a.png"},
                {"_file": "a.png"},
                {"_base64": None, "_url": "", "_file": "a.png"},
                {"_id": "none"},
            ]
        )
    assert answers(got) == [DATA, b"url", b"file", b"file", "the record has no picture: give it _base64, _url or _file"]
    assert found.asked == ["/yes"]


def test_diff_the_path_that_the_stock_client_leaves_beside_base64_is_not_opened(source: Make) -> None:
    record = {"_base64": TEXT, "_file": "/home/me/photos/1.jpg"}
    assert source(root=None).read_many([record]) == [DATA]


def test_a_bad_record_spoils_no_other(source: Make) -> None:
    got = source().read_many([{"_base64": "*"}, {"_url": 5}, {"_file": 5}, {"_url": "ftp://a/"}, {"_base64": TEXT}])
    assert answers(got) == [
        "_base64 is not valid base64",
        "_url must be a string",
        "_file must be a string",
        "a URL must begin with http or https",
        DATA,
    ]


def test_downloads_of_a_batch_run_side_by_side_and_come_back_in_order(source: Make) -> None:
    together = threading.Barrier(6, timeout=5)  # broken, and so the answers, unless six are asked for at once

    def answer(caller: Caller) -> None:
        together.wait()
        caller.reply(caller.path.encode())

    with host(answer) as found:
        got = source().read_many([{"_url": found.url(f"/{number}")} for number in range(6)])
    assert answers(got) == [f"/{number}".encode() for number in range(6)]


def test_a_url_twice_in_a_batch_is_fetched_once(source: Make) -> None:
    with host(lambda caller: caller.reply(b"same")) as found:
        assert source().read_many([{"_url": found.url()}] * 5) == [b"same"] * 5
        assert source().read_many([{"_url": found.url()}]) == [b"same"]
    assert found.asked == ["/picture"] * 2


def test_a_batch_does_not_wait_for_ever_for_its_turn(source: Make) -> None:
    policy = FetchPolicy(
        ports=POLICY.ports,
        allowed_networks=(ipaddress.ip_network("127.0.0.0/8"),),
        total_timeout_seconds=0.2,
        connect_timeout_seconds=0.2,
    )
    with host(Caller.silence) as found:
        start = time.monotonic()
        got = source(policy=policy, workers=1).read_many([{"_url": found.url(f"/{number}")} for number in range(20)])
        assert time.monotonic() - start < 2  # twice the limit of one download, not of twenty
    assert all(isinstance(one, ImageError) for one in got)


BUSY = "too many downloads wait for their turn; try again in a moment"


def test_a_url_twice_in_a_batch_that_gets_no_turn_is_an_error_for_both(source: Make) -> None:
    released = threading.Event()
    files = source(policy=replace(POLICY, total_timeout_seconds=0.1), workers=1)
    files._turns._pool.submit(released.wait, 10)  # as another batch's download would, keep the only worker busy
    assert answers(files.read_many([{"_url": "http://127.0.0.1/"}] * 2)) == [BUSY] * 2
    released.set()


def test_a_silent_host_leaves_threads_to_others(source: Make) -> None:
    released = threading.Event()

    def late(caller: Caller) -> None:
        released.wait(5)
        caller.reply(b"late")

    files = source(policy=replace(POLICY, per_host=2), workers=3)
    with (
        host(late) as silent,
        host(lambda caller: caller.reply(b"good")) as good,
        ThreadPoolExecutor(1) as pool,
    ):
        waiting = pool.submit(files.read_many, [{"_url": silent.url(f"/{number}")} for number in range(40)])
        eventually(lambda: len(silent.asked) == 2)
        assert files.read_many([{"_url": good.url(f"/{number}")} for number in range(5)]) == [b"good"] * 5
        assert not waiting.done()
        assert len(silent.asked) == 2
        released.set()
        assert waiting.result() == [b"late"] * 40


@pytest.mark.parametrize(("workers", "per_host", "at_once"), [(4, 2, 2), (2, 9, 1), (1, 1, 1)])
def test_so_many_downloads_of_a_host_run_at_once_and_all_are_done(
    source: Make, workers: int, per_host: int, at_once: int
) -> None:
    lock, running, most = threading.Lock(), 0, 0

    def answer(caller: Caller) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1
        caller.reply(caller.path.encode())

    files = source(policy=replace(POLICY, per_host=per_host), workers=workers)
    with host(answer) as found:
        got = files.read_many([{"_url": found.url(f"/{number}")} for number in range(20)])
    assert got == [f"/{number}".encode() for number in range(20)]
    assert most == at_once
    assert not files._turns._running
    assert not files._turns._waiting


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("http://a.example/x", "a.example:80"),
        (" HTTPS://A.Example./y", "a.example:443"),
        ("http://u@a.example:8080", "a.example:8080"),
        ("http://a.example:port/", ""),
        ("http://[::1/", ""),
        ("nothing", ""),
    ],
)
def test_a_host_is_known_in_any_spelling(url: str, named: str) -> None:
    assert host_of(url) == named


def test_closing_answers_those_whose_downloads_had_not_begun(source: Make) -> None:
    asked, released = threading.Event(), threading.Event()

    def answer(caller: Caller) -> None:
        asked.set()
        released.wait(5)
        caller.reply(b"first")

    with host(answer) as found, ThreadPoolExecutor(1) as pool:
        files = source(workers=1)
        reading = pool.submit(files.read_many, [{"_url": found.url("/1")}, {"_url": found.url("/2")}])
        assert asked.wait(5)
        files.close()
        released.set()
        assert answers(reading.result()) == [b"first", BUSY]


def test_files_are_opened_under_the_root_alone(source: Make, tmp_path: Path) -> None:
    root = tmp_path / "root"
    inside = root / "inside"
    inside.mkdir(parents=True)
    (inside / "a.png").write_bytes(b"a")
    (tmp_path / "secret.png").write_bytes(b"secret")
    (tmp_path / "root-too").mkdir()
    (tmp_path / "root-too" / "b.png").write_bytes(b"secret")
    (root / "out").symlink_to(tmp_path)
    (root / "away.png").symlink_to(tmp_path / "secret.png")
    (root / "near.png").symlink_to(inside / "a.png")
    (root / "ring").symlink_to(root / "ring")
    os.mkfifo(root / "pipe")
    files = source(root=root)
    good = ["inside/a.png", "./inside/../inside/a.png", str(inside / "a.png"), "near.png"]
    assert files.read_many([{"_file": name} for name in good]) == [b"a"] * len(good)
    bad = [
        "../secret.png",
        "inside/../../secret.png",
        str(tmp_path / "secret.png"),
        "/etc/passwd",
        "out/secret.png",
        "away.png",
        "../root-too/b.png",
        "inside",
        ".",
        "ring",
        "pipe",
        "none.png",
        "inside/a.png/b",
        "a\0b",
        "a" * 5000,
        "\ud800",
        "~/a.png",
        "/dev/zero",
    ]
    closed = "_file names no file that this server may open"
    assert answers(files.read_many([{"_file": name} for name in bad])) == [closed] * len(bad)


def test_files_are_limited_in_size(source: Make, tmp_path: Path) -> None:
    (tmp_path / "fits").write_bytes(bytes(1000))
    (tmp_path / "large").write_bytes(bytes(1001))
    got = source().read_many([{"_file": "fits"}, {"_file": "large"}])
    assert answers(got) == [bytes(1000), "the picture is larger than the 1000 bytes that are allowed"]


def test_without_a_root_no_file_is_opened(source: Make) -> None:
    got = source(root=None).read_many([{"_file": "/etc/passwd"}])
    assert answers(got) == ["_file is not opened by this server: send the picture as _base64 or _url"]


def test_a_root_that_is_itself_a_link(source: Make, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.png").write_bytes(b"a")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert source(root=tmp_path / "link").read_many([{"_file": "a.png"}]) == [b"a"]
