"""The objects in the answers of `/admin/v1/…`, for the document."""

from datetime import datetime
from typing import Annotated, Any, NotRequired

from pydantic import Field
from typing_extensions import TypedDict  # pydantic reads that of `typing` from Python 3.12 on

from app.api.answers import Envelope

_Count = Annotated[int, Field(ge=0)]
_Bytes = Annotated[int, Field(ge=0, description="Bytes.")]
_Share = Annotated[float, Field(ge=0, le=1)]
_TokenId = Annotated[int, Field(ge=1, description="Number of the token.")]


class Token(TypedDict):
    """What is kept of a token: everything but the token."""

    id: _TokenId
    label: Annotated[str, Field(description="A note for people.")]
    scopes: Annotated[list[str], Field(description="What it may do.")]
    all_collections: Annotated[bool, Field(description="Whether it may use all collections, also those to come.")]
    collections: Annotated[list[str], Field(description="Names of those that it may use, where not all.")]
    created_at: Annotated[datetime, Field(description="When it was made.")]
    revoked_at: Annotated[datetime | None, Field(description="When it was revoked; null: it was not.")]
    expires_at: Annotated[datetime | None, Field(description="When it expires; null: it does not.")]
    last_used_at: Annotated[datetime | None, Field(description="When it was used last, within a minute; null: never.")]
    replaces: Annotated[int | None, Field(description="The token in whose place it was made.")]
    state: Annotated[str, Field(description="`good`, `expired` or `revoked`.")]
    requests_per_second: Annotated[float | None, Field(description="Requests a second in each server; null: any.")]
    pictures_per_second: Annotated[float | None, Field(description="Pictures a second in each server; null: any.")]
    concurrent_searches: Annotated[int | None, Field(description="Searches at once in each server; null: any.")]
    body_bytes: Annotated[int | None, Field(description="Bytes of a request body; null: as the server is set up.")]
    batch_records: Annotated[int | None, Field(description="Records in one request; null: as the server is set up.")]
    own: Annotated[bool, Field(description="Whether it is the token of this request.")]


class TokensAnswer(Envelope):
    """All tokens, by number."""

    tokens: list[Token]


class NewTokenAnswer(Envelope):
    """A fresh token, in the clear: answered once, and kept nowhere."""

    id: _TokenId
    token: Annotated[str, Field(description="The token itself. It is never told again.")]
    expires_at: Annotated[datetime | None, Field(description="When it expires; null: it does not.")]


class ChangedTokenAnswer(Envelope):
    """A token that was changed."""

    id: _TokenId


class RevokedAnswer(Envelope):
    """A token that is good no longer."""

    id: _TokenId
    seconds: Annotated[float, Field(ge=0, description="Servers refuse it within so many seconds.")]


class CollectionFacts(TypedDict):
    """A collection with its sizes."""

    name: str
    service: str
    model: str
    model_revision: str
    dimensions: Annotated[int, Field(ge=1, description="Numbers of a vector.")]
    distance_scale: Annotated[float, Field(description="The API's distance is the cosine distance times this.")]
    estimated_records: _Count
    counted: NotRequired[Annotated[bool, Field(description="Whether the number of records is exact.")]]
    capacity: Annotated[int | None, Field(description="Records that it may hold; null: no limit.")]
    table_bytes: _Bytes
    index_bytes: _Bytes
    thumbnail_bytes: _Bytes
    original_bytes: _Bytes
    hnsw_index_ready: Annotated[bool, Field(description="Whether it has an index; without, every record is compared.")]
    aliases: Annotated[list[str], Field(description="Names that lead to it.")]
    keep_images: Annotated[bool, Field(description="Whether pictures are kept as they came.")]
    product_field: Annotated[str | None, Field(description="The attribute that names a record's product.")]
    created_at: datetime


class CollectionsAnswer(Envelope):
    """The collections that the token may use, by name."""

    collections: list[CollectionFacts]


class WholeCollection(CollectionFacts):
    """All that is known of a collection."""

    records: Annotated[int, Field(ge=0, description="Their exact number.")]
    indexed_fields: Annotated[list[str], Field(description="Attributes with a declared index.")]
    partial_indexes: Annotated[dict[str, list[Any]], Field(description="Values with an index of their own, by field.")]
    reembedding_with: Annotated[str | None, Field(description="The model that it is being given.")]
    deleted_share: Annotated[_Share, Field(description="Share of the index's rows that were deleted.")]
    index_build: Annotated[dict[str, Any] | None, Field(description="Progress of an index build that runs.")]
    recall_target: Annotated[_Share, Field(description="Share of the true neighbours that searches aim at.")]
    recall: Annotated[dict[str, Any] | None, Field(description="What was measured since the index was built.")]


