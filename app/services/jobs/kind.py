"""A kind of job: what it is called, what it may be asked for, and the function that does it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from app.domain.collections import Collection
from app.domain.jobs import Outcome
from app.domain.records import Json
from app.services.context import Context
from app.services.jobs.running import Running

Parameters = dict[str, Json]


def _none(_context: Context, _collection: Collection | None, given: Mapping[str, Json]) -> Parameters:
    return dict(given)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of job.

    Attributes:
        name: lower-case letters and hyphens.
        summary: a sentence for the list of kinds.
        run: does it, from the job's position on; raises what `app.services.jobs` says.
        check: returns the parameters that are stored, or raises InvalidRequest, when the job is asked for.
        of_collection: whether it is done on a collection.
        interruptible: whether a statement that runs is broken off where the job is to stop: for index builds, which
            take long and can be begun anew, and which run on connections of `Database.session`.
        for_all: whether a token needs the scope `admin` for all collections, as for one that makes a collection.

    """

    name: str
    summary: str
    run: Callable[[Context, Running], Outcome]
    check: Callable[[Context, Collection | None, Mapping[str, Json]], Parameters] = _none
    of_collection: bool = True
    interruptible: bool = False
    for_all: bool = False
