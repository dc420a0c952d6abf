"""Indexes that `collection advise` names, built by the server itself within a budget."""

import hashlib
import logging
from contextlib import suppress

from app.db import collections as table
from app.db import indexes, searchlog
from app.domain.collections import Collection
from app.domain.errors import CollectionNotFound
from app.domain.jobs import ENDED, Job, State
from app.services import advising
from app.services.advising import Advice
from app.services.context import Context
from app.services.jobs import asking
from app.services.jobs.index_jobs import FIELD_INDEX
from app.services.watching import every

log = logging.getLogger(__name__)

_EVERY_SECONDS = 900.0
# Fewer searches say little of those to come.
_LEAST_SEARCHES = 100
_BEFORE_THE_END = frozenset(State) - ENDED


def watch(context: Context, every_seconds: float = _EVERY_SECONDS) -> None:
    """Look in the background for indexes that would help, until the context is closed; nothing without a budget."""
    if context.settings.advised_index_bytes and context.settings.log_searches:
        failed = "indexes that would help were not looked for"
        every(context, every_seconds, "self-tuning", lambda: tune(context), failed)


def tune(context: Context) -> list[Job]:
    """Ask for a job for each collection that builds the index which helps its searches most; return the new jobs.

    An index is asked for once: one that is dropped afterwards, or whose job failed, is left to the administrator.

    Raises:
        Unavailable: the database is away.

    """
    made = []
    for name in searchlog.filtered(context.db, _LEAST_SEARCHES):
        if context.closed.is_set():
            break
        with suppress(CollectionNotFound):  # dropped meanwhile
            made += _tuned(context, table.get(context.db, name))
    return made


def _tuned(context: Context, collection: Collection) -> list[Job]:
    left = context.settings.advised_index_bytes - indexes.attribute_bytes(context.db, collection)
    if left <= 0 or asking.listed(
        context, states=_BEFORE_THE_END, kinds=[FIELD_INDEX.name], collection_id=collection.id
    ):
        return []
    for advice in advising.advise(context, collection).advice:
        if advice.bytes > left:
            continue
        job, new = asking.start(
            context,
            FIELD_INDEX,
            collection,
            {"field": advice.field, "each_value": advice.kind == "values"},
            idempotency_key=_key(collection, advice),
        )
        if new:
            log.info("job %d builds what would help collection %s: %s", job.id, collection.name, advice.command)
            return [job]
    return []


def _key(collection: Collection, advice: Advice) -> str:
    """Return the idempotency key of an index's job: the same one from every server."""
    field = hashlib.md5(advice.field.encode(), usedforsecurity=False).hexdigest()
    return f"advised-{collection.id}-{advice.kind}-{field}"
