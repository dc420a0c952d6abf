"""Parameters that a method does not know: a misspelt `fitler` must not pass in silence."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from app.api.methods import Method
from app.domain.errors import InvalidRequest
from app.domain.records import Json

# The stock client and the specification's examples send them where there is nothing that they could change: the last
# two are hints, which a method that compares every record needs not.
_TOLERATED = frozenset({"custom_flow", "workspace", "extract_colors", "extract_tags", "cand_set_size", "approx_param"})
_MOST = 20
_LONGEST = 60


def unknown(entry: Method, body: Mapping[str, Json], query: Iterable[str]) -> dict[str, str | None]:
    """Return the parameters that a method does not know, each with the name that was probably meant, or None.

    Args:
        entry: the method.
        body: the request's body; what is null there counts as not given.
        query: the names in the query string; those that only the query string has are meant with a `?` before them.

    """
    in_body = {field.alias or name for name, field in entry.parameters.model_fields.items()}
    in_query = set(entry.query.model_fields) if entry.query is not None else set()
    meant = {name.casefold(): name for name in in_body} | {name.casefold(): f"?{name}" for name in in_query - in_body}
    given = [name for name, value in body.items() if value is not None and name not in in_body]
    given += [name for name in query if name not in in_query]
    found: dict[str, str | None] = {}
    for name in given:
        if name not in _TOLERATED and len(found) < _MOST:
            near = get_close_matches(name[:_LONGEST].casefold(), meant, n=1)
            found[_shown(name)] = meant[near[0]] if near else None
    return found


def refuse(entry: Method, names: Mapping[str, str | None]) -> None:
    """Refuse a request because of parameters that its method does not know.

    Raises:
        InvalidRequest: there are some; the message names the first, and what was probably meant.

    """
    for name, near in names.items():
        hint = f"; did you mean {near}?" if near is not None else ""
        raise InvalidRequest(f"{name}: {entry.name} has no such parameter{hint}")


def _shown(name: str) -> str:
    """Return a name as an answer may hold it: short, and without halves of characters."""
    return name[:_LONGEST].encode("utf-8", "replace").decode()
