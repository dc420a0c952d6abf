"""Records as a caller sends them: checked one by one, so that one bad record never spoils the others."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from app.domain import statuses
from app.domain.errors import InvalidRequest
from app.domain.expiry import EXPIRY_FIELD, check_expiry
from app.domain.jsontext import check, check_text, is_integer, stored_bytes
from app.domain.records import TEXT_FIELD, Attributes, Json, Skipped

Read = TypeVar("Read")

MAX_ID_BYTES = 1024
# Said about one request, never stored with the record.
_NOT_STORED = frozenset({"_id", "_base64", "_box", "_embedding", "_reason", TEXT_FIELD})


@dataclass(frozen=True, slots=True)
class Incoming:
    """A record whose `_id` and attributes are fit to be stored; `fields` is everything that the caller sent."""

    id: str
    fields: Attributes
    attributes: str


def checked_id(value: Json) -> str:
    """Return an `_id` that can be stored.

    Raises:
        InvalidRequest: it is not a string, empty, too long, or holds what PostgreSQL cannot.

    """
    if value is None:
        raise InvalidRequest("the record has no _id; _id must be a string")
    if not isinstance(value, str):
        raise InvalidRequest("_id must be a string" + (f', as in "{str(value)[:40]}"' if is_integer(value) else ""))
    check_text(value, "_id")
    if not 1 <= len(value.encode()) <= MAX_ID_BYTES:
        raise InvalidRequest(f"_id must have 1 to {MAX_ID_BYTES} bytes")
    return value


def attributes_of(record: Mapping[str, Json], max_bytes: int) -> Attributes:
    """Return the attributes of a record.

    Raises:
        InvalidRequest: `_expires_at` is no moment, a key begins with `$` or has a dot, a value cannot be stored, all of
            them are too large, or the record has a text, which only queries have.

    """
    if record.get(TEXT_FIELD) is not None:
        raise InvalidRequest(f"{TEXT_FIELD} is for query records; a record that is stored has a picture")
    attributes = stored_part(record)
    check_expiry(attributes.get(EXPIRY_FIELD))
    for key in attributes:
        if key.startswith("$"):
            raise InvalidRequest(f"the attribute {key[:40]!r} begins with $, which is kept for operators")
    check(attributes, "an attribute")
    if (dotted := _dotted(attributes)) is not None:
        raise InvalidRequest(
            f"the attribute {dotted[:40]!r} has a dot in its name, which no filter could reach: there a dot leads into"
            ' an object, as in {"size": {"width": 5}}'
        )
    check_size(attributes, max_bytes)
    return attributes


def _dotted(value: Json) -> str | None:
    """Return a key with a dot in it, at any depth; None where there is none."""
    if isinstance(value, dict):
        children: Iterable[Json] = value.values()
        dotted = next((key for key in value if "." in key), None)
        if dotted is not None:
            return dotted
    else:
        children = value if isinstance(value, list) else ()
    for child in children:
        if isinstance(child, dict | list) and (found := _dotted(child)) is not None:
            return found
    return None


def check_size(attributes: Attributes, max_bytes: int) -> None:
    """Refuse attributes that take too many bytes in the form that they are exported in.

    Raises:
        InvalidRequest: they do.

    """
    if stored_bytes(attributes) > max_bytes:
        raise InvalidRequest(f"the attributes take more than {max_bytes} bytes")


def fit_to_insert(record: dict[str, Json]) -> dict[str, Json]:
    """Return a record that is to be stored: an `_expires_at` that is null is none."""
    if EXPIRY_FIELD in record and record[EXPIRY_FIELD] is None:
        return {key: value for key, value in record.items() if key != EXPIRY_FIELD}
    return record


def stored_part(record: Mapping[str, Json]) -> Attributes:
    """Return what of a record is stored as its attributes."""
    return {key: value for key, value in record.items() if key not in _NOT_STORED}


def skip(value: Json, error: InvalidRequest, place: int | None = None) -> Skipped:
    """Return the note that a record was skipped because of an error; it names the place of one without an `_id`."""
    given_id = value.get("_id") if isinstance(value, dict) else None
    # What cannot be written as UTF-8 is shown as a question mark, the beginning of an id that is too long.
    shown = given_id.encode("utf-8", "replace").decode() if isinstance(given_id, str) else None
    if shown is not None and len(shown.encode()) > MAX_ID_BYTES:
        shown = shown[:100]
    told = f"records[{place}]: {error}" if shown is None and place is not None else str(error)
    return Skipped(shown, statuses.SKIPPED_ERROR, told)


def read_each(
    records: Sequence[Json], read: Callable[[dict[str, Json], int], Read]
) -> tuple[list[Read], list[Skipped]]:
    """Return what is read of each record, and the records that were refused with the reason.

    `read` is called with a record and its place, and raises InvalidRequest to refuse it.
    """
    found = []
    skipped = []
    for place, record in enumerate(records):
        try:
            if not isinstance(record, dict):
                raise InvalidRequest("a record must be a JSON object")
            found.append(read(record, place))
        except InvalidRequest as error:
            skipped.append(skip(record, error, place))
    return found, skipped


def read_ids(records: Sequence[Json]) -> tuple[list[str], list[Skipped]]:
    """Return the `_id`s of records, each once, in order, and the records that have none that could be stored."""
    ids, skipped = read_each(records, lambda record, _: checked_id(record.get("_id")))
    return list(dict.fromkeys(ids)), skipped
