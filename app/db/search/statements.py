"""From a search to its statements, text and values: a source of records in a shape (`sql/queries/search.sql`)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import orjson

from app.db.engine import partition
from app.db.indexes import btree_name
from app.db.loader import query as named
from app.db.records import fields_sql
from app.db.spread import chosen
from app.domain.collections import Collection
from app.domain.ranking import Aggregation
from app.domain.records import Fields
from app.search.plan import Plan, Walk
from app.search.request import Query, Several, direction, half

_AGGREGATES = {Aggregation.MEAN: "avg", Aggregation.MIN: "min", Aggregation.MAX: "max"}
_ANY_PATH = re.compile(r"r\.attributes @\? %\(\w+\)s::jsonpath")
# Names that mean nothing but themselves between quotes.
_PLAIN = re.compile(r"[\w -]+", re.ASCII)
# The predicate of a partial index, as the planner must see it to take that.
_IN_PART = "walked.attributes @? %(part)s::jsonpath"
# That of the indexes of a collection whose copies stand beside them, in crowds.
_IN_GRAPH = "walked.crowd IS NULL"


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, ready to be sent.

    Attributes:
        text: with psycopg's placeholders.
        values: those of the placeholders.
        prepare: as psycopg takes it: None after a few uses, False never. A filter's estimates depend on its values:
            where these matter, its statements are planned each time.
        generic: whether it is planned once, whatever its values.

    """

    text: str
    values: Mapping[str, object]
    prepare: bool | None = None
    generic: bool = False


def compare(query: Query) -> Statement:
    """Return the statement that compares every match and answers the query's window."""
    return shaped(query, compared_source(query), generic=not query.filtered)


def few(query: Query, bound_: int, indexes: frozenset[str] = frozenset()) -> Statement:
    """Return the statement that compares so many matches at most, counts them, and answers the query's window.

    Where indexes find the matches, it is planned once for all values, and written so that those indexes serve it and no
    others: without the values the planner could not tell which are worth it.
    """
    cases = query.where.cases or (query.where.sql,)
    point = (("point", _point(query)),)
    matches = " UNION ALL ".join(
        _text(query.collection, query.fields, case, "", "search", "case_compared", "nearest", point) for case in cases
    )
    text = render(
        query,
        "ids_compared" if query.fields.only_id else "matches_compared",
        matches=matches,
        bound=f"{bound_ + 1:d}",
        limit=f"{query.window.k:d}",
        offset=f"{query.window.offset:d}",
    )
    return bound(query, _served(text, query, indexes) if indexes else text, generic=bool(indexes))


def compared_source(query: Query) -> str:
    """Return the source of every match, compared with what is looked for; without distances where that is nothing."""
    if query.what is None:
        return render(query, "matching", "arranged")
    if query.tagged:
        return render(query, "compared", "tags")
    if query.several is None:
        return render(query, "compared")
    return render(query, "compared_to_examples" if query.several.against else "compared_to_several")


def shaped(
    query: Query, source: str, values: Mapping[str, object] | None = None, *, generic: bool = False
) -> Statement:
    """Return the statement that answers the query's window of a source; `values` are those of the source alone.

    `generic` says whether the plan of the source does not depend on values.
    """
    window = query.window
    text = render(
        query,
        "page" if query.product_field is None else "products",
        source=source,
        within="TRUE" if query.radius is None else "s.distance <= %(radius)s",
        candidates="ALL" if window.k is None else f"{window.end:d}",
        limit="ALL" if window.k is None else f"{window.k:d}",
        offset=f"{window.offset:d}",
    )
    return bound(query, text, values, generic=generic)


def walked(query: Query, plan: Plan, walk: Walk) -> str:
    """Return the source of the matches that a walk of the index finds."""
    text = render(
        query,
        "walk",
        point=_point(query),
        part=_part(query, plan),
        budget=f"{walk.budget:d}",
        candidates=f"{walk.candidates:d}",
    )
    return text if query.several is None else render(query, "walk_to_several", source=text)


def candidates(query: Query, plan: Plan, walk: Walk) -> Statement:
    """Return the statement of all that a walk finds."""
    if query.collection.spread and query.several is None and not query.filtered:
        # A subquery with a LIMIT would be a statement of its own: a millisecond more, and six where cores are busy.
        spans = {"part": _part(query, plan), "candidates": f"{walk.candidates:d}"}
        text = render(query, "nearest", "spread", alias="walked", **spans)
        return bound(query, text, knobs(plan, walk), generic=is_generic(plan))
    text = render(query, "candidates", source=walked(query, plan, walk))
    return bound(query, text, knobs(plan, walk), generic=is_generic(plan))


