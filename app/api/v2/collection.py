"""getRecordCount; `ping` needs no collection and lives in the blueprint."""

from app.api.methods import Answer, Call, method
from app.api.parsing import Parameters
from app.domain import statuses
from app.domain.tokens import Scope
from app.services import records as service


@method("getRecordCount", Scope.READ, Parameters, verbs=("GET", "POST"))
def get_record_count(call: Call, _: Parameters) -> Answer:
    """Return the number of records in the collection."""
    return Answer(statuses.OK, {"answer_count": service.count(call.context, call.collection)})
