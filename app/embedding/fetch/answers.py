"""What a host's answer says beside the picture: what to ask with next time, and whether to ask again at all."""

import email.utils
import math
import time
from http.client import HTTPMessage

from app.domain.errors import ImageError
from app.domain.fetching import Validators, place_of

AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses that say that the same request may be answered otherwise later."""

_LONGEST_VALIDATOR = 1024


class Transient(ImageError):
    """It may be had later: the host is busy, broke off, or cannot be reached.

    `retry_after` is how many seconds the host asks to be left alone; None where it does not say.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


def validators_of(headers: HTTPMessage, url: str) -> Validators | None:
    """Return what an answer gives to ask with next time; None where it gives nothing of the kind."""
    etag, modified = (_usable(headers.get(name)) for name in ("ETag", "Last-Modified"))
    return None if etag is None and modified is None else Validators(place_of(url), etag, modified)


def _usable(value: object) -> str | None:
    text = "" if value is None else str(value).strip()
    return text if 0 < len(text) <= _LONGEST_VALIDATOR and text.isascii() and text.isprintable() else None


def retry_after(headers: HTTPMessage) -> float | None:
    """Return the seconds of a Retry-After, which are given as such or as a date; None where there is none."""
    text = str(headers.get("Retry-After") or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:12])
    try:
        seconds = email.utils.parsedate_to_datetime(text).timestamp() - time.time()
    except (ValueError, OverflowError):
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
