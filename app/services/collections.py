"""Collections: created with a model that is known to load, looked up, changed and dropped."""

from collections.abc import Mapping
from typing import Any

from app.db import aliases
from app.db import collections as collection_table
from app.db import jobs as job_table
from app.domain.collections import Collection, NewCollection
from app.domain.errors import InTheWay, InvalidRequest
from app.domain.jobs import State
from app.domain.services import service_of
from app.embedding.models import registry
from app.services import measuring
from app.services.context import Context


def create(
    context: Context,
    name: str,
    service: str,
    model: str | None = None,
    *,
    capacity: int | None = None,
    thumbnails: bool = True,
    keep_images: bool = False,
    product_field: str | None = None,
    recall_target: float | None = None,
) -> Collection:
    """Create a collection; without a model it gets its service's default.

    Raises:
        InvalidRequest: the name is taken or not allowed, there is no such service or model.

    """
    chosen = model or service_of(service).model
    facts = registry.describe(chosen, context.models.options)
    return collection_table.create(
        context.db,
        NewCollection(
            name=name,
            service=service,
            model=chosen,
            model_revision=facts.revision,
            dimensions=facts.dimensions,
            distance_scale=facts.distance_scale,
            capacity=capacity,
            thumbnails=thumbnails,
            keep_images=keep_images,
            product_field=product_field,
            recall_target=recall_target,
        ),
    )


def get(context: Context, name: str) -> Collection:
    """Return a collection, by its name or an alias, as it is now.

    Raises:
        CollectionNotFound: there is none of this name.

    """
    return collection_table.get(context.db, name)


def names(context: Context) -> list[str]:
    """Return the names of all collections, in their order."""
    return [row["name"] for row in collection_table.list_all(context.db)]


def change(context: Context, name: str, settings: Mapping[str, Any]) -> None:
    """Set `capacity`, `product_field` or `recall_target`, all that are given at once.

    None takes one away: no limit, no attribute names a record's product, searches aim as the server is set up. A
    capacity below the number of records only keeps more from coming.

    Raises:
        CollectionNotFound: there is none of this name.
        InvalidRequest: one of them is not allowed; nothing is changed.

    """
    if not settings:
        return
    found = get(context, name)
    collection_table.change(context.db, found.name, settings)
    context.lookup.forget(found.name)
    if "recall_target" in settings:
        measuring.retarget(context, get(context, found.name))


def to_drop(context: Context, name: str) -> Collection:
    """Return a collection that may be dropped.

    Raises:
        CollectionNotFound: there is none of this name.
        InvalidRequest: it is the name of an alias, or an alias leads to the collection.

    """
    found = get(context, name)
    if found.name != name:
        raise InvalidRequest(f"{name!r} is an alias of the collection {found.name!r}: lookalike alias delete {name}")
    if leading := aliases.of(context.db, found.id):
        raise InvalidRequest(
            f"aliases lead to the collection {name!r}: {', '.join(leading)}; set them to another, or delete them, first"
        )
    return found


def drop(context: Context, name: str) -> None:
    """Drop a collection with all its records.

    Raises:
        CollectionNotFound: there is none of this name.
        InvalidRequest: it is the name of an alias, or an alias leads to the collection.
        InTheWay: it is in use, as by a job that builds its index; the message names the job.

    """
    found = to_drop(context, name)
    try:
        collection_table.drop(context.db, name)
    except InTheWay:
        raise InTheWay(_in_use(context, found)) from None
    context.lookup.forget(name)


def _in_use(context: Context, collection: Collection) -> str:
    """Say what stands in the way of a drop: jobs of the collection, where workers are at some."""
    at_work = [State.RUNNING, State.PAUSING, State.CANCELLED]
    jobs = job_table.find(context.db, states=at_work, collection_id=collection.id, most=100)
    told = [(job.id, f"{job.kind}, {job.progress.phase or 'just begun'}") for job in jobs if job.worker is not None]
    if not told:
        return f"{collection.name} is in use by queries, or by an index build: nothing was dropped; try again"
    names = ", ".join(f"{number} ({what})" for number, what in told)
    return (
        f"{collection.name} is in use by the job {names}: nothing was dropped; cancel it by"
        f" `lookalike job cancel {told[0][0]}`, or wait for its end, and drop the collection then"
    )
