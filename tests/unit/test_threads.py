"""The threads that serve requests, and those that wait beside them."""

import logging
import threading
from concurrent.futures import Future
from functools import partial
from typing import Any

import pytest
from gunicorn.workers.gthread import PollableMethodQueue

from app.cli.threads import RequestThreads
from app.cli.worker import BoundedWorker
from app.domain.errors import Unavailable
from app.domain.waiting import Awaited, aside

_SECONDS = 30


def requests() -> int:
    return sum(thread.name.startswith("request-") for thread in threading.enumerate())


def test_who_waits_beside_gives_its_place_to_others_and_takes_none_when_it_is_back() -> None:
    threads = RequestThreads(2, 3)
    stranger = threading.Event()

    def wait() -> str:
        with aside():
            assert stranger.wait(_SECONDS)
        return "waited"

    waiting = [threads.submit(wait) for _ in range(3)]
    for number in range(50):
        assert threads.submit(int, number).result(_SECONDS) == number
    with pytest.raises(Unavailable, match="too many requests wait for downloads"):
        threads.submit(wait).result(_SECONDS)
    assert requests() == 5
    stranger.set()
    assert [one.result(_SECONDS) for one in waiting] == ["waited"] * 3
    for _ in range(10):
        threads.submit(wait).result(_SECONDS)
    barrier = threading.Barrier(3)
    both = [threads.submit(barrier.wait, _SECONDS) for _ in range(2)]  # two run at the same time, and no third
    third: Future[int] = threads.submit(int)
    assert not third.done()
    barrier.wait(_SECONDS)
    for one in both:
        one.result(_SECONDS)
    assert third.result(_SECONDS) == 0
    for _ in range(20):
        threads.submit(int).result(_SECONDS)
    assert requests() == 2
    threads.shutdown(wait=False)


def test_a_function_that_fails_and_one_that_is_cancelled_leave_the_threads_as_they_are() -> None:
    threads = RequestThreads(1, 1)
    go = threading.Event()
    first = threads.submit(go.wait, _SECONDS)
    never = threads.submit(int, "1")
    assert never.cancel()
    go.set()
    assert first.result(_SECONDS)
    assert threads.submit(int, "2").result(_SECONDS) == 2
    assert never.cancelled()
    threads.shutdown(wait=False)


def test_a_failure_that_cannot_be_logged_is_told_and_costs_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(logging.getLogger("app.cli.threads"), "exception", refuse)
    threads = RequestThreads(1, 0)
    with pytest.raises(ValueError, match="invalid literal"):
        threads.submit(int, "none").result(_SECONDS)
    assert threads.submit(int, "7").result(_SECONDS) == 7
    threads.shutdown()


def test_those_that_wait_for_jobs_take_no_place_of_those_that_wait_for_downloads() -> None:
    threads = RequestThreads(1, 1, 2)
    go = threading.Event()

    def wait(awaited: Awaited) -> bool:
        with aside(awaited):
            return go.wait(_SECONDS)

    waiting = [threads.submit(wait, one) for one in (Awaited.JOBS, Awaited.JOBS, Awaited.DOWNLOADS)]
    for one in Awaited:
        with pytest.raises(Unavailable, match=f"too many requests wait for {one}"):
            threads.submit(wait, one).result(_SECONDS)
    go.set()
    assert all(one.result(_SECONDS) for one in waiting)
    threads.shutdown(wait=False)


def test_elsewhere_one_just_waits() -> None:
    with aside(), aside():
        pass


def test_a_thread_that_cannot_be_started_takes_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = RequestThreads(1, 1)

    def wait() -> str:
        with aside():
            return "waited"

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        for _ in range(3):
            with pytest.raises(Unavailable, match="no thread left"):
                threads.submit(wait).result(_SECONDS)
    assert threads.submit(wait).result(_SECONDS) == "waited"
    assert requests() >= 1
    threads.shutdown(wait=False)


class Lacking(PollableMethodQueue):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's queue, which has no memory the first two times."""

    left = 2

    def defer(self, *given: Any) -> None:
        if self.left:
            self.left -= 1
            raise MemoryError
        super().defer(*given)


def test_a_request_is_finished_once_there_is_memory_for_that() -> None:
    worker = BoundedWorker.__new__(BoundedWorker)
    worker.method_queue = queue = Lacking()
    queue.init()
    finished: list[object] = []
    future: Future[bool] = Future()
    future.add_done_callback(partial(worker._have_done, lambda *given: finished.append(given), "connection"))
    future.set_result(True)
    queue.run_callbacks(None)
    queue.close()
    assert finished == [("connection", future)]
