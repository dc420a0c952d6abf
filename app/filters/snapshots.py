"""Filters are written out as what they really send: the snapshot file and the table of the documentation.

Both are made from the operator table, so that neither can lag behind it: `render()` is the whole of
`sql/snapshots/filters.sql`, `table()` the table in `docs/filters.md`.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from app.filters.compile import Where, compile_filter
from app.filters.operators import OPERATORS
from app.filters.parse import parse_filter

_HEAD = """\
-- Generated from app/filters/operators.py; never edited by hand.
-- What a filter of each operator sends, ready for psql: the values that the program binds as parameters are
-- written here as literals.
"""


@dataclass(frozen=True, slots=True)
class _Shape:
    """A filter worth showing beside the operators, for the SQL it leads to."""

    title: str
    filter: Mapping[str, object]
    indexed_fields: frozenset[str] = frozenset()


_SHAPES = (
    _Shape("everything", {}),
    _Shape("equality, a number", {"price": 200}),
    _Shape("equality, null or missing", {"brand": None}),
    _Shape("equality, null or missing in documents of an array", {"items.size": None}),
    _Shape("equality, a whole list", {"tags": ["red", "new"]}),
    _Shape("equality, a whole object", {"dimensions": {"width": 3, "height": 4}}),
    _Shape("dotted path", {"items.size": "M"}),
    _Shape("position in an array", {"tags.0": "red"}),
    _Shape("position in an array, then a field", {"items.0.size": "M"}),
    _Shape("operator-first form", {"$gte": {"price": 200}}),
    _Shape("several conditions become one jsonpath", {"brand": "Fila", "price": {"$gt": 20, "$lte": 50}, "tags": "x"}),
    _Shape("a negation stands beside it", {"brand": "Fila", "price": {"$ne": 20}}),
    _Shape("null among the choices", {"brand": {"$in": ["Fila", None]}}),
    _Shape("a longer list becomes a decision tree", {"sku": {"$in": [f"s{i:02}" for i in range(12)]}}),
    _Shape("operators about an element", {"scores": {"$elemMatch": {"$gte": 5, "$ne": 7}}}),
    _Shape("a negation inside $elemMatch", {"items": {"$elemMatch": {"size": "M", "stock": {"$not": {"$gt": 0}}}}}),
    _Shape("an indexed attribute, lower bound", {"price": {"$gte": 200}}, frozenset({"price"})),
    _Shape("an indexed attribute, upper bound", {"price": {"$lt": 200}}, frozenset({"price"})),
    _Shape("an indexed attribute, both bounds, and an equality", {"price": {"$gte": 20, "$lt": 30}, "brand": "Fila"},
           frozenset({"price"})),
    _Shape("keys and values are data", {"it's \"%s\" \\": "'); DROP TABLE lookalike.records; --"}),
    _Shape("_id, one", {"_id": "a-17"}),
    _Shape("_id, several", {"_id": {"$in": ["a-17", "a-18"]}}),
    _Shape("_id, a range", {"_id": {"$gte": "a-", "$lt": "b-"}}),
    _Shape("_id, a regular expression", {"_id": {"$regex": "^a-"}}),
)  # fmt: skip


def render() -> str:
    """Return the snapshot: a statement for the example of each operator, then one for each shape."""
    operators = [_statement(row.name, row.example, frozenset()) for row in OPERATORS.values()]
    shapes = [_statement(shape.title, shape.filter, shape.indexed_fields) for shape in _SHAPES]
    return "\n".join([_HEAD, *operators, *shapes])


def _statement(title: str, filter_: Mapping[str, object], indexed_fields: frozenset[str]) -> str:
    where = compile_filter(parse_filter(filter_), indexed_fields=indexed_fields)
    return f"-- {title}\n-- {json.dumps(filter_)}\nSELECT id FROM lookalike.records WHERE {inlined(where)};\n"


def inlined(where: Where) -> str:
    """Return the SQL with its parameters written as literals: for people, never for execution by the program."""

    def literal(match: re.Match[str]) -> str:
        value = where.params[match[1]]
        if isinstance(value, list):
            return _quoted("{" + ",".join(json.dumps(item, ensure_ascii=False) for item in value) + "}")
        return _quoted(str(value))

    return re.sub(r"%\((\w+)\)s", literal, where.sql).replace("%%", "%")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def table() -> str:
    """Return the table of operators in Markdown."""
    rows = ["| operator | meaning | example | SQL | index |", "|---|---|---|---|---|"]
    for row in OPERATORS.values():
        sql = inlined(compile_filter(parse_filter(row.example)))
        cells = (f"`{row.name}`", row.meaning, f"`{json.dumps(row.example)}`", f"`{sql}`", row.index)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows) + "\n"
