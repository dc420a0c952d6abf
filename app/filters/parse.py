"""JSON → nodes: the shape of a filter, its limits, and the place of every error."""

from collections.abc import Mapping

from app.domain.errors import FilterError
from app.filters import values
from app.filters.nodes import Json, Node, Path, conj, negate
from app.filters.operands import Place, equals, is_operator_object
from app.filters.operators import OPERATORS, is_value_form
from app.filters.values import MARKER, MAX_DEPTH, Taken, kind, shown

MAX_CONDITIONS = 1_000
MAX_VALUES = 20_000
"""Scalars and containers of data in all operands of one filter."""
MAX_STEPS = 32
"""Steps of a dotted field name."""
MAX_NUMERIC_STEPS = 6
"""Steps of a dotted field name that may be an index as well as a key: each doubles the ways through a record."""


def parse_filter(filter_: object) -> Node:
    """Return the tree of a filter.

    `filter_` is what a JSON parser returned: dict, list, str, int of any size, float or (exact) Decimal, bool, None;
    and `Taken` where `take_from_query` put one. Raises FilterError, with the path to the place, for whatever MongoDB
    would refuse too, for what is out of limits, and for the few things docs/filters.md lists as not supported.
    """
    return _Parser().filter(filter_, "$", 0)


class _Parser:
    """Reads one filter and counts what is limited. It is the `Reader` that operands use."""

    def __init__(self) -> None:
        self.conditions = 0
        self.values = 0

    def filter(self, source: object, where: str, depth: int) -> Node:
        """Read a filter object: all its entries hold."""
        if not isinstance(source, dict):
            raise FilterError(f"a filter is an object, found {kind(source)}", where)
        if not source:
            self._count(where)
        return conj(self._entries(source, where, depth))

    def filters(self, source: object, where: str, depth: int) -> list[Node]:
        """Read the list of `$and`, `$or`, `$nor`."""
        if not isinstance(source, list) or not source:
            found = "an empty one" if source == [] else kind(source)
            raise FilterError(f"needs a non-empty list of filters, found {found}", where)
        return [self.filter(item, f"{where}[{i}]", depth) for i, item in enumerate(source)]

    def _entries(self, source: dict[str, object], where: str, depth: int) -> list[Node]:
        """Read the entries of a filter object, each of which is one condition of the conjunction.

        Operator-first entries are brought into the field-first form before they are read: all operators that name
        a field in front of it make up that field's object of operators.
        """
        if depth > MAX_DEPTH:
            raise FilterError(f"nested more than {MAX_DEPTH} levels deep", where)
        nodes: list[Node] = []
        fields: dict[str, dict[str, object]] = {}
        for key, operand in source.items():
            place = f"{where}.{shown(self._key(key, where))}"
            if not key.startswith("$"):
                nodes.append(self._field(key, operand, place, depth))
            elif key not in OPERATORS:
                raise FilterError("unknown operator", place)
            elif OPERATORS[key].level == "filter":
                nodes.append(OPERATORS[key].build(self, Place((), place, depth, source), operand))
            else:
                nodes.extend(self._in_front(key, operand, place, depth, fields))
        for field, operators in fields.items():
            nodes.append(self.operators(self._path(field, where), operators, where, depth + 1, first=field))
        return nodes

    def _in_front(
        self, name: str, operand: object, where: str, depth: int, fields: dict[str, dict[str, object]]
    ) -> list[Node]:
        """Sort an operator-first entry into `fields`. What `$not` has in front of operators comes back as nodes."""
        if not isinstance(operand, dict) or not operand:
            example = f'{{"{name}": {{"price": …}}}}'
            raise FilterError(f"an operator in front of fields needs an object of them, as in {example}", where)
        inner: dict[str, object] = {}
        for key, value in operand.items():
            if not self._key(key, where).startswith("$"):
                fields.setdefault(key, {})[name] = value
            elif name == "$not":
                inner[key] = value
            else:
                raise FilterError("expected the name of a field", f"{where}.{shown(key)}")
        return [negate(node) for node in self._entries(inner, where, depth + 1)] if inner else []

    def _field(self, key: str, operand: object, where: str, depth: int) -> Node:
        """Read a field's entry: an object of operators, or data that the field must equal."""
        path = self._path(key, where)
        if is_operator_object(operand) and isinstance(operand, dict):
            return self.operators(path, operand, where, depth + 1)
        self._count(where)
        return equals(self, Place(path, where, depth + 1, {}), operand)

    def operators(
        self, path: Path, source: Mapping[str, object], where: str, depth: int, *, first: str | None = None
    ) -> Node:
        """Read an object of operators about one field: all of them hold. `first`: the field stood behind them."""
        if depth > MAX_DEPTH:
            raise FilterError(f"nested more than {MAX_DEPTH} levels deep", where)
        nodes: list[Node] = []
        for name, operand in source.items():
            place = f"{where}.{shown(self._key(name, where))}" + (f".{shown(first)}" if first is not None else "")
            row = OPERATORS.get(name)
            if row is None:
                known = "unknown operator" if name.startswith("$") else "a field cannot stand beside operators"
                raise FilterError(known, place)
            if row.level == "filter":
                raise FilterError("joins filters and cannot stand under a field", place)
            self._count(place)
            nodes.append(row.build(self, Place(path, place, depth, source), operand))
        return conj(nodes)

    def element(self, source: Mapping[str, object], where: str, depth: int) -> tuple[Node, bool]:
        """Read the operand of `$elemMatch`."""
        if is_value_form(source):
            return self.operators((), source, where, depth), False
        return self.filter(source, where, depth), True

    def data(self, value: object, where: str, depth: int, *, taken: bool = False) -> Json:
        """Read a value as data and count what it is made of."""
        found = values.data(value, where, depth, taken=taken)
        self.values += values.count(found)
        if self.values > MAX_VALUES:
            raise FilterError(f"more than {MAX_VALUES:,} values in one filter", where)
        return found

    def _count(self, where: str) -> None:
        self.conditions += 1
        if self.conditions > MAX_CONDITIONS:
            raise FilterError(f"more than {MAX_CONDITIONS:,} conditions in one filter", where)

    @staticmethod
    def _key(key: object, where: str) -> str:
        if not isinstance(key, str):
            raise FilterError("the keys of a filter must be strings", where)
        return key

    @staticmethod
    def _path(key: str, where: str) -> Path:
        steps = tuple(key.split("."))
        if len(steps) > MAX_STEPS:
            raise FilterError(f"a field name may have at most {MAX_STEPS} steps", where)
        if sum(step.isdigit() for step in steps) > MAX_NUMERIC_STEPS:
            raise FilterError(f"a field name may have at most {MAX_NUMERIC_STEPS} numeric steps", where)
        return steps


__all__ = ["MARKER", "MAX_CONDITIONS", "Taken", "parse_filter"]
