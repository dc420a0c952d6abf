"""find, facets, random, allRecords, deleteByFilter."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import orjson
from flask import request
from pydantic import Field

from app.api.answers import AllRecordsAnswer, FacetsAnswer, FoundAnswer, ListingAnswer
from app.api.envelope import Body, listed
from app.api.links import own_url
from app.api.methods import Answer, Call, Example, method
from app.api.parsing import (
    Count,
    Facets,
    FieldsToReturn,
    Filter,
    PageToken,
    Parameters,
    PositiveText,
    Sort,
    Text,
    Wanted,
    parse,
)
from app.api.v2.ranked import beside, left_out
from app.domain import statuses
from app.domain.errors import Unavailable
from app.domain.facets import Facet
from app.domain.ranking import Beside
from app.domain.records import Fields, Found
from app.domain.refinement import Refinement
from app.domain.tokens import Scope
from app.services import facets as facet_service
from app.services import listing as service
from app.services import records as record_service
from app.services.exporting.files import export_path


class FindParameters(Parameters):
    """A filter, and how many records at most."""

    filter: Filter
    limit: Wanted = 10
    fields_to_return: FieldsToReturn = Field(default=["*"])
    facets: Facets = None
    count: bool = Field(
        default=False, description="Whether the number of all records that match is answered, `total_count`."
    )
    sort: Sort = None
    page_token: PageToken = None


class FacetsParameters(Parameters):
    """The fields whose values are counted, and a filter."""

    facets: Facets
    filter: Filter = None


class RandomParameters(Parameters):
    """How many records, and of which."""

    count: Count = Field(default=1, description="Number of records wanted.")
    filter: Filter = None
    fields_to_return: FieldsToReturn = Field(default=["*"])


class AllRecordsParameters(Parameters):
    """Which records; `size`, `page` and `cursor` are parameters of the query string."""

    filter: Filter = None
    fields_to_return: FieldsToReturn = Field(default=["_id"])
    output_file_name: Text | None = Field(
        default=None,
        description="Plain name of a file on the server that the records are written to, a line each; only if "
        "`delete_file_after` is false.",
    )
    delete_file_after: bool = Field(
        default=True, description="Whether the file is deleted at the end, and so is not written at all."
    )


class PageParameters(Parameters):
    """The query string of allRecords."""

    size: PositiveText | None = Field(default=None, description="Records a page; left out: all records, streamed.")
    page: PositiveText = Field(default=1, description="Number of the page, from 1; the `next` link is quicker.")
    cursor: Text | None = Field(
        default=None, description="Place in the listing, as the links `next` and `previous` carry it."
    )


class DeleteByFilterParameters(Parameters):
    """A filter, which must be there: `{}` deletes every record, on purpose."""

    filter: Filter = Field(description="The records to delete. It must be there; `{}` deletes every record.")
    fields_to_return: FieldsToReturn = Field(default=["_id"])


def _fields(parameters: Any) -> Fields:
    return Fields.of(parameters.fields_to_return)


@method(
    "find",
    Scope.READ,
    FindParameters,
    tag="Listing",
    answer=FoundAnswer,
    example=Example(
        {"fields_to_return": ["_id", "_url"], "filter": {"$gte": {"price": 200}}, "limit": 3},
        {
            "answer_records": [
                {"_id": "1", "_url": "http://my-website.com/1.png"},
                {"_id": "2", "_url": "http://my-website.com/2.png"},
                {"_id": "3", "_url": "http://my-website.com/3.png"},
            ],
            "answer_count": 3,
        },
        milliseconds=13,
    ),
)
def find(call: Call, parameters: FindParameters) -> Answer:
    """Return records that match a filter."""
    if parameters.sort or parameters.page_token is not None:
        return _ordered(call, parameters)
    listing = service.of(call.collection, _fields(parameters), parameters.filter)
    body = listed(service.find(call.context, listing, parameters.limit))
    if parameters.facets is not None or parameters.count:
        try:
            body |= _counted(call, parameters.facets or (), parameters.filter, total=parameters.count)
        except Unavailable as error:  # the page is there, and is answered
            body |= left_out(Beside("none", left_out=str(error)))
    return Answer(statuses.OK, body)


def _ordered(call: Call, parameters: FindParameters) -> Answer:
    refinement = Refinement(
        count=parameters.count,
        facets=parameters.facets or (),
        sort=parameters.sort or (),
        page_token=parameters.page_token,
    )
    fields = _fields(parameters)
    found = service.ordered(call.context, call.collection, fields, parameters.filter, parameters.limit, refinement)
    return Answer(statuses.OK, listed(found.records) | beside(found) | left_out(found.beside))


@method(
    "facets",
    Scope.READ,
    FacetsParameters,
    tag="Listing",
    answer=FacetsAnswer,
    example=Example(
        {"facets": ["brand", {"field": "price", "ranges": [100]}], "filter": {"category": "dress"}},
        {
            "total_count": 3,
            "facets": {
                "brand": {
                    "values": [
                        {"value": "Aria", "count": 2, "selected": False},
                        {"value": "Beck", "count": 1, "selected": False},
                    ],
                    "other": 0,
                    "distinct": 2,
                    "missing": 0,
                    "exact": True,
                },
                "price": {
                    "values": [
                        {"value": {"$lt": 100}, "count": 1, "selected": False},
                        {"value": {"$gte": 100}, "count": 1, "selected": False},
                    ],
                    "other": 0,
                    "missing": 1,
                    "exact": True,
                },
            },
        },
        milliseconds=13,
    ),
)
def facets(call: Call, parameters: FacetsParameters) -> Answer:
    """Count the values of fields."""
    return Answer(statuses.OK, _counted(call, parameters.facets, parameters.filter, total=True))


def _counted(call: Call, asked: tuple[Facet, ...], filter_: Any, *, total: bool) -> Body:
    counted = facet_service.count(call.context, call.collection, asked, filter_)
    body: Body = {"total_count": counted.total} if total else {}
    if asked:
        body["facets"] = {name: orjson.Fragment(text) for name, text in counted.facets.items()}
    return body


@method(
    "random",
    Scope.READ,
    RandomParameters,
    tag="Listing",
    answer=ListingAnswer,
    example=Example(
        {"count": 2, "fields_to_return": ["_id"], "filter": {"$gte": {"price": 200}}},
        {"answer_records": [{"_id": "1"}, {"_id": "2"}], "answer_count": 2},
    ),
)
def random(call: Call, parameters: RandomParameters) -> Answer:
    """Return random records."""
    listing = service.of(call.collection, _fields(parameters), parameters.filter)
    return Answer(statuses.OK, listed(service.random(call.context, listing, parameters.count)))


@method(
    "allRecords",
    Scope.READ,
    AllRecordsParameters,
    tag="Listing",
    answer=AllRecordsAnswer,
    example=Example(
        {
            "delete_file_after": True,
            "fields_to_return": ["*"],
            "filter": {"$gte": {"price": 200}},
            "output_file_name": "some-file.json",
        },
        {
            "answer_records": [{"_id": "1"}, {"_id": "2"}],
            "output_file_name": "some-file.json",
            "next": "http://localhost:8000/photo/search/v2/allRecords?page=4&size=2&cursor=aMg",
            "previous": "http://localhost:8000/photo/search/v2/allRecords?page=2&size=2&cursor=bMQ",
            "answer_count": 7,
        },
        milliseconds=6,
        query={"size": 2, "page": 3},
    ),
    query=PageParameters,
)
def all_records(call: Call, parameters: AllRecordsParameters) -> Answer:
    """Return all records: a page of them, or, without a size, every one, streamed."""
    place = parse(PageParameters, call.query)
    listing = service.of(call.collection, _fields(parameters), parameters.filter)
    body: Body = {}
    if parameters.output_file_name is not None:
        path = export_path(call.context, call.collection, parameters.output_file_name)
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


@method(
    "deleteByFilter",
    Scope.WRITE,
    DeleteByFilterParameters,
    tag="Listing",
    answer=ListingAnswer,
    example=Example(
        {"fields_to_return": ["_id"], "filter": {"$gte": {"price": 200}}},
        {"answer_records": [{"_id": "1"}, {"_id": "2"}], "answer_count": 2},
        milliseconds=4,
    ),
)
def delete_by_filter(call: Call, parameters: DeleteByFilterParameters) -> Answer:
    """Delete the records that match a filter."""
    listing = service.of(call.collection, _fields(parameters), parameters.filter)
    return Answer(statuses.OK, listed(service.delete(call.context, listing)))


def _lines(pieces: Iterator[list[Found]]) -> Iterator[list[bytes]]:
    return ([found.json() for found in records] for records in pieces)


def _link(call: Call, size: int, page: int, cursor: service.Cursor) -> str:
    query = urlencode({"page": page, "size": size, "cursor": str(cursor)})
    return f"{own_url(request, call.context.settings.public_url)}?{query}"
