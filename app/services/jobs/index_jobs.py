"""Jobs that build indexes: that of a collection's vectors, and those of its attributes."""

from collections.abc import Mapping
from functools import partial

from app.db import indexes
from app.db import records as record_table
from app.domain.collections import Collection
from app.domain.errors import InvalidRequest
from app.domain.jobs import Outcome
from app.domain.records import Json
from app.services import indexing
from app.services.context import Context
from app.services.jobs.given import boolean, only, text
from app.services.jobs.kind import Kind, Parameters
from app.services.jobs.running import Running


def _check_index(_context: Context, _collection: Collection | None, given: Mapping[str, Json]) -> Parameters:
    only(given, "anew")
    return {"anew": boolean(given, "anew")}


def _index(context: Context, job: Running) -> Outcome:
    """Build the HNSW index of a collection, where it needs one; `anew`: also where it has one."""
    collection = job.collection()
    rows = _follow(context, job, collection, "building the index")
    anew = bool(job.parameters.get("anew"))
    if anew and not collection.indexed:
        raise InvalidRequest(
            f"{collection.name} has no index: it gets one beyond {context.settings.index_rows} records"
        )
    if not anew and not indexes.holds_more(context.db, collection, context.settings.index_rows):
        job.show(rows, rows, indexed=0)
        return Outcome({"built": False})
    built = False
    while not built and (anew or not collection.indexed):
        job.safe_point()
        built = indexing.rebuild(context, collection) if anew else indexing.build_if_needed(context, collection)
        if not built:
            job.sleep(1.0)  # another process is building it
            collection = job.collection()
    rows = record_table.count(context.db, collection)
    job.show(rows, rows, indexed=rows)
    return Outcome({"built": built})


def _check_field_index(_context: Context, _collection: Collection | None, given: Mapping[str, Json]) -> Parameters:
    only(given, "field", "each_value")
    field = text(given, "field")
    indexes.check_field(field)
    return {"field": field, "each_value": boolean(given, "each_value")}


def _field_index(context: Context, job: Running) -> Outcome:
    """Give an attribute a B-tree; `each_value`: give each of its frequent values an HNSW index of its own."""
    collection = job.collection()
    field = str(job.parameters["field"])
    rows = _follow(context, job, collection, f"indexing {field}")
    if not job.parameters.get("each_value"):
        name = indexing.declare_field(context, collection, field)
        job.show(rows, rows)
        return Outcome({"index": name})
    if not collection.indexed:
        raise InvalidRequest(
            f"{collection.name} has no index: it gets one beyond {context.settings.index_rows} records"
        )
    values: list[Json] = []

    def tell(value: str, records: int, built: bool) -> None:
        values.append({"value": value, "records": records, "built": built})
        job.safe_point()

    indexing.index_values(context, collection, field, tell)
    job.show(rows, rows)
    return Outcome({"values": values})


def _follow(context: Context, job: Running, collection: Collection, phase: str) -> int:
    """Show how far PostgreSQL is with builds on a collection; return the number of its records."""
    rows = record_table.count(context.db, collection)
    job.phase(phase, rows)
    job.follow(partial(_look, context, job, collection, rows))
    return rows


def _look(context: Context, job: Running, collection: Collection, rows: int) -> None:
    found = indexes.progress(context.db, collection)
    if found is None:
        return
    # pgvector tells rows, where it leaves their number out; a B-tree tells blocks.
    blocks = rows * found["blocks_done"] // max(1, found["blocks_total"])
    job.show(min(max(found["tuples_done"], blocks), max(0, rows - 1)))


INDEX = Kind(
    "index",
    "Builds the index of a collection's vectors where it needs one; with `anew`, also where it has one.",
    _index,
    _check_index,
    interruptible=True,
)
FIELD_INDEX = Kind(
    "field-index",
    "Gives the attribute `field` an index; with `each_value`, each frequent value an index of the vectors.",
    _field_index,
    _check_field_index,
    interruptible=True,
)
