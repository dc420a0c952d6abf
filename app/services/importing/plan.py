"""What an import is asked for: the parameters of its job, checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from app.config import Settings
from app.domain.errors import InvalidRequest
from app.domain.jsontext import check
from app.domain.records import Json
from app.services.importing.entries import Reading
from app.services.importing.formats import FORMATS
from app.services.importing.mapping import FieldMap, checked_map
from app.services.importing.tables import TYPES, known_encoding
from app.services.jobs.given import number, only, optional_text, text, whole
from app.services.jsonlines import longest_line

Mode = Literal["insert", "upsert", "update_only"]
MODES: tuple[Mode, ...] = ("insert", "upsert", "update_only")
NearDuplicates = Literal["keep", "skip", "report"]
NEAR_DUPLICATES: tuple[NearDuplicates, ...] = ("keep", "skip", "report")
_MOST = 2**53
_NAMES = (
    "source", "format", "map", "mode", "near_duplicates", "radius", "encoding", "delimiter", "types",
    "max_rejects", "max_reject_share",
)  # fmt: skip
SOURCES = ("path", "url", "upload")


@dataclass(frozen=True, slots=True)
class Plan:
    """An import is to be done so.

    Attributes:
        source: one of `path`, `url`, `upload`, with its value.
        format: of `FORMATS`; None: it is found.
        fields: which field of the source becomes what.
        mode: what is done with records whose ids are stored, or are not.
        near_duplicates: what is done with a record that looks like a stored one.
        radius: within which it does.
        max_rejects: so many are taken; one more, and the job fails. None: any number.
        max_reject_share: likewise the share of all records so far, looked at from the 100th on.

    """

    source: tuple[str, str]
    format: str | None
    fields: FieldMap
    mode: Mode
    near_duplicates: NearDuplicates
    radius: float
    encoding: str | None
    delimiter: str | None
    types: Mapping[str, str]
    max_rejects: int | None
    max_reject_share: float

    def reading(self, settings: Settings) -> Reading:
        """Return how the source is read."""
        return Reading(
            longest_line(settings),
            settings.max_image_bytes,
            self.encoding,
            self.delimiter,
            self.types,
            self.fields.vector_field,
            text_fields=self.fields.text_fields,
        )


def checked(given: Mapping[str, Json]) -> dict[str, Json]:
    """Return the parameters of an import as they are stored.

    Raises:
        InvalidRequest: one is wrong; the message names it.

    """
    only(given, *_NAMES)
    check(dict(given), "a parameter")
    source = given.get("source")
    if not isinstance(source, dict) or len(source) != 1 or not set(source) <= {*SOURCES}:
        raise InvalidRequest('parameters.source: it is {"path": …}, {"url": …} or {"upload": …}')
    value = text(source, next(iter(source)))
    limit = given.get("max_rejects")
    types = given.get("types") or {}
    if not isinstance(types, dict) or not all(isinstance(kind, str) and kind in TYPES for kind in types.values()):
        raise InvalidRequest(f"parameters.types: it gives columns one of the types {', '.join(TYPES)}")
    delimiter = text(given, "delimiter", ",")
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise InvalidRequest("parameters.delimiter: it is one character, and no quote or newline")
    parameters: dict[str, Json] = {
        "source": {next(iter(source)): value},
        "format": None if given.get("format") is None else _one_of(given, "format", tuple(FORMATS)),
        "map": dict(checked_map(given.get("map"))),
        "mode": _one_of(given, "mode", MODES),
        "near_duplicates": _one_of(given, "near_duplicates", NEAR_DUPLICATES),
        "radius": number(given, "radius", 5.0, 0.0, 1e6),
        "encoding": _encoding(given),
        "delimiter": None if given.get("delimiter") is None else delimiter,
        "types": types,
        "max_rejects": None if limit is None else whole(given, "max_rejects", 0, 0, _MOST),
        "max_reject_share": number(given, "max_reject_share", 1.0, 0.0, 1.0),
    }
    return parameters


def _encoding(given: Mapping[str, Json]) -> str | None:
    if given.get("encoding") is None:
        return None
    try:
        return known_encoding(text(given, "encoding"))
    except InvalidRequest as error:
        said = str(error)
        raise InvalidRequest(said if said.startswith("parameters.") else f"parameters.encoding: {said}") from None


def _one_of(given: Mapping[str, Json], name: str, values: tuple[str, ...]) -> str:
    value = text(given, name, values[0])
    if value not in values:
        raise InvalidRequest(f"parameters.{name}: it is one of {', '.join(values)}")
    return value


def plan_of(parameters: Mapping[str, Json]) -> Plan:
    """Return the plan of parameters that `checked` returned."""
    source = parameters["source"]
    assert isinstance(source, dict)  # noqa: S101  (as it was checked)
    types = parameters.get("types")
    limit = parameters.get("max_rejects")
    kind, value = next(iter(source.items()))
    return Plan(
        source=(kind, str(value)),
        format=optional_text(parameters, "format"),
        fields=FieldMap(checked_map(parameters.get("map"))),
        mode=parameters.get("mode") or "insert",  # type: ignore[arg-type]
        near_duplicates=parameters.get("near_duplicates") or "keep",  # type: ignore[arg-type]
        radius=number(parameters, "radius", 5.0, 0.0, 1e6),
        encoding=optional_text(parameters, "encoding"),
        delimiter=optional_text(parameters, "delimiter"),
        types={name: str(kind) for name, kind in types.items()} if isinstance(types, dict) else {},
        max_rejects=limit if isinstance(limit, int) else None,
        max_reject_share=number(parameters, "max_reject_share", 1.0, 0.0, 1.0),
    )
