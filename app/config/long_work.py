"""Settings of what takes long: jobs, and the files that they write."""

from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode

from app.config.values import FilePath, parts


class LongWork(BaseSettings):
    """The part of the settings that is about jobs, exports and backups."""

    export_folder: FilePath | None = Field(
        default=None,
        description="Folder that `allRecords` and export jobs write their files to; unset: `exports` in "
        "LOOKALIKE_HOME.",
    )
    backup_folder: FilePath | None = Field(
        default=None, description="Folder that backups are written to; unset: `backups` in LOOKALIKE_HOME."
    )
    backups_kept: int = Field(
        default=7,
        ge=0,
        le=10_000,
        description="Backups that are kept in the folder, the last verified one always; 0: all.",
    )
    backup_hours: int = Field(
        default=0,
        ge=0,
        le=8760,
        description="Hours after which a server has a job take the next backup, and verify it where an embedded server "
        "can be had; 0: never.",
    )
    export_days: int = Field(
        default=30, ge=0, le=36_500, description="Days after which the file of an export job is deleted; 0: never."
    )

    warm: Annotated[tuple[str, ...], NoDecode, BeforeValidator(parts)] = Field(
        default=(),
        description="Collections that a server reads into memory at its start, in the background: their names, "
        "separated by commas (or as JSON), or all; unset: none.",
        json_schema_extra={"allowed": "names of collections separated by commas, or all"},
    )

    job_workers: int = Field(
        default=1,
        ge=0,
        le=64,
        description="Jobs that a server does at the same time, beside its requests; 0: none, `lookalike worker` does "
        "them.",
    )
    job_watchers: int = Field(
        default=32,
        ge=1,
        le=1000,
        description="Requests that may wait for a job or follow one at the same time; further ones are answered at "
        "once.",
    )
    job_days: int = Field(
        default=30, ge=1, le=36_500, description="Days after which a job that has ended is forgotten, with its rejects."
    )
