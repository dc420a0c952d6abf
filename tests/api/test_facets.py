"""Facets: counted against a plain reference, and every kind of bad input."""

import json
import random
from decimal import Decimal
from typing import Any, cast

import numpy as np
import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.db import facets as facet_table
from app.db import loads
from app.db.records import NewRecord
from app.domain.collections import Collection
from app.domain.facets import facets_of
from app.services import collections
from app.services import facets as service
from app.services.context import Context
from tests.api.conftest import Api, picture
from tests.db import facets_reference as reference
from tests.support.odd_records import CONDITIONS, FIELDS, SINGLE, odd

Json = Any
ROWS = 5_000


@pytest.fixture(scope="module")
def shop(app_context: tuple[FlaskClient, Context]) -> tuple[Context, Collection, reference.Reference]:
    _, context = app_context
    collection = collections.create(context, "facets_shop", "photo")
    dice = random.Random(7)
    records = [odd(dice) for _ in range(ROWS)]
    vector = np.ones(collection.dimensions, np.float32) / np.sqrt(collection.dimensions)
    rows = [NewRecord(f"r{n:05}", json.dumps(record), vector) for n, record in enumerate(records)]
    assert loads.copy(context.db, collection, rows) == ROWS
    return context, collection, reference.Reference(records)


RANGES = st.fixed_dictionaries(
    {"field": FIELDS, "ranges": st.sampled_from([[0], [0, 20, 50], [-5.5, 3, 3.5, 100]])},
    optional={"exclude_own": st.booleans()},
)
BINS = st.fixed_dictionaries(
    {"field": st.just("price"), "histogram": st.fixed_dictionaries({"bins": st.integers(1, 12)})},
    optional={"exclude_own": st.booleans()},
)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(filter_=CONDITIONS, asked=st.lists(st.one_of(SINGLE, SINGLE, RANGES, BINS), min_size=1, max_size=5))
def test_every_figure_is_that_of_the_reference(
    shop: tuple[Context, Collection, reference.Reference], filter_: dict[str, Json], asked: list[dict[str, Json]]
) -> None:
    context, collection, shown = shop
    named = [{**facet, "name": f"f{number}"} for number, facet in enumerate(asked)]
    got = service.count(context, collection, facets_of(cast(Json, named)), filter_)
    assert got.total == sum(shown.keeps(filter_))
    for facet in named:
        answered = json.loads(got.facets[facet["name"]], parse_float=Decimal)
        assert answered.pop("exact") is True
        if "ranges" in facet or "histogram" in facet:
            check_ranges(shown, filter_, facet, answered)
        else:
            check_values(shown, filter_, facet, answered)


def check_values(shown: reference.Reference, filter_: dict[str, Json], facet: dict[str, Json], answered: Json) -> None:
    wanted = shown.counted(filter_, facet)
    listed = {reference.key(one["value"]): (one["count"], one["selected"]) for one in answered["values"]}
    assert len(listed) == len(answered["values"]), "a value stands twice"
    assert {own: wanted["values"][own] for own in listed} == listed
    assert (answered["distinct"], answered["missing"]) == (wanted["distinct"], wanted["missing"])
    left = [count for own, (count, _) in wanted["values"].items() if own not in listed]
    assert answered["other"] == sum(left)
    counts = [count for count, _ in listed.values()]
    assert counts == sorted(counts, reverse=True)
    limit = facet.get("limit", 20)
    first = counts[:limit]
    assert len(first) == min(limit, wanted["distinct"])
    assert max(left, default=0) <= min(first, default=0)
    assert not [own for own, (_, chosen) in wanted["values"].items() if chosen and own not in listed]


def check_ranges(shown: reference.Reference, filter_: dict[str, Json], facet: dict[str, Json], answered: Json) -> None:
    ends = [(one["value"].get("$gte"), one["value"].get("$lt", one["value"].get("$lte"))) for one in answered["values"]]
    wanted = shown.counted(filter_, {**facet, "ends": ends})
    assert [(one["count"], one["selected"]) for one in answered["values"]] == wanted["values"]
    assert (answered["other"], answered["missing"]) == (wanted["other"], wanted["missing"])
    if "histogram" in facet and ends:
        assert len(ends) == (facet["histogram"]["bins"] if ends[0][0] < ends[-1][1] else 1)
        assert [low for low, _ in ends[1:]] == [high for _, high in ends[:-1]]


def fill(api: Api, *attributes: dict[str, Json]) -> None:
    records = [{"_id": str(n), "_base64": picture(n), **one} for n, one in enumerate(attributes)]
    api.post("insert", {"records": records}, code=210)


def values(answer: Json, name: str) -> list[tuple[Json, int]]:
    return [(one["value"], one["count"]) for one in answer["facets"][name]["values"]]


