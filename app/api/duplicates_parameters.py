"""The parameters of `/duplicates/v1/…`."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool

from app.api.parsing import Count, Distance, From, Parameters, Text
from app.services.duplicate_tuning import PRECISION
from app.services.duplicates import TRASH_DAYS

MOST_GROUPS = 1000
MOST_IDS = 10_000


def _object(value: object) -> object:
    if not isinstance(value, dict):
        raise ValueError("must be a JSON object")
    return value


_SOME = Field(min_length=1, max_length=MOST_IDS)
Ids = Annotated[list[Text], _SOME, Field(description="The records, by `_id`.")]
Keep = Annotated[list[Text], _SOME, Field(description="The records that stay, by `_id`: one at least.")]
Remove = Annotated[list[Text], _SOME, Field(description="The records that go into the trash, by `_id`.")]
RadiusOrScans = Annotated[
    Distance | None, Field(description="Largest distance of a pair, that of the scan at most; left out: that one.")
]
Merge = Annotated[
    Annotated[dict[str, Any], BeforeValidator(_object)] | None,
    Field(
        description="Rules by which the attributes of the removed are merged into the one that stays: by attribute, "
        '`"*"` for all others, `missing`, `union`, `min`, `max` or `keep`; `"_merged_ids": true` keeps the ids.'
    ),
]
_RULES = (
    "Rules of which record is kept, in their order: `largest_picture`, `most_attributes`, `oldest`, `newest`, "
    '`{"lowest": FIELD}`, `{"highest": FIELD}`, `{"prefix": TEXT}`, `{"prefer": {"field": FIELD, "values": […]}}`'
)
Rules = Annotated[list[Any] | None, Field(max_length=50, description=f"{_RULES}.")]
GivenRules = Annotated[list[Any], Field(max_length=50, description=f"{_RULES}; none: the first `_id` is kept.")]
PageSize = Annotated[Count, Field(ge=1, le=MOST_GROUPS, description="Number of entries wanted at most.")]
Before = Annotated[Annotated[Count, Field(ge=1)] | None, Field(description="`next` of the page before.")]
Days = Annotated[Distance, Field(le=36_500, description="Days that the records can come back.")]
Reason = Annotated[Annotated[Text, Field(max_length=1000)] | None, Field(description="Why, for the history.")]
Number = Annotated[Count, Field(description="Number of the decision.")]


class NoParameters(Parameters):
    """No parameters."""


class GroupsParameters(Parameters):
    """Which groups are asked for, and how the record to keep is suggested."""

    radius: RadiusOrScans = None
    state: Annotated[
        Literal["open", "dismissed", "all"], Field(description="Those that nobody has dismissed, the others, or all.")
    ] = "open"
    order: Annotated[
        Literal["size", "nearness", "age"],
        Field(description="The largest first, the nearest, or those with the newest record."),
    ] = "size"
    record: Annotated[Text | None, Field(description="Only the group of this record.")] = None
    rules: Rules = None
    k: PageSize = 20
    from_: From = 0
    fields_to_return: Annotated[
        list[Text], Field(max_length=1000, description='Fields of each record; `"*"` means all but `_base64`.')
    ] = Field(default=["_id"])


class ResolveParameters(Parameters):
    """What is kept and what goes into the trash."""

    keep: Keep
    remove: Remove
    merge: Merge = None
    days: Days = TRASH_DAYS
    reason: Reason = None
    open: Annotated[
        StrictBool, Field(description="Whether it is refused where somebody has said that they are no duplicates.")
    ] = False


class PreviewParameters(Parameters):
    """A merge that is only shown."""

    keep: Annotated[Text, Field(description="The record that stays, by `_id`.")]
    remove: Remove
    merge: Merge = None


class DismissParameters(Parameters):
    """Records that are no duplicates of each other."""

    records: Ids
    reason: Reason = None


class UndoParameters(Parameters):
    """A decision by its number."""

    decision: Number


class ListParameters(Parameters):
    """A page of a list, those before a number."""

    k: PageSize = 100
    before: Before = None


class ApplyParameters(Parameters):
    """Groups that are decided by rules."""

    radius: RadiusOrScans = None
    rules: GivenRules
    merge: Merge = None
    chains: Annotated[StrictBool, Field(description="Whether chains are decided, too.")] = False
    dry_run: Annotated[StrictBool, Field(description="Whether nothing is changed.")] = True


class RemoveParameters(Parameters):
    """Records that go into the trash."""

    records: Ids
    days: Days = TRASH_DAYS


class IdsParameters(Parameters):
    """Records by their ids."""

    records: Ids


class PurgeParameters(Parameters):
    """Records in the trash by their ids, or all of them."""

    records: Ids | None = None
    all: Annotated[StrictBool, Field(description="All of the trash; then no records are named.")] = False


class TunePairsParameters(Parameters):
    """How many pairs are to be judged."""

    k: PageSize = 20


class JudgedPair(BaseModel):
    """Whether two records show the same picture."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    one: Annotated[Text, Field(description="A record, by `_id`.")]
    other: Annotated[Text, Field(description="The other record, by `_id`.")]
    same: Annotated[StrictBool, Field(description="Whether they show the same picture.")]


class JudgeParameters(Parameters):
    """Judgements of pairs."""

    judgements: Annotated[
        list[JudgedPair], Field(min_length=1, max_length=MOST_IDS, description="Pairs with what is said of them.")
    ]


class TuneReportParameters(Parameters):
    """What precision is wanted."""

    precision: Annotated[
        Distance, Field(gt=0, le=1, description="Precision that is wanted, above 0 and at most 1.")
    ] = PRECISION
