"""Measure what a change of attributes costs in one table, and with attributes and vectors apart; and how to clean up.

Prints Markdown tables. Uses DATABASE_URL if set (a scratch database: it makes and drops the schema
`attribute_updates`), else an embedded server in a temporary folder. Vectors are real ones: `make bench` keeps
those of its crops, float16, in LOOKALIKE_HOME/bench.

    python docs/adr/measurements/attribute_updates.py ~/.lookalike/bench/crops-100000-*.npy --only updates

Both layouts have the same rows and are measured in turn. Compare figures within one row only.
"""

# ruff: noqa: S101, S608, T201 - a script that prints; its SQL is made of its own constants

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import orjson
import psycopg
from pgvector import HalfVector
from pgvector.psycopg import register_vector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SETTINGS = {"maintenance_work_mem": "1GB", "max_parallel_maintenance_workers": "1", "hnsw.ef_search": "150"}
RECORD = 'id text COLLATE "C" PRIMARY KEY, attributes jsonb NOT NULL'
OPTIONS = "WITH (toast_tuple_target = 4080, autovacuum_enabled = off)"
LAYOUTS = ("one", "split")
CHUNK = 1000


class Bench:
    """The tables of one run: `one` has attributes and vector, `split_records` and `split_vectors` one of them each."""

    def __init__(self, connection: psycopg.Connection, vectors: np.ndarray) -> None:
        self.db, self.vectors = connection, vectors
        self.rows, self.dimensions = vectors.shape
        self.random = np.random.default_rng(5)

    def attributes(self, number: int) -> bytes:
        """Return the JSON of a product, about 300 bytes."""
        record = {"price": number * 7919 % 100_000 / 100, "brand": f"b{number * 31 % 200}", "stock": 1,
                  "eighth": number % 8, "title": f"product {number} " * 8, "sku": f"{number:032d}"}  # fmt: skip
        return orjson.dumps(record)

    def fill(self) -> None:
        """Make the tables and their indexes, as large as each other."""
        self.db.execute("DROP SCHEMA IF EXISTS attribute_updates CASCADE")
        self.db.execute("CREATE SCHEMA attribute_updates")
        self.db.execute("SET search_path TO attribute_updates, public")
        self.db.execute(f"CREATE TABLE one ({RECORD}, embedding halfvec NOT NULL) {OPTIONS}")
        with self.db.cursor().copy("COPY one FROM STDIN") as copy:
            for number in range(self.rows):
                vector = HalfVector(self.vectors[number].astype(np.float32)).to_text()
                copy.write_row((f"r{number:07d}", self.attributes(number).decode(), vector))
        self.db.execute(f"CREATE TABLE split_records ({RECORD}) {OPTIONS}")
        self.db.execute("INSERT INTO split_records SELECT id, attributes FROM one")
        self.db.execute(f'CREATE TABLE split_vectors (id text COLLATE "C" PRIMARY KEY, embedding halfvec) {OPTIONS}')
        self.db.execute("INSERT INTO split_vectors SELECT id, embedding FROM one")
        for table in ("one", "split_records"):
            self.db.execute(f"CREATE INDEX ON {table} USING gin (attributes jsonb_path_ops)")
        for table in ("one", "split_vectors"):
            self.build(table)
        for table in ("one", "split_records", "split_vectors"):
            self.db.execute(f"VACUUM (ANALYZE) {table}")

    def build(self, table: str) -> None:
        """Build the HNSW index of a table."""
        self.db.execute(
            f"CREATE INDEX {table}_hnsw ON {table} USING hnsw ((embedding::halfvec({self.dimensions}))"
            " halfvec_cosine_ops) WITH (m = 16, ef_construction = 64)"
        )

    def updates(self) -> None:
        """Print what changes of attributes cost, and what the searches do."""
        self.row("", *LAYOUTS, "one / split")
        self.row("---", "---:", "---:", "---:")
        samples: dict[str, list[float]] = {layout: [] for layout in LAYOUTS}
        for _ in range(3):
            for layout in LAYOUTS:
                for number in self.random.choice(self.rows, 300, replace=False):
                    samples[layout].append(self.timed(lambda t=layout, n=number: self.change(t, [int(n)])))
        self.print("one record a statement, with its commit, ms", {k: statistics.median(v) for k, v in samples.items()})
        everyone = self.random.permutation(self.rows).tolist()
        for name, change in (("unnest by 1,000", self.in_chunks), ("one COPY", self.by_copy)):
            wal = {layout: self.wal() for layout in LAYOUTS}
            times = {}
            for layout in LAYOUTS:
                wal[layout] = self.wal()
                times[layout] = self.timed(lambda t=layout, c=change: c(t, everyone)) / self.rows
                wal[layout] = (self.wal() - wal[layout]) / self.rows
            self.print(f"all {self.rows:,}, {name}, ms a record", times)
            self.print(f"all {self.rows:,}, {name}, WAL a record, B", wal)
            for table in ("one", "split_records"):
                self.db.execute(f"VACUUM (ANALYZE) {table}")
        self.print(f"all {self.rows:,}, HNSW dropped, COPY, built, ms a record",
                   {"one": self.timed(lambda: self.rebuilt(everyone)) / self.rows})  # fmt: skip
        self.db.execute("VACUUM (ANALYZE) one")
        self.searches()

    def vacuum(self) -> None:
        """Print what it costs to clean up after 30 % was deleted."""
        self.row("after 30 % of the records were deleted", "s", "then recall@20")
        self.row("---", "---:", "---:")
        for way in ("VACUUM", "REINDEX CONCURRENTLY, then VACUUM"):
            told = way
            self.fill()
            self.db.execute("DELETE FROM one WHERE hashtext(id) % 10 IN (0, 1, 2, -1, -2)")
            if way.startswith("VACUUM"):
                self.row("nothing done yet", "", f"{self.recall():.4f}")
                seconds = self.timed(lambda: self.db.execute("VACUUM one")) / 1000
            else:
                began = self.timed(lambda: self.db.execute("REINDEX INDEX CONCURRENTLY one_hnsw")) / 1000
                seconds = began + self.timed(lambda: self.db.execute("VACUUM one")) / 1000
                told = f"{way} ({began:.1f} + {seconds - began:.1f})"
            self.row(told, f"{seconds:.1f}", f"{self.recall():.4f}")

    # the statements

    def change(self, layout: str, numbers: list[int]) -> None:
        """Merge a patch into records, as the API's `update` does."""
        table = "one" if layout == "one" else "split_records"
        ids, patches = self.patches(numbers)
        self.db.execute(
            f"UPDATE {table} AS r SET attributes = r.attributes || p.patch"
            " FROM unnest(%s::text[], %s::jsonb[]) AS p (id, patch) WHERE r.id = p.id",
            (ids, patches),
        )

    def in_chunks(self, layout: str, numbers: list[int]) -> None:
        """Change records a thousand a transaction."""
        for start in range(0, len(numbers), CHUNK):
            self.change(layout, numbers[start : start + CHUNK])

    def by_copy(self, layout: str, numbers: list[int]) -> None:
        """Change records in one transaction, by COPY into a temporary table."""
        table = "one" if layout == "one" else "split_records"
        with self.db.transaction():
            self.db.execute("CREATE TEMPORARY TABLE patches (id text, patch jsonb) ON COMMIT DROP")
            with self.db.cursor().copy("COPY patches FROM STDIN") as copy:
                for row in zip(*self.patches(numbers), strict=True):
                    copy.write_row(row)
            self.db.execute("ANALYZE patches")
            self.db.execute(
                f"UPDATE {table} AS r SET attributes = r.attributes || p.patch FROM patches AS p WHERE r.id = p.id"
            )

    def rebuilt(self, numbers: list[int]) -> None:
        """Change records of the one table without its HNSW index, and build that anew."""
        self.db.execute("DROP INDEX one_hnsw")
        self.by_copy("one", numbers)
        self.build("one")

    def patches(self, numbers: list[int]) -> tuple[list[str], list[str]]:
        """Return ids and patches: another stock each time."""
        stock = self.random.integers(1_000_000, size=len(numbers)).tolist()
        return [f"r{number:07d}" for number in numbers], [f'{{"stock": {one}}}' for one in stock]

    def searches(self) -> None:
        """Print what searches with a filter cost."""
        knn = "SELECT {id}, {attributes}, {vector} <=> %(query)s::halfvec AS distance FROM {tables}"
        parts = {
            "one": {"id": "id", "attributes": "attributes", "vector": f"embedding::halfvec({self.dimensions})",
                    "tables": "one"},
            "split": {"id": "v.id", "attributes": "r.attributes", "vector": f"v.embedding::halfvec({self.dimensions})",
                      "tables": "split_vectors AS v JOIN split_records AS r ON r.id = v.id"},
        }  # fmt: skip
        self.db.execute("SET hnsw.iterative_scan = relaxed_order")
        cases = {
            "kNN with a filter that 50 % match, ms": (
                "{attributes} @? '$ ? (@.price < 500)'", "ORDER BY {vector} <=> %(query)s::halfvec LIMIT 20"),
            "exact among 12.5 %, ms": (
                "{attributes} @> '{{\"eighth\": 3}}'", "ORDER BY ({vector} <=> %(query)s::halfvec) + 0 LIMIT 20"),
        }  # fmt: skip
        for name, (where, order) in cases.items():
            times: dict[str, list[float]] = {layout: [] for layout in LAYOUTS}
            for number in self.random.choice(self.rows, 60, replace=False):
                values = {"query": HalfVector(self.vectors[number].astype(np.float32))}
                for layout in LAYOUTS:
                    text = f"{knn} WHERE {where} {order}".format(**parts[layout])
                    times[layout].append(
                        self.timed(lambda t=text, v=values: self.db.execute(t, v, binary=True).fetchall())
                    )
            self.print(name, {layout: statistics.median(of) for layout, of in times.items()})

    def recall(self) -> float:
        """Return recall@20 of the HNSW index of the one table, on 100 of its vectors."""
        order = f"embedding::halfvec({self.dimensions}) <=> %s::halfvec"
        found = 0
        self.db.execute("SET hnsw.iterative_scan = relaxed_order")
        for number in self.random.choice(self.rows, 100, replace=False):
            query = HalfVector(self.vectors[number].astype(np.float32))
            near, true = (
                {row[0] for row in self.db.execute(f"SELECT id FROM one ORDER BY {by} LIMIT 20", (query,), binary=True)}
                for by in (order, f"({order}) + 0")
            )
            found += len(near & true)
        return found / 2000

    def wal(self) -> float:
        """Return the bytes of WAL written so far."""
        row = self.db.execute("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn").fetchone()
        assert row is not None
        return float(row[0])

    @staticmethod
    def timed(work: Callable[[], object]) -> float:
        """Return the milliseconds that something takes."""
        start = time.perf_counter()
        work()
        return 1000 * (time.perf_counter() - start)

    def print(self, name: str, figures: dict[str, float]) -> None:
        """Print a row of figures, with their ratio."""
        both = [figures.get(layout) for layout in LAYOUTS]
        ratio = f"{both[0] / both[1]:.2g}" if both[0] and both[1] else ""
        self.row(name, *("" if one is None else f"{one:,.3g}" for one in both), ratio)

    @staticmethod
    def row(*cells: str) -> None:
        """Print a row of a table."""
        print(f"| {' | '.join(cells)} |", flush=True)


@contextlib.contextmanager
def database() -> Iterator[str]:
    """Give the database of DATABASE_URL, or an embedded one."""
    if url := os.environ.get("DATABASE_URL"):
        yield url
        return
    from app.db.embedded import EmbeddedDatabase  # noqa: PLC0415 - only where it is wanted

    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedDatabase(Path(folder))
        yield server.start()
        server.stop()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vectors", type=Path, help="a .npy file of float16 rows of unit length")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--only", choices=("updates", "vacuum"), action="append")
    chosen = parser.parse_args()
    with database() as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        register_vector(connection)
        for name, value in SETTINGS.items():
            connection.execute("SELECT set_config(%s, %s, false)", (name, value))
        bench = Bench(connection, np.load(chosen.vectors)[: chosen.rows])
        if "updates" in (chosen.only or ("updates",)):
            bench.fill()
            bench.updates()
        if "vacuum" in (chosen.only or ("vacuum",)):
            bench.vacuum()
        connection.execute("DROP SCHEMA attribute_updates CASCADE")


if __name__ == "__main__":
    main()
