"""What a search may be asked beside its nearest records: examples, variety, boosts, pages by token, and bad input."""

import numpy as np
import pytest

from app.services import collections
from tests.api.conftest import Api, picture
from tests.api.planes import Json, ids, place, search, walk


def test_a_cutoff_of_candidates_keeps_so_many_of_the_nearest(plane: Api) -> None:
    got = search(plane, candidates=4, count=True)
    assert (ids(got), got["total_count"]) == (["a00", "a05", "a10", "a15"], 4)
    assert got["statistics"]["set"] == {"cutoff": "candidates", "size": 4, "exact": True}
    assert ids(search(plane, candidates=4, **{"from": 3})) == ["a15"]
    assert ids(search(plane, candidates=4, **{"from": 4})) == []
    assert ids(search(plane, candidates=4, filter={"even": True})) == ["a00", "a10", "a20", "a30"]
    assert search(plane, candidates=100, count=True)["total_count"] == 19


def test_a_radius_and_candidates_keep_what_satisfies_both(plane: Api) -> None:
    far = search(plane)["answer_distances"]
    got = search(plane, radius=far[6], candidates=4, count=True)
    assert (got["total_count"], got["statistics"]["set"]["cutoff"]) == (4, "radius, candidates")
    assert search(plane, radius=far[2], candidates=4, count=True)["total_count"] == 3
    got = search(plane, radius=far[2], count=True, facets=["even"])
    assert (got["total_count"], ids(got)) == (3, ["a00", "a05", "a10"])
    assert [(one["value"], one["count"]) for one in got["facets"]["even"]["values"]] == [(True, 2), (False, 1)]


def test_without_a_cutoff_all_that_match_are_the_set(plane: Api) -> None:
    got = search(plane, k=2, count=True, filter={"even": False})
    assert (ids(got), got["total_count"]) == (["a05", "a15"], 9)
    assert got["statistics"]["set"] == {"cutoff": "none", "size": 9, "exact": True}
    assert "set" not in search(plane)["statistics"]


def test_the_filter_may_take_a_value_from_the_query_record(plane: Api) -> None:
    got = search(plane, filter={"even": "{TAKE_FROM_QUERY}"}, count=True, facets=["even"], k=1)
    assert (got["total_count"], got["facets"]["even"]["values"]) == (
        10, [{"value": True, "count": 10, "selected": True}],
    )  # fmt: skip


