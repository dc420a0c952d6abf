"""Statements of a search are sent from here."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from time import perf_counter
from typing import Any

from psycopg.rows import tuple_row

from app.db.engine import Connection, Database
from app.db.search.slow import note
from app.db.search.statements import Statement, compare, few
from app.domain.records import Found
from app.search.plan import is_expensive
from app.search.request import Query


def fetch(db: Database, statement: Statement) -> list[Found]:
    """Send one statement and return its rows."""

    def work(connection: Connection) -> list[Found]:
        # Rows become records as they are read: a dictionary between took a tenth of the server's share of a search.
        with connection.cursor(binary=True, row_factory=_as_found) as cursor:
            return cursor.execute(statement.text, statement.values, prepare=statement.prepare).fetchall()

    started = perf_counter()
    rows = db.read(work, generic=statement.generic or statement.prepare)
    note(statement, started)
    return rows


def reading_all(db: Database, query: Query) -> AbstractContextManager[None]:
    """Return what every match of a query is read in: of a large collection, only some may be at the same time."""
    return db.expensive() if is_expensive(query.collection) and not query.by_ids else nullcontext()


def compared(db: Database, query: Query) -> list[Found]:
    """Return the query's window of all matches."""
    with reading_all(db, query):
        return fetch(db, compare(query))


def compared_and_counted(db: Database, query: Query, bound_: int, indexes: frozenset[str]) -> tuple[list[Found], int]:
    """Return the query's window of all matches, and their number; beyond the bound both mean nothing.

    `indexes` are those that find the matches; none where every record is read.
    """
    statement = few(query, bound_, indexes)

    def work(connection: Connection) -> tuple[list[Found], int]:
        with connection.cursor(binary=True, row_factory=tuple_row) as cursor:
            rows = cursor.execute(statement.text, statement.values, prepare=statement.prepare).fetchall()
        return [Found(row[0], row[2], row[1]) for row in rows if row[0] is not None], int(rows[0][3])

    started = perf_counter()
    found = db.read(work, generic=statement.generic or statement.prepare)
    note(statement, started)
    return found


def _as_found(_: object) -> Callable[[Sequence[Any]], Found]:
    """Return the row factory of the shapes, which answer id, distance and attributes, in this order."""
    return lambda row: Found(row[0], row[2], row[1])
