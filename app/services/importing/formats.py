"""What a source is told by: its format is found by its first bytes, or given."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from app.domain.errors import InvalidRequest
from app.domain.jsontext import dumps
from app.domain.records import Json
from app.embedding.pictures.formats import looks_like_a_picture
from app.services.folders import walk
from app.services.importing.archives import tar_pictures, zip_pictures
from app.services.importing.entries import Entry, Reader, Reading, line_of
from app.services.importing.lines import json_lines, url_list
from app.services.importing.parquet import parquet
from app.services.importing.streams import unpacked
from app.services.importing.tables import table
from app.services.pipeline import Item

_HEAD = 64 * 1024
_TAR_AT = 257
_LOOKED_AT = 1000
# Control characters, but for white space and the escape.
_NO_TEXT = bytes({*range(32)} - {*b"\t\n\v\f\r\x1b"})


def folder(path: Path, reading: Reading, after: Json = None) -> Iterator[Entry]:
    """Yield the pictures below a folder, as `load` does: the path is the `_id`, the sub-folder the `category`."""
    number = line_of(after)
    last = after.get("path") if isinstance(after, dict) else None
    for one in walk(path, reading.max_picture_bytes, last if isinstance(last, str) else None):
        number += 1
        place: Json = {"line": number, "path": one.place}
        source = partial(dumps, {"_file": one.place})
        if isinstance(one, Item):
            record = {"_id": one.id, **one.attributes}
            yield Entry(number, place, record, source, one.size, picture=one.read)
        else:
            yield Entry(number, place, InvalidRequest(one.reason), source, passed_over=one.passed_over)
    if not number:
        raise InvalidRequest("there is nothing in the folder")


FORMATS: Mapping[str, Reader] = {
    "jsonl": json_lines,
    "csv": table,
    "parquet": parquet,
    "zip": zip_pictures,
    "tar": tar_pictures,
    "folder": folder,
    "urls": url_list,
}
"""Formats by name."""

MEDIA_TYPES: Mapping[str, str] = {
    "application/x-ndjson": "jsonl",
    "application/jsonl": "jsonl",
    "application/jsonlines": "jsonl",
    "text/csv": "csv",
    "text/tab-separated-values": "csv",
    "application/vnd.apache.parquet": "parquet",
    "application/zip": "zip",
    "application/x-tar": "tar",
    "text/uri-list": "urls",
}
"""The Content-Type of an upload says its format; any other: it is found."""


def format_of(path: Path, given: str | None = None) -> str:
    """Return the format of a source, and see that it is not obviously another.

    Raises:
        InvalidRequest: there is no such file or format, or it is none of them.

    """
    if given is not None and given not in FORMATS:
        raise InvalidRequest(f"the format {given[:40]!r} is not known; formats are {', '.join(FORMATS)}")
    if path.is_dir():
        found: str | None = "folder"
    else:
        with unpacked(path) as stream:
            head = stream.read(_HEAD)
        found = _found(head)
        if found is None and (given is None or given in ("jsonl", "csv", "urls")):
            raise InvalidRequest(f"the source {_no_format(head)}")
    binary = {"parquet", "zip", "tar", "folder"}
    # The first line of JSON reads as the header of a table, and would be lost.
    mistaken = (given, found) == ("csv", "jsonl")
    if given is not None and given != found and (mistaken or given in binary or found in binary):
        raise InvalidRequest(f"the source is not what it says: it is no {given}" + (f", but {found}" if found else ""))
    return given or found or "csv"


_STARTS = ((b"PAR1", "parquet"), (b"PK\x03\x04", "zip"), (b"PK\x05\x06", "zip"))


def _found(head: bytes) -> str | None:
    for start, name in _STARTS:
        if head.startswith(start):
            return name
    if head[_TAR_AT : _TAR_AT + 5] == b"ustar":
        return "tar"
    return None if _no_text(head) else _found_text(head.removeprefix(b"\xef\xbb\xbf").lstrip())


def _found_text(text: bytes) -> str | None:
    if text.startswith(b"{"):
        return "jsonl"
    if text.startswith((b"http://", b"https://")) and b"," not in text.splitlines()[0]:
        return "urls"
    return "csv" if text.strip() and not text.startswith((b"[", b"<")) else None


def _no_text(head: bytes) -> bool:
    if looks_like_a_picture(head):
        return True
    start = head[:_LOOKED_AT]
    # Text in UTF-16 has a zero in about every second byte.
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or len(start) // 5 < max(start[::2].count(0), start[1::2].count(0)):
        return False
    # A stray one in text spoils its line alone; other files are full of what no text has.
    return len(start) - len(start.translate(None, _NO_TEXT)) > len(start) // 20


def _no_format(head: bytes) -> str:
    if not head.strip():
        return "is empty"
    if looks_like_a_picture(head):
        return "is a picture: name the folder that it is in, or pack it into an archive"
    if head.lstrip().startswith(b"["):
        return "is one JSON array: write each of its records on a line of its own"
    return f"is in none of the formats that are read: {', '.join(FORMATS)}"
