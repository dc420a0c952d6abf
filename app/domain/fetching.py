"""Downloads that are asked for again: what a host gave to ask with whether something has changed."""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Validators:
    """What a host gave to ask with whether something has changed: an ETag, a Last-Modified, or both.

    `place` is the SHA-256 of the URL that answered, redirects followed: they say nothing about any other.
    """

    place: bytes
    etag: str | None
    modified: str | None

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers of a request for what has changed since."""
        given = {"If-None-Match": self.etag, "If-Modified-Since": self.modified}
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer: the bytes, None where they have not changed, and what to ask with next time, where there is that."""

    data: bytes | None
    validators: Validators | None


def place_of(url: str) -> bytes:
    """Return what a URL is known by: its SHA-256, as URLs may be long and hold secrets."""
    return hashlib.sha256(url.encode("utf-8", "surrogatepass")).digest()
