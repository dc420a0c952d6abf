"""When a record expires: the attribute `_expires_at`, a moment as RFC 3339 has it."""

import re
from collections.abc import Container, Iterable
from datetime import date

from app.domain.collections import Collection
from app.domain.errors import InvalidRequest
from app.domain.records import Json

EXPIRY_FIELD = "_expires_at"
# As the SQL function `note_expiry` has it; PostgreSQL knows no offset of 16 hours or more.
_RFC_3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)T([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?(Z|[+-](0\d|1[0-5]):[0-5]\d)",
    re.ASCII | re.IGNORECASE,
)


def is_first_to_expire(collection: Collection, attributes: Iterable[Container[str]]) -> bool:
    """Return whether a collection in which nothing expires may be brought a record that does.

    `attributes` are those of each record, as an object or as its JSON text, in which the name may stand for something
    else, too.
    """
    return not collection.expires and any(EXPIRY_FIELD in one for one in attributes)


def check_expiry(value: Json) -> None:
    """Refuse an `_expires_at` that is no moment.

    Raises:
        InvalidRequest: it is no date and time with an offset as RFC 3339 has them, nor null.

    """
    if value is None:
        return
    given = _RFC_3339.fullmatch(value) if isinstance(value, str) else None
    if given is None or not _is_a_date(given[1]):
        raise InvalidRequest(
            f'{EXPIRY_FIELD} must be a date and time with an offset (RFC 3339), as in "2027-01-31T18:00:00+01:00", or'
            " null"
        )


def _is_a_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
