"""The objects in requests, for the document. What a request holds is checked where it is used."""

from typing import Annotated, Any, Literal, Required

from pydantic import ConfigDict, Field
from typing_extensions import TypeAliasType, TypedDict  # pydantic reads that of `typing` from Python 3.12 on

from app.domain.facets import MAX_BINS, MAX_VALUES
from app.services.texts import MAX_CHARACTERS

_Id = Annotated[str, Field(min_length=1, max_length=1024, description="Id, unique in the collection.")]


class Record(TypedDict, total=False):
    """A picture and its attributes. Any further field is an attribute: any JSON value, for filters."""

    _id: _Id
    _url: Annotated[str, Field(description="URL of the picture.")]
    _file: Annotated[str, Field(description="Path of the picture on the server, where it has a folder for that.")]
    _base64: Annotated[str, Field(description="The picture itself, as base64.")]
    _box: Annotated[
        list[int],
        Field(
            min_length=4,
            max_length=4,
            description="Part of the picture to look at: [left, top, right, bottom] in pixels.",
        ),
    ]
    _expires_at: Annotated[
        str | None,
        Field(
            description="Moment from which on the record counts as deleted, with an offset (RFC 3339); null: never.",
            examples=["2027-01-31T18:00:00+01:00"],
        ),
    ]
    tags: Annotated[Any, Field(description="Labels, an array of strings.", examples=[["dresses", "polka dot"]])]


class RecordId(TypedDict):
    """A stored record by its id."""

    _id: _Id


class QueryRecord(Record, total=False):
    """A stored record by its `_id`; else the picture of the first of `_base64`, `_url`, `_file`; a text; or both."""

    _text_data: Annotated[
        str,
        Field(
            min_length=1,
            max_length=MAX_CHARACTERS,
            description="What the pictures should show, in words, alone or beside a picture; where the collection's "
            "model knows texts. A text that is longer than the model reads is refused, never cut.",
            examples=["red summer dress"],
        ),
    ]
    _text_weight: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="How much a text beside a picture counts: 0 (the picture alone) to 1 (the text alone).",
            json_schema_extra={"default": 0.5},
        ),
    ]
    _weight: Annotated[
        float,
        Field(description="For visualKNNMulti: how much this query record counts; a negative one repels."),
    ]


class Filter(TypedDict):
    """A condition in the language of MongoDB's `find()`; `{TAKE_FROM_QUERY}` is the query record's own value."""

    __pydantic_config__ = ConfigDict(  # type: ignore[misc]  # pydantic's own way to configure a TypedDict
        json_schema_extra={
            "examples": [{"price": {"$gte": 200}}, {"$or": [{"color": "red"}, {"size": {"$in": ["S", "M"]}}]}]
        }
    )


class Histogram(TypedDict):
    """Equally wide ranges of numbers."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]
    bins: Annotated[int, Field(ge=1, le=MAX_BINS, description="Number of the ranges.")]


class FacetOptions(TypedDict, total=False):
    """A field whose values are counted, and how."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]
    field: Required[
        Annotated[str, Field(description="The field, by its dotted name; of lists every element is counted.")]
    ]
    name: Annotated[str, Field(description="Name of the facet in the answer; left out: the field.")]
    limit: Annotated[
        int,
        Field(
            ge=1,
            le=MAX_VALUES,
            description="Number of values listed at most, beside those that are selected.",
            json_schema_extra={"default": 20},
        ),
    ]
    min_count: Annotated[
        int, Field(ge=1, description="Only values with this many records.", json_schema_extra={"default": 1})
    ]
    prefix: Annotated[str, Field(description="Only strings that begin so; upper and lower case differ.")]
    histogram: Annotated[
        Histogram, Field(description="Counts numbers in so many equally wide ranges from the least to the greatest.")
    ]
    ranges: Annotated[
        list[float],
        Field(
            min_length=1,
            max_length=MAX_BINS,
            description="Counts numbers in the ranges between these ascending bounds; the first and the last are open.",
        ),
    ]
    exclude_own: Annotated[
        bool,
        Field(
            description="Whether the filter's own condition on this field does not count for this facet.",
            json_schema_extra={"default": False},
        ),
    ]


FacetRequest = TypeAliasType(
    "FacetRequest",
    Annotated[
        Annotated[str, Field(min_length=1)] | FacetOptions,
        Field(description="The name of a field, or an object that says more."),
    ],
)


SortKey = TypeAliasType(
    "SortKey",
    Annotated[
        dict[str, Literal[1, -1]],
        Field(
            min_length=1,
            max_length=1,
            description="A field by its dotted name, and 1 (ascending) or -1 (descending).",
            examples=[{"price": 1}],
        ),
    ],
)


class FilterBoost(TypedDict):
    """Records that match come nearer than others, or further."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]
    filter: Annotated[Filter, Field(description="Which records.")]
    weight: Annotated[
        float,
        Field(
            description="Added to the distance of records that do not match; if it is negative, its size is added to "
            "that of those that do."
        ),
    ]


class FieldBoost(TypedDict):
    """Records with a greater number in a field come nearer."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]
    field: Annotated[str, Field(description="The field, by its dotted name; without a number in it nothing changes.")]
    factor: Annotated[float, Field(description="What is taken off the distance for each 1 in the field.")]


BoostRequest = TypeAliasType(
    "BoostRequest", Annotated[FilterBoost | FieldBoost, Field(description="What is added to distances.")]
)
