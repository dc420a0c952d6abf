"""The kind of job that moves records here from another engine; only the command line begins one.

The token of the source is nowhere stored: the process that runs the job holds it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from app.domain.collections import Collection
from app.domain.errors import InvalidRequest
from app.domain.jobs import Outcome
from app.domain.records import Json
from app.services.context import Context
from app.services.importing.engine import Import
from app.services.importing.job import finished
from app.services.importing.plan import checked, plan_of
from app.services.jobs.given import boolean, optional_text, text
from app.services.jobs.kind import Kind, Parameters
from app.services.jobs.running import Running
from app.services.moving import NAME, qdrant, weaviate, ximilar
from app.services.moving.dumps import dump
from app.services.moving.pages import Source
from app.services.moving.remote import remote

ENGINES = ("ximilar", "qdrant", "weaviate")
"""What records are moved from: the visual search API itself, and other engines."""
_OWN = ("from", "source_collection", "vector", "embed_again")
_SERVERS = ("http://", "https://")


@dataclass(frozen=True, slots=True)
class _From:
    """Where records are moved from: the origin of an import."""

    engine: str
    place: str
    collection: str | None
    vector: str | None
    vectors: bool
    beside: Path | None = None

    def facts(self) -> Json:
        """Return what tells it from another one."""
        return {"engine": self.engine, "place": self.place, "collection": self.collection, "vector": self.vector}


def kind(token: str | None = None) -> Kind:
    """Return the kind of job, with the token that the source asks for."""
    return Kind(NAME, "Moves records here from another engine.", partial(_run, token), _check, interruptible=True)


def _check(_context: Context, _collection: Collection | None, given: Mapping[str, Json]) -> Parameters:
    source = given.get("source")
    place = source.get("url") or source.get("path") if isinstance(source, dict) else None
    if given.get("from") not in ENGINES or not isinstance(place, str):
        raise InvalidRequest(f"parameters.from: it is one of {', '.join(ENGINES)}, with a URL or a file")
    if place.startswith(_SERVERS) and "@" in place:
        raise InvalidRequest("parameters.source: the URL names no user: the token is given apart (--token)")
    if place.startswith(_SERVERS) and given.get("source_collection") is None:
        raise InvalidRequest("parameters.source_collection: it names the collection there")
    own: Parameters = {"from": text(given, "from"), "embed_again": boolean(given, "embed_again")}
    own |= {name: optional_text(given, name) for name in ("source_collection", "vector")}
    rest = {name: value for name, value in given.items() if name not in _OWN}
    return {**checked(rest), **own}


def _run(token: str | None, context: Context, job: Running) -> Outcome:
    """Move records, then build the index where the collection has outgrown exact search."""
    asked = job.parameters
    plan = plan_of({name: value for name, value in asked.items() if name not in _OWN})
    collection = job.collection()
    vectors = asked["from"] != "ximilar" and not asked["embed_again"]
    place = _From(
        str(asked["from"]),
        plan.source[1],
        optional_text(asked, "source_collection"),
        optional_text(asked, "vector"),
        vectors,
    )
    source = _source(place, token)
    if vectors and source.dimensions not in (None, collection.dimensions):
        raise InvalidRequest(
            f"the vectors there have {source.dimensions} dimensions, those of {collection.name}"
            f" {collection.dimensions}: make a collection of the model that made them, or embed the pictures"
            " again (--embed-again)"
        )
    job.phase("moving", source.count)
    work = Import(context, job, collection, plan, place)
    work.all(source.entries(work.writer.tally.after, vectors=vectors))
    told = finished(context, job, plan, work)
    note = source.note() if vectors else None
    return Outcome(told if note is None else {**told, "note": note})


def _source(place: _From, token: str | None) -> Source:
    running = place.place.startswith(_SERVERS)
    path, name, vector, vectors = Path(place.place), place.collection or "", place.vector, place.vectors
    match place.engine:
        case "qdrant":
            if not running:
                return dump(path, qdrant.points_of, ("result",), partial(qdrant.point, vector, vectors=vectors))
            return qdrant.running(remote(place.place, _header("api-key", token)), name, vector, vectors=vectors)
        case "weaviate":
            if not running:
                return dump(path, weaviate.objects_of, (), partial(weaviate.thing, vector, vectors=vectors))
            ask = remote(place.place, _header("Authorization", token, "Bearer "))
            return weaviate.running(ask, name, vector, vectors=vectors)
        case _:
            if not running:
                raise InvalidRequest("a file of the API's own records is imported as it is, without --from")
            headers = {"collection-id": name, **_header("Authorization", token, "Token ")}
            return ximilar.running(remote(place.place, headers))


def _header(name: str, token: str | None, before: str = "") -> dict[str, str]:
    return {name: before + token} if token else {}
