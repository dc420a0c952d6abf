"""Filters: the language of MongoDB's `find()`, as one SQL condition on the records' attributes. Pure: no database.

    node = parse_filter(take_from_query(filter_, [query_record]))
    where = compile_filter(node, indexed_fields=frozenset({"price"}))
    cursor.execute(f"SELECT id FROM … WHERE {where.sql}", where.params)

What each operator means is in `operators.py` and, for users, in `docs/filters.md`.
"""

from app.filters.by_field import fields_asked, lets_through, split, value_at
from app.filters.compile import NO_FILTER, Where, compile_filter, equality, holds_all, holds_any
from app.filters.nodes import TRUE, Node
from app.filters.operators import OPERATORS, Operator
from app.filters.parse import parse_filter
from app.filters.takefromquery import fields_taken, take_from_query

__all__ = [
    "NO_FILTER",
    "OPERATORS",
    "TRUE",
    "Node",
    "Operator",
    "Where",
    "compile_filter",
    "equality",
    "fields_asked",
    "fields_taken",
    "holds_all",
    "holds_any",
    "lets_through",
    "parse_filter",
    "split",
    "take_from_query",
    "value_at",
]
