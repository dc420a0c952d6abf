"""allNearDupPairs: all pairs of records that show the same picture."""

from collections.abc import Callable
from dataclasses import dataclass

from app.db import pairs as search
from app.db import records as record_table
from app.db.listing import Listing
from app.domain.errors import InvalidRequest
from app.domain.records import Found
from app.domain.windows import Window
from app.services import duplicates
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


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs, nearest first, and whether they were stored; where not, every pair was compared for them."""

    found: list[NearPair]
    stored: bool


def near_duplicate_pairs(context: Context, listing: Listing, radius: float, window: Window) -> Pairs:
    """Return pairs of matching records within a radius, nearest first; each pair once, never a record with itself.

    Where all pairs within the radius are stored, what was written since is compared, and they are the answer. Else
    every pair is compared: the answer is as complete, and the work grows with the square of the number of records.

    Raises:
        InvalidRequest: the pairs are not stored, and more records match than one request may compare.

    """
    check_window(context, window)
    stored = _stored(context, listing, radius, window)
    found = _compared(context, listing, radius, window) if stored is None else stored
    ids = sorted({one for first, second, _ in found for one in (first, second)})
    known = record_table.get(context.db, listing.collection, ids, listing.fields) if ids else {}
    answers = [
        # A record that was deleted since its vector was read is no longer one of a pair.
        NearPair((known[first], known[second]), distance)
        for first, second, distance in found
        if first in known and second in known
    ]
    return Pairs(answers, stored is not None)


_Found = list[tuple[str, str, float]]


def _stored(context: Context, listing: Listing, radius: float, window: Window) -> _Found | None:
    if not duplicates.refreshed(context, listing.collection, radius):
        return None
    return search.stored_pairs(context.db, listing, radius, window)


def _compared(context: Context, listing: Listing, radius: float, window: Window) -> _Found:
    limit = context.settings.max_pair_records
    vectors = search.read_vectors(context.db, listing, limit)
    if vectors is None:
        raise InvalidRequest(
            f"more than {limit} records match, which is what one request may compare; name fewer of them with a filter,"
            " run `lookalike duplicates` on the server, which has no such limit, or store the pairs with `lookalike"
            " duplicates scan`"
        )
    found = search.nearest_pairs(vectors, listing.collection.distance_scale, radius, window.end)[window.offset :]
    return [(vectors.ids[one], vectors.ids[other], distance) for one, other, distance in found]


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