def test_variety_prefers_what_the_answer_lacks(plane: Api) -> None:
    assert ids(search(plane, k=4, diversity=0)) == ids(search(plane, k=4)) == ["a00", "a05", "a10", "a15"]
    # At 1 only the likeness to the records before counts: the farthest of the 20 candidates comes second.
    assert ids(search(plane, k=3, diversity=1, candidates=19)) == ["a00", "a90", "a45"]
    some = search(plane, k=5, diversity=0.6, candidates=19, fields_to_return=["n"])
    assert some["answer_records"][0] == {"_id": "a00", "n": 0}
    assert len({one["n"] // 4 for one in some["answer_records"]}) > 2
    assert some["answer_distances"] != sorted(some["answer_distances"])
    pages = [search(plane, k=2, diversity=0.6, candidates=19, **{"from": start}) for start in (0, 2)]
    assert [own for page in pages for own in ids(page)] == ids(some)[:4]


def test_variety_follows_its_definition(plane: Api) -> None:
    weight, angles = 0.4, np.radians(np.arange(0, 91, 5))
    likeness = np.cos(angles[:, None] - angles[None, :])
    chosen = [0]
    while len(chosen) < 7:
        score = (1 - weight) * likeness[0] - weight * likeness[chosen].max(axis=0)
        score[chosen] = -9
        chosen.append(int(np.argmax(score)))
    assert ids(search(plane, k=7, diversity=weight, candidates=19)) == [f"a{5 * place:02}" for place in chosen]


def test_boosts_move_records_and_answer_both_distances(plane: Api) -> None:
    plain = search(plane)
    got = search(plane, boost=[{"filter": {"even": False}, "weight": 200}])
    assert [own in {"a05", "a15"} for own in ids(got)][:2] == [True, True]
    known = dict(zip(ids(plain), plain["answer_distances"], strict=True))
    assert got["answer_distances"] == [known[own] for own in ids(got)]
    added = [far - near for far, near in zip(got["boosted_distances"], got["answer_distances"], strict=True)]
    assert added == pytest.approx([0] * 9 + [200] * 10)
    got = search(plane, boost=[{"field": "n", "factor": 1000}], k=2)
    assert ids(got) == ["a90", "a85"]
    assert ids(search(plane, boost=[{"filter": {"n": 0}, "weight": -500}])) == [*ids(plain)[1:], "a00"]


def test_sorted_records_are_the_cutoffs_own(plane: Api) -> None:
    got = search(plane, candidates=4, sort=[{"even": -1}, {"_distance": -1}])
    assert ids(got) == ["a10", "a00", "a15", "a05"]
    multi = {"query_records": [{"_id": "a00"}, {"_id": "a10"}], "candidates": 3, "sort": [{"n": -1}]}
    assert ids(plane.post("visualKNNMulti", multi, code=200)) == ["a10", "a05", "a00"]
    body = {"query_record": {"_id": "a00"}, "radius": 1000, "k": 2, "sort": [{"_id": -1}]}
    assert ids(plane.post("range", body, code=200)) == ["a90", "a85"]
    tagged = {"query_record": {"_id": "a00"}, "candidates": 3, "k": 2, "sort": [{"n": -1}], "count": True}
    got = plane.post("visualTagsKNN", tagged, code=200)
    assert (ids(got), got["total_count"]) == (["a10", "a05"], 3)
    within = {"query_record": {"_id": "a00"}, "radius": 3.0, "count": True, "facets": ["even"]}
    got = plane.post("visualTagsKNN", within, code=200)
    assert got["total_count"] == len(ids(got)) == sum(one["count"] for one in got["facets"]["even"]["values"])


def test_find_sorts_and_pages(plane: Api) -> None:
    body = {"filter": {"even": True}, "limit": 3, "sort": [{"n": -1}], "fields_to_return": ["_id"], "count": True}
    got = plane.post("find", body, code=200)
    assert (ids(got), got["total_count"]) == (["a90", "a80", "a70"], 10)
    assert "page_token" not in got
    assert walk(plane, "find", **body) == [f"a{10 * n:02}" for n in range(9, -1, -1)]
    first = plane.post("find", {"filter": {}, "limit": 2, "page_token": ""}, code=200)
    assert ids(first) == ["a00", "a05"]


def test_groups_come_with_their_first_records_and_their_number(plane: Api) -> None:
    got = search(plane, group_by="shelf", groups=True, group_size=2)
    assert ids(got) == ["a00", "a50"]
    assert [(one["value"], one["count"]) for one in got["groups"]] == [("low", 10), ("high", 9)]
    assert [[own["_id"] for own in one["records"]] for one in got["groups"]] == [["a00", "a05"], ["a50", "a55"]]
    got = search(plane, product_field="even", groups=True, candidates=3, fields_to_return=["n"])
    assert [(one["value"], one["count"], len(one["records"])) for one in got["groups"]] == [(True, 2, 2), (False, 1, 1)]
    assert got["groups"][0]["records"][1] == {"_id": "a10", "n": 2}
    got = search(plane, k=2, group_by="nowhere", groups=True)
    assert [(one["value"], one["count"]) for one in got["groups"]] == [(None, 1), (None, 1)]


def multi(api: Api, code: int = 200, **body: Json) -> Json:
    return api.post("visualKNNMulti", {"k": 30, **body}, code=code)


def at(api: Api, degrees: float) -> dict[str, float]:
    angles = np.radians(np.arange(0, 91, 5))
    scale = collections.get(api.context, api.collection).distance_scale
    far = scale * (1 - np.cos(angles - np.radians(degrees)))
    return {f"a{5 * place:02}": distance for place, distance in enumerate(far)}


def test_weighted_examples_are_one_direction(plane: Api) -> None:
    got = multi(plane, query_records=[{"_id": "a00", "_weight": 3}, {"_id": "a90", "_weight": 1}])
    wanted = at(plane, np.degrees(np.arctan2(1, 3)))
    assert ids(got)[:2] == ["a20", "a15"]
    assert got["answer_distances"] == pytest.approx([wanted[own] for own in ids(got)], abs=0.05)
    even = multi(plane, query_records=[{"_id": "a00"}, {"_id": "a90"}], strategy="average")
    assert ids(even)[0] == "a45"
    assert even["answer_distances"][0] == pytest.approx(0, abs=0.05)
    assert even["query_records"] == [{"_id": "a00"}, {"_id": "a90"}]


def test_negative_examples_push_away(plane: Api) -> None:
    away = multi(plane, query_records=[{"_id": "a30"}], negative_records=[{"_id": "a90"}])
    # The direction is that of 30 degrees less half of that of 90.
    vector = np.array([np.cos(np.pi / 6), np.sin(np.pi / 6) - 0.5])
    wanted = at(plane, np.degrees(np.arctan2(vector[1], vector[0])))
    assert away["answer_distances"] == pytest.approx([wanted[own] for own in ids(away)], abs=0.05)
    assert ids(away)[0] == "a00"
    same = multi(plane, query_records=[{"_id": "a30", "_weight": 2}, {"_id": "a90", "_weight": -1}])
    assert ids(same) == ids(away)


def test_the_best_score_puts_what_is_nearer_to_a_negative_example_last(plane: Api) -> None:
    body: Json = {"query_records": [{"_id": "a00"}, {"_id": "a40"}], "negative_records": [{"_id": "a70"}]}
    got = multi(plane, strategy="best_score", **body)
    assert ids(got)[:2] == ["a00", "a40"]
    assert ids(got)[-3:] == ["a75", "a65", "a70"] or set(ids(got)[-3:-1]) == {"a65", "a75"}
    assert ids(got)[-1] == "a70"
    scale = collections.get(plane.context, plane.collection).distance_scale
    near = {own: min(at(plane, 0)[own], at(plane, 40)[own]) for own in at(plane, 0)}
    far = at(plane, 70)
    wanted = {own: near[own] if near[own] <= far[own] else 4 * scale - far[own] for own in near if own != "a55"}
    answered = dict(zip(ids(got), got["answer_distances"], strict=True))
    assert {own: answered[own] for own in wanted} == pytest.approx(wanted, abs=0.05)
    signed = [*body["query_records"], {"_id": "a70", "_weight": -1}]
    assert ids(multi(plane, query_records=signed, strategy="best_score")) == ids(got)
    assert got["statistics"]["search"] == "exact"


def test_examples_may_be_pictures(api: Api) -> None:
    api.fill(5)
    negative = [{"_base64": picture(2)}]
    got = multi(api, query_records=[{"_base64": picture(1), "_weight": 2}, {"_id": "1"}], negative_records=negative)
    assert ids(got)[0] == "1"
    answer = multi(api, 403, query_records=[{"_id": "1"}], negative_records=[{"_id": "none"}])
    assert "negative_records[0]" in answer["status"]["error_description"]


_BAD: list[tuple[Json, str]] = [
    ({"candidates": 0}, "candidates: input should be greater than or equal to 1"),
    ({"candidates": 10**6}, "candidates: at most 10000"),
    ({"candidates": "4"}, "candidates: must be a whole number"),
    ({"count": "maybe"}, "count"),
    ({"sort": [{"n": 1}]}, "sort: sorts what a cutoff keeps, so give a radius, or candidates"),
    ({"sort": {"n": 1}, "candidates": 3}, "sort: must be a list, not empty"),
    ({"sort": [], "candidates": 3}, "sort: must be a list, not empty"),
    ({"sort": ["n"], "candidates": 3}, "sort[0]: must be an object of one field"),
    ({"sort": [{"n": 1, "m": 1}], "candidates": 3}, "sort[0]: must be an object of one field"),
    ({"sort": [{"n": "asc"}], "candidates": 3}, "sort[0]: the direction must be 1"),
    ({"sort": [{"n": True}], "candidates": 3}, "sort[0]: the direction must be 1"),
    ({"sort": [{"n": 1}, {"n": -1}], "candidates": 3}, "sort[1]: a key of the field 'n' stands before it"),
    ({"sort": [{"a..b": 1}], "candidates": 3}, "sort[0]: 'a..b' is no dotted name"),
    ({"sort": [{f"f{n}": 1} for n in range(9)], "candidates": 3}, "sort: at most 8"),
    ({"sort": [{"n": 1}], "candidates": 3, "boost": [{"field": "n", "factor": 1}]}, "boost: puts the records in an"),
    ({"sort": [{"n": 1}], "candidates": 3, "diversity": 0.5}, "diversity: puts the records in an order of its own"),
    ({"boost": [{"field": "n"}]}, "boost[0]: must be an object with filter and weight"),
    ({"boost": [{"field": "n", "weight": 1}]}, "boost[0]: must be an object with filter and weight"),
    ({"boost": [{"field": "n", "factor": 0}]}, "boost[0].factor: must be a number from"),
    ({"boost": [{"field": "n", "factor": 1e7}]}, "boost[0].factor: must be a number from"),
    ({"boost": [{"field": "n", "factor": "1"}]}, "boost[0].factor: must be a number"),
    ({"boost": [{"filter": {}, "weight": 1}]}, "boost[0].filter: must be a filter that is not empty"),
    ({"boost": [{"filter": {"n": {"$near": 1}}, "weight": 1}]}, "filter, at $.n.$near: unknown operator"),
    ({"boost": [{"field": "_id", "factor": 1}]}, "boost[0].field: the _id is no attribute"),
    ({"boost": []}, "boost: must be a list, not empty"),
    ({"diversity": 1.5}, "diversity: input should be less than or equal to 1"),
    ({"diversity": "0.5"}, "diversity: must be a number"),
    ({"diversity": 0.5, "candidates": 2001}, "candidates: with diversity at most 2000"),
    ({"diversity": 0.5, "k": 10, "from": 45}, "diversity: orders the 50 nearest records, and from + k is 55"),
    ({"groups": True}, "groups: needs group_by"),
    ({"group_size": 0, "group_by": "n"}, "group_size: input should be greater than or equal to 1"),
    ({"group_size": 101, "group_by": "n"}, "group_size: input should be less than or equal to 100"),
    ({"group_by": "n", "product_field": "m"}, "group_by: is another name of product_field"),
    ({"group_by": "a.b"}, "product"),
    ({"facets": [f"f{n}" for n in range(17)]}, "facets: at most 16"),
    ({"page_token": 7}, "page_token: must be a string"),
    ({"page_token": "AAAA"}, "page_token: is not one that this server gave"),
    ({"page_token": "!"}, "page_token: is not one that this server gave"),
    ({"page_token": "", "from": 3}, "page_token: stands in place of from"),
    ({"page_token": "", "candidates": 3}, "page_token: pages of candidates move"),
    ({"page_token": "", "diversity": 0.3}, "page_token: pages of diversity move"),
]


@pytest.mark.parametrize(("body", "reason"), _BAD)
def test_bad_input_is_refused_with_its_place(plane: Api, body: Json, reason: str) -> None:
    assert reason in search(plane, 402, **body)["status"]["error_description"]
    assert plane.post("getRecordCount", {})["answer_count"] == 19


_BAD_EXAMPLES: list[tuple[Json, str]] = [
    ({"query_records": [{"_id": "a00", "_weight": 0}]}, "at least one _weight must be greater than 0"),
    ({"query_records": [{"_id": "a00", "_weight": -1}, {"_id": "a05", "_weight": -2}]}, "at least one _weight"),
    ({"query_records": [{"_id": "a00", "_weight": "1"}]}, "query_records[0]._weight: must be a number"),
    ({"query_records": [{"_id": "a00", "_weight": True}]}, "query_records[0]._weight: must be a number"),
    ({"query_records": [{"_id": "a00", "_weight": 1e9}]}, "query_records[0]._weight: must be a number from"),
    ({"query_records": [{"_id": "a00"}], "strategy": "worst"}, "strategy"),
    ({"query_records": [{"_id": "a00"}], "strategy": "average", "aggregation": "max"}, "aggregation: goes without"),
    ({"query_records": [{"_id": "a00", "_weight": 2}], "aggregation": "mean"}, "aggregation: goes without"),
    (
        {"query_records": [{"_id": "a00"}], "negative_records": [{"_id": "a90"}], "aggregation": "min"},
        "aggregation: goes without",
    ),
    ({"query_records": [{"_id": "a00", "_weight": 2}], "strategy": "best_score"}, "must be 1 or -1"),
    (
        {"query_records": [{"_id": "a00"}], "negative_records": [{"_id": "a05", "_weight": -1}]},
        "negative_records[0]._w",
    ),
    ({"query_records": [{"_id": "a00"}], "negative_records": {"_id": "a05"}}, "negative_records"),
    ({"query_records": [{"_id": "a00", "_weight": 1}, {"_id": "a00", "_weight": -1}]}, "cancel each other out"),
]


@pytest.mark.parametrize(("body", "reason"), _BAD_EXAMPLES)
def test_bad_examples_are_refused_with_their_place(plane: Api, body: Json, reason: str) -> None:
    assert reason in multi(plane, 402, **body)["status"]["error_description"]
    assert ids(search(plane, k=1)) == ["a00"]


@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("visualKNN", {"query_record": {"_id": "a00", "_weight": 2}}),
        ("visualTagsKNN", {"query_record": {"_id": "a00", "_weight": 2}}),
        ("range", {"query_record": {"_id": "a00", "_weight": 2}, "radius": 5}),
        ("visualTagsKNNMulti", {"query_records": [{"_id": "a00", "_weight": 2}]}),
        ("visualTagsKNNMulti", {"query_records": [{"_id": "a05"}, {"_id": "a00", "_weight": 2}]}),
    ],
)
def test_only_searches_for_several_records_weigh_them(plane: Api, method: str, body: Json) -> None:
    said = plane.post(method, body, code=402)["status"]["error_description"]
    assert said.endswith("has a _weight, and only visualKNNMulti weighs its query records")


