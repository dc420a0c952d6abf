"""insert, get, delete, update."""

from typing import Any

from pydantic import Field

from app.api.envelope import listed, skipped
from app.api.methods import Answer, Call, method
from app.api.parsing import Names, Number, Parameters, records_within
from app.domain.records import Fields, Processed
from app.domain.tokens import Scope
from app.services import records as service
from app.services.search import NEAR_DUPLICATE_RADIUS


class InsertParameters(Parameters):
    """`records` with their pictures and attributes."""

    records: list[Any]
    fields_to_return: Names = Field(default=["_id"])


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
    return Answer(outcome.status, body)


@method("insert", Scope.WRITE, InsertParameters)
def insert(call: Call, parameters: InsertParameters) -> Answer:
    """Insert records: pictures and attributes."""
    records = records_within(parameters.records, call.context.settings.max_batch)
    return _answer(service.insert(call.context, call.collection, records, Fields.of(parameters.fields_to_return)))


@method("nearDupsInsert", Scope.WRITE, NearDupsInsertParameters)
def near_dups_insert(call: Call, parameters: NearDupsInsertParameters) -> Answer:
    """Insert records that show no picture that is stored already."""
    records = records_within(parameters.records, call.context.settings.max_batch)
    fields = Fields.of(parameters.fields_to_return)
    unlike = service.Unlike(parameters.radius, fields)
    return _answer(service.insert(call.context, call.collection, records, fields, unlike))


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
