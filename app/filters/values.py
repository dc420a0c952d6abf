"""Values in a filter: which are accepted, how exact they stay, and how they are shown in messages and jsonpath."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from app.domain.errors import FilterError
from app.filters.nodes import Comparator, Json, Number, Scalar

MAX_DEPTH = 32
MAX_DIGITS = 4_000
"""Digits on either side of the decimal point. JSONB could hold more; nobody compares with such a number."""

_MAX_BITS = (10**MAX_DIGITS).bit_length()
_TOO_LONG = f"a number may have at most {MAX_DIGITS:,} digits on either side of the point"
_SHOWN = 60
_MAX_INDEX = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Taken:
    """`{TAKE_FROM_QUERY}` stood for any of these values, each of them data whatever it looks like."""

    values: tuple[object, ...]


MARKER = "{TAKE_FROM_QUERY}"


def shown(text: str) -> str:
    """Return a key or value as it may stand in a message: short, printable, encodable."""
    printable = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text[:_SHOWN])
    return printable + ("…" if len(text) > _SHOWN else "")


def kind(value: object) -> str:
    """Name the JSON type of a value, for messages."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    names: dict[type, str] = {
        int: "a number", float: "a number", Decimal: "a number", str: "a string", list: "a list", dict: "an object",
    }  # fmt: skip
    return next((name for type_, name in names.items() if isinstance(value, type_)), "no JSON value")


def unstorable(text: str) -> bool:
    """Tell whether a string cannot occur in JSONB: it holds U+0000 or half of a surrogate pair."""
    return any(c == "\0" or "\ud800" <= c <= "\udfff" for c in text)


def holds_unstorable(value: Json) -> bool:
    """Tell whether such a string is anywhere in the value, so that nothing stored can equal it."""
    if isinstance(value, str):
        return unstorable(value)
    if isinstance(value, list):
        return any(holds_unstorable(item) for item in value)
    if isinstance(value, dict):
        return any(unstorable(key) or holds_unstorable(item) for key, item in value.items())
    return False


def storable_bound(op: Comparator, text: str) -> tuple[Comparator, str]:
    r"""Return a bound that divides the strings that can be stored as `text` divides them.

    A stored string never holds U+0000, so it is below `"ab\0…"` exactly if it is at most `"ab"`; it never holds
    a lone surrogate either, and all characters above the surrogates begin at U+E000.
    """
    for position, character in enumerate(text):
        if character == "\0":
            return ("<=" if op[0] == "<" else ">"), text[:position]
        if "\ud800" <= character <= "\udfff":
            return ("<" if op[0] == "<" else ">="), text[:position] + "\ue000"
    return op, text


def number(value: object, where: str) -> Number:
    """Return an int or a Decimal with exactly the value that was written; floats by their shortest text."""
    if isinstance(value, int) and not isinstance(value, bool):
        if value.bit_length() > _MAX_BITS:
            raise FilterError(_TOO_LONG, where)
        return value
    if isinstance(value, float | Decimal):
        exact = value if isinstance(value, Decimal) else Decimal(repr(value))
        if not exact.is_finite():
            raise FilterError("NaN and Infinity are no JSON numbers", where)
        exponent = exact.as_tuple().exponent
        if isinstance(exponent, int) and (exact.adjusted() >= MAX_DIGITS or exponent < -MAX_DIGITS):
            raise FilterError(_TOO_LONG, where)
        return exact
    raise FilterError(f"expected a number, found {kind(value)}", where)


def is_index(step: str) -> bool:
    """Tell whether a step of a path can be the position of an array element, as well as a key."""
    if not (step.isascii() and step.isdigit() and len(step) <= 10):
        return False
    return str(int(step)) == step and int(step) <= _MAX_INDEX


def whole(value: Number) -> int | None:
    """Return the number as an int if it is a whole one, else None."""
    return int(value) if value == int(value) else None


def data(value: object, where: str, depth: int, *, taken: bool = False) -> Json:
    """Return a value as data, checked to the bottom: no operators are looked for in it.

    Raises FilterError for what is no JSON, too deep, or an unreplaced `{TAKE_FROM_QUERY}` (unless `taken`: a value
    that came out of a record may well look like one).
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        if value == MARKER and not taken:
            raise FilterError(f"{MARKER} can only be a whole operand, in a search that has a query record", where)
        return value
    if depth > MAX_DEPTH and isinstance(value, list | Mapping):
        raise FilterError(f"nested more than {MAX_DEPTH} levels deep", where)
    if isinstance(value, list):
        return [data(item, f"{where}[{i}]", depth + 1, taken=taken) for i, item in enumerate(value)]
    if isinstance(value, Mapping):
        return {
            _key(key, where): data(item, f"{where}.{shown(key)}", depth + 1, taken=taken)
            for key, item in value.items()
        }  # fmt: skip
    return number(value, where)


def _key(key: object, where: str) -> str:
    if not isinstance(key, str):
        raise FilterError("the keys of an object must be strings", where)
    return key


def count(value: Json) -> int:
    """Return how many scalars and containers a value consists of."""
    if isinstance(value, list):
        return 1 + sum(count(item) for item in value)
    if isinstance(value, dict):
        return 1 + sum(count(item) for item in value.values())
    return 1


def literal(value: Scalar | None) -> str:
    """Return a scalar as jsonpath writes it. Strings are quoted, so that whatever they hold is text."""
    if isinstance(value, Decimal):
        return str(value)
    return json.dumps(value, ensure_ascii=False)
