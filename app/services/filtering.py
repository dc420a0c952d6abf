"""From a request's `filter` to a condition on a collection's records."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from app.domain.collections import Collection
from app.domain.errors import FilterError
from app.domain.records import Json
from app.filters import NO_FILTER, TRUE, Node, Where, compile_filter, parse_filter, take_from_query

# The alias of the records in every query that takes a filter.
_ALIAS = "r"


def condition(collection: Collection, filter_: Json, sources: Sequence[Mapping[str, object]] = ()) -> Where:
    """Return a filter as SQL; None and `{}` match every record.

    `{TAKE_FROM_QUERY}` is replaced by the values of `sources`, the query records with what is stored of them. Without
    any the marker stays where it is and is refused: to drop the condition would widen a delete.

    Raises:
        FilterError: MongoDB, too, would refuse the filter; the message names the place.

    """
    return compiled(collection, tree(filled(filter_, sources)))


def filled(filter_: Json, sources: Sequence[Mapping[str, object]]) -> Json:
    """Return a filter with its `{TAKE_FROM_QUERY}` replaced by the values of `sources`, where there are any.

    Raises:
        FilterError: the marker stands where nothing is compared.

    """
    return take_from_query(filter_, sources) if sources else filter_  # type: ignore[return-value]


def compiled(collection: Collection, node: Node, prefix: str = "f") -> Where:
    """Return a filter's tree as SQL; `prefix` begins the names of its parameters."""
    if node == TRUE:
        return NO_FILTER
    return compile_filter(node, indexed_fields=collection.indexed_fields, table=_ALIAS, prefix=prefix)


@contextmanager
def in_boost(number: int) -> Iterator[None]:
    """Name the boost whose filter is read in the errors of this filter.

    Raises:
        FilterError: as it was raised, with the name of the boost.

    """
    try:
        yield
    except FilterError as error:
        raise FilterError(error.message, error.path, f"boost[{number}].filter") from None


def tree(filter_: Json) -> Node:
    """Return a filter's tree.

    Raises:
        FilterError: the filter is not one.

    """
    return TRUE if filter_ is None else parse_filter(filter_)
