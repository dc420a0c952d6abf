"""What is noted of a search that was answered: who asked what, and what came of it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from app.api.methods import Answer, Method
from app.api.parsing import Parameters
from app.domain.collections import Collection
from app.domain.searches import Entry
from app.domain.tokens import Principal
from app.services.searchlog import storable


def entry_of(
    method: Method, principal: Principal, collection: Collection, parameters: Parameters, answer: Answer, seconds: float
) -> Entry | None:
    """Return the note of a search; None for a method that is none: it has no query record."""
    asked: Any = parameters
    queries = getattr(asked, "query_records", None) or [getattr(asked, "query_record", None)]
    if not isinstance(queries[0], Mapping):
        return None
    statistics = answer.body.get("statistics", {})
    return Entry(
        at=datetime.now(UTC),
        token_id=principal.token_id,
        collection_id=collection.id,
        method=method.name,
        query_id=_id(queries[0]),
        filter=storable(getattr(asked, "filter", None)),
        k=getattr(asked, "k", None),
        results=int(answer.body.get("answer_count", 0)),
        milliseconds=round(seconds * 1000, 3),
        way=statistics.get("search"),
    )


def _id(query: Mapping[str, Any]) -> str | None:
    """Return the `_id` of the (first) query record; None for a picture or a text."""
    own = query.get("_id")
    return own if isinstance(own, str) and storable(own) is not None else None
