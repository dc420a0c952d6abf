"""Records that the database refuses: each is left out with its reason, the others of its batch are written."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

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


class Write(Protocol):
    """Writes records at once, in a savepoint of its own, and returns the ids of those that were written."""

    def __call__(self, ids: Sequence[str], *, keep: bool = True) -> Iterable[str]:
        """Write some of them; undo it again unless it is to be kept. It may be called again for the same ones."""


def write_unheld(connection: Connection, ids: Sequence[str], write: Write) -> tuple[set[str], dict[str, str]]:
    """Do what `write_each` does, but find what the database refuses by tries that are undone.

    So no record is held while others are tried: two callers that lock stored records and insert new ones in parts
    could wait for each other. `write` undoes a try itself, as whoever waits for a record of a savepoint that was
    released into another waits for the whole transaction, even if the other savepoint is undone.
    """
    left = list(ids)
    refused: dict[str, str] = {}
    while left:
        try:
            return set(write(left)), refused
        except psycopg.Error as error:
            if _refusal(error) is None:
                raise
        wrong = _refused(left, write)
        if not wrong:  # they are refused only together, as by a unique index of somebody's own
            written, more = write_each(connection, left, write, str)
            return written, refused | more
        refused |= wrong
        left = [record_id for record_id in left if record_id not in wrong]
    return set(), refused


def _refused(ids: Sequence[str], write: Write) -> dict[str, str]:
    """Return which records the database refuses, each by itself, with the reason; nothing is written."""
    try:
        write(ids, keep=False)
    except psycopg.Error as error:
        reason = _refusal(error)
        if reason is None:
            raise
        if len(ids) == 1:
            return {ids[0]: reason}
    else:
        return {}
    middle = len(ids) // 2
    return _refused(ids[:middle], write) | _refused(ids[middle:], write)


def _refusal(error: psycopg.Error) -> str | None:
    """Return why the database refuses a record; None where the error is no fault of a single one."""
    known = translate(error)
    if isinstance(known, InvalidRequest):
        return str(known)
    if known is None and isinstance(error, pg.IntegrityError | pg.DataError | pg.RaiseException):
        return "the database refuses the record: a rule of your own, such as a constraint or a trigger, is in the way"
    return None
