"""Looks and tags together: the page is that of comparing every record, also where very many share a tag."""

import json
from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.db import collections, indexes, loads
from app.db.engine import Database
from app.db.records import NewRecord
from app.domain.collections import Collection, NewCollection
from app.domain.records import Fields
from app.domain.tags import tags_of
from app.domain.windows import Window
from app.filters import holds_all, holds_any
from app.search.request import Point, Query, Several
from tests.db.vectors import random_vectors
from tests.support.plans import nodes, plan
from tests.support.searching import answered, exact

ROWS, DIMENSIONS = 8_000, 32


@pytest.fixture(scope="module")
def shop(module_database_url: str) -> Iterator[tuple[Database, Collection]]:
    """Half of all records have `sale`, two thirds `new`, one in fifty `silk`; one in seven a tag by itself, no list."""
    db = Database(module_database_url)
    db.open()
    own = collections.create(db, NewCollection("shop", "photo", "m", "1", DIMENSIONS, 62.5))
    rows = []
    for n, vector in enumerate(random_vectors(ROWS, DIMENSIONS, seed=5)):
        tags = [tag for tag, has in (("sale", n % 2 == 0), ("new", n % 3 != 0), ("silk", n % 50 == 0)) if has]
        rows.append(NewRecord(f"r{n}", json.dumps({"tags": tags if n % 7 else "sale", "n": n}), vector))
    loads.copy(db, own, rows)
    indexes.build_hnsw(db, own)
    yield db, collections.get(db, "shop")
    db.close()


@pytest.mark.parametrize("weight", [0.1, 0.5, 0.9])
@pytest.mark.parametrize(
    "tags", [["sale"], ["sale", "new"], ["sale", "new", "silk"], ["silk"], ["absent", "sale"]], ids=str
)
def test_the_page_is_that_of_comparing_every_record(
    shop: tuple[Database, Collection], tags: list[str], weight: float
) -> None:
    db, collection = shop
    target = Query(collection, Window(20), Fields())
    hits = 0
    for vector in random_vectors(5, DIMENSIONS, seed=6):
        queries = [Point(vector, tags, weight)]
        answer = answered(db, target, Several(queries, tags_field="tags"))
        assert answer.way == "index", "of so many, not all are compared"
        found = answer.records
        true = exact(db, target, Several(queries, tags_field="tags"))
        assert len(found) == len(true) == 20
        assert [one.distance for one in found] == sorted(one.distance or 0.0 for one in found)
        hits += len({one.id for one in found} & {one.id for one in true})
    assert hits >= 0.98 * 100


def test_several_queries_with_tags_of_their_own(shop: tuple[Database, Collection]) -> None:
    db, collection = shop
    target = Query(collection, Window(20), Fields())
    vectors = random_vectors(3, DIMENSIONS, seed=9)
    queries = [
        Point(vector, tags, 0.6 if tags else 0.0)
        for vector, tags in zip(vectors, (["sale"], ["new", "sale"], []), strict=True)
    ]
    found = answered(db, target, Several(queries, tags_field="tags")).records
    true = exact(db, target, Several(queries, tags_field="tags"))
    assert len({one.id for one in found} & {one.id for one in true}) >= 19


_WORDS = st.sampled_from(
    ["sale", "new", "", "Sale", "1", "null", 'quo"te \\ é', "a.b", "$", *(f"t{n}" for n in range(12))]
)
_SCALARS = st.none() | st.booleans() | st.integers(0, 1) | _WORDS
_ODD = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_WORDS, inner, max_size=2), max_leaves=8
)
_RECORDS = st.lists(st.fixed_dictionaries({}, optional={"tags": _ODD, "n": _ODD}), min_size=1, max_size=12)


@settings(max_examples=150, deadline=None)
@given(_RECORDS, st.lists(_WORDS, unique=True, min_size=1, max_size=14))
def test_records_are_looked_up_by_what_counts_as_a_tag(
    filter_connection: psycopg.Connection, stored: list[dict[str, object]], tags: list[str]
) -> None:
    """A jsonpath finds what containment of a list with the tag, or of the tag by itself, does."""
    rows = filter_connection.execute(
        """
        SELECT r.attributes @? %(any)s::jsonpath, r.attributes @? %(all)s::jsonpath,
               r.attributes @> ANY (%(lists)s::jsonb[]), r.attributes @> %(whole)s::jsonb
        FROM unnest(%(rows)s::jsonb[]) WITH ORDINALITY AS r (attributes, place) ORDER BY place
        """,
        {
            "any": holds_any("tags", tags),
            "all": holds_all("tags", tags),
            "lists": [json.dumps({"tags": form}) for tag in tags for form in ([tag], tag)],
            "whole": json.dumps({"tags": tags}),
            "rows": [json.dumps(one) for one in stored],
        },
    ).fetchall()
    for record, (any_, all_, listed, whole) in zip(stored, rows, strict=True):
        has = set(tags_of(record, "tags")) & set(tags)
        assert any_ == bool(has) == listed
        # Two tags and more: one by itself is not all of them.
        assert all_ == (len(has) == len(tags))
        assert all_ == whole or len(tags) == 1


def test_plan_of_records_with_a_tag_is_the_index_of_attributes(shop: tuple[Database, Collection]) -> None:
    db, collection = shop
    text = f"SELECT r.id FROM lookalike.{collection.records_table} AS r WHERE r.attributes @? %(tags)s::jsonpath"
    found = list(nodes(plan(db, text, {"tags": holds_any("tags", ["silk", "velvet"])})))
    assert f"{collection.records_table}_attributes_idx" in {one.get("Index Name") for one in found}
    assert found[0]["Actual Rows"] == sum(1 for n in range(0, ROWS, 50) if n % 7)
