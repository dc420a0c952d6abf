"""Citus: the records of a collection lie on its workers, in one table or in several (`docs/scale-out.md`)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from app.db import indexes, locks, partial
from app.db.engine import Connection, Database
from app.db.loader import query
from app.domain.collections import Collection
from app.domain.errors import ConfigurationError, InvalidRequest
from app.domain.wording import counted

CITUS_AT_LEAST = 14
_INSTALL = (
    "Citus is not in this database: an administrator installs it on every machine, sets"
    " shared_preload_libraries = 'citus' and runs CREATE EXTENSION citus; then citus_add_node for each worker"
)
# What every node says of itself as JSON, the coordinator too; why not where it is away. Citus alone has the tables.
_NODES = """
    SELECT n.nodename || ':' || n.nodeport AS node, n.groupid = 0 AS coordinator, r.success, r.result
    FROM pg_catalog.pg_dist_node AS n
    JOIN pg_catalog.run_command_on_all_nodes($$
        SELECT jsonb_build_object(
            'vector', (SELECT e.extversion FROM pg_catalog.pg_extension AS e WHERE e.extname = 'vector'),
            'iterative_scan', current_setting('hnsw.iterative_scan', true),
            'ef_search', current_setting('hnsw.ef_search', true))
    $$) AS r ON r.nodeid = n.nodeid
    WHERE n.noderole = 'primary' AND n.isactive
    ORDER BY n.groupid
