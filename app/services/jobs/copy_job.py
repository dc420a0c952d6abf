"""The job that copies a collection."""

from collections.abc import Mapping

from app.db import records as record_table
from app.domain.collections import Collection
from app.domain.jobs import Outcome
from app.domain.records import Json
from app.services import copying
from app.services.context import Context
from app.services.jobs.given import only, text
from app.services.jobs.kind import Kind, Parameters
from app.services.jobs.running import Running


def _check(context: Context, _collection: Collection | None, given: Mapping[str, Json]) -> Parameters:
    only(given, "to")
    to = text(given, "to")
    copying.check_target(context, to)
    return {"to": to}


def _run(context: Context, job: Running) -> Outcome:
    made = copying.copy(context, job, job.collection(), str(job.parameters["to"]))
    records = record_table.count(context.db, made)
    job.show(records, records, indexed=records if made.indexed else 0)
    return Outcome({"collection": made.name, "records": records, "indexed": made.indexed})


COPY = Kind(
    "copy",
    "Copies a collection, as of one moment, to a new one of the name `to`: records, vectors, thumbnails, kept pictures,"
    " settings, and the same indexes.",
    _run,
    _check,
    interruptible=True,
    for_all=True,
)
