"""Noting searches without slowing them."""

from collections.abc import Sequence
from dataclasses import replace

from app.db import searchlog as log_table
from app.db.engine import Database
from app.domain.errors import InvalidRequest
from app.domain.jsontext import check
from app.domain.records import Json
from app.domain.searches import Entry
from app.services.notes import Notes


class SearchLog:
    """Takes notes from requests and writes them every second; `searched` only appends to a queue and never waits."""

    def __init__(self, db: Database, keep: int) -> None:
        def write(batch: Sequence[Entry]) -> None:
            log_table.add(db, batch, keep)

        self._notes: Notes[Entry] = Notes("searches", write)

    def open(self) -> None:
        """Begin to write."""
        self._notes.open()

    def searched(self, entry: Entry) -> None:
        """Note one search, with what jsonb can hold of its filter and its query record's `_id`."""
        query_id = entry.query_id if _storable(entry.query_id) is not None else None
        self._notes.add(replace(entry, query_id=query_id, filter=_storable(entry.filter)))

    @property
    def waiting(self) -> list[Entry]:
        """Return what is noted and not yet written, oldest first."""
        return self._notes.waiting

    def close(self) -> None:
        """Write what is waiting, and stop."""
        self._notes.close()


def _storable(value: Json) -> Json:
    """Return a value that jsonb can hold; None where it cannot (a search for U+0000)."""
    try:
        check(value, "the filter")
    except InvalidRequest:
        return None
    return value
