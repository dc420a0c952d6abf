"""The visual search API itself, a paid service's or another server's: `POST allRecords?size=N&page=P`."""

from app.domain.errors import InvalidRequest
from app.domain.records import Json
from app.services.moving.pages import Page, Source, Taken, list_of
from app.services.moving.remote import Asked

_PAGE = 200


def running(ask: Asked) -> Source:
    """Return all records of the collection that the headers of `ask` name.

    Raises:
        Unauthorized: the server does not take the token.
        InvalidRequest: it is not there, or has no such collection.

    """

    def read(at: Json) -> Page:
        page = at if isinstance(at, int) else 1
        answer = ask(f"/allRecords?size={_PAGE}&page={page}", {"fields_to_return": ["*"]})
        records = list_of(answer, "answer_records", "answer of the visual search API")
        return Page(records, page + 1 if answer.get("next") and records else None)

    answer = ask("/getRecordCount", {})
    count = answer.get("answer_count")
    return Source(read, record, count if isinstance(count, int) else None)


def record(value: Json) -> Taken:
    """Return a record as it is imported: its picture is fetched from its `_url`, as the API gives no vector.

    Raises:
        InvalidRequest: it is no record.

    """
    if not isinstance(value, dict):
        raise InvalidRequest("this is no record: one is a JSON object")
    return Taken(value)
