"""Changes of many records' attributes, from a file of JSON lines."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from app.db import indexes, partial
from app.domain.collections import Collection
from app.domain.records import Fields, Json
from app.services import records
from app.services.context import Context
from app.services.incoming import record_id
from app.services.indexing import build_if_outgrown
from app.services.jsonlines import read_lines
from app.services.pipeline import chunks

# As many as one request of the API takes: one transaction, which holds up writers of the same records for a second.
_CHUNK = 1000


@dataclass(slots=True)
class Report:
    """What a run did: records changed, and those that were not, each with the reason."""

    changed: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)
    index_built: bool = False


def update_from_lines(
    context: Context,
    collection: Collection,
    lines: Path,
    progress: Callable[[int], None] = lambda _: None,
    *,
    rebuild: bool = False,
) -> Report:
    """Merge each line's fields into the stored record of its `_id`, as the API's `update` does; null removes a field.

    One transaction a thousand lines. To run it again after an interruption changes nothing that is changed already.

    Args:
        context: the services.
        collection: whose records are changed.
        lines: a JSON object a line; all lines are read before the first change.
        progress: is called with the number of lines that are done with.
        rebuild: drop the HNSW index first and build it at the end, in place of entering each record into it once more:
            a third of the time where all records change (docs/adr/0004), but searches compare every record meanwhile.

    Raises:
        InvalidRequest: a line is not a JSON record with an `_id`; the message names its number; nothing is changed.
        Unavailable: the database is away; what was reported is on disk.

    """
    for _ in _records(lines):
        pass
    report = Report()
    if rebuild and collection.indexed:
        indexes.drop_hnsw(context.db, collection)
        for one in partial.listed(context.db, collection):
            indexes.drop(context.db, one.index_name)  # the build at the end goes by what is noted of it
        context.lookup.forget(collection.name)
    for chunk in chunks(_records(lines), _CHUNK):
        done = records.update(context, collection, chunk, Fields())
        report.changed += len(done.records)
        report.skipped += [(one.record_id or "?", one.description or "no such record") for one in done.skipped]
        progress(len(chunk))
    if rebuild:
        report.index_built = build_if_outgrown(context, context.lookup.collection(collection.name))
    return report


def _records(lines: Path) -> Iterator[dict[str, Json]]:
    return read_lines(lines, _with_id)


def _with_id(record: dict[str, Json]) -> dict[str, Json]:
    record_id(record.get("_id"))
    return record
