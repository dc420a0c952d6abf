"""Orders, groups and counts over a qualified set in plain Python, from their definition and from nothing of `app`."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from operator import itemgetter
from typing import Any

from tests.db import facets_reference as facets

Json = Any
_RANKS = {"str": 2, "bool": 3, "dict": 4, "list": 5}


@dataclass(frozen=True)
class Row:
    """A record of the set: its id, attributes and distance. `known` holds what it was sorted by before."""

    id: str
    record: Json
    distance: float
    known: dict[tuple[str, int], Any] = field(default_factory=dict, compare=False)


def sort_value(row: Row, name: str, direction: int) -> tuple[int, Decimal, bytes] | None:
    """Return what a row is sorted by: of several values the first in the direction."""
    if (name, direction) not in row.known:
        keys = [_key(value) for value in facets.values(row.record, name.split(".")).values()]
        row.known[name, direction] = (min if direction == 1 else max)(keys, default=None)
    known: tuple[int, Decimal, bytes] | None = row.known[name, direction]
    return known


def _key(value: Json) -> tuple[int, Decimal, bytes]:
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return 1, Decimal(str(value)), b""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return _RANKS[type(value).__name__], Decimal(0), text.encode()


def ordered(rows: Sequence[Row], sort: Sequence[Mapping[str, int]], boosted: Callable[[Row], float]) -> list[Row]:
    """Return rows by the sort keys, then by their boosted distances, then by id; what has no value comes last."""
    # Sorting keeps the order of equals: from the least important key to the most important one.
    made = sorted(rows, key=lambda row: (boosted(row), row.id))
    for key in reversed(sort):
        [(name, direction)] = key.items()
        pairs = [(_value(row, name, direction), row) for row in made]
        valued = sorted((pair for pair in pairs if pair[0] is not None), key=itemgetter(0), reverse=direction == -1)
        made = [row for _, row in valued] + [row for value, row in pairs if value is None]
    return made


def _value(row: Row, name: str, direction: int) -> Any:
    if name in ("_id", "_distance"):
        return row.id if name == "_id" else row.distance
    return sort_value(row, name, direction)


def boosted(boosts: Sequence[Json], fitting: Sequence[set[str]]) -> Callable[[Row], float]:
    """Return the distance of a row with what the boosts add to it; `fitting` are the ids that each filter matches."""

    def of(row: Row) -> float:
        distance = row.distance
        for boost, ids in zip(boosts, fitting, strict=True):
            if "filter" in boost:
                fits = row.id in ids
                distance += abs(boost["weight"]) if fits == (boost["weight"] < 0) else 0
            else:
                value = sort_value(row, boost["field"], 1)
                distance -= boost["factor"] * float(value[1]) if value is not None and value[0] == 1 else 0
        return distance

    return of


def first_of_each(rows: Sequence[Row], field: str) -> list[Row]:
    """Return the first row of each product; a row without one stands for itself."""
    seen: set[object] = set()
    found = []
    for row in rows:
        product = product_of(row, field)
        if product is None or product not in seen:
            found.append(row)
        seen.add(product)
    return found


def product_of(row: Row, field: str) -> object:
    """Return the product of a row; None where it has none."""
    value = row.record.get(field)
    return None if value is None else facets.key(value)
