"""JSON in and out without loss: numbers keep every digit, and nothing gets in that PostgreSQL cannot hold."""

import json
import math
import sys
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

from app.domain.errors import InvalidRequest
from app.domain.records import Json

MAX_DEPTH = 64
# A double ends at 1.8e308, and so do the numbers of most programs that will read the record. What is closer to zero
# than this, or has more digits, PostgreSQL would store digit by digit: that is an attack, not a price.
_LEAST_EXPONENT = -400
_MOST_DECIMALS = 1000
_MOST_CHARACTERS = 1400
_GREATEST = Decimal(sys.float_info.max)


def loads(text: bytes | str, what: str = "the request body") -> Json:
    """Parse JSON, with or without a byte order mark. Numbers beyond 64-bit integers become Decimal: no digit is lost.

    Args:
        text: the JSON text; bytes are UTF-8.
        what: names the text in the messages of errors.

    Raises:
        InvalidRequest: it is not JSON, is nested too deep, or holds NaN, Infinity or a number that is out of range;
            the message names the place of such a number, e.g. `records[0].price`.

    """
    try:
        decoded = text.decode() if isinstance(text, bytes) else text
        bare = decoded.removeprefix("\ufeff")
    except UnicodeDecodeError:
        raise InvalidRequest(f"{what} is not UTF-8") from None
    try:
        return _QUICK.decode(bare)  # type: ignore[no-any-return]
    except RecursionError:
        raise InvalidRequest("the JSON is nested too deep") from None
    except json.JSONDecodeError as error:
        raise InvalidRequest(f"{what} is not JSON: {error.msg}, at character {error.pos}") from None
    except _OutOfRange:
        raise InvalidRequest(_refusal(bare, what)) from None


def _refusal(text: str, what: str) -> str:
    """Parse JSON once more that holds a number which is none; return the reason behind the number's place."""
    refused: list[_Refused] = []

    def refuse(reason: str) -> _Refused:
        refused.append(_Refused(reason))
        return refused[-1]

    def beyond(digits: str) -> _Refused:
        return refuse(f"the number {_short(digits)} is out of range")

    def whole(digits: str) -> object:
        return beyond(digits) if (number := _whole(digits)) is None else number

    def decimal(digits: str) -> object:
        return beyond(digits) if (number := _decimal(digits)) is None else number

    def constant(name: str) -> object:
        return refuse(f"{name} is not JSON")

    try:
        value = json.loads(text, parse_float=decimal, parse_int=whole, parse_constant=constant)
    except RecursionError:
        return "the JSON is nested too deep"
    except json.JSONDecodeError as error:
        return f"{what} is not JSON: {error.msg}, at character {error.pos}"
    return _with_place(value, refused[0])


def loads_stored(text: str) -> Json:
    """Parse JSON that the database wrote: its numbers, which SQL may have stored, are not held to any range.

    Numbers beyond 64-bit integers become Decimal, so that `dumps` writes them.

    Raises:
        InvalidRequest: it is nested too deep.

    """
    try:
        return json.loads(text, parse_float=Decimal, parse_int=_stored_whole)  # type: ignore[no-any-return]
    except RecursionError:
        raise InvalidRequest("a stored record is nested too deep") from None


def dumps(value: object) -> str:
    """Write JSON text; Decimal keeps its digits.

    Raises:
        InvalidRequest: a string cannot be written as UTF-8.

    """
    try:
        return orjson.dumps(value, default=_write).decode()
    except (orjson.JSONEncodeError, TypeError) as error:
        raise InvalidRequest(f"this cannot be written as JSON: {error}") from None


def stored_bytes(value: Json) -> int:
    """Return how many bytes a value has as JSON text in the form that the database gives it back: `1e30` in full."""
    text = dumps(value)
    return len(text.encode()) + (_exponents(value) if "E" in text else 0)


def _exponents(value: Json) -> int:
    """Return by how much the numbers in a value grow where they are written without exponents."""
    if isinstance(value, Decimal):
        return len(f"{value:f}") - len(str(value))
    if isinstance(value, dict):
        return sum(map(_exponents, value.values()))
    return sum(map(_exponents, value)) if isinstance(value, list) else 0


