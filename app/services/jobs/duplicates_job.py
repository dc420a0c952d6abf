"""The job that looks for all pairs of records that show the same picture."""

from collections.abc import Mapping

from app.domain.collections import Collection
from app.domain.errors import InvalidRequest
from app.domain.jobs import Outcome
from app.domain.records import Fields, Json
from app.services import listing, pairs
from app.services.context import Context
from app.services.jobs.given import number, only, whole
from app.services.jobs.kind import Kind, Parameters
from app.services.jobs.running import Running

_MOST = 100_000
_RADIUS, _PAIRS = 5.0, 10_000


def _check(_context: Context, collection: Collection | None, given: Mapping[str, Json]) -> Parameters:
    only(given, "radius", "limit", "filter")
    if collection is None:
        raise InvalidRequest("name the collection")
    listing.of(collection, Fields(), given.get("filter"))
    return {
        "radius": number(given, "radius", _RADIUS, 0, 1e9),
        "limit": whole(given, "limit", _PAIRS, 1, _MOST),
        "filter": given.get("filter"),
    }


def _run(context: Context, job: Running) -> Outcome:
    asked = job.parameters
    chosen = listing.of(job.collection(), Fields(), asked.get("filter"))
    job.phase("comparing records")

    def tell(done: int, total: int) -> None:
        job.phase("comparing records", total)
        job.advance(done)
        job.safe_point()

    radius = number(asked, "radius", _RADIUS, 0, 1e9)
    found = pairs.all_pairs(context, chosen, radius, whole(asked, "limit", _PAIRS, 1, _MOST), tell)
    return Outcome({"pairs": [{"records": list(one.ids), "distance": round(one.distance, 6)} for one in found]})


DUPLICATES = Kind(
    "duplicates",
    "Looks for the pairs of records within `radius` (5.0), the `limit` (10,000) nearest, of those that satisfy"
    " `filter`; they are its outcome.",
    _run,
    _check,
)
