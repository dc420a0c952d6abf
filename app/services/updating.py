"""Changes of many records' attributes, from a file of JSON lines."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from app.db import indexes, partial
from app.domain.collections import Collection
from app.domain.errors import InvalidRequest
from app.domain.records import Fields, Json
from app.services import records
from app.services.context import Context
from app.services.indexing import build_if_needed
from app.services.jsonlines import Line, LineFile, longest_line
from app.services.pipeline import Unusable
from app.services.record_input import checked_id

# As many as one request of the API takes: one transaction, which holds up writers of the same records for a second.
_CHUNK = 1000
_CHUNK_BYTES = 8 * 2**20


@dataclass(slots=True)
class UpdateReport:
    """A run reports lines whose records were changed, and those that were not, each with its place and the reason."""

    changed: int = 0
    skipped: list[Unusable] = field(default_factory=list)
    index_built: bool = False

    @property
    def seen(self) -> int:
        """Return the number of lines that were met: the sum of both."""
        return self.changed + len(self.skipped)


def update_from_lines(
    context: Context,
    collection: Collection,
    lines: Path | LineFile,
    progress: Callable[[int], None] = lambda _: None,
    *,
    rebuild: bool = False,
) -> UpdateReport:
    """Merge each line's fields into the stored record of its `_id`, as the API's `update` does; null removes a field.

    One transaction a thousand lines; lines of one record are done one after the other. A line that cannot be used is
    skipped with its reason. To run it again after an interruption changes nothing that is changed already.

    Args:
        context: the services.
        collection: whose records are changed.
        lines: a JSON object a line.
        progress: is called with the number of lines that are done with.
        rebuild: drop the HNSW index first and build it at the end, in place of entering each record into it once more:
            a third of the time where all records change (docs/adr/0004), but searches compare every record meanwhile.

    Raises:
        InvalidRequest: it is not a file of lines; nothing is changed.
        Unavailable: the database is away; what was reported is on disk.

    """
    source = lines if isinstance(lines, LineFile) else LineFile(lines)
    read = source.read(_with_id, longest_line(context.settings))
    report = UpdateReport()
    if rebuild and collection.indexed:
        indexes.drop_hnsw(context.db, collection)
        for one in partial.listed(context.db, collection):
            indexes.drop(context.db, one.index_name)  # the build at the end goes by what is noted of it
        context.lookup.forget(collection.name)
    for chunk in _chunks(read, report, progress):
        done = records.update(context, collection, list(chunk.records.values()), Fields())
        report.changed += len(done.records)
        report.skipped += [
            Unusable(chunk.places[one.record_id or ""], one.description or "no such record", one.record_id)
            for one in done.skipped
        ]
        progress(len(chunk.records))
    if rebuild:
        report.index_built = build_if_needed(context, context.lookup.collection(collection.name))
    return report


@dataclass(slots=True)
class _Chunk:
    """Changes of one transaction, one a record, and the lines that they come from, by `_id`."""

    records: dict[str, dict[str, Json]] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    size: int = 0


def _chunks(
    lines: Iterable[Line[tuple[str, dict[str, Json]]]], report: UpdateReport, progress: Callable[[int], None]
) -> Iterator[_Chunk]:
    chunk = _Chunk()
    for line in lines:
        if isinstance(line.made, InvalidRequest):
            report.skipped.append(Unusable(line.place, str(line.made), line.id))
            progress(1)
            continue
        record_id, record = line.made
        if record_id in chunk.records or len(chunk.records) >= _CHUNK or chunk.size >= _CHUNK_BYTES:
            yield chunk
            chunk = _Chunk()
        chunk.records[record_id] = record
        chunk.places[record_id] = line.place
        chunk.size += line.size
    if chunk.records:
        yield chunk


def _with_id(record: dict[str, Json]) -> tuple[str, dict[str, Json]]:
    return checked_id(record.get("_id")), record
