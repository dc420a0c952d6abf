"""How new what a request reads must be: where reads may go to replicas, some of which are behind."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from app.domain.errors import InvalidRequest

HEADER = "lookalike-version"
"""The header in which an answer to a write says what a read must have seen to know of it; a request sends it back."""
_POSITION = re.compile(r"[0-9A-F]{1,8}/[0-9A-F]{1,8}")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request is about.

    Attributes:
        collection_id: its collection.
        reads: whether it only reads, so that a replica may be asked.
        position: what the replica must have replayed, as an answer said; None: nothing is asked for.

    """

    collection_id: int
    reads: bool
    position: str | None = None


_asked: ContextVar[Asked | None] = ContextVar("asked", default=None)


def asked() -> Asked | None:
    """Return what the request that is being answered on this thread asks for; None where there is none."""
    return _asked.get()


@contextmanager
def asking(what: Asked) -> Iterator[None]:
    """Let what is read and written in the block be for a request."""
    token = _asked.set(what)
    try:
        yield
    finally:
        _asked.reset(token)


def position_in(header: str | None) -> str | None:
    """Return what a request's header asks for.

    Raises:
        InvalidRequest: it is not what an answer said.

    """
    if header is None or _POSITION.fullmatch(header):
        return header
    raise InvalidRequest(f"the header {HEADER} is not one that an answer to a write had")


def newest(*positions: str | None) -> str | None:
    """Return the newest of positions in the write-ahead log, as PostgreSQL writes them; None where there is none."""
    return max(filter(None, positions), key=_number, default=None)


def _number(position: str) -> tuple[int, ...]:
    return tuple(int(part, 16) for part in position.split("/"))
