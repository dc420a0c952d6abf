"""Records on their way in and out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, NamedTuple

import orjson

from app.domain.errors import InvalidRequest
from app.domain.statuses import Status

Json = dict[str, "Json"] | list["Json"] | str | int | float | Decimal | bool | None
Attributes = dict[str, Json]
QueryRecord = Mapping[str, Json]

Mode = Literal["insert", "update", "upsert"]
"""Records that are written with their pictures may be new, take the place of stored ones, or both."""

IMAGE_FIELDS = ("_base64", "_url", "_file")
TEXT_FIELD = "_text_data"
TEXT_WEIGHT = "_text_weight"
WEIGHT = "_weight"


class Found(NamedTuple):
    """A record of an answer. `attributes` is the JSON text of an object, None where only the `_id` is asked for.

    `id` is empty for a picture that was ranked without being stored and came without an `_id`. A tuple, as a
    search makes one for each row, in half the time of a frozen dataclass.
    """

    id: str
    attributes: str | None = None
    distance: float | None = None

    def json(self) -> bytes:
        """Return the record as JSON; the attributes' text is passed through as the database wrote it."""
        head = orjson.dumps({"_id": self.id} if self.id else {})
        if self.attributes is None or self.attributes == "{}":
            return head
        return head[:-1] + (b"," if self.id else b"") + self.attributes[1:].encode()


@dataclass(frozen=True, slots=True)
class Skipped:
    """A record that was not processed, and why. `record_id` is None where the caller gave none that can be read."""

    record_id: str | None
    status: Status
    description: str | None = None
    near_duplicates: tuple["Found", ...] | None = None


@dataclass(frozen=True, slots=True)
class Fields:
    """Fields of a record that are returned: `names` of attributes, or all of them. The `_id` always is."""

    everything: bool = False
    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, names: list[str]) -> "Fields":
        """Read the parameter `fields_to_return`: `"*"` means every attribute.

        Raises:
            InvalidRequest: a name has a dot: attributes are returned whole.

        """
        for name in names:
            if "." in name:
                whole = name.partition(".")[0]
                raise InvalidRequest(
                    f"fields_to_return: {name[:40]!r} leads into an attribute, and attributes are returned whole:"
                    f" name {whole[:40]!r}"
                )
        if "*" in names:
            return cls(everything=True)
        return cls(names=tuple(sorted({name for name in names if name not in ("_id", "_base64")})))

    @property
    def only_id(self) -> bool:
        """True if nothing but the `_id` is asked for."""
        return not self.everything and not self.names


@dataclass(frozen=True, slots=True)
class Processed:
    """The outcome of a request that processes records one by one.

    `note` says what was asked for and not done; `outcomes` how many records were written how, where that may differ.
    """

    status: Status
    records: list[Found] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    note: str | None = None
    outcomes: Mapping[str, int] | None = None