def test_a_shop_counts_brands_and_prices(api: Api) -> None:
    fill(
        api,
        {"brand": "Aria", "price": 10, "tags": ["new", "red", "red"]},
        {"brand": "Beck", "price": 20, "tags": ["red"]},
        {"brand": "Beck", "price": 30.5},
        {"brand": "Cole", "price": "ask"},
    )
    asked = ["brand", {"field": "price", "ranges": [20]}, {"field": "tags", "name": "labels", "limit": 1}]
    got = api.post("facets", {"facets": asked, "filter": {"brand": {"$ne": "Cole"}}}, code=200)
    assert got["total_count"] == 3
    assert values(got, "brand") == [("Beck", 2), ("Aria", 1)]
    assert values(got, "price") == [({"$lt": 20}, 1), ({"$gte": 20}, 2)]
    labels = got["facets"]["labels"]
    assert labels == {
        "values": [{"value": "red", "count": 2, "selected": False}],
        "other": 1,
        "distinct": 2,
        "missing": 1,
        "exact": True,
    }


def test_a_facet_may_leave_out_the_filter_on_its_own_field(api: Api) -> None:
    fill(api, {"brand": "Aria", "size": "S"}, {"brand": "Beck", "size": "S"}, {"brand": "Cole", "size": "M"})
    filter_ = {"brand": "Aria", "size": "S"}
    got = api.post("facets", {"facets": [{"field": "brand", "exclude_own": True}, "size"], "filter": filter_}, code=200)
    assert got["total_count"] == 1
    assert values(got, "brand") == [("Aria", 1), ("Beck", 1)]
    assert [one["selected"] for one in got["facets"]["brand"]["values"]] == [True, False]
    assert values(got, "size") == [("S", 1)]


def test_the_ranges_of_a_histogram_are_filters_that_find_what_they_count(api: Api) -> None:
    fill(api, *({"price": price} for price in (0.1, 7, 33.333333, 50, 99.9, 14.3571428571429, 14.357142857142857)))
    ranges = values(api.post("facets", {"facets": [{"field": "price", "histogram": {"bins": 7}}]}, code=200), "price")
    assert len(ranges) == 7
    for condition, count in ranges:
        assert api.post("find", {"filter": {"price": condition}, "limit": 10})["answer_count"] == count
    assert sum(count for _, count in ranges) == 7


def test_find_answers_facets_and_the_count_beside_its_page(api: Api) -> None:
    fill(api, *({"n": n % 2} for n in range(5)))
    got = api.post("find", {"filter": {}, "limit": 1, "facets": ["n"], "count": True}, code=200)
    assert (got["answer_count"], got["total_count"]) == (1, 5)
    assert values(got, "n") == [(0, 3), (1, 2)]
    assert "total_count" not in api.post("find", {"filter": {}, "facets": ["n"]}, code=200)
    assert not {"facets", "total_count"} & api.post("find", {"filter": {}}, code=200).keys()


@pytest.mark.parametrize(("filter_", "number"), [({}, 5), ({"n": 1}, 2), ({"n": 9}, 0)])
def test_find_answers_the_count_alone(api: Api, filter_: Json, number: int) -> None:
    fill(api, *({"n": n % 2} for n in range(5)))
    got = api.post("find", {"filter": filter_, "limit": 1, "count": True}, code=200)
    assert (got["total_count"], "facets" in got) == (number, False)


def test_an_empty_set_has_facets_without_values(api: Api) -> None:
    asked = ["brand", {"field": "price", "histogram": {"bins": 3}}, {"field": "price", "ranges": [1], "name": "p"}]
    got = api.post("facets", {"facets": asked}, code=200)
    assert got["total_count"] == 0
    assert values(got, "brand") == values(got, "price") == []
    assert values(got, "p") == [({"$lt": 1}, 0), ({"$gte": 1}, 0)]


