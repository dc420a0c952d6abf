"""Records that the database refuses: each is left out with its reason, the others of its batch are written."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import psycopg
from psycopg import errors as pg

from app.db.engine import Connection
from app.db.errors import translate
from app.domain.errors import InvalidRequest

T = TypeVar("T")


def write_each(
    connection: Connection, given: Sequence[T], write: Callable[[Sequence[T]], Iterable[str]], name: Callable[[T], str]
) -> tuple[set[str], dict[str, str]]:
    """Write records at once; where the database refuses one, halve until only those that it refuses are left out.

    Args:
        connection: in a transaction.
        given: what to write.
        write: writes some of them and returns the ids that were written; it may be called again for the same ones.
        name: gives the id of one.

    Returns:
        The ids that were written, and why others were refused, by id.

    """
    try:
        with connection.transaction():  # a savepoint
            return set(write(given)), {}
    except psycopg.Error as error:
        reason = _refusal(error)
        if reason is None:
            raise
        if len(given) == 1:
            return set(), {name(given[0]): reason}
    middle = len(given) // 2
    written, refused = write_each(connection, given[:middle], write, name)
    more, others = write_each(connection, given[middle:], write, name)
    return written | more, refused | others


def _refusal(error: psycopg.Error) -> str | None:
    """Return why the database refuses a record; None where the error is no fault of a single one."""
    known = translate(error)
    if isinstance(known, InvalidRequest):
        return str(known)
    if known is None and isinstance(error, pg.IntegrityError | pg.DataError | pg.RaiseException):
        return "the database refuses the record: a rule of your own, such as a constraint or a trigger, is in the way"
    return None
