"""Which field of a source becomes what of a record: `{"id": "sku", "image": "photo_url"}`."""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from app.domain.errors import InvalidRequest
from app.domain.jsontext import is_integer
from app.domain.records import Json
from app.services.importing.entries import Record

_TARGETS: Mapping[str, str] = MappingProxyType(
    {
        "id": "_id",
        "url": "_url",
        "file": "_file",
        "base64": "_base64",
        "embedding": "_embedding",
        "vector": "_embedding",
        "box": "_box",
        "expires_at": "_expires_at",
    }
)
_IMAGE = "image"
_PICTURES = ("_url", "_file", "_base64")
_MOST = 1000


def checked_map(given: Json) -> dict[str, str]:
    """Return a mapping as it is stored: targets with the names of the fields that they are taken from.

    Raises:
        InvalidRequest: it is no object of names, or gives one field twice.

    """
    if given is None:
        return {}
    if not isinstance(given, dict) or len(given) > _MOST:
        raise InvalidRequest('parameters.map: it is an object, e.g. {"id": "sku", "image": "photo_url"}')
    for target, name in given.items():
        if not isinstance(name, str) or not name or not target:
            raise InvalidRequest(f"parameters.map.{target[:40]}: it names a field of the source")
    named = [_TARGETS.get(target, target) for target in given]
    if len(set(named)) < len(named):
        raise InvalidRequest("parameters.map: two of its names are the same field of a record")
    return {target: str(name) for target, name in given.items()}


class FieldMap:
    """Gives the fields of a source the names that they have in a record; those it does not name keep theirs."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._from = {_TARGETS.get(target, target): name for target, name in names.items()}
        self._moved = frozenset(self._from.values())

    @property
    def vector_field(self) -> str:
        """The field of the source that holds the embedding."""
        return self._from.get("_embedding", "_embedding")

    @property
    def id_field(self) -> str:
        """The field of the source that holds the `_id`."""
        return self._from.get("_id", "_id")

    @property
    def text_fields(self) -> frozenset[str]:
        """The fields of the source that are text whatever stands in them."""
        wanted = {"_id", _IMAGE, *_PICTURES}
        return frozenset({*(name for target, name in self._from.items() if target in wanted), "_id", *_PICTURES})

    def of(self, record: Record) -> Record:
        """Return a record with the fields of a source.

        Raises:
            InvalidRequest: a field that the `_id` is taken from is not there.

        """
        if not self._from:
            return dict(record)
        made = {name: value for name, value in record.items() if name not in self._moved}
        for target, name in self._from.items():
            value = record.get(name)
            if target == _IMAGE:
                made |= _picture(name, value)
            elif target == "_id":
                made["_id"] = _id(name, value)
            elif value is not None or name in record:
                made[target] = value
        return made


def _id(name: str, value: Json) -> Json:
    if value is None or value == "":
        raise InvalidRequest(f"{name}: the record has none, and it is the _id")
    return str(value) if is_integer(value) or isinstance(value, Decimal) else value


def _picture(name: str, value: Json) -> Record:
    """Return the field that a picture stands in: a URL, base64 as a `data:` URI, or else the name of a file."""
    if value is None or value == "":
        return {}
    if not isinstance(value, str):
        raise InvalidRequest(f"{name}: a picture is given as a URL, a data: URI or the name of a file")
    start = value[:8].lower()
    if start.startswith(("http://", "https://")):
        return {"_url": value}
    return {"_base64": value} if start.startswith("data:") else {"_file": value}
