"""The index of a collection is built in the background once the collection outgrows exact search."""

import logging
import threading
import time

from app.db import indexes
from app.domain.collections import Collection
from app.domain.errors import ConfigurationError, LookalikeError
from app.services.context import Context

log = logging.getLogger(__name__)

_CHECK_SECONDS = 5.0
_REFUSED_SECONDS = 600.0
_lock = threading.Lock()
_checked: dict[int, float] = {}
_building: set[int] = set()


def nudge(context: Context, collection: Collection) -> None:
    """Look whether a collection has outgrown exact search and, if so, build its index in the background.

    Costs nothing but a look at the clock when called again within a few seconds or when the index is there.
    """
    now = time.monotonic()
    with _lock:
        if collection.indexed or collection.id in _building or now - _checked.get(collection.id, -1e9) < _CHECK_SECONDS:
            return
        _checked[collection.id] = now
        _building.add(collection.id)
    threading.Thread(target=_build, args=(context, collection), name="index-build", daemon=True).start()


def _build(context: Context, collection: Collection) -> None:
    try:
        build_if_outgrown(context, collection)
    except ConfigurationError as error:
        # As lookalike_app, say: an index is built by the owner of its table. Said seldom, as it will not mend itself.
        log.warning(
            "collection %s has outgrown exact search, and this server may not build its index (%s); searches stay"
            " exact and complete. As the schema's owner run: lookalike collection build %s",
            collection.name, error, collection.name,
        )  # fmt: skip
        with _lock:
            _checked[collection.id] = time.monotonic() + _REFUSED_SECONDS
    except LookalikeError as error:
        # Searches stay exact and complete; the next insert nudges again.
        log.warning("the index of collection %s was not built: %s", collection.name, error)
    finally:
        with _lock:
            _building.discard(collection.id)


def build_if_outgrown(context: Context, collection: Collection) -> bool:
    """Build the HNSW index where the collection has outgrown exact search; return whether it was built.

    Raises:
        Unavailable: the database is away, or the build was interrupted.

    """
    if not indexes.outgrown(context.db, collection, context.settings.index_rows):
        return False
    built = indexes.build_hnsw(context.db, collection)
    context.lookup.forget(collection.name)
    return built
