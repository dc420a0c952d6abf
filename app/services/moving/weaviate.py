"""Weaviate: objects with properties and vectors, as `GET /v1/objects?class=NAME&after=ID` lists them."""

from functools import partial
from urllib.parse import urlencode

from app.domain.errors import InvalidRequest
from app.domain.records import Json
from app.services.moving.pages import Page, Source, Taken, list_of, one_vector
from app.services.moving.remote import Asked

_PAGE = 256
# Objects are listed by their ids from one on only if an id is given: this lies before all of them.
_FIRST = "00000000-0000-0000-0000-000000000000"


def running(ask: Asked, collection: str, vector: str | None, *, vectors: bool) -> Source:
    """Return a collection (a class) of a running server; `vector` is the name of one where objects have several.

    Raises:
        Unauthorized: the server does not take the key.
        InvalidRequest: it is not there, or has no such collection.

    """
    about = ask(f"/v1/schema/{urlencode({'': collection})[1:]}")

    def read(at: Json) -> Page:
        asked = {"class": collection, "limit": _PAGE, "after": at if isinstance(at, str) else _FIRST}
        objects = objects_of(ask(f"/v1/objects?{urlencode(asked | ({'include': 'vector'} if vectors else {}))}"))
        last = objects[-1] if objects else None
        return Page(objects, last.get("id") if isinstance(last, dict) else None)

    return Source(read, partial(thing, vector, vectors=vectors), metric=_metric(about, vector))


def objects_of(answer: dict[str, Json]) -> list[Json]:
    """Return the objects of a list.

    Raises:
        InvalidRequest: it has none.

    """
    return list_of(answer, "objects", "list of Weaviate's objects")


def thing(vector: str | None, value: Json, *, vectors: bool = True) -> Taken:
    """Return the record that an object becomes; references to other objects stay as they are written.

    Raises:
        InvalidRequest: it is no object, or has no vector that can be moved.

    """
    own = value.get("id") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(own, str):
        raise InvalidRequest("this is no object: the id of one is a UUID")
    properties = value.get("properties") or {}
    if not isinstance(properties, dict):
        raise InvalidRequest(f"the properties of object {own} are no JSON object")
    found = None
    if vectors:
        several = value.get("vectors")
        found = one_vector(several or value.get("vector"), vector, f"object {own}")
    return Taken({**properties, "_id": own}, found)


def _metric(about: dict[str, Json], vector: str | None) -> str | None:
    """Return the distance of a class, where its index says it; without a word it is the cosine."""
    several = about.get("vectorConfig")
    if isinstance(several, dict) and several:
        one = several.get(vector) if vector else next(value for value in several.values())
        about = one if isinstance(one, dict) else {}
    config = about.get("vectorIndexConfig")
    metric = config.get("distance") if isinstance(config, dict) else None
    return metric if isinstance(metric, str) else None
