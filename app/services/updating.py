"""Changes of many records' attributes, from a file of JSON lines."""

from collections.abc import Callable, Iterable, Iterator, Mapping
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
NOT_STORED = "no such record"


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


@dataclass(frozen=True, slots=True)
class Reached:
    """An update is so far: everything up to a line is done with, in so many records, `changed` or `skipped`."""

    line: int = 0
    changed: int = 0
    skipped: int = 0

    @property
    def seen(self) -> int:
        """Return the number of lines that were met."""
        return self.changed + self.skipped

    def told(self) -> dict[str, Json]:
        """Return it as JSON."""
        return {"line": self.line, "changed": self.changed, "skipped": self.skipped}

    @classmethod
    def of(cls, told: Json) -> "Reached":
        """Return it as `told` wrote it; the start for None."""
        known = told if isinstance(told, dict) else {}
        return cls(*(int(str(known.get(name, 0))) for name in ("line", "changed", "skipped")))


_START = Reached()
Note = Callable[[Unusable, Mapping[str, Json] | None], None]


def update_from_lines(
    context: Context,
    collection: Collection,
    lines: Path | LineFile,
    progress: Callable[[int], None] = lambda _: None,
    *,
    rebuild: bool = False,
    after: Reached = _START,
    reached: Callable[[Reached], None] = lambda _: None,
    skipped: Note = lambda _one, _record: None,
) -> UpdateReport:
    """Merge each line's fields into the stored record of its `_id`, as the API's `update` does; null removes a field.

    One transaction a thousand lines; lines of one record are done one after the other. A line that cannot be used is
    skipped with its reason. To run it again after an interruption changes nothing that is changed already.

    Args:
        context: the services.
        collection: whose records are changed.
        lines: a JSON object a line.
        progress: is called with the number of lines that are done with.
        after: what an earlier run reached: it goes on behind that, and reports what it does itself.
        reached: is called after each transaction, with all that is done now.
        skipped: is called with each line that is skipped, and its record, None where it is none.
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

    def skip(one: Unusable, record: Mapping[str, Json] | None = None) -> None:
        report.skipped.append(one)
        skipped(one, record)

    for chunk in _chunks((line for line in read if line.number > after.line), skip, progress):
        done = records.update(context, collection, list(chunk.records.values()), Fields())
        report.changed += len(done.records)
        for refused in done.skipped:
            record_id = refused.record_id or ""
            reason = refused.description or NOT_STORED
            skip(Unusable(chunk.places[record_id], reason, record_id), chunk.records[record_id])
        progress(len(chunk.records))
        reached(Reached(chunk.last, after.changed + report.changed, after.skipped + len(report.skipped)))
    if rebuild:
        report.index_built = build_if_needed(context, context.lookup.collection(collection.name))
    return report


@dataclass(slots=True)
class _Chunk:
    """Changes of one transaction, one a record, and the lines that they come from, by `_id`."""

    records: dict[str, dict[str, Json]] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    size: int = 0
    last: int = 0


def _chunks(
    lines: Iterable[Line[tuple[str, dict[str, Json]]]],
    skip: Callable[[Unusable], None],
    progress: Callable[[int], None],
) -> Iterator[_Chunk]:
    """Yield chunks; `last` is the number of the line up to which all are in it, or before it, or skipped."""
    chunk = _Chunk()
    for line in lines:
        if isinstance(line.made, InvalidRequest):
            skip(Unusable(line.place, str(line.made), line.id))
            chunk.last = line.number
            progress(1)
            continue
        record_id, record = line.made
        if record_id in chunk.records or len(chunk.records) >= _CHUNK or chunk.size >= _CHUNK_BYTES:
            yield chunk
            chunk = _Chunk()
        chunk.records[record_id] = record
        chunk.places[record_id] = line.place
        chunk.size += line.size
        chunk.last = line.number
    if chunk.last:
        yield chunk


def _with_id(record: dict[str, Json]) -> tuple[str, dict[str, Json]]:
    return checked_id(record.get("_id")), record
