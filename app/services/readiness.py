"""A server is ready once the database answers and the models are loaded, which it begins with at start."""

import logging
import threading

from app.db import collections, schema
from app.db.conninfo import away
from app.domain.errors import LookalikeError
from app.domain.freshness import LOOKING_UP, asking
from app.domain.services import SERVICES
from app.services.context import Context

log = logging.getLogger(__name__)

# A database that is there answers within this, or all connections to it are in use.
_READY_SECONDS = 1.0


def not_ready(context: Context) -> str | None:
    """Return why the server cannot serve now; None where it can."""
    if context.stopping.is_set():
        return "the server is stopping"
    try:
        if reason := _unfit(context, _READY_SECONDS):
            return reason
    except LookalikeError as error:
        if not context.db.busy():
            return away(context.db.url, _READY_SECONDS) or str(error)
        if reason := _asked_patiently(context):
            return reason
    if not context.models.warm:
        return "the models are being loaded"
    return None


def _asked_patiently(context: Context) -> str | None:
    """Wait for one of the connections that are all in use, as a request does."""
    try:
        return _unfit(context)
    except LookalikeError as error:
        return str(error)


def _unfit(context: Context, wait_seconds: float | None = None) -> str | None:
    """Return why the schema cannot be used. A primary that is away is no reason where replicas answer reads."""
    with asking(LOOKING_UP):
        return context.db.read(lambda connection: (schema.unfit(connection),), wait_seconds)[0]


def warm_up(context: Context) -> None:
    """Load the models that collections use, in the background, so that no first request waits for them."""
    threading.Thread(target=_load, args=(context,), name="warm-up", daemon=True).start()


def _load(context: Context) -> None:
    try:
        tagged = {row["model"] for row in collections.list_all(context.db) if SERVICES[row["service"]].makes_tags}
        for name, revision in collections.models(context.db):
            try:
                context.models.get(name, revision)
                if name in tagged and context.tagger.knows(name):
                    context.tagger.warm_up(name)
            except LookalikeError as error:
                # Only this model's collections are affected, and their callers are told; the rest is served.
                log.error("the model %s cannot be loaded: %s", name, error)  # noqa: TRY400
    except LookalikeError as error:
        log.warning("models are loaded at their first use: %s", error)
    finally:
        context.models.warm = True
