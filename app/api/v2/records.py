"""insert, upsert, get, delete, update."""

from pydantic import Field, StrictBool

from app.api.answers import ProcessedAnswer
from app.api.envelope import listed, skipped
from app.api.methods import Answer, Call, Example, method
from app.api.parsing import FieldsToReturn, Parameters, RecordIds, Records, records_within
from app.domain import statuses
from app.domain.records import Fields, Mode, Processed
from app.domain.tokens import Scope
from app.services import inserting
from app.services import records as service
from app.services.extraction import Extract

_UPSERTED = (statuses.RECORDS_INSERTED, statuses.SOME_INSERTED, statuses.CAPACITY_EXCEEDED)
INSERTED = (*_UPSERTED, statuses.RECORD_DUPLICATE, statuses.RECORDS_NOT_FOUND)
_FOUND = (statuses.RECORDS_FOUND, statuses.SOME_NOT_FOUND, statuses.RECORDS_NOT_FOUND)
_DELETED = (statuses.RECORDS_DELETED, statuses.SOME_NOT_FOUND, statuses.RECORDS_NOT_FOUND)


class UpsertParameters(Parameters):
    """`records` with their pictures and attributes, and what is to be made of the pictures."""

    records: Records = Field(
        description="The records to store, 10 at most unless the server allows more. A record without an `_id` gets "
        "one."
    )
    fields_to_return: FieldsToReturn = Field(default=["_id"])
    extract_tags: StrictBool | None = Field(
        default=None,
        description="Whether tags are made of the pictures of a fashion collection, into `_tags_simple` of records "
        "that have none. Left out: where its model knows texts. Where they cannot be made, `statistics.tags` says why.",
    )
    extract_colors: StrictBool | None = Field(
        default=None,
        description="Whether the main colours of each picture are stored, in `_colors` of records that have none: "
        'a list of `{"name", "hex", "share"}`, the largest share first.',
    )

    @property
    def extract(self) -> Extract:
        """What is to be made of the pictures."""
        return Extract(self.extract_tags, bool(self.extract_colors))


class InsertParameters(UpsertParameters):
    """`records` with their pictures and attributes, and whether they may take the place of stored ones."""

    mode: Mode = Field(
        default="insert",
        description="What becomes of a record by its `_id`: `insert` stores it only if it is new; `update` puts its "
        "picture and all its attributes in the place of those of the stored record, and skips it where there is none; "
        "`upsert` does either. `statistics.written` says which.",
    )


class GetParameters(Parameters):
    """`records` by `_id`."""

    records: RecordIds
    fields_to_return: FieldsToReturn = Field(default=["*"])


class DeleteParameters(Parameters):
    """`records` by `_id`."""

    records: RecordIds


class UpdateParameters(Parameters):
    """`records` by `_id`, with the attributes to set, or to remove where null."""

    records: RecordIds = Field(
        description="The records to change, by `_id`, each with the attributes to set; null removes an attribute."
    )
    fields_to_return: FieldsToReturn = Field(default=["*"])


def processed_answer(outcome: Processed) -> Answer:
    """Return the answer of a method that does something with each record."""
    body = listed(outcome.records)
    if outcome.skipped:
        body["skipped_records"] = [skipped(item) for item in outcome.skipped]
    statistics = {"tags": outcome.note, "written": outcome.outcomes}
    if told := {name: value for name, value in statistics.items() if value is not None}:
        body["statistics"] = told
    return Answer(outcome.status, body)


@method(
    "insert",
    Scope.WRITE,
    InsertParameters,
    tag="Records",
    answer=ProcessedAnswer,
    example=Example(
        {
            "fields_to_return": ["_id"],
            "records": [
                {"_id": "1", "_url": "http://mydomain.com/img.png"},
                {"_base64": "...", "_id": "2", "tags": ["label1", "label2", "label3"]},
                {
                    "_id": "3",
                    "_url": "http://mydomain.com/another_image.jpg",
                    "any_field": "for filtering",
                    "price": 300,
                },
            ],
        },
        {
            "answer_records": [{"_id": "1"}, {"_id": "2"}],
            "skipped_records": [{"_id": "3", "_reason": {"status": {"code": 211, "text": "record(s) duplicate"}}}],
            "answer_count": 2,
        },
        statuses.SOME_INSERTED,
        milliseconds=4,
    ),
    own_statuses=INSERTED,
)
def insert(call: Call, parameters: InsertParameters) -> Answer:
    """Insert records: pictures and attributes."""
    records = records_within(parameters.records, call.context.settings.max_batch)
    fields = Fields.of(parameters.fields_to_return)
    outcome = inserting.insert(
        call.context, call.collection, records, fields, extract=parameters.extract, mode=parameters.mode
    )
    return processed_answer(outcome)


