"""Files of JSON lines, a record each, as `allRecords` and `export` write them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from app.domain.errors import InvalidRequest
from app.domain.jsontext import loads
from app.domain.records import Json

Read = TypeVar("Read")


def read_lines(lines: Path, read: Callable[[dict[str, Json]], Read]) -> Iterator[Read]:
    """Yield what `read` makes of the record on each line; empty lines are passed over, and lines are read as needed.

    Raises:
        InvalidRequest: a line is not a JSON object, or `read` does not take it; the message names its number.

    """
    with lines.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            try:
                record = loads(line, "the line")
                if not isinstance(record, dict):
                    raise InvalidRequest("a record must be a JSON object")
                made = read(record)
            except InvalidRequest as error:
                raise InvalidRequest(f"line {number} of {lines.name}: {error}") from None
            yield made
