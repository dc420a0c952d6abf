"""Files and pipes of JSON lines, a record each, as `allRecords` and `export` write them."""

import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, Generic, TypeVar

from app.config import Settings
from app.domain.errors import InvalidRequest
from app.domain.jsontext import loads
from app.domain.records import Json
from app.embedding.pictures.formats import HEAD_BYTES, looks_like_a_picture

Read = TypeVar("Read")

_BLOCK = 2**20
_REMEMBERED = 5000
# What a file begins with that is no text in UTF-8, and what to do about it.
_OTHER_FILES = (
    ((b"\xff\xfe", b"\xfe\xff"), "is text in UTF-16: save it as UTF-8"),
    ((b"\x1f\x8b",), "is compressed by gzip: unpack it, e.g. gunzip -c FILE | lookalike load COLLECTION -"),
    ((b"PK\x03\x04",), "is a ZIP archive: unpack it"),
)


@dataclass(frozen=True, slots=True)
class Line(Generic[Read]):
    """A line that is not empty: its number, counted from 1, and its bytes; what was made of it, or why nothing was.

    `id` is the record's `_id` where it has one that is text.
    """

    number: int
    size: int
    made: Read | InvalidRequest
    id: str | None = None

    @property
    def place(self) -> str:
        """The line in words."""
        return f"line {self.number}"


@dataclass(frozen=True, slots=True)
class LineFile:
    """A file of lines, or a pipe of them, which can be read once: `-` is standard input."""

    path: Path

    @property
    def name(self) -> str:
        """The name for messages."""
        return "standard input" if str(self.path) == "-" else self.path.name

    @property
    def beside(self) -> Path:
        """The folder that relative names in the lines begin at: the file's own, the current one for a pipe."""
        return self.path.parent if self._is_file() else Path()

    def count(self) -> int | None:
        """Return the number of lines, empty ones included; None for a pipe."""
        if not self._is_file():
            return None
        number, last = 0, b"\n"
        with self.path.open("rb") as stream:
            while block := stream.read(_BLOCK):
                number += block.count(b"\n")
                last = block[-1:]
        return number + (last != b"\n")

    def read(self, make: Callable[[dict[str, Json]], Read], max_bytes: int) -> Iterator[Line[Read]]:
        """Yield what `make` makes of the record on each line; lines are read as needed, empty ones are passed over.

        A line that is no JSON object, is longer than `max_bytes`, or that `make` refuses comes with the error; the
        lines after it are read all the same.

        Raises:
            InvalidRequest: it is no file of lines at all, or cannot be read.

        """
        try:
            with self._open() as stream:
                self._check_kind(stream.peek(HEAD_BYTES))
                for number, line in _bounded_lines(stream, max_bytes):
                    if line is None:
                        yield Line(number, 0, InvalidRequest(f"the line is longer than {max_bytes} bytes"))
                    elif line.strip():
                        yield _line(number, line, make)
        except OSError as error:
            raise InvalidRequest(f"{self.name} cannot be read: {error.strerror}") from None

    def _open(self) -> AbstractContextManager[BufferedReader]:
        if str(self.path) == "-":
            return nullcontext(sys.stdin.buffer)  # type: ignore[arg-type]  # it is one, unless it was replaced
        return self.path.open("rb")

    def _is_file(self) -> bool:
        return str(self.path) != "-" and self.path.is_file()

    def _check_kind(self, head: bytes) -> None:
        for starts, reason in _OTHER_FILES:
            if head.startswith(starts):
                raise InvalidRequest(f"{self.name} {reason}")
        if looks_like_a_picture(head):
            raise InvalidRequest(f"{self.name} is a picture, not a file of JSON lines: name the folder that it is in")


class LinesAgain:
    """Reads lines of a file once more, nearly in order, each by its number: the last few thousand are found at once.

    Args:
        path: a file, which nobody changes meanwhile.
        max_bytes: a longer line is None.

    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        self._stream = path.open("rb")
        self._max = max_bytes
        # Where the lines begin that were read last, and the one behind them, whose number is the next.
        self._offsets: deque[int] = deque([0], _REMEMBERED)
        self._next = 1

    def text(self, number: int) -> str | None:
        """Return a line without its newline; None where it is too long, or not there."""
        if number <= self._next - len(self._offsets):
            self._offsets = deque([0], _REMEMBERED)
            self._next = 1
        known = min(number, self._next)
        self._stream.seek(self._offsets[known - self._next - 1])
        line: bytes | None = b""
        for found, line in _bounded_lines(self._stream, self._max):
            if known + found - 1 == self._next:
                self._offsets.append(self._stream.tell())
                self._next += 1
            if known + found - 1 == number:
                return None if line is None else line.decode("utf-8", "replace").removeprefix("\ufeff").strip()
        return None

    def close(self) -> None:
        """Close the file."""
        self._stream.close()


def longest_line(settings: Settings) -> int:
    """Return how many bytes a line may have: a picture in base64 and attributes, each escaped in the longest way."""
    return 2 * settings.max_image_bytes + 6 * settings.max_attributes_bytes + _BLOCK


def _bounded_lines(stream: BinaryIO, max_bytes: int) -> Iterator[tuple[int, bytes | None]]:
    """Yield numbered lines; None in place of one that is too long, which is read past in pieces."""
    number = 0
    while line := stream.readline(max_bytes + 1):
        number += 1
        if len(line) <= max_bytes or line.endswith(b"\n"):
            yield number, line
            continue
        while (rest := stream.readline(_BLOCK)) and not rest.endswith(b"\n"):
            pass
        yield number, None


def _line(number: int, line: bytes, make: Callable[[dict[str, Json]], Read]) -> Line[Read]:
    record_id: str | None = None
    try:
        record = loads(line, "the line")
        if not isinstance(record, dict):
            raise InvalidRequest("a record must be a JSON object")
        given = record.get("_id")
        record_id = given if isinstance(given, str) else None
        return Line(number, len(line), make(record), record_id)
    except InvalidRequest as error:
        return Line(number, len(line), error, record_id)
