"""Where the source of an import lies: below the files root, among the uploads, or at a URL that is fetched first."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from app.config import Settings
from app.domain.errors import InvalidRequest
from app.domain.records import Json
from app.embedding.fetch.downloads import download
from app.embedding.fetch.patience import PatientHosts
from app.services.context import Context
from app.services.importing.plan import Plan
from app.services.importing.uploads import Uploads, writing
from app.services.jobs.running import Running


class Origin(Protocol):
    """Where records come from."""

    @property
    def beside(self) -> Path | None:
        """The folder that relative names of pictures begin at, if there is one."""

    def facts(self) -> Json:
        """Return what tells it from another one."""


@dataclass(frozen=True, slots=True)
class Located:
    """A source on this machine; `beside`: the folder that relative names of pictures begin at."""

    path: Path
    beside: Path | None = None

    def facts(self) -> Json:
        """Return what tells the file from another one, or from what it was before somebody changed it."""
        if self.path.is_dir():
            return {"folder": str(self.path)}
        found = self.path.stat()
        return {"bytes": found.st_size, "changed": found.st_mtime_ns}


def below_root(settings: Settings, name: str) -> Path:
    """Return a path below the files root.

    Raises:
        InvalidRequest: there is no files root, or no such file or folder below it.

    """
    root = settings.files_root
    if root is None:
        raise InvalidRequest("this server opens no files (LOOKALIKE_FILES_ROOT is not set): send the file, or its URL")
    try:
        path = (root / name).resolve()
        if path.is_relative_to(root.resolve()) and path.exists():
            check_readable(path, name)
            return path
    except (OSError, ValueError, RuntimeError):
        pass
    raise InvalidRequest(f"there is no file or folder {name[:200]!r} below the files root of this server")


def check_readable(path: Path, name: str) -> None:
    """Check that a file or folder can be read.

    Raises:
        InvalidRequest: it is not there, or may not be read; the message calls it by the name that was given.

    """
    if not path.exists():
        raise InvalidRequest(f"there is no file or folder {name[:200]!r}")
    if not (path.is_file() or path.is_dir()):
        raise InvalidRequest(f"{name[:200]!r} is neither a file nor a folder")
    if not os.access(path, os.R_OK | (os.X_OK if path.is_dir() else 0)):
        raise InvalidRequest(f"{name[:200]!r} may not be read: permission denied")


@contextmanager
def located(context: Context, job: Running, plan: Plan) -> Iterator[Located]:
    """Have the source at hand, and delete at a good end what was fetched or sent.

    Raises:
        InvalidRequest: it is not there.

    """
    kind, value = plan.source
    uploads = Uploads.of(context.settings)
    if kind == "path":
        path = Path(value) if job.job.local else below_root(context.settings, value)
        check_readable(path, value)
        yield Located(path, path if path.is_dir() else path.parent)
    elif kind == "upload":
        yield Located(uploads.path(value))
    else:
        path = uploads.download(f"job-{job.job.id}")
        if not path.exists():
            job.phase("fetching the source")
            most = context.settings.max_upload_bytes
            hosts = PatientHosts(context.settings.fetch.patience, 1, job.sleep)
            with writing():
                hosts.call(value, partial(download, value, context.settings.fetch, path, most, job.safe_point))
        yield Located(path)
        path.unlink(missing_ok=True)
