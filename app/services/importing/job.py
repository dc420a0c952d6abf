"""The kind of job that imports records."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from itertools import islice

from app.db import indexes
from app.db import records as record_table
from app.db.jobs import asked_for_by_others
from app.domain.collections import Collection
from app.domain.errors import ImageError, InvalidRequest
from app.domain.jobs import Outcome
from app.domain.records import Json
from app.embedding.fetch.downloads import check_url
from app.services import indexing
from app.services.context import Context
from app.services.importing.engine import Import
from app.services.importing.entries import Entry
from app.services.importing.formats import FORMATS, format_of
from app.services.importing.numbers import embedding_of
from app.services.importing.plan import Plan, checked, plan_of
from app.services.importing.sources import Located, below_root, located
from app.services.importing.tables import layout
from app.services.importing.uploads import Uploads
from app.services.jobs.kind import Kind, Parameters
from app.services.jobs.running import Running

_PREVIEWED = 10
_LOOKED_AT = 1000
# What an outcome says, in its order.
_COUNTS = ("stored", "replaced", "updated", "present", "rejected", "passed_over")


def _check(context: Context, _collection: Collection | None, given: Mapping[str, Json]) -> Parameters:
    parameters = checked(given)
    kind, value = plan_of(parameters).source
    if kind == "url":
        try:
            check_url(value, context.settings.fetch)
        except ImageError as error:
            raise InvalidRequest(f"parameters.source.url: {error}") from None
    return parameters


def _run(context: Context, job: Running) -> Outcome:
    """Import a source, then build the index where the collection has outgrown exact search."""
    plan = plan_of(job.parameters)
    collection = job.collection()
    with located(context, job, plan) as source:
        job.phase("importing")
        work = Import(context, job, collection, plan, source)
        reading = replace(plan.reading(context.settings), total=partial(job.phase, "importing"))
        read = FORMATS[format_of(source.path, plan.format)]
        work.all(read(source.path, reading, work.writer.tally.after))
    told = finished(context, job, plan, work)
    kind, name = plan.source
    if kind == "upload" and not asked_for_by_others(context.db, job.job.id, bytes.fromhex(name)):
        Uploads.of(context.settings).forget(name, job.job.created_at.timestamp())
    return Outcome(told)


def finished(context: Context, job: Running, plan: Plan, work: Import) -> dict[str, Json]:
    """Build the index where the collection has outgrown exact search; return what became of the records."""
    counts = work.writer.tally.counts
    job.phase("importing", sum(counts.values()))
    context.lookup.forget(job.collection().name)
    _index(context, job)
    told: dict[str, Json] = {name: counts[name] for name in _COUNTS}
    told["unchanged"] = work.writer.unchanged
    if plan.near_duplicates != "keep":
        told["near_duplicates"] = work.writer.near_duplicates
        told["near_duplicates_named"] = list(work.writer.near)
    return told


def _index(context: Context, job: Running) -> None:
    collection = job.collection()
    if collection.indexed or not indexes.holds_more(context.db, collection, context.settings.index_rows):
        return
    job.phase("building the index")
    rows = record_table.count(context.db, collection)

    def look() -> None:
        found = indexes.progress(context.db, collection)
        if found is not None:
            job.advance(indexed=min(rows, found["tuples_done"]))

    job.follow(look)
    try:
        while not collection.indexed and not indexing.build_if_needed(context, collection):
            job.sleep(1.0)  # another process is building it
            collection = job.collection()
    finally:
        job.follow(None)
    job.advance(indexed=rows)


IMPORT = Kind(
    "import",
    "Imports records from a file, a folder, an archive or a URL.",
    _run,
    _check,
    interruptible=True,
)


def preview(context: Context, collection: Collection, parameters: Mapping[str, Json], source: Located) -> Json:
    """Return how a source would be read: its format, layout and first records; nothing is written.

    Args:
        context: the services.
        collection: where it would be stored.
        parameters: those of the job.
        source: where it lies.

    Raises:
        InvalidRequest: a parameter is wrong, or it cannot be read at all.

    """
    plan = plan_of(checked(parameters))
    reading = plan.reading(context.settings)
    name = format_of(source.path, plan.format)
    found: dict[str, Json] = {"format": name}
    after: Json = None
    if name == "csv":
        how = layout(source.path, reading, _LOOKED_AT).told()
        found |= how
        after = {"line": 0, "layout": how}
    entries = islice(FORMATS[name](source.path, reading, after), _PREVIEWED)
    found["records"] = [_previewed(collection, plan, entry) for entry in entries]
    return found


def _previewed(collection: Collection, plan: Plan, entry: Entry) -> Json:
    try:
        if isinstance(entry.record, InvalidRequest):
            raise entry.record
        record = plan.fields.of(entry.record)
        vector = embedding_of(record.pop("_embedding", None), entry.vector, collection)
        if isinstance(base64 := record.get("_base64"), str):
            record["_base64"] = f"{len(base64)} characters"
        told: dict[str, Json] = {"line": entry.line, "record": record, "embedding": vector is not None}
    except InvalidRequest as error:
        return {"line": entry.line, "reason": str(error)}
    return told


def checked_source(context: Context, parameters: Mapping[str, Json]) -> Located:
    """Return the source that lies below the files root or among the uploads, before a job is made.

    Raises:
        InvalidRequest: it is not there.

    """
    source = parameters.get("source")
    if isinstance(source, dict) and isinstance(name := source.get("path"), str):
        path = below_root(context.settings, name)
        return Located(path, path if path.is_dir() else path.parent)
    if isinstance(source, dict) and isinstance(name := source.get("upload"), str):
        return Located(Uploads.of(context.settings).path(name))
    raise InvalidRequest("a preview is made of a path or an upload")
