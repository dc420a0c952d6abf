"""The objects in answers, for the document."""

from typing import Annotated, Any, Literal, NotRequired, Required

from pydantic import Field
from typing_extensions import TypedDict  # pydantic reads that of `typing` from Python 3.12 on


class ReasonStatus(TypedDict):
    """What became of a record."""

    code: Annotated[int, Field(description="What became of the request.")]
    text: Annotated[str, Field(description="The code in words.")]
    error_description: NotRequired[Annotated[str, Field(description="What was wrong, in a sentence.")]]


class Status(ReasonStatus):
    """The outcome of a call."""

    request_id: Annotated[str, Field(description="Id of this request, as in the server's log.")]


class Written(TypedDict):
    """Numbers of records."""

    inserted: Annotated[int, Field(ge=0, description="Records that are new.")]
    replaced: Annotated[int, Field(ge=0, description="Stored records that have another picture now.")]
    updated: Annotated[int, Field(ge=0, description="Stored records of the same picture that have other attributes.")]
    unchanged: Annotated[int, Field(ge=0, description="Stored records that were so already.")]


class QualifiedSet(TypedDict):
    """The records that match the filter and lie within the cutoff."""

    cutoff: Annotated[
        Literal["none", "radius", "candidates", "radius, candidates"], Field(description="What the set ends with.")
    ]
    size: NotRequired[Annotated[int, Field(ge=0, description="Number of its records, if counted.")]]
    exact: Annotated[
        bool,
        Field(description="Whether no record is missing from it; the nearest that the index found may lack a few."),
    ]
    facets_left_out: NotRequired[Annotated[str, Field(description="Why counts and facets are not there.")]]


class Statistics(TypedDict, total=False):
    """Figures about the processing; searches add which way was taken."""

    OperationTime: Required[Annotated[int, Field(ge=0, description="Milliseconds.")]]
    search: Annotated[
        Literal["exact", "index", "index, then exact"],
        Field(
            description="How a search was done: by comparing every record that matches, through the index, or both, "
            "where the index alone could not be trusted to have found all."
        ),
    ]
    SearchTime: Annotated[
        float, Field(ge=0, description="Milliseconds of the search itself, without pictures and model.")
    ]
    ignored: Annotated[
        dict[str, str | None],
        Field(
            description="Parameters of the request that the method does not know, each with the name that was probably "
            "meant; `?` before it: in the query string."
        ),
    ]
    tags: Annotated[str, Field(description="Why no tags were made although they were asked for.")]
    written: Annotated[
        Written,
        Field(description="How records were written by an insert that may replace stored ones."),
    ]
    matches: Annotated[int, Field(ge=0, description="Records that match the filter, if counted.")]
    matches_more_than: Annotated[int, Field(ge=0, description="The number at which the count of matches was given up.")]
    candidates: Annotated[int, Field(ge=0, description="Records that were compared, if known.")]
    recall_target: Annotated[
        float,
        Field(gt=0, le=1, description="Share of the true neighbours that a search through the index aimed at."),
    ]
    effort: Annotated[int, Field(ge=1, le=1000, description="How hard the index was searched.")]
    measured_recall: Annotated[
        float, Field(ge=0, le=1, description="The share that was found at this effort when it was measured, if it was.")
    ]
    pairs: Annotated[
        Literal["stored", "compared"],
        Field(description="Whether the pairs were stored, or every pair was compared for this answer."),
    ]
    set: Annotated[QualifiedSet, Field(description="The set that counts, facets, orders and groups are over.")]


class AnswerRecord(TypedDict, total=False):
    """A record, with its `_id` and the fields that were asked for."""

    _id: str


_Records = Annotated[list[AnswerRecord], Field(description="The records, with the fields that were asked for.")]
_Count = Annotated[int, Field(ge=0, description="Number of records in the answer.")]
_Distance = Annotated[float, Field(ge=0)]
_Distances = Annotated[
    list[_Distance],
    Field(
        description="Distance of each record of `answer_records` to the query record; smaller is more alike, 0 is the "
        "same."
    ),
]


class Reason(TypedDict):
    """Why a record was not processed."""

    status: ReasonStatus
    answer_records: NotRequired[_Records]
    answer_count: NotRequired[_Count]
    answer_distances: NotRequired[_Distances]


class SkippedRecord(TypedDict):
    """A record that was not processed."""

    _id: Annotated[str | None, Field(description="Null where the record has none that can be read.")]
    _reason: Annotated[
        Reason, Field(description="Why. A near duplicate comes with the stored records that it looks like.")
    ]


_Skipped = Annotated[
    list[SkippedRecord], Field(description="The records that were not processed, each with its reason.")
]


