"""Nodes → SQL: one boolean expression over `id` and `attributes`, with every key and value bound as a parameter.

What can be asked of `attributes` goes into as few jsonpaths as possible, `attributes @? %(f0)s::jsonpath`: the GIN
index serves the equalities in it, and the planner estimates all of it at once by trying it on its sample of rows.
Apart from that there are conditions on `_id`, which is its own column, and ranges on attributes that have a B-tree.
Every expression is true or false, never null, so that `NOT (…)` is the complement.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from app.filters.jsonpath import path_of
from app.filters.nodes import (
    And,
    Compare,
    Condition,
    Const,
    Equals,
    Exists,
    Node,
    Not,
    OfType,
    OneOf,
    Or,
    Regex,
    Scalar,
    conj,
    disj,
)
from app.filters.values import literal

_ID = "_id"


@dataclass(frozen=True)
class Where:
    """A condition as SQL.

    `sql` is a boolean expression over the columns `id` (text COLLATE "C") and `attributes` (jsonb, not null), in
    psycopg's notation: placeholders `%(f0)s`, `%(f1)s`, … The values in `params` are str, int or list[str]; the casts
    stand in the SQL. No key or value of the filter is ever part of the text. `equalities` are those conditions which
    every match satisfies that say "this attribute has this value", each as the jsonpath of `equality`. `cases` are
    conditions of which each match satisfies exactly one, and no other record any, where these are found faster than by
    `sql`: an index of a declared field gives the first one's without a look at the attributes. `declared` are the
    parameters that hold names of declared fields.
    """

    sql: str
    params: dict[str, object]
    equalities: frozenset[str] = frozenset()
    cases: tuple[str, ...] = ()
    declared: tuple[str, ...] = ()

    def __and__(self, other: "Where") -> "Where":
        """Return the condition that both hold; the names of their parameters differ."""
        cases = tuple(f"({case}) AND ({other.sql})" for case in self.cases)
        return Where(
            f"({self.sql}) AND ({other.sql})", {**self.params, **other.params}, self.equalities, cases, self.declared
        )


NO_FILTER = Where("TRUE", {})


def compile_filter(
    node: Node, *, indexed_fields: frozenset[str] = frozenset(), prefix: str = "f", table: str = ""
) -> Where:
    """Return the condition of a filter as SQL.

    `indexed_fields` are the top-level attributes with a B-tree on `(attributes->'FIELD')`; ranges of numbers on them
    are written so that it serves. The planner only sees that in a plan made for the values (PostgreSQL's custom
    plans), not in a generic one. `prefix` begins the names of the parameters. `table` is the alias that the columns
    are qualified with; it is code, never input. The database may still find a regular expression too large: SQLSTATE
    2201B, which the database layer maps to a FilterError.
    """
    compiler = _Compiler(indexed_fields, prefix, f"{table}." if table else "")
    sql = compiler.sql(node)
    compound = " AND " in sql or " OR " in sql  # nothing of the filter is in the text
    return Where(
        f"({sql})" if compound else sql,
        compiler.params,
        frozenset(_equalities(node)),
        compiler.cases(node, sql),
        tuple(compiler.declared),
    )


def equality(field: str, value: Scalar) -> str:
    """Return the jsonpath for `attributes @? …` that selects the records whose top-level attribute has a value."""
    return path_of(Equals((field,), value))


def holds_any(field: str, values: Sequence[Scalar]) -> str:
    """Return the jsonpath for `attributes @? …` of the records whose top-level attribute is, or has, one of the values.

    One jsonpath is planned in a quarter of the time of `@> ANY` of as many objects: the planner estimates each of those
    by all that it knows of the attributes.
    """
    return path_of(OneOf((field,), tuple(values)))


def holds_all(field: str, values: Sequence[Scalar]) -> str:
    """Return the jsonpath for `attributes @? …` of the records whose top-level attribute has all of the values."""
    return path_of(conj([Equals((field,), value) for value in values]))


def _equalities(node: Node) -> Iterator[str]:
    if isinstance(node, And):
        for child in node.children:
            yield from _equalities(child)
    elif isinstance(node, Equals | OneOf) and len(node.path) == 1 and node.path[0] != _ID:
        values = (node.value,) if isinstance(node, Equals) else node.values
        if len(values) == 1 and isinstance(values[0], bool | int | Decimal | str):
            yield equality(node.path[0], values[0])


class _Compiler:
    """Compiles one filter and collects its parameters."""

    def __init__(self, indexed_fields: frozenset[str], prefix: str, qualifier: str) -> None:
        self.indexed_fields = indexed_fields
        self.prefix = prefix
        self.id = f"{qualifier}id"
        self.attributes = f"{qualifier}attributes"
        self.params: dict[str, object] = {}
        self.parted: dict[str, tuple[str, str]] = {}
        self.declared: list[str] = []

    def cases(self, node: Node, sql: str) -> tuple[str, ...]:
        """Return the cases of a filter whose SQL was made: of one with bounds on one declared field, besides others."""
        children = node.children if isinstance(node, And) else (node,)
        bounded = [child for child in children if isinstance(child, Compare) and self._has_btree(child)]
        if not bounded or len(self.parted) != 1:
            return ()
        [(text, cases)] = self.parted.items()
        return tuple(sql.replace(text, case) for case in cases)

    def _bind(self, value: str | int | list[str]) -> str:
        name = f"{self.prefix}{len(self.params)}"
        self.params[name] = value
        return f"%({name})s"

    def sql(self, node: Node, *, negated: bool = False) -> str:
        """Return the SQL of a node. `negated`: it stands under NOT, where no B-tree can help."""
        if isinstance(node, Const):
            return _constant(node.value)
        if self._is_jsonpath(node, negated=negated):
            return f"{self.attributes} @? {self._bind(path_of(node))}::jsonpath"
        if isinstance(node, Not):
            return f"NOT ({self.sql(node.child, negated=True)})"
        if isinstance(node, And | Or):
            return self._junction(node, negated=negated)
        if isinstance(node, Compare) and node.path[0] != _ID:
            return self._ranges([node])
        return self._on_id(node)

    def _is_jsonpath(self, node: Node, *, negated: bool) -> bool:
        """Tell whether a node is one predicate on `attributes`, without negation around conditions."""
        if isinstance(node, And | Or):
            return all(self._is_jsonpath(child, negated=negated) for child in node.children)
        if isinstance(node, Const | Not) or node.path[0] == _ID:
            return False
        return negated or not self._has_btree(node)

    def _junction(self, node: And | Or, *, negated: bool) -> str:
        """Join by AND or OR. With AND, the ranges of one indexed field become one condition: bounds work together."""
        if isinstance(node, Or):
            return self._join(node.children, disj, " OR ", negated=negated)
        ranges: dict[str, list[Compare]] = {}
        others: list[Node] = []
        for child in node.children:
            if isinstance(child, Compare) and not negated and self._has_btree(child):
                ranges.setdefault(child.path[0], []).append(child)
            else:
                others.append(child)
        parts = [self._join(others, conj, " AND ", negated=negated)] if others else []
        return " AND ".join(parts + [f"({self._ranges(bounds)})" for bounds in ranges.values()])

    def _join(
        self, children: Iterable[Node], together: Callable[[list[Node]], Node], word: str, *, negated: bool
    ) -> str:
        """Join SQL conditions by AND or OR, all that can be jsonpath as one jsonpath in front."""
        paths: list[Node] = []
        others: list[Node] = []
        for child in children:
            (paths if self._is_jsonpath(child, negated=negated) else others).append(child)
        parts = [self.sql(together(paths), negated=negated)] if paths else []
        for child in others:
            text = self.sql(child, negated=negated)
            parts.append(text if isinstance(child, Not) else f"({text})")
        return word.join(parts)

    def _has_btree(self, node: Condition) -> bool:
        """Tell whether a condition is a range that a declared B-tree serves.

        Only of numbers: a B-tree on jsonb sorts strings by the database's collation, not by code point.
        """
        return (
            isinstance(node, Compare)
            and len(node.path) == 1
            and node.path[0] in self.indexed_fields
            and not isinstance(node.bound, bool | str)
        )

    def _ranges(self, bounds: list[Compare]) -> str:
        """Return the bounds on one indexed field.

        In jsonb's order null < string < number < boolean < array < object, but [] comes first. So the numbers within
        the bounds are one range of the index, exactly. Arrays may hold elements that satisfy the bounds: they are
        all above the booleans and are looked into. With lower bounds only, both lie in one range, which the index
        can be read along. Without one, the range of numbers begins at an arbitrary number, and what is below that,
        other types included, is looked into as well. The last condition is false where the field is missing, so
        that the whole is not null; the planner takes it as nearly always true. The jsonpath, which is hardly ever
        looked at, is a sub-select: as a constant the planner would try it on 1,000 sampled records.
        """
        self.declared.append(f"{self.prefix}{len(self.params)}")
        value = f"({self.attributes}->{self._bind(bounds[0].path[0])}::text)"
        within = " AND ".join(f"{value} {bound.op} {self._bind(literal(bound.bound))}::jsonb" for bound in bounds)
        look = f"{self.attributes} @? (SELECT {self._bind(path_of(conj(bounds)))}::jsonpath)"
        present = f"COALESCE({value}, 'null'::jsonb) <> 'null'::jsonb"
        arrays = f"{value} > 'true'::jsonb"
        if all(bound.op in (">", ">=") for bound in bounds):
            text = f"{within} AND ({value} < 'false'::jsonb OR {look}) AND {present}"
            within += f" AND {value} < 'false'::jsonb"
        else:
            if all(bound.op in ("<", "<=") for bound in bounds):
                within += f" AND {value} >= '-1e15'::jsonb"
                arrays = f"({arrays} OR {value} < '-1e15'::jsonb)"
            text = f"(({within}) OR ({arrays} AND {look})) AND {present}"
        self.parted[text] = (within, f"{arrays} AND {look}")
        return text

    def _on_id(self, node: Condition) -> str:
        """Return a condition on `_id`: one string, in its own column, ordered by code point."""
        if len(node.path) > 1:  # below a string everything is missing
            return _constant(isinstance(node, Equals) and node.value is None)
        if isinstance(node, Equals) and isinstance(node.value, str):
            return f"{self.id} = {self._bind(node.value)}::text"
        if isinstance(node, OneOf) and any(isinstance(value, str) for value in node.values):
            choices = [value for value in node.values if isinstance(value, str)]
            return f"{self.id} = ANY({self._bind(choices)}::text[])"
        if isinstance(node, Compare) and isinstance(node.bound, str):
            return f"{self.id} {node.op} {self._bind(node.bound)}::text"
        if isinstance(node, Regex):
            test = path_of(Regex((), node.pattern, node.ignore_case))
            return f"to_jsonb({self.id}) @? {self._bind(test)}::jsonpath"
        return _constant(isinstance(node, Exists) or (isinstance(node, OfType) and "string" in node.types))


def _constant(value: object) -> str:
    return "TRUE" if value else "FALSE"
