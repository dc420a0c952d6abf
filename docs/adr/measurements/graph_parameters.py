"""Graph parameters by size: what a build costs in CPU seconds, and how many buffers a search reads at recall@20 .99.

    DATABASE_URL=postgresql:///x python docs/adr/measurements/graph_parameters.py VECTORS QUERIES ROWS M,EF [M,EF ...]

VECTORS and QUERIES are .npy files of unit vectors, float16 of shape (n, 256); ROWS of the first are taken. The database
is one of its own, with pgvector, on this machine: CPU seconds are read from /proc of its backend. Prints a line of JSON
for each pair of m and ef_construction. Buffers are those of `ORDER BY … LIMIT 38`, as the first walk of a search.
"""

# ruff: noqa: S101, T201 - a script that prints

import json
import os
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray
from pgvector import HalfVector
from pgvector.psycopg import register_vector
from psycopg import sql

Floats = NDArray[np.float32]
EFFORTS = (40, 56, 80, 112, 160, 224, 320)
K, CANDIDATES, TARGET = 20, 38, 0.99
SEARCH = sql.SQL(
    "SELECT id, embedding::halfvec(256) <=> {v} AS distance FROM graph_parameters"
    " ORDER BY embedding::halfvec(256) <=> {v} LIMIT {n}"
)


def unit(vectors: NDArray[np.float16]) -> Floats:
    """Return vectors of length 1, as they are compared when they are stored as halfs."""
    wide = vectors.astype(np.float32)
    return np.asarray(wide / np.linalg.norm(wide, axis=1, keepdims=True), np.float32)


def load(connection: psycopg.Connection[Any], vectors: NDArray[np.float16]) -> None:
    """Copy vectors into a table laid out as records are."""
    connection.execute("DROP TABLE IF EXISTS graph_parameters")
    connection.execute("CREATE TABLE graph_parameters (id int, embedding halfvec) WITH (toast_tuple_target = 4080)")
    with connection.cursor().copy("COPY graph_parameters FROM STDIN WITH (FORMAT BINARY)") as copy:
        copy.set_types(["int4", "halfvec"])
        for number, vector in enumerate(vectors):
            copy.write_row((number, HalfVector(vector.astype(np.float32))))
    connection.execute("VACUUM ANALYZE graph_parameters")


def build(connection: psycopg.Connection[Any], m: int, ef_construction: int) -> float:
    """Build the index without parallel workers; return its CPU seconds."""
    connection.execute("DROP INDEX IF EXISTS graph_parameters_hnsw")
    connection.execute("SET max_parallel_maintenance_workers = 0")
    connection.execute("SET maintenance_work_mem = '3GB'")
    process = connection.info.backend_pid
    before = cpu(process)
    connection.execute(
        sql.SQL(
            "CREATE INDEX graph_parameters_hnsw ON graph_parameters USING hnsw"
            " ((embedding::halfvec(256)) halfvec_cosine_ops) WITH (m = {}, ef_construction = {})"
        ).format(m, ef_construction)
    )
    return cpu(process) - before


def cpu(process: int) -> float:
    """Return the CPU seconds of a process so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def searched(connection: psycopg.Connection[Any], queries: Floats, edges: Floats, effort: int) -> tuple[float, float]:
    """Return recall@20 and buffers a query at one effort."""
    connection.execute(sql.SQL("SET hnsw.ef_search = {}").format(effort))
    hits = buffers = 0
    for query, edge in zip(queries, edges, strict=True):
        text = SEARCH.format(v=sql.Literal(HalfVector(query)), n=CANDIDATES)
        rows = sorted(row[1] for row in connection.execute(text).fetchall())[:K]
        hits += sum(distance <= edge + 1e-6 for distance in rows)
        row = connection.execute(sql.SQL("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ") + text).fetchone()
        assert row is not None
        buffers += row[0][0]["Plan"]["Shared Hit Blocks"] + row[0][0]["Plan"]["Shared Read Blocks"]
    return hits / (K * len(queries)), buffers / len(queries)


def buffers_at(curve: dict[int, tuple[float, float]]) -> float | None:
    """Return the buffers at which the target is reached, between two efforts; None where it is not."""
    for (low, buffers), (high, more) in pairwise(curve.values()):
        if low < TARGET <= high:
            missed = [np.log(max(1e-5, 1 - share)) for share in (low, TARGET, high)]
            return float(buffers + (missed[0] - missed[1]) / (missed[0] - missed[2]) * (more - buffers))
    first = next(iter(curve.values()))
    return first[1] if first[0] >= TARGET else None


def main() -> None:
    """Measure each pair."""
    stored = np.load(sys.argv[1])[: int(sys.argv[3])]
    queries = unit(np.load(sys.argv[2]))
    edges = 1 - np.sort(queries @ unit(stored).T, axis=1)[:, -K]
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        register_vector(connection)
        connection.execute("SET hnsw.iterative_scan = relaxed_order")
        connection.execute("SET enable_seqscan = off")
        load(connection, stored)
        for pair in sys.argv[4:]:
            m, ef_construction = map(int, pair.split(","))
            seconds = build(connection, m, ef_construction)
            curve = {effort: searched(connection, queries, edges, effort) for effort in EFFORTS}
            found = {"rows": len(stored), "m": m, "ef_construction": ef_construction, "build_cpu_s": round(seconds, 1)}
            print(json.dumps({**found, "buffers_at_target": buffers_at(curve), "curve": curve}), flush=True)
        connection.execute("DROP TABLE graph_parameters")


if __name__ == "__main__":
    main()
