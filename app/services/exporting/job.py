"""The kind of job that exports records to the export folder."""

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import cast

from app.db.exporting import Pictures, moment
from app.db.listing import Listing
from app.domain.collections import Collection
from app.domain.errors import InvalidRequest, NotFound
from app.domain.jobs import Job, Outcome, State
from app.domain.records import Fields, Json
from app.services import listing as listing_service
from app.services.context import Context
from app.services.exporting.choice import COMPRESSIONS, FORMATS, PICTURES, Choice, Compression, Format, one_of
from app.services.exporting.files import appearing, export_root, forget_partial, job_path, room_for
from app.services.exporting.writing import written
from app.services.jobs.given import boolean, only
from app.services.jobs.kind import Kind, Parameters
from app.services.jobs.running import Running


def chosen(collection: Collection, given: Mapping[str, Json]) -> tuple[Choice, Listing]:
    """Return what an export is to be, and the records that it holds.

    Args:
        collection: whose records.
        given: `format`, `compression`, `embeddings`, `pictures`, `fields` and `filter`, each None where left out.

    Raises:
        InvalidRequest: a parameter is wrong, or they do not go together.

    """
    format_ = cast("Format", one_of(given.get("format") or "jsonl", FORMATS, "format"))
    compression = cast("Compression", one_of(given.get("compression") or "none", COMPRESSIONS, "compression"))
    usual = {"jsonl": "originals", "tar": "thumbnails"}.get(format_, "none")
    pictures = cast("Pictures", one_of(given.get("pictures") or usual, PICTURES, "pictures"))
    choice = Choice(format_, compression, boolean(given, "embeddings", format_ in {"jsonl", "parquet"}), pictures)
    names = given.get("fields")
    if names is None:
        fields = Fields(everything=True)
    elif isinstance(names, list) and all(isinstance(name, str) and name for name in names):
        fields = Fields.of(cast("list[str]", names))
    else:
        raise InvalidRequest('fields: it is a list of names of attributes, as in ["price", "name"]')
    return choice.checked(), listing_service.of(collection, fields, given.get("filter"))


def _check(_context: Context, collection: Collection | None, given: Mapping[str, Json]) -> Parameters:
    only(given, "format", "compression", "embeddings", "pictures", "fields", "filter")
    if collection is not None:
        try:
            chosen(collection, given)
        except InvalidRequest as error:
            said = str(error)
            raise InvalidRequest(said if said.startswith("parameters.") else f"parameters.{said}") from None
    return {name: value for name, value in given.items() if value is not None}


def run_export(context: Context, job: Running, *, path: Path | None = None) -> Outcome:
    """Write the file anew: an export is of one moment, so that one that was interrupted cannot go on with another.

    It goes to the export folder, or to the `path` of a command, of which the outcome says nothing: it may lie anywhere.
    """
    collection = job.collection()
    choice, listing = chosen(collection, job.parameters)
    told: dict[str, Json] = {}
    room = None
    if path is None:
        path = job_path(context, collection, job.job.id, choice.ending)
        forget_partial(path)
        room = room_for(context, path)
        told["file"] = f"{collection.name}/{path.name}"
    records = bare = 0
    job.phase("counting")
    with moment(context.db, listing) as held, appearing(path, room) as file:
        job.phase("exporting", held.count())
        with closing(written(held, choice, file)) as parts:
            for chunk in parts:
                records += chunk.records
                bare += chunk.bare
                job.show(records)
                job.safe_point()
    told |= {"media_type": choice.media_type, "records": records, "bytes": path.stat().st_size}
    if choice.pictures != "none":
        told["without_picture"] = bare
    return Outcome(told)


EXPORT = Kind(
    "export",
    "Writes records to a file of JSON lines, CSV or Parquet, or a tar of pictures, in the export folder.",
    run_export,
    _check,
)


def result_of(context: Context, job: Job) -> tuple[Path, str]:
    """Return the file that an export made, and its media type.

    Raises:
        InvalidRequest: the job is no export, or is not done.
        NotFound: the file is not on this machine, or was deleted.

    """
    if job.kind != EXPORT.name:
        raise InvalidRequest(f"job {job.id} is of the kind {job.kind}: only an export has a result")
    outcome = job.outcome
    if job.state != State.DONE or not isinstance(outcome, dict):
        raise InvalidRequest(f"job {job.id} is {job.state}: its result is there once it is done")
    if "file" not in outcome:
        raise InvalidRequest(f"job {job.id} was done by a command, which wrote the file where it was told to")
    path = export_root(context) / str(outcome["file"])
    if not path.is_file():
        days = context.settings.export_days
        why = f": it is deleted {days} days after it was written (LOOKALIKE_EXPORT_DAYS)" if days else ""
        raise NotFound(f"the file of job {job.id} is not in the export folder of this server{why}")
    return path, str(outcome["media_type"])
