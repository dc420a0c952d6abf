"""From a request to typed parameters."""

from codecs import BOM_UTF8
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, TypeVar

from flask import Request
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from werkzeug.exceptions import RequestEntityTooLarge

from app.api import shapes
from app.domain.errors import InvalidRequest
from app.domain.facets import MAX_FACETS, facets_of
from app.domain.jsontext import check, check_text, is_integer, loads
from app.domain.records import Json
from app.domain.refinement import (
    GROUP_SIZE,
    MAX_BOOSTS,
    MAX_GROUP_SIZE,
    MAX_KEYS,
    boosts_of,
    sort_of,
    token_of,
)


def _whole(value: object) -> object:
    if not is_integer(value):
        raise ValueError("must be a whole number")
    return int(value)  # type: ignore[call-overload]


def _number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ValueError("must be a number")
    return float(value)


def _text(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("must be a string")
    check_text(value, "the value")
    return value


def _query(value: object) -> object:
    if not isinstance(value, dict):
        raise ValueError("must be a JSON object")
    check({key: part for key, part in value.items() if key != "_base64"}, "the query record")
    return value


def _digits(value: object) -> object:
    if not isinstance(value, str) or not value.isascii() or not value.isdigit() or len(value) > 12 or int(value) < 1:
        raise ValueError("must be a whole number from 1 on")
    return int(value)


def _shown_as(shape: Any) -> BeforeValidator:
    """Say in the document what a value must be that is checked elsewhere, where the place of what is wrong is known."""
    return BeforeValidator(lambda value: value, json_schema_input_type=shape)


_MAX_INT = 2**31 - 1
Distance = Annotated[float, Field(allow_inf_nan=False, ge=0), BeforeValidator(_number)]
Count = Annotated[int, Field(ge=0, le=_MAX_INT), BeforeValidator(_whole)]
Text = Annotated[str, BeforeValidator(_text)]
# A number in a query string, where everything is text.
PositiveText = Annotated[int, Field(ge=1), BeforeValidator(_digits)]
FieldsToReturn = Annotated[
    list[Text],
    Field(
        max_length=1000,
        description='Fields of each record in the answer. The `_id` always is there; `"*"` means all but `_base64`.',
    ),
]
QueryRecord = Annotated[
    dict[str, Any],
    BeforeValidator(_query, json_schema_input_type=shapes.QueryRecord),
    Field(description="What to compare with: a stored record by `_id`, a picture, or a text."),
]
QueryRecords = Annotated[
    list[QueryRecord],
    _shown_as(Annotated[list[shapes.QueryRecord], Field(min_length=1)]),
    Field(description="What to compare with: stored records by `_id`, pictures, texts, mixed."),
]
NegativeRecords = Annotated[
    list[QueryRecord],
    _shown_as(list[shapes.QueryRecord]),
    Field(description="What the answer should be unlike: stored records by `_id`, pictures, texts, mixed."),
]
RecordIds = Annotated[
    list[Any],
    _shown_as(Annotated[list[shapes.RecordId], Field(min_length=1)]),
    Field(description="The records, by `_id`."),
]
Records = Annotated[list[Any], _shown_as(Annotated[list[shapes.Record], Field(min_length=1)])]
Filter = Annotated[Any, _shown_as(shapes.Filter), Field(description="Only records that satisfy this filter.")]
Facets = Annotated[
    Any,
    BeforeValidator(
        facets_of,
        json_schema_input_type=Annotated[list[shapes.FacetRequest], Field(min_length=1, max_length=MAX_FACETS)],
    ),
    Field(description="Fields whose values are counted over all records that match, within the cutoff."),
]
Sort = Annotated[
    Any,
    BeforeValidator(
        sort_of,
        json_schema_input_type=Annotated[list[shapes.SortKey], Field(min_length=1, max_length=MAX_KEYS)],
    ),
    Field(
        description="The order of the answer: fields with 1 (ascending) or -1 (descending), the first counts most; "
        "`_distance` and `_id` are fields, too. Searches by likeness need a cutoff: `radius` or `candidates`."
    ),
]
Boosts = Annotated[
    Any,
    BeforeValidator(
        boosts_of,
        json_schema_input_type=Annotated[list[shapes.BoostRequest], Field(min_length=1, max_length=MAX_BOOSTS)],
    ),
    Field(description="What is added to distances before the records are put in order; nothing is left out by it."),
]
PageToken = Annotated[
    Any,
    BeforeValidator(token_of, json_schema_input_type=str),
    Field(
        description='`""` for the first page, then the `page_token` of the answer before, in place of `from`: pages '
        "that neither repeat nor lose a record while others insert and delete. Every match is compared."
    ),
]
Candidates = Annotated[
    Annotated[int, Field(ge=1, le=_MAX_INT), BeforeValidator(_whole)] | None,
    Field(description="Cutoff: only so many of the nearest records count, for everything that is asked."),
]
GroupSize = Annotated[
    Annotated[int, Field(ge=1, le=MAX_GROUP_SIZE), BeforeValidator(_whole)] | None,
    Field(description=f"Records of each group, with `groups`; left out: {GROUP_SIZE}."),
]
Diversity = Annotated[
    Annotated[float, Field(ge=0, le=1, allow_inf_nan=False), BeforeValidator(_number)] | None,
    Field(
        description="0 (the nearest) to 1 (as different as can be): how much records that look like one before them "
        "step back. The nearest always comes first."
    ),
]
Wanted = Annotated[Count, Field(description="Number of records wanted at most.")]
WantedOrAll = Annotated[Count | None, Field(description="Number of records wanted at most; left out: all of them.")]
From = Annotated[
    Count, Field(alias="from", description="Number of records to skip at the beginning, as when turning pages.")
]
Radius = Annotated[Distance, Field(description="Largest distance of a record of the answer, inclusive.")]
RadiusOrNone = Annotated[Distance | None, Field(description="Largest distance of a record of the answer, inclusive.")]
# The index takes 1 to 1000: what is out of that is brought into it, since it is a hint.
Effort = Annotated[
    Annotated[Count, AfterValidator(lambda value: max(1, min(value, 1000)))] | None,
    Field(description="How hard to look, 1 to 1000: more is slower and misses less. A hint; leave it out if in doubt."),
]
RecallTarget = Annotated[
    Annotated[float, Field(gt=0, le=1, allow_inf_nan=False), BeforeValidator(_number)] | None,
    Field(
        description="Share of the true neighbours that the search aims at, above 0 and at most 1: the index is searched"
        " as hard as that was measured to need. 1: every match is compared. Left out, the collection's."
    ),
]
TagsWeight = Annotated[
    float,
    Field(ge=0, le=1, description="Share of the tags in the distance, 0 (pictures alone) to 1 (tags alone)."),
    BeforeValidator(_number),
]
DuplicateRadius = Annotated[Distance, Field(description="Distance up to which two records are near duplicates.")]
ProductField = Annotated[
    Text | None,
    Field(
        description="Name of a field of which each value is answered once: its nearest record. Left out: that of the "
        'collection, if it has one; `""`: none.'
    ),
]


GroupBy = Annotated[Text | None, Field(description="Another name of `product_field`.")]


class Parameters(BaseModel):
    """Parameters of a method. Null ones count as not given; app.api.unknown sees to those that it does not know."""

    model_config = ConfigDict(extra="ignore", frozen=True)


P = TypeVar("P", bound=Parameters)


def body_of(request: Request) -> dict[str, Json]:
    """Return the JSON object in a request's body; an empty body is an empty object.

    Raises:
        InvalidRequest: it is not JSON, or not an object.
        RequestEntityTooLarge: it is larger than the server takes, or than its token may send.

    """
    data = request.get_data(cache=False)
    if request.content_length is None and request.environ["wsgi.input"].read(1):
        raise RequestEntityTooLarge  # in chunks, cut off at the limit
    if not data.removeprefix(BOM_UTF8).strip():
        return {}
    body = loads(data)
    if not isinstance(body, dict):
        raise InvalidRequest("the request body must be a JSON object")
    return body


def parse(model: type[P], body: Mapping[str, Json]) -> P:
    """Check a body against a method's parameters.

    Raises:
        InvalidRequest: a parameter is missing or wrong; the message names it.

    """
    try:
        return model.model_validate({key: value for key, value in body.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] == "missing":
            raise InvalidRequest(f"the parameter {place} is missing") from None
        raise InvalidRequest(f"{place}: {message[0].lower()}{message[1:]}") from None


def records_within(records: list[Any], limit: int, name: str = "records") -> list[Any]:
    """Check the number of records in a request.

    Raises:
        InvalidRequest: there are none, or more than the limit.

    """
    if not 1 <= len(records) <= limit:
        raise InvalidRequest(f"{name} must hold 1 to {limit} records; there are {len(records)}")
    return records
