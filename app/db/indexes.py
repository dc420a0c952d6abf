"""The HNSW index of a collection, and B-trees on attributes; built concurrently: searches and inserts go on."""

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from app.db import crowds, locks
from app.db.engine import Connection, Database, partition
from app.db.loader import query
from app.domain.collections import Collection
from app.domain.errors import InvalidRequest

log = logging.getLogger(__name__)

M = 16
EF_CONSTRUCTION = 64
# A graph of more records than this is built with more effort: its worst queries find too little without.
LARGE = 100_000
EF_CONSTRUCTION_LARGE = 200
# Fewer copies that left the graph, as a share of its records, are swept out of it at the next occasion.
_MANY = 0.01


@dataclass(frozen=True, slots=True)
class Resources:
    """An index build may take this much; None: as the database server is set up.

    Attributes:
        memory_mb: maintenance_work_mem, in MiB; a graph that does not fit is built twice as slowly or worse.
        workers: parallel workers beside the one that leads.

    """

    memory_mb: int | None = None
    workers: int | None = None


def holds_more(db: Database, collection: Collection, rows: int) -> bool:
    """Say whether a collection holds more than `rows` records; reads no more of it than that."""
    text = query("records", "more_than").render(records=partition("records", collection))
    row = db.one(text, {"rows": rows})
    return bool(row and row["more"])


def ef_construction(db: Database, collection: Collection) -> int:
    """Return pgvector's ef_construction for an index of a collection that is built now."""
    return EF_CONSTRUCTION_LARGE if holds_more(db, collection, LARGE) else EF_CONSTRUCTION


def build_hnsw(
    db: Database, collection: Collection, resources: Resources = Resources(), *, unused: bool = False
) -> bool:
    """Build the HNSW index unless it is there and valid; return whether it was built.

    Inserts and searches go on meanwhile, searches exact. An index that a crash left invalid is built anew. `unused`
    says that the table is not in use yet: nobody has to be let through, and no build of the one in use is waited for.
    """
    with db.session() as connection:
        if not unused and not locks.taken(connection, locks.INDEX_BUILD, collection):
            return False
        if is_valid(connection, hnsw_name(collection)):
            return False
        crowds.set_apart(db, collection, unused=unused)
        _build(db, connection, collection, hnsw_name(collection), resources, unused=unused)
        _built(connection, collection)
        log.info("built the HNSW index of collection %s", collection.name)
        return True


def build_partial(
    db: Database,
    collection: Collection,
    name: str,
    condition: str,
    resources: Resources = Resources(),
    *,
    unused: bool = False,
) -> bool:
    """Build the HNSW index of the records that a jsonpath selects, as `build_hnsw` builds that of all of them.

    Raises:
        InvalidRequest: another process builds an index of this collection.

    """
    with db.session() as connection:
        if not unused and not locks.taken(connection, locks.INDEX_BUILD, collection):
            raise InvalidRequest(
                f"another process builds an index of {collection.name}; see: lookalike collection show"
            )
        if not _build(db, connection, collection, name, resources, unused=unused, condition=condition):
            return False
        log.info("built the HNSW index of collection %s for %s", collection.name, condition)
        return True


def hnsw_name(collection: Collection) -> str:
    """Return the name of the HNSW index of all records."""
    return f"{collection.records_table}_hnsw"


def _build(
    db: Database,
    connection: Connection,
    collection: Collection,
    name: str,
    resources: Resources,
    *,
    unused: bool = False,
    condition: str | None = None,
) -> bool:
    if is_valid(connection, name):
        return False
    drop_found(connection, name)
    _set_build_resources(connection, resources)
    _create(db, connection, collection, name, unused=unused, condition=condition)
    return True


def _create(
    db: Database,
    connection: Connection,
    collection: Collection,
    name: str,
    *,
    unused: bool = False,
    condition: str | None = None,
) -> None:
    parts: list[sql.Composable] = [sql.SQL(crowds.IN_GRAPH)] if crowds.there_are(connection, collection) else []
    if condition is not None:
        parts.append(sql.SQL("attributes @? {}::jsonpath").format(sql.Literal(condition)))
    where = sql.SQL(" WHERE ") + sql.SQL(" AND ").join(parts) if parts else sql.SQL("")
    connection.execute(
        sql.SQL(
            "CREATE INDEX {concurrently} {name} ON lookalike.{table}"
            " USING hnsw ((embedding::halfvec({dimensions})) halfvec_cosine_ops)"
            " WITH (m = {m}, ef_construction = {ef}){where}"
        ).format(
            concurrently=sql.SQL("" if unused else "CONCURRENTLY"),
            name=sql.Identifier(name),
            table=sql.Identifier(collection.records_table),
            dimensions=sql.Literal(collection.dimensions),
            m=sql.Literal(M),
            ef=sql.Literal(ef_construction(db, collection)),
            where=where,
        )
    )


