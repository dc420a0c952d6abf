"""What PostgreSQL says of how it runs a statement."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import psycopg

from app.db.engine import Database


def plan(db: Database, text: str, values: Mapping[str, object]) -> dict[str, Any]:
    with db.session() as connection:
        row = connection.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + text, values).fetchone()
    assert row is not None
    return dict(row["QUERY PLAN"][0]["Plan"])


def generic_plan(db: Database, text: str, values: Mapping[str, object]) -> dict[str, Any]:
    """Return the plan of a statement that was planned without its values, and run with them."""
    names = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", text)))
    for place, name in enumerate(names, 1):
        text = text.replace(f"%({name})s", f"${place}")
    with db.session() as connection:
        connection.execute("SET plan_cache_mode = force_generic_plan")
        connection.execute(f"PREPARE once AS {text.replace('%%', '%')}")
        places = ", ".join(["%s"] * len(names))
        cursor = psycopg.ClientCursor(connection)
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE once({places})", [values[name] for name in names])
        row = cursor.fetchone()
    assert row is not None
    return dict(row["QUERY PLAN"][0]["Plan"])


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", []):
        yield from nodes(child)
