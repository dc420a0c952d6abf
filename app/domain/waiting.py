"""Waiting for strangers: whoever does so gives up its place to others meanwhile."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar

_steps: ContextVar[Callable[[], AbstractContextManager[None]]] = ContextVar("steps", default=nullcontext)


def let_wait(aside: Callable[[], AbstractContextManager[None]]) -> None:
    """Say how the calling thread steps aside while it waits for somebody else's server."""
    _steps.set(aside)


def aside() -> AbstractContextManager[None]:
    """Give the context in which the calling thread waits for somebody else's server.

    A server's thread has its place taken by another one until it is back; any other thread just waits.

    Raises:
        Unavailable: on entering it, where too many wait already.

    """
    return _steps.get()()
