"""From an operator's operand to a node: one function a row of the operator table, each with its own refusals.

Each function has the shape `Build`: it gets the parser (for operands that hold filters themselves), the place the
operator was met at, and the operand as it came. It returns a node or raises FilterError.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from app.domain.errors import FilterError
from app.filters.nodes import (
    FALSE,
    TRUE,
    Comparator,
    Compare,
    ElemMatch,
    Equals,
    Exists,
    Json,
    JsonType,
    Mod,
    Node,
    OfType,
    OneOf,
    Path,
    Regex,
    Scalar,
    Size,
    conj,
    disj,
    negate,
)
from app.filters.regex import RegexRefused, translate
from app.filters.values import Taken, holds_unstorable, kind, number, storable_bound, unstorable, whole

MAX_CHOICES = 10_000
"""Values in one list of `$in`, `$nin` or `$all`."""

_INT32 = 2**31
_INT64 = 2**63

# JSON has one type of number. `int`, `long` and `double` ask for its value: see docs/filters.md. Types that JSON
# cannot hold are known by name and code, as to MongoDB, and no value is of such a type.
TYPES: dict[str, tuple[int, frozenset[JsonType]]] = {
    "double": (1, frozenset({"double"})),
    "string": (2, frozenset({"string"})),
    "object": (3, frozenset({"object"})),
    "array": (4, frozenset({"array"})),
    "binData": (5, frozenset()),
    "undefined": (6, frozenset()),
    "objectId": (7, frozenset()),
    "bool": (8, frozenset({"boolean"})),
    "date": (9, frozenset()),
    "null": (10, frozenset({"null"})),
    "regex": (11, frozenset()),
    "dbPointer": (12, frozenset()),
    "javascript": (13, frozenset()),
    "symbol": (14, frozenset()),
    "javascriptWithScope": (15, frozenset()),
    "int": (16, frozenset({"int"})),
    "timestamp": (17, frozenset()),
    "long": (18, frozenset({"long"})),
    "decimal": (19, frozenset()),
    "minKey": (-1, frozenset()),
    "maxKey": (127, frozenset()),
}
_TYPES_BY_CODE = dict(TYPES.values())


@dataclass(frozen=True, slots=True)
class Place:
    """An operator stands in a place: the field it is about, and what its error message points at."""

    path: Path
    where: str
    depth: int
    siblings: Mapping[str, object]
    """The operator document it stands in: `$regex` and `$options` find each other there."""


class Reader(Protocol):
    """A parser gives operands what they may need of it."""

    def data(self, value: object, where: str, depth: int, *, taken: bool = False) -> Json:
        """Read a value as data."""

    def operators(self, path: Path, source: Mapping[str, object], where: str, depth: int) -> Node:
        """Read an object of operators about one field."""

    def filters(self, source: object, where: str, depth: int) -> list[Node]:
        """Read a non-empty list of filter objects."""

    def element(self, source: Mapping[str, object], where: str, depth: int) -> tuple[Node, bool]:
        """Read what `$elemMatch` asks of one element, and whether that element is a document."""


Build: TypeAlias = Callable[[Reader, Place, object], Node]


def is_operator_object(value: object) -> bool:
    """Tell whether an object holds operators (its first key starts with `$`) rather than data."""
    return isinstance(value, Mapping) and str(next(iter(value), "")).startswith("$")


def equals(reader: Reader, place: Place, operand: object) -> Node:
    """`$eq`: the operand is data, even if it looks like an operator."""
    return disj(_equal(place.path, value) for value in _values(reader, place, operand))


def differs(reader: Reader, place: Place, operand: object) -> Node:
    """`$ne`: the complement of `$eq`."""
    return negate(equals(reader, place, operand))


def _values(reader: Reader, place: Place, operand: object) -> list[Json]:
    """Return the operand as data: one value, or those of the query records."""
    if isinstance(operand, Taken):
        return [reader.data(value, place.where, place.depth, taken=True) for value in operand.values]
    return [reader.data(operand, place.where, place.depth)]


def _equal(path: Path, value: Json) -> Node:
    return FALSE if holds_unstorable(value) else Equals(path, value)


def compares(op: Comparator) -> Build:
    """`$lt`, `$lte`, `$gt`, `$gte`: an element of the operand's type beyond it."""

    def build(reader: Reader, place: Place, operand: object) -> Node:
        return disj(_bound(place, op, value) for value in _values(reader, place, operand))

    return build


