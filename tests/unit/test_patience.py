"""Hosts that are busy are asked again, and none faster than it bears: on a clock that only sleeping moves."""

import email.utils
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.client import HTTPMessage

import pytest

from app.domain.errors import ImageError
from app.domain.fetching import Validators, place_of
from app.domain.options import FetchPolicy, Patience
from app.embedding.fetch.answers import Transient, retry_after
from app.embedding.fetch.downloads import fetch, fetch_if_changed
from app.embedding.fetch.patience import PatientHosts
from tests.hosts import Answer, Caller, host

OPEN = FetchPolicy(ports=frozenset(range(1, 65536)), allow_private=True, total_timeout_seconds=5)
URL = "http://pictures.example/a"
PATIENCE = Patience(retries=3, backoff_seconds=1.0, longest_seconds=10.0)


class Clock:
    """Time that passes by sleeping alone."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        monkeypatch.setattr("app.embedding.fetch.patience.time.monotonic", lambda: self.now)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    with monkeypatch.context() as patched:
        yield Clock(patched)


def failing(times: int, error: Callable[[], Exception]) -> Callable[[], str]:
    left = [times]

    def fetch_() -> str:
        if left[0]:
            left[0] -= 1
            raise error()
        return "picture"

    return fetch_


def test_a_busy_host_is_asked_again_after_ever_longer_pauses(clock: Clock) -> None:
    hosts = PatientHosts(PATIENCE, 8, clock.sleep)
    assert hosts.call(URL, failing(3, lambda: Transient("busy"))) == "picture"
    assert len(clock.slept) == 3
    for pause, most in zip(clock.slept, (1, 2, 4), strict=True):
        assert most / 2 <= pause <= most


def test_it_is_given_up_after_so_many_tries_and_at_once_where_it_fails_for_good(clock: Clock) -> None:
    hosts = PatientHosts(PATIENCE, 8, clock.sleep)
    with pytest.raises(ImageError, match="busy, 4 times"):
        hosts.call(URL, failing(9, lambda: Transient("busy")))
    assert len(clock.slept) == 3
    with pytest.raises(ImageError, match=r"^gone$"):
        hosts.call(URL, failing(1, lambda: ImageError("gone")))
    assert len(clock.slept) == 3


def test_a_host_that_gives_nothing_holds_up_no_more_than_a_few(clock: Clock) -> None:
    hosts = PatientHosts(PATIENCE, 8, clock.sleep)
    for number in range(20):
        with pytest.raises(ImageError):
            hosts.call(f"{URL}{number}", failing(9, lambda: Transient("away")))
    assert len(clock.slept) == 5 * 3
    assert hosts.call(URL, failing(0, AssertionError)) == "picture"
    assert hosts.call(URL, failing(1, lambda: Transient("busy"))) == "picture"


@pytest.mark.parametrize(("asked", "least"), [(3.0, 3.0), (99_999.0, 10.0), (0.0, 0.0)])
def test_retry_after_is_kept_to_up_to_a_bound_by_all(clock: Clock, asked: float, least: float) -> None:
    hosts = PatientHosts(PATIENCE, 8, clock.sleep)
    assert hosts.call(URL, failing(1, lambda: Transient("busy", asked))) == "picture"
    assert least <= sum(clock.slept) <= min(10.0, least + 1)
    clock.slept.clear()
    none = PatientHosts(replace(PATIENCE, retries=0), 8, clock.sleep)
    with pytest.raises(ImageError):
        none.call(URL, failing(1, lambda: Transient("busy", asked)))
    none.call(f"{URL}/other", failing(0, AssertionError))
    assert sum(clock.slept) == pytest.approx(least)
    none.call("http://other.example/", failing(0, AssertionError))
    assert sum(clock.slept) == pytest.approx(least)


def test_no_more_requests_a_second_than_allowed(clock: Clock) -> None:
    hosts = PatientHosts(replace(PATIENCE, per_second=4.0), 8, clock.sleep)
    began = clock.now
    for _ in range(9):
        hosts.call(URL, failing(0, AssertionError))
    assert clock.now - began == pytest.approx(2.0)
    hosts.call("http://other.example/", failing(0, AssertionError))
    assert clock.now - began == pytest.approx(2.0)


def test_no_more_at_the_same_time_than_allowed_of_one_host() -> None:
    at_work, most, turn = [0], [0], threading.Lock()
    together = threading.Barrier(2)

    def work() -> None:
        with turn:
            at_work[0] += 1
            most[0] = max(most[0], at_work[0])
        together.wait(5)  # in pairs, or not at all
        with turn:
            at_work[0] -= 1

    hosts = PatientHosts(PATIENCE, 2, lambda _: time.sleep(0.001))
    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(hosts.call, URL, work) for _ in range(6)]:
            done.result()
    assert most == [2]


def test_what_ends_the_wait_ends_the_call() -> None:
    class Stop(Exception):
        pass

    def stop(_: float) -> None:
        raise Stop

    hosts = PatientHosts(PATIENCE, 1, stop)
    with pytest.raises(Stop):
        hosts.call(URL, failing(1, lambda: Transient("busy")))
    assert hosts.call(URL, failing(0, AssertionError)) == "picture", "its place is free again"


def _headers(value: str | None) -> HTTPMessage:
    made = HTTPMessage()
    if value is not None:
        made["Retry-After"] = value
    return made


@pytest.mark.parametrize("value", [None, "", "soon", "-5", "1.5", "٣", "Fri, 99 Foo 2026 00:00:00 GMT"])
def test_a_retry_after_that_says_nothing(value: str | None) -> None:
    assert retry_after(_headers(value)) is None


def test_retry_after_in_seconds_and_as_a_date() -> None:
    assert retry_after(_headers("120")) == 120
    assert retry_after(_headers("9" * 400)) == 999_999_999_999
    soon = retry_after(_headers(email.utils.formatdate(time.time() + 60, usegmt=True)))
    assert soon is not None
    assert 50 < soon <= 61
    assert retry_after(_headers("Wed, 21 Oct 2015 07:28:00 GMT")) == 0


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_statuses_that_may_pass(status: int) -> None:
    with host(lambda caller: caller.reply(status=status, Retry_After=7)) as found, pytest.raises(Transient) as error:
        fetch(found.url(), OPEN)
    assert error.value.retry_after == 7


def _cut(caller: Caller) -> None:
    caller.reply(b"half", Content_Length=100)


@pytest.mark.parametrize("answer", [_cut, lambda caller: caller.send(b""), lambda caller: caller.send(b"no HTTP\r\n")])
def test_connections_that_break_off_may_hold_next_time(answer: Answer) -> None:
    with host(answer) as found, pytest.raises(Transient):
        fetch(found.url(), OPEN)


@pytest.mark.parametrize("status", [304, 400, 401, 403, 404, 410, 501])
def test_statuses_that_stay(status: int) -> None:
    with host(lambda caller: caller.reply(status=status)) as found, pytest.raises(ImageError) as error:
        fetch(found.url(), OPEN)
    assert not isinstance(error.value, Transient)


def _asked_with(head: bytes) -> list[bytes]:
    return sorted(line for line in head.split(b"\r\n") if line.lower().startswith(b"if-"))


def test_what_a_host_gave_is_asked_with_where_it_answers_itself_alone() -> None:
    def answer(caller: Caller) -> None:
        if caller.path == "/here":
            caller.reply(status=302, Location="/picture")
        elif b'If-None-Match: "one"' in caller.head:
            caller.reply(status=304, Content_Length=None)
        else:
            caller.reply(b"data", ETag='"one"', Last_Modified="Wed, 21 Oct 2015 07:28:00 GMT")

    with host(answer) as found:
        first = fetch_if_changed(found.url("/here"), OPEN, None)
        assert first.data == b"data"
        assert first.validators == Validators(place_of(found.url("/picture")), '"one"', "Wed, 21 Oct 2015 07:28:00 GMT")
        again = fetch_if_changed(found.url("/here"), OPEN, first.validators)
        assert again.data is None
        assert again.validators == first.validators
        elsewhere = replace(first.validators, place=place_of(found.url("/other")))
        assert fetch_if_changed(found.url("/here"), OPEN, elsewhere).data == b"data"
    assert [_asked_with(head) for head in found.heads] == [
        [], [], [],
        [b"If-Modified-Since: Wed, 21 Oct 2015 07:28:00 GMT", b'If-None-Match: "one"'],
        [], [],
    ]  # fmt: skip


@pytest.mark.parametrize("etag", ["", "é", "a" * 2000])
def test_validators_that_cannot_be_sent_back_are_left(etag: str) -> None:
    def answer(caller: Caller) -> None:
        caller.send(f"HTTP/1.1 200 So\r\nContent-Length: 4\r\nETag: {etag}\r\n\r\ndata".encode())

    with host(answer) as found:
        assert fetch_if_changed(found.url(), OPEN, None).validators is None
