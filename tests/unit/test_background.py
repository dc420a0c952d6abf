"""Work that a request begins: the request waits for nothing, also where the thread gets nowhere."""

import _thread
import threading
from typing import Any

import pytest

from app.services.background import begin


def test_it_is_done_beside() -> None:
    done: list[tuple[str, int]] = []
    ended = threading.Event()

    def work(word: str, number: int) -> None:
        done.append((word, number))
        ended.set()

    assert begin(work, "a", 1)
    assert ended.wait(10)
    assert done == [("a", 1)]


def test_nobody_waits_for_a_thread_that_ends_before_it_has_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    real = _thread.start_new_thread
    # As where the interpreter has no memory for the first call: the thread is there, and gone without a word.
    monkeypatch.setattr(_thread, "start_new_thread", lambda *_: real(lambda: None, ()))
    assert begin(threading.Event().wait)


@pytest.mark.parametrize("error", [RuntimeError("can't start new thread"), MemoryError()])
def test_where_there_is_no_thread_it_is_said(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: Any) -> None:
        raise error

    monkeypatch.setattr(_thread, "start_new_thread", refuse)

    def _build() -> None:
        raise AssertionError

    assert not begin(_build)
    assert "build was not begun" in caplog.text
