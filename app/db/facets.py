"""Facets over the records that match a filter: one statement, which reads the records once whatever it counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from app.db.engine import Database, partition
from app.db.loader import query
from app.domain.collections import Collection
from app.domain.facets import Facet
from app.filters import Where, value_at


@dataclass(frozen=True, slots=True)
class Condition:
    """The filter's own condition on one field: as it stands, and as it is asked of one value of the field.

    `kept` goes by the alias r of the records, `chosen` by the alias r of rows whose `attributes` hold nothing but the
    field.
    """

    kept: Where
    chosen: Where


@dataclass(frozen=True, slots=True)
class Asked:
    """A request counts facets, by the filter without what is excluded, and the conditions on the facets' fields.

    There is one facet at least. `where` holds for all. `conditions` are by the field's path; those in `excluded` are
    not in `where`, and count for every facet but those on that field which exclude their own.
    """

    collection: Collection
    facets: Sequence[Facet]
    where: Where
    conditions: Mapping[tuple[str, ...], Condition]
    excluded: frozenset[tuple[str, ...]] = frozenset()


@dataclass(frozen=True, slots=True)
class Counted:
    """The number of records that match the whole filter, and each facet as JSON text, by its name."""

    total: int
    facets: dict[str, str]


def count(db: Database, asked: Asked) -> Counted:
    """Count the records that match, and the values of the facets' fields among them, as of one moment."""
    text, values = statement(asked)
    row = db.one(text, values, prepare=False)
    found = row or {}
    return Counted(found["total"], {facet.name: found[f"f{n}"] for n, facet in enumerate(asked.facets)})


def statement(asked: Asked) -> tuple[str, dict[str, object]]:
    """Return the statement and its parameters."""
    composer = _Composer(asked)
    facets = [composer.facet(number, facet) for number, facet in enumerate(asked.facets)]
    answer = ",\n".join([f"({composer.total()}) AS total", *facets])
    groups = f"groups AS MATERIALIZED (\n{composer.groups()}\n)"
    parts = [composer.taken(), *composer.limits, groups, *composer.parts]
    return "WITH " + ",\n".join(parts) + f"\nSELECT {answer}", composer.values


@dataclass(frozen=True, slots=True)
class _Column:
    """A column groups the records for one or more facets: by a field's value, or the range that it lies in."""

    path: tuple[str, ...]
    ranges: tuple[Decimal, ...] | None
    bins: int | None
    # The records over which a histogram's range goes depend on whether the filter's own condition counts.
    excluding: bool


