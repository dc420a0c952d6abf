"""The screen Search: pictures that look like a picture, refined by facets, filters and sliders."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from app.domain.collections import Collection
from app.domain.errors import LookalikeError
from app.domain.jsontext import loads
from app.domain.records import Fields, Found, Json
from app.domain.windows import Window
from app.services import kept_pictures, listing, texts
from app.services import search as service
from app.services.context import Context
from app.ui.page import Page, Shown

_PAGE = 60
# Records that one request changes or removes.
_BATCH = 100
_NO_TEXT = (
    "The model of this collection knows pictures only, so words do not find pictures here: search by a picture, or by"
    " the id of a record."
)


def view(context: Context, page: Page) -> Shown:
    """Return what the page shows before its island asks for more; without JavaScript, the pictures themselves."""
    if page.collection is None:
        return {"plain": False}
    plain = page.query.get("plain") == "1"
    shown = {
        "plain": plain,
        "plain_url": _url(page, plain="1"),
        "reads_text": texts.knows_text(context, page.collection),
        "why_no_text": _NO_TEXT,
        "most_bytes": context.settings.max_image_bytes,
        "batch": min(_BATCH, context.settings.max_records),
    }
    return {**shown, **_found(context, page, page.collection)} if plain else shown


def _found(context: Context, page: Page, collection: Collection) -> dict[str, Any]:
    words = page.query.get("words", "").strip() or _example(page.query.get("q", ""))
    shown: dict[str, Any] = {"looked_for": words, "found": [], "wrong": ""}
    try:
        given = page.query.get("filter")
        filter_ = loads(given, "filter") if given else None
        records = _records(context, collection, words, filter_)
    except LookalikeError as error:
        return {**shown, "wrong": str(error)}
    versions = kept_pictures.versions(context, collection, [one.id for one in records])
    return {**shown, "found": [_shown(page, collection, one, versions) for one in records]}


def _records(context: Context, collection: Collection, words: str, filter_: Json) -> Sequence[Found]:
    fields = Fields(names=("name",))
    if not words:
        return listing.find(context, listing.of(collection, fields, filter_), _PAGE)
    query = {"_url": words} if words.startswith(("http://", "https://")) else {"_id": words}
    window = Window(_PAGE, 0)
    asked = service.Search(context, collection, window, fields, filter_, product_field=collection.product_field)
    return service.visual_knn(asked, query).records


def _shown(page: Page, collection: Collection, one: Found, versions: dict[str, str]) -> dict[str, Any]:
    version = versions.get(one.id)
    name = service.object_of(one.attributes).get("name")
    picture = f"{page.root}/pictures/v1/{collection.name}/thumbnail?{urlencode({'id': one.id, 'v': version})}"
    return {
        "href": _url(page, plain="1", words=one.id, q=None),
        "picture": picture if version else "",
        "title": name if isinstance(name, str) and name else one.id,
        "distance": one.distance,
    }


def _example(text: str) -> str:
    kind, _, value = text.partition(":")
    return value if kind.partition("@")[0] in {"id", "url"} else ""


def _url(page: Page, **changed: str | None) -> str:
    query = {**page.query, **({"c": page.collection.name} if page.collection else {}), **changed}
    kept = {key: value for key, value in query.items() if value is not None}
    return f"{page.root}/console/search?{urlencode(kept)}"
