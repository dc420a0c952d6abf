"""The form of a case of the filter language."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SHAPES = ("scalar", "array", "missing", "null", "wrong type", "under $not")
"""The hard parts that every operator has cases of."""


@dataclass(frozen=True, slots=True)
class FilterCase:
    """A filter, some records, and the positions of those that match. A record's `_id`, if any, is its id."""

    id: str
    operator: str
    shape: str
    msg: str
    filter: Mapping[str, Any]
    documents: tuple[Mapping[str, Any], ...]
    expected: frozenset[int]


def case(
    name: str,
    operator: str,
    shape: str,
    msg: str,
    filter_: dict[str, Any],
    documents: list[dict[str, Any]],
    expected: set[int],
) -> FilterCase:
    """Write down a case in the order in which it is read."""
    return FilterCase(name, operator, shape, msg, filter_, tuple(documents), frozenset(expected))


@dataclass(frozen=True, slots=True)
class RefusedCase:
    """A filter that must be refused, the place its error names, and words of the message."""

    id: str
    filter: Any
    path: str
    words: str
