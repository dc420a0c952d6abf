"""The screen Try it: a request beside its answer, for every method of the API."""

from app.services.context import Context
from app.ui.page import Page, Shown

DOCUMENTS = {
    "search": "/openapi.json",
    "duplicates": "/duplicates/v1/openapi.json",
    "jobs": "/jobs/v1/openapi.json",
    "maps": "/maps/v1/openapi.json",
    "pictures": "/pictures/v1/openapi.json",
    "administration": "/admin/v1/openapi.json",
}
"""The OpenAPI documents of the server, by what they are about."""


def view(_context: Context, _page: Page) -> Shown:
    """Return the documents that the forms are made of."""
    return {"documents": DOCUMENTS}
