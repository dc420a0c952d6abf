"""The schemas of the OpenAPI document, as pydantic makes them of the parameters and of the shapes, and responses."""

import re
from collections.abc import Iterable
from http import HTTPStatus
from itertools import groupby
from typing import Any

from pydantic import TypeAdapter

from app.api import answers
from app.api.methods import COMMON, COMMON_OF_PING, Method
from app.api.parsing import Parameters
from app.domain.freshness import HEADER
from app.domain.statuses import Status
from app.domain.tokens import Scope

Schema = dict[str, Any]

_PLACE = "#/components/schemas/{model}"
_HEADERS: Schema = {"X-Request-ID": {"$ref": "#/components/headers/RequestId"}}


def ref(name: str) -> Schema:
    """Return a reference to a schema of the document."""
    return {"$ref": _PLACE.format(model=name)}


def schemas(methods: Iterable[Method]) -> dict[str, Schema]:
    """Return the schemas of the methods' bodies and answers by name, with those of every type they use."""
    bodies = {entry.parameters for entry in methods if entry.parameters.model_fields}
    return made_of({*bodies, *(entry.answer for entry in methods), answers.Failure})


def query_parameters(query: type[Parameters]) -> list[Schema]:
    """Return the parameters of a query string."""
    return [_query_parameter(name, schema) for name, schema in made_of({query})[query.__name__]["properties"].items()]


def _query_parameter(name: str, schema: Schema) -> Schema:
    # In a query string there is no null.
    kind, _ = schema["type"]
    rest = {key: value for key, value in schema.items() if key not in ("description", "type")}
    return {"name": name, "in": "query", "description": schema["description"], "schema": {"type": kind, **rest}}


def made_of(types: Iterable[type[Any]]) -> dict[str, Schema]:
    """Return the schemas of parameters and shapes by name, with those of every type they use."""
    ordered = sorted(types, key=lambda kind: kind.__name__)
    _, whole = TypeAdapter.json_schemas(
        [(kind.__name__, "validation", TypeAdapter(kind)) for kind in ordered], ref_template=_PLACE
    )
    made: dict[str, Schema] = whole["$defs"]
    nullable = {kind.__name__ for kind in ordered if issubclass(kind, Parameters)}
    return {name: _tidy(schema, null_counts_as_left_out=name in nullable) for name, schema in sorted(made.items())}


def _tidy(schema: Schema, *, null_counts_as_left_out: bool) -> Schema:
    """Return a schema without pydantic's titles, its description one paragraph a line however a docstring was wrapped.

    In a request null counts as not given: it is allowed wherever leaving out is.
    """
    tidy = {key: value for key, value in schema.items() if key != "title"}
    if "description" in schema:
        tidy["description"] = re.sub(r"(?<!\n)\n(?!\n)", " ", schema["description"])
    if "properties" in schema:
        tidy["properties"] = {}
        for name, given in schema["properties"].items():
            described = {key: value for key, value in given.items() if key != "title"}
            left_out = null_counts_as_left_out and name not in schema.get("required", ())
            tidy["properties"][name] = _nullable(described) if left_out else described
    return tidy


def _nullable(schema: Schema) -> Schema:
    """Return a schema that takes null as well; `anyOf` only where a type alone cannot say it."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    rest = {key: value for key, value in schema.items() if key not in ("anyOf", "$ref")}
    if rest.get("default", ...) is None:
        del rest["default"]
    if "$ref" in schema:
        kinds = [{"$ref": schema["$ref"]}]
    if len(kinds) == 1 and "type" in kinds[0]:
        rest = {**kinds[0], **rest}
        kinds = []
    if kinds:
        return {"anyOf": [*kinds, {"type": "null"}], **rest}
    if "type" in rest:
        rest["type"] = [rest["type"], "null"]
    return rest


def responses(entry: Method) -> dict[str, Schema]:
    """Return the responses of a method, by HTTP status: which codes each carries, and in which schema."""

    def http(status: Status) -> HTTPStatus:
        return status.http

    made: dict[str, Schema] = {}
    every = {*entry.statuses, *(COMMON_OF_PING if entry.anonymous else COMMON)}
    for carrier, group in groupby(sorted(every, key=lambda status: (status.http, status.code, status.text)), http):
        together = list(group)
        ok = carrier is HTTPStatus.OK
        media: Schema = {"schema": _of_codes(entry.answer if ok else answers.Failure, together)}
        if ok:
            example = {"summary": "The specification's example", "value": entry.example.answer}
            media["examples"] = {"specification": example}
        headers = dict(_HEADERS)
        if ok and not entry.anonymous and entry.scope is not Scope.READ:
            headers[HEADER] = {"$ref": "#/components/headers/Version"}
        if carrier is HTTPStatus.SERVICE_UNAVAILABLE:
            headers["Retry-After"] = {"$ref": "#/components/headers/RetryAfter"}
        said = "; ".join(f"{status.code} {status.text}" for status in together)
        made[str(carrier.value)] = {"description": said, "headers": headers, "content": {"application/json": media}}
    return made


def _of_codes(answer: type[Any], together: list[Status]) -> Schema:
    """Return the schema of an answer whose status is one of these."""
    status = {
        "code": {"enum": sorted({status.code for status in together})},
        "text": {"enum": [status.text for status in together]},
    }
    return {"allOf": [ref(answer.__name__), {"properties": {"status": {"properties": status}}}]}
