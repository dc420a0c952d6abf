"""Database errors become domain errors here, by constraint name or SQLSTATE, and nowhere else.

A driver's message never reaches a caller: it may hold values of other people's rows.
"""

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors as pg
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from app.db.bounded import Overdue
from app.domain.errors import (
    CollectionNotFound,
    ConfigurationError,
    FilterError,
    InTheWay,
    InvalidRequest,
    LookalikeError,
    MissingRights,
    Unavailable,
)

UNCONFIRMED = "it is written, but no standby has confirmed that: losing the primary now would lose it"
UNREACHABLE = "the database cannot be reached; try again in a moment"


class ConnectionLost(Unavailable):
    """A connection died, or the server is going down: other connections are likely to be lost as well (503)."""


class ReadOnly(ConnectionLost):
    """The server takes no writes, as a standby or a primary that was made one: a new connection may lead to another."""


class TookTooLong(Unavailable):
    """A statement ran for longer than the server lets one: it would elsewhere, too (503)."""

    def __init__(self) -> None:
        super().__init__("the query took longer than the server allows; narrow it down or ask for less")


log = logging.getLogger(__name__)

_NUL = "a text of the request holds the character U+0000, which the database cannot take"

_BY_CONSTRAINT: dict[str, str] = {
    "collections_name_key": "a collection of this name exists already",
    "aliases_names_apart": "a collection and an alias cannot have one name, and this one is taken by the other kind",
    "aliases_name_check": "an alias has 1 to 128 letters, digits, '.', '_' and '-', and begins with a letter or digit",
    "aliases_collection_id_fkey": "an alias leads to this collection: set it to another first, or delete it",
    "collections_dimensions_check": "a vector has 1 to 4000 dimensions",
    "records_id_check": "an _id has 1 to 1024 bytes",
}

# What a schema of another version lacks, or a fault of ours names: the log tells which.
_MISSING = (pg.UndefinedTable, pg.UndefinedColumn, pg.UndefinedFunction, pg.InvalidSchemaName)

_BY_CLASS: tuple[tuple[tuple[type[psycopg.Error], ...], Callable[[], LookalikeError]], ...] = (
    (
        _MISSING,
        lambda: Unavailable("the database holds no schema of Lookalike, or one of another version", 10),
    ),
    (
        (pg.DependentObjectsStillExist,),
        lambda: InvalidRequest(
            "something of your own in the database, such as a view or a key, is built on it: drop that first"
        ),
    ),
    ((pg.QueryCanceled,), TookTooLong),
    (
        (pg.UntranslatableCharacter,),
        lambda: InvalidRequest(_NUL),
    ),
    (
        (pg.InvalidRegularExpression,),
        lambda: FilterError("the database cannot run this regular expression", "$regex"),
    ),
    (
        (pg.ProgramLimitExceeded,),
        lambda: InvalidRequest("an attribute that has an index of its own may take 2,700 bytes at most"),
    ),
    (
        (pg.LockNotAvailable, pg.DeadlockDetected, pg.SerializationFailure),
        lambda: InTheWay("other work on the same records is in the way; try again"),
    ),
    (
        (pg.InvalidPassword, pg.InvalidAuthorizationSpecification, pg.InvalidCatalogName),
        lambda: ConfigurationError("the database refuses the user, password or database name of DATABASE_URL"),
    ),
    (
        (pg.InsufficientPrivilege,),
        lambda: MissingRights(
            "the role of the database URL may not do this: do it as the schema's owner"
            " (LOOKALIKE_ADMIN_DATABASE_URL); the rights of the server's role: lookalike db roles"
        ),
    ),
    ((Overdue,), lambda: Unavailable(UNREACHABLE)),
)

# What is no fault of the request, by how its SQLSTATE begins; the first that fits.
_BY_STATE: tuple[tuple[str, Callable[[], LookalikeError]], ...] = (
    ("08", lambda: ConnectionLost(UNREACHABLE)),
    ("57P", lambda: ConnectionLost(UNREACHABLE)),
    ("25006", lambda: ReadOnly("the database takes no writes now; try again in a moment")),
    ("25P03", lambda: Unavailable(UNREACHABLE)),  # idle in a transaction for too long
    ("25P04", TookTooLong),
    ("53300", lambda: Unavailable(UNREACHABLE)),  # too many connections
    ("53", lambda: Unavailable("the database cannot take this now", retry_after_seconds=10)),
    ("58", lambda: Unavailable("the database cannot take this now", retry_after_seconds=10)),
    ("57", lambda: Unavailable("the database cannot take this now", retry_after_seconds=10)),
    ("40", lambda: InTheWay("other work on the same records is in the way; try again")),
)

# A collection's own table; the schema's others are there or the schema is not.
_PARTITION = re.compile(r"\b(records|thumbnails|originals)_\d+")


def translate(error: psycopg.Error) -> LookalikeError | None:
    """Return what a caller is told of a database error; None for one that nobody expected."""
    constraint = error.diag.constraint_name or ""
    if constraint in _BY_CONSTRAINT:
        return InvalidRequest(_BY_CONSTRAINT[constraint])
    if constraint.startswith("records_") and constraint.endswith("_embedding_check"):
        return InvalidRequest("the vector has another dimension than those of the collection")
    if isinstance(error, pg.UndefinedTable) and _PARTITION.search(error.diag.message_primary or ""):
        return CollectionNotFound("the collection was dropped, or given another model, meanwhile; try again")
    if isinstance(error, _MISSING):
        log.warning("the database: %s", error.diag.message_primary)
    for classes, make in _BY_CLASS:
        if isinstance(error, classes):
            return make()
    state = error.sqlstate or ("08" if isinstance(error, psycopg.OperationalError) else "")
    for begins, make in _BY_STATE:
        if state.startswith(begins):
            return make()
    # psycopg refuses it by itself, before anything is sent.
    own = isinstance(error, psycopg.DataError) and error.sqlstate is None and "NUL" in str(error)
    return InvalidRequest(_NUL) if own else None


@contextmanager
def translated() -> Iterator[None]:
    """Raise domain errors in place of the driver's and the pool's.

    Raises:
        LookalikeError: as `translate` says; an error it does not know passes as it is and is answered with 500.

    """
    try:
        yield
    except (PoolTimeout, TooManyRequests, PoolClosed) as error:
        raise Unavailable("no database connection is free; try again in a moment") from error
    except psycopg.Error as error:
        known = translate(error)
        if known is None:
            raise
        raise known from error
