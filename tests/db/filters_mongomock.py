"""Where mongomock disagrees with MongoDB: each disagreement with its reason, and a test of whether it may show.

mongomock answers what the SQL must answer, but for a list of mistakes of its own. `explained` says, for one filter
and one record, which of them is in play; then mongomock's answer is not asked for. Every rule looks at one
condition: an operator, its operand and what its path leads to in the record.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.db.filters_reference import MISSING, elements, type_of

_LOGIC = ("$and", "$or", "$nor")


@dataclass(frozen=True, slots=True)
class Condition:
    """One operator on one path of one record."""

    document: Mapping[str, Any]
    steps: tuple[str, ...]
    name: str
    operand: Any
    siblings: Mapping[str, Any]
    explicit: bool = True
    """False for `{field: value}`."""
    negated: bool = False
    """Whether it stands under a `$not`."""

    @property
    def fields(self) -> list[Any]:
        """What the path leads to, arrays whole."""
        return list(elements(dict(self.document), list(self.steps), expand=False))

    @property
    def several(self) -> bool:
        """Whether the path leads through an array, to other than exactly one field."""
        return len(self.fields) != 1

    @property
    def on_the_way(self) -> list[Any]:
        """All values before the last step of the path."""
        found: list[Any] = []
        for length in range(1, len(self.steps)):
            found.extend(elements(dict(self.document), list(self.steps[:length]), expand=False))
        return found


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    else:
        yield value


def _mixes_numbers_and_booleans(c: Condition) -> bool:
    if c.name not in ("$eq", "$ne", "$in", "$nin", "$all"):
        return False
    kinds = [{(type_of(v), int(v)) for v in _leaves(side) if v in (0, 1)} for side in (c.operand, c.document)]
    return any((other, value) in kinds[1] for kind, value in kinds[0] for other in {"bool", "number"} - {kind})


def _ends_early(c: Condition) -> bool:
    return any(not isinstance(value, dict | list) and value is not MISSING for value in c.on_the_way)


def _leads_nowhere(c: Condition) -> bool:
    return not c.fields and (c.name == "$not" or (c.name == "$exists" and not c.operand and len(c.siblings) > 1))


def _by_position(c: Condition) -> bool:
    return any(step.isdigit() for step in c.steps[1:]) and any(isinstance(value, list) for value in c.on_the_way)


def _one_for_all(c: Condition) -> bool:
    return c.several and (len(c.siblings) > 1 or (c.name == "$exists" and not c.operand))


def _array_as_element(c: Condition) -> bool:
    if c.name not in ("$eq", "$ne") or not c.explicit or not isinstance(c.operand, list):
        return False
    return any(isinstance(item, list) for value in c.fields if isinstance(value, list) for item in value)


def _array_as_choice(c: Condition) -> bool:
    has_list = c.name in ("$in", "$nin") and any(isinstance(choice, list) for choice in c.operand)
    return has_list and any(isinstance(value, list) for value in c.fields)


def _empty_object(c: Condition) -> bool:
    return not c.explicit and c.operand == {} and all(value is MISSING for value in c.fields)


def _all(c: Condition) -> bool:
    if c.name != "$all":
        return False
    if not c.operand or c.several or len(c.siblings) > 1:
        return True
    field = c.fields[0]
    if isinstance(field, list):
        return any(isinstance(item, list) for item in c.operand)
    return (field is MISSING and None in c.operand) or any(_is_elem_match(item) for item in c.operand)


def _is_elem_match(item: Any) -> bool:
    return isinstance(item, dict) and "$elemMatch" in item


def _size(c: Condition) -> bool:
    values = [value for value in c.fields if value is not MISSING and not isinstance(value, list)]
    return c.name == "$size" and any(isinstance(value, dict) or bool(value) for value in values)


def _numbers_by_kind(c: Condition) -> bool:
    if c.name != "$type" or c.operand not in ("int", "long", "double"):
        return False
    numbers = [v for v in elements(dict(c.document), list(c.steps), expand=True) if type_of(v) == "number"]
    return any(v == int(v) if isinstance(v, float) else abs(v) >= 2**31 for v in numbers)


def _null_bound(c: Condition) -> bool:
    return c.name in ("$gte", "$lte") and c.operand is None and any(value is MISSING for value in c.fields)


def _options_negated(c: Condition) -> bool:
    return c.negated and c.name == "$options"


def _value_form(operand: Mapping[str, Any]) -> bool:
    return next(iter(operand), "").startswith("$") and next(iter(operand)) not in _LOGIC


def _elem_match_elements(c: Condition) -> bool:
    if c.name != "$elemMatch":
        return False
    items = [item for value in c.fields if isinstance(value, list) for item in value]
    if _value_form(c.operand):
        return any(isinstance(item, list) for item in items)
    return any(not isinstance(item, dict) for item in items)


def _elem_match_not(c: Condition) -> bool:
    return c.name == "$elemMatch" and _value_form(c.operand) and "$not" in c.operand


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One way in which mongomock is wrong."""

    name: str
    reason: str
    shows: Callable[[Condition], bool]
    """Whether it may show with a condition; a little too often rather than too seldom."""
    filter: dict[str, Any]
    document: dict[str, Any]
    """An example: mongomock is wrong about this filter and record."""


