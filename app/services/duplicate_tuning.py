"""Which radius of duplicates: pairs are drawn for people to judge, and precision and recall told from what they say."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.db import judgements as table
from app.db.judgements import Judgement
from app.domain.collections import Collection
from app.domain.tuning import Candidate, allocated, candidates, suggested
from app.services.context import Context
from app.services.duplicates import refresh

__all__ = ["Candidate", "Judgement", "Report", "draw", "judge", "report"]

PRECISION = 0.95
"""What is wanted unless another is named."""


@dataclass(frozen=True, slots=True)
class Report:
    """What the judgements say.

    Attributes:
        candidates: radii, the least first; none where no pair is stored.
        suggested: the widest radius whose precision is as wanted, with 97.5 %; None: none is known to be.
        pairs: stored pairs; a record with the vector of another counts once, with the first that has it.
        judged: those that were judged.

    """

    candidates: list[Candidate]
    suggested: float | None
    pairs: int
    judged: int


def draw(context: Context, collection: Collection, wanted: int) -> list[tuple[str, str]]:
    """Return up to so many pairs to be judged, in random order, spread over all distances.

    Raises:
        Conflict: the pairs are not stored, or not complete.

    """
    radius = refresh(context, collection).radius
    strata = table.strata(context.db, collection, radius)
    return table.draw(context.db, collection, radius, allocated(strata, wanted))


def judge(context: Context, collection: Collection, given: Sequence[Judgement], judged_by: str) -> int:
    """Store judgements; return the number of pairs.

    Raises:
        InvalidRequest: one is of no stored pair; nothing is stored.

    """
    return table.judge(context.db, collection, given, judged_by)


def thumbnails(context: Context, collection: Collection, ids: Sequence[str]) -> dict[str, bytes]:
    """Return the thumbnails (WebP) of those of some records that have one, by id."""
    return table.thumbnails(context.db, collection, ids)


def report(context: Context, collection: Collection, precision: float = PRECISION) -> Report:
    """Return precision and recall for radii up to that of the scan, and the widest of a wanted precision.

    Raises:
        Conflict: the pairs are not stored, or not complete.

    """
    radius = refresh(context, collection).radius
    strata = table.strata(context.db, collection, radius)
    found = candidates(strata)
    judged = sum(one.judged for one in strata)
    best = suggested(found, precision) if judged else None
    return Report(found, None if best is None else best.radius, sum(one.pairs for one in strata), judged)
