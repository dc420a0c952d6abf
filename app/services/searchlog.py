"""Noting searches without slowing them: a bounded queue in memory, written in batches by a thread of its own."""

import logging
import threading
from collections import deque
from dataclasses import replace

from app.db import searchlog as log_table
from app.db.engine import Database
from app.domain.errors import InvalidRequest, LookalikeError
from app.domain.jsontext import check
from app.domain.records import Json
from app.domain.searches import Entry

log = logging.getLogger(__name__)

_EVERY_SECONDS = 1.0
# What may wait for a database that is away; of more, the oldest are forgotten.
_WAITING = 10_000
_BATCH = 1_000


class SearchLog:
    """Takes notes from requests and writes them every second; `searched` only appends to a queue and never waits."""

    def __init__(self, db: Database, keep: int) -> None:
        self._db = db
        self._keep = keep
        self._waiting: deque[Entry] = deque(maxlen=_WAITING)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="search-log", daemon=True)

    def open(self) -> None:
        """Begin to write."""
        self._thread.start()

    def searched(self, entry: Entry) -> None:
        """Note one search, with what jsonb can hold of its filter and its query record's `_id`."""
        query_id = entry.query_id if _storable(entry.query_id) is not None else None
        self._waiting.append(replace(entry, query_id=query_id, filter=_storable(entry.filter)))

    @property
    def waiting(self) -> list[Entry]:
        """Return what is noted and not yet written, oldest first."""
        return list(self._waiting)

    def close(self) -> None:
        """Write what is waiting, and stop."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def _run(self) -> None:
        while not self._stop.wait(_EVERY_SECONDS):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
            try:
                log_table.add(self._db, batch, self._keep)
            except LookalikeError as error:
                log.warning("searches could not be noted, trying again: %s", error)
                if room := _WAITING - len(self._waiting):
                    self._waiting.extendleft(reversed(batch[-room:]))
                return
            except Exception:
                # A batch that the database refuses would be refused again: it is dropped, and the log says why.
                log.exception("%d searches could not be noted", len(batch))


def _storable(value: Json) -> Json:
    """Return a value that jsonb can hold; None where it cannot (a search for U+0000)."""
    try:
        check(value, "the filter")
    except InvalidRequest:
        return None
    return value