DISAGREEMENTS = (
    Disagreement("booleans", "It compares as Python does, where True == 1 and False == 0; to MongoDB a boolean "
                 "never equals a number.", _mixes_numbers_and_booleans,
                 {"a": 1}, {"a": True}),
    Disagreement("path that ends early", "A path that runs into a scalar yields nothing; in MongoDB the field is "
                 "missing there, so that null equals it and negations hold.", _ends_early,
                 {"a.b": None}, {"a": 5}),
    Disagreement("path that leads nowhere", "Through an empty array, or one without objects, nothing is found and "
                 "the condition is false, even if it is a negation.", _leads_nowhere,
                 {"a.b": {"$not": {"$gt": 1}}}, {"a": []}),
    Disagreement("positions", "A numeric step is a position in an array only, not a key of its documents as well; and "
                 "an array found there is entered, which MongoDB does not do.", _by_position,
                 {"a.0": 5}, {"a": [1, {"0": 5}]}),
    Disagreement("several fields", "Several operators on a path through an array must be met by the same field; in "
                 "MongoDB by any. `$exists: false` holds if one document lacks the field.", _one_for_all,
                 {"a.b": {"$gt": 5, "$lt": 3}}, {"a": [{"b": 1}, {"b": 9}]}),
    Disagreement("array as element", "With a list as operand, `$eq` and `$ne` compare the whole array and do not look "
                 "for the list among its elements.", _array_as_element,
                 {"a": {"$eq": [1]}}, {"a": [[1], 2]}),
    Disagreement("array as choice", "`$in` and `$nin` do not compare a whole array with a choice.", _array_as_choice,
                 {"a": {"$in": [[1, 2]]}}, {"a": [1, 2]}),
    Disagreement("empty object", "`{field: {}}` also matches where the field is missing.", _empty_object,
                 {"a": {}}, {}),
    Disagreement("$all", "`[]` matches everything; null is not found where the field is missing, nor a whole array; a "
                 "scalar is taken for an array by `$elemMatch` in it; paths through arrays and operators beside fail.",
                 _all, {"a": {"$all": []}}, {"a": 1}),
    Disagreement("$size", "A scalar has the size 1 and an object that of its keys.", _size,
                 {"a": {"$size": 1}}, {"a": 5}),
    Disagreement("kinds of number", "Kinds are Python's types: 5.0 is no int, and int has 32 bits without the sign. "
                 "Ours go by value (docs/filters.md).", _numbers_by_kind,
                 {"a": {"$type": "int"}}, {"a": 2.0}),
    Disagreement("null bounds", "`$gte` and `$lte` with null do not match a missing field.", _null_bound,
                 {"a": {"$gte": None}}, {}),
    Disagreement("$options under $not", "Refused as an unknown operator.", _options_negated,
                 {"a": {"$not": {"$regex": "x", "$options": "i"}}}, {"a": "X"}),
    Disagreement("elements of $elemMatch", "Operators enter an array inside the array; a filter is asked of scalars "
                 "and arrays too, whose fields are all missing.", _elem_match_elements,
                 {"a": {"$elemMatch": {"$gt": 5}}}, {"a": [[7]]}),
    Disagreement("$not in $elemMatch", "Taken for a condition that always holds.", _elem_match_not,
                 {"a": {"$elemMatch": {"$not": {"$gt": 5}}}}, {"a": [7]}),
)  # fmt: skip


def explained(document: Mapping[str, Any], filter_: Mapping[str, Any]) -> str | None:
    """Return the name of a disagreement that may show with this filter and record, else None."""
    for condition in _conditions(document, filter_):
        for disagreement in DISAGREEMENTS:
            if disagreement.shows(condition):
                return disagreement.name
    return None


def _conditions(document: Mapping[str, Any], filter_: Mapping[str, Any]) -> Iterator[Condition]:
    """Yield every condition of a filter with the document it is about."""
    for key, value in filter_.items():
        if key in _LOGIC:
            for part in value:
                yield from _conditions(document, part)
        elif isinstance(value, dict) and next(iter(value), "").startswith("$"):
            yield from _operators(document, tuple(key.split(".")), value, negated=False)
        else:
            yield Condition(document, tuple(key.split(".")), "$eq", value, {}, explicit=False)


def _operators(
    document: Mapping[str, Any], steps: tuple[str, ...], source: Mapping[str, Any], *, negated: bool
) -> Iterator[Condition]:
    for name, operand in source.items():
        condition = Condition(document, steps, name, operand, source, negated=negated)
        yield condition
        if name == "$not":
            yield from _operators(document, steps, operand, negated=True)
        if name == "$all":
            for item in operand:
                yield from _operators(document, steps, item, negated=False) if _is_elem_match(item) else ()
        if name == "$elemMatch":
            for item in (item for value in condition.fields if isinstance(value, list) for item in value):
                if _value_form(operand):
                    yield from _operators({"field": item}, ("field",), operand, negated=False)
                elif isinstance(item, dict):
                    yield from _conditions(item, operand)
