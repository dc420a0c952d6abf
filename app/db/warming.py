"""A collection is read into memory: by pg_prewarm where it is installed, else by statements that read every page."""

from dataclasses import dataclass
from typing import Literal

from psycopg import sql

from app.db import locks
from app.db.engine import Connection, Database, Row, table_of
from app.db.loader import query
from app.domain.collections import Collection

Way = Literal["pg_prewarm", "reading"]
# Plans that read everything, and a walk through a graph that ends at its last record alone.
_ALL_OF_TABLE = {"enable_indexscan": "off", "enable_indexonlyscan": "off", "enable_bitmapscan": "off"}
_ALL_OF_GRAPH = {
    "enable_seqscan": "off",
    "enable_sort": "off",
    "hnsw.iterative_scan": "relaxed_order",
    "hnsw.ef_search": "1000",
    "hnsw.max_scan_tuples": "2147483647",
    "hnsw.scan_mem_multiplier": "1000",
}


@dataclass(frozen=True, slots=True)
class Warmed:
    """What was read.

    Attributes:
        way: `pg_prewarm`: the table and all of its indexes; `reading`: the table and the indexes of its vectors.
        bytes: the size of what was read.

    """

    way: Way
    bytes: int


def warm(db: Database, collection: Collection) -> Warmed | None:
    """Read a collection's table and indexes into memory; None where another process is at it.

    Raises:
        Unavailable: the database is away, or the statement was interrupted.
        ConfigurationError: a pooler stands between, and the server itself was not named.

    """
    with db.session() as connection:
        if not locks.taken(connection, locks.WARMING, collection):
            return None
        name = {"name": f"lookalike.{collection.records_table}"}
        if collection.distributed:
            # Each worker reads its tables; their graphs are read by searches alone.
            connection.execute(query("warming", "read").render(records=table_of(collection)))
            row = connection.execute(query("warming", "on_workers").render(), name).fetchone()
            return Warmed("reading", int((row or {})["bytes"]))
        relations = connection.execute(query("warming", "relations").render(), name).fetchall()
        extension = connection.execute(query("warming", "extension").render()).fetchone()
        if extension is not None:
            text = sql.SQL("SELECT {}(%s::regclass)").format(sql.Identifier(extension["schema"], "pg_prewarm"))
            for one in relations:
                connection.execute(text, (sql.Identifier("lookalike", one["name"]).as_string(None),))
            return Warmed("pg_prewarm", sum(one["bytes"] for one in relations))
        read = [one for one in relations if one["is_table"] or one["is_graph"]]
        for one in read:
            _read(connection, collection, one)
        return Warmed("reading", sum(one["bytes"] for one in read))


def _read(connection: Connection, collection: Collection, relation: Row) -> None:
    spans = {
        "records": table_of(collection),
        "vector": f"halfvec({collection.dimensions})",
        "part": relation["part"],
    }
    with connection.transaction():
        for setting, value in (_ALL_OF_TABLE if relation["is_table"] else _ALL_OF_GRAPH).items():
            connection.execute("SELECT set_config(%s, %s, true)", (setting, value))
        connection.execute(query("warming", "read" if relation["is_table"] else "walk").render(**spans))
