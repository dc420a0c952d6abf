"""Nodes → jsonpath: for every node a predicate that PostgreSQL evaluates exactly as MongoDB does.

Facts about PostgreSQL's jsonpath (lax mode) that all of this rests on:

- A comparison unwraps an array once, so `@."a" == 5` is met by 5 and by [5, 6] but not by [[5]]: MongoDB's rule.
  It compares within one type only and numbers exactly, strings by code point; else it is *unknown*, not false.
- A step `."b"` enters an array once: each object in it gets the step. Nested arrays are not entered.
- A filter `v ? (…)` also unwraps `v` once, and `@` is then each element. Unknown does not pass, so `exists(v ? (…))`
  is true or false, never unknown.
- `.type()` and `.size()` do not unwrap. `&&` does not look at its right side when the left is false, which makes
  `@.type() == "number" && @ > 5` two-valued, so that it can be negated by `!`.

Two kinds of predicate follow from that. `predicate(node)` is about the object `@` and its conditions have paths;
it may be unknown. `element(node, x)` is about the one value `x`, is two-valued, and expands nothing.
"""

from collections.abc import Iterable, Sequence
from functools import singledispatch

from app.filters.nodes import (
    And,
    Compare,
    Condition,
    Const,
    ElemMatch,
    Equals,
    Exists,
    Json,
    JsonType,
    Mod,
    Node,
    Not,
    OfType,
    OneOf,
    Or,
    Path,
    Regex,
    Scalar,
    Size,
)
from app.filters.values import is_index, literal, unstorable

TRUE = "1 == 1"
FALSE = "1 == 0"

_SHORT_LIST = 10
"""Up to here a list is written as plain comparisons; a longer one as a decision tree."""
_LEAF = 3
"""Comparisons in a leaf of that tree."""


def path_of(node: Node) -> str:
    """Return the whole jsonpath for `attributes @? …`: it selects the record if the node's predicate holds."""
    return f"$ ? ({predicate(node)})"


def all_of(parts: Sequence[str]) -> str:
    """Join predicates by `&&`."""
    return _join(parts, "&&", TRUE)


def any_of(parts: Sequence[str]) -> str:
    """Join predicates by `||`, in parentheses."""
    return f"({_join(parts, '||', FALSE)})" if len(parts) > 1 else _join(parts, "||", FALSE)


def _join(parts: Sequence[str], operator: str, nothing: str) -> str:
    """Join, long lists in balanced parentheses: PostgreSQL's stack grows with the depth of the expression."""
    if not parts:
        return nothing
    if len(parts) <= 50:
        return f" {operator} ".join(parts)
    middle = len(parts) // 2
    return f"({_join(parts[:middle], operator, nothing)}) {operator} ({_join(parts[middle:], operator, nothing)})"


def predicate(node: Node) -> str:
    """Return the predicate of a node about the object `@`."""
    if isinstance(node, Const):
        return TRUE if node.value else FALSE
    if isinstance(node, And):
        return all_of([predicate(child) for child in node.children])
    if isinstance(node, Or):
        return any_of([predicate(child) for child in node.children])
    if isinstance(node, Not):
        return f"!exists(@ ? ({predicate(node.child)}))"
    return _condition(node)


def _condition(node: Condition) -> str:
    """Return the predicate of one condition: the walk along its path, and at the end what is asked there."""
    if not node.path:
        return element(node, "@")
    if _distributes(node) and not any(is_index(step) for step in node.path[1:]):
        if any(unstorable(step) for step in node.path):
            return FALSE
        return field(node, "@" + steps_of(node.path))
    return _walk(node, "@", node.path)


def _distributes(node: Condition) -> bool:
    """Tell whether a condition on `a.b` may be asked of all values of `@.a.b` at once.

    Not where something must be absent, and not where a value must be told from its neighbours.
    """
    if isinstance(node, Equals):
        return node.value is not None and not isinstance(node.value, list)
    return not isinstance(node, Size | ElemMatch)


def steps_of(path: Path) -> str:
    """Return the steps of a path, as they stand behind `$` or `@`."""
    return "".join(_step(step) for step in path)


def _step(step: str) -> str:
    return f".{literal(step)}"


