"""Files of what another engine's server answered: an answer, an array of records, or either on lines."""

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from app.domain.errors import InvalidRequest
from app.domain.jsontext import loads
from app.domain.records import Json
from app.services.importing.streams import unpacked
from app.services.moving.pages import Page, Source, Taken

RecordsOf = Callable[[dict[str, Json]], list[Json]]
"""Returns the records of an answer."""

_HEAD_BYTES = 512
_TAR_AT = 257
_MOST_DOCUMENT_BYTES = 256 * 2**20
_PAGE = 500


def dump(
    path: Path,
    records_of: RecordsOf,
    within: tuple[str, ...],
    take: Callable[[Json], Taken],
) -> Source:
    """Return the records of a file as a source; its places are the numbers of records that lie before.

    Args:
        path: the file, which may be compressed by gzip or zstd.
        records_of: returns the records of an answer.
        within: the names under which an answer holds what `records_of` takes.
        take: makes a record of what the file has.

    Raises:
        InvalidRequest: it is not there, or is a snapshot.

    """
    _check(path)
    reading: list[tuple[int, Iterator[Json | InvalidRequest]]] = []

    def read(at: Json) -> Page:
        number = at if isinstance(at, int) else 0
        if not reading or reading[0][0] != number:  # a run that goes on in the middle
            reading[:] = [(number, islice(_records(path, records_of, within), number, None))]
        some = list(islice(reading[0][1], _PAGE))
        reading[0] = (number + len(some), reading[0][1])
        return Page(some, number + len(some) if len(some) == _PAGE else None)

    return Source(read, take)


def _check(path: Path) -> None:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise InvalidRequest(f"{path.name} cannot be read: {error.strerror}") from None
    if head[_TAR_AT : _TAR_AT + 5] == b"ustar" or path.suffix == ".snapshot":
        raise InvalidRequest(
            f"{path.name} is a snapshot, whose format is its engine's own: restore it there, and move from"
            " the running server"
        )
    if not head.strip():
        raise InvalidRequest(f"{path.name} is empty")


def _records(path: Path, records_of: RecordsOf, within: tuple[str, ...]) -> Iterator[Json | InvalidRequest]:
    for document in _documents(path):
        if isinstance(document, list):
            yield from document
        elif isinstance(document, dict) and "id" not in document:
            part: Json = document
            for name in within:
                part = part.get(name, part) if isinstance(part, dict) else part
            yield from records_of(part if isinstance(part, dict) else {})
        else:
            yield document


def _documents(path: Path) -> Iterator[Json | InvalidRequest]:
    """Yield the JSON document that a file is, or those of its lines, and why one of them is none.

    Raises:
        InvalidRequest: it is no JSON, or one document that is too long to be read at once.

    """
    with unpacked(path) as file:
        first = file.readline(_MOST_DOCUMENT_BYTES + 1)
        if _is_whole(first):
            yield loads(first, f"line 1 of {path.name}")
            yield from _lines(path, file)
            return
        text = first + file.read(_MOST_DOCUMENT_BYTES + 1 - len(first))
    if len(text) > _MOST_DOCUMENT_BYTES:
        raise InvalidRequest(
            f"{path.name} is one JSON document of more than {_MOST_DOCUMENT_BYTES} bytes: write each record on a line"
            " of its own, e.g. with jq -c"
        )
    yield loads(text, path.name)


def _is_whole(line: bytes) -> bool:
    try:
        loads(line, "")
    except InvalidRequest:
        return False
    return True


def _lines(path: Path, file: BinaryIO) -> Iterator[Json | InvalidRequest]:
    number = 1
    while line := file.readline(_MOST_DOCUMENT_BYTES + 1):
        number += 1
        if line.strip():
            try:
                yield loads(line, f"line {number} of {path.name}")
            except InvalidRequest as error:
                yield error