def check(value: Json, what: str) -> None:
    """Refuse what a jsonb column cannot hold or a person cannot have meant.

    Raises:
        InvalidRequest: U+0000, a lone surrogate, or too deep; `what` names the thing in the message.

    """
    if _is_plain(value):
        return
    stack: list[tuple[Any, int]] = [(value, 1)]
    while stack:
        node, depth = stack.pop()
        if depth > MAX_DEPTH:
            raise InvalidRequest(f"{what} is nested deeper than {MAX_DEPTH} levels")
        if isinstance(node, str):
            check_text(node, what)
        elif isinstance(node, dict):
            for key, child in node.items():
                check_text(key, what)
                stack.append((child, depth + 1))
        elif isinstance(node, list):
            stack.extend((child, depth + 1) for child in node)


def _is_plain(value: Json) -> bool:
    """Say whether a value can be told to be fit from its text alone, which takes a tenth of the time."""
    try:
        text = orjson.dumps(value, default=_write)
    except (orjson.JSONEncodeError, TypeError):
        return False
    return b"\\u0000" not in text and text.count(b"{") + text.count(b"[") <= MAX_DEPTH


def check_text(text: str, what: str) -> None:
    """Refuse text that PostgreSQL cannot hold.

    Raises:
        InvalidRequest: U+0000 or a lone surrogate.

    """
    if "\x00" in text:
        raise InvalidRequest(f"{what} holds the character U+0000, which cannot be stored")
    try:
        text.encode()
    except UnicodeEncodeError:  # the only characters that UTF-8 does not have
        raise InvalidRequest(f"{what} holds half a surrogate pair, which is not a character") from None


class _OutOfRange(Exception):
    """A number is out of range, or none."""


class _Refused:
    """Marks the place of a number that is none in a parsed value, so that the error can name it."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


def _stored_whole(text: str) -> int | Decimal:
    if len(text) <= 20 and -(2**63) <= (number := int(text)) < 2**63:
        return number
    return Decimal(text)


def _whole(text: str) -> int | Decimal | None:
    """Return a whole number with all its digits; None where it is out of range."""
    if len(text) <= 20 and -(2**63) <= (number := int(text)) < 2**63:
        return number
    return _decimal(text)


def _decimal(text: str) -> Decimal | None:
    """Return a number with all its digits; None where it is out of range."""
    if len(text) > _MOST_CHARACTERS:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:  # the exponent is beyond that of any Decimal
        return None
    exponent = number.adjusted()
    if not _LEAST_EXPONENT <= exponent <= sys.float_info.max_10_exp:
        return None
    if exponent == sys.float_info.max_10_exp and abs(number) > _GREATEST:
        return None
    # Only a long text can have so many decimals, and to count them takes time.
    if len(text) > -_LEAST_EXPONENT and number.as_tuple().exponent < -_MOST_DECIMALS:  # type: ignore[operator]
        return None
    return number


def _known_whole(digits: str) -> int | Decimal:
    if (number := _whole(digits)) is None:
        raise _OutOfRange
    return number


def _known_decimal(digits: str) -> Decimal:
    if (number := _decimal(digits)) is None:
        raise _OutOfRange
    return number


def _no_constant(_: str) -> None:
    raise _OutOfRange


# To make a decoder takes longer than to read a short text by it.
_QUICK = json.JSONDecoder(parse_float=_known_decimal, parse_int=_known_whole, parse_constant=_no_constant)


def _with_place(value: Any, refused: _Refused) -> str:
    """Return the reason of a refusal behind the place where it stands in a value."""
    stack: list[tuple[Any, str]] = [(value, "")]
    while stack:
        node, place = stack.pop()
        if node is refused:
            return f"{place}: {refused.reason}" if place else refused.reason
        if isinstance(node, dict):
            stack += [(child, f"{place}.{_short(key)}" if place else _short(key)) for key, child in node.items()]
        elif isinstance(node, list):
            stack += [(child, f"{place}[{position}]") for position, child in enumerate(node)]
    return refused.reason  # an object that names a key twice keeps the last value alone


def _short(text: str) -> str:
    """Return text as it may stand in a message: what cannot be written as UTF-8 becomes a question mark."""
    return (text[:20] + "…" if len(text) > 24 else text).encode("utf-8", "replace").decode()


def _write(value: object) -> object:
    if isinstance(value, Decimal):
        return orjson.Fragment(str(value))
    raise TypeError(f"{type(value).__name__} is not JSON")


def is_integer(value: object) -> bool:
    """Say whether a JSON value is a whole number, `3` as well as `3.0`; a boolean is not."""
    if isinstance(value, bool):
        return False
    if isinstance(value, float):
        return math.isfinite(value) and value.is_integer()
    return isinstance(value, int) or (isinstance(value, Decimal) and value == value.to_integral_value())
