"""What docs/sql.md shows of other tools: SQLAlchemy models, pandas, pg_dump, COPY between databases, publications."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import cast, func, select

from app.db import collections, loads, migrations, schema
from app.db.embedded import bundled_program
from app.db.engine import Database
from app.db.models import Record
from app.db.records import NewRecord
from app.domain.collections import Collection, NewCollection
from tests.db.vectors import random_vectors

ROWS = 60
DIMENSIONS = 16


def new(name: str) -> NewCollection:
    return NewCollection(name, "photo", "m", "1", DIMENSIONS, 62.5)


@pytest.fixture
def shop(db: Database) -> Collection:
    made = collections.create(db, new("shop"))
    vectors = random_vectors(ROWS, DIMENSIONS)
    rows = [NewRecord(f"r{n}", json.dumps({"n": n, "é": "ü"}), vectors[n], b"picture") for n in range(ROWS)]
    assert loads.copy(db, made, rows) == ROWS
    return made


def program(name: str) -> str:
    found = bundled_program(name) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def run(*arguments: str, given: bytes = b"") -> bytes:
    done = subprocess.run(arguments, input=given, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def everything(url: str, table: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        text = f"SELECT id, attributes, embedding::text, created_at FROM lookalike.{table} ORDER BY id"
        return connection.execute(text.encode()).fetchall()


def test_the_models_search_as_the_functions_do(db: Database, shop: Collection) -> None:
    distance = cast(Record.embedding, HALFVEC(DIMENSIONS)).cosine_distance(func.lookalike.vector_of("shop", "r7"))
    nearest = (
        select(Record.id, Record.attributes["n"]).where(Record.collection_id == shop.id).order_by(distance).limit(5)
    )
    with migrations.engine(db.url).connect() as connection:
        found = [tuple(row) for row in connection.execute(nearest)]
    with db.session() as plain:
        rows = plain.execute("SELECT id, attributes FROM lookalike.knn('shop', 'r7', 5)").fetchall()
    assert found == [(row["id"], row["attributes"]["n"]) for row in rows]


def test_a_data_frame(db: Database, shop: Collection) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not among the dependencies")
    frame = pandas.read_sql("SELECT id, distance FROM lookalike.knn('shop', 'r7', 5)", migrations.engine(db.url))
    assert frame["id"].iloc[0] == "r7"
    assert len(frame) == 5


def test_pg_dump_and_pg_restore_of_one_collection(db: Database, shop: Collection, tmp_path: Path) -> None:
    collections.create(db, new("other"))
    before = everything(db.url, "shop")
    dump = str(tmp_path / "shop.dump")
    tables = ("-t", f"lookalike.records_{shop.id}", "-t", f"lookalike.thumbnails_{shop.id}")
    run(program("pg_dump"), "-Fc", "--data-only", *tables, "-f", dump, db.url)
    with db.session() as connection:
        connection.execute("DELETE FROM lookalike.shop")
    run(program("pg_restore"), "--data-only", "-d", db.url, dump)
    assert everything(db.url, "shop") == before
    with db.session() as connection:
        thumbnails = connection.execute(f"SELECT count(*) AS n FROM lookalike.thumbnails_{shop.id}".encode()).fetchone()
    assert thumbnails == {"n": ROWS}


def test_copy_to_another_database(db: Database, shop: Collection, empty_database: str) -> None:
    schema.upgrade(empty_database)
    other = Database(empty_database)
    other.open()
    collections.create(other, new("first"))
    made = collections.create(other, new("shop"))
    assert made.id != shop.id
    columns = "id, attributes, embedding, created_at, updated_at"
    rows = run(program("psql"), db.url, "-c", f"COPY (SELECT {made.id}, {columns} FROM lookalike.shop) TO STDOUT")
    run(
        program("psql"),
        empty_database,
        "-c",
        f"COPY lookalike.records (collection_id, {columns}) FROM STDIN",
        given=rows,
    )
    assert everything(empty_database, "shop") == everything(db.url, "shop")
    other.close()


def test_a_publication_of_one_collection(db: Database, shop: Collection) -> None:
    with db.session() as connection:
        connection.execute(f"CREATE PUBLICATION shop FOR TABLE lookalike.records_{shop.id}".encode())
        found = connection.execute("SELECT tablename, attnames FROM pg_publication_tables").fetchall()
        assert [row["tablename"] for row in found] == [f"records_{shop.id}"]
        connection.execute("DROP PUBLICATION shop")


def test_psql_runs_every_file_as_it_stands(empty_database: str) -> None:
    """Functions and views, applied by psql instead of the program; then the program has nothing to change in them."""
    schema.upgrade(empty_database)
    script = "\n".join(file.text for file in schema.sql_files())
    run(program("psql"), empty_database, "-v", "ON_ERROR_STOP=1", "-q", given=script.encode())
    assert schema.apply_sql(empty_database) == []
    assert schema.problems(empty_database) == []
