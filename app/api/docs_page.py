"""The documentation page shows what is taken out of the OpenAPI document here."""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from app.api.methods import COMMON, TAGS, Method
from app.api.openapi import Document, documented
from app.domain.statuses import Status


@dataclass(frozen=True, slots=True)
class Row:
    """One parameter, or one field of an object. `link` names the object that it is made of, if any."""

    name: str
    kind: str
    link: str
    required: bool
    default: str
    description: str


@dataclass(frozen=True, slots=True)
class MethodPage:
    """One method as the page shows it."""

    name: str
    verbs: tuple[str, ...]
    summary: str
    needs: str
    parameters: list[Row]
    query: list[Row]
    statuses: tuple[Status, ...]
    fields: list[Row]
    curl: str
    answer: str


@dataclass(frozen=True, slots=True)
class Page:
    """The whole page."""

    title: str
    version: str
    description: list[str]
    services: list[tuple[str, list[str]]]
    groups: list[tuple[str, str, list[MethodPage]]]
    objects: list[tuple[str, str, list[Row]]]
    statuses: tuple[Status, ...]


# Objects that a reader needs beside the methods, in the order of the page.
_OBJECTS = ("Record", "RecordId", "QueryRecord", "Filter", "Status", "Statistics", "AnswerRecord", "SkippedRecord")

# Parameters that nobody should need stand below the others.
_LAST = ("cand_set_size", "approx_param")


def page(document: Document, url: str) -> Page:
    """Return the page of a document; `url` is the server's, for the example calls."""
    groups = [
        (tag, said, [_method(document, entry, url) for entry in documented() if entry.tag == tag])
        for tag, said in TAGS.items()
    ]
    schemas = document["components"]["schemas"]
    return Page(
        title=document["info"]["title"],
        version=document["info"]["version"],
        description=document["info"]["description"].split("\n\n"),
        services=_services(document["servers"]),
        groups=groups,
        objects=[(name, schemas[name]["description"], _fields(schemas, schemas[name])) for name in _OBJECTS],
        statuses=tuple(sorted(COMMON, key=lambda status: (status.http, status.code))),
    )


def _services(servers: Iterable[Document]) -> list[tuple[str, list[str]]]:
    together: dict[str, list[str]] = {}
    for server in servers:
        together.setdefault(server["description"], []).append(server["url"])
    return list(together.items())


def _method(document: Document, entry: Method, url: str) -> MethodPage:
    path = f"/{entry.name}"
    operations = document["paths"][path]
    operation = operations["post"]
    schemas = document["components"]["schemas"]
    media = operation.get("requestBody", {}).get("content", {}).get("application/json")
    parameters = _fields(schemas, _resolved(schemas, media["schema"])) if media else []
    query = [given for given in operation["parameters"] if given.get("in") == "query"]
    _, _, needs = operation["description"].partition("\n\n")
    return MethodPage(
        name=entry.name,
        verbs=tuple(verb.upper() for verb in operations),
        summary=operation["summary"],
        needs=needs,
        parameters=sorted(parameters, key=lambda row: (not row.required, row.name in _LAST)),
        query=[_query_row(given) for given in query],
        statuses=tuple(sorted(entry.statuses, key=lambda status: (status.http, status.code))),
        fields=[
            row for row in _fields(schemas, schemas[entry.answer.__name__]) if row.name not in ("status", "statistics")
        ],
        curl=_curl(f"{url}{document['servers'][0]['url']}{path}", operation, media),
        answer=_written(entry.example.answer),
    )


def _curl(url: str, operation: Document, media: Document | None) -> str:
    query = [given for given in operation["parameters"] if "example" in given]
    if query:
        url += "?" + "&".join(f"{given['name']}={given['example']}" for given in query)
    parts = [f"curl {shlex.quote(url)}"]
    if operation.get("security") != []:
        parts += ["-H 'Authorization: Token YOUR_API_TOKEN'", "-H 'collection-id: YOUR_COLLECTION'"]
    if media is not None and "examples" in media:
        parts.append("-H 'Content-Type: application/json'")
        parts.append(f"-d {shlex.quote(_written(media['examples']['specification']['value']))}")
    return " \\\n  ".join(parts)


def _written(value: object, indent: int = 0, taken: int = 0) -> str:
    """Return JSON for reading: what fits into a line stands on one; `taken` is what its key takes of it."""
    short = _short(value)
    if len(short) + indent + taken <= 50 or not isinstance(value, dict | list) or not value:
        return short
    margin = " " * (indent + 2)
    if isinstance(value, list):
        return "[\n" + ",\n".join(margin + _written(item, indent + 2) for item in value) + "\n" + " " * indent + "]"
    lines = (f"{margin}{_short(key)}: {_written(item, indent + 2, len(key) + 4)}" for key, item in value.items())
    return "{\n" + ",\n".join(lines) + "\n" + " " * indent + "}"


def _short(value: object) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_short, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_short(key)}: {_short(item)}" for key, item in value.items()) + "}"
    return orjson.dumps(value).decode()


def _resolved(schemas: Document, schema: Document) -> Document:
    resolved: Document = schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    return resolved


def _fields(schemas: Document, schema: Document) -> list[Row]:
    required = schema.get("required", [])
    return [
        _row(name, _resolved_wording(schemas, shape), shape, required=name in required)
        for name, shape in schema.get("properties", {}).items()
    ]


def _resolved_wording(schemas: Document, schema: Document) -> Document:
    """Return a schema with the values of an enumeration written out, so that the row can name them."""
    for kind in (schema, *schema.get("anyOf", ())):
        target = _resolved(schemas, kind)
        if "enum" in target:
            return {**schema, "enum": target["enum"]}
    return schema


def _query_row(given: Document) -> Row:
    return _row(given["name"], given["schema"] | {"description": given["description"]}, given["schema"], required=False)


def _row(name: str, schema: Document, raw: Document, *, required: bool) -> Row:
    kind, link = _kind(schema)
    default = _short(raw["default"]) if "default" in raw else ""
    return Row(name, kind, link, required, default, schema.get("description", ""))


def _kind(schema: Document) -> tuple[str, str]:
    """Return the type in words, and the object to link to. Null says nothing more than leaving out does."""
    if "enum" in schema:
        return " | ".join(map(_short, schema["enum"])), ""
    if "anyOf" in schema:
        return _kind(schema["anyOf"][0])
    if "$ref" in schema:
        named = schema["$ref"].rpartition("/")[2]
        return (named, named) if named in _OBJECTS else ("object", "")
    types: Any = schema.get("type", "any")
    word = next(kind for kind in types if kind != "null") if isinstance(types, list) else types
    if word == "array":
        inner, link = _kind(schema["items"])
        return f"array of {inner}", link
    return f"{word}{_bounds(schema)}", ""


def _bounds(schema: Document) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    # The largest 32-bit number is a limit of the machine, which tells a reader nothing.
    high = None if high == 2**31 - 1 else high
    if low is None and high is None:
        return ""
    return f" {low} to {high}" if high is not None else f" ≥ {low}"
