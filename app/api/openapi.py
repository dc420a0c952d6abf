"""The OpenAPI 3.1 document, made from the table of methods and the models that parse the requests."""

import inspect
from typing import Any

from app.api.methods import METHODS, TAGS, Method
from app.api.openapi_schemas import query_parameters, ref, responses, schemas
from app.api.v2.collection import PING
from app.domain.freshness import HEADER
from app.domain.services import prefixes
from app.domain.tokens import Scope
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
_COLLECTION_ID, _REQUEST_ID, _VERSION = (
    {"$ref": f"#/components/parameters/{name}"} for name in ("CollectionId", "RequestId", "Version")
)


def documented() -> list[Method]:
    """Return every method, in the order of the groups."""
    groups = list(TAGS)
    return sorted([*METHODS.values(), PING], key=lambda entry: groups.index(entry.tag))


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
        "paths": {f"/{entry.name}": _path(entry) for entry in documented()},
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


def _path(entry: Method) -> Document:
    return {verb.lower(): _operation(entry, verb) for verb in sorted(entry.verbs, reverse=True)}


def _operation(entry: Method, verb: str) -> Document:
    description = described(entry)
    made: Document = {
        "operationId": entry.name if verb == "POST" else f"{entry.name}By{verb.title()}",
        "tags": [entry.tag],
        "summary": description.split("\n\n", maxsplit=1)[0].replace("\n", " "),
        "description": description,
        "parameters": [*_headers(entry), *_query(entry)],
        "responses": responses(entry),
    }
    if entry.anonymous:
        made["security"] = []
    if verb == "POST" and entry.parameters.model_fields:
        made["requestBody"] = _body(entry)
    return made


def _headers(entry: Method) -> list[Document]:
    if entry.anonymous:
        return [_REQUEST_ID]
    return [_COLLECTION_ID, _REQUEST_ID, *([_VERSION] if entry.scope is Scope.READ else [])]


def described(entry: Method) -> str:
    """Return what a method does, in the words of its view, and what its token must be allowed to do."""
    said = f"{inspect.getdoc(entry.view)}"
    return said if entry.anonymous else f"{said}\n\nNeeds a token that may {entry.scope.value}."


def _query(entry: Method) -> list[Document]:
    if entry.query is None:
        return []
    given = entry.example.query
    return [
        {**parameter, "example": given[parameter["name"]]} if parameter["name"] in given else parameter
        for parameter in query_parameters(entry.query)
    ]


def _body(entry: Method) -> Document:
    required = any(field.is_required() for field in entry.parameters.model_fields.values())
    media: Document = {"schema": ref(entry.parameters.__name__)}
    if entry.example.request is not None:
        example = {"summary": "The specification's example", "value": entry.example.request}
        media["examples"] = {"specification": example}
    return {"required": required, "content": {"application/json": media}}


def _components() -> Document:
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
                "description": "Name of the collection, or of an alias that leads to it.",
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
            "Version": {
                "name": HEADER,
                "in": "header",
                "required": False,
                "description": "What an answer to a write had in this header: the answer is at least that new.",
                "schema": {"type": "string", "pattern": "^[0-9A-F]{1,8}/[0-9A-F]{1,8}$"},
            },
        },
        "headers": {
            "RequestId": {"description": "Id of this request.", "schema": {"type": "string"}, "required": True},
            "Version": {
                "description": "How new a read must be to know of this write; only where reads go to standbys.",
                "schema": {"type": "string"},
            },
            "RetryAfter": {"description": "Seconds to wait before another try.", "schema": {"type": "integer"}},
        },
        "schemas": schemas(documented()),
    }