def _renew(db: Database, connection: Connection, collection: Collection, name: str, condition: str | None) -> None:
    """Put an index without the records in crowds in the place of one with them, which serves until then."""
    made, old = f"{name}_made", f"{name}_old"
    for leftover in (made, old):
        drop_found(connection, leftover)
    _create(db, connection, collection, made, condition=condition)
    with connection.transaction():
        for before, after in ((name, old), (made, name)):
            text = sql.SQL("ALTER INDEX lookalike.{} RENAME TO {}")
            connection.execute(text.format(sql.Identifier(before), sql.Identifier(after)))
    drop_found(connection, old)


def build_gin(db: Database, collection: Collection) -> None:
    """Build the index of attributes that every partition has, on a table that is not a partition yet."""
    with db.session() as connection:
        connection.execute("SELECT lookalike.add_attributes_index(%s)", (collection.records_table,))


def analyze(db: Database, collection: Collection) -> None:
    """Have the planner know a collection's records."""
    with db.session() as connection:
        connection.execute(sql.SQL("ANALYZE lookalike.{}").format(sql.Identifier(collection.records_table)))


def rebuild_hnsw(
    db: Database, collection: Collection, resources: Resources = Resources(), also: Iterable[str] = ()
) -> bool:
    """Build the HNSW index anew beside the old one, which serves meanwhile; return whether it was done.

    `also` names partial indexes that are ready: they are built anew, too. It is not done where another process builds
    an index of this collection, or where there is none to build anew. Dead rows are swept up afterwards: with none of
    them in the new graph that is quick, where a vacuum of the old graph would have mended it link by link.
    """
    name = hnsw_name(collection)
    with db.session() as connection:
        if not locks.taken(connection, locks.INDEX_BUILD, collection) or not is_valid(connection, name):
            return False
        _set_build_resources(connection, resources)
        crowds.set_apart(db, collection)
        full = crowds.in_full(connection, collection, (name, *also))
        effort = sql.Literal(ef_construction(db, collection))
        kept = [one for one in (name, *also) if one not in full]
        for one in kept:
            # First of all: in a session that has used pgvector, this waits for every search.
            text = sql.SQL("ALTER INDEX lookalike.{} SET (ef_construction = {})")
            connection.execute(text.format(sql.Identifier(one), effort))
        for one in kept:
            drop_found(connection, f"{one}_ccnew")  # what an interrupted rebuild left
            connection.execute(sql.SQL("REINDEX INDEX CONCURRENTLY lookalike.{}").format(sql.Identifier(one)))
        for one, condition in full.items():
            _renew(db, connection, collection, one, condition)
        connection.execute(sql.SQL("VACUUM lookalike.{}").format(sql.Identifier(collection.records_table)))
        _built(connection, collection)
        log.info("built the HNSW index of collection %s anew", collection.name)
        return True


def keep_copies_apart(
    db: Database, collection: Collection, resources: Resources = Resources(), also: Iterable[str] = ()
) -> bool:
    """Set copies of one vector apart that are too many for the index; return whether any were.

    An index that has all of them is built anew without them; it serves meanwhile. `also` names partial indexes that are
    ready. Nothing is done where another process builds an index of this collection, or where there is none.
    """
    name = hnsw_name(collection)
    with db.session() as connection:
        if not locks.taken(connection, locks.INDEX_BUILD, collection) or not is_valid(connection, name):
            return False
        moved = crowds.set_apart(db, collection)
        full = crowds.in_full(connection, collection, (name, *also))
        _set_build_resources(connection, resources)
        for one, condition in full.items():
            _renew(db, connection, collection, one, condition)
        if full or moved > _MANY * collection.rows:
            connection.execute(sql.SQL("VACUUM lookalike.{}").format(sql.Identifier(collection.records_table)))
        if full:
            _built(connection, collection)
        return bool(moved or full)


def deleted_share(db: Database, collection: Collection) -> float:
    """Return the share of the index's rows that were deleted since it was built, 0.0 and up."""
    text = query("indexes", "deleted_share").render()
    row = db.one(text, _named(collection))
    return float(row["share"]) if row and row["share"] is not None else 0.0


