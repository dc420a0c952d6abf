"""Searches that were answered are told to the observers."""

from datetime import UTC, datetime

from flask import g

from app.api.methods import Call
from app.domain.collections import Collection
from app.domain.searches import Entry, Searched


def tell(call: Call, method: str, search: Searched, seconds: float) -> None:
    """Tell every observer of a search that a method answered within so many seconds."""
    if not call.context.observers:
        return
    entry = Entry(
        at=datetime.now(UTC),
        token_id=call.principal.token_id,
        collection_id=call.collection.id,
        method=method,
        query_id=search.query_id,
        filter=search.filter,
        k=search.k,
        results=search.results,
        milliseconds=round(seconds * 1000, 3),
        way=search.way,
        compared=_compared(call.collection, search),
        copies=search.copies,
        end=search.end,
        request_id=g.request_id,
    )
    for observer in call.context.observers:
        observer.searched(entry)


def _compared(collection: Collection, search: Searched) -> int | None:
    """Return how many records a search compared: about all, where it was exact and had no filter."""
    if search.compared is None and search.way == "exact" and not search.filter:
        return max(0, collection.rows)
    return search.compared
