"""Qdrant: points with vectors and payload, as `POST /collections/NAME/points/scroll` answers them."""

from functools import partial
from urllib.parse import quote

from app.domain.errors import InvalidRequest
from app.domain.jsontext import is_integer
from app.domain.records import Json
from app.services.moving.pages import Page, Source, Taken, list_of, one_vector, part_of
from app.services.moving.remote import Asked

_NAME = "Qdrant"
_PAGE = 256


def running(ask: Asked, collection: str, vector: str | None, *, vectors: bool) -> Source:
    """Return a collection of a running server; `vector` is the name of one where points have several.

    Raises:
        Unauthorized: the server does not take the key.
        InvalidRequest: it is not there, has no such collection, or its vectors are of a kind that cannot be moved.

    """
    path = f"/collections/{quote(collection, safe='')}"
    info = part_of(ask(path), "result", _NAME)
    wanted: Json = [vector] if vector else True

    def read(at: Json) -> Page:
        asked: dict[str, Json] = {"limit": _PAGE, "with_payload": True, "with_vector": wanted if vectors else False}
        result = part_of(
            ask(f"{path}/points/scroll", asked if at is None else {**asked, "offset": at}), "result", _NAME
        )
        return Page(points_of(result), result.get("next_page_offset"))

    size, metric = _vectors(info, vector) if vectors else (None, None)
    count = info.get("points_count")
    return Source(
        read, partial(point, vector, vectors=vectors), count if isinstance(count, int) else None, size, metric
    )


def points_of(result: dict[str, Json]) -> list[Json]:
    """Return the points of what scroll answers.

    Raises:
        InvalidRequest: it has none.

    """
    return list_of(result, "points", "answer of Qdrant's scroll")


def point(vector: str | None, value: Json, *, vectors: bool = True) -> Taken:
    """Return the record that a point becomes.

    Raises:
        InvalidRequest: it is no point, or has no vector that can be moved.

    """
    own = value.get("id") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not (isinstance(own, str) or is_integer(own)):
        raise InvalidRequest("this is no point: the id of one is a whole number or a UUID")
    payload = value.get("payload") or {}
    if not isinstance(payload, dict):
        raise InvalidRequest(f"the payload of point {own} is no object")
    return Taken(
        {**payload, "_id": str(own)}, one_vector(value.get("vector"), vector, f"point {own}") if vectors else None
    )


def _vectors(info: dict[str, Json], vector: str | None) -> tuple[int | None, str | None]:
    """Return dimension and metric of the vectors that are moved."""
    params = part_of(part_of(info, "config", _NAME), "params", _NAME)
    found = params.get("vectors")
    if not isinstance(found, dict) or not found:
        raise InvalidRequest(
            "the collection has no dense vectors: --embed-again moves its payloads and embeds pictures"
        )
    if "size" not in found:
        named = {name: one for name, one in found.items() if isinstance(one, dict)}
        if vector is None and len(named) == 1:
            vector = next(iter(named))
        if vector not in named:
            raise InvalidRequest(
                f"the collection has the vectors {', '.join(sorted(named))}: --vector names one of them"
            )
        found = named[vector]
    if found.get("multivector_config"):
        raise InvalidRequest("the collection has multivectors, and a record here has one vector")
    size, metric = found.get("size"), found.get("distance")
    return size if isinstance(size, int) else None, metric if isinstance(metric, str) else None
