"""The filter as a tree: node types that say what MongoDB's operators mean, free of JSON and of SQL.

A node is a predicate on one record. A condition names a path; the path yields *elements* and the condition
holds when any element satisfies it. Negation is always `Not` around the whole condition.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, TypeAlias

Number: TypeAlias = int | Decimal
Json: TypeAlias = bool | int | Decimal | str | list["Json"] | dict[str, "Json"] | None
Scalar: TypeAlias = bool | int | Decimal | str

Path: TypeAlias = tuple[str, ...]
"""The steps of a dotted field name. The empty path means the array element that an `$elemMatch` looks at."""

Comparator: TypeAlias = Literal["<", "<=", ">", ">="]
JsonType: TypeAlias = Literal["null", "boolean", "number", "int", "long", "double", "string", "object", "array"]


@dataclass(frozen=True, slots=True)
class Const:
    """A condition that every record (or none) satisfies."""

    value: bool


@dataclass(frozen=True, slots=True)
class And:
    """All children hold. Build it with `conj`."""

    children: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one child holds. Build it with `disj`."""

    children: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The complement of the child: also the records that lack the field. Build it with `negate`."""

    child: "Node"


@dataclass(frozen=True, slots=True)
class Equals:
    """Some element equals the value; `None` is also met by a missing field."""

    path: Path
    value: Json


@dataclass(frozen=True, slots=True)
class OneOf:
    """Some element equals one of the scalars, none of which is null (other choices are `Equals` nodes)."""

    path: Path
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Compare:
    """Some element of the bound's own type lies on that side of the bound."""

    path: Path
    op: Comparator
    bound: Scalar


@dataclass(frozen=True, slots=True)
class Exists:
    """The path leads to something, be it null or an empty array."""

    path: Path


@dataclass(frozen=True, slots=True)
class OfType:
    """Some element, or the array itself, is of one of the types."""

    path: Path
    types: frozenset[JsonType]


@dataclass(frozen=True, slots=True)
class Size:
    """The field is an array of exactly this length."""

    path: Path
    length: int


@dataclass(frozen=True, slots=True)
class ElemMatch:
    """The field is an array with one element that satisfies the whole body.

    With `documents`, the elements looked at are objects and the body's paths start in them; else the body's
    conditions have the empty path and are about the element itself.
    """

    path: Path
    body: "Node"
    documents: bool


@dataclass(frozen=True, slots=True)
class Regex:
    """Some string element matches. `pattern` is in PostgreSQL's dialect, as `regex.translate` returns it."""

    path: Path
    pattern: str
    ignore_case: bool


@dataclass(frozen=True, slots=True)
class Mod:
    """Some number element, cut to a whole number, leaves this remainder, which has the sign of the element."""

    path: Path
    divisor: int
    remainder: int


Condition: TypeAlias = Equals | OneOf | Compare | Exists | OfType | Size | ElemMatch | Regex | Mod
Node: TypeAlias = Const | And | Or | Not | Condition

TRUE = Const(value=True)
FALSE = Const(value=False)


def conj(nodes: Iterable[Node]) -> Node:
    """Return the conjunction: flat, without constants; of nothing, `TRUE`."""
    parts: list[Node] = []
    for node in nodes:
        if isinstance(node, And):
            parts.extend(node.children)
        elif node == FALSE:
            return FALSE
        elif node != TRUE:
            parts.append(node)
    if not parts:
        return TRUE
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def disj(nodes: Iterable[Node]) -> Node:
    """Return the disjunction: flat, without constants; of nothing, `FALSE`."""
    parts: list[Node] = []
    for node in nodes:
        if isinstance(node, Or):
            parts.extend(node.children)
        elif node == TRUE:
            return TRUE
        elif node != FALSE:
            parts.append(node)
    if not parts:
        return FALSE
    return parts[0] if len(parts) == 1 else Or(tuple(parts))


def negate(node: Node) -> Node:
    """Return the complement; a double negation cancels, as every condition is two-valued."""
    if isinstance(node, Not):
        return node.child
    if isinstance(node, Const):
        return Const(value=not node.value)
    return Not(node)
