"""Moments in the future, as people write them: a while from now, or a date."""

import re
from datetime import UTC, datetime, timedelta

from app.domain.errors import InvalidRequest

_WHILE = re.compile(r"(\d{1,6}) ?(s|m|h|d|w)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_LONGEST = timedelta(days=36_500)
_HOW = "a while from now, as 90d, 12h or 30m, or a moment of ISO 8601 with its time zone, as 2030-01-31T12:00:00Z"


def while_of(text: str, name: str) -> timedelta:
    """Return a duration of whole seconds, minutes, hours, days or weeks, such as `90d`; at most 100 years.

    Raises:
        InvalidRequest: it is none; the message begins with the name.

    """
    found = _WHILE.fullmatch(text.strip())
    if found is None or (length := timedelta(seconds=int(found[1]) * _SECONDS[found[2]])) > _LONGEST:
        raise InvalidRequest(f"{name}: it is a while of at most 100 years, as 90d, 12h, 30m or 0s")
    return length


def moment_of(text: str, name: str) -> datetime:
    """Return a moment that lies ahead, at most 100 years.

    Raises:
        InvalidRequest: it is none, is past, or has no time zone; the message begins with the name.

    """
    now = datetime.now(UTC)
    if _WHILE.fullmatch(text.strip()):
        length = while_of(text, name)
        if not length:
            raise InvalidRequest(f"{name}: it lies ahead: {_HOW}")
        return now + length
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InvalidRequest(f"{name}: it is {_HOW}") from None
    if moment.tzinfo is None:
        raise InvalidRequest(f"{name}: it needs a time zone: {_HOW}")
    if not now < moment <= now + _LONGEST:
        raise InvalidRequest(f"{name}: it lies ahead, at most 100 years: {_HOW}")
    return moment
