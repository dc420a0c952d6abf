"""insert, get, delete, update."""

from typing import Any

from pydantic import Field, StrictBool

from app.api.envelope import listed, skipped
from app.api.methods import Answer, Call, method
from app.api.parsing import Names, Number, Parameters, records_within
from app.domain.records import Fields, Processed
from app.domain.tokens import Scope
from app.services import records as service
from app.services.extraction import Extract
from app.services.search import NEAR_DUPLICATE_RADIUS


class InsertParameters(Parameters):
    """`records` with their pictures and attributes, and what is to be made of the pictures."""

    records: list[Any]
    fields_to_return: Names = Field(default=["_id"])
    extract_tags: StrictBool | None = None
    extract_colors: StrictBool | None = None

    @property
    def extract(self) -> Extract:
        """What is to be made of the pictures."""
        return Extract(self.extract_tags, bool(self.extract_colors))


class GetParameters(Parameters):
    """`records` by `_id`."""

    records: list[Any]
    fields_to_return: Names = Field(default=["*"])


class DeleteParameters(Parameters):
    """`records` by `_id`."""

    records: list[Any]


class UpdateParameters(Parameters):
    """`records` by `_id`, with the attributes to set, or to remove where null."""

    records: list[Any]
    fields_to_return: Names = Field(default=["*"])


class NearDupsInsertParameters(InsertParameters):
    """`records` as for insert; those that look like a stored one within the radius are skipped."""

    fields_to_return: Names = Field(default=["*"])
    radius: Number = Field(default=NEAR_DUPLICATE_RADIUS, ge=0)


def _answer(outcome: Processed) -> Answer:
    body = listed(outcome.records)
    if outcome.skipped:
        body["skipped_records"] = [skipped(item) for item in outcome.skipped]
    if outcome.note is not None:
        body["statistics"] = {"tags": outcome.note}
    return Answer(outcome.status, body)


@method("insert", Scope.WRITE, InsertParameters)
def insert(call: Call, parameters: InsertParameters) -> Answer:
    """Insert records: pictures and attributes."""
    records = records_within(parameters.records, call.context.settings.max_batch)
    fields = Fields.of(parameters.fields_to_return)
    return _answer(service.insert(call.context, call.collection, records, fields, extract=parameters.extract))


@method("nearDupsInsert", Scope.WRITE, NearDupsInsertParameters)
def near_dups_insert(call: Call, parameters: NearDupsInsertParameters) -> Answer:
    """Insert records that show no picture that is stored already."""
    records = records_within(parameters.records, call.context.settings.max_batch)
    fields = Fields.of(parameters.fields_to_return)
    condition = service.without_near_duplicates(call.collection, parameters.radius, fields)
    return _answer(service.insert(call.context, call.collection, records, fields, condition, parameters.extract))


@method("get", Scope.READ, GetParameters)
def get(call: Call, parameters: GetParameters) -> Answer:
    """Return records by their ids."""
    records = records_within(parameters.records, call.context.settings.max_records)
    return _answer(service.get(call.context, call.collection, records, Fields.of(parameters.fields_to_return)))


@method("delete", Scope.WRITE, DeleteParameters)
def delete(call: Call, parameters: DeleteParameters) -> Answer:
    """Delete records by their ids."""
    records = records_within(parameters.records, call.context.settings.max_records)
    return _answer(service.delete(call.context, call.collection, records))


@method("update", Scope.WRITE, UpdateParameters)
def update(call: Call, parameters: UpdateParameters) -> Answer:
    """Change the attributes of records."""
    records = records_within(parameters.records, call.context.settings.max_records)
    return _answer(service.update(call.context, call.collection, records, Fields.of(parameters.fields_to_return)))
