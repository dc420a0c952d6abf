"""The OpenAPI 3.1 document of duplicates: what is under `/duplicates/v1`, made from the table of its views."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from app.api.answers import Failure
from app.api.openapi_parts import Document, answered, framed
from app.api.openapi_schemas import made_of, ref
from app.api.parsing import Parameters
from app.domain.tokens import Scope

View = tuple[Scope, type[Parameters], Callable[..., dict[str, Any]], type[Any]]
"""What the token must be allowed, the parameters of the body, the view, the shape of its answer."""

_ERRORS = {
    "400": "402: a parameter is missing or wrong; `error_description` names it.",
    "401": "No token, or one that is not known.",
    "403": "The token may not do this.",
    "404": "There is no such collection.",
    "409": "Somebody else was first, or the pairs are not stored, not complete, or out of date.",
    "413": "The body is larger than the server takes.",
    "503": "The database is away, or too many requests wait; Retry-After says for how long.",
}


def document(views: Mapping[str, View], root: str = "") -> Document:
    """Return the document of views by path; `root` is the path below which the server is mounted."""
    shapes = {shape for _, parameters, _, answer in views.values() for shape in (parameters, answer)}
    collection = {
        "name": "collection-id",
        "in": "header",
        "required": True,
        "description": "Name of the collection, or of an alias that leads to it.",
        "schema": {"type": "string", "minLength": 1},
    }
    return framed(
        "duplicates",
        "Near duplicates are reviewed and decided about. docs/near-duplicates.md tells of it.",
        f"{root}/duplicates/v1",
        {f"/{path}": {"post": _operation(path, view)} for path, view in views.items()},
        {"schemas": made_of({*shapes, Failure}), "parameters": {"CollectionId": collection}},
    )


def _operation(path: str, view: View) -> Document:
    scope, parameters, function, answer = view
    said = f"{inspect.getdoc(function)}"
    first, *more = path.split("/")
    return {
        "operationId": first + "".join(word.title() for word in more),
        "summary": said,
        "description": f"{said}\n\nNeeds a token that may {scope.value}.",
        "parameters": [{"$ref": "#/components/parameters/CollectionId"}],
        "requestBody": {
            "required": any(field.is_required() for field in parameters.model_fields.values()),
            "content": {"application/json": {"schema": ref(parameters.__name__)}},
        },
        "responses": answered({"application/json": {"schema": ref(answer.__name__)}}, _ERRORS, ref("Failure")),
    }
