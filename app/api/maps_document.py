"""The OpenAPI 3.1 document of maps: what is under `/maps/v1`."""

from typing import Annotated

from pydantic import Field, StrictBool

from app.api.openapi_parts import Document, answered, framed
from app.api.parsing import Parameters, QueryRecord, Text
from app.services.maps import DRAWN, OUTLIERS

_TEXT: Document = {"type": "string"}
_COUNT: Document = {"type": "integer", "minimum": 0}
_NUMBER: Document = {"type": "number"}
_NUMBER_OR_NULL: Document = {"type": ["number", "null"]}
_VERSION: Document = {"type": "string", "pattern": "^[0-9]+$", "description": "Another one with each layout."}
_FAILURE: Document = {"type": "object"}
_ERRORS = {
    "400": "402: a parameter is missing or wrong; `error_description` names it.",
    "401": "No token, or one that is not known.",
    "403": "The token may not do this.",
    "404": "There is no such collection.",
    "409": "There is no map of the present vectors, or another one than `version`.",
    "503": "The database is away; Retry-After says for how long.",
}


class ColoursParameters(Parameters):
    """What places are coloured by: one of the three."""

    field: Annotated[Text | None, Field(description="An attribute, dotted where it is within another.")] = None
    query_record: QueryRecord | None = None
    clusters: Annotated[StrictBool, Field(description="By cluster.")] = False
    version: Annotated[Text | None, Field(description="That of the points; of another map the answer is 409.")] = None


def document(root: str = "") -> Document:
    """Return the document; `root` is the path below which the server is mounted."""
    version = _parameter("version", "query", "That of the points; of another map the answer is 409.")
    k = _parameter("k", "query", f"Outliers at most, 1 to {OUTLIERS}; left out: 100.")
    place: Document = {"type": "integer", "minimum": 0, "description": "Its place in the other answers."}
    outlier = _object(id=_TEXT, place=place, x=_NUMBER, y=_NUMBER, distance=_NUMBER)
    cluster = _object(cluster=_COUNT, size=_COUNT, id=_TEXT, place=place, x=_NUMBER, y=_NUMBER)
    state = _object(layout={"type": "string", "enum": ["none", "principal", "neighbours"]}, points=_COUNT)
    state["properties"] |= {
        "version": _VERSION,
        "made_at": {"type": ["string", "null"]},
        "seed": _COUNT,
        "outdated": {"type": "boolean", "description": "Whether the vectors were made anew since."},
        "placed": {**_COUNT, "description": "Records that were put beside their neighbours after the layout."},
        "unplaced": {"type": "integer", "description": "Records that lie nowhere yet."},
        "drawn": {**_COUNT, "maximum": DRAWN, "description": "Places that `points` tells."},
    }
    ids = {"type": "array", "items": {"type": ["string", "null"]}}
    legend = {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"value": {}, "count": _COUNT, "others": _COUNT},
            "required": ["count"],
        },
    }
    colours = _object(
        version=_VERSION,
        kind={"type": "string", "enum": ["values", "numbers", "distances"]},
        legend=legend,
        low=_NUMBER_OR_NULL,
        high=_NUMBER_OR_NULL,
        shades=_COUNT,
        none=_COUNT,
        codes={"type": "string", "contentEncoding": "base64", "description": "A byte for each place; 255: none."},
    )
    coloured = _operation("mapColours", "Tells a colour for each place.", colours)
    refused = answered({}, {"422": "403: the query record has no picture that can be read."}, _FAILURE)
    coloured["responses"]["422"] = refused["422"]
    coloured["requestBody"] = {
        "required": True,
        "content": {"application/json": {"schema": ColoursParameters.model_json_schema(by_alias=True)}},
    }
    points = _operation("mapPoints", f"Sends where records lie: x, y (float32) of each of up to {DRAWN} places.", None)
    points["responses"]["200"]["headers"] = {
        "Map-Version": {"schema": _VERSION},
        "Map-Points": {"schema": _COUNT, "description": "Records on the map; more than places: these are a sample."},
    }
    paths: Document = {
        "/{name}/state": {"get": _operation("mapState", "Tells how far a map is.", state)},
        "/{name}/points": {"get": points},
        "/{name}/ids": {
            "get": _operation("mapIds", "Tells ids by place.", _object(version=_VERSION, ids=ids), version)
        },
        "/{name}/clusters": {
            "get": _operation(
                "mapClusters", "Tells the clusters.", _object(clusters={"type": "array", "items": cluster})
            )
        },
        "/{name}/outliers": {
            "get": _operation(
                "mapOutliers", "Tells the outliers.", _object(outliers={"type": "array", "items": outlier}), k
            )
        },
        "/{name}/colours": {"post": coloured},
    }
    return framed("maps", "Maps of collections. docs/map.md tells of them.", f"{root}/maps/v1", paths)


def _object(**properties: Document) -> Document:
    return {"type": "object", "properties": properties, "required": sorted(properties)}


def _parameter(name: str, place: str, description: str) -> Document:
    return {"name": name, "in": place, "required": place == "path", "description": description, "schema": _TEXT}


def _operation(name: str, summary: str, answer: Document | None, *parameters: Document) -> Document:
    binary: Document = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    return {
        "operationId": name,
        "summary": summary,
        "description": f"{summary}\n\nNeeds a token that may read.",
        "parameters": [_parameter("name", "path", "Name of the collection, or of an alias."), *parameters],
        "responses": answered(
            binary if answer is None else {"application/json": {"schema": answer}}, _ERRORS, _FAILURE
        ),
    }
