"""visualKNN and its kin."""

from collections.abc import Mapping

from app.db import search as table
from app.db.search import Nearest, Target
from app.domain.collections import Collection
from app.domain.errors import InvalidRequest
from app.domain.records import Fields, Json
from app.domain.windows import Window
from app.services.context import Context
from app.services.filtering import condition
from app.services.incoming import record_id
from app.services.vectors import embed_query


def visual_knn(
    context: Context,
    collection: Collection,
    query_record: Mapping[str, Json],
    window: Window,
    fields: Fields,
    filter_: Json = None,
) -> Nearest:
    """Return the records whose pictures look most like the query record's, nearest first.

    Raises:
        WrongQueryRecord: its `_id` is not stored and it has no picture that can be read.
        FilterError: the filter is not one.
        InvalidRequest: `from` + `k` is more than the server looks through.

    """
    if window.end > context.settings.max_k:
        raise InvalidRequest(f"from + k may be at most {context.settings.max_k}")
    where = condition(context, collection, filter_, [query_record])
    target = Target(collection, window, fields, where)
    own = query_record.get("_id")
    if own is not None:
        nearest = table.knn_by_id(context.db, target, record_id(own))
        if nearest is not None:
            return nearest
    return table.knn_by_vector(context.db, target, embed_query(context, collection, query_record))
