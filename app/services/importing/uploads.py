"""Files that were sent: written as they come, in pieces where a connection breaks, and kept by their SHA-256."""

import errno
import hashlib
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from app.config import Settings
from app.domain.errors import InvalidRequest, NotFound, StorageFull

_PIECE = 2**20
_PART = re.compile(r"[0-9a-f]{32}")
_WHOLE = re.compile(r"[0-9a-f]{64}")
# What nobody has gone on with for so long is deleted.
_KEEP_SECONDS = 7 * 86_400


class Uploads:
    """A folder of uploads: `part-ID` is being sent, `SHA-256` is there as a whole.

    Args:
        folder: where they are.
        max_bytes: of one upload.
        owner: number of the token that sends; it sees no other's uploads until they are whole.

    """

    def __init__(self, folder: Path, max_bytes: int, owner: int) -> None:
        self._folder = folder
        self._max = max_bytes
        self._owner = owner

    @classmethod
    def of(cls, settings: Settings, owner: int = 0) -> "Uploads":
        """Return the uploads of a deployment, as one token sees them."""
        return cls(settings.uploads_folder or settings.home / "uploads", settings.max_upload_bytes, owner)

    def begin(self) -> str:
        """Begin an upload; return its id, which nobody guesses.

        Raises:
            StorageFull: the disk is full.

        """
        upload = secrets.token_hex(16)
        with writing():
            self._folder.mkdir(parents=True, exist_ok=True)
            self.tidy()
            self._part(upload).touch(mode=0o600)
        return upload

    def size(self, upload: str) -> int:
        """Return how many bytes of an upload are there.

        Raises:
            NotFound: there is no such upload.

        """
        try:
            return self._part(upload).stat().st_size
        except FileNotFoundError:
            raise NotFound(f"there is no upload {upload[:40]!r}") from None

    def append(self, upload: str, offset: int, stream: BinaryIO) -> int:
        """Write what comes to the end of an upload; return how many bytes of it are there now.

        What was written before the stream breaks off stays.

        Raises:
            NotFound: there is no such upload.
            InvalidRequest: as many bytes as `offset` are not there, or it becomes too large.
            StorageFull: the disk is full.

        """
        there = self.size(upload)
        if offset != there:
            raise InvalidRequest(f"Upload-Offset is {offset}, and {there} bytes are there: go on from {there}")
        with writing(), self._part(upload).open("ab") as file:
            while piece := stream.read(_PIECE):
                there += len(piece)
                if there > self._max:
                    raise InvalidRequest(f"an upload has at most {self._max} bytes")
                file.write(piece)
        return there

    def finish(self, upload: str) -> str:
        """End an upload; return the SHA-256 that it is known by from now on.

        Raises:
            NotFound: there is no such upload.
            InvalidRequest: it is empty.

        """
        if not self.size(upload):
            raise InvalidRequest("the upload is empty")
        with writing(), self._part(upload).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            self._part(upload).touch()  # it is wanted from now on, also where the same bytes lie there already
            self._part(upload).replace(self._folder / digest)
        return digest

    def drop(self, upload: str) -> None:
        """Delete an upload that is not finished, if it is there."""
        self._part(upload).unlink(missing_ok=True)

    def path(self, digest: str) -> Path:
        """Return where an upload lies that was finished.

        Raises:
            InvalidRequest: it is not there: it was deleted, or lies on another machine.

        """
        path = self._folder / digest
        if not _WHOLE.fullmatch(digest) or not path.is_file():
            raise InvalidRequest(
                f"the upload {digest[:64]} is not there: it was deleted, or sent to another machine; several"
                " machines need one LOOKALIKE_UPLOADS_FOLDER"
            )
        return path

    def forget(self, digest: str, before: float) -> None:
        """Delete an upload that was finished before a moment (Unix time), unless the same bytes were sent since."""
        path = self._folder / digest
        if _WHOLE.fullmatch(digest) and path.is_file() and path.stat().st_mtime < before:
            path.unlink(missing_ok=True)

    def tidy(self) -> None:
        """Delete what nobody has gone on with for a week."""
        for path in self._folder.iterdir():
            if path.is_file() and path.stat().st_mtime < time.time() - _KEEP_SECONDS:
                path.unlink(missing_ok=True)

    def download(self, name: str) -> Path:
        """Return where a download of a job is put."""
        with writing():
            self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder / name

    def _part(self, upload: str) -> Path:
        if not _PART.fullmatch(upload):
            raise NotFound(f"there is no upload {upload[:40]!r}")
        return self._folder / f"part-{self._owner}-{upload}"


@contextmanager
def writing() -> Iterator[None]:
    """Say in words that the disk is full.

    Raises:
        StorageFull: it is.

    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull("the disk that uploads are written to is full; what was sent so far is kept") from None
        raise
