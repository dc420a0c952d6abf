"""The objects in the answers of `/duplicates/v1/…`, for the document."""

from datetime import datetime
from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict  # pydantic reads that of `typing` from Python 3.12 on

from app.api.answers import AnswerRecord, Envelope

_Distance = Annotated[float, Field(ge=0)]
_Count = Annotated[int, Field(ge=0)]
_Ids = Annotated[list[str], Field(description="The `_id`s of the records.")]
_Number = Annotated[int, Field(ge=1, description="Number of the decision.")]
_Next = Annotated[int | None, Field(description="`before` of the next page; null on the last one.")]
_Attributes = Annotated[dict[str, Any], Field(description="The attributes of the record.")]


class StateAnswer(Envelope):
    """How far the stored pairs are."""

    stored: Annotated[bool, Field(description="Whether pairs are stored; where not, the other fields are not there.")]
    radius: NotRequired[Annotated[_Distance, Field(description="Pairs within it are stored.")]]
    complete: NotRequired[Annotated[bool, Field(description="Whether every record was compared.")]]
    outdated: NotRequired[Annotated[bool, Field(description="Whether the vectors were made anew since the scan.")]]
    pending: NotRequired[Annotated[_Count, Field(description="Records that were written since the last comparison.")]]
    begun_at: NotRequired[Annotated[datetime, Field(description="When the scan began.")]]
    completed_at: NotRequired[Annotated[datetime | None, Field(description="When every record had been compared.")]]


class StoredPair(TypedDict):
    """Two records within the radius."""

    one: str
    other: str
    distance: Annotated[float, Field(ge=0, description="The distance by the model.")]
    hash_distance: Annotated[
        float | None, Field(description="That of the perceptual hashes, on the same scale; null where there is none.")
    ]
    same_file: Annotated[bool, Field(description="Whether both were made of the same bytes.")]


class DuplicateGroup(TypedDict):
    """Records that hang together by pairs within the radius."""

    members: _Ids
    size: Annotated[int, Field(ge=2, description="Number of its records.")]
    weakest: Annotated[_Distance, Field(description="Distance of the farthest pair that holds the group together.")]
    widest: Annotated[_Distance, Field(description="Greatest distance of its pairs.")]
    complete: Annotated[bool, Field(description="Whether every two are within the radius; where not, it is a chain.")]
    decision: Annotated[int | None, Field(description="The decision that dismissed it; null: none did.")]
    newest: Annotated[datetime | None, Field(description="When the last of its records was stored.")]
    suggestion: Annotated[str | None, Field(description="The record to keep, where rules were given.")]
    reason: Annotated[str | None, Field(description="The rule that decided.")]
    records: Annotated[list[AnswerRecord], Field(description="The records, with the fields that were asked for.")]
    pairs: Annotated[list[StoredPair], Field(description="The pairs of the first 50 records, nearest first.")]


class GroupsAnswer(Envelope):
    """A page of groups."""

    groups: list[DuplicateGroup]
    group_count: Annotated[_Count, Field(description="Number of all groups.")]
    record_count: Annotated[_Count, Field(description="Number of the records in all groups.")]


class DecisionAnswer(Envelope):
    """A decision was made."""

    decision: _Number


class PreviewAnswer(Envelope):
    """A merge that is only shown."""

    before: _Attributes
    after: _Attributes


class OutcomesAnswer(Envelope):
    """What became of records that were to come back."""

    outcomes: Annotated[
        dict[str, Literal["restored", "taken", "other_model", "expired", "stored", "absent"]],
        Field(
            description="By `_id`. `taken`: a record of this id was stored since; `other_model`: the vectors were made "
            "anew since; `expired`: its `_expires_at` has passed; these stay in the trash. `stored`: it is not in the "
            "trash, but a record; `absent`: it is neither."
        ),
    ]


class DecisionMade(TypedDict):
    """A decision, and whether it was undone."""

    decision: _Number
    kind: Literal["resolved", "dismissed"]
    members: _Ids
    removed: _Ids
    reason: str | None
    merged: Annotated[
        dict[str, Any] | None,
        Field(
            description="What a merge changed: `id`, and the values `before` and `after`; `taken_back`: an undo did "
            "that, and may have left the decision open for what did not come back yet."
        ),
    ]
    made_at: datetime
    made_by: str
    undone_at: datetime | None
    undone_by: str | None
    restored: Annotated[list[str], Field(description="Those removed that came back from the trash.")]
    trashed: Annotated[
        dict[str, int], Field(description="By `_id`, the numbers of those removed that are in the trash still.")
    ]


class DecisionsAnswer(Envelope):
    """Decisions, the latest first."""

    decisions: list[DecisionMade]
    next: _Next


class AppliedGroup(TypedDict):
    """What became of a group in a bulk decision."""

    members: _Ids
    keep: Annotated[str, Field(description="The record that is kept.")]
    reason: Annotated[str, Field(description="The rule that decided.")]
    decision: Annotated[int | None, Field(description="The decision; null in a dry run, and where it was passed over.")]
    error: Annotated[str | None, Field(description="Why it was passed over.")]


class ApplyAnswer(Envelope):
    """What a bulk decision did, or would do."""

    groups: list[AppliedGroup]
    group_count: _Count
    removed_count: Annotated[_Count, Field(description="Records that are removed.")]
    dry_run: bool


class TrashedRecord(TypedDict):
    """A record in the trash."""

    number: Annotated[int, Field(ge=1, description="Its place in the trash, the latest last.")]
    id: str
    attributes: _Attributes
    removed_at: datetime
    removed_by: str
    purge_at: Annotated[datetime, Field(description="Until then it can come back.")]
    decision: int | None


class TrashAnswer(Envelope):
    """A page of the trash, the latest first."""

    records: list[TrashedRecord]
    record_count: Annotated[_Count, Field(description="Number of all records in the trash.")]
    next: _Next


class RemovedAnswer(Envelope):
    """Records that went into the trash."""

    removed: _Ids


class PurgedAnswer(Envelope):
    """Records that were deleted for good."""

    purged: _Count


class DrawnPair(TypedDict):
    """Two records that are to be judged."""

    one: str
    other: str


class TunePairsAnswer(Envelope):
    """Pairs to be judged; none where all were."""

    pairs: list[DrawnPair]


class JudgedAnswer(Envelope):
    """Judgements were stored."""

    judged: Annotated[_Count, Field(description="Number of the pairs.")]


class Share(TypedDict):
    """A share, and the interval that it lies in with 95 %."""

    value: Annotated[float, Field(ge=0, le=1)]
    low: Annotated[float, Field(ge=0, le=1)]
    high: Annotated[float, Field(ge=0, le=1)]


class CandidateRadius(TypedDict):
    """What is known of a radius."""

    radius: _Distance
    pairs: Annotated[_Count, Field(description="Stored pairs within it.")]
    precision: Annotated[Share, Field(description="Of the pairs within it, the share that shows the same picture.")]
    recall: Annotated[
        Share | None,
        Field(description="Of the pairs that show the same picture, the share within it; null: none does."),
    ]


class TuneReportAnswer(Envelope):
    """Precision and recall for radii, by what was judged."""

    candidates: Annotated[list[CandidateRadius], Field(description="Radii, the least first.")]
    suggested: Annotated[
        float | None,
        Field(description="The widest whose precision is as wanted, with 97.5 %; null: none is known to be."),
    ]
    pair_count: Annotated[_Count, Field(description="Stored pairs.")]
    judged_count: Annotated[_Count, Field(description="Those that were judged.")]
