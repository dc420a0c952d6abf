"""docs/sql.md holds what it says: every statement runs, answers what is printed, and is planned as is printed.

The demo catalogue is embedded once, for these and for what the catalogue promises of its pictures.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psycopg
import pytest
from numpy.typing import NDArray

from app.demo.catalogue import Product, catalogue
from app.domain.options import ModelOptions
from app.domain.services import SERVICES
from app.embedding.models import registry
from tests.db.cookbook import DOCUMENT, Connection, Recipe, answer, load, plan, planned, prepared, recipes

RECIPES = list(recipes(DOCUMENT.read_text(encoding="utf-8")))
# They say it in their headers.
OLDER = ("pick", "tags_of", "tags_distance", "create_collection", "drop_collection")
NEAR = 5.0  # up to this distance a picture is a near duplicate


@pytest.fixture(scope="module")
def demo(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    load(module_database_url, Path(tmp_path_factory.mktemp("demo")))
    with psycopg.connect(module_database_url, autocommit=True) as connection:
        yield prepared(connection)


def _alike(printed: str, found: str) -> bool:
    """Tell whether two cells are the same, or numbers that differ as those of two processors do."""
    try:
        return abs(float(printed) - float(found)) <= max(0.15, 0.01 * abs(float(printed)))
    except ValueError:
        return printed == found


def _cells(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")] for line in table.splitlines() if "-+-" not in line]


@pytest.mark.parametrize("recipe", [pytest.param(own, id=own.question) for own in RECIPES])
def test_the_answer_is_the_one_that_is_printed(demo: Connection, recipe: Recipe) -> None:
    printed, found = _cells(recipe.answer), _cells(answer(demo, recipe.sql))
    assert len(printed) >= 2, "fill in the answers: python -m tests.db.cookbook URL"
    assert [len(row) for row in found] == [len(row) for row in printed], found
    wrong = [pair for mine, theirs in zip(printed, found, strict=True) for pair in zip(mine, theirs, strict=True)
             if not _alike(*pair)]  # fmt: skip
    assert wrong == []


@pytest.mark.parametrize("recipe", [pytest.param(own, id=own.question) for own in RECIPES if planned(own.sql)])
def test_the_plan_is_the_one_that_is_printed(demo: Connection, recipe: Recipe) -> None:
    assert plan(demo, recipe.sql) == recipe.plan


def test_there_are_enough_recipes() -> None:
    assert len(RECIPES) >= 20
    assert len({recipe.question for recipe in RECIPES}) == len(RECIPES)


def test_every_function_for_others_is_in_the_document_and_says_its_rights(demo: Connection) -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    rows = demo.execute(
        "SELECT p.proname, obj_description(p.oid, 'pg_proc') FROM pg_proc AS p"
        " WHERE p.pronamespace = 'lookalike'::regnamespace"
    ).fetchall()
    assert len(rows) > 40
    for name, comment in rows:
        internal = comment.startswith("Internal:")
        assert internal or f"`lookalike.{name}(" in document or f"`{name}`" in document, name
        assert "rights" in comment or not name.startswith(("knn", "within", "near", "distance", "matches", "insert")), (
            name
        )


@pytest.fixture(scope="module")
def products() -> list[Product]:
    return catalogue()


@pytest.fixture(scope="module")
def distances(demo: Connection, products: list[Product]) -> NDArray[np.float64]:
    """Distances of the catalogue's pictures by the vectors of the demo's collection."""
    rows: dict[str, list[float]] = dict(demo.execute("SELECT id, embedding::real[] FROM lookalike.records").fetchall())
    vectors = np.array([rows[one.id] for one in products])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    scale = registry.describe(SERVICES["products"].model, ModelOptions()).distance_scale
    return np.asarray(scale * (1 - vectors @ vectors.T))


def test_planted_copies_are_near_duplicates_and_nothing_else_is(
    products: list[Product], distances: NDArray[np.float64]
) -> None:
    place = {one.id: number for number, one in enumerate(products)}
    copies = [one.id for one in products if one.id.endswith("-resold")]
    assert len(copies) == 15
    planted = {frozenset((place[own], place[own.removesuffix("-resold")])) for own in copies}
    first = next(one.id for one in products if one.id.endswith("-link-2")).removesuffix("-link-2")
    one, two, three = (place[f"{first}{link}"] for link in ("", "-link-2", "-link-3"))
    planted |= {frozenset((one, two)), frozenset((two, three))}
    near = {frozenset(map(int, pair)) for pair in np.argwhere(np.triu(distances <= NEAR, k=1))}
    assert near == planted
    assert distances[one, three] > NEAR


def test_most_nearest_neighbours_are_of_the_same_class(products: list[Product], distances: NDArray[np.float64]) -> None:
    fronts = [number for number, one in enumerate(products) if "P" in str(one.attributes["product_id"])]
    classes = np.array([str(products[number].attributes["category"]) for number in fronts])
    between = distances[np.ix_(fronts, fronts)] + np.diag(np.full(len(fronts), np.inf))
    assert (classes[between.argmin(axis=1)] == classes).mean() > 0.7
