"""The OpenAPI 3.1 document of duplicates: what is under `/duplicates/v1`, made from the table of its views."""

from collections.abc import Mapping

from app.api.openapi_parts import Document
from app.api.views import View
from app.api.views_document import described

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
    said = "Near duplicates are reviewed and decided about. docs/near-duplicates.md tells of it."
    return described("duplicates", said, f"{root}/duplicates/v1", views, _ERRORS)
