"""Who changed what is noted beside the work, and kept for some days."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from app.db import audit as table
from app.db.engine import Database
from app.domain.audit import Act
from app.domain.errors import InvalidRequest
from app.domain.jsontext import check
from app.domain.tokens import Principal, Scope
from app.services.notes import Notes

_MOST_LISTED = 1000


class Audit:
    """Takes note of acts, and writes them every second.

    Args:
        db: where they are written.
        days: how long they are kept; 0: nothing is noted.

    """

    def __init__(self, db: Database, days: int) -> None:
        def write(batch: Sequence[Act]) -> None:
            table.add(db, batch)

        self._db = db
        self._days = days
        self._notes: Notes[Act] = Notes("acts of the audit log", write)

    @property
    def lost(self) -> int:
        """Return how many entries could not be written since the process began."""
        return self._notes.lost

    @property
    def waiting(self) -> int:
        """Return how many entries wait to be written."""
        return len(self._notes.waiting)

    def open(self) -> None:
        """Begin to write."""
        if self._days:
            self._notes.open()

    def note(self, act: Act) -> None:
        """Note an act; it is written within a second or so."""
        if self._days:
            self._notes.add(act)

    def flush(self) -> None:
        """Write what is noted now."""
        self._notes.flush()

    def trim(self) -> None:
        """Forget what is too old.

        Raises:
            Unavailable: the database is away.

        """
        if self._days:
            table.trim(self._db, self._days)

    def close(self) -> None:
        """Write what is waiting, and stop."""
        self._notes.close()

    def entries(
        self,
        principal: Principal | None = None,
        *,
        token_id: int | None = None,
        collection: str | None = None,
        since: datetime | None = None,
        before: int | None = None,
        most: int = 100,
    ) -> list[dict[str, Any]]:
        """Return the latest entries, newest first, at most 1,000.

        Args:
            principal: who asks: all entries are for a token of the scope admin for all collections; None: the
                administrator of the database.
            token_id: those of one token.
            collection: those about one collection, by its name.
            since: those from a moment on.
            before: those before the entry of this id, to go on.
            most: how many.

        Raises:
            Forbidden: the token may not see them.
            InvalidRequest: too many are asked for, or a name holds what no name can.

        """
        if principal is not None:
            principal.check_scope(Scope.ADMIN, changes=False)
            principal.check_everywhere()
        if not 1 <= most <= _MOST_LISTED:
            raise InvalidRequest(f"most: 1 to {_MOST_LISTED} entries are listed at once")
        check(collection, "collection")
        return table.entries(self._db, token_id=token_id, collection=collection, since=since, before=before, most=most)
