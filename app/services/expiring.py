"""Records that expire, the trash, and files of export jobs: the care that deletes what has expired."""

import logging
from collections.abc import Container, Iterable
from contextlib import suppress

from app.db import collections as table
from app.db import expiry
from app.domain.collections import Collection
from app.domain.errors import CollectionNotFound, ConfigurationError, LookalikeError
from app.domain.expiry import is_first_to_expire
from app.services import duplicates, indexing
from app.services.background import begin
from app.services.context import Context
from app.services.exporting.files import forget_old
from app.services.watching import every

log = logging.getLogger(__name__)

_BATCH = 500
# Batches of one run; what is left then is deleted by the next.
_BATCHES = 200
_PAUSE_SECONDS = 10.0
_WATCH_SECONDS = 60.0


def noticed(context: Context, collection: Collection, attributes: Iterable[Container[str]]) -> None:
    """Look a collection up anew where the first record that expires was written to it."""
    if is_first_to_expire(collection, attributes):
        context.lookup.forget(collection.name)


def tidy(context: Context, collection: Collection) -> None:
    """Delete in the background what has expired in a collection; called whenever it is used.

    Costs nothing but a look at the clock when called again within some seconds, or where no record ever expires.
    """
    due = (
        collection.expires and not context.settings.read_only and context.expiries.begin(collection.id, _PAUSE_SECONDS)
    )
    if due and not begin(_tidy, context, collection):
        context.expiries.end(collection.id)


def watch(context: Context, every_seconds: float = _WATCH_SECONDS) -> None:
    """Delete in the background what has expired in collections that nobody uses, until the context is closed."""
    every(context, every_seconds, "expiry-watch", lambda: sweep(context), "what expired was not looked for")


def sweep(context: Context) -> None:
    """Delete what has expired in all collections, what is due in their trash, old files of jobs and old audit entries.

    It ends early where the context is closed.

    Raises:
        Unavailable: the database is away.

    """
    try:
        forget_old(context)
    except OSError as error:
        log.warning("old files of export jobs were not deleted: %s", error)
    duplicates.purge_due(context)
    context.audit.trim()
    for name in table.expiring(context.db):
        if context.closed.is_set():
            return
        with suppress(CollectionNotFound):  # dropped meanwhile
            collection = table.get(context.db, name)
            if context.expiries.begin(collection.id, _PAUSE_SECONDS):
                _tidy(context, collection)


def _tidy(context: Context, collection: Collection) -> None:
    try:
        if delete_expired(context, collection):
            indexing.maintain(context, collection)
    except LookalikeError as error:
        log.warning("what expired in collection %s was not deleted: %s", collection.name, error)
    finally:
        context.expiries.end(collection.id)


def delete_expired(context: Context, collection: Collection) -> int:
    """Delete what has expired, a transaction for each 500 records; return the number of records.

    Raises:
        Unavailable: the database is away; what was deleted is gone.

    """
    if not expiry.is_indexed(context.db, collection):
        try:
            expiry.build_index(context.db, collection)
        except ConfigurationError:
            log.info("the owner may make an index by which records that expired are found; the table is read instead")
    deleted = 0
    for _ in range(_BATCHES):
        some = expiry.delete_some(context.db, collection, _BATCH)
        deleted += some
        if some < _BATCH:
            break
    return deleted
