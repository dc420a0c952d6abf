"""A search may be asked more than its nearest records, all of it over one qualified set.

The qualified set of a search are the records that match the filter and, where there is a cutoff, lie within its
radius, or are among its candidates: the nearest, so many. Counts, facets, orders, groups and variety are over that
set, no more and no less.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from app.domain.errors import InvalidRequest
from app.domain.facets import Facet, path_of
from app.domain.jsontext import check_text
from app.domain.records import Json
from app.domain.windows import Window

MAX_KEYS = 8
MAX_BOOSTS = 16
MAX_GROUP_SIZE = 100
GROUP_SIZE = 3
MAX_VARIED = 2000
"""Candidates that maximal marginal relevance is computed over at most: its work grows with their number times `k`."""
VARIED_PER_RANK = 5
_LARGEST_WEIGHT = 1e6
DISTANCE, ID = ("_distance",), ("_id",)


@dataclass(frozen=True, slots=True)
class SortKey:
    """A field to sort by: its path, or `DISTANCE`, or `ID`."""

    path: tuple[str, ...]
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Boost:
    """A boost is added to or taken off a record's distance.

    With a `filter`: `weight` is added to the distance of what does not match; its size is added to that of what
    matches where it is negative. With a `path`: the field's number, times `weight`, is taken off; a record that has no
    number there keeps its distance.
    """

    weight: float
    filter: Json = None
    path: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Refinement:
    """A refinement asks more than the nearest records.

    Attributes:
        candidates: the qualified set ends after so many of the nearest records; None: it does not.
        count: whether the size of the qualified set is answered.
        facets: fields whose values are counted over the qualified set.
        sort: the order of the qualified set, the first key first; empty: by distance.
        boosts: what is added to distances before records are put in order.
        diversity: 0 (nearest first) to 1 (as different as can be); None: not asked.
        group_size: records that each group is answered with; None: no groups.
        page_token: the token of the page before; empty: the first of such pages; None: no such pages.

    """

    candidates: int | None = None
    count: bool = False
    facets: tuple[Facet, ...] = ()
    sort: tuple[SortKey, ...] = ()
    boosts: tuple[Boost, ...] = ()
    diversity: float | None = None
    group_size: int | None = None
    page_token: str | None = None

    @property
    def arranged(self) -> bool:
        """True if the records are answered in another order than that of the index, or from a place in it."""
        return bool(self.sort or self.boosts) or self.page_token is not None

    @property
    def asked(self) -> bool:
        """True if anything is asked beside the nearest records."""
        return self != NOTHING

    def pool(self, window: Window) -> int:
        """Return the number of nearest records that variety is looked for among.

        Raises:
            InvalidRequest: it is not given, too large, or less than the window reaches.

        """
        if window.k is None and self.candidates is None:
            raise InvalidRequest("diversity: needs k, or candidates: the number of nearest records to choose from")
        wanted = self.candidates or min(MAX_VARIED, VARIED_PER_RANK * (window.k or 1))
        if wanted > MAX_VARIED:
            raise InvalidRequest(f"candidates: with diversity at most {MAX_VARIED}")
        if window.k is not None and window.end > wanted:
            raise InvalidRequest(
                f"diversity: orders the {wanted} nearest records, and from + k is {window.end}; give more candidates,"
                f" at most {MAX_VARIED}"
            )
        return wanted

    def check(self, *, likeness: bool, radius: bool, product_field: str | None, window: Window, most: int) -> None:
        """Check that what is asked goes together, before anything is looked up.

        Args:
            likeness: whether anything is looked for.
            radius: whether there is a radius.
            product_field: the field of the products that are answered; None: every record is.
            window: the ranks that are answered.
            most: candidates that a cutoff may keep at most.

        Raises:
            InvalidRequest: it does not; the message names the parameter.

        """
        if not likeness and any(key.path == DISTANCE for key in self.sort):
            raise InvalidRequest("sort: find has no query record, and so no _distance")
        if self.candidates is not None and self.candidates > most:
            raise InvalidRequest(f"candidates: at most {most}")
        if self.sort and likeness and not radius and self.candidates is None:
            raise InvalidRequest(
                "sort: sorts what a cutoff keeps, so give a radius, or candidates (the number of nearest records)"
            )
        if self.group_size is not None and product_field is None:
            raise InvalidRequest("groups: needs group_by, the name of the field to group by")
        others = [name for name in ("sort", "boost") if (self.sort if name == "sort" else self.boosts)]
        if self.diversity is not None:
            others.append("diversity")
        if len(others) > 1:
            raise InvalidRequest(f"{others[1]}: puts the records in an order of its own, and so does {others[0]}")
        if self.diversity is not None:
            self.pool(window)
        if self.page_token is not None:
            self._check_pages(window)

    def _check_pages(self, window: Window) -> None:
        if self.diversity is not None or self.candidates is not None:
            other = "diversity" if self.diversity is not None else "candidates"
            raise InvalidRequest(
                f"page_token: pages of {other} move when others insert, as these depend on all records; use from"
            )
        if window.offset:
            raise InvalidRequest("page_token: stands in place of from; leave one of them out")
        if window.k == 0:
            raise InvalidRequest("page_token: a page has at least one record; ask for more than 0")


NOTHING = Refinement()


def sort_of(given: Json) -> tuple[SortKey, ...]:
    """Read the parameter `sort`: a list of objects of one field each, with 1 (ascending) or -1 (descending).

    Raises:
        InvalidRequest: it is not one; the message names the place.

    """
    keys: list[SortKey] = []
    for number, one in enumerate(_list(given, "sort", MAX_KEYS)):
        place = f"sort[{number}]"
        if not isinstance(one, dict) or len(one) != 1:
            raise InvalidRequest(f'{place}: must be an object of one field, as in {{"price": 1}}')
        [(name, direction)] = one.items()
        if isinstance(direction, bool) or direction not in (1, -1):
            raise InvalidRequest(f"{place}: the direction must be 1 (ascending) or -1 (descending)")
        path = (name,) if (name,) in {DISTANCE, ID} else path_of(name, place)
        if any(key.path == path for key in keys):
            raise InvalidRequest(f"{place}: a key of the field {name[:60]!r} stands before it")
        keys.append(SortKey(path, direction == -1))
    return tuple(keys)


def boosts_of(given: Json) -> tuple[Boost, ...]:
    """Read the parameter `boost`: a list of `{"filter", "weight"}` and `{"field", "factor"}`.

    Raises:
        InvalidRequest: it is not one; the message names the place.

    """
    return tuple(_boost(one, f"boost[{number}]") for number, one in enumerate(_list(given, "boost", MAX_BOOSTS)))


def _boost(given: Json, place: str) -> Boost:
    if not isinstance(given, dict) or given.keys() not in ({"filter", "weight"}, {"field", "factor"}):
        raise InvalidRequest(f"{place}: must be an object with filter and weight, or with field and factor")
    if "filter" in given:
        if not isinstance(given["filter"], dict) or not given["filter"]:
            raise InvalidRequest(f"{place}.filter: must be a filter that is not empty")
        return Boost(_weight(given["weight"], f"{place}.weight"), filter=given["filter"])
    return Boost(_weight(given["factor"], f"{place}.factor"), path=path_of(given["field"], f"{place}.field"))


def _weight(given: Json, place: str) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float | Decimal):
        raise InvalidRequest(f"{place}: must be a number")
    weight = float(given)
    if not abs(weight) <= _LARGEST_WEIGHT or weight == 0:
        raise InvalidRequest(f"{place}: must be a number from -1,000,000 to 1,000,000, and not 0")
    return weight


def _list(given: Json, name: str, most: int) -> Sequence[Json]:
    if not isinstance(given, list) or not given:
        raise InvalidRequest(f"{name}: must be a list, not empty")
    if len(given) > most:
        raise InvalidRequest(f"{name}: at most {most} in one request; there are {len(given)}")
    return given


def token_of(given: Json) -> str:
    """Read the parameter `page_token`: the token of an answer, or an empty string for the first page.

    Raises:
        InvalidRequest: it is no string.

    """
    if not isinstance(given, str):
        raise InvalidRequest('page_token: must be a string: "" for the first page, then that of the answer before')
    check_text(given, "page_token")
    return given
