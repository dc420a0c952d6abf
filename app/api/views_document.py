"""The OpenAPI 3.1 document of a table of views."""

import inspect
from collections.abc import Mapping

from app.api.answers import Failure
from app.api.openapi_parts import Document, answered, framed
from app.api.openapi_schemas import made_of, ref
from app.api.views import View

_COLLECTION: Document = {
    "name": "collection-id",
    "in": "header",
    "required": True,
    "description": "Name of the collection, or of an alias that leads to it.",
    "schema": {"type": "string", "minLength": 1},
}


def described(name: str, description: str, url: str, views: Mapping[str, View], errors: Mapping[str, str]) -> Document:
    """Return the document of views by path.

    Args:
        name: what they are about, as in its title.
        description: a sentence on that, and where more is told.
        url: the prefix of their paths, with the path below which the server is mounted.
        views: the table.
        errors: what each HTTP status of a refusal means.

    """
    shapes = {shape for view in views.values() for shape in (view.parameters, view.answer)}
    return framed(
        name,
        description,
        url,
        {f"/{path}": {"post": _operation(path, view, errors)} for path, view in views.items()},
        {"schemas": made_of({*shapes, Failure}), "parameters": {"CollectionId": _COLLECTION}},
    )


def _operation(path: str, view: View, errors: Mapping[str, str]) -> Document:
    said = f"{inspect.getdoc(view.function)}"
    first, *more = path.replace("-", "/").split("/")
    needs = f"Needs a token that may {view.scope.value}" + (", for all collections." if view.of_all else ".")
    return {
        "operationId": first + "".join(word.title() for word in more),
        "summary": said,
        "description": f"{said}\n\n{needs}",
        "parameters": [{"$ref": "#/components/parameters/CollectionId"}] if view.of_collection else [],
        "requestBody": {
            "required": any(field.is_required() for field in view.parameters.model_fields.values()),
            "content": {"application/json": {"schema": ref(view.parameters.__name__)}},
        },
        "responses": answered({"application/json": {"schema": ref(view.answer.__name__)}}, errors, ref("Failure")),
    }