def test_find_has_no_distances_to_sort_by(plane: Api) -> None:
    got = plane.post("find", {"filter": {}, "sort": [{"_distance": 1}]}, code=402)
    assert "sort: find has no query record, and so no _distance" in got["status"]["error_description"]


def test_boosts_take_from_the_query_record_as_the_filter_does(plane: Api) -> None:
    boost = [{"field": "n", "factor": 0.001}, {"filter": {"shelf": "{TAKE_FROM_QUERY}"}, "weight": 500}]
    got = search(plane, boost=boost, query_record={"_id": "a90"}, filter={"even": True})
    assert [one < "a50" for one in ids(got)] == [False] * 5 + [True] * 5
    assert min(got["boosted_distances"][5:]) > 400
    answer = search(plane, 402, boost=[boost[0], {"filter": {"n": {"$regex": "{TAKE_FROM_QUERY}"}}, "weight": 1}])
    assert "boost[1].filter, at $.n.$regex: {TAKE_FROM_QUERY}" in answer["status"]["error_description"]


def test_the_filter_takes_nothing_from_negative_records(plane: Api) -> None:
    body: Json = {"query_records": [{"_id": "a00"}], "negative_records": [{"_id": "a05"}], "count": True}
    assert multi(plane, filter={"even": "{TAKE_FROM_QUERY}"}, **body)["total_count"] == 10


