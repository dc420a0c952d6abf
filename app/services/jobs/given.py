"""Parameters of jobs are checked by these, so that each mistake is named in one way."""

from collections.abc import Mapping

from app.domain.errors import InvalidRequest
from app.domain.jsontext import is_integer
from app.domain.records import Json


def only(given: Mapping[str, Json], *names: str) -> None:
    """Refuse parameters of other names.

    Raises:
        InvalidRequest: there is one; the message names it, and those that there are.

    """
    for name in given:
        if name not in names:
            known = f"it takes {', '.join(names)}" if names else "it takes none"
            raise InvalidRequest(f"parameters.{name[:40]}: this kind of job has no such parameter; {known}")


def boolean(given: Mapping[str, Json], name: str, default: bool = False) -> bool:
    """Return a parameter that is true or false.

    Raises:
        InvalidRequest: it is neither.

    """
    value = given.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise InvalidRequest(f"parameters.{name}: it is true or false")
    return value


def text(given: Mapping[str, Json], name: str, default: str | None = None) -> str:
    """Return a parameter that is text, not empty.

    Raises:
        InvalidRequest: it is missing where there is no default, or is no text.

    """
    value = given.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, str) or not value or "\0" in value:
        raise InvalidRequest(f"parameters.{name}: it is a text, and must be given")
    return value


def optional_text(given: Mapping[str, Json], name: str) -> str | None:
    """Return a parameter that is text, not empty; None where it is left out.

    Raises:
        InvalidRequest: it is no text.

    """
    return None if given.get(name) is None else text(given, name)


def whole(given: Mapping[str, Json], name: str, default: int, least: int, most: int) -> int:
    """Return a parameter that is a whole number.

    Raises:
        InvalidRequest: it is none, or out of range.

    """
    value = given.get(name)
    if value is None:
        return default
    if not is_integer(value) or not least <= int(value) <= most:  # type: ignore[arg-type]
        raise InvalidRequest(f"parameters.{name}: it is a whole number, {least} to {most}")
    return int(value)  # type: ignore[arg-type]


def number(given: Mapping[str, Json], name: str, default: float, least: float, most: float) -> float:
    """Return a parameter that is a number.

    Raises:
        InvalidRequest: it is none, or out of range.

    """
    value = given.get(name)
    if value is None:
        return default
    if isinstance(value, bool | str | list | dict) or not least <= float(value) <= most:
        raise InvalidRequest(f"parameters.{name}: it is a number, {least:g} to {most:g}")
    return float(value)
