"""allNearDupPairs: all pairs of records that show the same picture."""

from collections.abc import Callable
from dataclasses import dataclass

from app.db import pairs as search
from app.db import records as record_table
from app.db.listing import Listing
from app.domain.errors import InvalidRequest
from app.domain.records import Found
from app.domain.windows import Window
from app.services.context import Context
from app.services.search import check_window


@dataclass(frozen=True, slots=True)
class PairOfIds:
    """The `_id`s of two records, the lesser first, and their distance."""

    ids: tuple[str, str]
    distance: float


@dataclass(frozen=True, slots=True)
class NearPair:
    """Two records, the one with the lesser id first, and their distance."""

    records: tuple[Found, Found]
    distance: float


def near_duplicate_pairs(context: Context, listing: Listing, radius: float, window: Window) -> list[NearPair]:
    """Return pairs of matching records within a radius, nearest first; each pair once, never a record with itself.

    Every pair is compared, so the answer is complete; the work grows with the square of the number of records.

    Raises:
        InvalidRequest: more records match than one request may compare.

    """
    check_window(context, window)
    limit = context.settings.max_pair_records
    vectors = search.read_vectors(context.db, listing, limit)
    if vectors is None:
        raise InvalidRequest(
            f"more than {limit} records match, which is what one request may compare; name fewer of them with a filter,"
            " or run `lookalike duplicates` on the server, which has no such limit"
        )
    scale = listing.collection.distance_scale
    found = search.nearest_pairs(vectors, scale, radius, window.end)[window.offset :]
    if not found:
        return []
    ids = sorted({vectors.ids[place] for one, other, _ in found for place in (one, other)})
    stored = record_table.get(context.db, listing.collection, ids, listing.fields)
    answers = []
    for one, other, distance in found:
        first, second = vectors.ids[one], vectors.ids[other]
        # A record that was deleted since its vector was read is no longer one of a pair.
        if first in stored and second in stored:
            answers.append(NearPair((stored[first], stored[second]), distance))
    return answers


def all_pairs(
    context: Context, listing: Listing, radius: float, most: int, progress: Callable[[int, int], None]
) -> list[PairOfIds]:
    """Return the `most` nearest pairs of matching records within a radius, whatever the number of records.

    All vectors are held in memory. `progress` is called with the number of records done with, and of all.

    Raises:
        InvalidRequest: the collection grew while it was read.

    """
    number = max(1, record_table.count(context.db, listing.collection))
    vectors = search.read_vectors(context.db, listing, number)
    if vectors is None:
        raise InvalidRequest("the collection grew while it was read; try again")
    total = len(vectors.ids)
    found = search.nearest_pairs(
        vectors, listing.collection.distance_scale, radius, most, lambda done: progress(done, total)
    )
    return [PairOfIds((vectors.ids[one], vectors.ids[other]), distance) for one, other, distance in found]
