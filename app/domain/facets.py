"""Facets: how many records of a set have which values of a field."""

from dataclasses import dataclass
from decimal import Decimal

from app.domain.errors import InvalidRequest
from app.domain.jsontext import check_text, is_integer
from app.domain.records import Json

MAX_FACETS = 16
MAX_VALUES = 1000
MAX_BINS = 1000
_MAX_STEPS = 32
_KEYS = frozenset({"field", "name", "limit", "min_count", "prefix", "histogram", "ranges", "exclude_own"})


@dataclass(frozen=True, slots=True)
class Facet:
    """One facet of a request.

    `path` are the steps of the field's dotted name. The values are counted one by one, unless `ranges` (ascending
    bounds: n of them make n + 1 ranges, the first and the last open) or `bins` (the number of equally wide ranges
    from the least to the greatest number) is given. `limit`, `min_count` and `prefix` choose which single values are
    listed. With `exclude_own`, the filter's own condition on the field does not count for this facet.
    """

    name: str
    path: tuple[str, ...]
    limit: int = 20
    min_count: int = 1
    prefix: str | None = None
    ranges: tuple[Decimal, ...] | None = None
    bins: int | None = None
    exclude_own: bool = False

    @property
    def field(self) -> str:
        """The dotted name of the field."""
        return ".".join(self.path)


def facets_of(given: Json) -> tuple[Facet, ...]:
    """Read the parameter `facets`: a list of names of fields, or of objects that say more.

    Raises:
        InvalidRequest: it is not one; the message names the place.

    """
    if not isinstance(given, list) or not given:
        raise InvalidRequest("facets: must be a list of fields, at least one")
    if len(given) > MAX_FACETS:
        raise InvalidRequest(f"facets: at most {MAX_FACETS} in one request; there are {len(given)}")
    facets = tuple(_facet(one, f"facets[{number}]") for number, one in enumerate(given))
    for number, facet in enumerate(facets):
        if any(other.name == facet.name for other in facets[:number]):
            raise InvalidRequest(f"facets[{number}]: a facet of the name {facet.name[:60]!r} stands before it")
    return facets


def _facet(given: Json, place: str) -> Facet:
    if isinstance(given, str):
        return Facet(given, path_of(given, place))
    if not isinstance(given, dict):
        raise InvalidRequest(f"{place}: must be the name of a field, or an object with a field")
    if unknown := given.keys() - _KEYS:
        raise InvalidRequest(f"{place}: {min(unknown)[:60]!r} is none of {', '.join(sorted(_KEYS))}")
    path = path_of(given.get("field"), f"{place}.field")
    name = given.get("name", ".".join(path))
    if not isinstance(name, str) or not name:
        raise InvalidRequest(f"{place}.name: must be a string that is not empty")
    check_text(name, f"{place}.name")
    ranges, bins = _ranges(given, place), _bins(given, place)
    counted = [key for key in ("limit", "min_count", "prefix") if key in given]
    if ranges is not None and bins is not None:
        raise InvalidRequest(f"{place}: takes histogram or ranges, not both")
    if counted and (ranges is not None or bins is not None):
        raise InvalidRequest(f"{place}.{counted[0]}: chooses among single values, and this facet counts ranges")
    prefix = given.get("prefix")
    if prefix is not None:
        if not isinstance(prefix, str):
            raise InvalidRequest(f"{place}.prefix: must be a string")
        check_text(prefix, f"{place}.prefix")
    exclude_own = given.get("exclude_own", False)
    if not isinstance(exclude_own, bool):
        raise InvalidRequest(f"{place}.exclude_own: must be true or false")
    limit = _whole(given.get("limit", 20), f"{place}.limit", 1, MAX_VALUES)
    min_count = _whole(given.get("min_count", 1), f"{place}.min_count", 1, 2**31 - 1)
    return Facet(name, path, limit, min_count, prefix, ranges, bins, exclude_own)


def path_of(given: Json, place: str) -> tuple[str, ...]:
    """Return the steps of the dotted name of a field.

    Raises:
        InvalidRequest: it is none; the message begins with `place`.

    """
    if not isinstance(given, str) or not given:
        raise InvalidRequest(f"{place}: must be the name of a field")
    check_text(given, place)
    path = tuple(given.split("."))
    if path[0] == "_id":
        raise InvalidRequest(f"{place}: the _id is no attribute; every record has one of its own")
    if len(path) > _MAX_STEPS or not all(path):
        raise InvalidRequest(f"{place}: {given[:60]!r} is no dotted name of at most {_MAX_STEPS} steps")
    if any(step.isdigit() for step in path[1:]):
        raise InvalidRequest(
            f"{place}: {given[:60]!r} names a position in a list; name the list, as every element counts"
        )
    return path


def _whole(given: Json, place: str, least: int, most: int) -> int:
    if not is_integer(given) or not least <= int(given) <= most:  # type: ignore[arg-type]
        raise InvalidRequest(f"{place}: must be a whole number from {least} to {most}")
    return int(given)  # type: ignore[arg-type]


def _bins(given: dict[str, Json], place: str) -> int | None:
    histogram = given.get("histogram")
    if histogram is None:
        return None
    place = f"{place}.histogram"
    if not isinstance(histogram, dict) or histogram.keys() != {"bins"}:
        raise InvalidRequest(f'{place}: must be {{"bins": NUMBER}}')
    return _whole(histogram["bins"], f"{place}.bins", 1, MAX_BINS)


def _ranges(given: dict[str, Json], place: str) -> tuple[Decimal, ...] | None:
    bounds = given.get("ranges")
    if bounds is None:
        return None
    place = f"{place}.ranges"
    if not isinstance(bounds, list) or not 1 <= len(bounds) <= MAX_BINS:
        raise InvalidRequest(f"{place}: must be a list of 1 to {MAX_BINS} numbers")
    numbers: list[Decimal] = []
    for number, bound in enumerate(bounds):
        if isinstance(bound, bool) or not isinstance(bound, int | float | Decimal):
            raise InvalidRequest(f"{place}[{number}]: must be a number")
        numbers.append(Decimal(str(bound)))
        if number and numbers[number] <= numbers[number - 1]:
            raise InvalidRequest(f"{place}[{number}]: must be greater than the bound before it")
    return tuple(numbers)
