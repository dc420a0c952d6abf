"""Collections are read into memory, so that the first searches after a restart need not wait for the disk."""

import logging
import threading
import time
from dataclasses import dataclass

from app.db import warming
from app.domain.errors import LookalikeError
from app.services import collections
from app.services.context import Context

log = logging.getLogger(__name__)

_ALL = "all"


@dataclass(frozen=True, slots=True)
class Report:
    """What was read of a collection: bytes and seconds; no `way` where another process is at it."""

    name: str
    way: warming.Way | None
    bytes: int
    seconds: float


def warm(context: Context, name: str) -> Report:
    """Read the table and the indexes of a collection.

    Raises:
        CollectionNotFound: there is none of this name.
        Unavailable: the database is away.

    """
    found = collections.get(context, name)
    started = time.monotonic()
    done = warming.warm(context.db, found)
    seconds = time.monotonic() - started
    return Report(found.name, done.way if done else None, done.bytes if done else 0, seconds)


def at_start(context: Context) -> threading.Thread | None:
    """Read the collections that LOOKALIKE_WARM names, on a thread that is returned: the server is ready before."""
    if not context.settings.warm:
        return None
    made = threading.Thread(target=_warm_all, args=(context,), name="warm", daemon=True)
    made.start()
    return made


def _warm_all(context: Context) -> None:
    wanted = context.settings.warm
    try:
        names = collections.names(context) if _ALL in wanted else wanted
    except LookalikeError as error:
        log.warning("no collection was read into memory: %s", error)
        return
    for name in names:
        if context.closed.is_set():
            return
        try:
            one = warm(context, name)
        except LookalikeError as error:
            if not context.closed.is_set():
                log.warning("collection %s was not read into memory: %s", name, error)
        else:
            if one.way:
                log.info("collection %s: %d bytes read in %.1f s by %s", one.name, one.bytes, one.seconds, one.way)