class _Composer:
    """Makes the statement of one request, part by part, and collects its parameters."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.columns = list(dict.fromkeys(map(_column, asked.facets)))
        self.paths = list(dict.fromkeys(column.path for column in self.columns))
        self.values: dict[str, object] = dict(asked.where.params)
        for condition in asked.conditions.values():
            self.values |= condition.kept.params | condition.chosen.params
        self.fields: dict[tuple[str, ...], str] = {}
        for number, path in enumerate(self.paths):
            self.fields[path], self.values[f"path{number}"] = value_at(path, f"path{number}")
        self.counts: dict[str, str] = {}
        self.limits = [self._limits(number, column) for number, column in enumerate(self.columns) if _ranged(column)]
        self.parts: list[str] = []

    def total(self) -> str:
        """Return the query of the number of all records."""
        everything = 2 ** len(self.columns) - 1
        return query("facets", "total").render(groups="groups", facet=f"{everything:d}", count=self._counted(None))

    def facet(self, number: int, facet: Facet) -> str:
        """Return the column of the answer that one facet is, and add the CTEs that it reads."""
        place = self.columns.index(_column(facet))
        column = self.columns[place]
        group = query("facets", "group").render(
            groups="groups",
            facet=f"{2 ** len(self.columns) - 1 - 2 ** (len(self.columns) - 1 - place):d}",
            count=self._counted(facet),
            chosen=self._all_chosen(column, facet),
        )
        self.parts.append(f"g{number} AS (\n{group}\n)")
        text = self._ranges(number, place, facet) if _ranged(column) else self._single_values(number, facet)
        return f"({text})::text AS f{number}"

    def taken(self) -> str:
        """Return the CTE that reads the records."""
        fields = [
            f"{self.fields[column.path]} AS v{number}"
            if _ranged(column)
            else f'({self.fields[column.path]})::text COLLATE "C" AS v{number}'
            for number, column in enumerate(self.columns)
        ]
        fields += [
            f"({self.asked.conditions[path].kept.sql}) AS k{number}"
            for number, path in enumerate(self.paths)
            if path in self.asked.excluded
        ]
        text = query("facets", "taken").render(
            fields=", ".join(fields),
            records=partition("records", self.asked.collection),
            filter=self.asked.where.sql,
        )
        twice = any(column.bins is not None for column in self.columns)
        return f"taken AS {'MATERIALIZED' if twice else 'NOT MATERIALIZED'} (\n{text}\n)"

    def groups(self) -> str:
        """Return the query that groups what was taken of the records."""
        names = [f"q.v{number}" for number in range(len(self.columns))]
        fields = [_places(number) if _ranged(column) else f"t.v{number}" for number, column in enumerate(self.columns)]
        fields += [f"t.k{number}" for number, path in enumerate(self.paths) if path in self.asked.excluded]
        return query("facets", "groups").render(
            columns=", ".join(names),
            counts=", ".join(f"{how} AS {name}" for how, name in self.counts.items()),
            fields=", ".join(fields),
            taken="taken",
            sets=", ".join(f"({name})" for name in names),
        )

    def _limits(self, number: int, column: _Column) -> str:
        if column.bins is None:
            self.values[f"cuts{number}"] = list(column.ranges or ())
            bounds = f"SELECT %(cuts{number})s::numeric[] AS cuts, NULL::numeric AS low, NULL::numeric AS high"
        else:
            others = [
                f"t.k{place}"
                for place, path in enumerate(self.paths)
                if path in self.asked.excluded and not (column.excluding and path == column.path)
            ]
            bounds = query("facets", "limits").render(
                bins=f"{column.bins:d}", field=f"t.v{number}", taken="taken", filter=" AND ".join(others) or "TRUE"
            )
        return f"b{number} AS MATERIALIZED (\n{bounds}\n)"

    def _filtered(self, facet: Facet | None) -> str:
        """Return the FILTER of a facet's aggregates: the conditions on all excluded fields but its own."""
        excluded = facet.path if facet is not None and facet.exclude_own else None
        asked = [f"q.k{n}" for n, path in enumerate(self.paths) if path in self.asked.excluded and path != excluded]
        return f" FILTER (WHERE {' AND '.join(asked)})" if asked else ""

    def _counted(self, facet: Facet | None) -> str:
        """Return the name of the count that a facet goes by; None: that of all records."""
        return self.counts.setdefault(f"(count(*){self._filtered(facet)})::integer", f"n{len(self.counts)}")

    def _all_chosen(self, column: _Column, facet: Facet) -> str:
        """Return whether the filter's own condition lets all numbers of a group through; a range has but its bounds."""
        if not _ranged(column) or column.path not in self.asked.conditions:
            return "FALSE"
        if column.path not in self.asked.excluded:
            return "TRUE"
        kept = f"bool_and(q.k{self.paths.index(column.path)}){self._filtered(facet)}"
        return "g." + self.counts.setdefault(kept, f"n{len(self.counts)}")

    def _single_values(self, number: int, facet: Facet) -> str:
        elements = query("facets", "elements").render(group=f"g{number}")
        self.parts.append(f"e{number} AS (\n{elements}\n)")
        prefix = "e.value IS NOT NULL"
        if facet.prefix is not None:
            self.values[f"prefix{number}"] = facet.prefix
            prefix = f"starts_with(e.value, '\"') AND starts_with(e.value::jsonb #>> '{{}}', %(prefix{number})s::text)"
        return query("facets", "values").render(
            elements=f"e{number}",
            prefix=prefix,
            min_count=f"{facet.min_count:d}",
            limit=f"{facet.limit:d}",
            chosen_from="counted" if facet.path in self.asked.conditions else "first",
            selected=self._chosen(facet.path),
            record=self._record(number, facet.path, "u.value::jsonb"),
        )

    def _ranges(self, number: int, place: int, facet: Facet) -> str:
        places = query("facets", "places").render(
            group=f"g{number}",
            cuts=_cuts(place),
            selected=self._chosen(facet.path),
            record=self._record(number, facet.path, "e.value"),
        )
        self.parts.append(f"e{number} AS (\n{places}\n)")
        return query("facets", "ranges").render(places=f"e{number}", bounds=f"b{place}")

    def _record(self, number: int, path: tuple[str, ...], value: str) -> str:
        """Return a record that holds nothing but one value of the field, for the filter's own condition."""
        for step, name in reversed(list(enumerate(path))):
            self.values[f"step{number}_{step}"] = name
            value = f"jsonb_build_object(%(step{number}_{step})s::text, {value})"
        return value

    def _chosen(self, path: tuple[str, ...]) -> str:
        condition = self.asked.conditions.get(path)
        return condition.chosen.sql if condition is not None else "FALSE"


def _cuts(column: int) -> str:
    return f"({query('facets', 'cuts').render(bounds=f'b{column}')})"


def _places(column: int) -> str:
    """Return the range that a record's number lies in, as text; of a record without a number, what it holds."""
    value = f"t.v{column}"
    place = f"width_bucket({value}::numeric, {_cuts(column)})::text"
    return (
        f"(CASE WHEN jsonb_typeof({value}) = 'number' THEN {place} ELSE {value}::text END) COLLATE \"C\" AS v{column}"
    )


def _column(facet: Facet) -> _Column:
    return _Column(facet.path, facet.ranges, facet.bins, facet.bins is not None and facet.exclude_own)


def _ranged(column: _Column) -> bool:
    return column.ranges is not None or column.bins is not None