"""
_ATTEMPTS, _PAUSE_SECONDS = 100, 0.2
# Citus sends no setting of a session to its workers, but those of the database.
_SETTINGS = {"hnsw.iterative_scan": "relaxed_order", "jit": "off", "random_page_cost": "1.1"}
# By the name of a trigger, what has to go before the records do.
_TRIGGERS = {
    "keep_copies_apart": "many copies of one vector, which stand beside its index",
    "note_duplicate_change": "stored pairs of duplicates: lookalike duplicates forget",
    "note_duplicate_truncation": "stored pairs of duplicates: lookalike duplicates forget",
    "forget_map_point": "a map: lookalike map forget",
    "forget_map_points": "a map: lookalike map forget",
    "log_change": "another model under way: lookalike collection reembed --abandon",
    "log_truncation": "another model under way: lookalike collection reembed --abandon",
}


@dataclass(frozen=True, slots=True)
class Cluster:
    """What the nodes of a cluster say.

    Attributes:
        version: of Citus; None: it is not in this database.
        wal_level: of the coordinator.
        nodes: by host and port, what each says, the coordinator first.
        away: by host and port, why a node says nothing.
        workers: their number.

    """

    version: str | None
    wal_level: str
    nodes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    away: Mapping[str, str] = field(default_factory=dict)
    workers: int = 0


def look(connection: psycopg.Connection[Any]) -> Cluster:
    """Ask every node of the cluster; without Citus nobody is asked."""
    with connection.cursor(row_factory=dict_row) as cursor:
        known = cursor.execute(query("cluster", "extension").render()).fetchone()
        version = known["version"] if known else None
        wal_level = str(known["wal_level"]) if known else ""
        if version is None:
            return Cluster(None, wal_level)
        rows = cursor.execute(_NODES).fetchall()
    return Cluster(
        str(version),
        wal_level,
        {row["node"]: json.loads(row["result"]) for row in rows if row["success"]},
        {row["node"]: str(row["result"]).strip() for row in rows if not row["success"]},
        sum(not row["coordinator"] for row in rows),
    )


def problems(connection: psycopg.Connection[Any]) -> list[str]:
    """Return what is wrong with the cluster, a sentence each; nothing where there is none."""
    cluster = look(connection)
    if cluster.version is None:
        return []
    found = _unfit(cluster)
    if not _any_distributed(connection):
        return found
    for node, said in cluster.nodes.items():
        if said["iterative_scan"] != _SETTINGS["hnsw.iterative_scan"] or said["ef_search"] is None:
            found.append(
                f"{node} has no hnsw.iterative_scan = relaxed_order, so SQL functions find less there: lookalike db"
                " distribute sets it for the database"
            )
    return found


def standing(connection: psycopg.Connection[Any]) -> list[str]:
    """Return how the cluster stands, in a sentence; nothing where there is none."""
    cluster = look(connection)
    if cluster.version is None:
        return []
    return [f"Citus {cluster.version} with {counted(cluster.workers, 'worker')}: servers use the coordinator alone"]


def _any_distributed(connection: psycopg.Connection[Any]) -> bool:
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(query("cluster", "distributed").render()).fetchone()
    return bool(row and row["any"])


def _unfit(cluster: Cluster) -> list[str]:
    """Return what a cluster lacks, a sentence each."""
    if cluster.version is None:
        return [_INSTALL]
    found = []
    if int(cluster.version.split(".")[0].split("-")[0]) < CITUS_AT_LEAST:
        found.append(f"Citus {CITUS_AT_LEAST} or newer is needed; this database has {cluster.version}")
    if not cluster.workers:
        found.append("the cluster has no worker: SELECT citus_add_node('host', 5432)")
    found += [f"the node {node} is away: {reason}" for node, reason in cluster.away.items()]
    versions = {said["vector"] for said in cluster.nodes.values()}
    if len(versions) > 1 or None in versions:
        told = ", ".join(f"{node} {said['vector'] or 'none'}" for node, said in cluster.nodes.items())
        found.append(f"all nodes must have one version of pgvector: {told}")
    return found


def check(db: Database) -> Cluster:
    """Return the cluster that collections can be distributed over.

    Raises:
        ConfigurationError: there is none, or it lacks something: each in a sentence.

    """
    with db.session() as connection:
        cluster = look(connection)
    if lacking := _unfit(cluster):
        raise ConfigurationError("; ".join(lacking))
    return cluster


def check_collection(db: Database, collection: Collection) -> None:
    """Refuse a collection that cannot be distributed.

    Raises:
        InvalidRequest: it is already, or what belongs to it works by triggers, which Citus does not have.

    """
    if collection.distributed:
        raise InvalidRequest(f"the records of {collection.name} lie on the workers already: {collection.layout}")
    named = {"records_table": f"lookalike.{collection.records_table}"}
    rows = db.all(query("cluster", "triggers").render(), named)
    if rows:
        reasons = sorted({_TRIGGERS.get(row["name"], f"a trigger of its own, {row['name']}") for row in rows})
        raise InvalidRequest(f"{collection.name} cannot be distributed: it has {'; '.join(reasons)}")


def distribute(db: Database, collection: Collection, shards: int | None) -> None:
    """Put the records of a collection on the workers, in so many tables; None: in one, on one worker.

    Searches and writers of it wait until the records are copied. Its indexes of vectors are dropped before: they are
    built on the workers afterwards, by the caller. Run again after an interruption, it goes on.
    """
    with db.session() as connection:
        if not locks.taken(connection, locks.INDEX_BUILD, collection):
            raise InvalidRequest(f"another process builds an index of {collection.name}; try again when it has")
        for name in (indexes.hnsw_name(collection), *(one.index_name for one in partial.listed(db, collection))):
            indexes.drop_found(connection, name)
        with connection.transaction():
            locks.insist(connection, lambda: _detach(connection, collection), _ATTEMPTS, _PAUSE_SECONDS)
        with connection.transaction():
            connection.execute(query("cluster", "distribute").render(), {"id": collection.id, "tables": shards})
        connection.execute(sql.SQL("ANALYZE lookalike.{}").format(sql.Identifier(collection.records_table)))


def _detach(connection: Connection, collection: Collection) -> None:
    connection.execute(query("cluster", "detach").render(), {"id": collection.id})


def set_settings(db: Database) -> Sequence[str]:
    """Set for the database what its workers must know; return the settings."""
    with db.session() as connection:
        given = {**_SETTINGS, "hnsw.ef_search": str(db.ef_search)}
        for name, value in given.items():
            text = sql.SQL("ALTER DATABASE {} SET {} = {}")
            made = text.format(
                sql.Identifier(connection.info.dbname), sql.Identifier(*name.split(".")), sql.Literal(value)
            )
            connection.execute(made)
    return [f"{name} = {value}" for name, value in given.items()]
