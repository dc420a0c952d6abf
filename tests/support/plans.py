"""What PostgreSQL says of how it runs a statement."""

from collections.abc import Iterator, Mapping
from typing import Any

from app.db.engine import Database


def plan(db: Database, text: str, values: Mapping[str, object]) -> dict[str, Any]:
    with db.session() as connection:
        row = connection.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + text, values).fetchone()
    assert row is not None
    return dict(row["QUERY PLAN"][0]["Plan"])


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", []):
        yield from nodes(child)
