"""The index of a collection, in the background: built once it outgrows exact search, anew after large deletions.

How hard it must be searched is measured then, and again when a tenth of the collection was written.
"""

import logging
import time
from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from app.config import Settings
from app.db import crowds, indexes
from app.db import partial as partial_indexes
from app.domain.collections import Collection
from app.domain.errors import ConfigurationError, LookalikeError
from app.domain.jsontext import dumps
from app.search.ladder import PLACE
from app.services import measuring
from app.services.background import begin
from app.services.context import Context

log = logging.getLogger(__name__)

LEAST_OF_A_VALUE = partial_indexes.LEAST
"""Records that a value must have to get an index of its own."""
_CHECK_SECONDS = 5.0
_REFUSED_SECONDS = 600.0
_MEND_SECONDS = 60.0
# So long nobody looks for copies after a look, in times that it took.
_REST = 20


def maintain(context: Context, collection: Collection) -> None:
    """Build a collection's index in the background, or build it anew, where that is due.

    Called after every change of a collection's records. Costs nothing but a look at the clock when called again within
    a few seconds. Of several servers one builds.
    """
    if context.builds.begin(collection.id, _CHECK_SECONDS) and not begin(_build, context, collection):
        context.builds.end(collection.id)


def _build(context: Context, collection: Collection) -> None:
    pause = 0.0
    try:
        if collection.indexed:
            if not rebuild_after_deletions(context, collection) and crowds.due(context.db, collection):
                keep_copies_apart(context, collection)
            measuring.keep(context, context.lookup.collection(collection.name))
        elif build_if_needed(context, collection):
            measuring.keep(context, context.lookup.collection(collection.name))
    except ConfigurationError as error:
        # As lookalike_app, say: an index is built by the owner of its table. Said seldom, as it will not mend itself.
        log.warning(
            "collection %s needs its index built, and this server may not do that (%s); searches stay complete."
            " As the schema's owner run: lookalike collection %s %s",
            collection.name, error, "reindex" if collection.indexed else "build", collection.name,
        )  # fmt: skip
        pause = _REFUSED_SECONDS
    except LookalikeError as error:
        # Searches stay exact and complete; the next insert tries again. A process that ends has nothing to say of it.
        if not context.closed.is_set():
            log.warning("the index of collection %s was not built: %s", collection.name, error)
    finally:
        context.builds.end(collection.id, pause)


def needs_build(context: Context, collection: Collection) -> bool:
    """Say whether a collection has outgrown exact search and has no index."""
    return not collection.indexed and indexes.holds_more(context.db, collection, context.settings.index_rows)


def build_if_needed(context: Context, collection: Collection) -> bool:
    """Build the HNSW index where the collection has outgrown exact search; return whether it was built.

    Raises:
        Unavailable: the database is away, or the build was interrupted.

    """
    if not indexes.holds_more(context.db, collection, context.settings.index_rows):
        return False
    built = indexes.build_hnsw(context.db, collection, resources(context.settings))
    if built:
        index_values_again(context, collection, collection)
    context.lookup.forget(collection.name)
    return built


def rebuild_after_deletions(context: Context, collection: Collection) -> bool:
    """Build the index anew where enough of its rows were deleted since it was built; return whether it was done.

    Raises:
        Unavailable: the database is away, or the build was interrupted.

    """
    if indexes.deleted_share(context.db, collection) < context.settings.reindex_share:
        return False
    return rebuild(context, collection)


def rebuild(context: Context, collection: Collection) -> bool:
    """Build the index anew; searches and inserts go on meanwhile. False where another process is at it.

    Raises:
        Unavailable: the database is away, or the build was interrupted.

    """
    also = [one.index_name for one in partial_indexes.listed(context.db, collection) if one.ready]
    done = indexes.rebuild_hnsw(context.db, collection, resources(context.settings), also)
    if done:
        index_values_again(context, collection, collection)
    context.lookup.forget(collection.name)
    return done


def keep_copies_apart(context: Context, collection: Collection) -> bool:
    """Set copies of one vector apart that are too many for the indexes; return whether any were.

    Raises:
        Unavailable: the database is away, or it was interrupted; another run goes on from there.

    """
    also = [one.index_name for one in partial_indexes.listed(context.db, collection) if one.ready]
    done = indexes.keep_copies_apart(context.db, collection, resources(context.settings), also)
    context.lookup.forget(collection.name)
    return done


