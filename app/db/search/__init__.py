"""Searches in one collection: a request becomes a plan, the plan statements, and their rows one list."""

from app.db.search.reads import Stored, count_matches, distances, stored
from app.db.search.run import compare, find

__all__ = ["Stored", "compare", "count_matches", "distances", "find", "stored"]
