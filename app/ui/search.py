"""The screen Search: pictures that look like a picture, refined by facets, filters and sliders."""

from app.services.context import Context
from app.ui.page import Page, Shown


def view(_context: Context, _page: Page) -> Shown:
    """Return what the page shows before its island asks for more."""
    return {}
