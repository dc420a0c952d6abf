"""CSV and TSV: the encoding, the delimiter and the types of the columns are found, or given."""

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from app.domain.errors import InvalidRequest
from app.domain.jsontext import dumps, loads
from app.domain.records import Json
from app.services.importing.entries import REST, Entry, Reading, Record, Vector, line_of, spread
from app.services.importing.lines import bounded_lines
from app.services.importing.numbers import vector_of_text
from app.services.importing.streams import unpacked

_SAMPLE = 2**20
_DELIMITERS = ",\t;|"
_LOOKED_AT = 50
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# In these a line ends with a byte of its own, so that a bad byte spoils one line alone.
_BYTEWISE = frozenset({"utf-8", "ascii", "cp1252", "iso8859-1", "iso8859-15"})
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?")
_MAC = re.compile(r"[^\r]*\r\n?|[^\r]+$")
_BOOLEANS = {"true": True, "false": False}


def _integer(text: str) -> Json:
    if _INTEGER.fullmatch(text) is None:
        raise InvalidRequest("is no whole number")
    return int(text)


def _float(text: str) -> Json:
    if _FLOAT.fullmatch(text) is None:
        raise InvalidRequest("is no number")
    return loads(text, "the number")


def _boolean(text: str) -> Json:
    if (found := _BOOLEANS.get(text.lower())) is None:
        raise InvalidRequest("is neither true nor false")
    return found


def _json(text: str) -> Json:
    if not text.startswith(("[", "{")):
        raise InvalidRequest("is no list of JSON")
    return loads(text, "the field")


def _text(text: str) -> Json:
    return text