def _part(query: Query, plan: Plan) -> str:
    """Return the condition of the records in the index that is walked."""
    parts = [_IN_GRAPH] * query.collection.crowded + [_IN_PART] * (plan.part is not None)
    return " AND ".join(parts) or "TRUE"


def near_crowds(query: Query, reach: float) -> Statement:
    """Return the statement of the crowds that are no further than `reach`."""
    source = "near_crowds" if query.several is None else "near_crowds_of_several"
    return bound(query, render(query, source, point=_point(query)), {"reach": reach, **_table(query)})


def in_near_crowds(query: Query, reach: float) -> Statement:
    """Return the statement of the first matches of each crowd that is no further than `reach`, as many as count."""
    text = render(query, "in_near_crowds", point=_point(query), candidates=f"{query.window.end:d}")
    return bound(query, text, {"reach": reach, **_table(query)})


def _table(query: Query) -> dict[str, object]:
    return {"records_table": query.collection.records_table}


def is_generic(plan: Plan) -> bool:
    """Say whether a walk is planned once for all values: a partial index is only taken where its own is known."""
    return plan.part is None


def knobs(plan: Plan, walk: Walk) -> dict[str, object]:
    """Return the parameters that say how a statement walks the index."""
    part = {} if plan.part is None else {"part": plan.part.condition}
    return {"effort": str(walk.effort), "visits": str(walk.visits), **part}


def bound(query: Query, text: str, values: Mapping[str, object] | None = None, *, generic: bool = False) -> Statement:
    """Return a text of this query with the values of all its placeholders."""
    given = {**query.where.params, **_values(query), **(values or {})}
    if query.collection.spread:
        return Statement(text, given, prepare=False)  # Citus plans for values, but for one worker's table
    return Statement(text, given, None if generic or not query.filtered else False, generic)


def _served(text: str, query: Query, indexes: frozenset[str]) -> str:
    """Return a text whose conditions these indexes can serve, and no others.

    That of a declared field is found by the field's name in the text: a declared one of the collection, and plain. The
    index of all attributes serves a jsonpath, but not whether one is true.
    """
    table, fields = query.collection.records_table, query.collection.indexed_fields
    for name in query.where.declared:
        field = str(query.where.params[name])
        if field in fields and _PLAIN.fullmatch(field) and btree_name(table, field) in indexes:
            text = text.replace(f"%({name})s::text", f"'{field}'::text")
    return text if f"{table}_attributes_idx" in indexes else _ANY_PATH.sub(r"(\g<0>) IS TRUE", text)


def render(query: Query, name: str, area: str = "search", alias: str = "nearest", **spans: str) -> str:
    """Return the text of one of the named queries; `spans` are those that depend on more than the query.

    `alias` is the row that the fields are read of.
    """
    aggregate = _AGGREGATES[query.several.aggregation if query.several else Aggregation.MEAN]
    return _text(query.collection, query.fields, query.where.sql, aggregate, area, name, alias, tuple(spans.items()))


@lru_cache(maxsize=1024)
def _text(
    collection: Collection,
    fields: Fields,
    where: str,
    aggregate: str,
    area: str,
    name: str,
    alias: str,
    spans: tuple[tuple[str, str], ...],
) -> str:
    """Return a text, which is the same for most searches of a collection."""
    query = chosen(collection, area, name) if name == "walk" else named(area, name)
    return query.render(
        records=partition("records", collection),
        vector=vector_type(collection),
        fields=fields_sql(fields, alias),
        filter=where,
        aggregate=aggregate,
        **dict(spans),
    )


def vector_type(collection: Collection) -> str:
    """Return the type of a collection's vectors, as its index has it."""
    return f"halfvec({collection.dimensions:d})"


def _point(query: Query) -> str:
    if isinstance(query.what, str):
        return f"({render(query, 'point')})"
    return f"%(query)s::{vector_type(query.collection)}"


def _values(query: Query) -> dict[str, object]:
    what = query.what
    values: dict[str, object] = {
        "collection_id": query.collection.id,
        "scale": query.collection.distance_scale,
        "fields": list(query.fields.names),
        "radius": query.radius,
        "product_field": query.product_field,
    }
    if what is None:
        return values
    if isinstance(what, str):
        return {**values, "id": what}
    values["query"] = direction(what)
    if isinstance(what, Several):
        values["queries"] = [half(point.vector) for point in what.points]
        values["against"] = [half(vector) for vector in what.against]
        if what.tags_field is not None:
            values["weights"] = [point.weight for point in what.points]
            values["tags"] = [orjson.dumps(list(point.tags)).decode() for point in what.points]
            values["tags_field"] = what.tags_field
    return values
