"""The table of API methods. A view registers itself here; the blueprint and the docs read the table."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from app.api.envelope import Body
from app.api.parsing import Parameters
from app.domain import statuses
from app.domain.collections import Collection
from app.domain.searches import Searched
from app.domain.statuses import Status
from app.domain.tokens import Principal, Scope
from app.services.context import Context


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a method: who calls, where it goes, and the query string."""

    context: Context
    principal: Principal
    collection: Collection
    query: dict[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """A view returns the status and the body's fields beside `status` and `statistics`.

    `stream`, where there is one, yields the JSON texts of `answer_records`, in pieces, while the answer is sent.
    `search` says what a search did; None for what is no search.
    """

    status: Status
    body: Body
    stream: Iterator[list[bytes]] | None = None
    search: Searched | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """A call and its answer as the specification prints them; the status is this server's where it contradicts itself.

    `request` is the body, None where nothing is sent; `query` is the query string.
    """

    request: Body | None
    body: Body
    status: Status = statuses.OK
    milliseconds: int = 1
    query: Mapping[str, int] = field(default_factory=dict)

    @property
    def answer(self) -> Body:
        """The whole answer."""
        status = {"code": self.status.code, "text": self.status.text, "request_id": "0b6f7c0e5a5f"}
        return {"status": status, "statistics": {"OperationTime": self.milliseconds}, **self.body}


def example_of_search(request: Body, distances: list[float], milliseconds: int = 1) -> Example:
    """Return the example of a search that finds the records 1, 2, …, at these distances."""
    body = {
        "answer_records": [{"_id": str(rank)} for rank in range(1, len(distances) + 1)],
        "answer_distances": distances,
        "query_records": request.get("query_records") or [request["query_record"]],
        "answer_count": len(distances),
    }
    return Example(request, body, milliseconds=milliseconds)


# The groups of methods, in the order of the page.
TAGS = {
    "Records": "Put records in, take them out, change them; each named by its `_id`.",
    "Search": "Rank records by their likeness to a picture, to several, or to words.",
    "Near duplicates": "Find records that show the same picture.",
    "Listing": "Records by their attributes, at random, or all of them.",
    "Collection": "About the collection and the server.",
}
# What any call may be answered with beside the statuses of its method; `ping` looks at no collection or database.
COMMON = (
    statuses.ABORTED,
    statuses.UNAUTHORIZED,
    statuses.FORBIDDEN,
    statuses.COLLECTION_NOT_FOUND,
    statuses.BODY_TOO_LARGE,
    statuses.TOO_MANY_REQUESTS,
    statuses.UNKNOWN_ERROR,
    statuses.UNAVAILABLE,
)
COMMON_OF_PING = (statuses.UNKNOWN_ERROR,)

P = TypeVar("P", bound=Parameters)


@dataclass(frozen=True, slots=True)
class Method:
    """One method: how it is called, and what the document says of it. Its sentence is the docstring of the view.

    Attributes:
        name: its name in the path.
        scope: what its token must be allowed to do.
        parameters: those of its body.
        view: what answers it.
        tag: the group that it belongs to, one of `TAGS`.
        answer: the shape of its answer.
        example: a call and its answer.
        statuses: its own ones, beside the common ones.
        verbs: the HTTP verbs that it is called with.
        query: its parameters in the query string, None where it has none.
        anonymous: whether it is called without a token and a collection.

    """

    name: str
    scope: Scope
    parameters: type[Parameters]
    view: Callable[..., Answer]
    tag: str
    answer: type[Any]
    example: Example
    statuses: tuple[Status, ...] = (statuses.OK,)
    verbs: tuple[str, ...] = ("POST",)
    query: type[Parameters] | None = None
    anonymous: bool = False


METHODS: dict[str, Method] = {}


def method(
    name: str,
    scope: Scope,
    parameters: type[P],
    tag: str,
    answer: type[Any],
    example: Example,
    own_statuses: tuple[Status, ...] = (statuses.OK,),
    verbs: tuple[str, ...] = ("POST",),
    query: type[Parameters] | None = None,
) -> Callable[[Callable[[Call, P], Answer]], Callable[[Call, P], Answer]]:
    """Register a view as an API method; the arguments are those of `Method`."""

    def register(view: Callable[[Call, P], Answer]) -> Callable[[Call, P], Answer]:
        METHODS[name] = Method(name, scope, parameters, view, tag, answer, example, own_statuses, verbs, query)
        return view

    return register
