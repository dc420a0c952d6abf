"""Archives of pictures, ZIP and tar: read member by member, never unpacked to disk.

The path of a member is its `_id` and its `_file`, its folder the `category`, as in a folder that is loaded. A file
`metadata.jsonl` or `metadata.csv` gives attributes by `file_name`, as in Hugging Face's `imagefolder`.
"""

import io
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from app.domain.errors import ImageError, InvalidRequest
from app.domain.jsontext import dumps, loads
from app.domain.records import Json
from app.embedding.pictures.formats import HEAD_BYTES, looks_like_a_picture
from app.services.folders import PICTURE_SUFFIXES
from app.services.importing.entries import REST, Entry, Reading, Record, Vector, line_of, spread
from app.services.importing.lines import json_lines
from app.services.importing.streams import unpacked
from app.services.importing.tables import table

_METADATA = ("metadata.jsonl", "metadata.csv")
_MOST_METADATA = 64 * 2**20
_MOST_MEMBERS = 200_000
# A picture is compressed already; one that unpacks to more than this many times its bytes is none.
_RATIO = 200
_RATIO_FROM = 2**20
# What all members may unpack to: so many times the archive, and something for small ones.
_TOTAL_RATIO = 100
_TOTAL_SPARE = 64 * 2**20


@dataclass(slots=True)
class _Member:
    """One file of an archive: `open` gives its bytes, `packed` are those in the archive (None: not known)."""

    name: str
    size: int
    open: Callable[[], IO[bytes] | None]
    refused: str | None = None
    packed: int | None = None
    folder: bool = False


@dataclass(slots=True)
class _Unpacked:
    """Bytes that were unpacked so far are counted as they come: what a header says of them may be a lie."""

    most: int
    read_so_far: int = 0

    def add(self, more: int) -> None:
        """Count bytes.

        Raises:
            InvalidRequest: all of them together are too many: the archive is made to harm.

        """
        self.read_so_far += more
        if self.read_so_far > self.most:
            raise _Bomb(f"the archive unpacks to more than {_TOTAL_RATIO} times its bytes: it is read no further")

    def read(self, member: _Member, most: int) -> bytes:
        """Return what is in a member.

        Raises:
            ImageError: it is too large, or unpacks to too many times its bytes.
            InvalidRequest: all members together do: the archive is made to harm.

        """
        stream = member.open()
        if stream is None:
            raise ImageError("the member is no file")
        with stream:
            data = stream.read(most + 1)
        self.add(len(data))
        packed = member.packed
        if packed is not None and len(data) > max(_RATIO_FROM, _RATIO * packed):
            raise ImageError(f"the member unpacks to more than {_RATIO} times its {packed} bytes")
        if len(data) > most:
            raise ImageError(f"the picture is larger than the {most} bytes that are allowed")
        return data


class _Bomb(InvalidRequest):
    """The archive is made to harm."""


