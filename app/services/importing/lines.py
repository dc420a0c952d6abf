"""JSON lines and lists of URLs: text, a record each line."""

import io
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

from app.domain.errors import InvalidRequest
from app.domain.jsontext import dumps, loads
from app.domain.records import Json
from app.services.importing.entries import Entry, Reading, Record, line_of
from app.services.importing.numbers import without_vector
from app.services.importing.streams import skip, unpacked

_BLOCK = 2**20
_URLS = ("http://", "https://")


def json_lines(path: Path, reading: Reading, after: Json = None) -> Iterator[Entry]:
    """Yield the records of JSON lines, as `allRecords` and `export` write them; empty lines are passed over."""
    for number, offset, line in _lines(path, reading, after):
        place: Json = {"line": number, "offset": offset}
        if line is None:
            yield Entry(number, place, _too_long(reading), offset=offset)
        elif line.strip():
            yield _json(number, place, offset, line, reading.vector_field)


def url_list(path: Path, reading: Reading, after: Json = None) -> Iterator[Entry]:
    """Yield a record for each line of a list of URLs: the URL is its `_id` and its `_url`."""
    for number, offset, line in _lines(path, reading, after):
        place: Json = {"line": number, "offset": offset}
        if line is None:
            yield Entry(number, place, _too_long(reading), offset=offset)
        elif line.strip():
            yield Entry(
                number, place, _url(line), partial(_as_text, {"_url": line.decode("utf-8", "replace")}),
                len(line), offset,
            )  # fmt: skip


def _url(line: bytes) -> Record | InvalidRequest:
    try:
        url = line.decode().removeprefix("\ufeff").strip()
    except UnicodeDecodeError:
        return InvalidRequest("the line is not UTF-8")
    if not url.startswith(_URLS):
        return InvalidRequest("the line is no URL: it must begin with http:// or https://")
    return {"_id": url, "_url": url}


def _json(number: int, place: Json, offset: int, line: bytes, vector_field: str) -> Entry:
    source = partial(_as_it_came, line)
    try:
        rest, vector = without_vector(line, vector_field)
        record: Json = rest
        if rest is None:
            record = loads(line, "the line")
        if not isinstance(record, dict):
            raise InvalidRequest("a record must be a JSON object")
        return Entry(number, place, record, source, len(line), offset, vector)
    except InvalidRequest as error:
        return Entry(number, place, error, source, len(line), offset)


def _as_it_came(line: bytes) -> str:
    return line.decode("utf-8", "replace").removeprefix("\ufeff").strip()


def _as_text(record: Record) -> str:
    return dumps(record)


def _too_long(reading: Reading) -> InvalidRequest:
    return InvalidRequest(f"the line is longer than {reading.max_line_bytes} bytes")


def _lines(path: Path, reading: Reading, after: Json) -> Iterator[tuple[int, int, bytes | None]]:
    """Yield lines from a position on: the number of each, the bytes up to its end, and its bytes."""
    number = line_of(after)
    offset = after.get("offset") if isinstance(after, dict) else 0
    assert isinstance(offset, int)  # noqa: S101  (as it was written here)
    if not offset:
        _count(path, reading)
    with unpacked(path) as stream:
        skip(stream, offset)
        for line, size in bounded_lines(stream, reading.max_line_bytes):
            number, offset = number + 1, offset + size
            yield number, offset, line


def _count(path: Path, reading: Reading) -> None:
    """Tell how many lines there are; not where they are compressed, as that takes as long as to read them."""
    number, last = 0, b"\n"
    with path.open("rb") as raw, unpacked(path) as stream:
        if isinstance(stream.raw, io.FileIO):
            while block := raw.read(_BLOCK):
                number += block.count(b"\n")
                last = block[-1:]
            reading.total(number + (last != b"\n"))


def bounded_lines(stream: BinaryIO, max_bytes: int) -> Iterator[tuple[bytes | None, int]]:
    """Yield lines with their newlines, and their lengths; None in place of one that is too long, which is not held."""
    while line := stream.readline(max_bytes + 1):
        if len(line) <= max_bytes or line.endswith(b"\n"):
            yield line, len(line)
            continue
        size = len(line)
        del line
        while rest := stream.readline(_BLOCK):
            size += len(rest)
            if rest.endswith(b"\n"):
                break
        yield None, size
