"""Waiting for strangers: whoever does so gives up its place to others meanwhile."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

_here = threading.local()


def let_wait(aside: Callable[[], AbstractContextManager[None]]) -> None:
    """Say how the calling thread steps aside while it waits for somebody else's server."""
    _here.aside = aside


def aside() -> AbstractContextManager[None]:
    """Give the context in which the calling thread waits for somebody else's server.

    A server's thread has its place taken by another one until it is back; any other thread just waits.

    Raises:
        Unavailable: on entering it, where too many wait already.

    """
    steps: Callable[[], AbstractContextManager[None]] = getattr(_here, "aside", nullcontext)
    return steps()
