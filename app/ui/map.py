"""The screen Map: the pictures of a collection in a plane; without JavaScript its clusters and outliers as lists."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from app.domain.collections import Collection
from app.domain.errors import LookalikeError
from app.services import kept_pictures, maps
from app.services.context import Context
from app.services.maps import Cluster, Outlier
from app.ui.page import Page, Shown

_OUTLIERS = 50


def view(context: Context, page: Page) -> Shown:
    """Return what the page shows before its island asks for more; without JavaScript, the lists themselves."""
    plain = page.query.get("plain") == "1"
    shown: dict[str, Any] = {"plain": plain, "wrong": "", "clusters": [], "outliers": []}
    if page.collection is None or not plain:
        return shown
    try:
        clusters = maps.clusters(context, page.collection)
        outliers = maps.outliers(context, page.collection, _OUTLIERS)
    except LookalikeError as error:
        return {**shown, "wrong": str(error)}
    ids = [one.id for one in clusters] + [one.id for one in outliers]
    versions = kept_pictures.versions(context, page.collection, ids)
    return {
        **shown,
        "clusters": _rows(page, page.collection, clusters, versions),
        "outliers": _rows(page, page.collection, outliers, versions),
    }


def _rows(
    page: Page, collection: Collection, some: Sequence[Cluster | Outlier], versions: dict[str, str]
) -> list[dict[str, Any]]:
    """Return what the lists show of records: a picture, the size or the distance, and where it leads to."""
    return [
        {
            "id": one.id,
            "picture": _picture(page, collection, one.id, versions),
            "href": f"{page.root}/console/search?{urlencode({'c': collection.name, 'words': one.id, 'plain': 1})}",
            "note": f"{one.size} pictures" if isinstance(one, Cluster) else f"{one.distance:.1f}",
        }
        for one in some
    ]


def _picture(page: Page, collection: Collection, record_id: str, versions: dict[str, str]) -> str:
    version = versions.get(record_id)
    asked = urlencode({"id": record_id, "v": version})
    return f"{page.root}/pictures/v1/{collection.name}/thumbnail?{asked}" if version else ""
