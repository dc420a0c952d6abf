"""The files that exports are: in the export folder, which has an end, and there only once they are whole."""

import errno
import glob
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, BinaryIO, cast

from app.domain.collections import Collection
from app.domain.errors import InvalidRequest
from app.services.context import Context

# Files of jobs, whole or as a process that was killed left them: nothing else may have such a name.
_OF_JOBS = re.compile(r"\.?job-[0-9]+\.")
_DAY_SECONDS = 24 * 60 * 60
FULL = "the export folder holds all that it may; whoever looks after the server can empty it"
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def export_path(context: Context, collection: Collection, name: str) -> Path:
    """Return where an export of this name is written: in the collection's own folder, which it cannot leave.

    Raises:
        InvalidRequest: it is not the plain name of a file, or one that a job's file may have.

    """
    if (
        not name
        or name.startswith(".")
        or len(name.encode("utf-8", "replace")) > 200
        or any(mark in name for mark in ("/", "\\", "\x00"))
    ):
        raise InvalidRequest("output_file_name must be a plain file name")
    if _OF_JOBS.match(name):
        raise InvalidRequest("output_file_name begins as the names of files of export jobs do: choose another")
    return export_root(context) / collection.name / name


def export_root(context: Context) -> Path:
    """Return the export folder; below it each collection has its own."""
    return (context.settings.export_folder or context.settings.home / "exports").expanduser()


@contextmanager
def appearing(path: Path, room: int | None = None) -> Iterator[BinaryIO]:
    """Give a file to write to that gets its name once it is whole and on disk; it leaves nothing where that fails.

    Args:
        path: where it is to be; a file of that name is replaced.
        room: the bytes that it may have; None: as many as there is room for.

    Raises:
        InvalidRequest: it cannot be written, or would have more bytes than that.

    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name[:100]}.", suffix=".partial", delete=False
        ) as file:
            partial = Path(file.name)
            try:
                yield cast("BinaryIO", Bounded(file, room))
                finish(file, partial, path)
            except BaseException:
                partial.unlink(missing_ok=True)
                raise


def forget_partial(path: Path) -> None:
    """Delete what a process that was killed left of a file, where no other one can be writing it."""
    for left in path.parent.glob(f".{glob.escape(path.name[:100])}.*.partial"):
        left.unlink(missing_ok=True)


def job_path(context: Context, collection: Collection, job_id: int, ending: str) -> Path:
    """Return where the export of a job is written."""
    return export_root(context) / collection.name / f"job-{job_id}{ending}"


def forget_old(context: Context) -> int:
    """Delete the files of jobs that were written LOOKALIKE_EXPORT_DAYS ago; return their number."""
    days = context.settings.export_days
    if not days:
        return 0
    oldest = time.time() - days * _DAY_SECONDS
    gone = 0
    for file in export_root(context).glob("*/*"):
        with suppress(FileNotFoundError):  # another server was quicker
            if _OF_JOBS.match(file.name) and file.is_file() and file.stat().st_mtime < oldest:
                file.unlink()
                gone += 1
    return gone


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say in a sentence why a file cannot be written.

    Raises:
        InvalidRequest: the system refused it.

    """
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise InvalidRequest(f"there is no room left on the disk for {path.name}; nothing of it was kept") from None
        raise InvalidRequest(f"{path.name} cannot be written: {error.strerror or error}") from None


def finish(file: BinaryIO | IO[bytes], partial: Path, path: Path) -> None:
    """Give a file its name once it is on disk, and see that the name is, too."""
    file.flush()
    os.fsync(file.fileno())
    partial.chmod(0o644)
    partial.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class Bounded:
    """A file that takes no more bytes than there is room for, and is closed by whoever opened it."""

    closed = False

    def __init__(self, file: BinaryIO | IO[bytes], room: int | None) -> None:
        self._file = file
        self._room = room
        self._written = file.tell()

    def write(self, data: bytes) -> int:
        """Write bytes.

        Raises:
            InvalidRequest: they are too many.

        """
        size = len(data)
        self._written += size
        if self._room is not None and self._written > self._room:
            raise InvalidRequest(f"{FULL}: {self._room} bytes were left for this file")
        self._file.write(data)
        return size

    def tell(self) -> int:
        """Return how many bytes it has."""
        return self._written

    def flush(self) -> None:
        """Hand what was written to the system."""
        self._file.flush()

    def close(self) -> None:
        """Leave it open."""


def room_for(context: Context, path: Path) -> int:
    """Return how many bytes a file in the export folder may have; one of its name is replaced.

    Raises:
        InvalidRequest: the folder holds as many files as it may.

    """
    others = [file for file in path.parents[1].glob("*/*") if file != path]
    if len(others) >= context.settings.export_files:
        raise InvalidRequest(f"{FULL}: {context.settings.export_files} files")
    taken = sum(file.stat().st_size for file in others if file.exists())
    return context.settings.export_bytes - taken