@method(
    "upsert",
    Scope.WRITE,
    UpsertParameters,
    tag="Records",
    answer=ProcessedAnswer,
    example=Example(
        {
            "records": [
                {"_id": "1", "_url": "http://mydomain.com/img.png", "price": 300},
                {"_id": "2", "_base64": "..."},
            ]
        },
        {"answer_records": [{"_id": "1"}, {"_id": "2"}], "answer_count": 2},
        statuses.RECORDS_INSERTED,
        milliseconds=4,
    ),
    own_statuses=_UPSERTED,
)
def upsert(call: Call, parameters: UpsertParameters) -> Answer:
    """Insert records, or put them in the place of the stored ones of their ids: as `insert` with the mode `upsert`."""
    records = records_within(parameters.records, call.context.settings.max_batch)
    fields = Fields.of(parameters.fields_to_return)
    outcome = inserting.insert(
        call.context, call.collection, records, fields, extract=parameters.extract, mode="upsert"
    )
    return processed_answer(outcome)


@method(
    "get",
    Scope.READ,
    GetParameters,
    tag="Records",
    answer=ProcessedAnswer,
    example=Example(
        {"fields_to_return": ["*"], "records": [{"_id": "1"}, {"_id": "2"}, {"_id": "3"}]},
        {
            "answer_records": [
                {"_id": "1", "_url": "http://mydomain.com/img.png"},
                {"_file": "/path/to/img.png", "_id": "2"},
            ],
            "skipped_records": [{"_id": "3", "_reason": {"status": {"code": 404, "text": "records not found"}}}],
            "answer_count": 2,
        },
        statuses.SOME_NOT_FOUND,
        milliseconds=10,
    ),
    own_statuses=_FOUND,
)
def get(call: Call, parameters: GetParameters) -> Answer:
    """Return records by their ids."""
    records = records_within(parameters.records, call.context.settings.max_records)
    fields = Fields.of(parameters.fields_to_return)
    return processed_answer(service.get(call.context, call.collection, records, fields))


@method(
    "update",
    Scope.WRITE,
    UpdateParameters,
    tag="Records",
    answer=ProcessedAnswer,
    example=Example(
        {
            "fields_to_return": ["*"],
            "records": [
                {"_id": "1", "day": "monday"},
                {"_id": "2", "day": "tuesday"},
                {"_id": "3", "day": "wednesday"},
            ],
        },
        {
            "answer_records": [
                {"another-field": "another-value", "day": "monday", "_id": "1"},
                {"_id": "2", "day": "tuesday"},
            ],
            "skipped_records": [{"_id": "3", "_reason": {"status": {"code": 404, "text": "records not found"}}}],
            "answer_count": 2,
        },
        statuses.SOME_NOT_FOUND,
        milliseconds=2,
    ),
    own_statuses=_FOUND,
)
def update(call: Call, parameters: UpdateParameters) -> Answer:
    """Change the attributes of records."""
    records = records_within(parameters.records, call.context.settings.max_records)
    return processed_answer(
        service.update(call.context, call.collection, records, Fields.of(parameters.fields_to_return))
    )


@method(
    "delete",
    Scope.WRITE,
    DeleteParameters,
    tag="Records",
    answer=ProcessedAnswer,
    example=Example(
        {"records": [{"_id": "1"}, {"_id": "2"}, {"_id": "3"}]},
        {
            "answer_records": [{"_id": "1"}, {"_id": "2"}],
            "skipped_records": [{"_id": "3", "_reason": {"status": {"code": 404, "text": "records not found"}}}],
            "answer_count": 2,
        },
        statuses.SOME_NOT_FOUND,
        milliseconds=2,
    ),
    own_statuses=_DELETED,
)
def delete(call: Call, parameters: DeleteParameters) -> Answer:
    """Delete records by their ids."""
    records = records_within(parameters.records, call.context.settings.max_records)
    return processed_answer(service.delete(call.context, call.collection, records))
