"""The parameters of `/admin/v1/…`."""

from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field, StrictBool

from app.api.parsing import Count, Distance, Filter, Parameters, RecallTarget, Text
from app.domain.services import SERVICES
from app.domain.tokens import Scope

Service = StrEnum("Service", {name.upper(): name for name in SERVICES})  # type: ignore[misc]
_NAME = Field(min_length=1, max_length=200)
MOST = 1000


def _targets(value: object) -> object:
    if not isinstance(value, dict) or not 1 <= len(value) <= MOST:
        raise ValueError(f"must be an object of 1 to {MOST} names, each with its collection")
    return value


Name = Annotated[Text, _NAME]
Capacity = Annotated[Annotated[Count, Field(ge=1)] | None, Field(description="Number of records that it may hold.")]
ProductField = Annotated[
    Text | None, Field(description="The attribute that names a record's product, for searches that name none.")
]


TokenNumber = Annotated[Count, Field(ge=1, description="Its number, as `tokens` tells it.")]
Label = Annotated[Text, Field(max_length=200, description="A note for people: who has it, what for.")]
Expires = Annotated[
    Text | None,
    Field(description="When it expires: a while from now, as `90d` or `12h`, or a moment with its time zone."),
]
PerSecond = Annotated[
    Annotated[Distance, Field(gt=0)] | None,
    Field(description="So many a second in each server at most; left out: any number."),
]
Concurrent = Annotated[
    Annotated[Count, Field(ge=1)] | None,
    Field(description="Searches at the same time in each server at most; left out: any number."),
]
BodyBytes = Annotated[
    Annotated[Count, Field(ge=1024)] | None,
    Field(description="Bytes of a request body at most; left out: as the server is set up."),
]
BatchRecords = Annotated[
    Annotated[Count, Field(ge=1)] | None,
    Field(description="Records in one request at most; left out: as the server is set up."),
]


class TokenSetting(StrEnum):
    """What can be taken away from a token."""

    EXPIRES = "expires"
    REQUESTS_PER_SECOND = "requests_per_second"
    PICTURES_PER_SECOND = "pictures_per_second"
    CONCURRENT_SEARCHES = "concurrent_searches"
    BODY_BYTES = "body_bytes"
    BATCH_RECORDS = "batch_records"


class NoParameters(Parameters):
    """No parameters."""


class NewTokenParameters(Parameters):
    """What a new token may do, and on which collections."""

    scopes: Annotated[
        list[Scope],
        Field(
            min_length=1, max_length=3, description="What it may do: `write` includes `read`, `admin` includes both."
        ),
    ] = Field(default=[Scope.READ])
    collections: Annotated[
        Annotated[list[Name], Field(min_length=1, max_length=MOST)] | None,
        Field(description="Names of the collections that it may use; left out: all, also those to come."),
    ] = None
    label: Label = ""
    expires: Expires = None
    requests_per_second: PerSecond = None
    pictures_per_second: PerSecond = None
    concurrent_searches: Concurrent = None
    body_bytes: BodyBytes = None
    batch_records: BatchRecords = None


class ChangedTokenParameters(Parameters):
    """What changes of a token; what is left out stays."""

    token: TokenNumber
    label: Label | None = None
    expires: Expires = None
    unset: Annotated[
        list[TokenSetting], Field(max_length=6, description="Settings that are taken away: it expires no more.")
    ] = Field(default=[])
    requests_per_second: PerSecond = None
    pictures_per_second: PerSecond = None
    concurrent_searches: Concurrent = None
    body_bytes: BodyBytes = None
    batch_records: BatchRecords = None


class RotationParameters(Parameters):
    """Which token gets a successor, and how long it works on beside that."""

    token: TokenNumber
    grace: Annotated[
        Text, Field(description="How long the old one works on, as `1d`, `12h` or `30m`; `0s`: no longer.")
    ] = "1d"
    expires: Expires = None


class TokenParameters(Parameters):
    """Which token is meant."""

    token: TokenNumber


class NewCollectionParameters(Parameters):
    """The facts that a collection is created with."""

    name: Annotated[
        Name, Field(description="1 to 128 letters, digits, `.`, `_` or `-`; it begins with a letter or digit.")
    ]
    service: Annotated[Service, Field(description="Service that it belongs to, for good.")]
    model: Annotated[
        Name | None, Field(description="Model that makes its vectors; left out: the service's default.")
    ] = None
    capacity: Capacity = None
    thumbnails: Annotated[StrictBool, Field(description="Whether a small picture of each record is kept.")] = True
    keep_images: Annotated[
        StrictBool, Field(description="Whether each picture is kept as it came, so that another model can read it.")
    ] = False
    product_field: ProductField = None
    recall_target: RecallTarget = None


class Setting(StrEnum):
    """What can be taken away from a collection."""

    CAPACITY = "capacity"
    PRODUCT_FIELD = "product_field"
    RECALL_TARGET = "recall_target"


class ChangeParameters(Parameters):
    """Settings of a collection that are changed; what is left out stays."""

    capacity: Capacity = None
    product_field: ProductField = None
    recall_target: RecallTarget = None
    unset: Annotated[
        list[Setting],
        Field(
            max_length=3,
            description="Settings that are taken away: no capacity, no product field, the server's target.",
        ),
    ] = Field(default=[])


class DropParameters(Parameters):
    """The name of the collection that is dropped, once more."""

    confirm: Annotated[Text, Field(description="The collection's own name, so that no slip drops another.")]


class FieldParameters(Parameters):
    """Which attribute is meant."""

    field: Annotated[Name, Field(description="A top-level attribute.")]


class MeasureParameters(Parameters):
    """How recall is measured."""

    sample: Annotated[Count, Field(ge=1, le=200, description="Records whose neighbours are searched for.")] = 50
    k: Annotated[Count, Field(ge=1, le=1000, description="Neighbours of each.")] = 20
    filter: Filter = None


class ModelParameters(Parameters):
    """Which model is meant."""

    model: Annotated[Name, Field(description="Its name, as `models` tells it.")]


class AliasesParameters(Parameters):
    """Aliases that are set together, in one transaction."""

    aliases: Annotated[
        dict[Name, Name], BeforeValidator(_targets), Field(description="Names, each with the collection it leads to.")
    ]


class AliasParameters(Parameters):
    """Which alias is meant."""

    alias: Annotated[Name, Field(description="The name.")]


class AuditParameters(Parameters):
    """Which entries of the audit log are listed."""

    size: Annotated[Count, Field(ge=1, le=1000, description="Entries at most.")] = 100
    before: Annotated[
        Annotated[Count, Field(ge=1)] | None, Field(description="`next` of the page before; left out: the latest.")
    ] = None
    token: Annotated[TokenNumber | None, Field(description="Those of one token, by its number.")] = None
    collection: Annotated[Name | None, Field(description="Those about one collection.")] = None