_BAD: list[tuple[Json, str]] = [
    (None, "the parameter facets is missing"),
    ([], "facets: must be a list of fields, at least one"),
    ("brand", "facets: must be a list of fields"),
    ({"field": "brand"}, "facets: must be a list of fields"),
    ([f"f{n}" for n in range(17)], "facets: at most 16 in one request; there are 17"),
    (["a", "a"], "facets[1]: a facet of the name 'a' stands before it"),
    ([7], "facets[0]: must be the name of a field"),
    ([""], "facets[0]: must be the name of a field"),
    (["a..b"], "facets[0]: 'a..b' is no dotted name"),
    (["_id"], "facets[0]: the _id is no attribute; every record has one of its own"),
    (["tags.0"], "facets[0]: 'tags.0' names a position in a list"),
    ([{}], "facets[0].field: must be the name of a field"),
    ([{"field": ["a"]}], "facets[0].field: must be the name of a field"),
    ([{"field": "a", "buckets": 3}], "facets[0]: 'buckets' is none of exclude_own, field"),
    ([{"field": "a", "name": ""}], "facets[0].name: must be a string that is not empty"),
    ([{"field": "a", "limit": 0}], "facets[0].limit: must be a whole number from 1 to 1000"),
    ([{"field": "a", "limit": 10**9}], "facets[0].limit: must be a whole number from 1 to 1000"),
    ([{"field": "a", "limit": True}], "facets[0].limit: must be a whole number"),
    ([{"field": "a", "min_count": -1}], "facets[0].min_count: must be a whole number"),
    ([{"field": "a", "prefix": 1}], "facets[0].prefix: must be a string"),
    ([{"field": "a", "exclude_own": "yes"}], "facets[0].exclude_own: must be true or false"),
    ([{"field": "a", "histogram": 10}], 'facets[0].histogram: must be {"bins": NUMBER}'),
    ([{"field": "a", "histogram": {"bins": 0}}], "facets[0].histogram.bins: must be a whole number from 1 to 1000"),
    ([{"field": "a", "histogram": {"bins": 2}, "ranges": [1]}], "facets[0]: takes histogram or ranges, not both"),
    ([{"field": "a", "ranges": []}], "facets[0].ranges: must be a list of 1 to 1000 numbers"),
    ([{"field": "a", "ranges": [1, "2"]}], "facets[0].ranges[1]: must be a number"),
    ([{"field": "a", "ranges": [2, 1]}], "facets[0].ranges[1]: must be greater than the bound before it"),
    ([{"field": "a", "ranges": [1, 1]}], "facets[0].ranges[1]: must be greater than the bound before it"),
    ([{"field": "a", "ranges": [1], "limit": 5}], "facets[0].limit: chooses among single values"),
    ([{"field": "word", "histogram": {"bins": 2}}], "facets[0].histogram: word holds no numbers"),
    (["\x00"], "facets[0]"),
    ([{"field": "a", "prefix": "\ud800"}], "facets[0].prefix"),
]


@pytest.fixture(scope="module")
def word(shared: Api) -> Api:
    """A record, for tests of what is refused."""
    fill(shared, {"word": "no number"})
    return shared


@pytest.mark.parametrize(("facets", "reason"), _BAD)
@pytest.mark.parametrize("method", ["facets", "find"])
def test_bad_facets_are_refused_with_their_place(word: Api, method: str, facets: Json, reason: str) -> None:
    if method == "find" and facets is None:
        return
    answer = word.call(method, {"facets": facets, "filter": {}})
    status = answer.get_json()["status"]
    assert (answer.status_code, status["code"]) == (400, 402)
    assert reason in status["error_description"]
    assert word.post("getRecordCount", {})["answer_count"] == 1


def test_a_wrong_filter_is_refused(api: Api) -> None:
    status = api.post("facets", {"facets": ["a"], "filter": {"a": {"$near": 1}}})["status"]
    assert (status["code"], status["error_description"]) == (402, "filter, at $.a.$near: unknown operator")


def test_sql_counts_the_same(api: Api) -> None:
    fill(api, {"brand": "Aria", "deep": [{"size": "S"}, {"size": 1}]}, {"brand": "Beck", "deep": {"size": "S"}}, {})
    for field in ("brand", "deep.size"):
        got = api.post("facets", {"facets": [field]}, code=200)
        with api.context.db.session() as connection:
            statement = "SELECT value, records FROM lookalike.facet(%s, %s, NULL)"
            rows = connection.execute(statement, (api.collection, field)).fetchall()
        assert [(row["value"], row["records"]) for row in rows if row["value"] is not None] == values(got, field)
        assert [row["records"] for row in rows if row["value"] is None] == [got["facets"][field]["missing"]]


def scans(node: Json) -> list[str]:
    """Return the kinds of all scans of the records in a plan."""
    own = [node["Node Type"]] if str(node.get("Relation Name", "")).startswith("records_") else []
    return own + [kind for part in node.get("Plans", []) for kind in scans(part)]


@pytest.mark.parametrize(
    "facets",
    [
        ["brand", "tags", "deep.size", {"field": "price", "ranges": [0, 50]}, {"field": "brand", "name": "again"}],
        [{"field": "brand", "exclude_own": True}, {"field": "tags", "exclude_own": True}, "price"],
        ["brand", {"field": "price", "histogram": {"bins": 5}}, {"field": "deep.size", "histogram": {"bins": 2}}],
    ],
)
def test_the_records_are_read_once(shop: tuple[Context, Collection, reference.Reference], facets: Json) -> None:
    context, collection, _ = shop
    filter_ = {"brand": "Aria", "tags": {"$ne": "wool"}}
    text, params = facet_table.statement(service.asked(collection, facets_of(facets), cast(Json, filter_)))
    with context.db.session() as connection:
        row = connection.execute("EXPLAIN (FORMAT JSON) " + text, params).fetchone()
    assert row is not None
    assert len(scans(row["QUERY PLAN"][0]["Plan"])) == 1
