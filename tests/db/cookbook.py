"""The statements of docs/sql.md: read, run, and written back with what they answer.

`python -m tests.db.cookbook URL` loads the demo catalogue into an empty database and fills in its answers and plans.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg

from app import create_context
from app.config import Settings
from app.db import schema
from app.demo.catalogue import unpack
from app.services import collections, loading

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "sql.md"
_BLOCK = re.compile(
    r"^### (?P<question>.+?)\n(?P<between>(?:(?!^###).)*?)^```sql\n(?P<sql>.*?)^```\n"
    r"(?:\n```text\n(?P<answer>.*?)^```\n)?(?:\nPlan: (?P<plan>.*?)\.\n)?",
    re.MULTILINE | re.DOTALL,
)
# Views on the catalogue: how they are planned depends on what else the database holds.
_UNPLANNED = ("collection_stats", "index_health", "recent_searches")
Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True)
class Recipe:
    """A question, its statement, and what the document says that it answers."""

    question: str
    sql: str
    answer: str
    plan: str


def recipes(document: str) -> Iterator[Recipe]:
    for found in _BLOCK.finditer(document):
        yield Recipe(found["question"], found["sql"], found["answer"] or "", found["plan"] or "")


def answer(connection: Connection, statement: str) -> str:
    """The rows as text, in columns."""
    cursor = connection.execute(statement.encode())
    rows = [tuple("" if value is None else str(value) for value in row) for row in cursor.fetchall()]
    table = [tuple(column.name for column in cursor.description or ()), *rows]
    widths = [max(len(row[place]) for row in table) for place in range(len(table[0]))]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
    lines.insert(1, "-+-".join("-" * width for width in widths))
    return "\n".join(lines) + f"\n({len(rows)} row{'s' * (len(rows) != 1)})\n"


def planned(statement: str) -> bool:
    return not any(name in statement for name in _UNPLANNED)


def plan(connection: Connection, statement: str) -> str:
    """The kinds of nodes of the plan, outermost first, each once; functions and indexes by name."""
    row = connection.execute(b"EXPLAIN (FORMAT JSON) " + statement.encode()).fetchone()
    assert row is not None
    return " → ".join(dict.fromkeys(_nodes(row[0][0]["Plan"])))


def _nodes(node: dict[str, Any]) -> Iterator[str]:
    # Names of indexes and functions, but not of collections, whose numbers differ from database to database.
    kind = f"{node['Node Type']} on {node['Function Name']}" if "Function Name" in node else node["Node Type"]
    yield f"`{kind}`"
    for child in node.get("Plans", []):
        yield from _nodes(child)


def prepared(connection: Connection) -> Connection:
    """A session as the document asks for it; no parallel plans, which depend on the machine."""
    for setting in ("hnsw.iterative_scan = relaxed_order", "random_page_cost = 1.1", "jit = off",
                    "max_parallel_workers_per_gather = 0"):  # fmt: skip
        connection.execute(f"SET {setting}")
    return connection


def filled(document: str, connection: Connection) -> str:
    """The document, with the answers and plans of this database."""

    def fill(found: re.Match[str]) -> str:
        shown = f"\n```text\n{answer(connection, found['sql'])}```\n"
        if planned(found["sql"]):
            shown += f"\nPlan: {plan(connection, found['sql'])}.\n"
        return f"### {found['question']}\n{found['between']}```sql\n{found['sql']}```\n{shown}"

    return _BLOCK.sub(fill, document)


def load(url: str, home: Path) -> None:
    """Load the demo catalogue into a collection `demo`, as `lookalike demo` does, and note some searches of it."""
    schema.upgrade(url)
    # Float32: what bfloat16 makes of a picture differs from processor to processor, by more than the tests let pass.
    context = create_context(Settings(home=home, model_dtype="fp32"), url)
    context.db.open()
    created = collections.create(context, "demo", "products")
    loading.load(context, created, loading.line_items(context, unpack(home / "catalogue")))
    with context.db.session() as connection:
        connection.execute(
            "INSERT INTO lookalike.search_log (at, collection_id, method, query_id, k, results, milliseconds, way)"
            " SELECT timestamptz '2026-01-05 12:00+00' + n * interval '7 s', %s, 'visualKNN', q, 30, 30, 1.5, 'exact'"
            " FROM unnest(ARRAY['t-shirt-001', 'hat-002', 't-shirt-001', 't-shirt-001', 'hat-002', 'skirt-003'])"
            " WITH ORDINALITY AS s (q, n)",
            (created.id,),
        )
    context.pictures.close()
    context.models.close()
    context.db.close()
    with psycopg.connect(url, autocommit=True) as connection:
        # What waits in the list of a GIN index counts in the plans, and is merged at a moment that nobody chose.
        connection.execute("VACUUM (ANALYZE) lookalike.records")


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        load(sys.argv[1], Path(folder))
    with psycopg.connect(sys.argv[1], autocommit=True) as connection:
        DOCUMENT.write_text(filled(DOCUMENT.read_text(encoding="utf-8"), prepared(connection)), encoding="utf-8")
