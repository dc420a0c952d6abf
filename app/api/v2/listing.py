"""find, facets, random, allRecords, deleteByFilter."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import orjson
from flask import request
from pydantic import Field

from app.api.envelope import Body, listed
from app.api.links import own_url
from app.api.methods import Answer, Call, method
from app.api.parsing import Count, Facets, Filter, Names, Number, Parameters, PositiveText, Text, parse
from app.domain import statuses
from app.domain.facets import Facet
from app.domain.records import Fields, Found
from app.domain.tokens import Scope
from app.domain.windows import Window
from app.services import facets as facet_service
from app.services import listing as service
from app.services import pairs as pair_service
from app.services import records as record_service
from app.services.search import NEAR_DUPLICATE_RADIUS


class FindParameters(Parameters):
    """A filter, and how many records at most."""

    filter: Filter
    limit: Count = 10
    fields_to_return: Names = Field(default=["*"])
    facets: Facets = None
    count: bool = False


class FacetsParameters(Parameters):
    """The fields whose values are counted, and a filter."""

    facets: Facets
    filter: Filter = None


class RandomParameters(Parameters):
    """How many records, and of which."""

    count: Count = 1
    filter: Filter = None
    fields_to_return: Names = Field(default=["*"])


class AllRecordsParameters(Parameters):
    """Which records; `size`, `page` and `cursor` are parameters of the query string."""

    filter: Filter = None
    fields_to_return: Names = Field(default=["_id"])
    output_file_name: Text | None = None
    delete_file_after: bool = True


class PageParameters(Parameters):
    """The query string of allRecords."""

    size: PositiveText | None = None
    page: PositiveText = 1
    cursor: Text | None = None


class AllNearDupPairsParameters(Parameters):
    """A radius, and which part of the pairs is wanted."""

    radius: Number = Field(default=NEAR_DUPLICATE_RADIUS, ge=0)
    filter: Filter = None
    k: Count = 1000
    from_: Count = Field(default=0, alias="from")
    fields_to_return: Names = Field(default=["_id"])


class DeleteByFilterParameters(Parameters):
    """A filter, which must be there: `{}` deletes every record, on purpose."""

    filter: Filter
    fields_to_return: Names = Field(default=["_id"])


def _fields(parameters: Any) -> Fields:
    return Fields.of(parameters.fields_to_return)


@method("find", Scope.READ, FindParameters)
def find(call: Call, parameters: FindParameters) -> Answer:
    """Return records that match a filter."""
    listing = service.of(call.collection, _fields(parameters), parameters.filter)
    body = listed(service.find(call.context, listing, parameters.limit))
    if parameters.facets is not None or parameters.count:
        body |= _counted(call, parameters.facets or (), parameters.filter, total=parameters.count)
    return Answer(statuses.OK, body)


@method("facets", Scope.READ, FacetsParameters)
def facets(call: Call, parameters: FacetsParameters) -> Answer:
    """Count the values of fields."""
    return Answer(statuses.OK, _counted(call, parameters.facets, parameters.filter, total=True))


def _counted(call: Call, asked: tuple[Facet, ...], filter_: Any, *, total: bool) -> Body:
    counted = facet_service.count(call.context, call.collection, asked, filter_)
    body: Body = {"total_count": counted.total} if total else {}
    if asked:
        body["facets"] = {name: orjson.Fragment(text) for name, text in counted.facets.items()}
    return body


@method("random", Scope.READ, RandomParameters)
def random(call: Call, parameters: RandomParameters) -> Answer:
    """Return random records."""
    listing = service.of(call.collection, _fields(parameters), parameters.filter)
    return Answer(statuses.OK, listed(service.random(call.context, listing, parameters.count)))


@method("deleteByFilter", Scope.WRITE, DeleteByFilterParameters)
def delete_by_filter(call: Call, parameters: DeleteByFilterParameters) -> Answer:
    """Delete the records that match a filter."""
    listing = service.of(call.collection, _fields(parameters), parameters.filter)
    return Answer(statuses.OK, listed(service.delete(call.context, listing)))


@method("allRecords", Scope.READ, AllRecordsParameters, query=PageParameters)
def all_records(call: Call, parameters: AllRecordsParameters) -> Answer:
    """Return all records: a page of them, or, without a size, every one, streamed."""
    place = parse(PageParameters, call.query)
    listing = service.of(call.collection, _fields(parameters), parameters.filter)
    body: Body = {}
    if parameters.output_file_name is not None:
        path = service.export_path(call.context, call.collection, parameters.output_file_name)
        body["output_file_name"] = parameters.output_file_name
        if not parameters.delete_file_after:
            call.principal.require(Scope.WRITE, call.collection.id)
            service.export(call.context, listing, path)
    body["answer_count"] = record_service.count(call.context, call.collection)
    if place.size is None:
        return Answer(statuses.OK, body, _lines(service.stream(call.context, listing)))
    cursor = service.Cursor.read(place.cursor) if place.cursor is not None else None
    page = service.page(call.context, listing, place.size, place.page, cursor)
    body = {**listed(page.records), **body}
    if page.after is not None:
        body["next"] = _link(call, place.size, place.page + 1, page.after)
    if page.before is not None and place.page > 1:
        body["previous"] = _link(call, place.size, place.page - 1, page.before)
    return Answer(statuses.OK, body)


@method("allNearDupPairs", Scope.READ, AllNearDupPairsParameters)
def all_near_dup_pairs(call: Call, parameters: AllNearDupPairsParameters) -> Answer:
    """Find all pairs of records that show the same picture, nearest first."""
    listing = service.of(call.collection, _fields(parameters), parameters.filter)
    window = Window(parameters.k, parameters.from_)
    found = pair_service.near_duplicate_pairs(call.context, listing, parameters.radius, window)
    records = [[orjson.Fragment(one.json()) for one in pair.records] for pair in found]
    distances = [pair.distance for pair in found]
    body: Body = {"answer_records": records, "answer_distances": distances, "answer_count": len(found)}
    return Answer(statuses.OK, body)


def _lines(pieces: Iterator[list[Found]]) -> Iterator[list[bytes]]:
    return ([found.json() for found in records] for records in pieces)


def _link(call: Call, size: int, page: int, cursor: service.Cursor) -> str:
    query = urlencode({"page": page, "size": size, "cursor": str(cursor)})
    return f"{own_url(request, call.context.settings.public_url)}?{query}"
