"""Searches that were answered are counted."""

from app.domain.searches import Entry
from app.metrics import Metrics, families
from app.metrics.families import WAYS

# The rungs of the index reach so far; what is asked for beyond them is found exactly.
_REACH = 800


class SearchMetrics:
    """Counts the searches that it is told of."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def open(self) -> None:
        """Do nothing: there is no thread."""

    def searched(self, entry: Entry) -> None:
        """Count one search."""
        way = WAYS.get(entry.way or "")
        if way is None:
            return
        self._metrics.count(families.SEARCHES, way)
        if way == "index_then_exact":
            reason = "copies" if entry.copies else "deep" if entry.end > _REACH else "incomplete"
            self._metrics.count(families.SEARCH_FALLBACKS, reason)
        if entry.compared:
            self._metrics.count(families.ROWS_COMPARED, amount=entry.compared)

    def close(self) -> None:
        """Do nothing: there is no thread."""
