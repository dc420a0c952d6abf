"""`{TAKE_FROM_QUERY}`: the one special value of the API, which stands for what the query record has in that field.

It is replaced before a filter is parsed, and what it is replaced by is data. Where the query record lacks the
field, the condition is dropped: from an object of operators, from a list of choices, from an `$and`, `$or` or
`$nor`; and what is left empty by that is dropped as well. So in an `$or` the other branches decide, and a negation of
nothing excludes nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from app.domain.errors import FilterError
from app.filters.nodes import Path
from app.filters.operands import is_operator_object
from app.filters.operators import OPERATORS, is_value_form
from app.filters.values import MARKER, MAX_DEPTH, Taken, is_index, shown


def take_from_query(filter_: object, sources: Sequence[Mapping[str, object]]) -> object:
    """Return the filter with each `{TAKE_FROM_QUERY}` replaced by the values of its field in the query records.

    `sources` are the query records, each merged with its stored record where there is one. A dotted field takes the
    value by MongoDB's path, which may lead to several (through an array of documents); several values, there or of
    several records, mean any of them. As the operand of `$in`, `$nin` and `$all` a list stands for its items. The
    result is JSON, but for a `Taken` in place of values that JSON cannot tell from operators. What is wrong with
    the filter otherwise is left for `parse_filter` to say. Raises FilterError where the marker is the operand of an
    operator that compares with nothing, such as `$regex`.
    """
    result = _Taker(sources).filter(filter_, _At((), "$", 0))
    return {} if result is _DROPPED else result


def fields_taken(filter_: object) -> frozenset[str]:
    """Return the dotted names of the fields that a filter takes from the query record; empty if it takes none."""
    taker = _Taker(())
    taker.filter(filter_, _At((), "$", 0))
    return frozenset(".".join(path) for path in taker.paths)


class _Dropped:
    """A condition whose value the query record lacks becomes this, and is dropped."""


_DROPPED = _Dropped()


@dataclass(frozen=True, slots=True)
class _At:
    """A place in a filter: the field it is about, and what an error message points at."""

    path: Path
    where: str
    depth: int
    each: bool = False
    """True if the operators there are about the elements of the field, as inside `$elemMatch`."""

    def key(self, name: str, *, deeper: bool = True) -> "_At":
        """Return the place of an entry's operand; a name that is no operator leads further along the path."""
        path = self.path if name.startswith("$") else self.path + tuple(name.split("."))
        return replace(self, path=path, where=f"{self.where}.{shown(name)}", depth=self.depth + deeper)

    def item(self, i: int) -> "_At":
        """Return the place of an item of a list."""
        return replace(self, where=f"{self.where}[{i}]")


class _Taker:
    """Walks the shape of a filter, which is what the parser accepts; all else is returned as it is."""

    def __init__(self, sources: Sequence[Mapping[str, object]]) -> None:
        self.sources = sources
        self.paths: set[Path] = set()

    def filter(self, source: object, at: _At) -> object:
        """Replace in a filter, about a record or about a document in an array."""
        if not isinstance(source, dict):
            return source
        _check_depth(at)
        return _kept(source, {key: self._entry(str(key), operand, at.key(str(key))) for key, operand in source.items()})

    def _entry(self, key: str, operand: object, at: _At) -> object:
        """Replace in one entry of a filter."""
        row = OPERATORS.get(key)
        if not key.startswith("$"):
            if is_operator_object(operand) and isinstance(operand, dict):
                return self._operators(operand, at)
            return self._values(at) if _is_marker(operand) else operand
        if row is not None and row.level == "filter" and isinstance(operand, list):
            return _kept_items(operand, [self.filter(item, at.item(i)) for i, item in enumerate(operand)])
        if row is not None and row.level == "field" and isinstance(operand, dict):
            return _kept(operand, {k: self._in_front(key, str(k), v, at) for k, v in operand.items()})
        return operand

    def _in_front(self, name: str, key: str, operand: object, at: _At) -> object:
        """Replace behind an operator that stands in front of a field, or behind a `$not` in front of operators."""
        if key.startswith("$"):
            _check_depth(at)
            return self._entry(key, operand, at.key(key))
        return self._operand(name, operand, at.key(key, deeper=False))

    def _operators(self, source: dict[object, object], at: _At) -> object:
        """Replace in an object of operators on one field."""
        _check_depth(at)
        return _kept(
            source, {name: self._operand(str(name), value, at.key(str(name))) for name, value in source.items()}
        )

    def _operand(self, name: str, operand: object, at: _At) -> object:
        row = OPERATORS.get(name)
        if _is_marker(operand) and row is not None:
            if not row.takes_from_query:
                raise FilterError(f"{MARKER} cannot be the operand of {name}", at.where)
            return self._values(at, listed=name in _LISTS)
        if name in _LISTS and isinstance(operand, list):
            return _kept_items(operand, [self._item(item, at.item(i)) for i, item in enumerate(operand)])
        if name == "$not" and isinstance(operand, dict):
            return self._operators(operand, at)
        if name == "$elemMatch" and isinstance(operand, dict):
            if is_value_form(operand):
                return self._operators(operand, replace(at, each=True))
            return self.filter(operand, replace(at, each=False))
        return operand

    def _item(self, item: object, at: _At) -> object:
        """Replace in an item of a list: a choice, or an `$elemMatch` of `$all`."""
        if _is_marker(item):
            return self._values(at)
        if isinstance(item, dict) and next(iter(item), "") == "$elemMatch":
            return self._operators(item, at)
        return item

    def _values(self, at: _At, *, listed: bool = False) -> object:
        """Return what the query records have there. A lone scalar needs no `Taken` to be seen as data."""
        self.paths.add(at.path)
        found = [value for source in self.sources for value in values_at(source, at.path)]
        if at.each:
            found = [item for value in found if isinstance(value, list) for item in value]
        if not found:
            return _DROPPED
        if len(found) == 1 and not listed and not isinstance(found[0], list | dict) and found[0] != MARKER:
            return found[0]
        return Taken(tuple(found))


def _check_depth(at: _At) -> None:
    if at.depth > MAX_DEPTH + 1:  # the parser says where exactly it is too deep
        raise FilterError(f"nested more than {MAX_DEPTH} levels deep", at.where)


_LISTS = ("$in", "$nin", "$all")


def _is_marker(value: object) -> bool:
    return isinstance(value, str) and value == MARKER


def _kept(source: dict[object, object], found: dict[object, object]) -> object:
    """Return what was not dropped of an object, unless that leaves nothing of it."""
    kept = {key: value for key, value in found.items() if value is not _DROPPED}
    return kept if kept or not source else _DROPPED


def _kept_items(source: list[object], found: list[object]) -> object:
    """Return what was not dropped of a list, unless that leaves nothing of it."""
    kept = [value for value in found if value is not _DROPPED]
    return kept if kept or not source else _DROPPED


def values_at(value: object, path: Path) -> Iterator[object]:
    """Yield what a path leads to in a record: arrays on the way are entered, a leaf stays whole."""
    if not path:
        yield value
    elif isinstance(value, Mapping):
        if path[0] in value:
            yield from values_at(value[path[0]], path[1:])
    elif isinstance(value, list):
        for i, item in enumerate(value):
            if isinstance(item, Mapping):
                yield from values_at(item, path)
            if is_index(path[0]) and int(path[0]) == i:
                yield from values_at(item, path[1:])
