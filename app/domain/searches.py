"""Searches that were answered are told to observers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from app.domain.records import Json


@dataclass(frozen=True, slots=True)
class Searched:
    """A search that was done: its request and its result.

    Attributes:
        query_id: the `_id` of the (first) query record; None for a picture or a text.
        filter: the filter as it was sent; None where there was none.
        k: the number of records that were asked for; None: all.
        results: the number of records that were found.
        way: how they were found, as `statistics.search` says it.
        compared: number of records that were compared; None where only PostgreSQL knows.
        copies: whether the index offered more copies of one vector than may stand in it.
        end: the last rank that was asked for; 0: all.

    """

    query_id: str | None
    filter: Json
    k: int | None
    results: int
    way: str | None
    compared: int | None = None
    copies: bool = False
    end: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """One search that was answered: when, for whom, in which collection, by which method, and what it did.

    `request_id` is that of the answer. The other fields are those of `Searched`.
    """

    at: datetime
    token_id: int
    collection_id: int
    method: str
    query_id: str | None
    filter: Json
    k: int | None
    results: int
    milliseconds: float
    way: str | None
    compared: int | None = None
    copies: bool = False
    end: int = 0
    request_id: str | None = None


class SearchObserver(Protocol):
    """Somebody who is told of every search that was answered, such as a log."""

    def open(self) -> None:
        """Begin to take notes; threads are started here, in the process that serves."""

    def searched(self, entry: Entry) -> None:
        """Take note of a search. The request waits for this, so it returns at once and raises nothing."""

    def close(self) -> None:
        """Finish what was noted, and end all threads."""
