"""When each token was used last: noted in memory, written now and then."""

from datetime import UTC, datetime, timedelta

from app.db import tokens
from app.db.engine import Database

_AT_MOST_EVERY = timedelta(minutes=1)


class TokenUse:
    """Remembers when tokens were used; `noted` costs a look into a dictionary, `write` one statement for all tokens."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._used: dict[int, datetime] = {}
        self._written: dict[int, datetime] = {}

    def noted(self, token_id: int) -> None:
        """Note that a token is used now."""
        self._used[token_id] = datetime.now(UTC)

    def write(self, at_most_every: timedelta = _AT_MOST_EVERY) -> None:
        """Write what is new of the tokens of which nothing was written for a minute.

        Raises:
            Unavailable: the database is away; the next call writes it.

        """
        now = datetime.now(UTC)
        due = {
            token_id: moment
            for token_id, moment in list(self._used.items())
            if (last := self._written.get(token_id)) is None or (last < moment and now - last >= at_most_every)
        }
        if due:
            tokens.used(self._db, due)
            self._written |= dict.fromkeys(due, now)