def _walk(node: Condition, at: str, steps: Path) -> str:
    """Return the predicate for the rest of a path, from an object.

    In turn: the last step asks its question of the value there. Before it, an object goes on with the rest, and so
    does each object in an array; a numeric step takes the element at that position too. Where nothing is left to
    go on with, the field is missing, which only `null` matches.
    """
    missing = isinstance(node, Equals) and node.value is None
    if unstorable(steps[0]):
        return TRUE if missing else FALSE
    value = at + _step(steps[0])
    if len(steps) == 1:
        return field(node, value)
    rest = steps[1:]
    ways = [f'exists({value} ? (@.type() == "object" && {_walk(node, "@", rest)}))']
    if is_index(rest[0]):
        ways.append(_indexed(node, value, rest))
    if missing:
        ways.append(f"!exists({value})")
        ways.append(f'({value}.type() != "object" && {value}.type() != "array")')
    return any_of(ways)


def _indexed(node: Condition, array: str, steps: Path) -> str:
    """Return the predicate for a path that goes on with a position, from a value that may be an array."""
    item = f"{array}[{steps[0]}]"
    rest = steps[1:]
    if not rest:
        return f'({array}.type() == "array" && {element(node, item)})'
    ways = [f'exists({item} ? (@.type() == "object" && {_walk(node, "@", rest)}))']
    if is_index(rest[0]):
        ways.append(_indexed(node, item, rest))
    return f'({array}.type() == "array" && {any_of(ways)})'


@singledispatch
def field(node: Node, value: str) -> str:
    """Return what a condition asks of the value of a field: of itself and, in an array, of each element.

    `value` is an expression for it, which may have no value. Most conditions are those of the element, asked of
    each by a filter, which unwraps arrays; the others are registered below.
    """
    return f"exists({value} ? ({element(node, '@')}))"


@field.register
def _(node: Equals, value: str) -> str:
    if node.value is None:
        return f"({value} == null || !exists({value}))"
    if isinstance(node.value, list):
        return any_of([element(node, value), f"exists({value} ? ({element(node, '@')}))"])
    if isinstance(node.value, dict):
        return f"exists({value} ? ({element(node, '@')}))"
    return f"{value} == {literal(node.value)}"


@field.register
def _(node: OneOf, value: str) -> str:
    if len(node.values) <= _SHORT_LIST:
        return any_of([f"{value} == {literal(choice)}" for choice in node.values])
    return f"exists({value} ? ({element(node, '@')}))"


@field.register
def _(node: Compare, value: str) -> str:
    return f"{value} {node.op} {literal(node.bound)}"


@field.register
def _(_node: Exists, value: str) -> str:
    return f"exists({value})"


@field.register
def _(node: OfType, value: str) -> str:
    elements = node.types - {"array"}
    ways = [f"exists({value} ? ({_of_types(elements, '@')}))"] if elements else []
    if "array" in node.types:  # an array inside an array implies the outer one
        ways.append(f'{value}.type() == "array"')
    return any_of(ways)


@field.register
def _(node: Size, value: str) -> str:
    return element(node, value)


@field.register
def _(node: ElemMatch, value: str) -> str:
    return element(node, value)


@field.register
def _(node: Regex, value: str) -> str:
    return f"{value} {_like(node)}"


@singledispatch
def element(node: Node, _value: str) -> str:
    """Return what a condition asks of the one value that `_value` is an expression for, taken as it is."""
    raise TypeError(f"not a node: {node!r}")


@element.register
def _(node: Const, _value: str) -> str:
    return TRUE if node.value else FALSE


@element.register
def _(node: And, value: str) -> str:
    return all_of([element(child, value) for child in node.children])


@element.register
def _(node: Or, value: str) -> str:
    return any_of([element(child, value) for child in node.children])


@element.register
def _(node: Not, value: str) -> str:
    return f"!({element(node.child, value)})"


@element.register
def _(node: Equals, value: str) -> str:
    return _equal(value, node.value)


@element.register
def _(node: OneOf, value: str) -> str:
    kinds: dict[str, list[Scalar]] = {}
    for choice in node.values:
        kinds.setdefault(_type_name(choice), []).append(choice)
    return any_of([f'({value}.type() == "{name}" && {_tree(value, choices)})' for name, choices in kinds.items()])


