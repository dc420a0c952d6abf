"""Searches in another order than that of the distance, from a place in it, and groups (`sql/queries/arranged.sql`)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import orjson

from app.db.engine import Database, Row
from app.db.loader import query as named
from app.db.records import fields_sql
from app.db.search.send import reading_all
from app.db.search.statements import Statement, bound, compared_source
from app.domain.ranking import Group
from app.domain.records import Found
from app.domain.refinement import DISTANCE, ID, SortKey
from app.filters import Where, holds_any, value_at
from app.search.request import Query

# Products whose records are looked up in an index at most: each that comes is compared with all of them once more.
_LOOKED_UP = 500


@dataclass(frozen=True, slots=True)
class Boosted:
    """A boost as SQL: a condition on the alias `r`, or the path of a field."""

    weight: float
    condition: Where | None = None
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Arrangement:
    """The order of an answer: sort keys, boosts, and the keys of the record that the answer begins after."""

    sort: Sequence[SortKey] = ()
    boosts: Sequence[Boosted] = ()
    after: Sequence[Any] | None = None


@dataclass(frozen=True, slots=True)
class Arranged:
    """A record of an answer, its distance with the boosts, and its keys as JSON text, as tokens hold them."""

    found: Found
    boosted: float | None
    keys: str


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of `keyed` that the records are put in order by."""

    name: str
    expression: str
    type: str
    descending: bool = False


@dataclass(slots=True)
class _Composer:
    """Makes the statement of one arrangement, part by part, and collects its parameters."""

    query: Query
    arrangement: Arrangement
    columns: list[_Column] = field(default_factory=list)
    laterals: list[str] = field(default_factory=list)
    values: dict[str, object] = field(default_factory=dict)
    boosted: str = field(init=False)

    def __post_init__(self) -> None:
        self.boosted = self._boosted()
        for number, key in enumerate(self.arrangement.sort):
            self._key(number, key)
        if self.query.what is not None and not any(key.path == DISTANCE for key in self.arrangement.sort):
            self._column(self.boosted, "double precision")
        if not any(key.path == ID for key in self.arrangement.sort):
            self._column("r.id", "text")

    def shape(self, name: str, **spans: str) -> Statement:
        text = named("arranged", name).render(
            keyed=self._keyed(),
            columns=", ".join(f"q.{column.name}" for column in self.columns),
            order=", ".join(
                f"q.{column.name} {'DESC' if column.descending else 'ASC'} NULLS LAST" for column in self.columns
            ),
            after=self._after(),
            picked=fields_sql(self.query.fields, "q"),
            **spans,
        )
        return bound(self.query, text, self.values)

    def _keyed(self) -> str:
        return named("arranged", "keyed").render(
            # What is in several tables is brought together first: Citus puts nothing in such an order on its workers.
            source=compared_source(self.query) + " OFFSET 0" * self.query.collection.spread,
            boosted=self.boosted,
            keys=", ".join(f"{column.expression} AS {column.name}" for column in self.columns),
            laterals="\n".join(self.laterals),
            within="TRUE" if self.query.radius is None else "r.distance <= %(radius)s",
        )

    def _column(self, expression: str, type_: str, *, descending: bool = False) -> None:
        self.columns.append(_Column(f"k{len(self.columns)}", expression, type_, descending))

    def _key(self, number: int, key: SortKey) -> None:
        if key.path == DISTANCE:
            self._column("r.distance", "double precision", descending=key.descending)
        elif key.path == ID:
            self._column("r.id", "text", descending=key.descending)
        else:
            self._lateral(f"s{number}", key.path, "DESC" if key.descending else "ASC")
            for part, type_ in (("rank", "integer"), ("number", "numeric"), ("text", "text")):
                self._column(f"s{number}.{part}", type_, descending=key.descending)

    def _lateral(self, alias: str, path: tuple[str, ...], direction: str) -> None:
        """Add what a field sorts a record by, as the columns of an alias."""
        value, self.values[f"path_{alias}"] = value_at(path, f"path_{alias}")
        keys = named("arranged", "sort_keys").render(field=value, direction=direction)
        self.laterals.append(f"CROSS JOIN LATERAL (\n{keys}\n) AS {alias}")

    def _boosted(self) -> str:
        """Return the distance with what the boosts add to it."""
        text = "r.distance"
        for number, boost in enumerate(self.arrangement.boosts):
            self.values[f"boost{number}"] = boost.weight
            weight = f"%(boost{number})s::double precision"
            if boost.condition is not None:
                self.values |= boost.condition.params
                wanted = "NOT " if boost.weight > 0 else ""
                text += f" + CASE WHEN {wanted}({boost.condition.sql}) THEN abs({weight}) ELSE 0 END"
            else:
                self._lateral(f"b{number}", boost.path, "ASC")
                text += f" - {weight} * coalesce(b{number}.amount, 0)"
        return text

    def _after(self) -> str:
        """Return the condition that a record comes after the keys of another: NULL is last, and equal to itself."""
        if self.arrangement.after is None:
            return "TRUE"
        text = "FALSE"
        for column, value in reversed(list(zip(self.columns, self.arrangement.after, strict=True))):
            if value is None:
                text = f"(q.{column.name} IS NULL AND {text})"
                continue
            self.values[f"after_{column.name}"] = value
            last = f"%(after_{column.name})s::{column.type}"
            beyond = "<" if column.descending else ">"
            text = (
                f"(q.{column.name} IS NULL OR q.{column.name} {beyond} {last} OR (q.{column.name} = {last} AND {text}))"
            )
        return text


