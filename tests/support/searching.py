"""Searches in a database without the services around them."""

from collections.abc import Mapping

from pgvector import HalfVector

from app.db.engine import Database
from app.db.search import compared, find, stored
from app.db.search.statements import candidates
from app.domain.collections import Collection, PartialIndex
from app.domain.ranking import Nearest
from app.domain.records import Found
from app.search.plan import Plan, Walk, Way
from app.search.request import Query, What


def answered(db: Database, query: Query, what: What) -> Nearest:
    """Return what a search finds."""
    found = find(db, query.near(what))
    assert found is not None
    return found


def exact(db: Database, query: Query, what: What) -> list[Found]:
    """Return what a search should find."""
    return compared(db, query.near(what))


def vector_of(db: Database, collection: Collection, record_id: str) -> HalfVector:
    """Return the vector of a stored record."""
    return stored(db, collection, [record_id])[record_id].vector


def walk(query: Query, knobs: Walk, part: PartialIndex | None = None) -> tuple[str, Mapping[str, object]]:
    """Return the statement that walks the index so far, and its values."""
    statement = candidates(query, Plan((Way.INDEX,), part=part), knobs)
    return statement.text, statement.values
