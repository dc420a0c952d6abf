"""The table of API methods. A view registers itself here; the blueprint and the docs read the table."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from app.api.envelope import Body
from app.api.parsing import Parameters
from app.domain.collections import Collection
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
    """What a view returns: the status and the body's fields beside `status` and `statistics`.

    `stream`, where there is one, yields the JSON texts of `answer_records`, in pieces, while the answer is sent.
    """

    status: Status
    body: Body
    stream: Iterator[list[bytes]] | None = None


P = TypeVar("P", bound=Parameters)
View = Callable[[Call, Any], Answer]


@dataclass(frozen=True, slots=True)
class Method:
    """One method: its name in the path, the scope it needs, its parameters and verbs.

    `query` are its parameters in the query string, None where it has none.
    """

    name: str
    scope: Scope
    parameters: type[Parameters]
    verbs: tuple[str, ...]
    view: View
    query: type[Parameters] | None = None


METHODS: dict[str, Method] = {}


def method(
    name: str,
    scope: Scope,
    parameters: type[P],
    verbs: tuple[str, ...] = ("POST",),
    query: type[Parameters] | None = None,
) -> Callable[[Callable[[Call, P], Answer]], Callable[[Call, P], Answer]]:
    """Register a view as an API method."""

    def register(view: Callable[[Call, P], Answer]) -> Callable[[Call, P], Answer]:
        METHODS[name] = Method(name, scope, parameters, verbs, view, query)
        return view

    return register
