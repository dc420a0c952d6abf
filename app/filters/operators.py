"""THE table of operators: one row an operator.

To add one, add its row here and its cases to `tests/cases/filters.py`; a new kind of condition also needs a node
and its jsonpath. A row says where the operator may stand, how its operand becomes a node, and what the tables in
`docs/filters.md` and the snapshots in `sql/snapshots/filters.sql` show of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from app.filters import operands
from app.filters.operands import Build

_GIN = "GIN"
_RANGE = "B-tree, if the field has one and the bound is a number"
_NONE = "none"


@dataclass(frozen=True, slots=True)
class Operator:
    """One row: an operator, its meaning for the program and its meaning for a person."""

    name: str
    level: Literal["field", "filter"]
    """The operator stands under a field or joins whole filters."""
    build: Build
    meaning: str
    example: Mapping[str, object]
    index: str
    takes_object: bool = False
    """True if an object is a sensible operand, so that inside `$elemMatch` it is not an operator-first form."""
    takes_from_query: bool = False
    """True if the operand may be `{TAKE_FROM_QUERY}`."""


_ROWS = (
    Operator(
        "$eq", "field", operands.equals,
        "An element equals the value; `null` also means a missing field. A list is met whole or as an element, an "
        "object whole (keys in any order). The same as `{field: value}`.",
        {"brand": {"$eq": "Fila"}}, _GIN + " (but not for `null`)", takes_object=True, takes_from_query=True,
    ),
    Operator(
        "$ne", "field", operands.differs,
        "Complement of `$eq`: no element equals the value; records without the field match, but "
        "not for `null`.",
        {"brand": {"$ne": "Fila"}}, _NONE, takes_object=True, takes_from_query=True,
    ),
    Operator(
        "$gt", "field", operands.compares(">"),
        "An element of the bound's own type is greater. Strings by code point, `false` before `true`.",
        {"price": {"$gt": 200}}, _RANGE, takes_from_query=True,
    ),
    Operator(
        "$gte", "field", operands.compares(">="), "As `$gt`, or equal; with `null`: null or missing.",
        {"price": {"$gte": 200, "$lt": 300}}, _RANGE, takes_from_query=True,
    ),
    Operator(
        "$lt", "field", operands.compares("<"), "An element of the bound's own type is smaller.",
        {"price": {"$lt": 30.5}}, _RANGE, takes_from_query=True,
    ),
    Operator(
        "$lte", "field", operands.compares("<="), "As `$lt`, or equal; with `null`: null or missing.",
        {"name": {"$lte": "Zebra"}}, _RANGE, takes_from_query=True,
    ),
    Operator(
        "$in", "field", operands.one_of,
        "Equal (as by `$eq`) to one of at most 10,000 values; `[]` matches nothing.",
        {"brand": {"$in": ["Fila", "Puma"]}}, _GIN, takes_from_query=True,
    ),
    Operator(
        "$nin", "field", operands.none_of,
        "Complement of `$in`: records without the field match, unless the list holds `null`.",
        {"brand": {"$nin": ["Fila", "Puma"]}}, _NONE, takes_from_query=True,
    ),
    Operator(
        "$not", "field", operands.complement,
        "Complement of all the operators inside it together; records without the field match.",
        {"price": {"$not": {"$gt": 200}}}, _NONE, takes_object=True,
    ),
    Operator(
        "$exists", "field", operands.exists,
        "The field is there, even with `null` or `[]`; with `false`, `0` or `null`: it is not.",
        {"discount": {"$exists": True}}, _NONE, takes_object=True,
    ),
    Operator(
        "$type", "field", operands.of_type,
        "An element, or the array itself, is of the type: a name or code of MongoDB's, or a list of them.",
        {"price": {"$type": ["number", "null"]}}, _NONE,
    ),
    Operator(
        "$size", "field", operands.size, "The field is an array of exactly this length.",
        {"tags": {"$size": 2}}, _NONE,
    ),
    Operator(
        "$all", "field", operands.contains_all,
        "`{field: x}` holds for each x of the list, or each `{\"$elemMatch\": …}` in it does; `[]` matches nothing.",
        {"tags": {"$all": ["red", "new"]}}, _GIN, takes_from_query=True,
    ),
    Operator(
        "$elemMatch", "field", operands.elem_match,
        "One element of the array satisfies everything: operators about the element itself, or a filter about an "
        "object in the array.",
        {"items": {"$elemMatch": {"size": "M", "stock": {"$gt": 0}}}}, _GIN + ", by the equalities inside",
        takes_object=True,
    ),
    Operator(
        "$regex", "field", operands.regex,
        "A string element matches the regular expression (PCRE; see below for what is not supported).",
        {"name": {"$regex": "^run.*shoe$"}}, _NONE,
    ),
    Operator(
        "$options", "field", operands.options,
        "Beside `$regex`: `i` ignores case, `m` makes `^` and `$` work by line, `s` lets `.` match newlines, `x` "
        "skips white space and comments.",
        {"name": {"$regex": "run", "$options": "i"}}, _NONE,
    ),
    Operator(
        "$mod", "field", operands.mod,
        "A number element, cut to a whole number, leaves the remainder (with its own sign): `[divisor, remainder]`.",
        {"stock": {"$mod": [12, 0]}}, _NONE,
    ),
    Operator(
        "$and", "filter", operands.every, "All filters of the list hold. The same as a comma.",
        {"$and": [{"brand": "Fila"}, {"price": {"$gt": 200}}]}, "those of its parts",
    ),
    Operator(
        "$or", "filter", operands.some, "At least one filter of the list holds.",
        {"$or": [{"brand": "Fila"}, {"tags": "new"}]}, "those of its parts, if every part has one",
    ),
    Operator(
        "$nor", "filter", operands.neither, "No filter of the list holds.",
        {"$nor": [{"brand": "Fila"}, {"price": {"$gt": 200}}]}, _NONE,
    ),
)  # fmt: skip

OPERATORS: dict[str, Operator] = {row.name: row for row in _ROWS}


def is_value_form(operand: Mapping[str, object]) -> bool:
    """Tell which of its two forms an `$elemMatch` has: operators about the element, or a filter about a document.

    MongoDB decides by the first key. An operator whose operand must not be an object but is one can only be meant
    operator-first, `{"$gte": {"price": 200}}`, so that is read as a filter.
    """
    name = next(iter(operand), "")
    row = OPERATORS.get(name)
    if row is None or row.level == "filter":
        return False
    return row.takes_object or not isinstance(operand[name], dict)