class Envelope(TypedDict):
    """What every answer has."""

    status: Status
    statistics: Statistics


class Failure(Envelope, total=False):
    """A call that did not do what it was asked; where records were refused one by one, it says which and why."""

    answer_records: _Records
    answer_count: _Count
    answer_distances: _Distances
    skipped_records: _Skipped


class PingAnswer(Envelope):
    """The server is there."""

    info: Annotated[str, Field(description="Name and version of the server.")]


class CountAnswer(Envelope):
    """A number of records."""

    answer_count: _Count


class ListingAnswer(Envelope):
    """A list of records."""

    answer_records: _Records
    answer_count: _Count


class FacetValue(TypedDict):
    """A value, or a range of numbers as the condition that a filter takes."""

    value: Annotated[Any, Field(description="The value; of a range its bounds, as `$gte`, `$lt`, `$lte`.")]
    count: Annotated[int, Field(ge=0, description="Records that have it.")]
    selected: Annotated[
        bool, Field(description="Whether the filter asks something of the field, and this value meets it.")
    ]


class Facet(TypedDict):
    """How many of the records have which values of a field. A list counts once for each value in it."""

    values: Annotated[
        list[FacetValue], Field(description="Single values by their count, the greatest first; ranges in their order.")
    ]
    missing: Annotated[int, Field(ge=0, description="Records without a value in the field.")]
    other: Annotated[
        int,
        Field(
            ge=0,
            description="Of single values: the sum of the counts of those that are not listed. Of ranges: the records "
            "whose values are no numbers.",
        ),
    ]
    distinct: NotRequired[Annotated[int, Field(ge=0, description="Number of different single values.")]]
    exact: Annotated[bool, Field(description="Whether every record was counted.")]


_TotalCount = Annotated[
    int, Field(ge=0, description="Number of records that match the filter and lie within the cutoff.")
]
_PageToken = Annotated[str, Field(description="Where the next page begins; not there on the last one.")]
_Facets = Annotated[dict[str, Facet], Field(description="The facets that were asked for, by their names.")]


class FacetsAnswer(Envelope):
    """Counts of the values of fields."""

    total_count: _TotalCount
    facets: _Facets


class FoundAnswer(ListingAnswer, total=False):
    """Records that match a filter."""

    total_count: _TotalCount
    facets: _Facets
    page_token: _PageToken


class AllRecordsAnswer(Envelope):
    """Records of a collection."""

    answer_records: _Records
    answer_count: Annotated[int, Field(ge=0, description="Number of records in the whole collection.")]
    next: NotRequired[
        Annotated[str, Field(description="Link to the next page, where there is one and `size` was given.")]
    ]
    previous: NotRequired[Annotated[str, Field(description="Link to the page before, where there is one.")]]
    output_file_name: NotRequired[Annotated[str, Field(description="Name of the file, as it was asked for.")]]


class ProcessedAnswer(ListingAnswer):
    """What became of each record."""

    skipped_records: NotRequired[_Skipped]


class Group(TypedDict):
    """Records of the qualified set that share a value."""

    value: Annotated[Any, Field(description="The value; null for a record that has none and is alone in its group.")]
    count: Annotated[int, Field(ge=1, description="Number of all its records in the qualified set.")]
    records: Annotated[list[AnswerRecord], Field(description="The first of them.")]
    distances: Annotated[list[float], Field(description="The distance of each.")]


class RankedAnswer(ListingAnswer):
    """Records in order, nearest first."""

    total_count: NotRequired[_TotalCount]
    facets: NotRequired[_Facets]
    groups: NotRequired[
        Annotated[list[Group], Field(description="The groups of the records of the answer, in their order.")]
    ]
    boosted_distances: NotRequired[
        Annotated[
            list[float], Field(description="Distance of each record with what `boost` adds; the order goes by it.")
        ]
    ]
    page_token: NotRequired[_PageToken]

    answer_distances: _Distances
    query_records: Annotated[
        list[dict[str, Any]], Field(description="The query records as they were sent, without `_base64`.")
    ]


class RankedRecordsAnswer(RankedAnswer):
    """The given records in order, nearest first."""

    skipped_records: NotRequired[_Skipped]


class PairsAnswer(Envelope):
    """Pairs of records."""

    answer_records: Annotated[
        list[Annotated[list[AnswerRecord], Field(min_length=2, max_length=2)]],
        Field(description="The pairs, nearest first; each pair stands once."),
    ]
    answer_distances: Annotated[list[_Distance], Field(description="Distance between the two records of each pair.")]
    answer_count: Annotated[int, Field(ge=0, description="Number of pairs in the answer.")]
