"""The OpenAPI 3.1 document, made from the table of methods and the models that parse the requests."""

import inspect
import re
from typing import Any

import app.api.v2  # noqa: F401  (registers the methods)
from app.api.blueprint import prefixes
from app.api.examples import Example, examples
from app.api.methods import METHODS, Method
from app.api.openapi_answers import COMMON, COMMON_OF_PING, FACTS, SCHEMAS, TAGS, ref, responses
from app.api.openapi_parameters import QUERY_STRINGS, RECORD_SCHEMAS, parameter_schemas, query_parameters
from app.version import __version__

Document = dict[str, Any]

_DESCRIPTION = """\
Visual similarity search on PostgreSQL and pgvector: put pictures with their attributes into a collection, \
and find those that look alike.

Every call names a collection in the header `collection-id` and carries a token in `Authorization`. \
Bodies and answers are JSON; null counts as not given, and fields that a method does not know are named in \
`statistics.ignored`. \
A collection belongs to one of seven services and answers under its paths; under `/v2` any collection does."""

_SECURITY: list[Document] = [{"token": []}, {"bearer": []}]
_HEADER_PARAMETERS = [{"$ref": f"#/components/parameters/{name}"} for name in ("CollectionId", "RequestId")]
_PING = "Say that the server is there, and which it is. Needs no token and no collection."


def document(root: str = "") -> Document:
    """Return the document; `root` is the path below which the server is mounted."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Lookalike",
            "version": __version__,
            "summary": "Visual similarity search, API version 2.",
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": _servers(root),
        "security": _SECURITY,
        "tags": [{"name": name, "description": description} for name, description in TAGS.items()],
        # In the order of the table of facts, which is that of the groups.
        "paths": {f"/{name}": _path(name) for name in FACTS if name in METHODS or name == "ping"},
        "components": _components(),
    }


def _servers(root: str) -> list[Document]:
    """Return an entry for every prefix: plain URLs, which all tools understand; variables many do not."""
    return [
        {
            "url": f"{root}/{prefix}/v2" if prefix else f"{root}/v2",
            "description": f"collections of the service {service}" if service else "collections of any service",
        }
        for prefix, service in prefixes().items()
    ]


def _path(name: str) -> Document:
    if name == "ping":
        ping = {"security": [], "parameters": [_HEADER_PARAMETERS[1]], "responses": _responses(name, COMMON_OF_PING)}
        return {verb.lower(): {**_named(name, _PING, verb, ("POST", "GET")), **ping} for verb in ("POST", "GET")}
    entry = METHODS[name]
    return {verb.lower(): _operation(entry, verb) for verb in sorted(entry.verbs, reverse=True)}


def _named(name: str, description: str, verb: str, verbs: tuple[str, ...]) -> Document:
    own = name if verb == "POST" or verbs == ("GET",) else f"{name}By{verb.title()}"
    first = description.split("\n\n", maxsplit=1)[0].replace("\n", " ")
    return {"operationId": own, "tags": [FACTS[name].tag], "summary": first, "description": description}


def _operation(entry: Method, verb: str) -> Document:
    made = {
        **_named(entry.name, described(entry), verb, entry.verbs),
        "parameters": _HEADER_PARAMETERS + _query(entry.name),
        "responses": _responses(entry.name, COMMON),
    }
    if verb == "POST" and entry.parameters.model_fields:
        made["requestBody"] = _body(entry)
    return made


def described(entry: Method) -> str:
    """Return what a method does, in the words of its view, and what its token must be allowed to do."""
    return f"{inspect.getdoc(entry.view)}\n\nNeeds a token that may {entry.scope.value}."


def _query(name: str) -> list[Document]:
    if name not in QUERY_STRINGS:
        return []
    given = examples()[name].query
    return [
        {**parameter, "example": given[parameter["name"]]} if parameter["name"] in given else parameter
        for parameter in query_parameters(name)
    ]


def _body(entry: Method) -> Document:
    required = any(field.is_required() for field in entry.parameters.model_fields.values())
    media: Document = {"schema": ref(entry.parameters.__name__)}
    request = examples()[entry.name].request
    if request is not None:
        media["examples"] = {"specification": {"summary": "The specification's example", "value": request}}
    return {"required": required, "content": {"application/json": media}}


def _responses(name: str, common: tuple[Any, ...]) -> Document:
    own = FACTS[name]
    example: Example = examples()[name]
    return responses(own.answer, {*own.statuses, *common}, example.answer)


def _components() -> Document:
    bodies = parameter_schemas()
    for model in QUERY_STRINGS.values():
        del bodies[model.__name__]  # its parameters stand at the method, not in a body
    schemas = {**bodies, **RECORD_SCHEMAS, **SCHEMAS}
    return {
        "securitySchemes": {
            "token": {
                "type": "apiKey",
                "in": "header",
                "name": "Authorization",
                "description": "The word `Token`, a space, and your API token: `Token 1af5…`.",
            },
            "bearer": {"type": "http", "scheme": "bearer", "description": "The same token, sent as a bearer token."},
        },
        "parameters": {
            "CollectionId": {
                "name": "collection-id",
                "in": "header",
                "required": True,
                "description": "Name of the collection.",
                "schema": {"type": "string", "minLength": 1},
                "example": "mycoll_id",
            },
            "RequestId": {
                "name": "X-Request-ID",
                "in": "header",
                "required": False,
                "description": "An id of your own for this request: letters, digits, `.`, `_`, `-`; else one is made.",
                "schema": {"type": "string"},
            },
        },
        "headers": {
            "RequestId": {"description": "Id of this request.", "schema": {"type": "string"}, "required": True},
            "RetryAfter": {"description": "Seconds to wait before another try.", "schema": {"type": "integer"}},
        },
        "schemas": {name: _tidy(schema) for name, schema in schemas.items()},
    }


def _tidy(schema: Document) -> Document:
    """Return a schema whose description is one paragraph a line, however its docstring was wrapped."""
    if "description" not in schema:
        return schema
    return {**schema, "description": re.sub(r"(?<!\n)\n(?!\n)", " ", schema["description"])}
