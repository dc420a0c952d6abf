"""The sample catalogue: real photographs with their licence, described as their maker says, duplicates as planted."""

import io
import json
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.demo.catalogue import ARCHIVE, LICENCE, Product, catalogue, unpack
from app.domain.options import ModelOptions
from app.domain.services import SERVICES
from app.embedding.models import registry
from tests.support import make_demo

NEAR = 5.0


@pytest.fixture(scope="module")
def products() -> list[Product]:
    return catalogue()


@pytest.fixture(scope="module")
def distances(products: list[Product]) -> NDArray[np.float64]:
    """Distances by the model that the demo's collection has."""
    embedder = registry.load(SERVICES["products"].model, ModelOptions(), 1)
    rows = [
        embedder.embed([embedder.prepare(one.picture()) for one in products[start : start + 32]])
        for start in range(0, len(products), 32)
    ]
    vectors = np.concatenate(rows).astype(np.float64)
    return np.asarray(embedder.facts.distance_scale * (1 - vectors @ vectors.T))


def test_the_archive_is_small_and_has_its_licence() -> None:
    assert ARCHIVE.stat().st_size < 4 * 2**20
    with zipfile.ZipFile(ARCHIVE) as archive:
        assert archive.read(LICENCE).startswith(b"Creative Commons Legal Code\n\nCC0 1.0 Universal")


def test_every_class_is_there_and_any_beginning_is_a_cross_section(products: list[Product]) -> None:
    assert len({one.id for one in products}) == len(products) == 400
    assert set(make_demo.CLASSES) == {one.attributes["category"] for one in products}
    shares = Counter(one.attributes["category"] for one in products[:100])
    assert min(shares.values()) >= 8
    assert [one.id for one in catalogue(30)] == [one.id for one in products[:30]]


def test_pictures_are_of_the_size_that_is_promised(products: list[Product]) -> None:
    for one in products:
        with Image.open(io.BytesIO(one.data)) as picture:
            assert picture.format == "WEBP"
            assert 100 < max(picture.size) <= 256
    assert max(products[0].picture(96).size) == 96


def test_attributes_have_the_types_that_filters_are_shown_on(products: list[Product]) -> None:
    for one in products:
        facts = one.attributes
        assert isinstance(facts["price"], float)
        assert isinstance(facts["tags"], list)
        assert facts["color"] == facts["colors"][0]  # type: ignore[index]
        assert facts["in_stock"] == (facts["stock"] > 0)  # type: ignore[operator]
        assert facts["season"] in ("spring", "summer", "autumn", "winter")
    sold_out = [one for one in products if not one.attributes["in_stock"]]
    assert 20 < len(sold_out) < 100


def test_some_products_have_two_or_three_pictures(products: list[Product]) -> None:
    pictures = Counter(one.attributes["product_id"] for one in products)
    assert {2, 3} <= set(pictures.values())
    views = Counter(one.attributes["view"] for one in products)
    assert (views["detail"], views["hem"]) == (16, 7)


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


def test_unpack_writes_what_load_takes(tmp_path: Path) -> None:
    lines = unpack(tmp_path / "new", 12)
    records = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
    assert [record["_id"] for record in records] == [product.id for product in catalogue(12)]
    assert {path.name for path in lines.parent.iterdir()} == {
        lines.name, LICENCE, *(record["_file"] for record in records)
    }  # fmt: skip


def test_the_photos_give_this_archive(clothing: Path, products: list[Product]) -> None:
    """The whole order, and every twentieth picture with its line, byte for byte."""
    planned = list(make_demo.planned(clothing))
    assert [record.id for record in planned] == [one.id for one in products]
    for record, one in list(zip(planned, products, strict=True))[::20]:
        line, data = make_demo.made(record)
        assert {"_id": one.id, "_file": f"{one.id}.webp"} | one.attributes == line
        assert data == one.data