@element.register
def _(node: Compare, value: str) -> str:
    return f'({value}.type() == "{_type_name(node.bound)}" && {value} {node.op} {literal(node.bound)})'


@element.register
def _(_node: Exists, value: str) -> str:
    return f"exists({value})"


@element.register
def _(node: OfType, value: str) -> str:
    return _of_types(node.types, value)


@element.register
def _(node: Size, value: str) -> str:
    return f'({value}.type() == "array" && {value}.size() == {node.length})'


@element.register
def _(node: ElemMatch, value: str) -> str:
    body = f'@.type() == "object" && {predicate(node.body)}' if node.documents else element(node.body, "@")
    return f'({value}.type() == "array" && exists({value} ? ({body})))'


@element.register
def _(node: Regex, value: str) -> str:
    return f'({value}.type() == "string" && {value} {_like(node)})'


@element.register
def _(node: Mod, value: str) -> str:
    """Cut to a whole number by `.floor()` or `.ceiling()`; out of 64 bits, MongoDB does not match."""
    test = f"% {node.divisor} == {node.remainder}"
    positive = f"{value} >= 0 && {value} < {2**63} && {value}.floor() {test}"
    negative = f"{value} < 0 && {value} > {-(2**63) - 1} && {value}.ceiling() {test}"
    return f'({value}.type() == "number" && ({positive} || {negative}))'


def _like(node: Regex) -> str:
    return f'like_regex {literal(node.pattern)} flag "{"is" if node.ignore_case else "s"}"'


def _type_name(value: Scalar) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "string" if isinstance(value, str) else "number"


def _tree(value: str, choices: list[Scalar]) -> str:
    """Return a predicate for "equals one of these", all of one type, as a decision tree over the sorted choices.

    A row then costs a dozen comparisons rather than thousands, in the planner's sample of rows too, and the index
    still sees the equalities in the leaves.
    """
    if isinstance(choices[0], bool):
        return any_of([f"{value} == {literal(choice)}" for choice in sorted(set(choices))])
    return _branch(value, sorted(set(choices)))


def _branch(value: str, choices: list[Scalar]) -> str:
    if len(choices) <= _LEAF:
        return any_of([f"{value} == {literal(choice)}" for choice in choices])
    middle = len(choices) // 2
    pivot = literal(choices[middle])
    below, above = _branch(value, choices[:middle]), _branch(value, choices[middle:])
    return f"({value} < {pivot} && {below} || {value} >= {pivot} && {above})"


_WHOLE = {"int": (-(2**31), 2**31 - 1), "long": (-(2**63), 2**63 - 1)}


def _of_types(types: Iterable[JsonType], value: str) -> str:
    return any_of([_of_type(name, value) for name in sorted(types)])


def _of_type(name: JsonType, value: str) -> str:
    """Return the test for one type. MongoDB's kinds of number are told apart by value: docs/filters.md says how."""
    if name not in ("int", "long", "double"):
        return f'{value}.type() == "{name}"'
    low, high = _WHOLE["long"]
    whole = f"{value}.floor() == {value} && {value} >= {low} && {value} <= {high}"
    if name == "double":
        return f'({value}.type() == "number" && !({whole}))'
    inner_low, inner_high = _WHOLE["int"]
    in_int = f"{value} >= {inner_low} && {value} <= {inner_high}"
    return f'({value}.type() == "number" && {whole} && {in_int if name == "int" else f"!({in_int})"})'


def _equal(value: str, wanted: Json) -> str:
    """Return the test that a value equals another, arrays and objects whole."""
    if wanted is None:
        return f'{value}.type() == "null"'
    if isinstance(wanted, list):
        parts = [f'{value}.type() == "array"', f"{value}.size() == {len(wanted)}"]
        parts += [_equal(f"{value}[{i}]", item) for i, item in enumerate(wanted)]
        return f"({all_of(parts)})"
    if isinstance(wanted, dict):
        parts = [f'{value}.type() == "object"']
        parts += [_equal(value + _step(key), item) for key, item in wanted.items()]
        others = all_of([f"@.key != {literal(key)}" for key in wanted])
        parts.append(f"!exists({value}.keyvalue() ? ({others}))" if wanted else f"!exists({value}.*)")
        return f"({all_of(parts)})"
    return f'({value}.type() == "{_type_name(wanted)}" && {value} == {literal(wanted)})'