def _bound(place: Place, op: Comparator, value: Json) -> Node:
    if value is None:  # null equals null and nothing is beyond it
        return Equals(place.path, None) if op in ("<=", ">=") else FALSE
    if isinstance(value, list | dict):
        raise FilterError(
            f"{kind(value)} cannot be the bound of a range: JSON does not keep the order of keys that MongoDB "
            "compares by; use a number, string or boolean",
            place.where,
        )
    if isinstance(value, str):
        return Compare(place.path, *storable_bound(op, value))
    return Compare(place.path, op, value)


def one_of(reader: Reader, place: Place, operand: object) -> Node:
    """`$in`: equal to one of the list."""
    choices = _choices(reader, place, operand)
    scalars: list[Scalar] = []
    others: list[Json] = []
    for value in choices:
        if value is None or isinstance(value, list | dict):
            others.append(value)
        elif not (isinstance(value, str) and unstorable(value)):
            scalars.append(value)
    plain = OneOf(place.path, tuple(scalars)) if scalars else FALSE
    return disj([plain, *(_equal(place.path, value) for value in others)])


def none_of(reader: Reader, place: Place, operand: object) -> Node:
    """`$nin`: the complement of `$in`."""
    return negate(one_of(reader, place, operand))


def _choices(reader: Reader, place: Place, operand: object) -> list[Json]:
    """Return the operand's list as data. A value of a query record stands for itself, or if a list for its items."""
    items: list[tuple[object, bool]] = []
    if isinstance(operand, Taken):
        for value in operand.values:
            items.extend((item, True) for item in (value if isinstance(value, list) else [value]))
    else:
        for item in _list(operand, place):
            items.extend((value, True) for value in item.values) if isinstance(item, Taken) else items.append(
                (item, False)
            )
    _check_length(len(items), place)
    found: list[Json] = []
    for i, (item, taken) in enumerate(items):
        if not taken and is_operator_object(item):
            raise FilterError("a list of values cannot hold operators", f"{place.where}[{i}]")
        found.append(reader.data(item, f"{place.where}[{i}]", place.depth + 1, taken=taken))
    return found


def _list(operand: object, place: Place) -> list[object]:
    if not isinstance(operand, list):
        raise FilterError(f"needs a list, found {kind(operand)}", place.where)
    return operand


def _check_length(length: int, place: Place) -> None:
    if length > MAX_CHOICES:
        raise FilterError(f"a list may have at most {MAX_CHOICES:,} values", place.where)


def exists(reader: Reader, place: Place, operand: object) -> Node:
    """`$exists`: false, 0 and null ask for records without the field, everything else for those with it."""
    reader.data(operand, place.where, place.depth)
    wanted = operand is not None and (isinstance(operand, str | list | dict) or operand != 0)
    return Exists(place.path) if wanted else negate(Exists(place.path))


def of_type(_reader: Reader, place: Place, operand: object) -> Node:
    """`$type`: a name, a code, or a list of them."""
    names = operand if isinstance(operand, list) else [operand]
    if not names:
        raise FilterError("needs at least one type", place.where)
    _check_length(len(names), place)
    types = frozenset(type_ for name in names for type_ in _types(name, place))
    return OfType(place.path, types) if types else FALSE


def _types(name: object, place: Place) -> frozenset[JsonType]:
    if isinstance(name, str):
        if name == "number":
            return frozenset({"number"})
        if name in TYPES:
            return TYPES[name][1]
        raise FilterError("unknown name of a type", place.where)
    code = whole(number(name, place.where))
    if code not in _TYPES_BY_CODE:
        raise FilterError("unknown code of a type", place.where)
    return _TYPES_BY_CODE[code]


def size(_reader: Reader, place: Place, operand: object) -> Node:
    """`$size`: a whole number from 0; ranges of sizes are not part of the language."""
    length = whole(number(operand, place.where))
    if length is None or not 0 <= length < _INT32:
        raise FilterError("needs a whole number from 0 to 2147483647", place.where)
    return Size(place.path, length)