class CollectionAnswer(Envelope):
    """One collection."""

    collection: WholeCollection


class DroppedAnswer(Envelope):
    """A collection that is there no longer."""

    dropped: Annotated[str, Field(description="Its name.")]
    records: Annotated[int, Field(ge=0, description="Records that it held.")]


class Advised(TypedDict):
    """An index that would help."""

    kind: Annotated[str, Field(description="`field`: of an attribute; `values`: of each of its frequent values.")]
    field: Annotated[str, Field(description="The attribute.")]
    searches: Annotated[int, Field(ge=0, description="Logged searches that it would serve.")]
    milliseconds: Annotated[float, Field(ge=0, description="How long one of them takes now, in the mean.")]
    expected_ms: Annotated[float, Field(ge=0, description="How long one would take with it.")]
    saved_ms: Annotated[float, Field(ge=0, description="What it would have spared them all.")]
    bytes: _Bytes
    command: Annotated[str, Field(description="What builds it; the job `field-index` does, too.")]


class AdviceAnswer(Envelope):
    """Indexes that would help the logged searches, the one that spares most first."""

    searches: Annotated[int, Field(ge=0, description="Logged searches with a filter.")]
    milliseconds: Annotated[float, Field(ge=0, description="What they took in all.")]
    advice: list[Advised]
    logged: Annotated[bool, Field(description="Whether the server keeps a log of searches (LOOKALIKE_LOG_SEARCHES).")]


class MeasuredAnswer(Envelope):
    """The recall of searches, measured on records at random."""

    queries: Annotated[int, Field(ge=0, description="Records whose neighbours were searched for.")]
    recall: Annotated[_Share, Field(description="Share of the true neighbours that were found.")]
    low: Annotated[_Share, Field(description="Lower end of the 95 % confidence interval.")]
    high: Annotated[_Share, Field(description="Upper end of it.")]
    search_ms: Annotated[float, Field(ge=0, description="Median time of a search.")]
    exact_ms: Annotated[float, Field(ge=0, description="Median time of comparing every match.")]
    ways: Annotated[dict[str, int], Field(description="Number of searches by the way that they took.")]


class Model(TypedDict):
    """A model that this server has."""

    name: str
    dimensions: Annotated[int, Field(ge=1, description="Numbers of a vector.")]
    knows_text: Annotated[bool, Field(description="Whether it reads words, too.")]
    at_hand: Annotated[bool, Field(description="Whether it can be used as the server is installed.")]
    licence: Annotated[str, Field(description="The licence of its weights.")]
    reason: Annotated[str | None, Field(description="What is missing, or what is to be known of it.")]


class ModelsAnswer(Envelope):
    """The models of this server."""

    models: list[Model]


class Unreadable(TypedDict):
    """A record whose picture cannot be had."""

    id: Annotated[str, Field(description="Its `_id`.")]
    reason: Annotated[str, Field(description="Why not.")]


class EstimateAnswer(Envelope):
    """What it would take to give a collection another model, by a sample of its records."""

    model: Annotated[str, Field(description="The model by its full name.")]
    dimensions: Annotated[int, Field(ge=1, description="Numbers of one of its vectors.")]
    records: Annotated[int, Field(ge=0, description="Records of the collection.")]
    sampled: Annotated[int, Field(ge=0, description="Records that were tried.")]
    unreadable: Annotated[int, Field(ge=0, description="Those of them whose pictures cannot be had.")]
    examples: Annotated[list[Unreadable], Field(description="Some of those.")]
    seconds: Annotated[
        float | None, Field(ge=0, description="What all records would take; null: no picture could be read.")
    ]
    vector_bytes: Annotated[int, Field(ge=0, description="Bytes of the new vectors, beside the old until the switch.")]


class IndexesDroppedAnswer(Envelope):
    """Indexes of values that are there no longer."""

    dropped: Annotated[int, Field(ge=0, description="Their number.")]


class Alias(TypedDict):
    """A name that leads to a collection."""

    name: str
    collection: Annotated[str, Field(description="The collection that it leads to.")]
    service: str
    set_at: datetime


class AliasesAnswer(Envelope):
    """All aliases, by name."""

    aliases: list[Alias]


class Switched(TypedDict):
    """An alias that was set."""

    name: str
    collection: Annotated[str, Field(description="The collection that it leads to now.")]
    before: Annotated[str | None, Field(description="The one that it led to before; null where it is new.")]
    locked_out: Annotated[list[int], Field(description="Tokens that may use the one before and not this one.")]


class SwitchedAnswer(Envelope):
    """Aliases that were set, all at once."""

    switched: list[Switched]


class AliasDeletedAnswer(Envelope):
    """An alias that leads nowhere any more."""

    deleted: Annotated[str, Field(description="Its name.")]
