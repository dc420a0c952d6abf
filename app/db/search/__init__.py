"""Searches in one collection: a request becomes a plan, the plan statements, and their rows one list."""

from app.db.search.reads import Stored, count_matches, distances, expectation, products_of, stored, with_fields
from app.db.search.run import find
from app.db.search.send import compared

__all__ = [
    "Stored",
    "compared",
    "count_matches",
    "distances",
    "expectation",
    "find",
    "products_of",
    "stored",
    "with_fields",
]
