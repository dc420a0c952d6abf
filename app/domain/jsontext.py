"""JSON in and out without loss: numbers keep every digit, and nothing gets in that PostgreSQL cannot hold."""

import json
import math
from decimal import Decimal
from typing import Any, NoReturn

import orjson

from app.domain.errors import InvalidRequest
from app.domain.records import Json

MAX_DEPTH = 64
# PostgreSQL's numeric takes 131,072 digits before the point; a number of that kind is an attack, not a price.
_MAX_EXPONENT = 400
_MAX_DIGITS = 1000


def loads(text: bytes | str) -> Json:
    """Parse JSON. Numbers that are not 64-bit integers become Decimal, so that no digit is lost.

    Raises:
        InvalidRequest: it is not JSON, holds NaN or Infinity, or is nested too deep.

    """
    try:
        decoded = text.decode() if isinstance(text, bytes) else text
        return json.loads(decoded, parse_float=_decimal, parse_int=_integer, parse_constant=_refuse)  # type: ignore[no-any-return]
    except RecursionError:
        raise InvalidRequest("the JSON is nested too deep") from None
    except UnicodeDecodeError:
        raise InvalidRequest("the request body is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise InvalidRequest(f"the request body is not JSON: {error.msg}, at character {error.pos}") from None


def dumps(value: object) -> str:
    """Write JSON text; Decimal keeps its digits.

    Raises:
        InvalidRequest: a string cannot be written as UTF-8.

    """
    try:
        return orjson.dumps(value, default=_write).decode()
    except (orjson.JSONEncodeError, TypeError) as error:
        raise InvalidRequest(f"this cannot be written as JSON: {error}") from None


def check(value: Json, what: str) -> None:
    """Refuse what a jsonb column cannot hold or a person cannot have meant.

    Raises:
        InvalidRequest: U+0000, a lone surrogate, or too deep; `what` names the thing in the message.

    """
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


def _decimal(text: str) -> Decimal:
    number = Decimal(text)
    if abs(number.adjusted()) > _MAX_EXPONENT or len(text) > _MAX_DIGITS:
        raise InvalidRequest(f"the number {text[:20]}… is out of range")
    return number


def _integer(text: str) -> int | Decimal:
    if len(text) <= 19 and -(2**63) <= (number := int(text)) < 2**63:
        return number
    if len(text) > _MAX_EXPONENT:
        raise InvalidRequest(f"the number {text[:20]}… is out of range")
    return Decimal(text)


def _refuse(name: str) -> NoReturn:
    raise InvalidRequest(f"{name} is not JSON")


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
