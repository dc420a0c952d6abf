"""Facets counted in plain Python, from their definition and from nothing of `app`."""

import bisect
import itertools
import json
import math
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from tests.db.filters_reference import matches

Json = Any


def key(value: Json) -> object:
    """Return what two equal JSON values share: numbers by their value, and true is not 1."""
    if isinstance(value, bool) or value is None:
        return (type(value).__name__, value)
    if isinstance(value, int | float | Decimal):
        return ("number", Decimal(str(value)))
    if isinstance(value, list):
        return ("list", tuple(map(key, value)))
    if isinstance(value, dict):
        return ("object", frozenset((name, key(part)) for name, part in value.items()))
    return ("string", value)


def values(record: Json, path: list[str]) -> dict[object, Json]:
    """Return the single values that a dotted field leads to, each once; nulls are none."""
    return {key(value): value for value in _ends(record, path) if value is not None}


def _ends(value: Json, path: list[str]) -> Iterator[Json]:
    if not path:
        yield from value if isinstance(value, list) else [value]
    elif isinstance(value, dict) and path[0] in value:
        yield from _ends(value[path[0]], path[1:]) if len(path) == 1 else _through(value[path[0]], path[1:])


def _through(value: Json, path: list[str]) -> Iterator[Json]:
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, dict):
            yield from _ends(one, path)


class Reference:
    """Counts over one list of records; what a condition keeps and what a field holds is worked out once each."""

    def __init__(self, records: list[Json]) -> None:
        self.records = records
        self._kept: dict[str, list[bool]] = {}
        self._values: dict[str, list[dict[object, Json]]] = {}
        self._numbers: dict[str, list[tuple[Decimal, int]]] = {}

    def keeps(self, filter_: dict[str, Json]) -> list[bool]:
        """Return for each record whether it matches a filter with one entry a field."""
        columns = [self._column(name, condition) for name, condition in filter_.items()]
        return [all(row) for row in zip(*columns, strict=True)] if columns else [True] * len(self.records)

    def _column(self, name: str, condition: Json) -> list[bool]:
        text = json.dumps([name, condition])
        if text not in self._kept:
            known: dict[str, bool] = {}  # by what a record has at the beginning of the path: few are alike in all
            root = name.split(".", maxsplit=1)[0]
            for record in self.records:
                part = {root: record[root]} if root in record else {}
                if (shape := repr(part)) not in known:
                    known[shape] = matches(part, {name: condition})
                self._kept.setdefault(text, []).append(known[shape])
        return self._kept[text]

    def _of(self, field: str) -> list[dict[object, Json]]:
        if field not in self._values:
            self._values[field] = [values(record, field.split(".")) for record in self.records]
        return self._values[field]

    def numbers(self, field: str, keeps: list[bool]) -> list[tuple[Decimal, int]]:
        """Return the numbers of the records that are kept, ascending, each with the place of its record."""
        if field not in self._numbers:
            found = enumerate(self._of(field))
            self._numbers[field] = sorted((number, place) for place, one in found for number in _numbers(one))
        return [(number, place) for number, place in self._numbers[field] if keeps[place]]

    def counted(
        self, filter_: dict[str, Json], facet: dict[str, Json], among: list[bool] | None = None
    ) -> dict[str, Json]:
        """Return one facet, as the API answers it but for the order of equally frequent values.

        `among` says for each record whether it is in the set that is counted, as far as the filter lets it.

        `values` is by key a pair of count and `selected`; of ranges, a list of such pairs for the given `ends`.
        """
        own = {name: value for name, value in filter_.items() if name == facet["field"]}
        asked = {name: value for name, value in filter_.items() if not (facet.get("exclude_own") and name in own)}
        keeps = self.keeps(asked)
        if among is not None:
            keeps = [kept and inside for kept, inside in zip(keeps, among, strict=True)]
        found = list(itertools.compress(self._of(facet["field"]), keeps))
        missing = sum(not one for one in found)
        if "ranges" in facet or "histogram" in facet:
            numbers = self.numbers(facet["field"], keeps)
            other = len(found) - missing - len({place for _, place in numbers})
            return {"values": _ranges(numbers, own, facet), "other": other, "missing": missing}
        counts = Counter(own_key for one in found for own_key in one)
        spoken = {own_key: value for one in found for own_key, value in one.items()}
        listed = {
            own_key: number
            for own_key, number in counts.items()
            if number >= facet.get("min_count", 1) and _begins(spoken[own_key], facet.get("prefix"))
        }
        return {
            "values": {own_key: (number, _selected(spoken[own_key], own)) for own_key, number in listed.items()},
            "distinct": len(listed),
            "missing": missing,
        }


def _begins(value: Json, prefix: str | None) -> bool:
    return prefix is None or (isinstance(value, str) and value.startswith(prefix))


def _selected(value: Json, own: dict[str, Json]) -> bool:
    if not own:
        return False
    ((name, condition),) = own.items()
    record = value
    for step in reversed(name.split(".")):
        record = {step: record}
    if isinstance(condition, dict) and "$all" in condition:
        condition = {"$in": condition["$all"]}
    return matches(record, {name: condition})


def _numbers(one: dict[object, Json]) -> list[Decimal]:
    return [Decimal(str(value)) for value in one.values() if type(value) in (int, float)]


def _ranges(numbers: list[tuple[Decimal, int]], own: dict[str, Json], facet: dict[str, Json]) -> list[tuple[int, bool]]:
    ends: list[tuple[Decimal | None, Decimal | None]]
    if "ranges" in facet:
        cuts = [None, *(Decimal(str(bound)) for bound in facet["ranges"]), None]
        ends = list(itertools.pairwise(cuts))
    else:
        ends = facet["ends"]
    counts = []
    for place, (low, high) in enumerate(ends):
        last = "histogram" in facet and place == len(ends) - 1
        start = 0 if low is None else bisect.bisect_left(numbers, (low, -1))
        # Below the upper bound; the last range of a histogram holds its bound, too.
        stop = len(numbers) if high is None else bisect.bisect_left(numbers, (high, math.inf if last else -1))
        inside = numbers[start:stop]
        selected = bool(inside) and all(_selected(float(number), own) for number, _ in inside)
        counts.append((len({record for _, record in inside}), selected))
    return counts
