"""Searches over one qualified set beside a plain reference: cutoffs, counts, facets, orders, boosts, groups, pages."""

import itertools
import json
import random
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from app.db import loads
from app.db.records import NewRecord
from app.domain.tokens import Scope
from app.services import collections, tokens
from app.services.context import Context
from tests.api.conftest import Api
from tests.db import qualified_reference as reference
from tests.db.facets_reference import Reference
from tests.db.facets_reference import key as facet_key
from tests.db.qualified_reference import Row
from tests.support.odd_records import CONDITIONS, SINGLE, odd

Json = Any
ROWS = 5_000
EVERYTHING = 1000
QUERIES = ("r00000", "r00041", "r01234")


class Shop:
    """A collection, its records by id, and the distances of all of them to some of them."""

    def __init__(self, api: Api, records: dict[str, Json]) -> None:
        self.api = api
        self.records = records
        self.counted = Reference(list(records.values()))
        self.rows = {own: self._rows(own) for own in QUERIES}

    def matches(self, filter_: Json) -> set[str]:
        """Return the ids of the records that match a filter."""
        return set(itertools.compress(self.records, self.counted.keeps(filter_)))

    def _rows(self, own: str) -> list[Row]:
        got = self.api.post("range", {"query_record": {"_id": own}, "radius": 1000}, code=200)
        assert got["answer_count"] == ROWS
        found = zip(got["answer_records"], got["answer_distances"], strict=True)
        return [Row(one["_id"], self.records[one["_id"]], distance) for one, distance in found]


@pytest.fixture(scope="module")
def shop(app_context: tuple[FlaskClient, Context]) -> Shop:
    """A collection of 5,000 odd records with vectors of their own, some of them in clusters, some equal."""
    client, context = app_context
    collection = collections.create(context, "qualified_shop", "photo")
    dice, noise = random.Random(11), np.random.default_rng(11)
    centres = noise.standard_normal((40, collection.dimensions)).astype(np.float32)
    records = {f"r{n:05}": odd(dice) for n in range(ROWS)}
    rows = []
    for number, (own, record) in enumerate(records.items()):
        vector = centres[number % 40] + noise.standard_normal(collection.dimensions).astype(np.float32) * 0.8
        if number % 50 == 1:
            vector = centres[number % 40]
        rows.append(NewRecord(own, json.dumps(record), vector / np.linalg.norm(vector)))
    assert loads.copy(context.db, collection, rows) == ROWS
    token = tokens.create(context, [Scope.ADMIN], None).token
    return Shop(Api(client, context, collection.name, token), records)


SORTS = st.lists(
    st.sampled_from(["brand", "tags", "price", "deep.size", "nowhere", "_distance", "_id"]), unique=True, max_size=3
).flatmap(lambda names: st.tuples(*(st.tuples(st.just(name), st.sampled_from([1, -1])) for name in names)))
BOOSTS = st.lists(
    st.sampled_from(
        [
            {"filter": {"brand": "Aria"}, "weight": 12.5},
            {"filter": {"tags": "red"}, "weight": -7.0},
            {"filter": {"price": {"$gte": 50}}, "weight": 3},
            {"field": "price", "factor": 0.25},
            {"field": "deep.size", "factor": -0.5},
        ]
    ),
    max_size=2,
)
CUTOFFS = st.sampled_from([{}, {"share": 0.02}, {"share": 0.3}, {"candidates": 37}, {"candidates": 300}])


def cut(rows: list[Row], cutoff: dict[str, Json]) -> tuple[list[Row], dict[str, Json]]:
    """Return the qualified set of some matches, by distance, and the parameters that ask for it."""
    if "candidates" in cutoff:
        return rows[: cutoff["candidates"]], cutoff
    if "share" in cutoff:
        radius = rows[int(len(rows) * cutoff["share"])].distance if rows else 10.0
        return [row for row in rows if row.distance <= radius], {"radius": radius}
    return rows, {}


