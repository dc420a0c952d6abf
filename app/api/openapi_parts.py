"""What the OpenAPI 3.1 documents of jobs, duplicates and pictures have in common: their frame, and their refusals."""

from collections.abc import Mapping
from typing import Any

from app.version import __version__

Document = dict[str, Any]

_TOKEN: Document = {
    "type": "apiKey",
    "in": "header",
    "name": "Authorization",
    "description": "The word `Token`, a space, and your API token.",
}


def framed(name: str, description: str, url: str, paths: Document, components: Document | None = None) -> Document:
    """Return a whole document.

    Args:
        name: what it is about, as in its title.
        description: a sentence on that, and where more is told.
        url: the prefix of its paths, with the path below which the server is mounted.
        paths: its operations.
        components: what they refer to, beside the token.

    """
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"Lookalike: {name}",
            "version": __version__,
            "description": description,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": url}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {**(components or {}), "securitySchemes": {"token": _TOKEN}},
    }


def answered(content: Document, errors: Mapping[str, str], failure: Document) -> Document:
    """Return the responses of an operation: its answer by media type, and a failure by HTTP status."""
    refused = {"application/json": {"schema": failure}}
    return {
        "200": {"description": "Done.", "content": content},
        **{code: {"description": said, "content": refused} for code, said in errors.items()},
    }