def hnsw_bytes(db: Database, collection: Collection) -> int:
    """Return the size of the HNSW index of all records, bytes; 0 where there is none."""
    values = {**_named(collection), "index": f"lookalike.{hnsw_name(collection)}"}
    row = db.one(query("indexes", "bytes").render(), values)
    return int(row["bytes"]) if row else 0


def attribute_bytes(db: Database, collection: Collection) -> int:
    """Return the size of a collection's indexes of attributes and of single values, bytes."""
    row = db.one(query("indexes", "attribute_bytes").render(), _named(collection))
    return int(row["bytes"]) if row else 0


def progress(db: Database, collection: Collection) -> dict[str, Any] | None:
    """Return how far a build on this collection is, as PostgreSQL tells it; None where none runs."""
    text = query("indexes", "progress").render()
    return db.one(text, _named(collection))


def _set_build_resources(connection: Connection, resources: Resources) -> None:
    """Give a session of its own what a build may take."""
    if resources.memory_mb is not None:
        connection.execute("SELECT set_config('maintenance_work_mem', %s, false)", (f"{resources.memory_mb}MB",))
    if resources.workers is not None:
        setting = (str(resources.workers),)
        connection.execute("SELECT set_config('max_parallel_maintenance_workers', %s, false)", setting)


def _named(collection: Collection) -> dict[str, object]:
    return {"id": collection.id, "records_table": f"lookalike.{collection.records_table}"}


def _built(connection: Connection, collection: Collection) -> None:
    connection.execute(sql.SQL("ANALYZE lookalike.{}").format(sql.Identifier(collection.records_table)))
    connection.execute(query("indexes", "note_build").render(), _named(collection))


def drop_hnsw(db: Database, collection: Collection) -> None:
    """Drop the HNSW index; searches are exact until it is built again."""
    with db.session() as connection:
        drop_found(connection, hnsw_name(collection))


def drop(db: Database, name: str) -> None:
    """Drop an index by its name; searches go on meanwhile."""
    with db.session() as connection:
        drop_found(connection, name)


def declare_field(db: Database, collection: Collection, field: str) -> str:
    """Give an attribute a B-tree of its own and return the index's name; nothing happens where it has one.

    Raises:
        InvalidRequest: the name is not one of a top-level attribute.

    """
    check_field(field)
    with db.session() as connection:
        name = btree_name(collection.records_table, field)
        if not is_valid(connection, name):
            drop_found(connection, name)
            connection.execute(
                sql.SQL("CREATE INDEX CONCURRENTLY {} ON lookalike.{} ((attributes -> {}))").format(
                    sql.Identifier(name), sql.Identifier(collection.records_table), sql.Literal(field)
                )
            )
            # As for the attributes themselves: with fewer values a narrow range is estimated at one row.
            connection.execute(
                sql.SQL("ALTER INDEX lookalike.{} ALTER COLUMN 1 SET STATISTICS 1000").format(sql.Identifier(name))
            )
            connection.execute(sql.SQL("ANALYZE lookalike.{}").format(sql.Identifier(collection.records_table)))
        connection.execute(query("collections", "add_indexed_field").render(), {"id": collection.id, "field": field})
    return name


def btree_name(records_table: str, field: str) -> str:
    """Return the name of the B-tree of a declared attribute."""
    return f"{records_table}_f_{hashlib.md5(field.encode(), usedforsecurity=False).hexdigest()[:16]}"


def check_field(field: str) -> None:
    """Refuse what is not the name of a top-level attribute.

    Raises:
        InvalidRequest: it is not one.

    """
    if not field or field.startswith(("$", "_id")) or "." in field or "\x00" in field or len(field) > 200:
        raise InvalidRequest("an index is declared on a top-level attribute, by its name")


def is_valid(connection: Connection, name: str) -> bool:
    """Say whether an index is there and its build ended; an interrupted one leaves an index that is not used."""
    row = connection.execute(
        "SELECT i.indisvalid AS valid FROM pg_catalog.pg_index AS i WHERE i.indexrelid = to_regclass(%s)",
        (f"lookalike.{name}",),
    ).fetchone()
    return bool(row and row["valid"])


def drop_found(connection: Connection, name: str) -> None:
    """Drop an index if it is there, whether its build ended or not; searches go on meanwhile."""
    connection.execute(sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS lookalike.{}").format(sql.Identifier(name)))


def unhealthy(db: Database, most: int) -> list[dict[str, Any]]:
    """Return the indexes that something is to be done about, with what, as the view `index_health` has them."""
    return db.all(query("indexes", "unhealthy").render(), {"most": most})
