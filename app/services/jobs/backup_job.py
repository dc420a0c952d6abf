"""The job that takes a backup of the whole database."""

from collections.abc import Mapping

from app.domain.collections import Collection
from app.domain.errors import ConfigurationError
from app.domain.jobs import Outcome
from app.domain.records import Json
from app.services.backups import Backups, folder_of
from app.services.context import Context
from app.services.jobs.given import boolean, only
from app.services.jobs.kind import Kind, Parameters
from app.services.jobs.running import Running


def _check(_context: Context, _collection: Collection | None, given: Mapping[str, Json]) -> Parameters:
    only(given, "verify")
    return {"verify": boolean(given, "verify")}


def _run(context: Context, job: Running) -> Outcome:
    backups = Backups(folder_of(context.settings))
    url = context.db.admin_url
    made = backups.create(url, context.settings.backups_kept, job.phase)
    job.advance(made.records)
    if job.parameters.get("verify"):
        made = backups.verify(made, step=job.phase)
        backups.note_verified(url, made)
        if made.differences:
            raise ConfigurationError(f"backup {made.name} differs once restored: {'; '.join(made.differences)}")
    verified = made.verified_at is not None
    return Outcome(
        {
            "backup": made.name,
            "place": backups.place,
            "bytes": made.bytes,
            "records": made.records,
            "verified": verified,
        }
    )


BACKUP = Kind(
    "backup",
    "Takes a backup of the whole database into the backup folder of the machine that does it; with `verify`, it is"
    " restored into a scratch database and compared.",
    _run,
    _check,
    of_collection=False,
)