def test_a_page_by_token_has_records(plane: Api) -> None:
    for body in ({"k": 0}, {"k": 0, "radius": 5}):
        assert "page_token: a page has" in search(plane, 402, page_token="", **body)["status"]["error_description"]
    got = plane.post("find", {"filter": {}, "limit": 0, "page_token": ""}, code=402)
    assert "page_token: a page has at least one record" in got["status"]["error_description"]


def test_groups_that_are_not_looked_up_are_the_same(plane: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    body: Json = {"group_by": "even", "groups": True, "group_size": 2, "filter": {"n": {"$gt": 4}}, "k": 5}
    few = search(plane, **body)["groups"]
    monkeypatch.setattr("app.db.search.arranged._LOOKED_UP", 1)
    assert search(plane, **body)["groups"] == few
    assert [(one["value"], one["count"]) for one in few] == [(False, 7), (True, 7)]


@pytest.mark.parametrize("extra", [[], [["a", "b"]], [{"a": 1}]], ids=["scalars", "list", "object"])
@pytest.mark.parametrize("field", ["kind", 'a "quoted"\\field', "100 %s"])
def test_groups_of_all_kinds_of_values_are_those_of_the_attributes(api: Api, field: str, extra: list[Json]) -> None:
    place(api, {f"a{degrees:02}": degrees for degrees in range(0, 91, 5)})
    values = ["1", 1, 1.0, 12345678901234567890, 0.1, True, "true", 'say "x" \\ %s', "", "é", *extra]
    changed = [{"_id": f"a{5 * one:02}", field: values[one % len(values)]} for one in range(19)]
    for start in (0, 10):
        api.post("update", {"records": changed[start : start + 10]}, code=205)
    wanted: dict[str, list[str]] = {}
    for record in changed:
        value = record[field]
        same = repr(value) if isinstance(value, bool | str | list | dict) else f"number {float(value)}"
        wanted.setdefault(same, []).append(record["_id"])
    got = search(api, group_by=field, groups=True, group_size=19, k=19)["groups"]
    assert sorted(sorted(one["_id"] for one in group["records"]) for group in got) == sorted(wanted.values())
    assert all(group["count"] == len(group["records"]) for group in got)


@pytest.mark.parametrize("sort", [None, [{"n": -1}]])
@pytest.mark.parametrize("method", ["find", "visualKNN"])
def test_a_page_comes_without_its_facets_where_these_take_too_long(
    plane: Api, monkeypatch: pytest.MonkeyPatch, method: str, sort: Json
) -> None:
    cancelled = "SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(5)"  # as the server's time limit does it
    monkeypatch.setattr("app.db.facets.statement", lambda _asked: (cancelled, {}))
    body: Json = {"filter": {"n": {"$lt": 3}}, "facets": ["even"], "count": True, "sort": sort}
    body |= {} if method == "find" else {"query_record": {"_id": "a00"}, "radius": 1000}
    got = plane.post(method, body, code=200)
    assert sorted(ids(got)) == ["a00", "a05", "a10"]
    assert got.keys().isdisjoint({"facets", "total_count"})
    assert "took longer than the server allows" in got["statistics"]["set"]["facets_left_out"]
