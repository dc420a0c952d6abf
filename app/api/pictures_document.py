"""The OpenAPI 3.1 document of pictures: what is under `/pictures/v1`."""

from typing import Annotated

from pydantic import Field

from app.api.openapi_parts import Document, answered, framed
from app.api.parsing import Parameters, Text
from app.services.kept_pictures import MOST_VERSIONS

_TEXT: Document = {"type": "string"}
_ERRORS = {
    "400": "402: a parameter is missing or wrong; `error_description` names it.",
    "401": "No token, or one that is not known.",
    "403": "The token may not do this.",
    "404": "There is no such collection or record, or no picture of it is kept.",
    "503": "The database is away; Retry-After says for how long.",
}


class VersionsParameters(Parameters):
    """Records whose thumbnails are asked for."""

    records: Annotated[list[Text], Field(max_length=MOST_VERSIONS, description="The records, by `_id`.")]


def document(root: str = "") -> Document:
    """Return the document; `root` is the path below which the server is mounted."""
    name = _parameter("name", "path", "Name of the collection, or of an alias.")
    record = _parameter("id", "query", "`_id` of the record.", required=True)
    version = _parameter("v", "query", "Version of the thumbnail. An answer of that one may be kept for good.")
    number = _parameter("number", "query", "Number of the record in the trash.", required=True)
    header = _parameter("collection-id", "header", "Name of the collection, or of an alias.", required=True)
    asked = {"type": "object", "properties": {"records": {"type": "array", "items": _TEXT, "maxItems": MOST_VERSIONS}}}
    told = {"type": "object", "properties": {"thumbnails": {"type": "object", "additionalProperties": _TEXT}}}
    versions = _operation("thumbnailVersions", "Tells the versions of thumbnails.", {"application/json": told}, header)
    versions["requestBody"] = {"required": True, "content": {"application/json": {"schema": asked}}}
    paths: Document = {
        "/versions": {"post": versions},
        "/{name}/thumbnail": {
            "get": _operation("getThumbnail", "Sends a thumbnail.", {"image/webp": {}}, name, record, version)
        },
        "/{name}/trashed": {
            "get": _operation(
                "getTrashed", "Sends the thumbnail of a record in the trash.", {"image/webp": {}}, name, number
            )
        },
        "/{name}/original": {
            "get": _operation("getOriginal", "Sends a picture as it came.", {"image/*": {}}, name, record)
        },
    }
    about = "Thumbnails and kept originals of stored records. docs/pictures.md tells of them."
    return framed("pictures", about, f"{root}/pictures/v1", paths)


def _parameter(name: str, place: str, description: str, *, required: bool = False) -> Document:
    needed = required or place == "path"
    return {"name": name, "in": place, "required": needed, "description": description, "schema": _TEXT}


def _operation(name: str, summary: str, content: dict[str, Document], *parameters: Document) -> Document:
    shown = {media: {"schema": schema} if schema else {} for media, schema in content.items()}
    return {
        "operationId": name,
        "summary": summary,
        "description": f"{summary}\n\nNeeds a token that may read.",
        "parameters": list(parameters),
        "responses": answered(shown, _ERRORS, {"type": "object"}),
    }
