"""A tar of pictures with `metadata.jsonl`, the layout that Hugging Face datasets call an image folder."""

import io
import tarfile
from collections.abc import Sequence
from contextlib import suppress
from tempfile import TemporaryFile
from typing import BinaryIO

from app.db.exporting import Whole
from app.domain.collections import Collection
from app.domain.errors import InvalidRequest
from app.domain.jsontext import dumps
from app.domain.records import Found, Json
from app.embedding.pictures.formats import suffix_of
from app.services.exporting.lines import embedding_head, line
from app.services.exporting.writers import attributes
from app.services.importing.entries import REST

# Pictures of one folder within the archive, as file systems are slow with too many.
_FOLDER = 1000


class TarWriter:
    """Writes pictures as they come, and at the end `metadata.jsonl`: a line for each, with its `file_name`.

    Records without a picture stand in `others.jsonl`, so that none is missing.
    """

    def __init__(self, stream: BinaryIO, collection: Collection) -> None:
        self._tar = tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT)  # noqa: SIM115  (closed at the end)
        self._head = embedding_head(collection)
        self._number = 0
        self._lists = {name: TemporaryFile() for name in ("metadata.jsonl", "others.jsonl")}  # noqa: SIM115

    def write(self, records: Sequence[Whole]) -> None:
        """Write a picture each, and note its line."""
        for whole in records:
            if whole.picture is None:
                self._lists["others.jsonl"].write(line(whole, self._head))
                continue
            name = f"images/{self._number // _FOLDER:04}/{self._number:08}{suffix_of(whole.picture)}"
            self._number += 1
            self._add(name, io.BytesIO(whole.picture), len(whole.picture))
            self._lists["metadata.jsonl"].write(self._line(whole, name))

    def finish(self) -> None:
        """Write the lists."""
        for name, lines in self._lists.items():
            size = lines.tell()
            lines.seek(0)
            if size or name == "metadata.jsonl":
                self._add(name, lines, size)
        self._tar.close()

    def close(self) -> None:
        """Let go of the lists and of the archive, which is none where it is not finished."""
        for lines in self._lists.values():
            with suppress(OSError):
                lines.close()
        stream = self._tar.fileobj
        with suppress(OSError, InvalidRequest):
            if stream is not None:
                stream.close()

    def _line(self, whole: Whole, name: str) -> bytes:
        """Return a record's line of `metadata.jsonl`.

        `_attributes` has an attribute named `file_name`; it is there in any case, and so says that this is all of the
        record: an import adds nothing that the path says.
        """
        found = attributes(whole)
        rest = {key: found.pop(key) for key in ("file_name", REST) if key in found}
        more: dict[str, Json] = {"file_name": name, REST: rest}
        plain = Whole(Found(whole.found.id, dumps(found)), whole.embedding, whole.box)
        return line(plain, self._head, b"," + dumps(more).encode()[1:-1])

    def _add(self, name: str, stream: BinaryIO, size: int) -> None:
        entry = tarfile.TarInfo(name)
        entry.size = size
        entry.mode = 0o644
        self._tar.addfile(entry, stream)
