"""Facets over the records that match a filter."""

from collections.abc import Mapping, Sequence

import orjson

from app.db import facets as table
from app.db.facets import Asked, Condition, Counted
from app.db.search import count_matches
from app.domain.collections import Collection
from app.domain.errors import InvalidRequest
from app.domain.facets import Facet
from app.domain.records import Json
from app.filters import TRUE, lets_through, split
from app.services.context import Context
from app.services.filtering import compiled, condition, tree


def count(context: Context, collection: Collection, facets: tuple[Facet, ...], filter_: Json) -> Counted:
    """Count the records that match a filter, and the values of fields among them: exact, as of one moment.

    Raises:
        FilterError: the filter is not one.
        InvalidRequest: a histogram is asked for of a field whose values are no numbers.

    """
    if not facets:
        return Counted(count_matches(context.db, collection, condition(collection, filter_)), {})
    counted = table.count(context.db, asked(collection, facets, filter_))
    check_histograms(facets, counted.facets)
    return counted


def asked(collection: Collection, facets: tuple[Facet, ...], filter_: Json) -> Asked:
    """Return what is counted: the filter apart by the fields of the facets, each as SQL."""
    rest = tree(filter_)
    conditions: dict[tuple[str, ...], Condition] = {}
    excluded: set[tuple[str, ...]] = set()
    for number, path in enumerate(dict.fromkeys(facet.path for facet in facets)):
        of_field, others = split(rest, path)
        if of_field == TRUE:
            continue
        chosen = compiled(collection, lets_through(of_field), f"chosen{number}_")
        conditions[path] = Condition(compiled(collection, of_field, f"own{number}_"), chosen)
        if any(facet.exclude_own for facet in facets if facet.path == path):
            excluded.add(path)
            rest = others
    return Asked(collection, facets, compiled(collection, rest), conditions, frozenset(excluded))


def check_histograms(facets: Sequence[Facet], counted: Mapping[str, str]) -> None:
    """Refuse a histogram of what holds no numbers; `counted` are the facets as JSON text, by their names.

    Raises:
        InvalidRequest: there is one; the message names the facet's place.

    """
    for number, facet in enumerate(facets):
        if facet.bins is None:
            continue
        answer = orjson.loads(counted[facet.name])
        if not answer["values"] and answer["other"]:
            raise InvalidRequest(
                f"facets[{number}].histogram: {facet.field} holds no numbers in the records that match"
            )
