"""Statements for collections that Citus keeps in several tables, in place of those that it cannot spread over them."""

from collections.abc import Sequence

from app.db.engine import Connection, Row
from app.db.loader import Query, query
from app.domain.collections import Collection


def chosen(collection: Collection, area: str, name: str) -> Query:
    """Return a named query, or that which stands in its place where the collection is spread."""
    return query("spread", f"{area}_{name}") if collection.spread else query(area, name)


def lock_in_turn(connection: Connection, collection: Collection, records: str, ids: Sequence[str]) -> list[Row]:
    """Lock records, each by a statement of its own, in the order of their ids; return what an update knows of them."""
    text = query("spread", "lock").render(records=records)
    asked = ({"collection_id": collection.id, "id": one} for one in sorted(ids))
    return [row for values in asked for row in connection.execute(text, values).fetchall()]
