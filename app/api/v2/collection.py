"""ping and getRecordCount."""

from app.api.answers import CountAnswer, PingAnswer
from app.api.methods import Answer, Call, Example, Method, method
from app.api.parsing import Parameters
from app.domain import statuses
from app.domain.tokens import Scope
from app.services import records as service
from app.version import __version__


@method(
    "getRecordCount",
    Scope.READ,
    Parameters,
    tag="Collection",
    answer=CountAnswer,
    example=Example(None, {"answer_count": 5}, milliseconds=0),
    verbs=("GET", "POST"),
)
def get_record_count(call: Call, _: Parameters) -> Answer:
    """Return the number of records in the collection."""
    return Answer(statuses.OK, {"answer_count": service.count(call.context, call.collection)})


def ping() -> Answer:
    """Say that the server is there, and which it is. Needs no token and no collection."""
    return Answer(
        statuses.OK, {"info": f"Lookalike {__version__}: visual similarity search on PostgreSQL and pgvector"}
    )


# Beside the table, as it has no collection that it could be called for.
PING = Method(
    "ping",
    Scope.READ,
    Parameters,
    ping,
    tag="Collection",
    answer=PingAnswer,
    example=Example(None, {"info": "Lookalike: visual similarity search on PostgreSQL and pgvector"}, milliseconds=0),
    verbs=("POST", "GET"),
    anonymous=True,
)
