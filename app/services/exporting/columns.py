"""Columns of a table that records are written to: one for each attribute, of the type that its values have.

A value without a place in its column (an explicit null, text among numbers, a number with more digits than the type
holds) stands in the column `_attributes`, a JSON object, so that nothing is lost: an import takes what stands there for
the record's attributes, too.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Literal, TypeGuard

from app.db.exporting import Kind
from app.domain.records import Json
from app.services.importing.entries import REST

Type = Literal["integer", "number", "boolean", "string", "strings", "json"]

# Attributes beyond these, the rarest, stand in `_attributes`: readers of tables are slow with more.
MOST_COLUMNS = 500
# A column has the type of its values where so many of them have it, and is JSON else.
_SHARE = 0.95
_RESERVED = frozenset({"_id", "_box", "_embedding", "_base64", REST})


@dataclass(frozen=True, slots=True)
class Column:
    """A column holds the values of one top-level attribute."""

    name: str
    type: Type

    def fits(self, value: Json) -> bool:
        """Say whether a value has its place in the column without loss; null has none."""
        return value is not None and _FITS[self.type](value)


def _is_number(value: Json) -> TypeGuard[int | float | Decimal]:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _is_double(value: Json) -> bool:
    """Say whether a value is a number all of whose digits a double has."""
    if not _is_number(value):
        return False
    try:
        double = float(value)
    except OverflowError:
        return False
    return math.isfinite(double) and (isinstance(value, float) or Decimal(repr(double)) == Decimal(value))


_FITS: Mapping[Type, Callable[[Json], bool]] = MappingProxyType(
    {
        "integer": lambda value: _is_number(value) and -(2**63) <= value < 2**63 and value == int(value),
        "number": _is_double,
        "boolean": lambda value: isinstance(value, bool),
        "string": lambda value: isinstance(value, str),
        "strings": lambda value: isinstance(value, list) and all(isinstance(one, str) for one in value),
        "json": lambda _: True,
    }
)


def columns_of(kinds: Iterable[Kind]) -> list[Column]:
    """Return the columns for values of these kinds, in the order of their names."""
    counts: dict[str, dict[str, int]] = {}
    for one in kinds:
        if one.key not in _RESERVED:
            counts.setdefault(one.key, {})[one.kind] = one.count
    found = [Column(key, kind) for key, by_kind in counts.items() if (kind := _type(by_kind)) is not None]
    return sorted(found[:MOST_COLUMNS], key=lambda column: column.name)


def _type(counts: Mapping[str, int]) -> Type | None:
    """Return the type for values of which so many are of each kind; None where there are but nulls."""
    values = {kind: count for kind, count in counts.items() if kind != "null"}
    if not values:
        return None
    numbers = values.pop("integer", 0), values.pop("number", 0)
    if sum(numbers):
        values["number" if numbers[1] else "integer"] = sum(numbers)
    kind, count = max(values.items(), key=lambda item: item[1])
    return kind if count >= _SHARE * sum(values.values()) else "json"  # type: ignore[return-value]  # the query's kinds


def split(record: Mapping[str, Json], columns: Iterable[Column]) -> tuple[list[Json], dict[str, Json]]:
    """Return the values of the columns, None where there is none, and what has no place in them."""
    rest = dict(record)
    values: list[Json] = []
    for column in columns:
        value = record.get(column.name)
        if value is not None and column.fits(value):
            values.append(value)
            del rest[column.name]
        else:
            values.append(None)
    return values, rest