def zip_pictures(path: Path, reading: Reading, after: Json = None) -> Iterator[Entry]:
    """Yield the pictures of a ZIP archive, in the order of its directory.

    Raises:
        InvalidRequest: it is no ZIP archive, is damaged, or made to harm.

    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > _MOST_MEMBERS:
                raise InvalidRequest(
                    f"the ZIP archive has {len(members)} members, and {_MOST_MEMBERS} are read: make it a tar"
                )
            limit = _limit(path)
            facts = _facts((_zipped(archive, info) for info in members), reading, limit)
            reading.total(sum(not info.is_dir() for info in members) + len(facts.lost))
            yield from _entries((_zipped(archive, info) for info in members), facts, limit, reading, line_of(after))
    except (zipfile.BadZipFile, OSError, EOFError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise InvalidRequest(f"the ZIP archive cannot be read: {error.strerror}") from None
        raise InvalidRequest("the ZIP archive is damaged, cut short, or none") from None


def _zipped(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> _Member:
    refused = None
    if stat.S_ISLNK(info.external_attr >> 16):
        refused = "the member is a link, which is not followed"
    elif info.flag_bits & 1:
        refused = "the member is encrypted"
    return _Member(
        info.filename, info.file_size, partial(archive.open, info), refused, info.compress_size, info.is_dir()
    )


def tar_pictures(path: Path, reading: Reading, after: Json = None) -> Iterator[Entry]:
    """Yield the pictures of a tar archive, which may be compressed by gzip or zstd, in their order.

    Raises:
        InvalidRequest: it is no tar archive, is damaged, or made to harm.

    """
    try:
        with unpacked(path) as stream:
            facts = _facts(_tarred(stream, _limit(path)), reading, _limit(path))
        with unpacked(path) as stream:
            limit = _limit(path)
            yield from _entries(_tarred(stream, limit), facts, _Unpacked(limit.most), reading, line_of(after))
    except tarfile.TarError:
        raise InvalidRequest("the tar archive is damaged, cut short, or none") from None


def _tarred(stream: io.BufferedReader, limit: "_Unpacked") -> Iterator[_Member]:
    with tarfile.open(fileobj=cast("IO[bytes]", _Counted(stream, limit)), mode="r|") as archive:
        while (info := archive.next()) is not None:
            cast("Any", archive).members.clear()  # it keeps all of them, to look them up by name
            refused = (
                None if info.isfile() or info.isdir() else "the member is a link or a device, which is not followed"
            )
            yield _Member(info.name, info.size, partial(archive.extractfile, info), refused, folder=info.isdir())


class _Counted:
    """A stream whose bytes are counted, as one that was compressed may be endless."""

    def __init__(self, stream: io.BufferedReader, limit: "_Unpacked") -> None:
        self._stream = stream
        self._limit = limit

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._limit.add(len(data))
        return data


@dataclass(slots=True)
class _Facts:
    """Attributes of pictures, by their paths in the archive."""

    of: dict[str, Record] = field(default_factory=dict)
    whole: set[str] = field(default_factory=set)
    """Those that an export told in whole: their paths add nothing."""
    vectors: dict[str, Vector] = field(default_factory=dict)
    bad: dict[str, tuple[InvalidRequest, str | None]] = field(default_factory=dict)
    """Why what is said of a picture cannot be taken, and the row as it came."""
    lost: list[tuple[InvalidRequest, str | None]] = field(default_factory=list)
    """Likewise of rows that name no picture."""
    size: int = 0

    def add(self, member: str, entry: Entry) -> None:
        """Add a row of a member that holds metadata.

        Raises:
            InvalidRequest: all rows together take too much memory.

        """
        parent = str(PurePosixPath(member).parent)
        folder = "" if parent == "." else f"{parent}/"
        named, text = _named(entry)
        self.size += 2 * len(text or "") + (0 if entry.vector is None else entry.vector.nbytes)
        if self.size > _MOST_METADATA:
            raise InvalidRequest(f"the metadata of the archive takes more than {_MOST_METADATA} bytes")
        path = f"{folder}{named}"
        try:
            if isinstance(entry.record, InvalidRequest):
                raise entry.record
            if named is None:
                raise InvalidRequest("the row has no file_name")
            record = {name: value for name, value in entry.record.items() if name != "file_name"}
            whole = REST in record and "_id" in record
            self.of[path] = spread(record)
        except InvalidRequest as error:
            reason = InvalidRequest(f"{member[:100]}, line {entry.line}: {error}")
            if named is None:
                self.lost.append((reason, text))
            else:
                self.bad[path] = reason, text
            return
        if whole:
            self.whole.add(path)
        if entry.vector is not None:
            self.vectors[path] = entry.vector


def _named(entry: Entry) -> tuple[str | None, str | None]:
    """Return the picture that a row of metadata is about, None where it names none, and the row as it came."""
    text = entry.source()
    record: Json = None if isinstance(entry.record, InvalidRequest) else entry.record
    if record is None and text is not None:
        with suppress(InvalidRequest):
            record = loads(text, "the row")
    name = record.get("file_name") if isinstance(record, dict) else None
    return (name if isinstance(name, str) and name else None), text


def _entries(
    members: Iterator[_Member], facts: _Facts, limit: _Unpacked, reading: Reading, done: int
) -> Iterator[Entry]:
    number = 0
    for member in members:
        if member.folder:
            continue
        number += 1
        if number > done:
            yield _entry(number, member.name, member, limit, facts, reading)
    if not number:
        raise InvalidRequest("the archive is empty")
    for reason, text in facts.lost:
        number += 1
        if number > done:
            yield Entry(number, {"line": number}, reason, partial(_as_it_came, text))


def _as_it_came(text: str | None) -> str | None:
    return text


def _entry(number: int, name: str, member: _Member, limit: _Unpacked, facts: _Facts, reading: Reading) -> Entry:
    place: Json = {"line": number}
    source: Callable[[], str | None] = partial(dumps, {"_file": name.encode("utf-8", "replace").decode()})
    try:
        if passed_over(name):
            return Entry(number, place, {}, passed_over=True)
        _check_name(name)
        if member.refused is not None:
            raise InvalidRequest(member.refused)
        if reason := _no_picture(name, member):
            return Entry(number, place, InvalidRequest(reason), passed_over=True)
        if name in facts.bad:
            error, text = facts.bad[name]
            source = partial(_as_it_came, text)
            raise error
        data = limit.read(member, reading.max_picture_bytes)
        if PurePosixPath(name).suffix.lower() not in PICTURE_SUFFIXES and not looks_like_a_picture(data[:HEAD_BYTES]):
            return Entry(number, place, {}, passed_over=True)
        record: Record = {"_id": name, "_file": name}
        if folder := PurePosixPath(name).parent.name:
            record["category"] = folder
        given = facts.of.get(name, {})
        record = given if name in facts.whole else record | given
        return Entry(
            number, place, record, source, len(data), vector=facts.vectors.get(name), picture=partial(_given, data)
        )
    except _Bomb:
        raise
    except InvalidRequest as error:
        return Entry(number, place, error, source)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
        return Entry(
            number, place, InvalidRequest("the member is damaged, or packed in a way that is not read"), source
        )


def _given(data: bytes) -> bytes:
    return data


def _no_picture(name: str, member: _Member) -> str | None:
    if PurePosixPath(name).name in _METADATA:
        return "the metadata"
    return "an empty file" if not member.size and PurePosixPath(name).suffix.lower() not in PICTURE_SUFFIXES else None


def passed_over(name: str) -> bool:
    """Say whether a member is not meant to be a picture: hidden, or of a Mac's own making."""
    parts = PurePosixPath(name).parts
    return any(part.startswith(".") and part not in (".", "..") for part in parts) or "__MACOSX" in parts


