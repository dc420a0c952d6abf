"""visualKNN and its kin."""

from pydantic import Field

from app.api.envelope import query_records, ranked
from app.api.methods import Answer, Call, method
from app.api.parsing import Count, Filter, Names, Parameters, QueryRecord
from app.domain import statuses
from app.domain.records import Fields
from app.domain.tokens import Scope
from app.domain.windows import Window
from app.services import search as service


class KnnParameters(Parameters):
    """A query record, and how much of the ranking is wanted."""

    query_record: QueryRecord
    k: Count = 30
    from_: Count = Field(default=0, alias="from")
    fields_to_return: Names = Field(default=["_id"])
    filter: Filter = None


@method("visualKNN", Scope.READ, KnnParameters)
def visual_knn(call: Call, parameters: KnnParameters) -> Answer:
    """Find the records that look most like the query record."""
    window = Window(parameters.k, parameters.from_)
    fields = Fields.of(parameters.fields_to_return)
    found = service.visual_knn(
        call.context, call.collection, parameters.query_record, window, fields, parameters.filter
    )
    body = ranked(found.records)
    body["query_records"] = query_records([parameters.query_record])
    body["statistics"] = {"search": found.way}
    if found.matches is not None:
        body["statistics"]["matches"] = found.matches
    return Answer(statuses.OK, body)
