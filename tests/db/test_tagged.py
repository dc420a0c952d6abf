"""Looks and tags together: the page is that of comparing every record, also where very many share a tag."""

import json
from collections.abc import Iterator

import pytest

from app.db import collections, indexes, loads
from app.db.engine import Database
from app.db.records import NewRecord
from app.domain.collections import Collection, NewCollection
from app.domain.records import Fields
from app.domain.windows import Window
from app.search.request import Point, Query, Several
from tests.db.vectors import random_vectors
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
