"""Tokens: who may do what on which collection."""

import hashlib
import secrets
from dataclasses import dataclass
from enum import StrEnum

from app.domain.errors import Forbidden


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
class Principal:
    """The holder of a token: its scopes, and the ids of its collections (None: all of them)."""

    token_id: int
    scopes: frozenset[Scope]
    collections: frozenset[int] | None

    @property
    def allowed(self) -> frozenset[Scope]:
        """All that its scopes include."""
        return frozenset(scope for held in self.scopes for scope in _INCLUDES[held])

    def require(self, scope: Scope, collection_id: int) -> None:
        """Check that the token may do this here.

        Raises:
            Forbidden: it may not.

        """
        if self.collections is not None and collection_id not in self.collections:
            raise Forbidden("this token has no access to this collection")
        self.check_scope(scope)

    def check_scope(self, scope: Scope) -> None:
        """Check that the token may do this somewhere.

        Raises:
            Forbidden: it may not.

        """
        if scope not in self.allowed:
            raise Forbidden(f"this token may not {scope}: it has the scope {', '.join(sorted(self.scopes))}")

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
