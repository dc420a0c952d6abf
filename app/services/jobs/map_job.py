"""The job that makes the map of a collection, or puts what is new on the one that there is."""

from collections.abc import Mapping

from app.domain.collections import Collection
from app.domain.jobs import Outcome
from app.domain.records import Json
from app.services import mapping
from app.services.context import Context
from app.services.jobs.given import boolean, only, whole
from app.services.jobs.kind import Kind, Parameters
from app.services.jobs.running import Running

_MOST_PLACED = 0.2
_SEEDS = 2**31 - 1


def _check(_context: Context, _collection: Collection | None, given: Mapping[str, Json]) -> Parameters:
    only(given, "anew", "seed")
    return {"anew": boolean(given, "anew"), "seed": whole(given, "seed", 1, 0, _SEEDS)}


def _map(context: Context, job: Running) -> Outcome:
    collection = job.collection()
    making = mapping.Making(context, collection, job, int(str(job.parameters["seed"])))
    if job.position is None and not job.parameters["anew"] and mapping.only_new(context, collection, _MOST_PLACED):
        job.save({"step": "place"})
    return Outcome(making.run())


MAP = Kind(
    "map",
    "Lays the records of a collection out in a plane in which neighbours look alike; where a map is there and no more"
    " than a fifth is new, only puts new records on it, unless with `anew`; `seed` is that of what is drawn by lot.",
    _map,
    _check,
)
