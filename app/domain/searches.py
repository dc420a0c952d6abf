"""What is noted of searches."""

from dataclasses import dataclass
from datetime import datetime

from app.domain.records import Json


@dataclass(frozen=True, slots=True)
class Entry:
    """One search that was answered. `filter` is JSON that jsonb can hold; `k` is None where all were asked for."""

    at: datetime
    token_id: int
    collection_id: int
    method: str
    query_id: str | None
    filter: Json
    k: int | None
    results: int
    milliseconds: float
    way: str | None