def key_types(query: Query, arrangement: Arrangement) -> list[str]:
    """Return the SQL types of the keys of an arrangement, in their order."""
    return [column.type for column in _Composer(query, arrangement).columns]


def page(db: Database, query: Query, arrangement: Arrangement) -> list[Arranged]:
    """Return the query's window in an order of its own; every match is read, so it is exact."""
    return [
        Arranged(Found(row["id"], row["attributes"], row["distance"]), row["boosted"], row["keys"])
        for row in _fetch(db, query, statement(query, arrangement))
    ]


def statement(query: Query, arrangement: Arrangement) -> Statement:
    """Return the statement of a page."""
    window = query.window
    return _Composer(query, arrangement).shape(
        "page" if query.product_field is None else "products",
        limit="ALL" if window.k is None else f"{window.k:d}",
        offset=f"{window.offset:d}",
    )


def members(
    db: Database, query: Query, arrangement: Arrangement, products: Sequence[str], size: int
) -> dict[str, Group]:
    """Return the groups of some products by the JSON texts of these: their first records, and how many there are."""
    if len(products) <= _LOOKED_UP:
        # What the index of the attributes serves; the product itself is compared in the statement.
        query = query.but(_holding(query.product_field or "", products))
    composer = _Composer(query, arrangement)
    composer.values["products"] = list(products)
    groups: dict[str, Group] = {}
    for row in _fetch(db, query, composer.shape("members", size=f"{size:d}")):
        product = products[row["place"] - 1]
        group = groups.setdefault(product, Group(product, row["records"], []))
        group.records.append(Found(row["id"], row["attributes"], row["distance"]))
    return groups


def _holding(field: str, products: Sequence[str]) -> Where:
    """Return the condition that the field holds one of some values, given as JSON texts."""
    values = [json.loads(product, parse_float=Decimal) for product in products]
    if any(isinstance(value, list | dict) for value in values):  # a jsonpath compares scalars alone
        holding = [orjson.dumps({field: orjson.Fragment(product)}).decode() for product in products]
        return Where("r.attributes @> ANY (%(holding)s::jsonb[])", {"holding": holding})
    return Where("r.attributes @? %(holding)s::jsonpath", {"holding": holds_any(field, values)})


def count_within(db: Database, query: Query) -> int:
    """Return how many matches lie within the query's radius."""
    text = named("arranged", "count_within").render(source=compared_source(query))
    [row] = _fetch(db, query, bound(query, text))
    return int(row["matches"])


def within(query: Query) -> Where:
    """Return the condition that a record is among the query's matches and lies within its radius."""
    text = named("arranged", "within_radius").render(source=compared_source(query))
    return Where(f"r.id IN ({text})", dict(bound(query, text).values))


def _fetch(db: Database, query: Query, sent: Statement) -> list[Row]:
    with reading_all(db, query):
        return db.all(sent.text, sent.values, prepare=False)
