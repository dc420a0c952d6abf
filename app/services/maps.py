"""Maps: where the records of a collection lie in a plane in which neighbours look alike."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import orjson
from numpy.typing import NDArray

from app.db import maps as table
from app.db import search
from app.db.maps import Cluster, MapState, Outlier, Version
from app.domain.collections import Collection
from app.domain.errors import Conflict, InvalidRequest
from app.domain.records import Json
from app.services.context import Context
from app.services.record_input import checked_id
from app.services.vectors import embed_query

__all__ = ["Cluster", "MapState", "Outlier"]

DRAWN = 200_000
"""Points that are drawn at most; beyond, they are a sample that has all outliers."""
OUTLIERS = 1000
"""Outliers that are told at most, and that every drawing has."""
NONE = 255
"""The code of a record without a colour."""
_KINDS = 11
_SHADES = 240
_PLACED_AT_ONCE = 200
_NUMBERS = 12  # so many different numbers are a scale, fewer are values


@dataclass(frozen=True, slots=True)
class Points:
    """Where records lie, by place.

    Attributes:
        version: that of the layout.
        points: (places, 2) float32; NaN where the record of a place is not stored any more.
        total: how many records lie on the map; more than there are places where they are a sample.

    """

    version: int
    points: NDArray[np.float32]
    total: int


@dataclass(frozen=True, slots=True)
class Colours:
    """A colour for each place.

    Attributes:
        version: that of the layout.
        kind: `values`, of which a code is the number in `legend`, `numbers` or `distances`, of which it is a shade.
        legend: values with their counts, the most frequent first; those beyond 11 are one entry, without a value.
        low: the number of shade 0; None where there are values.
        high: that of the last shade.
        shades: how many shades there are.
        none: records without a value.
        codes: (places,) uint8; 255: none.

    """

    version: int
    kind: str
    legend: Sequence[Mapping[str, Json]]
    low: float | None
    high: float | None
    shades: int
    none: int
    codes: NDArray[np.uint8]


def state(context: Context, collection: Collection) -> MapState | None:
    """Return how far the map of a collection is; None where it has none."""
    return table.state(context.db, collection)


def usable(context: Context, collection: Collection, version: int | None = None) -> Version:
    """Return the layout of the present vectors that there is.

    Raises:
        Conflict: there is none, or another one than `version`.

    """
    found = table.version(context.db, collection)
    if found is None or found.layout == "none":
        raise Conflict(f"{collection.name!r} has no map yet: start a job of the kind map")
    if found.generation != collection.generation:
        raise Conflict("the vectors were made anew since the map was made: start another job of the kind map")
    if version is not None and version != found.version:
        raise Conflict("the map was laid out anew meanwhile: ask for its points again")
    return found


def points(context: Context, collection: Collection) -> Points:
    """Return where records lie; up to 200 that are new are put beside their neighbours first.

    Raises:
        Conflict: there is no map of the present vectors.

    """
    found = usable(context, collection)
    if found.layout == "neighbours" and table.place(context.db, collection, _PLACED_AT_ONCE):
        found = usable(context, collection)
    drawn = table.points(context.db, collection, DRAWN)
    where = np.full((min(DRAWN, found.places), 2), np.nan, np.float32)
    # Places that were given since `found` was read are told the next time.
    known = drawn[drawn["place"] < len(where)]
    where[known["place"], 0], where[known["place"], 1] = known["x"], known["y"]
    return Points(found.version, where, found.places)


def place_all(context: Context, collection: Collection, tell: Callable[[int], None], at_once: int = 500) -> int:
    """Put all new records beside their neighbours; return their number. `tell` is called with each number."""
    done = 0
    while number := table.place(context.db, collection, at_once):
        done += number
        tell(number)
    return done


def ids(context: Context, collection: Collection, version: int | None) -> tuple[int, list[str | None]]:
    """Return the version and the ids of records by place, None where one is not stored any more.

    Raises:
        Conflict: there is no map of the present vectors, or another one than `version`.

    """
    found = usable(context, collection, version)
    named: list[str | None] = [None] * min(DRAWN, found.places)
    for place, record_id in table.ids(context.db, collection, len(named)):
        named[place] = record_id
    return found.version, named


def by_field(context: Context, collection: Collection, field: str, version: int | None) -> Colours:
    """Return colours by an attribute: shades where it holds many numbers, else its most frequent values.

    Raises:
        Conflict: there is no map of the present vectors, or another one than `version`.
        InvalidRequest: the field is none.

    """
    found = usable(context, collection, version)
    size = min(DRAWN, found.places)
    rows = [(place, value) for place, value in table.values(context.db, collection, field, size) if value != "null"]
    return _coloured(found, size, rows)


def by_cluster(context: Context, collection: Collection, version: int | None) -> Colours:
    """Return colours by cluster, each with a number.

    Raises:
        Conflict: there is no map of the present vectors, or another one than `version`.

    """
    found = usable(context, collection, version)
    size = min(DRAWN, found.places)
    return _valued(found, size, table.groups(context.db, collection, size), 250)


def by_distance(context: Context, collection: Collection, record: Mapping[str, Json], version: int | None) -> Colours:
    """Return colours by the distance to a query record: a stored one by `_id`, or a picture.

    Raises:
        Conflict: there is no map of the present vectors, or another one than `version`.
        WrongQueryRecord: it is neither stored nor has a picture that can be read.

    """
    found = usable(context, collection, version)
    size = min(DRAWN, found.places)
    known = None
    if record.get("_id") is not None:
        record_id = checked_id(record["_id"])
        known = search.stored(context.db, collection, [record_id]).get(record_id)
    vector = known.vector if known is not None else embed_query(context, collection, record)
    rows = table.distances(context.db, collection, vector, size)
    return _shaded(found, size, "distances", [place for place, _ in rows], np.array([value for _, value in rows]))


def _coloured(found: Version, size: int, rows: Sequence[tuple[int, str | None]]) -> Colours:
    texts = [(place, value) for place, value in rows if value is not None]
    numeric = [(place, value) for place, value in texts if value[0] in "-0123456789"]
    if len(numeric) > 0.9 * len(texts) and len({value for _, value in numeric}) > _NUMBERS:
        numbers = np.array([float(value) for _, value in numeric])
        return _shaded(found, size, "numbers", [place for place, _ in numeric], numbers)
    return _valued(found, size, texts, _KINDS)


def _valued(found: Version, size: int, rows: Sequence[tuple[int, str | None]], most: int) -> Colours:
    texts = [(place, value) for place, value in rows if value is not None and place < size]
    counts = sorted(Counter(value for _, value in texts).items(), key=lambda one: (-one[1], one[0]))
    code_of = {value: min(n, most) for n, (value, _) in enumerate(counts)}
    codes = np.full(size, NONE, np.uint8)
    for place, value in texts:
        codes[place] = code_of[value]
    legend: list[dict[str, Json]] = [{"value": orjson.loads(value), "count": count} for value, count in counts[:most]]
    if others := sum(count for _, count in counts[most:]):
        legend.append({"count": others, "others": len(counts) - most})
    return Colours(found.version, "values", legend, None, None, 0, len(rows) - len(texts), codes)


def _shaded(found: Version, size: int, kind: str, places: Sequence[int], numbers: NDArray[np.float64]) -> Colours:
    """Return shades of numbers: those beyond the outermost hundredths are like these, so that few do not rule all."""
    codes = np.full(size, NONE, np.uint8)
    at = np.array(places, np.int64)
    inside = (at < size) & np.isfinite(numbers)
    numbers, at = numbers[inside], at[inside]
    low, high = (float(np.quantile(numbers, share)) for share in (0.01, 0.99)) if len(numbers) else (0.0, 0.0)
    if kind == "distances":
        low = 0.0
    if len(numbers):
        part = np.clip((numbers - low) / ((high - low) or 1.0), 0, 1)
        codes[at] = np.minimum(part * _SHADES, _SHADES - 1).astype(np.uint8)
    return Colours(found.version, kind, [], low, high, _SHADES, len(places) - len(numbers), codes)


def outliers(context: Context, collection: Collection, limit: int) -> list[Outlier]:
    """Return the records that are farthest from their neighbours, the farthest first; none before these are known.

    Raises:
        Conflict: there is no map of the present vectors.
        InvalidRequest: more than 1000 are asked for, or none.

    """
    if not 1 <= limit <= OUTLIERS:
        raise InvalidRequest(f"k is a whole number, 1 to {OUTLIERS}")
    usable(context, collection)
    return table.outliers(context.db, collection, limit)


def clusters(context: Context, collection: Collection) -> list[Cluster]:
    """Return the clusters, each with the record that stands for it; none before the layout by neighbours.

    Raises:
        Conflict: there is no map of the present vectors.

    """
    usable(context, collection)
    return table.clusters(context.db, collection)


def forget(context: Context, collection: Collection) -> bool:
    """Forget the map of a collection; return whether there was one.

    Raises:
        MissingRights: the database's role does not own the tables.

    """
    return table.forget(context.db, collection)
