"""Who changed what, and when: entries of the audit log."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Act:
    """A request or a command changed something, or was to.

    Attributes:
        at: when it ended.
        action: the API's method, the verb and path of what has none, or the command.
        code: the code of the answer; of a command, that which it exits with.
        token_id: whose request it was; None for a command.
        actor: the user of the command line; None for a request.
        collection: the collection's name, where it is about one.
        target: what it is about beside that, by id or name; nothing of the data.
        request_id: the request's id, as in the server's log and the answer.

    """

    at: datetime
    action: str
    code: int
    token_id: int | None = None
    actor: str | None = None
    collection: str | None = None
    target: str | None = None
    request_id: str | None = None