def _check_name(name: str) -> None:
    """Refuse a path that leads out of the archive's folder.

    Raises:
        InvalidRequest: it is absolute, climbs out, or is no text.

    """
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or ".." in parts or (len(parts[0]) == 2 and parts[0].endswith(":")):
        raise InvalidRequest("the path of the member leads out of the archive")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise InvalidRequest("the path of the member is not UTF-8, as an _id must be") from None


def _facts(members: Iterator[_Member], reading: Reading, limit: _Unpacked) -> _Facts:
    """Return the attributes that the archive's metadata gives its pictures."""
    facts = _Facts()
    for member in members:
        if PurePosixPath(member.name).name not in _METADATA or member.refused is not None or passed_over(member.name):
            continue
        _check_name(member.name)
        for entry in _metadata(member.name, limit.read(member, _MOST_METADATA), reading):
            facts.add(member.name, entry)
    return facts


def _metadata(name: str, data: bytes, reading: Reading) -> Iterator[Entry]:
    plain = replace(reading, total=lambda _: None, types={}, text_fields=reading.text_fields | {"file_name"})
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        read = table if name.endswith(".csv") else json_lines
        try:
            yield from read(Path(file.name), plain)
        except InvalidRequest as error:
            raise InvalidRequest(f"{name[:100]}: {error}") from None


def _limit(path: Path) -> _Unpacked:
    return _Unpacked(_TOTAL_RATIO * path.stat().st_size + _TOTAL_SPARE)
