"""Models that this server has, and what it would take to give a collection another one."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.db import listing, records
from app.db.listing import Listing
from app.db.reembedding import ModelChange
from app.domain.collections import Collection
from app.domain.records import Fields
from app.embedding.models import registry
from app.embedding.models.inventory import inventory
from app.services.context import Context
from app.services.reembedding import Trial

_SAMPLE = 16


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a re-embedding would take, by a sample of the records.

    Attributes:
        model: the model by its full name.
        dimensions: numbers of one of its vectors.
        records: records of the collection.
        sampled: records that were tried.
        unreadable: those of them whose pictures cannot be had; `examples` names some, with the reason.
        seconds: what all records would take; None where no picture could be read.
        vector_bytes: what the new vectors take, beside the old ones until the switch.

    """

    model: str
    dimensions: int
    records: int
    sampled: int
    unreadable: int
    examples: Sequence[tuple[str, str]]
    seconds: float | None
    vector_bytes: int


def models(context: Context) -> list[dict[str, Any]]:
    """Return the models on this server that can be used, or could with what `reason` says."""
    return [
        {
            "name": one.name,
            "dimensions": one.facts.dimensions,
            "knows_text": one.knows_text,
            "at_hand": one.at_hand,
            "licence": one.facts.licence,
            "reason": one.reason,
        }
        for one in inventory(context.settings.models)
        if one.facts is not None
    ]


def estimate(context: Context, collection: Collection, model: str) -> Estimate:
    """Read the pictures of records at random and embed them with a model; nothing is stored.

    Raises:
        InvalidRequest: there is no such model.
        Unavailable: the database is away, or the model is too busy.

    """
    facts = registry.describe(model, context.models.options)
    given = replace(
        collection,
        model=facts.name,
        model_revision=facts.revision,
        dimensions=facts.dimensions,
        distance_scale=facts.distance_scale,
    )
    trial = Trial(context, ModelChange(collection, given))
    ids = [found.id for found in listing.random(context.db, Listing(collection, Fields()), _SAMPLE)]
    done, failed = trial.embed(ids[:1])  # the model is loaded by it, which is no part of the time
    begun = time.perf_counter()
    more, also_failed = trial.embed(ids[1:] or ids)
    spent = time.perf_counter() - begun
    failed |= also_failed
    number = records.count(context.db, collection)
    return Estimate(
        facts.name,
        facts.dimensions,
        number,
        len(ids),
        len(failed),
        sorted(failed.items())[:5],
        round(spent / len(ids[1:] or ids) * number, 1) if done or more else None,
        number * (2 * facts.dimensions + 8),
    )
