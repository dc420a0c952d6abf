"""Tokens: who may do what on which collection."""

import hashlib
import secrets
from dataclasses import dataclass
from enum import StrEnum

from app.domain.errors import Forbidden, InvalidRequest, Unavailable


class Scope(StrEnum):
    """A scope allows a token to do something. `write` includes `read`; `admin` includes both."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


_INCLUDES = {
    Scope.READ: frozenset({Scope.READ}),
    Scope.WRITE: frozenset({Scope.READ, Scope.WRITE}),
    Scope.ADMIN: frozenset(Scope),
}


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a token may ask for; None: as much as the server takes. `app.services.limiting` enforces it.

    Attributes:
        requests_per_second: requests a second, above 0.
        pictures_per_second: pictures and texts a second that requests bring along, above 0.
        concurrent_searches: searches at the same time, at least 1.
        body_bytes: size of a request body, at least 1,024 bytes.
        batch_records: records in one request, at least 1.

    """

    requests_per_second: float | None = None
    pictures_per_second: float | None = None
    concurrent_searches: int | None = None
    body_bytes: int | None = None
    batch_records: int | None = None

    def check(self) -> None:
        """Check that each is a number that can be meant.

        Raises:
            InvalidRequest: one is not.

        """
        for name in ("requests_per_second", "pictures_per_second"):
            value = getattr(self, name)
            if value is not None and not 0.001 <= value <= 1_000_000:
                raise InvalidRequest(f"{name}: it is a number from 0.001 to 1,000,000")
        for name, least, most in _WHOLE:
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise InvalidRequest(f"{name}: it is a whole number from {least:,} to {most:,}")


NO_LIMITS = Limits()
_WHOLE = (
    ("concurrent_searches", 1, 1_000_000),
    ("body_bytes", 1024, 2**31 - 1),
    ("batch_records", 1, 1_000_000),
)


@dataclass(frozen=True, slots=True)
class Principal:
    """The holder of a token: its scopes, the ids of its collections (None: all of them), and its limits.

    `reads_only`: the server that was asked takes no writes, whatever the token may do.
    """

    token_id: int
    scopes: frozenset[Scope]
    collections: frozenset[int] | None
    limits: Limits = NO_LIMITS
    reads_only: bool = False

    @property
    def allowed(self) -> frozenset[Scope]:
        """All that its scopes include."""
        return frozenset(scope for held in self.scopes for scope in _INCLUDES[held])

    def require(self, scope: Scope, collection_id: int) -> None:
        """Check that the token may do this here.

        Raises:
            Forbidden: it may not.
            Unavailable: it may, and this server only reads.

        """
        if self.collections is not None and collection_id not in self.collections:
            raise Forbidden("this token has no access to this collection")
        self.check_scope(scope)

    def check_scope(self, scope: Scope, *, changes: bool = True) -> None:
        """Check that the token may do this somewhere.

        Args:
            scope: what is to be done.
            changes: whether what needs a scope beyond reading is to change something.

        Raises:
            Forbidden: it may not.
            Unavailable: it may, and this server only reads.

        """
        if scope not in self.allowed:
            raise Forbidden(f"this token may not {scope}: it has the scope {', '.join(sorted(self.scopes))}")
        if self.reads_only and changes and scope is not Scope.READ:
            raise Unavailable("this server only reads; send what changes something to another one", 10)

    def check_everywhere(self) -> None:
        """Check that the token is one for all collections: what is made or given to others may be of any.

        Raises:
            Forbidden: it is for some collections alone.

        """
        if self.collections is not None:
            raise Forbidden("this token is for some collections alone; this needs one for all collections")


def new_token() -> str:
    """Return a fresh token: 43 URL-safe characters, 256 bits of the system's randomness.

    The stock client calls anything of 70 characters or more a JWT, so a token stays below that.
    """
    return secrets.token_urlsafe(32)


def digest(token: str) -> bytes:
    """Return the 32 bytes that the database keeps of a token.

    A plain SHA-256 is enough, and fast: a token is 256 random bits, so there is no dictionary to try.
    """
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
