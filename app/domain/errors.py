"""The error tree. Every error that a caller may see carries the status it is answered with."""

from typing import ClassVar

from app.domain import statuses
from app.domain.statuses import Status


class LookalikeError(Exception):
    """Base of all errors that are answered to a caller.

    `str(error)` is the `error_description` of the envelope: a sentence for the person who sent the
    request. It never holds a driver's message, a path of the server or a trace.
    """

    status: ClassVar[Status] = statuses.UNKNOWN_ERROR
    retry_after_seconds: int | None = None


class InvalidRequest(LookalikeError):
    """The request cannot be understood or asks for what is not allowed (402)."""

    status = statuses.ABORTED


class FilterError(InvalidRequest):
    """A filter that MongoDB, too, would refuse. `path` names the place, e.g. `$.price.$gte`."""

    def __init__(self, message: str, path: str = "$", name: str = "filter") -> None:
        super().__init__(f"{name}, at {path}: {message}")
        self.message = message
        self.path = path


class ImageError(InvalidRequest):
    """A picture that cannot be had or read: bad bytes, too large, wrong format, URL refused or unreachable."""


class WrongQueryRecord(LookalikeError):
    """The query record has neither a stored `_id` nor a readable picture (403)."""

    status = statuses.WRONG_QUERY_RECORD


class Unauthorized(LookalikeError):
    """No token, or one that is not known (401)."""

    status = statuses.UNAUTHORIZED


class Forbidden(LookalikeError):
    """The token is known but may not do this (403)."""

    status = statuses.FORBIDDEN


class CollectionNotFound(LookalikeError):
    """The `collection-id` names no collection (404)."""

    status = statuses.COLLECTION_NOT_FOUND


class CapacityExceeded(LookalikeError):
    """The records would take the collection over its capacity; none of them was stored (412)."""

    status = statuses.CAPACITY_EXCEEDED


class Conflict(LookalikeError):
    """Somebody else has done something meanwhile that the request does not go with; nothing was done (409)."""

    status = statuses.CONFLICT


class BodyTooLarge(LookalikeError):
    """The request body is over the limit (413)."""

    status = statuses.BODY_TOO_LARGE


class NotFound(LookalikeError):
    """There is no such thing (404)."""

    status = statuses.NOT_FOUND


class StorageFull(LookalikeError):
    """A disk is full; nothing more can be taken now (507)."""

    status = statuses.STORAGE_FULL


class Unavailable(LookalikeError):
    """Something the answer needs is away or too busy; the caller may try again (503)."""

    status = statuses.UNAVAILABLE

    def __init__(self, message: str, retry_after_seconds: int = 1) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class TooManyRequests(LookalikeError):
    """The token asks for more than its limits allow; nothing was done, and a later try may succeed (429)."""

    status = statuses.TOO_MANY_REQUESTS

    def __init__(self, message: str, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class InTheWay(Unavailable):
    """Other work holds a lock on what is needed; nothing was done, and another try may succeed (503)."""


class ConfigurationError(LookalikeError):
    """The server cannot start as it is set up; the message says what to change."""


class MissingRights(ConfigurationError):
    """The database role may not do what was asked of it."""
