"""Searches by likeness share these parameters and this answer."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import orjson
from pydantic import Field

from app.api.envelope import Body, query_records, ranked
from app.api.methods import Answer, Call
from app.api.parsing import (
    Boosts,
    Candidates,
    Diversity,
    Effort,
    Facets,
    FieldsToReturn,
    Filter,
    From,
    GroupBy,
    GroupSize,
    NegativeRecords,
    PageToken,
    Parameters,
    ProductField,
    QueryRecord,
    QueryRecords,
    Radius,
    RadiusOrNone,
    RecallTarget,
    Records,
    Sort,
    TagsWeight,
    Wanted,
    WantedOrAll,
)
from app.domain import statuses
from app.domain.collections import check_product_field
from app.domain.errors import InvalidRequest
from app.domain.ranking import Aggregation, Beside, Group, Nearest, Strategy
from app.domain.records import Fields, Json
from app.domain.refinement import GROUP_SIZE, Refinement
from app.domain.searches import Searched
from app.domain.windows import Window
from app.services import search as service

RANKED = (statuses.OK, statuses.WRONG_QUERY_RECORD)
GIVEN_RANKED = (*RANKED, statuses.SOME_NOT_RANKED, statuses.RECORDS_NOT_FOUND)


class SearchParameters(Parameters):
    """What every search takes."""

    fields_to_return: FieldsToReturn = Field(default=["_id"])
    filter: Filter = None
    cand_set_size: Effort = None
    approx_param: Effort = None
    exact: bool = Field(
        default=False,
        description="Compare every record that matches, whatever it costs: nothing is missed. Left out, the way is "
        "chosen, and `statistics.search` says which.",
    )
    recall_target: RecallTarget = None

    def search(self, call: Call, window: Window, radius: float | None) -> service.Search:
        """Return the search that is asked for."""
        return service.Search(
            call.context,
            call.collection,
            window,
            Fields.of(self.fields_to_return),
            self.filter,
            self.exact,
            self.cand_set_size or self.approx_param,
            radius,
            recall_target=self.recall_target,
        )


class RefinedParameters(SearchParameters):
    """What a search may be asked beside its nearest records, over the qualified set (`app.domain.refinement`)."""

    candidates: Candidates = None
    count: bool = Field(
        default=False,
        description="Whether the number of all records that match, within the cutoff, is answered: `total_count`.",
    )
    facets: Facets = None
    sort: Sort = None
    boost: Boosts = None
    diversity: Diversity = None
    product_field: ProductField = None
    group_by: GroupBy = None
    groups: bool = Field(
        default=False,
        description="Whether each product comes with its first records and their number, `groups`; `answer_records` "
        "are the first of each.",
    )
    group_size: GroupSize = None
    page_token: PageToken = None

    def search(self, call: Call, window: Window, radius: float | None) -> service.Search:
        """Return the search that is asked for."""
        return replace(
            super().search(call, window, radius),
            product_field=self._product_field(call.collection.product_field),
            refinement=Refinement(
                self.candidates,
                self.count,
                self.facets or (),
                self.sort or (),
                self.boost or (),
                self.diversity,
                (self.group_size or GROUP_SIZE) if self.groups or self.group_size else None,
                self.page_token,
            ),
        )

    def _product_field(self, usual: str | None) -> str | None:
        """Return the request's product field: the usual one where it names none, none where it names the empty one.

        Raises:
            InvalidRequest: the request's is not the name of a top-level attribute, or it has two.

        """
        given = self.product_field if self.group_by is None else self.group_by
        if self.product_field is not None and self.product_field != given:
            raise InvalidRequest("group_by: is another name of product_field; give one of them")
        if given:
            check_product_field(given)
        return (usual if given is None else given) or None


class KnnParameters(RefinedParameters):
    """A query record, and how much of the ranking is wanted."""

    query_record: QueryRecord
    k: Wanted = 30
    from_: From = 0
    radius: RadiusOrNone = None

    def ranked(self, call: Call) -> service.Search:
        """Return the search that is asked for."""
        return self.search(call, Window(self.k, self.from_), self.radius)


class MultiParameters(RefinedParameters):
    """Several query records, and how their distances become one."""

    query_records: QueryRecords
    k: Wanted = 30
    from_: From = 0
    radius: RadiusOrNone = None
    aggregation: Aggregation = Field(
        default=Aggregation.MEAN,
        description="How the distances to several query records become one: their mean, the least, the greatest.",
    )

    def ranked(self, call: Call) -> service.Search:
        """Return the search that is asked for."""
        # The collection's own product field is for searches with one query record; here a request names it.
        given = self.search(call, Window(self.k, self.from_), self.radius)
        return replace(given, product_field=self._product_field(None))


class ExampleParameters(MultiParameters):
    """As for several query records, which may be weighed, and what the answer should be unlike."""

    negative_records: NegativeRecords = Field(default=[])
    strategy: Strategy | None = Field(
        default=None,
        description="How query records are taken as examples: `average` looks for their weighted mean direction, "
        "`best_score` goes by the nearest example of each record and puts what is nearer to a negative one last. Left "
        "out: `average` where there are weights or negative records, else `aggregation` counts.",
    )


class RangeParameters(RefinedParameters):
    """A query record and a radius; `k` and `from` page through what lies within it."""

    query_record: QueryRecord
    radius: Radius
    k: WantedOrAll = None
    from_: From = 0


class TagsKnnParameters(KnnParameters):
    """As for visualKNN, and how much the tags weigh."""

    tags_weight: TagsWeight = 0.5


class TagsMultiParameters(MultiParameters):
    """As for visualKNNMulti, and how much the tags weigh."""

    tags_weight: TagsWeight = 0.5


class RankParameters(Parameters):
    """A query record, and the records to put in order."""

    query_record: QueryRecord
    records: Records = Field(
        description="The records to rank: stored ones by `_id`, or pictures, mixed; nothing is stored."
    )
    k: WantedOrAll = None
    radius: RadiusOrNone = None
    fields_to_return: FieldsToReturn = Field(default=["_id", "_url", "_file"])


class TagsRankParameters(RankParameters):
    """As for visualRankRecords, and how much the tags weigh."""

    tags_weight: TagsWeight = 0.5


def ranked_answer(
    parameters: SearchParameters, found: Nearest, sent: Sequence[Mapping[str, Json]], k: int | None = None
) -> Answer:
    """Return the answer of a search; `sent` are its query records, `k` is how many were asked for, None: all."""
    body = ranked(found.records)
    body["query_records"] = query_records(sent)
    body["statistics"] = _statistics(found)
    search = Searched(
        stored_id(sent[0]),
        parameters.filter,
        k,
        len(found.records),
        found.way,
        compared=found.candidates if found.matches is None else found.matches,
        copies=found.copies,
        end=0 if k is None else k + getattr(parameters, "from_", 0),
    )
    return Answer(statuses.OK, body | beside(found), search=search)


def stored_id(query_record: Mapping[str, Json]) -> str | None:
    """Return the id of a query record; None where it has none."""
    record_id = query_record.get("_id")
    return record_id if isinstance(record_id, str) else None


def beside(found: Nearest) -> Body:
    """Return what a search answers beside its records."""
    given = found.beside
    if given is None:
        return {}
    parts: Body = {
        "total_count": given.total,
        "facets": given.facets and {name: orjson.Fragment(text) for name, text in given.facets.items()},
        "groups": given.groups and [_group(group) for group in given.groups],
        "boosted_distances": given.boosted,
        "page_token": given.page_token,
    }
    return {name: part for name, part in parts.items() if part is not None}


def left_out(given: Beside | None) -> Body:
    """Return what a listing answers where its facets are left out: the statistics say why; nothing else."""
    return {} if given is None or given.left_out is None else {"statistics": {"set": _set(given)}}


def _group(group: Group) -> Body:
    nearest = ranked(group.records)
    return {
        "value": None if group.value is None else orjson.Fragment(group.value),
        "count": group.count,
        "records": nearest["answer_records"],
        "distances": nearest["answer_distances"],
    }


def _set(given: Beside | None) -> Body | None:
    """Return which set counts, facets, orders and groups are over."""
    if given is None:
        return None
    size = {} if given.size is None else {"size": given.size}
    why = {} if given.left_out is None else {"facets_left_out": given.left_out}
    return {"cutoff": given.cutoff, **size, "exact": given.exact, **why}


def _statistics(found: Nearest) -> Body:
    """Return how a search was done; what is not known is left out."""
    reached = found.reached
    figures = {
        "search": found.way,
        "SearchTime": round(found.milliseconds, 2),
        "matches": found.matches,
        "matches_more_than": found.more_than,
        "candidates": found.candidates,
        "recall_target": reached and reached.target,
        "effort": reached and reached.effort,
        "measured_recall": None if reached is None or reached.recall is None else round(reached.recall, 4),
        "set": _set(found.beside),
    }
    return {name: figure for name, figure in figures.items() if figure is not None}
