"""The table of kinds of jobs."""

from app.services.exporting.job import EXPORT
from app.services.importing.job import IMPORT
from app.services.jobs.backup_job import BACKUP
from app.services.jobs.bulk_jobs import LOAD, UPDATE
from app.services.jobs.copy_job import COPY
from app.services.jobs.duplicate_jobs import DUPLICATE_APPLY, DUPLICATE_SCAN
from app.services.jobs.index_jobs import FIELD_INDEX, INDEX
from app.services.jobs.kind import Kind
from app.services.jobs.map_job import MAP
from app.services.jobs.reembed_job import REEMBED

_ALL = (INDEX, FIELD_INDEX, REEMBED, MAP, COPY, DUPLICATE_SCAN, DUPLICATE_APPLY, IMPORT, EXPORT, LOAD, UPDATE, BACKUP)

KINDS: dict[str, Kind] = {kind.name: kind for kind in _ALL}
