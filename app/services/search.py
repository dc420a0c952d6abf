"""visualKNN and its kin."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.db import search as table
from app.domain.collections import Collection
from app.domain.errors import InvalidRequest
from app.domain.records import Fields, Found, Json
from app.domain.windows import Window
from app.services.context import Context
from app.services.incoming import record_id
from app.services.vectors import embed_query


@dataclass(frozen=True, slots=True)
class Ranked:
    """A ranked answer, nearest first; `way` is how the database found it: `index` or `exact`."""

    records: list[Found]
    way: str


def visual_knn(
    context: Context,
    collection: Collection,
    query_record: Mapping[str, Json],
    window: Window,
    fields: Fields,
) -> Ranked:
    """Return the records whose pictures look most like the query record's, nearest first.

    Raises:
        WrongQueryRecord: its `_id` is not stored and it has no picture that can be read.
        InvalidRequest: `from` + `k` is more than the server looks through.

    """
    if window.end > context.settings.max_k:
        raise InvalidRequest(f"from + k may be at most {context.settings.max_k}")
    own = query_record.get("_id")
    if own is not None:
        stored = table.knn_by_id(context.db, collection, record_id(own), window, fields)
        if stored is not None:
            return Ranked(stored.records, stored.way)
    embedding = embed_query(context, collection, query_record)
    nearest = table.knn_by_vector(context.db, collection, embedding, window, fields)
    return Ranked(nearest.records, nearest.way)
