"""Pages by `k` and `from` are cuts of one long answer, whatever the method, the way and the records at one distance."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from app.db import collections, indexes, loads
from app.db.engine import Database
from app.db.records import NewRecord
from app.domain.collections import Collection, NewCollection
from app.domain.ranking import Aggregation, Nearest
from app.domain.records import Fields, Found
from app.domain.windows import Window
from app.filters import NO_FILTER, Where, compile_filter, parse_filter
from app.search.ladder import order
from app.search.request import Point, Query, Several, several
from tests.db.vectors import random_vectors
from tests.support.searching import answered, exact, vector_of

DIMENSIONS, LOOKS, COPIES, BLANKS = 32, 500, 5, 40
ROWS = LOOKS * COPIES + BLANKS
VECTORS = random_vectors(LOOKS + 1, DIMENSIONS, seed=1)
FILTERS = {"none": None, "few": {"n": {"$lt": 300}}, "many": {"n": {"$lt": 2200}}, "side": {"side": {"$gt": 0}}}
Search = Callable[[Database, Query, str], Nearest]


@pytest.fixture(scope="module")
def shops(module_database_url: str) -> Iterator[tuple[Database, dict[str, Collection]]]:
    """Five sizes of each of 500 shirts have one picture, and forty records none yet; with an HNSW index and without."""
    db = Database(module_database_url)
    db.open()
    generator = np.random.default_rng(3)
    looks = [*(number for number in range(LOOKS) for _ in range(COPIES)), *[LOOKS] * BLANKS]
    side = VECTORS @ VECTORS[0] - float(np.median(VECTORS @ VECTORS[0]))
    rows = []
    for n, look in zip(generator.permutation(ROWS), looks, strict=True):
        tags = [tag for tag, has in (("sale", look % 2), ("silk", look % 9 == 0)) if has]
        own = {"n": int(n), "product": f"p{look // 2}", "side": float(side[look]), "tags": tags}
        rows.append(NewRecord(f"r{n}", json.dumps(own), VECTORS[look]))
    for name in ("indexed", "plain"):
        made = collections.create(db, NewCollection(name, "photo", "m", "1", DIMENSIONS, 62.5))
        loads.copy(db, made, rows)
    indexes.build_hnsw(db, collections.get(db, "indexed"))
    yield db, {name: collections.get(db, name) for name in ("indexed", "plain")}
    db.close()


def by_id(db: Database, target: Query, own: str) -> Nearest:
    return answered(db, target, own)


def by_vector(db: Database, target: Query, own: str) -> Nearest:
    return answered(db, target, vector_of(db, target.collection, own))


def by_products(db: Database, target: Query, own: str) -> Nearest:
    asked = replace(target, asked=(own,), product_field="product")
    return answered(db, asked, vector_of(db, target.collection, own))


def by_several(aggregation: Aggregation) -> Search:
    def found(db: Database, target: Query, own: str) -> Nearest:
        asked = (own, "r9")
        vectors = [vector_of(db, target.collection, one) for one in asked]
        return answered(db, replace(target, asked=asked), several(vectors, aggregation))

    return found


def by_tags(product_field: str | None) -> Search:
    def found(db: Database, target: Query, own: str) -> Nearest:
        points = [Point(vector_of(db, target.collection, own), ["sale", "silk"], 0.4)]
        asked = replace(target, asked=(own,), product_field=product_field)
        return answered(db, asked, Several(points, tags_field="tags"))

    return found


def within(db: Database, target: Query, own: str) -> Nearest:
    return answered(db, replace(target, radius=60.0, exact=True), own)


METHODS: dict[str, Search] = {
    "id": by_id,
    "vector": by_vector,
    "products": by_products,
    "mean": by_several(Aggregation.MEAN),
    "least": by_several(Aggregation.MIN),
    "tags": by_tags(None),
    "tags and products": by_tags("product"),
    "range": within,
}


def where(name: str) -> Where:
    given = FILTERS[name]
    return NO_FILTER if given is None else compile_filter(parse_filter(given), table="r")


@pytest.mark.parametrize("collection", ["indexed", "plain"])
@pytest.mark.parametrize("filter_", FILTERS)
@pytest.mark.parametrize("method", METHODS)
def test_pages_are_the_one_long_answer_cut(
    shops: tuple[Database, dict[str, Collection]], method: str, filter_: str, collection: str
) -> None:
    db, made = shops
    # Those that compare tags take their time; beyond 50 ranks they, too, are past their first rung.
    end, sizes = (72, (12,)) if "tags" in method else (270, (9, 33))
    target = Query(made[collection], Window(end), Fields(), where(filter_))
    long = METHODS[method](db, target, "r5").records
    assert [one.id for one in long] == [one.id for one in sorted(long, key=order)]
    assert len({one.id for one in long}) == len(long)
    for k in sizes:
        found = []
        for offset in range(0, end, k):
            window = Window(min(k, end - offset), offset)
            found += METHODS[method](db, replace(target, window=window), "r5").records
        assert [(one.id, one.distance) for one in found] == [(one.id, one.distance) for one in long]


@pytest.mark.parametrize("filter_", FILTERS)
@pytest.mark.parametrize("method", ["id", "vector", "products", "mean", "tags"])
def test_pages_to_the_end_hold_every_record_once(
    shops: tuple[Database, dict[str, Collection]], method: str, filter_: str
) -> None:
    """Beyond what the index is asked for, what it missed is there as well; and each page has its attributes."""
    db, made = shops
    target = Query(made["indexed"], Window(ROWS), Fields(names=("n",)), where(filter_))
    plain = METHODS[method](db, replace(target, collection=made["plain"]), "r77")
    found = []
    for offset in range(0, len(plain.records), 390):
        page = METHODS[method](db, replace(target, window=Window(390, offset)), "r77").records
        assert all(json.loads(one.attributes or "{}") == {"n": int(one.id[1:])} for one in page)
        found += [one.id for one in page]
    assert sorted(found) == sorted(one.id for one in plain.records)


def test_the_index_answers_what_it_knows(shops: tuple[Database, dict[str, Collection]]) -> None:
    """A shirt's five sizes are no reason to compare everything."""
    db, made = shops
    ways = [by_id(db, Query(made["indexed"], Window(20), Fields()), f"r{n}").way for n in range(0, 400, 20)]
    assert ways.count("index") >= 18


@pytest.mark.parametrize("method", ["id", "vector", "products", "mean", "tags"])
@pytest.mark.parametrize("filter_", ["none", "many"])
def test_copies_beside_the_index_are_answered_as_if_all_were_compared(
    shops: tuple[Database, dict[str, Collection]], method: str, filter_: str
) -> None:
    """Forty records have one picture: ten of them stand in the index."""
    db, made = shops
    own = next(one.id for one in by_vector_of_blanks(db, made["plain"], where(filter_)))
    target = Query(made["indexed"], Window(20), Fields(), where(filter_))
    if method == "mean":
        vectors = [VECTORS[LOOKS], VECTORS[LOOKS]]
        found = answered(db, replace(target, asked=(own,)), several(vectors, Aggregation.MEAN))
        true = answered(db, replace(target, collection=made["plain"]), several(vectors, Aggregation.MEAN))
    else:
        found = METHODS[method](db, target, own)
        true = METHODS[method](db, replace(target, collection=made["plain"]), own)
    assert found.records == true.records
    if method in {"id", "vector"}:
        assert found.way == "index"


def by_vector_of_blanks(db: Database, collection: Collection, condition: Where) -> list[Found]:
    return exact(db, Query(collection, Window(BLANKS), Fields(), condition), VECTORS[LOOKS])
