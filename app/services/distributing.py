"""Collections are put on the workers of Citus: all that are not there yet, or one."""

from collections.abc import Callable
from dataclasses import dataclass

from app.db import cluster
from app.db import collections as collection_table
from app.domain.collections import Collection
from app.domain.errors import InvalidRequest
from app.services.context import Context
from app.services.indexing import build_if_needed

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Distribution:
    """What is to be distributed: `tables` of each collection; None: one, on one worker."""

    collections: list[Collection]
    tables: int | None


def plan(context: Context, name: str | None, shards: int | None, *, whole: bool) -> Distribution:
    """Check the cluster and the collections; return what would be done.

    Args:
        context: the services.
        name: of a collection; None: all that are not distributed yet.
        shards: tables of a collection; None: one a worker.
        whole: whether each is kept in one table.

    Raises:
        ConfigurationError: there is no cluster, or it lacks something.
        InvalidRequest: there is nothing to distribute, or a collection cannot be.

    """
    found = cluster.check(context.db)
    names = [name] if name else collection_table.names(context.db, None)
    chosen = [collection_table.get(context.db, one) for one in names]
    if name is None:
        chosen = [one for one in chosen if not one.distributed]
    for collection in chosen:
        cluster.check_collection(context.db, collection)
    if not chosen:
        raise InvalidRequest("there is no collection that is not distributed yet")
    return Distribution(chosen, None if whole else shards or found.workers)


def distribute(context: Context, planned: Distribution, done: Callable[[Collection], None], say: Say) -> None:
    """Set for the database what workers must know, then move the collections, and build their indexes there.

    Args:
        context: the services.
        planned: as `plan` returned it.
        done: is called with each collection whose records were moved.
        say: is called with what else was done, a line each.

    """
    for setting in cluster.set_settings(context.db):
        say(f"set for the database: {setting}")
    for collection in planned.collections:
        cluster.distribute(context.db, collection, planned.tables)
        context.lookup.forget(collection.name)
        done(collection)
        if build_if_needed(context, collection_table.get(context.db, collection.name)):
            say(f"built the index of {collection.name}")