@settings(
    max_examples=200, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, phases=[Phase.generate]
)
@given(
    own=st.sampled_from(QUERIES),
    filter_=CONDITIONS,
    cutoff=CUTOFFS,
    sort=SORTS,
    boost=BOOSTS,
    asked=st.lists(SINGLE, max_size=3),
    product=st.sampled_from([None, None, "brand", "tags"]),
    start=st.sampled_from([0, 0, 13]),
)
def test_every_answer_is_that_of_the_reference(
    shop: Shop, own: str, filter_: Json, cutoff: Json,
    sort: tuple[tuple[str, int], ...], boost: list[Json], asked: list[Json], product: str | None, start: int,
) -> None:  # fmt: skip
    all_rows, matching = shop.rows[own], shop.matches(filter_)
    rows, parameters = cut([row for row in all_rows if row.id in matching], cutoff)
    keys = [{name: direction} for name, direction in sort] if cutoff and not boost else []
    named = [{**facet, "name": f"f{number}"} for number, facet in enumerate(asked)]
    body = {"query_record": {"_id": own}, "k": 20, "from": start, "filter": filter_, "count": True, **parameters}
    body |= {"sort": keys} if keys else {}
    body |= {"boost": boost} if boost else {}
    body |= {"facets": named} if named else {}
    body |= {"group_by": product, "groups": True, "group_size": 2} if product else {}
    got = shop.api.post("visualKNN", body, code=200)

    boosted = reference.boosted(boost, [shop.matches(one.get("filter", {})) for one in boost])
    wanted = reference.ordered(rows, keys, boosted)
    page = (reference.first_of_each(wanted, product) if product else wanted)[start : start + 20]
    assert [one["_id"] for one in got["answer_records"]] == [row.id for row in page]
    assert got["answer_distances"] == [row.distance for row in page]
    assert got["total_count"] == len(rows)
    assert got["statistics"]["set"]["size"] == len(rows)
    assert got["statistics"]["set"]["exact"] is True
    if boost:
        assert got["boosted_distances"] == pytest.approx([boosted(row) for row in page], abs=1e-6)
    if product:
        check_groups(got["groups"], page, wanted, product)
    if named:
        check_facets(shop, got["facets"], named, filter_, all_rows, parameters)


def check_groups(groups: Json, page: list[Row], wanted: list[Row], product: str) -> None:
    assert len(groups) == len(page)
    of_products: dict[object, list[Row]] = {}
    for row in wanted:
        of_products.setdefault(reference.product_of(row, product), []).append(row)
    for group, first in zip(groups, page, strict=True):
        value = reference.product_of(first, product)
        members = of_products[value] if value else [first]
        assert group["count"] == len(members)
        assert [one["_id"] for one in group["records"]] == [row.id for row in members[:2]]
        assert group["distances"] == [row.distance for row in members[:2]]


def check_facets(
    shop: Shop, answered: Json, named: list[Json], filter_: Json, all_rows: list[Row], parameters: Json
) -> None:
    for facet in named:
        own = facet["field"] if facet.get("exclude_own") else None
        matching = shop.matches({name: condition for name, condition in filter_.items() if name != own})
        rows = [row for row in all_rows if row.id in matching]
        if "radius" in parameters:
            rows = [row for row in rows if row.distance <= parameters["radius"]]
        elif "candidates" in parameters:
            rows = rows[: parameters["candidates"]]
        ids = {row.id for row in rows}
        counted = shop.counted.counted(filter_, facet, [one in ids for one in shop.records])
        got = answered[facet["name"]]
        listed = {facet_key(one["value"]): (one["count"], one["selected"]) for one in got["values"]}
        assert {value: counted["values"][value] for value in listed} == listed
        assert (got["distinct"], got["missing"]) == (counted["distinct"], counted["missing"])


@pytest.mark.parametrize("sort", [[], [{"price": -1}, {"brand": 1}], [{"deep.size": 1}, {"_distance": -1}]])
@pytest.mark.parametrize("product", [None, "brand"])
def test_pages_by_token_are_one_list(shop: Shop, sort: Json, product: str | None) -> None:
    api = shop.api
    body = {
        "query_record": {"_id": "r00041"},
        "k": 90,
        "radius": shop.rows["r00041"][400].distance,
        "filter": {"tags": {"$ne": "blue"}},
    }
    body |= {"sort": sort} if sort else {}
    body |= {"product_field": product} if product else {}
    whole = api.post("visualKNN", {**body, "k": EVERYTHING, "page_token": ""}, code=200)
    assert "page_token" not in whole
    assert len(whole["answer_records"]) > (200 if product is None else 5)
    pages: list[Json] = []
    token: str | None = ""
    while token is not None:
        got = api.post("visualKNN", {**body, "page_token": token}, code=200)
        pages += got["answer_records"]
        token = got.get("page_token")
    assert pages == whole["answer_records"]