# From the narrowest to the widest: a column is of the first that takes all of its values.
TYPES: Mapping[str, Callable[[str], Json]] = {
    "integer": _integer, "float": _float, "boolean": _boolean, "json": _json, "text": _text,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Layout:
    """A table is written so: its encoding and delimiter, and its columns with their types, in order."""

    encoding: str
    delimiter: str
    types: Mapping[str, str]

    def told(self) -> dict[str, Json]:
        """Return it as it stands in a position and in a preview."""
        return {"encoding": self.encoding, "delimiter": self.delimiter, "types": dict(self.types)}


def table(path: Path, reading: Reading, after: Json = None) -> Iterator[Entry]:
    """Yield the rows of a table with a header; an empty field is absent, an empty row is passed over.

    Types are found by reading the table once more before: `layout` says how.
    """
    found = _from_position(after) or layout(path, reading)
    skipped = line_of(after)
    read = _Row(found, reading)
    for number, one in enumerate(_rows(path, found, reading), 1):
        if number > skipped:
            yield read.entry(one, {"line": number, "layout": found.told()})


def _from_position(after: Json) -> Layout | None:
    told = after.get("layout") if isinstance(after, dict) else None
    if not isinstance(told, dict) or not isinstance(types := told.get("types"), dict):
        return None
    return Layout(str(told["encoding"]), str(told["delimiter"]), {name: str(kind) for name, kind in types.items()})


def layout(path: Path, reading: Reading, rows: int | None = None) -> Layout:
    """Return how a table is written; types are those that take all values of the first `rows` rows, None: of all.

    Raises:
        InvalidRequest: it has no header, or one that names a column twice or not at all.

    """
    with unpacked(path) as stream:
        sample = stream.read(_SAMPLE)
    encoding = _encoding(sample, reading.encoding)
    delimiter = reading.delimiter or _delimiter(sample.decode(encoding, "replace").removeprefix("\ufeff"))
    bare = Layout(encoding, delimiter, {})
    columns = _header(path, bare, reading)
    for name, kind in reading.types.items():
        if kind not in TYPES or name not in columns:
            raise InvalidRequest(
                f"the column {name[:40]!r} cannot be {kind[:40]!r}: types are {', '.join(TYPES)}, columns"
                f" {', '.join(columns)[:200]}"
            )
    widths = {
        name: list(TYPES)
        for name in columns
        if name not in reading.types and name not in reading.text_fields and name != reading.vector_field
    }
    seen: set[str] = set()
    number = 0
    for number, one in enumerate(_rows(path, bare, reading), 1):
        if rows is not None and number > rows:
            break
        if not isinstance(one.fields, InvalidRequest) and len(one.fields) == len(columns):
            for name, value in zip(columns, one.fields, strict=True):
                if name in widths and value.strip():
                    seen.add(name)
                    _narrow(widths[name], value.strip())
    if rows is None:
        reading.total(number)
    types = {name: widths[name][0] if name in seen else "text" for name in widths}
    return Layout(encoding, delimiter, {name: reading.types.get(name, types.get(name, "text")) for name in columns})


def _narrow(kinds: list[str], value: str) -> None:
    """Leave those types that take a value, in their order."""
    while True:
        try:
            TYPES[kinds[0]](value)
        except InvalidRequest:
            kinds.pop(0)
        else:
            return


@dataclass(frozen=True, slots=True)
class _Fields:
    """A row: the line of the file that it begins on, its fields or why there are none, the bytes up to its end."""

    line: int
    fields: list[str] | InvalidRequest
    offset: int


@dataclass(frozen=True, slots=True)
class _Row:
    layout: Layout
    reading: Reading

    def entry(self, one: _Fields, place: Json) -> Entry:
        row = one.fields
        if isinstance(row, InvalidRequest):
            return Entry(one.line, place, row, offset=one.offset)
        source = partial(self._as_json, row)
        size = sum(map(len, row))
        try:
            if len(row) != len(self.layout.types):
                raise InvalidRequest(f"the row has {len(row)} fields; the header has {len(self.layout.types)}")
            record, vector = self._record(row)
            return Entry(one.line, place, record, source, size, one.offset, vector)
        except InvalidRequest as error:
            return Entry(one.line, place, error, source, size, one.offset)

    def _as_json(self, row: Sequence[str]) -> str:
        """Return a row as a line of JSON that makes the same record: what is of no column's type stays text.

        Fields beyond the header's are kept under their number, and columns that the row has not are named. Both names
        begin with $, which no attribute's does: sent again as it is, the record is refused again.
        """
        columns = list(self.layout.types)
        names = [*columns, *(f"$field {number}" for number in range(len(columns) + 1, len(row) + 1))]
        record: Record = {"$missing": list(columns[len(row) :])} if len(row) < len(columns) else {}
        for name, value in zip(names, row, strict=False):
            if value.strip():
                record |= self._typed(name, value)
        return dumps(record)

    def _typed(self, name: str, value: str) -> Record:
        kind = self.layout.types.get(name, "text")
        try:
            if name == self.reading.vector_field and not value.lstrip().startswith("{"):
                return {name: vector_of_text(value).tolist()}
            if name in (REST, self.reading.vector_field):
                return spread({name: loads(value, name)})
            return {name: TYPES[kind](value if kind == "text" else value.strip())}
        except InvalidRequest:
            return {name: value}

    def _record(self, row: Sequence[str]) -> tuple[Record, Vector | None]:
        record: Record = {}
        vector = None
        for (name, kind), value in zip(self.layout.types.items(), row, strict=True):
            if not value.strip():
                continue
            if name == self.reading.vector_field:
                whole = value.lstrip().startswith("{")
                vector = None if whole else vector_of_text(value)
                record[name] = loads(value, name) if whole else None
                continue
            try:
                record[name] = TYPES[kind](value if kind == "text" else value.strip())
            except InvalidRequest as error:
                raise InvalidRequest(f"{name}: {value[:40]!r} {error}") from None
        return spread(record), vector


def _header(path: Path, found: Layout, reading: Reading) -> list[str]:
    header = next((one.fields for one in _rows(path, found, reading, header=True)), None)
    if header is None:
        raise InvalidRequest("the table is empty: its first row must name the columns")
    if isinstance(header, InvalidRequest):
        raise InvalidRequest(f"the header cannot be read: {header}")
    names = [name.strip() for name in header]
    for place, name in enumerate(names, 1):
        if not name:
            raise InvalidRequest(f"column {place} has no name in the header")
        if name in names[: place - 1]:
            raise InvalidRequest(f"the header names the column {name[:40]!r} twice")
    return names


def _rows(path: Path, found: Layout, reading: Reading, *, header: bool = False) -> Iterator[_Fields]:
    """Yield the rows under the header; with `header`, that one first."""
    csv.field_size_limit(max(csv.field_size_limit(), reading.max_line_bytes))
    with unpacked(path) as stream, closing(_Lines(stream, found.encoding, reading.max_line_bytes)) as lines:
        yield from _parsed(lines, found, header=header)


def _parsed(lines: "_Lines", found: Layout, *, header: bool) -> Iterator[_Fields]:
    rows = csv.reader(lines, delimiter=found.delimiter)
    wanted = header
    while True:
        line = rows.line_num + 1
        try:
            row: list[str] | InvalidRequest | None = next(rows, None)
        except csv.Error as error:
            row = InvalidRequest(f"the row cannot be read: {error}")
        if lines.refused is not None:
            row, lines.refused = InvalidRequest(lines.refused), None
        if row is None:
            return
        if not isinstance(row, InvalidRequest) and not any(field.strip() for field in row):
            continue
        if wanted:
            yield _Fields(line, row, lines.offset)
        wanted = True


class _Lines:
    """Lines of text for the parser of CSV; one that cannot be decoded or is too long is noted, and stands empty."""

    def __init__(self, stream: BinaryIO, encoding: str, max_bytes: int) -> None:
        self.offset = 0
        self.refused: str | None = None
        self._max = max_bytes
        self._encoding = encoding
        self._first = True
        self._text: io.TextIOWrapper | None = None
        bytewise = codecs.lookup(encoding).name in _BYTEWISE
        self._lines = self._decoded(stream) if bytewise else self._wrapped(stream)

    def __iter__(self) -> Iterator[str]:
        return self

    def close(self) -> None:
        """Let go of the stream, which whoever opened it closes."""
        if self._text is not None and not self._text.closed:
            self._text.detach()
        self._text = None

    def __next__(self) -> str:
        line = next(self._lines)
        if self._first:
            line, self._first = line.removeprefix("\ufeff"), False
        if "\0" in line:
            self.refused = "the row holds the character U+0000, which cannot be stored"
            return "\n"
        return line

    def _decoded(self, stream: BinaryIO) -> Iterator[str]:
        for line, size in bounded_lines(stream, self._max):
            self.offset += size
            if line is None:
                self.refused = f"the row is longer than {self._max} bytes"
                yield "\n"
                continue
            try:
                text = line.decode(self._encoding)
            except UnicodeDecodeError:
                self.refused = f"the row is not {self._encoding}: say which encoding it is"
                text = "\n"
            # A file with the newlines of old Macs is one line.
            yield from _MAC.findall(text) if "\r" in text[:-2] else (text,)

    def _wrapped(self, stream: BinaryIO) -> Iterator[str]:
        """Read UTF-16 and the like, whose lines end with more bytes than one."""
        self._text = text = io.TextIOWrapper(stream, self._encoding, errors="replace", newline="")
        most = self._max // 2
        while line := text.readline(most):
            self.offset += 2 * len(line)
            if "\ufffd" in line:
                self.refused = f"the row is not {self._encoding}: say which encoding it is"
                yield "\n"
            elif len(line) < most:
                yield line
            else:
                while (rest := text.readline(_SAMPLE)) and not rest.endswith(("\n", "\r")):
                    self.offset += 2 * len(rest)
                self.refused = f"the row is longer than {self._max} bytes"
                yield "\n"


def known_encoding(given: str) -> str:
    """Return the name of an encoding of text as Python knows it.

    Raises:
        InvalidRequest: it is none.

    """
    try:
        known = codecs.lookup(given).name
        "".encode(known)
        b"".decode(known)
    except (LookupError, ValueError):
        raise InvalidRequest(f"the encoding {given[:40]!r} is not known; utf-8, utf-16, cp1252 are") from None
    return known


def _encoding(sample: bytes, given: str | None) -> str:
    if given is not None:
        return known_encoding(given)
    for mark, name in _MARKS:
        if sample.startswith(mark):
            return name
    even, odd = sample[:1000:2].count(0), sample[1:1000:2].count(0)
    if max(even, odd) > len(sample[:1000]) // 5:
        return "utf-16-be" if even > odd else "utf-16-le"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _delimiter(sample: str) -> str:
    """Return the delimiter with which the first rows have one number of fields, and as many of them as can be."""
    lines = sample.splitlines()[: _LOOKED_AT + 1]
    lines = lines[:-1] if len(lines) > _LOOKED_AT else lines
    best, best_score = ",", (0.0, 0)
    for delimiter in _DELIMITERS:
        try:
            counts = [len(row) for row in csv.reader(lines, delimiter=delimiter) if row]
        except csv.Error:
            continue
        if not counts or counts[0] < 2:
            continue
        score = (sum(count == counts[0] for count in counts) / len(counts), counts[0])
        if score > best_score:
            best, best_score = delimiter, score
    return best
