"""From a request to typed parameters."""

from codecs import BOM_UTF8
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, TypeVar

from flask import Request
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from app.domain.errors import BodyTooLarge, InvalidRequest
from app.domain.facets import facets_of
from app.domain.jsontext import check, check_text, is_integer, loads
from app.domain.records import Json


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


Whole = Annotated[int, BeforeValidator(_whole)]
Number = Annotated[float, BeforeValidator(_number), Field(allow_inf_nan=False)]
Text = Annotated[str, BeforeValidator(_text)]
Names = Annotated[list[Text], Field(max_length=1000)]


def _digits(value: object) -> object:
    if not isinstance(value, str) or not value.isascii() or not value.isdigit() or len(value) > 12 or int(value) < 1:
        raise ValueError("must be a whole number from 1 on")
    return int(value)


# A number in a query string, where everything is text.
PositiveText = Annotated[int, BeforeValidator(_digits)]
# What a filter may be is said by app.filters, with the place of what is wrong.
Filter = Any
QueryRecord = Annotated[dict[str, Any], BeforeValidator(_query)]
# What a facet may be is said by app.domain.facets, likewise.
Facets = Annotated[Any, AfterValidator(facets_of)]
_MAX_INT = 2**31 - 1
Count = Annotated[Whole, Field(ge=0, le=_MAX_INT)]
# `cand_set_size` and `approx_param` are hints: what is out of the index's range is brought into it.
Effort = Annotated[Count, AfterValidator(lambda value: max(1, min(value, 1000)))]


class Parameters(BaseModel):
    """Parameters of a method. Null ones count as not given; app.api.unknown sees to those that it does not know."""

    model_config = ConfigDict(extra="ignore", frozen=True)


P = TypeVar("P", bound=Parameters)


def body_of(request: Request) -> dict[str, Json]:
    """Return the JSON object in a request's body; an empty body is an empty object.

    Raises:
        InvalidRequest: it is not JSON, or not an object.
        BodyTooLarge: it came in chunks, and they are more than the server takes.

    """
    data = request.get_data(cache=False)
    if request.content_length is None and request.environ["wsgi.input"].read(1):
        raise BodyTooLarge("the request body is larger than the server takes")  # in chunks, cut off at the limit
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
