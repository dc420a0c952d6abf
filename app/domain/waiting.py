"""Waiting for strangers and for jobs: whoever does so gives up its place to others meanwhile."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from enum import StrEnum


class Awaited(StrEnum):
    """What a thread waits for; each has places of its own."""

    DOWNLOADS = "downloads"
    JOBS = "jobs"


def _just_wait(_: Awaited) -> AbstractContextManager[None]:
    return nullcontext()


_steps: ContextVar[Callable[[Awaited], AbstractContextManager[None]]] = ContextVar("steps", default=_just_wait)


def let_wait(aside: Callable[[Awaited], AbstractContextManager[None]]) -> None:
    """Say how the calling thread steps aside while it waits."""
    _steps.set(aside)


def aside(awaited: Awaited = Awaited.DOWNLOADS) -> AbstractContextManager[None]:
    """Give the context in which the calling thread waits for somebody else's server, or for a job.

    A server's thread has its place taken by another one until it is back; any other thread just waits.

    Raises:
        Unavailable: on entering it, where too many wait already.

    """
    return _steps.get()(awaited)