def mod(_reader: Reader, place: Place, operand: object) -> Node:
    """`$mod`: `[divisor, remainder]`, both cut to whole numbers."""
    items = _list(operand, place)
    if len(items) != 2:
        raise FilterError("needs a list of two numbers: [divisor, remainder]", place.where)
    divisor, remainder = (int(number(item, f"{place.where}[{i}]")) for i, item in enumerate(items))
    if not (-_INT64 <= divisor < _INT64 and -_INT64 <= remainder < _INT64):
        raise FilterError("divisor and remainder must fit in 64 bits", place.where)
    if divisor == 0:
        raise FilterError("the divisor cannot be 0", f"{place.where}[0]")
    return Mod(place.path, divisor, remainder)


def regex(reader: Reader, place: Place, operand: object) -> Node:
    """`$regex`, with the `$options` beside it."""
    options = place.siblings.get("$options", "")
    if not isinstance(operand, str):
        raise FilterError(f"needs a string, found {kind(operand)}", place.where)
    if not isinstance(options, str) or not set(options) <= set("imsx"):
        raise FilterError("$options may hold the letters i, m, s and x", place.where)
    reader.data(operand, place.where, place.depth)
    try:
        pattern, ignore_case = translate(operand, options)
    except RegexRefused as error:
        raise FilterError(str(error), place.where) from error
    return Regex(place.path, pattern, ignore_case)


def options(_reader: Reader, place: Place, _operand: object) -> Node:
    """`$options`: read by the `$regex` beside it; adds no condition of its own."""
    if "$regex" not in place.siblings:
        raise FilterError("needs a $regex beside it", place.where)
    return TRUE


def contains_all(reader: Reader, place: Place, operand: object) -> Node:
    """`$all`: `{field: x}` for each x of the list, or an `$elemMatch` for each."""
    if isinstance(operand, Taken):  # the items of one query record, or else those of the next
        return disj(
            _all_equal(reader, place, value if isinstance(value, list) else [value]) for value in operand.values
        )
    items = _list(operand, place)
    _check_length(len(items), place)
    if items and isinstance(items[0], dict) and next(iter(items[0]), "") == "$elemMatch":
        return conj(_all_match(reader, place, items))
    if not items:
        return FALSE
    return conj(_all_items(reader, place, items))


def _all_equal(reader: Reader, place: Place, items: list[object]) -> Node:
    values = [_equal(place.path, reader.data(item, place.where, place.depth + 1, taken=True)) for item in items]
    return conj(values) if values else FALSE


def _all_items(reader: Reader, place: Place, items: list[object]) -> Iterable[Node]:
    for i, item in enumerate(items):
        where = f"{place.where}[{i}]"
        if is_operator_object(item):
            raise FilterError("a list of values cannot hold operators, but for $elemMatch in every item", where)
        yield equals(reader, Place(place.path, where, place.depth + 1, place.siblings), item)


def _all_match(reader: Reader, place: Place, items: list[object]) -> Iterable[Node]:
    for i, item in enumerate(items):
        where = f"{place.where}[{i}]"
        if not isinstance(item, dict) or list(item) != ["$elemMatch"]:
            raise FilterError("either all items are {$elemMatch: …}, and nothing else, or none is", where)
        inner = Place(place.path, f"{where}.$elemMatch", place.depth + 1, item)
        yield elem_match(reader, inner, item["$elemMatch"])


def elem_match(reader: Reader, place: Place, operand: object) -> Node:
    """`$elemMatch`: operators about one element, or a filter about one document in the array."""
    if not isinstance(operand, dict):
        raise FilterError(f"needs an object, found {kind(operand)}", place.where)
    body, documents = reader.element(operand, place.where, place.depth + 1)
    return ElemMatch(place.path, body, documents) if body != FALSE else FALSE


def complement(reader: Reader, place: Place, operand: object) -> Node:
    """`$not`: an object of operators, whose complement is meant."""
    if not is_operator_object(operand) or not isinstance(operand, dict):
        raise FilterError("needs an object of operators, as in {$not: {$gt: 5}}", place.where)
    return negate(reader.operators(place.path, operand, place.where, place.depth + 1))


def every(reader: Reader, place: Place, operand: object) -> Node:
    """`$and`."""
    return conj(reader.filters(operand, place.where, place.depth + 1))


def some(reader: Reader, place: Place, operand: object) -> Node:
    """`$or`."""
    return disj(reader.filters(operand, place.where, place.depth + 1))


def neither(reader: Reader, place: Place, operand: object) -> Node:
    """`$nor`."""
    return negate(disj(reader.filters(operand, place.where, place.depth + 1)))
