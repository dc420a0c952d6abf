"""docs/existing-database.md names every table of the schema, and every function that runs with its owner's rights."""

import re
from pathlib import Path
from typing import Any, LiteralString

from app.db.engine import Database

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "existing-database.md").read_text(encoding="utf-8")


def _section(heading: str) -> str:
    found = re.search(rf"^## {heading}\n(.*?)(?=^## )", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert found is not None, heading
    return found[1]


def _named(text: str) -> set[str]:
    return set(re.findall(r"`(\w+)`", text))


def _rows(db: Database, statement: LiteralString) -> list[dict[str, Any]]:
    return db.read(lambda connection: connection.execute(statement).fetchall())


def test_every_table_is_in_the_document_and_none_else(db: Database) -> None:
    rows = "\n".join(line for line in _section("What is created").splitlines() if line.startswith("|"))
    found = _rows(
        db,
        "SELECT relname AS name FROM pg_class WHERE relnamespace = 'lookalike'::regnamespace"
        " AND relkind IN ('r', 'p') AND NOT relispartition",
    )
    assert {row["name"] for row in found} == _named(rows)


def test_every_function_with_its_owners_rights_is_in_the_document(db: Database) -> None:
    paragraph = next(part for part in _section("Rights").split("\n\n") if "`SECURITY DEFINER`" in part)
    found = _rows(
        db,
        "SELECT proname AS name, proconfig AS settings FROM pg_proc"
        " WHERE pronamespace = 'lookalike'::regnamespace AND prosecdef",
    )
    assert {row["name"] for row in found} == _named(paragraph) - {"lookalike_reader", "search_path"}
    assert all(any(setting.startswith("search_path=") for setting in row["settings"] or ()) for row in found)