def notice_copies(context: Context, collection: Collection, written: Iterable[NDArray[np.float32]]) -> None:
    """Set copies apart in the background where too many of the vectors that were written together are the same.

    A walk that meets only a few of them would answer without the others, and tell nobody.
    """
    if collection.indexed and not collection.distributed and crowds.too_many(written):
        mend(context, collection, sure=True)


def mend(context: Context, collection: Collection, *, sure: bool) -> None:
    """Set copies apart in the background, as a search met too many of them; at most once a minute.

    Where it met so many that there may be too many, that is looked at if enough for a crowd was written since the last
    look. Looks take a twentieth of the time at most.
    """
    if context.crowds.begin(collection.id, _MEND_SECONDS) and not begin(_mend, context, collection, sure):
        context.crowds.end(collection.id)


def _mend(context: Context, collection: Collection, sure: bool) -> None:
    pause, started = 0.0, time.monotonic()
    try:
        if sure or crowds.due(context.db, collection, writes=PLACE):
            keep_copies_apart(context, collection)
            pause = max(_MEND_SECONDS, _REST * (time.monotonic() - started))
    except ConfigurationError as error:
        log.warning(
            "many records of collection %s have the same vector, and this server may not set them apart (%s); searches"
            " that meet them compare all. As the schema's owner run: lookalike collection reindex %s",
            collection.name, error, collection.name,
        )  # fmt: skip
        pause = _REFUSED_SECONDS
    except LookalikeError as error:
        if not context.closed.is_set():
            log.warning("copies in collection %s were not set apart: %s", collection.name, error)
    finally:
        context.crowds.end(collection.id, pause)


def declare_field(context: Context, collection: Collection, field: str) -> str:
    """Give an attribute a B-tree, so that filters on its range are fast; return the index's name.

    Raises:
        InvalidRequest: it is not the name of an attribute.
        Unavailable: the database is away, or the build was interrupted.

    """
    name = indexes.declare_field(context.db, collection, field)
    context.lookup.forget(collection.name)
    return name


def index_values(
    context: Context,
    collection: Collection,
    field: str,
    progress: Callable[[str, int, bool], None] = lambda *_: None,
    *,
    unused: bool = False,
) -> None:
    """Give each frequent value of an attribute an HNSW index of its own, and take it from those that no longer are.

    Args:
        context: the services.
        collection: whose records are indexed; searches and inserts go on meanwhile.
        field: a top-level attribute.
        progress: is called for each value, as JSON, with the number of its records and whether its index was built now.
        unused: the table is not in use yet.

    Raises:
        InvalidRequest: it is not the name of an attribute, or another process builds an index of this collection.
        Unavailable: the database is away, or a build was interrupted; another run goes on from there.

    """
    indexes.check_field(field)
    kept: set[str] = set()
    for value, records in partial_indexes.frequent_values(context.db, collection, field):
        built = partial_indexes.build(context.db, collection, field, value, resources(context.settings), unused=unused)
        kept.add(partial_indexes.condition_of(field, value))
        progress(dumps(value), records, built)
    for one in partial_indexes.listed(context.db, collection):
        if one.field == field and one.condition not in kept:
            partial_indexes.drop(context.db, one)
    context.lookup.forget(collection.name)


def index_values_again(context: Context, known: Collection, collection: Collection, *, unused: bool = False) -> None:
    """Index the values of those attributes for which `known` has such indexes, or had them: see `index_values`."""
    for field in sorted({one.field for one in partial_indexes.listed(context.db, known)}):
        index_values(context, collection, field, unused=unused)


def drop_values(context: Context, collection: Collection, field: str) -> int:
    """Drop the indexes of an attribute's values; return their number. Searches go on meanwhile."""
    found = [one for one in partial_indexes.listed(context.db, collection) if one.field == field]
    for one in found:
        partial_indexes.drop(context.db, one)
    context.lookup.forget(collection.name)
    return len(found)


def resources(settings: Settings) -> indexes.Resources:
    """Return what an index build may take."""
    return indexes.Resources(settings.build_memory_mb, settings.build_workers)
