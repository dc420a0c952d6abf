"""What processes remember of the places of writes in the log."""

import os

import pytest

from app.domain import freshness
from app.domain.freshness import UNKNOWN, Positions, newest


def test_the_newest_of_all_processes_and_of_writes_to_any_collection_counts() -> None:
    positions = Positions(2)
    assert positions.newest(7) is None
    positions.note(0, 7, "0/A000000")
    positions.note(1, 7, "0/9000000")
    assert positions.newest(7) == "0/A000000"
    positions.note(0, 7, "0/8000000")  # noted late: what is newer stays
    assert positions.newest(7) == "0/A000000"
    assert positions.newest(8) is None
    positions.note(1, None, "1/0")
    assert positions.newest(7) == positions.newest(8) == "1/0"
    positions.note(1, 8, UNKNOWN)
    assert positions.newest(8) == UNKNOWN
    assert newest(None, "0/FFFFFFFF", "1/0") == "1/0"


def test_what_was_noted_is_forgotten_after_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    positions = Positions()
    now = freshness._now_ms()
    positions.note(0, 1, "0/A000000")
    monkeypatch.setattr(freshness, "_now_ms", lambda: now + 59_000)
    assert positions.newest(1) == "0/A000000"
    monkeypatch.setattr(freshness, "_now_ms", lambda: now + 61_000)
    assert positions.newest(1) is None
    positions.note(0, 1, "0/9000000")  # that of a primary that was promoted
    assert positions.newest(1) == "0/9000000"


def test_a_process_that_was_forked_sees_what_another_notes() -> None:
    positions = Positions(2)
    child = os.fork()
    if not child:
        positions.note(1, 3, "2/B0")
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert positions.newest(3) == "2/B0"


def test_a_place_that_could_not_be_read_is_forgotten_after_a_minute_though_writes_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    positions = Positions()
    begun = freshness._now_ms()
    positions.note(0, 1, UNKNOWN)
    for second in range(10, 120, 10):
        monkeypatch.setattr(freshness, "_now_ms", lambda second=second: begun + second * 1000)
        positions.note(0, 1, f"0/A0000{second:X}")
        assert positions.newest(1) == (UNKNOWN if second < 60 else f"0/A0000{second:X}")


def test_what_a_lost_primary_had_written_is_forgotten_though_its_successor_writes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The successor's log may be shorter; until a minute is over the higher place is waited for in vain, at most."""
    positions = Positions()
    begun = freshness._now_ms()
    positions.note(0, 1, "0/B000000")
    for second in range(10, 120, 10):
        monkeypatch.setattr(freshness, "_now_ms", lambda second=second: begun + second * 1000)
        positions.note(0, 1, f"0/A0000{second:X}")
        assert positions.newest(1) == ("0/B000000" if second < 60 else f"0/A0000{second:X}")
