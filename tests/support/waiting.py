"""Wait for what happens in the background: on the condition itself, with a bound that only a fault reaches."""

import time
from collections.abc import Callable
from typing import TypeVar

from app.domain.collections import Collection
from app.services.context import Context

Found = TypeVar("Found")


def eventually(found: Callable[[], Found], wanted: Callable[[Found], object] = bool, seconds: float = 60) -> Found:
    """Call `found` until its result is the wanted one, and return that.

    Raises:
        AssertionError: it was not within the time; the message shows what was found last.

    """
    end = time.monotonic() + seconds
    while not wanted(now := found()):
        assert time.monotonic() < end, f"not within {seconds:g} seconds; found last: {now!r}"
        time.sleep(0.01)
    return now


def build_ended(context: Context, collection: Collection) -> None:
    """Wait until no thread of this process builds the collection's index: inserts and deletes start one."""
    eventually(lambda: collection.id not in context.builds._running)
