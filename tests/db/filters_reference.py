"""A slow, plain matcher for MongoDB's language, written from the rules of its server and from nothing of `app`.

It takes filters that are known to be valid, walks a record the way the server's path iterator does, and answers
match or no match. The differential test compares the SQL with it: unlike mongomock it has no known disagreements
but the two that the project chose (objects compare without regard to the order of keys; `$elemMatch` on documents
looks at objects only, not at arrays inside the array).
"""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

MISSING: Final = object()
Element = Any


def matches(document: dict[str, Any], filter_: dict[str, Any]) -> bool:
    """Tell whether a record satisfies a filter in the field-first form."""
    return all(_entry(document, key, value) for key, value in filter_.items())


def _entry(document: dict[str, Any], key: str, value: Any) -> bool:
    if key == "$and":
        return all(matches(document, part) for part in value)
    if key == "$or":
        return any(matches(document, part) for part in value)
    if key == "$nor":
        return not any(matches(document, part) for part in value)
    steps = key.split(".")
    if _is_operators(value):
        return all(_on_field(document, steps, name, operand, value) for name, operand in value.items())
    return _on_field(document, steps, "$eq", value, {})


def _is_operators(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and next(iter(value)).startswith("$")


def _on_field(document: dict[str, Any], steps: list[str], name: str, operand: Any, siblings: dict[str, Any]) -> bool:
    positive = {"$ne": "$eq", "$nin": "$in"}
    if name in positive:
        return not _on_field(document, steps, positive[name], operand, siblings)
    if name == "$not":
        return not all(_on_field(document, steps, inner, value, operand) for inner, value in operand.items())
    if name == "$exists" and _is_false(operand):
        return not _on_field(document, steps, "$exists", True, siblings)
    if name == "$all":
        return bool(operand) and all(_on_field(document, steps, *_all_item(item), {}) for item in operand)
    expand = name not in ("$size", "$elemMatch")
    return any(_on_element(element, name, operand, siblings) for element in elements(document, steps, expand=expand))


def _all_item(item: Any) -> tuple[str, Any]:
    return ("$elemMatch", item["$elemMatch"]) if _is_operators(item) else ("$eq", item)


def elements(document: dict[str, Any], steps: list[str], *, expand: bool) -> Iterator[Element]:
    """Yield what a path leads to: MISSING included, leaf arrays with their elements if `expand`."""
    value: Any = document
    for position, step in enumerate(steps):
        value = value.get(step, MISSING)
        if isinstance(value, list):
            yield from _in_array(value, steps[position + 1 :], expand=expand)
            return
        if not isinstance(value, dict) and position + 1 < len(steps):
            yield MISSING
            return
        if value is MISSING:
            break
    yield value


def _in_array(array: list[Any], rest: list[str], *, expand: bool) -> Iterator[Element]:
    if not rest:
        if expand:
            yield from array
        yield array
        return
    for position, item in enumerate(array):
        if isinstance(item, dict):
            yield from elements(item, rest, expand=expand)
        if rest[0] == str(position):
            if len(rest) == 1:
                yield item
            elif isinstance(item, dict):
                yield from elements(item, rest[1:], expand=expand)
            elif isinstance(item, list):
                yield from _in_array(item, rest[1:], expand=expand)


def _on_element(element: Element, name: str, operand: Any, siblings: dict[str, Any]) -> bool:
    if name in ("$ne", "$nin", "$not", "$all") or (name == "$exists" and _is_false(operand)):
        return _composed(element, name, operand, siblings)
    tests = {"$eq": _eq, "$in": _in, "$type": _type, "$size": _size, "$elemMatch": _elem_match, "$mod": _mod}
    if name in tests:
        return tests[name](element, operand)
    if name == "$exists":
        return element is not MISSING
    if name == "$options":
        return True
    if name == "$regex":
        return isinstance(element, str) and _regex(element, operand, siblings.get("$options", ""))
    return _range(element, name, operand)


def _composed(element: Element, name: str, operand: Any, siblings: dict[str, Any]) -> bool:
    """The operators of `$elemMatch` that are made of others."""
    if name == "$all":
        return bool(operand) and all(_on_element(element, *_all_item(item), {}) for item in operand)
    if name == "$not":
        return not all(_on_element(element, inner, value, operand) for inner, value in operand.items())
    if name == "$exists":
        return element is MISSING
    return not _on_element(element, {"$ne": "$eq", "$nin": "$in"}[name], operand, siblings)


def _is_false(operand: Any) -> bool:
    return operand is None or (type_of(operand) in ("bool", "number") and operand == 0)


def type_of(value: Any) -> str:
    """Name MongoDB's type, all numbers as one."""
    if isinstance(value, bool):
        return "bool"
    names = {dict: "object", list: "array", str: "string", type(None): "null"}
    return names.get(type(value), "missing" if value is MISSING else "number")


def _eq(element: Element, operand: Any) -> bool:
    if operand is None:
        return element is None or element is MISSING
    if type_of(element) != type_of(operand):
        return False
    if isinstance(operand, list):
        return len(element) == len(operand) and all(_same(a, b) for a, b in zip(element, operand, strict=True))
    if isinstance(operand, dict):
        return element.keys() == operand.keys() and all(_same(element[key], operand[key]) for key in operand)
    return bool(_exact(element) == _exact(operand))


def _exact(value: Any) -> Any:
    """A float is the number that its shortest text says, as in the JSON that carries it."""
    return Decimal(repr(value)) if isinstance(value, float) else value


def _same(a: Any, b: Any) -> bool:
    return a is None if b is None else _eq(a, b)


def _in(element: Element, operand: list[Any]) -> bool:
    return any(_eq(element, choice) for choice in operand)


def _range(element: Element, name: str, operand: Any) -> bool:
    if operand is None:
        return name in ("$gte", "$lte") and _eq(element, None)
    if type_of(element) != type_of(operand):
        return False
    element, operand = _exact(element), _exact(operand)
    if name == "$gt":
        return bool(element > operand)
    if name == "$gte":
        return bool(element >= operand)
    return bool(element < operand) if name == "$lt" else bool(element <= operand)


def _type(element: Element, operand: Any) -> bool:
    names = operand if isinstance(operand, list) else [operand]
    codes = {1: "double", 2: "string", 3: "object", 4: "array", 8: "bool", 10: "null", 16: "int", 18: "long"}
    wanted = {codes.get(name, name) if not isinstance(name, str) else name for name in names}
    kinds = {type_of(element)}
    if kinds == {"number"}:
        whole = element == int(element) and -(2**63) <= element < 2**63
        kinds.add(("int" if -(2**31) <= element < 2**31 else "long") if whole else "double")
    return bool(kinds & wanted)


def _size(element: Element, operand: Any) -> bool:
    return isinstance(element, list) and len(element) == operand


def _mod(element: Element, operand: list[Any]) -> bool:
    divisor, remainder = int(operand[0]), int(operand[1])
    if type_of(element) != "number":
        return False
    whole = int(element)
    if not -(2**63) <= whole < 2**63:
        return False
    left = abs(whole) % abs(divisor)
    return (left if whole >= 0 else -left) == remainder


def _elem_match(element: Element, operand: dict[str, Any]) -> bool:
    if not isinstance(element, list):
        return False
    if _is_operators(operand) and next(iter(operand)) not in ("$and", "$or", "$nor"):
        return any(all(_on_element(item, name, value, operand) for name, value in operand.items()) for item in element)
    return any(isinstance(item, dict) and matches(item, operand) for item in element)


def _regex(element: str, pattern: str, options: str) -> bool:
    flags = re.ASCII if "i" not in options else re.IGNORECASE
    for letter, flag in (("m", re.MULTILINE), ("s", re.DOTALL), ("x", re.VERBOSE)):
        flags |= flag if letter in options else 0
    return re.search(pattern, element, flags) is not None
