"""Tables of views: each path below a prefix is called by POST, with its parameters as JSON."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from flask import Blueprint, Response, g, request

from app.api import envelope
from app.api.auth import collection_of, principal_of
from app.api.parsing import Parameters, body_of, parse
from app.domain import statuses
from app.domain.collections import Collection
from app.domain.errors import InvalidRequest
from app.domain.tokens import Principal, Scope
from app.services.context import Context

# Parameters that say what an act is about, for the audit log: ids and names, nothing of the data.
_TARGETS = ("token", "name", "alias", "field")


@dataclass(frozen=True, slots=True)
class Call:
    """One call: who calls, and on which collection; None where the view is about no single one."""

    context: Context
    principal: Principal
    named: Collection | None = None

    @property
    def collection(self) -> Collection:
        """The collection that the request names."""
        if self.named is None:
            raise InvalidRequest("name your collection in the header 'collection-id: <its name>'")
        return self.named

    @property
    def by_whom(self) -> str:
        """The caller as the history names him."""
        return f"token {self.principal.token_id}"


class View(NamedTuple):
    """What a path does.

    Attributes:
        scope: what the token must be allowed.
        parameters: those of the body.
        function: the view itself; its docstring is in the document.
        answer: the shape of its answer.
        of_collection: whether the header `collection-id` names a collection.
        of_all: whether the token must be one for all collections.
        reads: whether it changes nothing, whatever its scope: then the audit log does not note it.

    """

    scope: Scope
    parameters: type[Parameters]
    function: Callable[..., dict[str, Any]]
    answer: type[Any]
    of_collection: bool = True
    of_all: bool = False
    reads: bool = False


def add(made: Blueprint, context: Context, views: Mapping[str, View]) -> None:
    """Add the paths of a table to a blueprint."""
    for path, view in views.items():
        made.add_url_rule(f"/{path}", path.replace("/", "_"), _answered(context, view), methods=["POST"])


def _answered(context: Context, view: View) -> Callable[[], Response]:
    def answer() -> Response:
        principal = principal_of(request, context.lookup)
        g.scope = Scope.READ if view.reads else view.scope
        if view.of_collection:
            anew = view.scope is Scope.ADMIN  # what is remembered may have been dropped, and made again, meanwhile
            named = collection_of(request, context.lookup, principal, view.scope, None, anew=anew)
        else:
            named = None
            principal.check_scope(view.scope)
            if view.of_all:
                principal.check_everywhere()
        given = parse(view.parameters, body_of(request))
        g.target = " ".join(str(value) for name in _TARGETS if (value := getattr(given, name, None)) is not None)
        body = view.function(Call(context, principal, named), given)
        return envelope.response(statuses.OK, body, g.request_id, g.started)

    return answer
