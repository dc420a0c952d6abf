"""Copies of one vector that are too many for a graph are set apart: they stand beside it, in a crowd.

pgvector keeps ten records at a place of its graph. Several places with one vector link to each other alone, and
searches that come among them find nothing else (`docs/adr/0021-copies-beside-the-graph.md`). A collection without
crowds has the index of all its records, and nothing else of this.
"""

import logging
from collections import Counter
from collections.abc import Iterable
from time import sleep

import numpy as np
from numpy.typing import NDArray
from psycopg import sql
from psycopg.errors import LockNotAvailable

from app.db.engine import Connection, Database, table_of
from app.db.loader import query
from app.domain.collections import Collection

log = logging.getLogger(__name__)

IN_GRAPH = "crowd IS NULL"
"""The condition of records that stand in the graph, and of the indexes of a collection with crowds."""
# So many copies of a vector did a graph no harm, 50 did.
_MOST = 20
# Of a crowd so many are left in the graph.
_KEPT = 10
# Copies that are set apart in one transaction.
_AT_ONCE = 2000
_LOCK_WAIT, _ROUNDS, _PAUSE_SECONDS = "1s", 30, 1.0


def there_are(connection: Connection, collection: Collection) -> bool:
    """Say whether records of a collection may stand in crowds."""
    row = connection.execute(query("crowds", "there_are").render(), _named(collection)).fetchone()
    return bool(row and row["there_are"])


def in_full(connection: Connection, collection: Collection, names: Iterable[str]) -> dict[str, str | None]:
    """Return those of these indexes that have the records in crowds, with the condition of those of single values.

    None have where the collection has no crowds.
    """
    if not there_are(connection, collection):
        return {}
    rows = connection.execute(query("crowds", "in_full").render(), {"names": list(names)}).fetchall()
    return {row["name"]: row["condition"] for row in rows}


def too_many(vectors: Iterable[NDArray[np.float32]]) -> bool:
    """Say whether so many of some vectors are the same, as they are stored, that a look would set copies apart."""
    return max(Counter(np.asarray(one, np.float16).tobytes() for one in vectors).values(), default=0) > _MOST


def due(db: Database, collection: Collection, writes: int | None = None) -> bool:
    """Say whether to look for copies: nobody did, or so many records were written since, by default a tenth."""
    if collection.distributed:
        return False
    row = db.one(query("crowds", "due").render(), {**_named(collection), "enough": writes})
    return bool(row and row["due"])


def set_apart(db: Database, collection: Collection, *, unused: bool = False) -> int:
    """Set copies apart that are too many for a graph, and have further ones come to stand there; return their number.

    The caller holds the lock of index builds. Each batch is a transaction of its own, after which everything is as it
    should be: one that is interrupted is gone on with by the next call. Searches and writers go on, but for a moment
    when the first crowd of a collection is found. `unused` says that the table is not in use yet.
    """
    if collection.distributed:
        return 0  # what keeps further ones apart is a trigger
    records = {"records": table_of(collection)}
    values = {**_named(collection), "most": _MOST, "kept": _KEPT}
    moved = 0
    with db.session() as connection:
        found = connection.execute(query("crowds", "copies").render(**records), values).fetchall()
        if found:
            _prepare(connection, collection, unused=unused)
        for start in range(0, len(found), _AT_ONCE):
            some = {**_named(collection), "ids": [row["id"] for row in found[start : start + _AT_ONCE]]}
            with connection.transaction():
                connection.execute(query("crowds", "enter").render(**records), some)
                moved += connection.execute(query("crowds", "set_apart").render(**records), some).rowcount
        connection.execute(query("crowds", "note_look").render(), _named(collection))
    if moved:
        log.info("set %d copies of collection %s apart from its index", moved, collection.name)
    return moved


def _prepare(connection: Connection, collection: Collection, *, unused: bool) -> None:
    """Make what a table with crowds has: the trigger, and the index by which the records of a crowd are found."""
    table, index = sql.Identifier(collection.records_table), f"{collection.records_table}_crowds"
    _add_trigger(connection, collection)
    row = connection.execute(query("crowds", "is_valid").render(), {"index": f"lookalike.{index}"}).fetchone()
    if row and row["valid"]:
        return
    connection.execute(sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS lookalike.{}").format(sql.Identifier(index)))
    connection.execute(
        sql.SQL("CREATE INDEX {concurrently} {index} ON lookalike.{table} (crowd, id) WHERE crowd IS NOT NULL").format(
            concurrently=sql.SQL("" if unused else "CONCURRENTLY"), index=sql.Identifier(index), table=table
        )
    )


def _add_trigger(connection: Connection, collection: Collection) -> None:
    row = connection.execute(query("crowds", "has_trigger").render(), _named(collection)).fetchone()
    if row and row["has_trigger"]:
        return
    text = sql.SQL(
        "CREATE TRIGGER keep_copies_apart BEFORE INSERT OR UPDATE OF embedding, crowd ON lookalike.{}"
        " FOR EACH ROW EXECUTE FUNCTION lookalike.keep_copies_apart()"
    ).format(sql.Identifier(collection.records_table))
    for attempt in range(_ROUNDS):
        try:
            with connection.transaction():
                # Who writes waits for this, and this for who is at it: rather several times than long.
                connection.execute("SELECT set_config('lock_timeout', %s, true)", (_LOCK_WAIT,))
                connection.execute(text)
                return
        except LockNotAvailable:
            if attempt == _ROUNDS - 1:
                raise
            sleep(_PAUSE_SECONDS)


def _named(collection: Collection) -> dict[str, object]:
    return {"id": collection.id, "table_name": collection.records_table}
