"""The screen Records: a table of a collection's records, which are filtered, sorted, edited and removed."""

from app.domain.errors import LookalikeError
from app.domain.jsontext import dumps, loads
from app.domain.records import Fields
from app.domain.refinement import Refinement
from app.services import listing
from app.services.context import Context
from app.services.search import object_of
from app.ui.page import Page, Shown

PAGE = 50
"""Records a page."""
_BATCH = 500


def view(context: Context, page: Page) -> Shown:
    """Return what the page shows before its script asks for more; without JavaScript, the records themselves."""
    plain = page.query.get("plain") == "1"
    shown = {
        "plain": plain,
        "batch": min(_BATCH, context.settings.max_records),
        "size": PAGE,
        "found": [],
        "wrong": "",
        "next": None,
    }
    if page.collection is None or not plain:
        return shown
    try:
        given = page.query.get("filter")
        filter_ = loads(given, "filter") if given else None
        first = Refinement(page_token=page.query.get("after", ""))
        found = listing.ordered(context, page.collection, Fields.of(["*"]), filter_, PAGE, first)
    except LookalikeError as error:
        return {**shown, "wrong": str(error)}
    rows = [{"id": one.id, "attributes": dumps(object_of(one.attributes))} for one in found.records]
    return {**shown, "found": rows, "next": found.beside and found.beside.page_token}
